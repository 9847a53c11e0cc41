"""Writes a ledger: runs, the captures they read, and an entry for each interval, each in one transaction.

Rules of this file: one writer at a time. An entry whose number `write` gave back is on the disk, whole and once; one for which
it raised is not there, and may be written again.
"""

from __future__ import annotations

import glob
import json
import os
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from classifier.distinct import distinct
from classifier.errors import LedgerError
from classifier.ledger.entries import NO_ATTRIBUTES, VOLUMES, Attributes, CutRun, Entry, Outcome, Period, Posting, Run
from classifier.ledger.names import Names
from classifier.ledger.store import insert, open_for_writing, reason_of, transaction

# One blob holds at most 10^9 octets (SQLite, SQLITE_MAX_LENGTH): 8 of each row.
ROWS_A_BLOB = 1 << 24
_WIDTHS = tuple(np.dtype(name) for name in ("<u1", "<u2", "<u4", "<u8"))


class LedgerWriter:
    """The one who writes the ledger at `path`, from when it is made until it is closed; a context manager.

    Numbers of subscribers, applications, programmes and outcomes come from here, so that entries are columns of numbers.
    Raises LedgerError, here and from every method that writes.
    """

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)
        self._connection, self._lock = open_for_writing(self.path)
        self._names = Names(self._connection)
        self._last_entry = self._highest("entry")
        self._run = self._highest("run")
        self._nobody = self._names.profile(NO_ATTRIBUTES[:3])
        self._profile_of = np.zeros(0, np.int64)
        self._attributes: dict[int, Attributes] = {}
        self._changed: dict[int, Attributes] = {}
        self._remember({number: Attributes(*attributes) for number, *attributes in self._latest_attributes()})

    def __enter__(self) -> LedgerWriter:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the ledger. What was not committed is not in it."""
        self._connection.close()
        self._lock.close()

    def begin_run(self, run: Run) -> int:
        """Write down what runs from now on; gives back its number."""
        in_force = [self._names.programme(programme) for programme in sorted(run.programmes)]
        number = self._run + 1
        with self.transaction():
            self._names.write(self._connection)
            self._connection.execute(
                "INSERT INTO run VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    number,
                    run.kind,
                    run.gateway,
                    run.timezone,
                    run.month_starts_on,
                    run.catalogue,
                    run.version,
                    run.continues,
                ),
            )
            self._connection.executemany("INSERT INTO in_force VALUES (?, ?)", [(number, one) for one in in_force])
        self._names.written()
        self._run = number
        return number

    def end_run(self) -> None:
        """Write down that the run came to its end and all of it is here."""
        with self.transaction():
            self._connection.execute("INSERT INTO ending VALUES (?)", (self._run,))

    def cut_run(self) -> CutRun | None:
        """What there is of the last live run, if it did not come to its end; to be asked before the next one begins."""
        cut = "SELECT coalesce(continues, id) FROM run WHERE id = ? AND kind = 'run' AND id NOT IN (SELECT run FROM ending)"
        last = "SELECT ends_ns, pending_octets FROM entry WHERE run >= ? ORDER BY id DESC LIMIT 1"
        with self._explained():
            began = self._connection.execute(cut, (self._run,)).fetchone()
            return None if began is None else CutRun(*(self._connection.execute(last, began).fetchone() or (None, 0)))

    def add_source(self, name: str, digest: str) -> None:
        """Write down that this run read the capture of this digest."""
        with self.transaction():
            self._connection.execute("INSERT INTO source VALUES (?, ?, ?)", (self._run, digest, name))

    def runs_of_source(self, digest: str) -> list[tuple[int, str]]:
        """(run, the name that it had then) of those that read this capture."""
        return self._connection.execute("SELECT run, name FROM source WHERE digest = ?", (digest,)).fetchall()

    def subscriber(self, name: str, attributes: Attributes = NO_ATTRIBUTES) -> int:
        """The number of the subscriber of this name, who has these attributes in this run."""
        return self.subscribers((name,), (attributes,))[0]

    def subscribers(self, names: Iterable[str], attributes: Iterable[Attributes]) -> list[int]:
        """The numbers of the subscribers of these names, who have these attributes in this run."""
        numbers = self._names.subscriber.all((name,) for name in names)
        changed = {
            number: one
            for number, one in zip(numbers, attributes, strict=True)
            if self._attributes.get(number, NO_ATTRIBUTES) != one
        }
        self._remember(changed)
        self._changed |= changed
        return numbers

    def application(self, name: str) -> int:
        """The number of the application of this name."""
        return self._names.application((name,))

    def programme(self, name: str, payer: str, terms: str) -> int:
        """The number of the programme under these terms."""
        return self._names.programme((name, payer, terms))

    def outcome(self, outcome: Outcome) -> int:
        """The number of this outcome."""
        return self._names.outcome(outcome)

    def used(self, period: Period) -> dict[int, int]:
        """What subscribers have used of an allowance in this period, octets by number, as the ledger has it."""
        asked = (
            "SELECT subscriber, octets FROM allowance WHERE period ="
            " (SELECT id FROM period WHERE programme = ? AND place = ? AND begins_ns = ?)"
        )
        with self._explained():
            return dict(self._connection.execute(asked, period))

    def users(self, since_ns: int, once_ns: int) -> list[tuple[str, int]]:
        """(name, number) of the subscribers who have used something of an allowance whose period began at `since_ns` or later,
        or at `once_ns`."""
        asked = (
            "SELECT name, id FROM subscriber WHERE id IN (SELECT subscriber FROM allowance WHERE period IN"
            " (SELECT id FROM period WHERE begins_ns >= ? OR begins_ns = ?)) ORDER BY id"
        )
        with self._explained():
            return self._connection.execute(asked, (since_ns, once_ns)).fetchall()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Everything written within is committed together at its end, or not at all."""
        with self._explained(), transaction(self._connection):
            yield

    def write(self, entry: Entry) -> int:
        """Write an entry in one transaction; gives back its number when it is on the disk."""
        number = self._last_entry + 1
        with self.transaction():
            for posting in entry.postings:
                self._names.day((posting.day, posting.month))
            for period, _, _ in entry.allowances:
                self._names.period(period)
            self._write_attributes()
            self._names.write(self._connection)
            self._connection.execute(
                "INSERT INTO entry VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                (number, self._run, entry.begins_ns, entry.ends_ns, *entry.observed, *entry.pending),
            )
            self._connection.executemany(
                "INSERT INTO unmetered VALUES (?, ?, ?, ?)", [(number, *line) for line in entry.unmetered]
            )
            for posting in entry.postings:
                self._write_usage(number, posting)
                self._write_totals(posting)
            for period, subscribers, octets in entry.allowances:
                self._write_allowance(self._names.period(period), subscribers, octets)
        self._names.written()
        self._changed.clear()
        self._last_entry = number
        return number

    def _write_usage(self, entry: int, posting: Posting) -> None:
        day = self._names.day((posting.day, posting.month))
        columns = (posting.subscriber, posting.outcome, *posting.volumes)
        for first in range(0, len(posting.subscriber), ROWS_A_BLOB):
            pieces = [column[first : first + ROWS_A_BLOB] for column in columns]
            self._connection.execute(
                f"INSERT INTO usage (entry, begins_ns, ends_ns, day, rows, subscriber, outcome, {', '.join(VOLUMES)})"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (entry, posting.begins_ns, posting.ends_ns, day, len(pieces[0]), *map(narrowed, pieces)),
            )

    def _write_totals(self, posting: Posting) -> None:
        outcomes = self._names.outcome.last + 1
        key = self._profiles()[posting.subscriber] * outcomes + posting.outcome
        keys, place = distinct(key, (self._names.profile.last + 1) * outcomes)
        sums = np.zeros((len(VOLUMES), len(keys)), np.int64)
        for total, volume in zip(sums, posting.volumes, strict=True):
            np.add.at(total, place, volume)
        day = self._names.day((posting.day, posting.month))
        rows = np.stack([np.full(len(keys), day), *np.divmod(keys, outcomes), *sums], axis=1).tolist()
        added = ", ".join(f"{name} = {name} + excluded.{name}" for name in VOLUMES)
        columns = ("day", "profile", "outcome", *VOLUMES)
        insert(self._connection, "total", columns, rows, f"ON CONFLICT DO UPDATE SET {added}")

    def _write_allowance(self, period: int, subscribers: np.ndarray, octets: np.ndarray) -> None:
        order = np.argsort(subscribers)
        rows = np.stack([np.full(len(order), period), subscribers[order], octets[order]], axis=1).tolist()
        columns = ("period", "subscriber", "octets")
        insert(self._connection, "allowance", columns, rows, "ON CONFLICT DO UPDATE SET octets = excluded.octets")

    def _write_attributes(self) -> None:
        written = {
            one: (self._run, self._names.profile(one[:3]), one.joined, json.dumps(dict(one.enrolled)))
            for one in set(self._changed.values())
        }
        rows = [(number, *written[one]) for number, one in self._changed.items()]
        insert(self._connection, "attributes", ("subscriber", "run", "profile", "joined", "enrolled"), rows)

    def _latest_attributes(self) -> Iterator[tuple]:
        """(subscriber, fields of Attributes) as they were last written."""
        asked = self._connection.execute(
            "SELECT subscriber, operator, province, plan, joined, enrolled, max(run) FROM attributes"
            " JOIN profile ON profile.id = profile GROUP BY subscriber"
        )
        for number, operator, province, plan, joined, enrolled, _ in asked:
            yield number, operator, province, plan, joined, tuple(json.loads(enrolled).items())

    def _remember(self, attributes: dict[int, Attributes]) -> None:
        self._attributes |= attributes
        profiles = {one: self._names.profile(one[:3]) for one in dict.fromkeys(attributes.values())}
        self._profiles()[list(attributes)] = [profiles[one] for one in attributes.values()]

    def _profiles(self) -> np.ndarray:
        """The profile of each subscriber by number; of who has no attributes that of nobody."""
        if self._names.subscriber.last >= len(self._profile_of):
            more = np.full(self._names.subscriber.last + 1, self._nobody)
            self._profile_of = np.concatenate([self._profile_of, more])
        return self._profile_of

    def _highest(self, table: str) -> int:
        (number,) = self._connection.execute(f"SELECT coalesce(max(id), 0) FROM {table}").fetchone()
        return number

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise LedgerError(
                f"{self.path}: cannot be written ({reason_of(error)}); make room or mend the disk"
            ) from None


@contextmanager
def new_ledger(path: Path | str) -> Iterator[LedgerWriter]:
    """A writer of a ledger that appears under its name when all of it is written, and else not at all.

    Raises LedgerError if there is something of this name.
    """
    path = Path(path)
    if path.exists():
        raise LedgerError(f"{path}: is there already; name a new file")
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with LedgerWriter(part) as writer, writer.transaction():
            yield writer
        part.rename(path)
    finally:
        for leftover in path.parent.glob(f"{glob.escape(part.name)}*"):
            leftover.unlink()


def narrowed(column: np.ndarray) -> bytes:
    """Whole numbers from 0 on as little-endian octets, as few for each as the largest one needs."""
    largest = int(column.max(initial=0))
    width = next(width for width in _WIDTHS if largest <= np.iinfo(width).max)
    return column.astype(width).tobytes()


def widened(blob: bytes, rows: int) -> np.ndarray:
    """The column of which `narrowed` made this: i8[rows]."""
    return np.frombuffer(blob, f"<u{len(blob) // rows}" if rows else "<u1").astype(np.int64)
