"""Row 13: a tunnel in segments that all claim one sequence number."""

from __future__ import annotations

from frames import client_hello, modest
from hypothesis import given
from hypothesis import strategies as st
from meters import ALPHA_ADDRESS, measure
from scenes import FOREIGN, Connection, Wire, billed


@modest(30)
@given(
    st.lists(st.integers(1, 1400), min_size=1, max_size=40), st.booleans(), st.sampled_from((ALPHA_ADDRESS, FOREIGN))
)
def test_every_octet_counts_however_often_its_number_was_sent(lengths, down, server):
    wire = Wire()
    talk = Connection(wire, server).open().ask(client_hello("alpha.example"), 1400)
    talk.up(b"z" * 1400)
    before = talk.octets
    for number, octets in enumerate(lengths):
        payload = bytes([number]) * octets
        talk.down(payload, at=0) if down else talk.up(payload, at=talk.sent_up - 1400)
    outcome = measure(wire.frames)
    assert billed(outcome) == {"free" if server == ALPHA_ADDRESS else "contradicted": talk.octets}
    (flow,) = outcome.flows
    assert sum(flow.octets) == talk.octets
    assert flow.retransmitted_octets == talk.octets - before, "shown apart, so that an operator can refund them"
