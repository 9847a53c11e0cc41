"""What a live run shows of itself: a few figures each second, and what was rated whenever an interval is over."""

from __future__ import annotations

from typing import NamedTuple

from classifier.records import EvidenceUsage


class Vitals(NamedTuple):
    """Figures of a moment. `monotonic_ns` for durations; `wall_ns` since 1970.

    `dropped` frames and `freezes` of the ring since the start; `fill` (table, places in use, places); `waiting_entries` of the
    ledger.
    """

    monotonic_ns: int
    wall_ns: int
    observed_frames: int
    observed_octets: int
    dropped: int
    freezes: int
    fill: tuple[tuple[str, int, int], ...]
    waiting_entries: int


class Slice(NamedTuple):
    """Octets of one subscriber or application since the start."""

    name: str
    zero_rated_octets: int
    discounted_octets: int
    charged_octets: int

    @property
    def octets(self) -> int:
        return self.zero_rated_octets + self.discounted_octets + self.charged_octets


class AllowanceUse(NamedTuple):
    """The subscriber who has used most of one allowance of a programme in the period that runs."""

    programme: str
    subscriber: str
    used_octets: int
    allowance_octets: int


class Glance(NamedTuple):
    """What was rated until the end of an interval. Octets since the start; `subscribers` counts those with usage; the tops
    and the reasons have the most octets first."""

    zero_rated_octets: int
    discounted_octets: int
    charged_octets: int
    pending_octets: int
    unmetered_octets: int
    charged_because: tuple[tuple[str, int], ...]
    subscribers: int
    top_subscribers: tuple[Slice, ...]
    top_applications: tuple[Slice, ...]
    evidence: tuple[EvidenceUsage, ...]
    allowances: tuple[AllowanceUse, ...]
