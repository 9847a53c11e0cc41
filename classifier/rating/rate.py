"""Rating of whole tables of usage: `offers.route` once for each distinct case, then who takes what of which allowance.

Rules of this file: the result is a function of the rows and of the allowances used before. Subscribers are independent of
each other. Allowances are taken in this order: by interval, then by application name, then the stronger evidence first. Whose
allowances end in the table is rated along them with all others (`chains.lay`), or row by row (`take`) where several chains
have a programme in common. A million rows of 100,000 subscribers take 0.6 s of processor time, 1.1 s where the allowances of
17,000 of them end, and 2 s in the rare interval in which nearly all do (`benches/intervals.py`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from classifier.catalogue.records import Programme
from classifier.rating.allowances import AllowanceKey, Share, Used, Volumes, key_of, split, take
from classifier.rating.blocking import Case, blocking_routes, used_up
from classifier.rating.chains import Chain, chain_of, lay
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

    def blocked(self, numbers: Iterable[int], used: Used, at_ns: int) -> dict[int, frozenset[Case]]:
        """What may be carried no further at this moment, for those of these subscribers of whom there is any."""
        found = {}
        routes: dict[int, dict[Case, Route]] = {}
        for number in numbers:
            profile = int(self._profile_of[number]) if number < len(self._profile_of) else int(self._profile_of[0])
            if profile not in routes:
                who = self._profiles[profile]
                routes[profile] = blocking_routes(self._offers, self._application_names, who, at_ns, self._periods)
            cases = frozenset(case for case, one in routes[profile].items() if used_up(one, number, used))
            if cases:
                found[number] = cases
        return found

    def rate(self, usage: np.ndarray, used: Used) -> Rated:
        """Rate USAGE_ROW rows; `used` is what the allowances have lost so far, and is not changed."""
        routes, route_of = self._routes(usage)
        rows = np.zeros(len(usage), RATED)
        for field in _KEPT:
            rows[field] = usage[field]
        self._go(rows, np.arange(len(usage)), [_first_share(one) for one in routes], route_of)
        chains, chain_of_route = _chains(routes)
        chain = chain_of_route[route_of]
        limited = np.flatnonzero(chain >= 0)
        result = _Result({}, set(), [])
        reached = limited[self._reach(usage[limited], chain[limited], chains, used, result)]
        tangled = _tangled(usage["subscriber"][reached], chain[reached], chains)
        for number, one in enumerate(chains):
            self._lay(usage, reached[~tangled & (chain[reached] == number)], one, used, rows, result)
        for place, subscriber, volumes in self._in_order(usage, reached[tangled]):
            taken = take(sum(volumes[:2]), routes[route_of[place]], subscriber, used, result.used)
            result.exhausted.update((subscriber, name) for name in taken.exhausted)
            result.cut(place, volumes, taken.shares)
        if result.pieces:
            rows = self._with_pieces(rows, result.pieces)
        return Rated(rows, result.used, frozenset(result.exhausted))

    def _reach(
        self, usage: np.ndarray, chain: np.ndarray, chains: Sequence[Chain], used: Used, result: _Result
    ) -> np.ndarray:
        """Whether a row's subscriber reaches the end of any first limit. All usage of one who does not is taken from these,
        and the rows go where they are."""
        firsts: dict[tuple, int] = {}
        first_of = np.array([firsts.setdefault(_limit_key(*one.limits[0]), len(firsts)) for one in chains], np.int64)
        limits = {first: chains[place].limits[0] for place, first in reversed([*enumerate(first_of.tolist())])}
        subscriber = usage["subscriber"].astype(np.int64)
        groups, group_of = np.unique(subscriber * len(limits) + first_of[chain], return_inverse=True)
        sums = np.zeros(len(groups), np.int64)
        np.add.at(sums, group_of, usage["uplink_octets"] + usage["downlink_octets"])
        after: dict[AllowanceKey, int] = {}
        reaching = set()
        for group, octets in zip(groups.tolist(), sums.tolist(), strict=True):
            number, first = divmod(group, len(limits))
            claim, limit = limits[first]
            key = key_of(number, claim, limit)
            after[key] = used.get(key, 0) + octets
            if after[key] >= limit.octets:
                reaching.add(number)
        result.used.update((key, octets) for key, octets in after.items() if key.subscriber not in reaching)
        return np.isin(subscriber, list(reaching))

    def _lay(
        self, usage: np.ndarray, places: np.ndarray, chain: Chain, used: Used, rows: np.ndarray, result: _Result
    ) -> None:
        """Share out usage along this chain, none of whose allowances its subscribers use by another."""
        if not places.size:
            return
        places = places[self._order(usage, places, by_subscriber=True)]
        numbers, subscriber = np.unique(usage["subscriber"][places], return_inverse=True)
        limits = chain.limits
        keys = [[key_of(number, claim, limit) for claim, limit in limits] for number in numbers.tolist()]
        before = np.array([[used.get(key, 0) for key in its] for its in keys], np.int64)
        held = np.maximum(np.array([limit.octets for _, limit in limits]) - before, 0)
        octets = usage["uplink_octets"][places] + usage["downlink_octets"][places]
        laid = lay(octets, subscriber, held, [len(claim.limits or ()) for claim in chain.claims])
        self._go(rows, places, [chain.share(segment, 0) for segment in range(len(chain.claims) + 1)], laid.first)
        cut = np.flatnonzero(laid.first != laid.last)
        volumes = map(Volumes._make, zip(*(usage[field][places[cut]].tolist() for field in VOLUMES), strict=True))
        for place, its, pieces in zip(places[cut].tolist(), volumes, laid.pieces(cut, subscriber[cut]), strict=True):
            result.cut(place, its, [chain.share(*piece) for piece in pieces])
        after = (before + laid.taken).tolist()
        for its, place in zip(*(axis.tolist() for axis in np.nonzero(laid.taken)), strict=True):
            result.used[keys[its][place]] = after[its][place]
        for its, claim in zip(*(axis.tolist() for axis in np.nonzero(laid.full)), strict=True):
            result.exhausted.add((int(numbers[its]), chain.claims[claim].programme.name))

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

    def _go(self, rows: np.ndarray, places: np.ndarray, shares: Sequence[Share], share_of: np.ndarray) -> None:
        """Write down where the rows at `places` go as a whole: each to its one of `shares`."""
        if places.size:
            outcomes = np.array([self._outcome(share) for share in shares], np.int32)[share_of]
            for field, column in zip(_OUTCOME, outcomes.T, strict=True):
                rows[field][places] = column

    def _outcome(self, share: Share) -> tuple[int, int, int]:
        """A share's part, programme and reason as RATED has them."""
        programme = -1 if share.programme is None else self._place[share.programme]
        return share.part, programme, -1 if share.reason is None else REASONS.index(share.reason)

    def _order(self, usage: np.ndarray, rows: np.ndarray, *, by_subscriber: bool) -> np.ndarray:
        """The order in which these rows of the table take allowances."""
        of_name = np.argsort(np.argsort(np.array(self._application_names)))
        of_strength = np.array([_STRONGER_FIRST.index(name) for name in EVIDENCE])
        chosen = usage[rows]
        keys = (of_strength[chosen["evidence"]], of_name[chosen["application"]], chosen["interval"])
        return np.lexsort((*keys, chosen["subscriber"]) if by_subscriber else keys)

    def _in_order(self, usage: np.ndarray, rows: np.ndarray) -> Iterator[tuple[int, int, Volumes]]:
        """(place, subscriber, volumes) of these rows of the table, in the order in which allowances are taken."""
        rows = rows[self._order(usage, rows, by_subscriber=False)]
        chosen = usage[rows]
        volumes = map(Volumes._make, zip(*(chosen[field].tolist() for field in VOLUMES), strict=True))
        return zip(rows.tolist(), chosen["subscriber"].tolist(), volumes, strict=True)

    def _with_pieces(self, rows: np.ndarray, pieces: Sequence[tuple[int, Share, Volumes]]) -> np.ndarray:
        """The rated rows with their pieces in the place of those that were cut."""
        pieces = sorted(pieces, key=lambda piece: piece[0])
        cut, counts = np.unique([row for row, _, _ in pieces], return_counts=True)
        copies = np.ones(len(rows), np.int64)
        copies[cut] = counts
        made = np.repeat(rows, copies)
        is_cut = np.zeros(len(rows), bool)
        is_cut[cut] = True
        places = np.flatnonzero(np.repeat(is_cut, copies))
        values = [(*self._outcome(share), *volumes) for _, share, volumes in pieces]
        for field, column in zip((*_OUTCOME, *VOLUMES), zip(*values, strict=True), strict=True):
            made[field][places] = column
        return made


@dataclass(frozen=True, slots=True)
class _Result:
    """What is found while rows are shared out: new figures, what is used up, and (row, share, volumes) of rows in pieces."""

    used: dict[AllowanceKey, int]
    exhausted: set[tuple[int, str]]
    pieces: list[tuple[int, Share, Volumes]]

    def cut(self, place: int, volumes: Volumes, shares: Sequence[Share]) -> None:
        """The row at `place` goes to these shares."""
        parts = split(volumes, shares)
        self.pieces.extend((place, share, part) for share, part in zip(shares, parts, strict=True))


def _first_share(one: Route) -> Share:
    """Where the first octet goes as long as no allowance is used up."""
    if not one.claims:
        return Share(0, PART_CHARGED, None, one.reason)
    return Share(0, one.claims[0].part, one.claims[0].programme.name, None)


def _chains(routes: Sequence[Route]) -> tuple[list[Chain], np.ndarray]:
    """The distinct chains of routes, and each route's by its place among them, -1 where no allowance comes first."""
    place: dict[tuple, int] = {}
    chains: list[Chain] = []
    chain_of_route = np.full(len(routes), -1, np.int64)
    for number, one in enumerate(routes):
        chain = chain_of(one)
        if chain is None:
            continue
        key = (chain.rest, *((claim.programme.name, claim.limits) for claim in chain.claims))
        if key not in place:
            place[key] = len(chains)
            chains.append(chain)
        chain_of_route[number] = place[key]
    return chains, chain_of_route


def _limit_key(claim: Claim, limit: Limit) -> tuple:
    return claim.programme.name, limit


def _tangled(subscriber: np.ndarray, chain: np.ndarray, chains: Sequence[Chain]) -> np.ndarray:
    """Whether a row's subscriber has usage of several chains with a programme in common: what overflows one takes from
    another, so that the order of rows counts across chains."""
    of_programme: dict[str, list[int]] = {}
    for number, one in enumerate(chains):
        for claim in one.claims:
            of_programme.setdefault(claim.programme.name, []).append(number)
    found: set[int] = set()
    for numbers in of_programme.values():
        if len(numbers) > 1:
            pairs = np.unique(np.stack([subscriber, chain])[:, np.isin(chain, numbers)], axis=1)
            found.update(pairs[0, 1:][pairs[0, 1:] == pairs[0, :-1]].tolist())
    return np.isin(subscriber, list(found))


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
