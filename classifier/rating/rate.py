"""Rating of whole tables of usage: `offers.decide` once for each distinct case, then spread over the rows.

The result is a function of the rows alone: any cut of the same usage into tables gives the same sums (accounting 3.2).
"""

from __future__ import annotations

from collections.abc import Sequence
from zoneinfo import ZoneInfo

import numpy as np

from classifier.catalogue.records import Programme
from classifier.rating.offers import REASONS, decide, make_offers
from classifier.records import EVIDENCE, STANDING
from classifier.subscribers.load import Subscriber

# What became of one row of usage. `programme` is a place in `Rater.programmes`, -1 for none; `reason` one in REASONS.
RATED = np.dtype(
    [
        ("subscriber", "i4"),
        ("application", "i4"),
        ("evidence", "i4"),
        ("part", "i4"),
        ("programme", "i4"),
        ("reason", "i4"),
        ("uplink_octets", "i8"),
        ("downlink_octets", "i8"),
        ("uplink_packets", "i8"),
        ("downlink_packets", "i8"),
    ]
)
VOLUMES = ("uplink_octets", "downlink_octets", "uplink_packets", "downlink_packets")


class Rater:
    """Rates usage under a fixed set of programmes.

    `application_names` by number; `subscribers` are those listed, numbered from 1; others have no attributes.
    """

    def __init__(
        self,
        programmes: Sequence[Programme],
        application_names: Sequence[str],
        subscribers: Sequence[Subscriber],
        zone: ZoneInfo,
    ) -> None:
        self._offers = make_offers(programmes, zone)
        self.programmes = tuple(offer.programme for offer in self._offers)
        self._place = {programme.name: place for place, programme in enumerate(self.programmes)}
        self._application_names = application_names
        self._zone = zone
        self._profiles, self._profile_of = _profiles(subscribers)

    def edges_ns(self) -> tuple[int, ...]:
        """The instants at which a programme starts or ends: no interval may reach over one."""
        return tuple(sorted({edge for offer in self._offers for edge in (offer.starts_ns, offer.ends_ns)}))

    def rate(self, usage: np.ndarray) -> np.ndarray:
        """RATED rows for USAGE_ROW rows, in the same order."""
        rated = np.zeros(len(usage), RATED)
        for field in ("subscriber", "application", "evidence", *VOLUMES):
            rated[field] = usage[field]
        subscriber = usage["subscriber"]
        profile = self._profile_of[np.where(subscriber < len(self._profile_of), subscriber, 0)]
        # Two words in turn: sorting records of several fields takes thirty times as long.
        kind = profile.astype(np.int64) << 32 | usage["application"].astype(np.int64) << 16
        kind |= usage["evidence"].astype(np.int64) << 8 | usage["standing"]
        kinds, kind_of = np.unique(kind, return_inverse=True)
        _, interval_of = np.unique(usage["interval"], return_inverse=True)
        _, first, case_of = np.unique(interval_of * len(kinds) + kind_of, return_index=True, return_inverse=True)
        results = [self._decide(usage[row], self._profiles[profile[row]]) for row in first.tolist()]
        columns = np.array(results, np.int32).reshape(-1, 3)[case_of].T
        rated["part"], rated["programme"], rated["reason"] = columns
        return rated

    def _decide(self, row: np.void, subscriber: Subscriber | None) -> tuple[int, int, int]:
        decision = decide(
            self._offers,
            self._application_names[row["application"]],
            EVIDENCE[row["evidence"]],
            STANDING[row["standing"]],
            int(row["interval"]),
            subscriber,
            self._zone,
        )
        programme = -1 if decision.programme is None else self._place[decision.programme.name]
        reason = -1 if decision.reason is None else REASONS.index(decision.reason)
        return decision.part, programme, reason


def _profiles(subscribers: Sequence[Subscriber]) -> tuple[list[Subscriber | None], np.ndarray]:
    """Subscribers that no offer can tell apart share a profile: (one of each, profile by subscriber number)."""
    profiles: list[Subscriber | None] = [None]
    place: dict[tuple, int] = {}
    profile_of = [0]
    for subscriber in subscribers:
        key = (subscriber.operator, subscriber.province, subscriber.plan, subscriber.joined, subscriber.enrolled)
        if key not in place:
            place[key] = len(profiles)
            profiles.append(subscriber)
        profile_of.append(place[key])
    return profiles, np.array(profile_of, np.int32)
