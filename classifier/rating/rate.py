"""Rating of whole tables of usage: `offers.route` once for each distinct case, then who takes what of which allowance.

Rules of this file: the result is a function of the rows and of the allowances used before. Subscribers are independent of
each other. Allowances are taken in this order: by interval, then by application name, then the stronger evidence first. Who
reaches the end of no first allowance takes all from those, in whatever order; the others' rows are shared out in their order
(`rounds`), and cut where an allowance ends (`pieces`). What a million rows of 100,000 subscribers take stands in
benches/README.md.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from itertools import repeat
from math import prod
from typing import NamedTuple

import numpy as np

from classifier.catalogue.records import BLOCK, Programme
from classifier.distinct import distinct, distinct_times
from classifier.rating.allowances import AllowanceKey, AllowancePeriod, Volumes, period_of
from classifier.rating.blocking import Kind, Terms, kind_of, terms_of
from classifier.rating.figures import Figures, UsedColumns
from classifier.rating.offers import PART_CHARGED, REASONS, Route, make_offers, route
from classifier.rating.order import order_matters
from classifier.rating.periods import Periods
from classifier.rating.pieces import split_rows
from classifier.rating.rounds import RouteTables, Shared, take_in_rounds
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
_ORDER = ("subscriber", "interval", "application", "evidence")
_CASE = ("application", "evidence", "standing")
_OUTCOME = ("part", "programme", "reason")
_STRONGER_FIRST = ("verified", "address", "claimed", "none", "contradicted")


class Rated(NamedTuple):
    """What rating a table gives: RATED rows in the order of the table's rows.

    `used` has the new figure of each allowance that was used, in octets. `exhausted` names (subscriber, programme) where
    nothing was left of a programme that applied.
    """

    rows: np.ndarray
    used: Figures
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
        self.application_names = application_names
        self.periods = periods
        # One of each kind of subscribers whom no offer can tell apart; the first is None.
        self.profiles, self._profile_numbers = _profiles(subscribers)

    def profile_of(self, subscribers: np.ndarray) -> np.ndarray:
        """The places of these subscribers, by number, in `profiles`."""
        return self._profile_numbers[np.where(subscribers < len(self._profile_numbers), subscribers, 0)]

    def edges_ns(self) -> tuple[int, ...]:
        """The instants at which a programme starts or ends: no interval may reach over one."""
        return tuple(sorted({edge for offer in self._offers for edge in (offer.starts_ns, offer.ends_ns)}))

    def order_matters(self) -> bool:
        """Whether totals depend on which application was used first, so that short intervals are closer to the truth."""
        return order_matters(self._offers, self.application_names, self.profiles)

    def moment(self, at_ns: int) -> tuple:
        """What of an instant `terms` depend on: the day, and which programmes have started and ended."""
        return self.periods.day(at_ns), bisect_right(self.edges_ns(), at_ns)

    def terms(self, at_ns: int) -> tuple[list[Terms], np.ndarray]:
        """What decides over blocks at this moment: (the different terms that there are, by place in `profiles` the place of
        each one's)."""
        if not any(programme.on_exhausted == BLOCK for programme in self.programmes):
            return [Terms({}, {})], np.zeros(len(self.profiles), np.int64)
        kinds: dict[Kind, int] = {}
        place_of = np.array(
            [kinds.setdefault(kind_of(self._offers, one, at_ns, self.periods), len(kinds)) for one in self.profiles]
        )
        _, firsts = np.unique(place_of, return_index=True)
        alike = [self.profiles[first] for first in firsts.tolist()]
        return [terms_of(self._offers, self.application_names, one, at_ns, self.periods) for one in alike], place_of

    def rate(self, usage: np.ndarray, used: UsedColumns | Mapping[AllowanceKey, int]) -> Rated:
        """Rate USAGE_ROW rows; `used` is what the allowances have lost so far, and is not changed."""
        before = Figures(used) if isinstance(used, dict) else used
        routes, route_of = self._routes(usage)
        rows = np.empty(len(usage), RATED)
        for field in _KEPT:
            rows[field] = usage[field]
        firsts = np.array([self._segment(one, 0) for one in routes], np.int32).reshape(-1, len(_OUTCOME))
        for field, column in zip(_OUTCOME, firsts.T, strict=True):
            rows[field] = column[route_of]
        figures = Figures()
        limited = np.flatnonzero(np.array([_is_limited(one) for one in routes], bool)[route_of])
        subscriber, octets = usage["subscriber"], usage["uplink_octets"] + usage["downlink_octets"]
        reaching = self._reach(subscriber[limited], octets[limited], routes, route_of[limited], before, figures)
        reached = limited[reaching]
        if not reached.size:
            return Rated(rows, figures, frozenset())
        reached = reached[self._order(*(usage[field][reached] for field in _ORDER))]
        number, subscriber = distinct(subscriber[reached], int(subscriber.max()) + 1)
        routes, place_of = _unlike(routes)
        tables, route_of = RouteTables(routes), place_of[route_of[reached]]
        stood = np.zeros((len(number), len(tables.periods) + 1), np.int64)
        for place, period in enumerate(tables.periods):
            stood[:, place] = before.column(period, number)
        now = stood.copy()
        shared = take_in_rounds(octets[reached], subscriber, route_of, tables, now)
        for place, period in enumerate(tables.periods):
            took = now[:, place] != stood[:, place]
            figures.put(period, number[took], now[took, place])
        exhausted = frozenset(
            pair
            for name, column in zip(tables.names, shared.exhausted.T, strict=True)
            for pair in zip(number[column].tolist(), repeat(name))
        )
        return Rated(self._shared_out(rows, reached, routes, route_of, shared), figures, exhausted)

    def _reach(
        self,
        subscriber: np.ndarray,
        octets: np.ndarray,
        routes: Sequence[Route],
        route_of: np.ndarray,
        before: UsedColumns,
        figures: Figures,
    ) -> np.ndarray:
        """Whether a row's subscriber reaches the end of any first limit. All usage of one who does not is taken from these,
        and the rows go where they are."""
        if not len(subscriber):
            return np.zeros(0, bool)
        limits: dict[tuple[AllowancePeriod, int], int] = {}
        first_of = np.full(len(routes), -1)
        for place, one in enumerate(routes):
            if _is_limited(one):
                first = one.claims[0].limits[0]
                first_of[place] = limits.setdefault((period_of(one.claims[0], first), first.octets), len(limits))
        group = subscriber * np.int64(len(limits)) + first_of[route_of]
        groups, group_of = distinct(group, int(group.max()) + 1)
        sums = np.zeros(len(groups), np.int64)
        np.add.at(sums, group_of, octets)
        number, first = np.divmod(groups, len(limits))
        reaching = np.zeros(int(number[-1]) + 1, bool)
        after: list[tuple[AllowancePeriod, np.ndarray, np.ndarray]] = []
        for (period, given), place in limits.items():
            its = first == place
            after.append((period, number[its], before.column(period, number[its]) + sums[its]))
            reaching[number[its][after[-1][-1] >= given]] = True
        for period, numbers, now in after:
            within = ~reaching[numbers]
            figures.put(period, numbers[within], now[within])
        return reaching[subscriber]

    def _routes(self, usage: np.ndarray) -> tuple[list[Route], np.ndarray]:
        """The routes of all distinct cases in the table, and the route of each row by its place."""
        intervals, kind = distinct_times(usage["interval"])
        shape = (len(intervals), len(self.profiles), len(self.application_names), len(EVIDENCE), len(STANDING))
        profile = self.profile_of(usage["subscriber"])
        for column, size in zip((profile, *map(usage.__getitem__, _CASE)), shape[1:], strict=True):
            kind = kind * np.int64(size) + column
        kinds, kind_of = distinct(kind, prod(shape))
        cases = zip(*(column.tolist() for column in np.unravel_index(kinds, shape)), strict=True)
        return [self._route(int(intervals[first]), *case) for first, *case in cases], kind_of

    def _route(self, at_ns: int, profile: int, application: int, evidence: int, standing: int) -> Route:
        return route(
            self._offers,
            self.application_names[application],
            EVIDENCE[evidence],
            STANDING[standing],
            at_ns,
            self.profiles[profile],
            self.periods,
        )

    def _segment(self, one: Route, segment: int) -> tuple[int, int, int]:
        """Part, programme and reason, as RATED has them, of what goes to a route's claim, or behind the last to the rest."""
        if segment < len(one.claims):
            claim = one.claims[segment]
            return claim.part, self._place[claim.programme.name], -1
        return PART_CHARGED, -1, -1 if one.reason is None else REASONS.index(one.reason)

    def _order(
        self, subscriber: np.ndarray, interval: np.ndarray, application: np.ndarray, evidence: np.ndarray
    ) -> np.ndarray:
        """The order of subscribers, and of each one's rows as they take allowances."""
        of_name = np.argsort(np.argsort(np.array(self.application_names)))
        of_strength = np.array([_STRONGER_FIRST.index(name) for name in EVIDENCE])
        return np.lexsort((of_strength[evidence], of_name[application], interval, subscriber))

    def _shared_out(
        self, rows: np.ndarray, places: np.ndarray, routes: Sequence[Route], route_of: np.ndarray, shared: Shared
    ) -> np.ndarray:
        """The rated rows, those at `places` as they were shared out: with their pieces in the place of those that were cut."""
        segments = shared.paid.shape[1]
        outcomes = np.array([[self._segment(one, nth) for nth in range(segments)] for one in routes], np.int32)
        for field, column in zip(_OUTCOME, outcomes[route_of, shared.last].T, strict=True):
            rows[field][places] = column
        cut = np.flatnonzero((shared.paid > 0).sum(axis=1) > 1)
        if not cut.size:
            return rows
        cut = cut[np.argsort(places[cut])]
        volumes = np.stack([rows[field][places[cut]] for field in VOLUMES])
        parts = split_rows(volumes, shared.paid[cut])
        row, segment = np.nonzero(shared.paid[cut])
        copies = np.ones(len(rows), np.int64)
        copies[places[cut]] = np.bincount(row)
        made = np.repeat(rows, copies)
        pieces = np.flatnonzero(np.repeat(copies > 1, copies))
        columns = (*outcomes[route_of[cut][row], segment].T, *parts[:, row, segment])
        for field, column in zip((*_OUTCOME, *VOLUMES), columns, strict=True):
            made[field][pieces] = column
        return made


def _is_limited(one: Route) -> bool:
    """Whether an allowance comes first."""
    return bool(one.claims) and one.claims[0].limits is not None


def _unlike(routes: Sequence[Route]) -> tuple[list[Route], np.ndarray]:
    """Routes that differ in what is paid by whom, and each route's place among them."""
    unlike: dict[tuple, int] = {}
    found: list[Route] = []
    place_of = np.zeros(len(routes), np.int64)
    for place, one in enumerate(routes):
        key = (one.reason, *((claim.programme.name, claim.limits) for claim in one.claims))
        place_of[place] = number = unlike.setdefault(key, len(found))
        if number == len(found):
            found.append(one)
    return found, place_of


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
