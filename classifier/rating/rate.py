"""Rating of whole tables of usage: `offers.route` once for each distinct case, `allowances.take` where an allowance may end.

Rules of this file: the result is a function of the rows and of the allowances used before. Subscribers are independent of
each other. What stays below the first allowance, and what finds the only one used up, is rated with the table; who reaches
one is rated row by row in this order: by interval, then by application name, then the stronger evidence first.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from classifier.catalogue.records import Programme
from classifier.rating.allowances import AllowanceKey, Share, Used, Volumes, key_of, split, take
from classifier.rating.offers import PART_CHARGED, REASONS, Claim, Limit, Route, make_offers, route
from classifier.rating.order import order_matters
from classifier.rating.periods import Periods
from classifier.records import EVIDENCE, STANDING
from classifier.subscribers.load import Subscriber

# What became of a row of usage, or of a part of it where an allowance splits it. `interval` is the row's; `programme` is a
# place in `Rater.programmes`, -1 for none; `reason` one in REASONS, -1 where a programme pays.
RATED = np.dtype(
    [
        ("interval", "i8"),
        ("subscriber", "i4"),
        ("application", "i4"),
        ("evidence", "i4"),
        ("standing", "i4"),
        ("part", "i4"),
        ("programme", "i4"),
        ("reason", "i4"),
        ("uplink_octets", "i8"),
        ("downlink_octets", "i8"),
        ("uplink_packets", "i8"),
        ("downlink_packets", "i8"),
    ]
)
VOLUMES = Volumes._fields
_KEPT = ("interval", "subscriber", "application", "evidence", "standing", *VOLUMES)
_OUTCOME = ("part", "programme", "reason")
_STRONGER_FIRST = ("verified", "address", "claimed", "none", "contradicted")


@dataclass(frozen=True, slots=True)
class Rated:
    """What rating a table gives: RATED rows in the order of the table's rows.

    `used` has the new figure of each allowance that was used, in octets. `exhausted` names (subscriber, programme) where
    nothing was left of a programme that applied.
    """

    rows: np.ndarray
    used: dict[AllowanceKey, int]
    exhausted: frozenset[tuple[int, str]]


class Rater:
    """Rates usage under a fixed set of programmes.

    `application_names` by number; `subscribers` are those listed, numbered from 1; others, and those that are None, have no
    attributes.
    """

    def __init__(
        self,
        programmes: Sequence[Programme],
        application_names: Sequence[str],
        subscribers: Sequence[Subscriber | None],
        periods: Periods,
    ) -> None:
        self._offers = make_offers(programmes, periods)
        self.programmes = tuple(offer.programme for offer in self._offers)
        self._place = {programme.name: place for place, programme in enumerate(self.programmes)}
        self._application_names = application_names
        self._periods = periods
        self._profiles, self._profile_of = _profiles(subscribers)

    def edges_ns(self) -> tuple[int, ...]:
        """The instants at which a programme starts or ends: no interval may reach over one."""
        return tuple(sorted({edge for offer in self._offers for edge in (offer.starts_ns, offer.ends_ns)}))

    def order_matters(self) -> bool:
        """Whether totals depend on which application was used first, so that short intervals are closer to the truth."""
        return order_matters(self._offers, self._application_names, self._profiles)

    def rate(self, usage: np.ndarray, used: Used) -> Rated:
        """Rate USAGE_ROW rows; `used` is what the allowances have lost so far, and is not changed."""
        routes, route_of = self._routes(usage)
        rows = np.zeros(len(usage), RATED)
        for field in _KEPT:
            rows[field] = usage[field]
        everywhere = np.arange(len(usage))
        self._go(rows, everywhere, [_first_share(one) for one in routes], route_of)
        found = _sort_rows(usage, routes, route_of, used)
        changed, exhausted = found.below, found.exhausted
        self._go(rows, found.denied, [Share(0, PART_CHARGED, None, one.reason) for one in routes], route_of)
        pieces: list[tuple[int, Share, Volumes]] = []
        for place, subscriber, volumes in self._in_order(usage, found.reached):
            octets = volumes.uplink_octets + volumes.downlink_octets
            taken = take(octets, routes[route_of[place]], subscriber, used, changed)
            exhausted.update((subscriber, name) for name in taken.exhausted)
            parts = split(volumes, taken.shares)
            pieces += [(place, share, part) for share, part in zip(taken.shares, parts, strict=True)]
        if pieces:
            rows = self._with_pieces(rows, found.reached, pieces)
        return Rated(rows, changed, frozenset(exhausted))

    def _routes(self, usage: np.ndarray) -> tuple[list[Route], np.ndarray]:
        """The routes of all distinct cases in the table, and the route of each row by its place."""
        subscriber = usage["subscriber"]
        profile = self._profile_of[np.where(subscriber < len(self._profile_of), subscriber, 0)]
        # Two words in turn: sorting records of several fields takes thirty times as long.
        kind = profile.astype(np.int64) << 32 | usage["application"].astype(np.int64) << 16
        kind |= usage["evidence"].astype(np.int64) << 8 | usage["standing"]
        kinds, kind_of = np.unique(kind, return_inverse=True)
        _, interval_of = np.unique(usage["interval"], return_inverse=True)
        _, first, case_of = np.unique(interval_of * len(kinds) + kind_of, return_index=True, return_inverse=True)
        return [self._route(usage[row], self._profiles[profile[row]]) for row in first.tolist()], case_of

    def _route(self, row: np.void, subscriber: Subscriber | None) -> Route:
        return route(
            self._offers,
            self._application_names[row["application"]],
            EVIDENCE[row["evidence"]],
            STANDING[row["standing"]],
            int(row["interval"]),
            subscriber,
            self._periods,
        )

    def _go(self, rows: np.ndarray, places: np.ndarray, shares: Sequence[Share], route_of: np.ndarray) -> None:
        """Write down where the rows at `places` go as a whole: each to the share of its route."""
        if places.size:
            outcomes = np.array([self._outcome(share) for share in shares], np.int32)[route_of[places]]
            for field, column in zip(_OUTCOME, outcomes.T, strict=True):
                rows[field][places] = column

    def _outcome(self, share: Share) -> tuple[int, int, int]:
        """A share's part, programme and reason as RATED has them."""
        programme = -1 if share.programme is None else self._place[share.programme]
        return share.part, programme, -1 if share.reason is None else REASONS.index(share.reason)

    def _in_order(self, usage: np.ndarray, rows: np.ndarray) -> Iterator[tuple[int, int, Volumes]]:
        """(place, subscriber, volumes) of these rows of the table, in the order in which allowances are taken."""
        of_name = np.argsort(np.argsort(np.array(self._application_names)))
        of_strength = np.array([_STRONGER_FIRST.index(name) for name in EVIDENCE])
        chosen = usage[rows]
        order = np.lexsort((of_strength[chosen["evidence"]], of_name[chosen["application"]], chosen["interval"]))
        chosen = chosen[order]
        volumes = map(Volumes._make, zip(*(chosen[field].tolist() for field in VOLUMES), strict=True))
        return zip(rows[order].tolist(), chosen["subscriber"].tolist(), volumes, strict=True)

    def _with_pieces(
        self, rows: np.ndarray, reached: np.ndarray, pieces: Iterable[tuple[int, Share, Volumes]]
    ) -> np.ndarray:
        """The rated rows with those at `reached` replaced by their pieces."""
        whole = np.ones(len(rows), bool)
        whole[reached] = False
        source, values = [], []
        for row, share, volumes in pieces:
            source.append(row)
            values.append((*self._outcome(share), *volumes))
        made = rows[source]
        for place, field in enumerate((*_OUTCOME, *VOLUMES)):
            made[field] = [value[place] for value in values]
        order = np.argsort(np.concatenate([np.flatnonzero(whole), source]), kind="stable")
        return np.concatenate([rows[whole], made])[order]


def _first_share(one: Route) -> Share:
    """Where the first octet goes as long as no allowance is used up."""
    if not one.claims:
        return Share(0, PART_CHARGED, None, one.reason)
    return Share(0, one.claims[0].part, one.claims[0].programme.name, None)


@dataclass(frozen=True, slots=True)
class _Sorted:
    """Rows with an allowance, sorted by what has to be done: `below` are the new figures of allowances that stay below their
    ends, whose rows go to their first programme; rows at the places `denied` find their only allowance used up before;
    those at `reached` have to be taken one by one."""

    below: dict[AllowanceKey, int]
    exhausted: set[tuple[int, str]]
    denied: np.ndarray
    reached: np.ndarray


def _sort_rows(usage: np.ndarray, routes: Sequence[Route], route_of: np.ndarray, used: Used) -> _Sorted:
    """Sort the rows whose first programme has an allowance, by subscriber and allowance.

    A subscriber who reaches one allowance is taken row by row in all, since what overflows may take from another.
    """
    slots, slot_of_route, alone = _first_limits(routes)
    limited = np.flatnonzero(slot_of_route[route_of] >= 0)
    if not limited.size:
        return _Sorted({}, set(), limited, limited)
    subscriber = usage["subscriber"][limited].astype(np.int64)
    groups, group_of = np.unique(subscriber * len(slots) + slot_of_route[route_of[limited]], return_inverse=True)
    sums = np.zeros(len(groups), np.int64)
    np.add.at(sums, group_of, usage["uplink_octets"][limited] + usage["downlink_octets"][limited])
    below: dict[AllowanceKey, int] = {}
    spent, reaches = np.zeros(len(groups), bool), np.zeros(len(groups), bool)
    exhausted: set[tuple[int, str]] = set()
    for place, (group, octets) in enumerate(zip(groups.tolist(), sums.tolist(), strict=True)):
        number, slot = divmod(group, len(slots))
        claim, limit = slots[slot]
        key = key_of(number, claim, limit)
        before = used.get(key, 0)
        if before + octets < limit.octets:
            below[key] = before + octets
        elif before >= limit.octets:
            spent[place] = True
        else:
            reaches[place] = True
    denied = spent[group_of] & alone[route_of[limited]]
    # Where something else follows what is used up, the rows have to ask it.
    reaches[group_of[spent[group_of] & ~denied]] = True
    for group in groups[np.unique(group_of[denied])].tolist():
        number, slot = divmod(group, len(slots))
        exhausted.add((number, slots[slot][0].programme.name))
    reaching = np.unique(groups[reaches] // len(slots))
    if reaching.size:
        one_by_one = set(reaching.tolist())
        below = {key: after for key, after in below.items() if key.subscriber not in one_by_one}
    return _Sorted(below, exhausted, limited[denied], limited[np.isin(subscriber, reaching) & ~denied])


def _first_limits(routes: Sequence[Route]) -> tuple[list[tuple[Claim, Limit]], np.ndarray, np.ndarray]:
    """The distinct first limits of routes; each route's by its place among them, -1 for none; and whether nothing else of
    the route could pay."""
    slots: dict[tuple[str, Limit], int] = {}
    limits: list[tuple[Claim, Limit]] = []
    slot_of, alone = np.full(len(routes), -1, np.int64), np.zeros(len(routes), bool)
    for place, one in enumerate(routes):
        if not one.claims or one.claims[0].limits is None:
            continue
        claim, limit = one.claims[0], one.claims[0].limits[0]
        slot_of[place] = slots.setdefault((claim.programme.name, limit), len(slots))
        alone[place] = len(one.claims) == len(claim.limits) == 1
        if slot_of[place] == len(limits):
            limits.append((claim, limit))
    return limits, slot_of, alone


def _profiles(subscribers: Sequence[Subscriber | None]) -> tuple[list[Subscriber | None], np.ndarray]:
    """Subscribers that no offer can tell apart share a profile: (one of each, profile by subscriber number)."""
    profiles: list[Subscriber | None] = [None]
    place: dict[tuple, int] = {}
    profile_of = [0]
    for subscriber in subscribers:
        if subscriber is None:
            profile_of.append(0)
            continue
        key = (subscriber.operator, subscriber.province, subscriber.plan, subscriber.joined, subscriber.enrolled)
        if key not in place:
            place[key] = len(profiles)
            profiles.append(subscriber)
        profile_of.append(place[key])
    return profiles, np.array(profile_of, np.int32)
