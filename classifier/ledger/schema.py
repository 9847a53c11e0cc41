"""The tables of a ledger, and how an older ledger becomes a newer one.

Rules of this file: volumes are octets and packets, whole numbers; times are nanoseconds since 1970 UTC. An entry is what one
interval added, and is never changed; only `total` and `allowance` are sums that go on, written with the entry. A migration
brings a ledger from one version to the next, and once released is never edited.

Usage lies in columns, each a blob of little-endian unsigned numbers, as wide as octets of it divided by `rows` say. As rows
of a table a million took 2.4 s to write without a key, 3.2 to 4.4 s with one, as columns 0.1 s (SQLite 3.40, Python's
sqlite3), and reading differs as much. What people ask SQL for is in `total`.
"""

from __future__ import annotations

APPLICATION_ID = 0x66666C77  # "fflw", in the file's header (SQLite, PRAGMA application_id)

_VERSION_1 = """
-- What ran: `kind` is replay, run or rate; days and months are those of its `timezone` and `month_starts_on`. `catalogue` is
-- the digest of applications and programmes in force.
CREATE TABLE run (
    id INTEGER PRIMARY KEY, kind TEXT NOT NULL, gateway TEXT NOT NULL, timezone TEXT NOT NULL,
    month_starts_on INTEGER NOT NULL, catalogue TEXT NOT NULL, version TEXT NOT NULL
);
-- The captures that a replay read, by the digest of their octets, unpacked.
CREATE TABLE source (
    run INTEGER NOT NULL REFERENCES run, digest TEXT NOT NULL, name TEXT NOT NULL
);
CREATE INDEX source_by_digest ON source (digest);

CREATE TABLE application (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);
-- `terms`: all that the programme's file says, as JSON. Other terms are another row with the same name.
CREATE TABLE programme (
    id INTEGER PRIMARY KEY, name TEXT NOT NULL, payer TEXT NOT NULL, terms TEXT NOT NULL, UNIQUE (name, terms)
);
CREATE TABLE in_force (
    run INTEGER NOT NULL REFERENCES run, programme INTEGER NOT NULL REFERENCES programme, PRIMARY KEY (run, programme)
) WITHOUT ROWID;
-- What usage was of and what became of it: `part` is zero_rated, discounted or charged; `programme` is null where none
-- paid, `reason` where one did.
CREATE TABLE outcome (
    id INTEGER PRIMARY KEY, application INTEGER NOT NULL REFERENCES application, evidence TEXT NOT NULL,
    standing TEXT NOT NULL, part TEXT NOT NULL, programme INTEGER REFERENCES programme, reason TEXT
);

CREATE TABLE subscriber (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);
-- What offers ask for. Who stands in no subscriber file has the profile of three empty texts.
CREATE TABLE profile (
    id INTEGER PRIMARY KEY, operator TEXT NOT NULL, province TEXT NOT NULL, plan TEXT NOT NULL,
    UNIQUE (operator, province, plan)
);
-- A subscriber's row of the subscriber file from this run on. `joined` is a day or null, `enrolled` an object of
-- programme and day.
CREATE TABLE attributes (
    subscriber INTEGER NOT NULL REFERENCES subscriber, run INTEGER NOT NULL REFERENCES run,
    profile INTEGER NOT NULL REFERENCES profile, joined TEXT, enrolled TEXT NOT NULL, PRIMARY KEY (subscriber, run)
) WITHOUT ROWID;

-- A calendar day of the operator (2013-11-05) and the month it counts in (2013-11).
CREATE TABLE day (id INTEGER PRIMARY KEY, day TEXT NOT NULL, month TEXT NOT NULL, UNIQUE (day, month));
-- One transaction's worth: what was seen in [begins_ns, ends_ns), and what undecided flows held at its end.
CREATE TABLE entry (
    id INTEGER PRIMARY KEY, run INTEGER NOT NULL REFERENCES run, begins_ns INTEGER NOT NULL, ends_ns INTEGER NOT NULL,
    observed_frames INTEGER NOT NULL, observed_octets INTEGER NOT NULL,
    pending_frames INTEGER NOT NULL, pending_octets INTEGER NOT NULL
);
CREATE TABLE unmetered (
    entry INTEGER NOT NULL REFERENCES entry, reason TEXT NOT NULL, frames INTEGER NOT NULL, octets INTEGER NOT NULL,
    PRIMARY KEY (entry, reason)
) WITHOUT ROWID;
-- Usage that an entry brought, by the interval in which it passed: the entry's own, or an earlier one for what was held.
CREATE TABLE usage (
    id INTEGER PRIMARY KEY, entry INTEGER NOT NULL REFERENCES entry, begins_ns INTEGER NOT NULL, ends_ns INTEGER NOT NULL,
    day INTEGER NOT NULL REFERENCES day, rows INTEGER NOT NULL, subscriber BLOB NOT NULL, outcome BLOB NOT NULL,
    uplink_octets BLOB NOT NULL, downlink_octets BLOB NOT NULL, uplink_packets BLOB NOT NULL, downlink_packets BLOB NOT NULL
);
CREATE INDEX usage_by_time ON usage (begins_ns);
-- The sums of usage by day: what reports and settlements need of six months is found without reading all of it.
CREATE TABLE total (
    day INTEGER NOT NULL REFERENCES day, profile INTEGER NOT NULL REFERENCES profile,
    outcome INTEGER NOT NULL REFERENCES outcome, uplink_octets INTEGER NOT NULL, downlink_octets INTEGER NOT NULL,
    uplink_packets INTEGER NOT NULL, downlink_packets INTEGER NOT NULL, PRIMARY KEY (day, profile, outcome)
) WITHOUT ROWID;

-- An allowance of a programme (the `place`-th, the bonus behind the last) in the period that began at `begins_ns`.
CREATE TABLE period (
    id INTEGER PRIMARY KEY, programme TEXT NOT NULL, place INTEGER NOT NULL, begins_ns INTEGER NOT NULL,
    UNIQUE (programme, place, begins_ns)
);
-- The octets that a subscriber has used of it.
CREATE TABLE allowance (
    period INTEGER NOT NULL REFERENCES period, subscriber INTEGER NOT NULL REFERENCES subscriber, octets INTEGER NOT NULL,
    PRIMARY KEY (period, subscriber)
) WITHOUT ROWID;
"""

_VERSION_2 = """
-- The first run of the process that goes on in this one after a reload; null where nothing went before.
ALTER TABLE run ADD COLUMN continues INTEGER REFERENCES run;
-- Runs that came to their end: of one without a row here, what passed after its last entry is missing.
CREATE TABLE ending (run INTEGER PRIMARY KEY REFERENCES run);
-- Nobody knows it of the runs before.
INSERT INTO ending SELECT id FROM run;
"""

# The script at place n brings version n to n + 1; version 0 is an empty file.
MIGRATIONS: tuple[str, ...] = (_VERSION_1, _VERSION_2)
