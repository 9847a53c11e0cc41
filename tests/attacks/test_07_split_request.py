"""Row 7: a request cut anywhere, `Ho` in one segment and `st: …` in the next."""

from __future__ import annotations

from itertools import pairwise

import pytest
from frames import client_hello, modest
from hypothesis import given
from hypothesis import strategies as st
from meters import ALPHA_ADDRESS
from scenes import FOREIGN, Connection, Wire, bill, request, verdicts

REQUEST = request("GET /index.html HTTP/1.1", "Accept: */*", "Host: www.alpha.example", "User-Agent: x")
cuts = st.lists(st.integers(1, len(REQUEST) - 1), max_size=8)


@modest(60)
@given(cuts, st.randoms(use_true_random=False), st.sampled_from((ALPHA_ADDRESS, FOREIGN)))
def test_a_request_in_pieces_of_any_order_is_joined(places, random, server):
    pieces = [(a, REQUEST[a:b]) for a, b in pairwise([0, *sorted({*places, REQUEST.index(b"Host") + 2}), len(REQUEST)])]
    random.shuffle(pieces)
    wire = Wire()
    talk = Connection(wire, server, server_port=80).open()
    for at, piece in pieces:
        talk.up(piece, at=at)
    talk.down(b"x" * 700).close()
    own = server == ALPHA_ADDRESS
    assert bill(wire) == {"free" if own else "contradicted": talk.octets}
    assert verdicts(wire) == [("alpha", "verified" if own else "contradicted", "www.alpha.example")]


@pytest.mark.parametrize("decoy", [client_hello("www.gamma.example"), request("GET / HTTP/1.1", "Host: gamma.example")])
@pytest.mark.parametrize("copies", [1, 2, 3])
def test_a_free_name_in_a_body_that_comes_before_its_head_frees_nothing(decoy, copies):
    """The head comes last, and the server reads it first; the decoy is octets that somebody uploads."""
    head = request("POST / HTTP/1.1", "Host: unlisted.example", f"Content-Length: {len(decoy)}")
    wire = Wire()
    talk = Connection(wire, FOREIGN, server_port=80).open()
    for _ in range(copies):
        talk.up(decoy, at=len(head))
    talk.up(head, at=0).down(b"x" * 900).ask(head + decoy)
    assert bill(wire) == {"unknown_application": talk.octets}
