"""Row 10: a ClientHello cut into segments and records, in any order, of any length."""

from __future__ import annotations

from itertools import pairwise

import pytest
from frames import client_hello, modest, over_records
from hypothesis import given
from hypothesis import strategies as st
from meters import ALPHA_ADDRESS
from scenes import FOREIGN, Connection, Wire, bill, verdicts

NAME = "www.alpha.example"
SHORT, LONG = client_hello(NAME), client_hello(NAME, 1700)


def sent(octets: bytes, pieces: list[tuple[int, bytes]], server=ALPHA_ADDRESS) -> tuple[Wire, int]:
    wire = Wire()
    talk = Connection(wire, server).open()
    for at, piece in pieces:
        talk.up(piece, at=at)
    talk.down(b"x" * 700).close()
    return wire, talk.octets


def cut_into(octets: bytes, places) -> list[tuple[int, bytes]]:
    inside = sorted({place for place in places if 0 < place < len(octets)})
    return [(a, octets[a:b]) for a, b in pairwise([0, *inside, len(octets)])]


def check(wire: Wire, octets: int, server: str) -> None:
    own = server == ALPHA_ADDRESS
    assert verdicts(wire) == [("alpha", "verified" if own else "contradicted", NAME)]
    assert bill(wire) == {"free" if own else "contradicted": octets}


@pytest.mark.parametrize("server", [ALPHA_ADDRESS, FOREIGN])
@pytest.mark.parametrize("backwards", [False, True])
@pytest.mark.parametrize("hello", [SHORT, over_records(SHORT, [60, 61, 150])], ids=["one record", "four records"])
def test_segments_of_twenty_octets_in_either_direction(hello, backwards, server):
    pieces = cut_into(hello, range(20, len(hello), 20))
    wire, octets = sent(hello, pieces[:: -1 if backwards else 1], server)
    check(wire, octets, server)


@modest(60)
@given(
    st.sampled_from((SHORT, LONG)),
    st.lists(st.integers(1, 1700), max_size=8),
    st.lists(st.integers(1, 1700), max_size=12),
    st.randoms(use_true_random=False),
    st.sampled_from((ALPHA_ADDRESS, FOREIGN)),
)
def test_any_records_in_any_segments_in_any_order(hello, records, segments, random, server):
    octets = over_records(hello, records)
    pieces = cut_into(octets, segments)
    random.shuffle(pieces)
    wire, total = sent(octets, pieces, server)
    check(wire, total, server)


def test_records_of_one_octet_each():
    octets = over_records(SHORT, list(range(1, 200)))
    wire, total = sent(octets, cut_into(octets, [1000]), FOREIGN)
    check(wire, total, FOREIGN)


def test_beyond_the_inspection_limit_the_address_is_all_there_is():
    """Accounting 2.3: and an address that is nobody's is unknown, so nothing is won by cutting finer."""
    pieces = cut_into(SHORT, range(1, len(SHORT)))
    wire, total = sent(SHORT, pieces, FOREIGN)
    assert bill(wire) == {"unknown_application": total}
