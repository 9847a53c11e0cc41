"""Small ledgers for tests: usage written as a few words a row, through the writer that everything else uses."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import NamedTuple

import numpy as np

from classifier.ledger.entries import NO_ATTRIBUTES, Attributes, Entry, Outcome, Period, Posting, Run
from classifier.ledger.write import LedgerWriter

HOUR_NS = 3600 * 10**9
FREE = ("free", "alibaba", '{"name":"free"}')
RUN = Run("replay", "lab", "UTC", 1, "0" * 64, "0", (FREE,))
LIN = Attributes("china-mobile", "guangdong", "standard", "2013-10-01", (("free", "2013-11-01"),))


class Used(NamedTuple):
    """Some usage: charged for `reason`, or paid by `programme` (name, payer, terms) if that is None."""

    subscriber: str
    application: str
    uplink_octets: int
    downlink_octets: int
    reason: str | None = "no_programme"
    programme: tuple[str, str, str] = FREE
    attributes: Attributes = NO_ATTRIBUTES
    part: str = "zero_rated"
    evidence: str = "claimed"


def at_ns(*moment: int) -> int:
    """Nanoseconds of a time in UTC: year, month, day, hour and so on."""
    return int(datetime(*moment, tzinfo=UTC).timestamp()) * 10**9


def posting(writer: LedgerWriter, begins_ns: int, rows: list[Used]) -> Posting:
    """The usage of the hour from `begins_ns` on; a row has one packet up for each octet up, and two down for each down."""
    made = []
    for row in rows:
        programme = None if row.reason else writer.programme(*row.programme)
        part = "charged" if row.reason else row.part
        outcome = Outcome(writer.application(row.application), row.evidence, "taken_part", part, programme, row.reason)
        up, down = row.uplink_octets, row.downlink_octets
        made.append(
            (writer.subscriber(row.subscriber, row.attributes), writer.outcome(outcome), up, down, up, 2 * down)
        )
    subscriber, outcome, *volumes = np.array(sorted(made), np.int64).reshape(-1, 6).T
    day = f"{datetime.fromtimestamp(begins_ns // 10**9, UTC):%Y-%m-%d}"
    return Posting(begins_ns, begins_ns + HOUR_NS, day, day[:7], subscriber, outcome, np.stack(volumes))


def entry(writer: LedgerWriter, begins_ns: int, rows: list[Used], *late: Posting, allowances=()) -> Entry:
    """The entry of the hour from `begins_ns` on, with `late` usage of hours before; `allowances`: (Period, {name: octets})."""
    postings = (*late, *([posting(writer, begins_ns, rows)] if rows else []))
    sums = sum((one.volumes.sum(axis=1) for one in postings), np.zeros(4, np.int64)).tolist()
    figures = tuple(
        (
            period,
            np.array([writer.subscriber(name, one) for name, one in _attributes(used, rows)]),
            np.array([*used.values()]),
        )
        for period, used in allowances
    )
    observed = (sums[2] + sums[3] + 3, sums[0] + sums[1] + 120)
    return Entry(begins_ns, begins_ns + HOUR_NS, observed, (0, 0), (("transit", 3, 120),), postings, figures)


def _attributes(used: dict[str, int], rows: list[Used]):
    of = {row.subscriber: row.attributes for row in rows}
    return [(name, of.get(name, NO_ATTRIBUTES)) for name in used]


def make_ledger(path, hours: list[tuple[int, list[Used]]], run: Run = RUN, periods: dict[int, list] | None = None):
    """A ledger with one run and an entry for each (begins_ns, rows)."""
    programmes = {*run.programmes, *(row.programme for _, rows in hours for row in rows if not row.reason)}
    with LedgerWriter(path) as writer:
        writer.begin_run(run._replace(programmes=tuple(sorted(programmes))))
        for begins_ns, rows in hours:
            writer.write(entry(writer, begins_ns, rows, allowances=(periods or {}).get(begins_ns, ())))
    return path


def month_period(begins_ns: int, programme: str = "free") -> Period:
    return Period(programme, 0, begins_ns)
