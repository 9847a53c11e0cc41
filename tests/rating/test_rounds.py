"""Taking allowances in rounds, and cutting rows in columns, gives what taking and splitting them one by one gives."""

from __future__ import annotations

import numpy as np
import pytest
from frames import modest
from hypothesis import given
from hypothesis import strategies as st
from offer_records import programme

from classifier.rating import rounds
from classifier.rating.allowances import AllowanceKey, Share, Volumes, split, take
from classifier.rating.figures import Figures
from classifier.rating.offers import Claim, Limit, Route
from classifier.rating.pieces import split_rows
from classifier.rating.rounds import RouteTables, take_in_rounds

MOST = 2**62
OFFERS = ("tiny", "wide", "half", "gift")
LIMITS = st.lists(st.one_of(st.integers(0, 30), st.just(MOST)), min_size=1, max_size=3)
# Routes have offers in common, in whatever order, so that one route takes what another would have had.
ROUTES = st.lists(st.tuples(st.permutations(OFFERS), st.integers(0, 4), st.booleans()), min_size=1, max_size=4)
ROWS = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 25), st.integers(0, 3)), min_size=1, max_size=20)
USED = st.lists(st.integers(0, 40), min_size=48, max_size=48)


def routes_of(limits, drawn):
    """Routes through some of the offers, each with its limits, and at last to one without, or to the subscriber."""
    claims = {
        name: Claim(programme(name=name), tuple(Limit(place, octets, "day", 0) for place, octets in enumerate(its)))
        for name, its in zip(OFFERS, limits, strict=True)
    }
    endless = Claim(programme(name="endless", rate_percent=50), None)
    return [
        Route(
            (*(claims[name] for name in names[:count]), *((endless,) if unlimited else ())), None if unlimited else "x"
        )
        for names, count, unlimited in drawn
    ]


@pytest.mark.parametrize("few", [0, 3, 100])
@modest(200)
@given(st.tuples(LIMITS, LIMITS, LIMITS, LIMITS), ROUTES, ROWS, USED)
def test_what_is_taken_in_rounds_is_what_is_taken_row_by_row(few, limits, drawn, rows, used):
    routes = routes_of(limits, drawn)
    rows = sorted(rows, key=lambda row: row[0])
    subscribers = sorted({subscriber for subscriber, _, _ in rows})
    tables = RouteTables(routes)
    before, figures = {}, iter(used)
    stood = np.zeros((len(subscribers), len(tables.periods) + 1), np.int64)
    for place, number in enumerate(subscribers):
        for nth, period in enumerate(tables.periods):
            stood[place, nth] = before[AllowanceKey(number, *period)] = next(figures)
    octets = np.array([row[1] for row in rows])
    place = np.array([subscribers.index(row[0]) for row in rows])
    route = np.array([row[2] % len(routes) for row in rows])

    least, rounds.FEW_ROWS = rounds.FEW_ROWS, few
    try:
        shared = take_in_rounds(octets, place, route, tables, stood)
    finally:
        rounds.FEW_ROWS = least

    changed, exhausted = {}, set()
    for row, (number, its_octets, _) in enumerate(rows):
        its_route = routes[route[row]]
        taken = take(its_octets, its_route, number, before, changed)
        exhausted |= {(number, name) for name in taken.exhausted}
        names = [claim.programme.name for claim in its_route.claims]
        expected = np.zeros(shared.paid.shape[1], np.int64)
        for share in taken.shares:
            last = names.index(share.programme) if share.programme else len(expected) - 1
            expected[last] = share.octets
        assert shared.paid[row].tolist() == expected.tolist()
        assert shared.last[row] == last
    for nth, period in enumerate(tables.periods):
        keys = [AllowanceKey(number, *period) for number in subscribers]
        assert stood[:, nth].tolist() == [changed.get(key, before[key]) for key in keys]
    found = {(subscribers[one], tables.names[name]) for one, name in zip(*np.nonzero(shared.exhausted), strict=True)}
    assert found == exhausted


COUNTS = st.one_of(st.integers(0, 40), st.integers(2**31 - 20, 2**31 + 20), st.integers(0, 2**45))


@modest(300)
@given(
    st.lists(
        st.tuples(COUNTS, COUNTS, COUNTS, COUNTS, st.lists(st.integers(0, 10), max_size=3)), min_size=1, max_size=8
    )
)
def test_rows_are_cut_as_one_by_one(drawn):
    shares = np.zeros((len(drawn), 4), np.int64)
    volumes = np.array([row[:4] for row in drawn], np.int64).T
    for row, (up, down, _, _, weights) in enumerate(drawn):
        # Shares of the row's octets by weight, some of them nothing, and the rest to the last.
        for place, weight in enumerate(weights):
            shares[row, place] = (up + down) * weight // 40
        shares[row, 3] = up + down - shares[row].sum()

    parts = split_rows(volumes, shares)

    for row, (*counts, _) in enumerate(drawn):
        places = np.flatnonzero(shares[row])
        pieces = [Share(octets, 0, None, None) for octets in shares[row, places].tolist()]
        if pieces:
            assert list(map(tuple, parts[:, row, places].T.tolist())) == split(Volumes(*counts), pieces)
            assert parts[:, row].sum() == sum(counts)


def test_figures_are_a_mapping():
    november, december = (("free", 0, 11)), (("free", 0, 12))
    known = {AllowanceKey(7, *november): 5, AllowanceKey(2, *november): 0, AllowanceKey(3, *december): 9}
    figures = Figures(known)
    assert figures == known
    assert len(figures) == 3
    assert figures.get(AllowanceKey(3, *november)) is None
    assert figures.column(november, np.array([7, 2, 3, 8])).tolist() == [5, 0, 0, 0]
    more = Figures({AllowanceKey(7, *november): 6, AllowanceKey(4000, *december): 1})
    figures.update(more)
    assert figures == known | dict(more)
