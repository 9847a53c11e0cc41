"""Reads a ledger: its totals by day, its usage in columns, and who and what the numbers mean.

Rules of this file: what is read is one state, that of when the ledger was opened, whoever writes meanwhile. Sums are whole
numbers and exact. Ranges are half-open.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from classifier.errors import LedgerError
from classifier.ledger.entries import VOLUMES, Attributes, Period, Run
from classifier.ledger.store import open_for_reading, reason_of
from classifier.ledger.write import widened


class OutcomeName(NamedTuple):
    """An outcome in words. `programme` and `terms` (the programme's number, see `LedgerReader.programmes`) are None where
    none paid."""

    application: str
    evidence: str
    standing: str
    part: str
    programme: str | None
    payer: str | None
    terms: int | None
    reason: str | None


class Profile(NamedTuple):
    """What is known of a group of subscribers; three empty texts for those in no subscriber file."""

    operator: str
    province: str
    plan: str


class DayTotal(NamedTuple):
    """All usage of one day, profile and outcome. `outcome` is a place in `LedgerReader.outcomes`."""

    day: str
    month: str
    profile: Profile
    outcome: int
    uplink_octets: int
    downlink_octets: int
    uplink_packets: int
    downlink_packets: int


@dataclass(frozen=True, slots=True)
class UsagePiece:
    """Usage of one interval in columns: `subscriber` (number, see `subscribers`) and `outcome` (place in `outcomes`) i8[n],
    `volumes` i8[4, n] by VOLUMES."""

    entry: int
    begins_ns: int
    ends_ns: int
    day: str
    month: str
    subscriber: np.ndarray
    outcome: np.ndarray
    volumes: np.ndarray


class EntryRecord(NamedTuple):
    """One entry's accounts; `run` is the number of its run."""

    entry: int
    run: int
    begins_ns: int
    ends_ns: int
    observed_frames: int
    observed_octets: int
    pending_frames: int
    pending_octets: int


class LedgerReader:
    """The ledger at `path`, as it was last committed; a context manager. Raises LedgerError, on one line."""

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)
        self._connection = open_for_reading(self.path)

    def __enter__(self) -> LedgerReader:
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def runs(self) -> dict[int, Run]:
        """All runs by number, the latest last."""
        in_force: dict[int, list] = {}
        for run, *programme in self._ask(
            "SELECT run, name, payer, terms FROM in_force JOIN programme ON id = programme ORDER BY run, name"
        ):
            in_force.setdefault(run, []).append(tuple(programme))
        asked = (
            "SELECT id, kind, gateway, timezone, month_starts_on, catalogue, version, continues FROM run ORDER BY id"
        )
        return {
            number: Run(*fields, tuple(in_force.get(number, ())), continues)
            for number, *fields, continues in self._ask(asked)
        }

    def sources(self) -> list[tuple[int, str, str]]:
        """(run, name, digest) of the captures that were read, in their order."""
        return list(self._ask("SELECT run, name, digest FROM source ORDER BY rowid"))

    def programmes(self) -> dict[int, tuple[str, str, str]]:
        """(name, payer, terms) of all programmes by number; `catalogue.terms.programme_of` reads the terms."""
        return {number: tuple(fields) for number, *fields in self._ask("SELECT id, name, payer, terms FROM programme")}

    def outcomes(self) -> list[OutcomeName | None]:
        """All outcomes by number; place 0 is None."""
        asked = (
            "SELECT application.name, evidence, standing, part, programme.name, payer, programme.id, reason FROM outcome"
            " JOIN application ON application.id = outcome.application"
            " LEFT JOIN programme ON programme.id = outcome.programme ORDER BY outcome.id"
        )
        return [None, *map(OutcomeName._make, self._ask(asked))]

    def subscribers(self) -> list[str]:
        """The names of all subscribers by number; place 0 is an empty text."""
        return ["", *(name for (name,) in self._ask("SELECT name FROM subscriber ORDER BY id"))]

    def subscriber_number(self, name: str) -> int | None:
        """The number of the subscriber of this name, None where the ledger has none."""
        found = self._one("SELECT id FROM subscriber WHERE name = ?", (name,))
        return None if found is None else found[0]

    def profiles(self, run: int | None = None) -> tuple[list[Profile], np.ndarray]:
        """All profiles, and the place in them of each subscriber by number, as of a run (None: the latest)."""
        profiles = list(map(Profile._make, self._ask("SELECT operator, province, plan FROM profile ORDER BY id")))
        (last,) = self._one("SELECT coalesce(max(id), 0) FROM subscriber")
        of_subscriber = np.zeros(last + 1, np.int64)  # the first profile is that of those in no file
        asked = "SELECT subscriber, profile, max(run) FROM attributes WHERE run <= ? GROUP BY subscriber"
        for number, profile, _ in self._ask(asked, (_or_latest(run),)):
            of_subscriber[number] = profile - 1
        return profiles, of_subscriber

    def attributes(self, run: int | None = None) -> dict[int, Attributes]:
        """The attributes as of a run (None: the latest) of subscribers that have any, by number."""
        asked = (
            "SELECT subscriber, operator, province, plan, joined, enrolled, max(run) FROM attributes"
            " JOIN profile ON profile.id = profile WHERE run <= ? GROUP BY subscriber"
        )
        return {
            number: Attributes(*profile, joined, tuple(json.loads(enrolled).items()))
            for number, *profile, joined, enrolled, _ in self._ask(asked, (_or_latest(run),))
        }

    def entries(self) -> Iterator[EntryRecord]:
        """All entries in their order."""
        return map(EntryRecord._make, self._ask("SELECT * FROM entry ORDER BY id"))

    def unmetered(self, begin_ns: int | None = None, end_ns: int | None = None) -> dict[str, tuple[int, int]]:
        """(frames, octets) by reason of the entries that began in the range."""
        asked = (
            "SELECT reason, sum(frames), sum(octets) FROM unmetered JOIN entry ON entry.id = entry"
            " WHERE begins_ns >= ? AND begins_ns < ? GROUP BY reason ORDER BY reason"
        )
        return {reason: (frames, octets) for reason, frames, octets in self._ask(asked, _range(begin_ns, end_ns))}

    def unmetered_of(self, entry: int) -> tuple[tuple[str, int, int], ...]:
        """(reason, frames, octets) of one entry."""
        return tuple(self._ask("SELECT reason, frames, octets FROM unmetered WHERE entry = ?", (entry,)))

    def lost_octets(self, begin_ns: int | None = None, end_ns: int | None = None) -> int:
        """What undecided flows held at the end of the last entry of each process, if that began in the range: nothing, where
        it could end in peace."""
        asked = (
            "SELECT coalesce(sum(pending_octets), 0) FROM entry"
            " WHERE id IN (SELECT max(entry.id) FROM entry JOIN run ON run.id = run GROUP BY coalesce(continues, run))"
            " AND begins_ns >= ? AND begins_ns < ?"
        )
        (octets,) = self._one(asked, _range(begin_ns, end_ns))
        return octets

    def cut_intervals(self, moment_ns: int) -> int:
        """How many pieces of usage are of an interval that began before this moment and ended after it."""
        asked = "SELECT count(*) FROM usage WHERE begins_ns < ?1 AND ends_ns > ?1"
        (count,) = self._one(asked, (moment_ns,))
        return count

    def day_totals(self, first_day: str | None = None, end_day: str | None = None) -> Iterator[DayTotal]:
        """The sums of all usage from `first_day` (2013-11-05) to before `end_day`, by day, profile and outcome."""
        asked = (
            f"SELECT day.day, month, operator, province, plan, outcome, {', '.join(VOLUMES)} FROM total"
            " JOIN day ON day.id = total.day JOIN profile ON profile.id = profile WHERE day.day >= ? AND day.day < ?"
            " ORDER BY day.day, month, profile, outcome"
        )
        for day, month, operator, province, plan, *rest in self._ask(asked, (first_day or "", end_day or "~")):
            yield DayTotal(day, month, Profile(operator, province, plan), *rest)

    def usage(
        self, begin_ns: int | None = None, end_ns: int | None = None, by_entry: bool = False
    ) -> Iterator[UsagePiece]:
        """Usage of the intervals that began in the range, in the order of time, or in that of the entries."""
        asked = (
            f"SELECT entry, begins_ns, ends_ns, day.day, month, rows, subscriber, outcome, {', '.join(VOLUMES)} FROM usage"
            " JOIN day ON day.id = usage.day WHERE begins_ns >= ? AND begins_ns < ?"
            f" ORDER BY {'usage.id' if by_entry else 'begins_ns, usage.id'}"
        )
        for entry, begins_ns, ends_ns, day, month, rows, *blobs in self._ask(asked, _range(begin_ns, end_ns)):
            subscriber, outcome, *volumes = (widened(blob, rows) for blob in blobs)
            yield UsagePiece(entry, begins_ns, ends_ns, day, month, subscriber, outcome, np.stack(volumes))

    def periods(self, begin_ns: int | None = None, end_ns: int | None = None) -> list[Period]:
        """The periods of allowances of which something was used and that began in the range."""
        asked = (
            "SELECT programme, place, begins_ns FROM period WHERE begins_ns >= ? AND begins_ns < ?"
            " ORDER BY programme, begins_ns, place"
        )
        return list(map(Period._make, self._ask(asked, _range(begin_ns, end_ns))))

    def used_up(self, period: Period, octets: int) -> list[int]:
        """The numbers of those who have used at least so many octets of an allowance in this period."""
        asked = (
            "SELECT subscriber FROM allowance WHERE octets >= ? AND period ="
            " (SELECT id FROM period WHERE programme = ? AND place = ? AND begins_ns = ?)"
        )
        return [number for (number,) in self._ask(asked, (octets, *period))]

    def run_spans(self) -> dict[int, tuple[int, int]]:
        """From when to when there are entries of each run that has any, by its number."""
        asked = "SELECT run, min(begins_ns), max(ends_ns) FROM entry GROUP BY run"
        return {run: (begins_ns, ends_ns) for run, begins_ns, ends_ns in self._ask(asked)}

    def allowances(self) -> dict[Period, dict[int, int]]:
        """What was used of each allowance in each period: octets by subscriber number."""
        found: dict[Period, dict[int, int]] = {}
        asked = "SELECT programme, place, begins_ns, subscriber, octets FROM allowance JOIN period ON id = period ORDER BY id"
        for *period, subscriber, octets in self._ask(asked):
            found.setdefault(Period(*period), {})[subscriber] = octets
        return found

    def allowances_of(self, subscriber: int) -> dict[Period, int]:
        """What one subscriber has used of each allowance in each period, in octets."""
        asked = (
            "SELECT programme, place, begins_ns, octets FROM period JOIN allowance ON period = id WHERE subscriber = ?"
        )
        return {Period(*period): octets for *period, octets in self._ask(asked, (subscriber,))}

    def integrity(self) -> list[str]:
        """What SQLite finds wrong with pages, indexes and references, a line each."""
        found = [text for (text,) in self._ask("PRAGMA integrity_check") if text != "ok"]
        return found + [
            f"{table}: row {row} refers to a {other} that is not there"
            for table, row, other, _ in self._ask("PRAGMA foreign_key_check")
        ]

    def span_ns(self) -> tuple[int, int] | None:
        """From when to when there are entries; None where there are none."""
        begins_ns, ends_ns = self._one("SELECT min(begins_ns), max(ends_ns) FROM entry")
        return None if begins_ns is None else (begins_ns, ends_ns)

    def _ask(self, question: str, values: tuple = ()) -> Iterator[tuple]:
        with self._explained():
            yield from self._connection.execute(question, values)

    def _one(self, question: str, values: tuple = ()) -> tuple | None:
        with self._explained():
            return self._connection.execute(question, values).fetchone()

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise LedgerError(f"{self.path}: cannot be read ({reason_of(error)}); restore it from a copy") from None


def _or_latest(run: int | None) -> int:
    return 2**63 - 1 if run is None else run


def _range(begin_ns: int | None, end_ns: int | None) -> tuple[int, int]:
    """The whole of 64 bits where an end is left open; an interval that begins in the very last nanosecond is not asked."""
    return (-(2**63) if begin_ns is None else begin_ns, 2**63 - 1 if end_ns is None else end_ns)
