"""Laying usage along chains of allowances in columns gives what taking it octet by octet, row by row, gives."""

from __future__ import annotations

import numpy as np
from frames import modest
from hypothesis import given
from hypothesis import strategies as st
from offer_records import programme

from classifier.rating.allowances import AllowanceKey, take
from classifier.rating.chains import chain_of, lay
from classifier.rating.offers import Claim, Limit, Route

MOST = 2**62
LIMITS = st.lists(st.one_of(st.integers(0, 30), st.just(MOST)), min_size=1, max_size=3)
CHAINS = st.tuples(st.lists(LIMITS, min_size=1, max_size=3), st.booleans())
ROWS = st.lists(st.tuples(st.integers(0, 2), st.integers(1, 25)), min_size=1, max_size=12)
USED = st.lists(st.integers(0, 40), min_size=27, max_size=27)


def route_of(limits_of_claims, unlimited):
    """A route through offers with these limits, and at last to one without, or to the subscriber."""
    claims = [
        Claim(
            programme(name=f"offer-{number}"), tuple(Limit(place, octets, "day", 0) for place, octets in enumerate(its))
        )
        for number, its in enumerate(limits_of_claims)
    ]
    if unlimited:
        return Route((*claims, Claim(programme(name="endless", rate_percent=50), None)), None)
    return Route(tuple(claims), "allowance_exhausted")


@modest(300)
@given(CHAINS, ROWS, USED)
def test_what_lies_on_the_ruler_is_what_is_taken(chain, rows, used):
    route = route_of(*chain)
    rows = sorted(rows, key=lambda row: row[0])
    subscribers = sorted({subscriber for subscriber, _ in rows})
    found = chain_of(route)
    keys = [
        [AllowanceKey(one, claim.programme.name, limit.place, 0) for claim, limit in found.limits]
        for one in subscribers
    ]
    before = {key: octets for key, octets in zip([key for its in keys for key in its], used, strict=False)}
    held = np.array(
        [
            [max(limit.octets - before[key], 0) for key, (_, limit) in zip(its, found.limits, strict=True)]
            for its in keys
        ],
        np.int64,
    )
    place = np.array([subscribers.index(subscriber) for subscriber, _ in rows])
    laid = lay(np.array([octets for _, octets in rows]), place, held, [len(its) for its in chain[0]])

    on_ruler = list(laid.pieces(np.arange(len(rows)), place))

    changed, exhausted = {}, set()
    for row, (subscriber, octets) in enumerate(rows):
        taken = take(octets, route, subscriber, before, changed)
        exhausted |= {(subscriber, name) for name in taken.exhausted}
        pieces = [found.share(*piece) for piece in on_ruler[row]]
        assert pieces == [share for share in taken.shares if share.octets]
        assert (laid.first[row] == laid.last[row]) == (len(pieces) == 1)
        assert found.share(int(laid.first[row]), 0)[1:] == pieces[0][1:]
    after = {
        key: before[key] + int(octets)
        for its, row in zip(keys, laid.taken, strict=True)
        for key, octets in zip(its, row, strict=True)
        if octets
    }
    assert after == changed
    full = {
        (subscribers[one], found.claims[claim].programme.name)
        for one, claim in zip(*np.nonzero(laid.full), strict=True)
    }
    assert full == exhausted


def test_a_route_that_begins_without_a_limit_or_with_nobody_has_no_chain():
    assert chain_of(Route((), "no_programme")) is None
    assert chain_of(Route((Claim(programme(), None),), None)) is None
