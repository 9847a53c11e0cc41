"""Entries that could not be written yet: kept in memory up to a bound, in order, and written when the ledger takes them.

Rule of this file: nothing is lost silently. Beyond the bound the oldest entry's usage is given up; in its place an entry
without usage says how many frames and octets that was, so that the ledger's own sums still hold.
"""

from __future__ import annotations

from collections import deque
from pathlib import Path

from classifier.errors import LedgerError
from classifier.ledger.entries import Entry
from classifier.ledger.write import LedgerWriter

# Rows of usage, each 48 octets in memory: 200 MB at the most.
BACKLOG_ROWS = 1 << 22
UNRECORDED = "unrecorded"  # the reason under which usage that was given up stands among what is not metered


class Backlog:
    """A writer that does not fail: what it cannot write now it keeps.

    `problem`: why the last attempt failed, None once all is written; `given_up`: (entries, octets) without their usage.
    """

    def __init__(self, writer: LedgerWriter, rows_max: int = BACKLOG_ROWS) -> None:
        self._writer = writer
        self._rows_max = rows_max
        self._waiting: deque[Entry] = deque()
        self._rows = 0
        self.problem: str | None = None
        self.given_up = (0, 0)

    @property
    def path(self) -> Path:
        return self._writer.path

    @property
    def entries(self) -> int:
        """How many entries wait."""
        return len(self._waiting)

    def write(self, entry: Entry) -> None:
        """Write all that waits, then this entry, as far as the ledger takes them."""
        self._waiting.append(entry)
        self._rows += entry.rows
        self.flush()
        for place, one in enumerate(self._waiting):
            if self._rows <= self._rows_max:
                break
            if one.rows:
                self._give_up(place, one)

    def flush(self) -> None:
        """Try again to write what waits."""
        self.problem = None
        while self._waiting:
            try:
                self._writer.write(self._waiting[0])
            except LedgerError as error:
                self.problem = str(error)
                return
            self._rows -= self._waiting.popleft().rows

    def losses(self) -> list[str]:
        """A line for what is not in the ledger: what was given up, and what still waits."""
        lines = []
        if self.given_up[0]:
            lines.append(
                f"{self.path}: {self.given_up[0]} intervals with {self.given_up[1]} octets came when it could not be written "
                f'and memory was full: they stand there as "{UNRECORDED}"'
            )
        if self._waiting:
            octets = sum(octets_and_frames(entry)[0] for entry in self._waiting)
            lines.append(f"{self.problem}; {len(self._waiting)} intervals with {octets} octets are not in it")
        return lines

    def _give_up(self, place: int, entry: Entry) -> None:
        octets, frames = octets_and_frames(entry)
        unmetered = (*entry.unmetered, (UNRECORDED, frames, octets))
        self._waiting[place] = entry._replace(postings=(), unmetered=unmetered)
        self._rows -= entry.rows
        self.given_up = (self.given_up[0] + 1, self.given_up[1] + octets)


def octets_and_frames(entry: Entry) -> tuple[int, int]:
    """The octets and frames of an entry's usage."""
    volumes = [posting.volumes.sum(axis=1).tolist() for posting in entry.postings]
    return sum(volume[0] + volume[1] for volume in volumes), sum(volume[2] + volume[3] for volume in volumes)
