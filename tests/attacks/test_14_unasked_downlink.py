"""Row 14: downlink that the subscriber did not ask for, before, beside and after what it did."""

from __future__ import annotations

from frames import RST, UDP, client_hello, ip_packet, modest, udp_datagram
from hypothesis import given
from hypothesis import strategies as st
from meters import ALPHA_ADDRESS, measure
from scenes import ME, Connection, Wire, bill, billed


@modest(20)
@given(st.lists(st.integers(0, 1400), min_size=1, max_size=20))
def test_datagrams_to_an_idle_subscriber_are_charged_from_a_free_address_too(lengths):
    wire = Wire()
    octets = sum(
        wire.send(ip_packet(ALPHA_ADDRESS, ME, UDP, udp_datagram(443, 50000, b"x" * length))) for length in lengths
    )
    assert bill(wire) == {"unasked": octets}


def test_a_subscriber_who_only_refuses_has_not_asked():
    wire = Wire()
    talk = Connection(wire, ALPHA_ADDRESS)
    for _ in range(5):
        talk.down(b"x" * 1400)
    talk.up(flags=RST)
    assert bill(wire) == {"unasked": talk.octets}


def test_once_it_takes_part_all_of_the_flow_is_the_applications():
    wire = Wire()
    octets = sum(
        wire.send(ip_packet(a, b, UDP, udp_datagram(p, q, b"x" * 100)))
        for a, p, b, q in ((ALPHA_ADDRESS, 443, ME, 50000), (ME, 50000, ALPHA_ADDRESS, 443))
    )
    assert bill(wire) == {"free": octets}


@modest(20)
@given(st.sampled_from(("fin", "rst")), st.lists(st.integers(1, 1400), min_size=1, max_size=20))
def test_a_server_that_sends_on_after_the_close_is_charged_for_and_shown_apart(how, lengths):
    wire = Wire()
    talk = Connection(wire, ALPHA_ADDRESS).open().ask(client_hello("alpha.example")).close(how)
    free = talk.octets
    for octets in lengths:
        talk.down(b"x" * octets)
    outcome = measure(wire.frames)
    assert billed(outcome) == {"free": free, "after_close": talk.octets - free}
    assert outcome.totals.after_close_octets == talk.octets - free
