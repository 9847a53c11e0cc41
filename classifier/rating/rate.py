"""Rating of whole tables of usage: `offers.route` once for each distinct case, `allowances.take` where an allowance may end.

Rules of this file: the result is a function of the rows and of the allowances used before. Subscribers are independent of
each other. Whoever stays below the first allowance of all that they use is rated with the table; the others, who reach one,
row by row in this order: by interval, then by application name, then the stronger evidence first.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from classifier.catalogue.records import Programme
from classifier.rating.allowances import AllowanceKey, Share, Volumes, key_of, split, take
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
_KEPT = ("interval", "subscriber", "application", "evidence", *VOLUMES)
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

    `application_names` by number; `subscribers` are those listed, numbered from 1; others have no attributes.
    """

    def __init__(
        self,
        programmes: Sequence[Programme],
        application_names: Sequence[str],
        subscribers: Sequence[Subscriber],
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

    def rate(self, usage: np.ndarray, used: Mapping[AllowanceKey, int]) -> Rated:
        """Rate USAGE_ROW rows; `used` is what the allowances have lost so far, and is not changed."""
        routes, route_of = self._routes(usage)
        columns = np.array([self._outcome(_first_share(one)) for one in routes], np.int32).reshape(-1, 3)[route_of].T
        rows = np.zeros(len(usage), RATED)
        for field in _KEPT:
            rows[field] = usage[field]
        rows["part"], rows["programme"], rows["reason"] = columns
        changed, reached = _below_the_first(usage, routes, route_of, used)
        if not reached.size:
            return Rated(rows, changed, frozenset())
        exhausted: set[tuple[int, str]] = set()
        pieces: list[tuple[int, Share, Volumes]] = []
        for place, subscriber, volumes in self._in_order(usage, reached):
            octets = volumes.uplink_octets + volumes.downlink_octets
            taken = take(octets, routes[route_of[place]], subscriber, used, changed)
            exhausted.update((subscriber, name) for name in taken.exhausted)
            parts = split(volumes, taken.shares)
            pieces += [(place, share, part) for share, part in zip(taken.shares, parts, strict=True)]
        return Rated(self._with_pieces(rows, reached, pieces), changed, frozenset(exhausted))

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
        for place, field in enumerate(("part", "programme", "reason", *VOLUMES)):
            made[field] = [value[place] for value in values]
        order = np.argsort(np.concatenate([np.flatnonzero(whole), source]), kind="stable")
        return np.concatenate([rows[whole], made])[order]


def _first_share(one: Route) -> Share:
    """Where the first octet goes as long as no allowance is used up."""
    if not one.claims:
        return Share(0, PART_CHARGED, None, one.reason)
    return Share(0, one.claims[0].part, one.claims[0].programme.name, None)


def _below_the_first(
    usage: np.ndarray, routes: Sequence[Route], route_of: np.ndarray, used: Mapping[AllowanceKey, int]
) -> tuple[dict[AllowanceKey, int], np.ndarray]:
    """What those use of allowances who stay below the first of each; and the places of the rows of all others.

    A subscriber who reaches one allowance is rated row by row in all, since what overflows may take from another.
    """
    slots: dict[tuple[str, Limit], int] = {}
    claims: list[tuple[Claim, Limit]] = []
    slot_of_route = np.full(len(routes), -1, np.int64)
    for place, one in enumerate(routes):
        if one.claims and one.claims[0].limits is not None:
            claim, limit = one.claims[0], one.claims[0].limits[0]
            slot = slots.setdefault((claim.programme.name, limit), len(slots))
            slot_of_route[place] = slot
            if slot == len(claims):
                claims.append((claim, limit))
    slot_of = slot_of_route[route_of]
    limited = np.flatnonzero(slot_of >= 0)
    if not limited.size:
        return {}, limited
    octets = usage["uplink_octets"][limited] + usage["downlink_octets"][limited]
    subscriber = usage["subscriber"][limited]
    groups, group_of = np.unique(subscriber.astype(np.int64) * len(claims) + slot_of[limited], return_inverse=True)
    sums = np.zeros(len(groups), np.int64)
    np.add.at(sums, group_of, octets)
    changed: dict[AllowanceKey, int] = {}
    reaching: set[int] = set()
    for group, amount in zip(groups.tolist(), sums.tolist(), strict=True):
        number, slot = divmod(group, len(claims))
        claim, limit = claims[slot]
        key = key_of(number, claim, limit)
        after = used.get(key, 0) + amount
        if after < limit.octets:
            changed[key] = after
        else:
            reaching.add(number)
    if not reaching:
        return changed, limited[:0]
    changed = {key: after for key, after in changed.items() if key.subscriber not in reaching}
    return changed, limited[np.isin(subscriber, list(reaching))]


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
