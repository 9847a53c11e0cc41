"""Row 9: the ports of a closed free connection, used again under another name."""

from __future__ import annotations

import pytest
from frames import ACK, SYN, client_hello, modest
from hypothesis import given
from hypothesis import strategies as st
from scenes import FOREIGN, Connection, Wire, bill, verdicts

FREE, OTHER = client_hello("gamma.example"), client_hello("unlisted.example")


@modest(30)
@given(
    st.sampled_from(("fin", "rst", None)), st.integers(1, 2**32 - 1), st.integers(0, 3000), st.sampled_from((0, 1, 100))
)
def test_each_connection_is_billed_under_its_own_name(how, step, answer, pause):
    wire = Wire()
    first = Connection(wire, FOREIGN).open().ask(FREE)
    if how:
        first.close(how)
    wire.wait(pause)
    second = Connection(wire, FOREIGN, isn=(first.isn + step) % 2**32).open().ask(OTHER, answer)
    assert bill(wire) == {"free": first.octets, "unknown_application": second.octets}
    assert [name for _, _, name in verdicts(wire)] == ["gamma.example", "unlisted.example"]


@pytest.mark.parametrize("how", ["fin", "rst"])
def test_without_a_syn_nothing_more_is_free_on_the_ports(how):
    """Octets on a closed connection are charged, whatever name it had."""
    wire = Wire()
    first = Connection(wire, FOREIGN).open().ask(FREE).close(how)
    free = first.octets
    first.ask(OTHER).down(b"x" * 1400)
    assert bill(wire) == {"free": free, "after_close": first.octets - free}


@pytest.mark.parametrize("step", [0, "acknowledged"])
def test_a_syn_with_a_number_that_the_old_connection_knows_begins_another_one(step):
    """The server gave the old one up unseen: its own number again, or the one that would belong to the last SYN-ACK."""
    wire = Wire()
    first = Connection(wire, FOREIGN).open().ask(FREE)
    isn = first.isn + (step and first.sent_up)
    second = Connection(wire, FOREIGN, isn=isn).open().ask(OTHER, 3000)
    assert bill(wire) == {"free": first.octets, "unknown_application": second.octets}


def test_a_syn_sent_again_or_seen_behind_its_answer_begins_nothing():
    wire = Wire()
    talk = (
        Connection(wire, FOREIGN).up(at=-1, flags=SYN).up(at=-1, flags=SYN).down(at=-1, acknowledged=0, flags=SYN | ACK)
    )
    talk.up(at=-1, flags=SYN).ask(FREE)
    late = (
        Connection(wire, FOREIGN, port=50001)
        .down(at=-1, acknowledged=0, flags=SYN | ACK)
        .up(at=-1, flags=SYN)
        .ask(FREE)
    )
    assert bill(wire) == {"free": talk.octets + late.octets}
    assert len(verdicts(wire)) == 2
