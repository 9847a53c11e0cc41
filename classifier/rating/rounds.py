"""Allowances taken by many subscribers at a time: accounting 3.3 in columns.

Subscribers are independent of each other, so the first row of each is taken in one go, then the second of each, and so on:
a round is what `allowances.take` does, claim after claim and limit after limit, with columns in the place of numbers. When
few subscribers have rows left, those are left to `take` itself.

Rule of this file: arrays of whole numbers, and nothing about why a route is what it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from classifier.rating.allowances import AllowanceKey, AllowancePeriod, period_of, take
from classifier.rating.offers import Route

# In a round of so few rows the calls of NumPy take longer than taking row by row.
FEW_ROWS = 16


class RouteTables:
    """Routes as tables of numbers: rows are routes, then claims, then the limits of each.

    `periods` are all allowances that they take from, `octets` [periods + 1] what each gives, and behind the last one that
    gives nothing: it stands (-1) in `limits` [routes, claims, limits] where a claim has fewer. `names` are all programmes,
    `programme` [routes, claims] places among them, -1 behind a route's last claim; `endless` [routes, claims] are claims
    without limit.
    """

    def __init__(self, routes: Sequence[Route]) -> None:
        self.routes = routes
        shape = (len(routes), max((len(one.claims) for one in routes), default=0))
        most_limits = max((len(claim.limits or ()) for one in routes for claim in one.claims), default=0)
        self.limits = np.full((*shape, most_limits), -1)
        self.programme, self.endless = np.full(shape, -1), np.zeros(shape, bool)
        periods: dict[AllowancePeriod, int] = {}
        octets: list[int] = []
        names: dict[str, int] = {}
        for number, one in enumerate(routes):
            for place, claim in enumerate(one.claims):
                self.programme[number, place] = names.setdefault(claim.programme.name, len(names))
                self.endless[number, place] = claim.limits is None
                for nth, limit in enumerate(claim.limits or ()):
                    self.limits[number, place, nth] = found = periods.setdefault(period_of(claim, limit), len(periods))
                    if found == len(octets):
                        octets.append(limit.octets)
        self.periods, self.names = list(periods), list(names)
        self.octets = np.array([*octets, 0], np.int64)


class Shared(NamedTuple):
    """Where rows went. A route's claims are its segments, and behind the longest route's last claim lies the rest.

    `paid` [rows, segments]: the octets of each row that went there; `last` [rows]: the segment at which nothing was left of
    it. `exhausted` [subscribers, programmes]: whether a row found or left nothing of one.
    """

    paid: np.ndarray
    last: np.ndarray
    exhausted: np.ndarray


def take_in_rounds(
    octets: np.ndarray, subscriber: np.ndarray, route: np.ndarray, tables: RouteTables, used: np.ndarray
) -> Shared:
    """Share out rows of `octets` i8[n]. `subscriber` i8[n], numbers from 0 in ascending order, each one's rows in the order
    in which they take; `route` i8[n], places in `tables`; `used` i8[subscribers, periods + 1] is kept up."""
    segments = tables.programme.shape[1]
    shared = Shared(
        np.zeros((len(octets), segments + 1), np.int64),
        np.full(len(octets), segments),
        np.zeros((len(used), len(tables.names)), bool),
    )
    place = np.arange(len(octets)) - np.searchsorted(subscriber, subscriber)
    by_round = np.argsort(place, kind="stable")
    for begin, end in pairwise([0, *np.cumsum(np.bincount(place)).tolist()]):
        if end - begin < FEW_ROWS:
            _take_singly(by_round[begin:], octets, subscriber, route, tables, used, shared)
            break
        _take_round(by_round[begin:end], octets, subscriber, route, tables, used, shared)
    return shared


def _take_round(
    rows: np.ndarray,
    octets: np.ndarray,
    subscriber: np.ndarray,
    route: np.ndarray,
    tables: RouteTables,
    used: np.ndarray,
    shared: Shared,
) -> None:
    """One row of each subscriber, along its route: each claim takes what it still holds, the rest goes to the next."""
    of_round, left = rows, octets[rows]
    for claim in range(tables.programme.shape[1]):
        has_claim = tables.programme[route[rows], claim] >= 0
        rows, left = rows[has_claim], left[has_claim]
        whose, its_route = subscriber[rows], route[rows]
        paid, anything = _take_in_order(left, whose, tables.limits[its_route, claim], tables, used)
        endless = tables.endless[its_route, claim]
        paid, anything = np.where(endless, left, paid), anything | endless
        shared.exhausted[whose[~anything], tables.programme[its_route, claim][~anything]] = True
        shared.paid[rows, claim] = paid
        left = left - paid
        done = (left == 0) & ((paid > 0) | anything)
        shared.last[rows[done]] = claim
        rows, left = rows[~done], left[~done]
    shared.paid[of_round, -1] = octets[of_round] - shared.paid[of_round, :-1].sum(axis=1)


def _take_in_order(
    octets: np.ndarray, subscriber: np.ndarray, limits: np.ndarray, tables: RouteTables, used: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Take up to `octets` out of a claim's `limits` [rows, limits], one after the other: what they gave, and whether
    anything is left."""
    paid, anything = np.zeros(len(octets), np.int64), np.zeros(len(octets), bool)
    for limit in limits.T:
        held = np.maximum(tables.octets[limit] - used[subscriber, limit], 0)
        taken = np.minimum(octets - paid, held)
        used[subscriber, limit] += taken
        paid += taken
        anything |= held > taken
    return paid, anything


def _take_singly(
    rows: np.ndarray,
    octets: np.ndarray,
    subscriber: np.ndarray,
    route: np.ndarray,
    tables: RouteTables,
    used: np.ndarray,
    shared: Shared,
) -> None:
    """The rows that are left, one by one."""
    numbers = np.unique(subscriber[rows]).tolist()
    changed = {
        AllowanceKey(number, *period): int(used[number, place])
        for number in numbers
        for place, period in enumerate(tables.periods)
    }
    columns = (rows, octets[rows], subscriber[rows], route[rows])
    for row, its_octets, number, place in zip(*(column.tolist() for column in columns), strict=True):
        its_route = tables.routes[place]
        taken = take(its_octets, its_route, number, {}, changed)
        segment = {claim.programme.name: nth for nth, claim in enumerate(its_route.claims)}
        for share in taken.shares:
            shared.last[row] = segment.get(share.programme, shared.paid.shape[1] - 1)
            shared.paid[row, shared.last[row]] = share.octets
        for name in taken.exhausted:
            shared.exhausted[number, tables.names.index(name)] = True
    for place, period in enumerate(tables.periods):
        for number in numbers:
            used[number, place] = changed[AllowanceKey(number, *period)]
