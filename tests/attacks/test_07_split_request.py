"""Row 7: a request cut anywhere, `Ho` in one segment and `st: …` in the next."""

from __future__ import annotations

from itertools import pairwise

from frames import modest
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
