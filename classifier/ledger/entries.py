"""What goes into a ledger: a run, and its entries in columns of numbers that the ledger gave out."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

VOLUMES = ("uplink_octets", "downlink_octets", "uplink_packets", "downlink_packets")


class Run(NamedTuple):
    """What runs: `kind` is "replay", "run" or "rate". `programmes` are (name, payer, terms) of those in force.

    `continues`: the number of the run that the process began with, where this one is only what it goes on with under another
    catalogue.
    """

    kind: str
    gateway: str
    timezone: str
    month_starts_on: int
    catalogue: str
    version: str
    programmes: tuple[tuple[str, str, str], ...]
    continues: int | None = None


class CutRun(NamedTuple):
    """A run that was killed: its last entry ends at `ends_ns` (None: it has none), and undecided flows held
    `pending_octets` then."""

    ends_ns: int | None
    pending_octets: int


class Outcome(NamedTuple):
    """What usage was of and what became of it. `application` and `programme` are numbers of the ledger; `programme` is None
    where none paid, `reason` None where one did."""

    application: int
    evidence: str
    standing: str
    part: str
    programme: int | None
    reason: str | None


class Attributes(NamedTuple):
    """What offers ask of a subscriber. `joined` a day or None; `enrolled` (programme, day) pairs. Days like 2013-11-05."""

    operator: str
    province: str
    plan: str
    joined: str | None
    enrolled: tuple[tuple[str, str], ...]


NO_ATTRIBUTES = Attributes("", "", "", None, ())


class Period(NamedTuple):
    """An allowance of a programme, and when its period began."""

    programme: str
    place: int
    begins_ns: int


class Posting(NamedTuple):
    """Usage of one interval [begins_ns, ends_ns), which lies in one `day` (2013-11-05) and `month` (2013-11).

    `subscriber`, `outcome` i8[n]: ids of the ledger, in this order and each pair once; `volumes` i8[4, n] as in VOLUMES.
    """

    begins_ns: int
    ends_ns: int
    day: str
    month: str
    subscriber: np.ndarray
    outcome: np.ndarray
    volumes: np.ndarray


class Entry(NamedTuple):
    """What one interval added.

    `observed` (frames, octets) of all frames; `pending` (frames, octets) that undecided flows hold at the end;
    `unmetered` (reason, frames, octets); `allowances`: the new figures, octets by subscriber id, of each period.
    """

    begins_ns: int
    ends_ns: int
    observed: tuple[int, int]
    pending: tuple[int, int]
    unmetered: tuple[tuple[str, int, int], ...]
    postings: tuple[Posting, ...]
    allowances: tuple[tuple[Period, np.ndarray, np.ndarray], ...]

    @property
    def rows(self) -> int:
        return sum(len(posting.subscriber) for posting in self.postings)
