"""When a name counts: answered, whole, uncontradicted, from the subscriber (accounting 2.3, 2.4; the tricks 10 to 14)."""

from __future__ import annotations

import itertools
from itertools import pairwise

import pytest
from frames import ACK, FIN, PSH, RST, SYN, TCP, UDP, client_hello, modest
from hypothesis import given
from hypothesis import strategies as st
from meters import ALPHA_ADDRESS, INTERVAL_NS, OTHER_ADDRESS, SECOND_NS, START_NS, measure
from twin_meter import Packet

ME = "10.0.0.1"
CLIENT_ISN, SERVER_ISN = 5000, 70000
HELLO = client_hello("alpha.example")
EVIL = client_hello("gamma.example")


class Talk:
    """One TCP connection, packet by packet, a millisecond apart unless `wait` is told otherwise."""

    def __init__(self, server=ALPHA_ADDRESS, port=50000) -> None:
        self.server, self.port = server, port
        self.packets: list[Packet] = []
        self.time_ns = START_NS

    def wait(self, seconds: float) -> Talk:
        self.time_ns += int(seconds * SECOND_NS)
        return self

    def up(self, payload=b"", offset=0, flags=ACK, acknowledged=0) -> Talk:
        """`offset` of the payload in the client's stream; `acknowledged` octets of the server's."""
        numbers = (CLIENT_ISN + 1 + offset, SERVER_ISN + 1 + acknowledged)
        return self._add(ME, self.port, self.server, 443, flags, *numbers, payload)

    def down(self, payload=b"", offset=0, flags=ACK, acknowledged=0) -> Talk:
        numbers = (SERVER_ISN + 1 + offset, CLIENT_ISN + 1 + acknowledged)
        return self._add(self.server, 443, ME, self.port, flags, *numbers, payload)

    def opened(self) -> Talk:
        return self.up(offset=-1, flags=SYN).down(offset=-1, flags=SYN | ACK).up()

    def _add(self, a, a_port, b, b_port, flags, sequence, acknowledgement, payload) -> Talk:
        self.time_ns += SECOND_NS // 1000
        self.packets.append(Packet(self.time_ns, a, b, TCP, a_port, b_port, flags, sequence, acknowledgement, payload))
        return self

    def measure(self, **limits):
        return measure([packet.sent() for packet in self.packets], **limits)

    def only_flow(self, **limits):
        (flow,) = self.measure(**limits).flows
        return flow


def verdict(flow):
    return flow.application, flow.evidence


def test_a_name_counts_once_the_server_has_acknowledged_it():
    talk = Talk().opened().up(HELLO).down(acknowledged=len(HELLO)).down(b"\x16" * 900, acknowledged=len(HELLO))
    flow = talk.only_flow()
    assert verdict(flow) == ("alpha", "verified")
    assert (flow.source, flow.name) == ("tls_sni", "alpha.example")
    outcome = talk.measure()
    assert {key[2] for key in outcome.usage} == {"alpha"}, "octets before the name belong to the application too"


def test_a_hello_that_nobody_acknowledged_frees_nothing_and_its_name_is_shown():
    flow = Talk().opened().up(HELLO).up(HELLO).down(b"x", acknowledged=0).only_flow()
    assert verdict(flow) == ("unknown", "none")
    assert flow.name == "alpha.example"


def test_a_hello_whose_first_segment_alone_was_acknowledged_is_not_answered():
    """Trick 12 with 10: the part that holds the name is inert, and the real octets are others."""
    cut = HELLO.index(b"alpha") - 4
    other = EVIL[5:].rjust(len(HELLO), b"\0")[cut:]
    talk = Talk().opened().up(HELLO[:cut]).down(acknowledged=cut).up(HELLO[cut:], offset=cut)
    flow = talk.up(other, offset=cut).down(b"x" * 900, acknowledged=len(HELLO)).only_flow()
    assert flow.evidence == "contradicted"


def test_a_partly_acknowledged_hello_frees_nothing():
    cut = HELLO.index(b"alpha") - 4
    talk = Talk().opened().up(HELLO[:cut]).down(acknowledged=cut).up(HELLO[cut:], offset=cut)
    flow = talk.down(b"x" * 900, acknowledged=cut).up(acknowledged=900).only_flow()
    assert verdict(flow) == ("unknown", "none")


def test_another_hello_at_the_same_numbers_contradicts():
    talk = Talk().opened().up(HELLO).up(EVIL).down(acknowledged=len(EVIL))
    assert talk.only_flow().evidence == "contradicted"


def test_another_hello_at_the_same_numbers_contradicts_although_the_pool_of_buffers_is_small():
    """Trick 28: others must not be able to push out what the octets are compared with, and make the name count."""
    talk = Talk().opened().up(HELLO)
    crowd = []
    for number in range(4):
        other = Talk(OTHER_ADDRESS, 51000 + number)
        other.time_ns = talk.time_ns
        crowd += other.opened().up(HELLO[:60]).packets
    talk.wait(1).up(EVIL).down(acknowledged=len(EVIL))
    frames = [packet.sent() for packet in sorted(talk.packets + crowd, key=lambda packet: packet.time_ns)]
    (flow,) = (flow for flow in measure(frames, streams=2).flows if flow.client_port == 50000)
    assert flow.evidence in ("contradicted", "none")


def test_a_full_table_of_held_volumes_makes_no_name_count():
    """Every failure falls to charged: a flow decided early for want of room has a name that nobody answered."""
    talk = Talk().opened().up(HELLO)
    for _ in range(5):
        talk.wait(INTERVAL_NS / SECOND_NS).up(HELLO)
    outcome = talk.measure(held_volumes=1)
    assert outcome.overflow("want of room") > 0
    assert {key[3] for key in outcome.usage} == {"none"}


def test_late_identity_puts_each_intervals_octets_into_its_own_interval():
    talk = Talk().opened().up(HELLO)
    seconds = INTERVAL_NS // SECOND_NS
    for _ in range(4):
        talk.wait(seconds).up(HELLO)
    talk.wait(seconds).down(acknowledged=len(HELLO))
    outcome = talk.measure()
    assert {(key[2], key[3], key[4]) for key in outcome.usage} == {("alpha", "verified", "taken_part")}
    per_interval = {key[0]: volume for key, volume in outcome.usage.items()}
    first = START_NS // INTERVAL_NS * INTERVAL_NS
    hello = 40 + len(HELLO)
    assert per_interval == {
        first: (80 + hello, 40, 3, 1),
        **{first + number * INTERVAL_NS: (hello, 0, 1, 0) for number in (1, 2, 3, 4)},
        first + 5 * INTERVAL_NS: (0, 40, 0, 1),
    }


@modest(60)
@given(st.lists(st.integers(1, len(HELLO) - 1), max_size=6), st.randoms(use_true_random=False), st.booleans())
def test_a_hello_in_segments_of_any_cut_and_order_gives_its_name(cuts, random, over_end):
    """Trick 10: joined by sequence number; segments twice or overlapping too, as long as they say the same."""
    places = [0, *sorted(set(cuts)), len(HELLO)]
    segments = [(a, HELLO[a:b]) for a, b in itertools.pairwise(places)]
    segments += random.sample(segments, min(2, len(segments)))
    if over_end:
        start = random.randrange(len(HELLO))
        segments.append((start, HELLO[start : start + 300]))
    random.shuffle(segments)
    talk = Talk().opened()
    for offset, payload in segments:
        talk.up(payload, offset)
    flow = talk.down(acknowledged=len(HELLO)).down(b"x" * 500, acknowledged=len(HELLO)).only_flow()
    assert (flow.name, *verdict(flow)) == ("alpha.example", "alpha", "verified")


@modest(40)
@given(
    st.lists(st.integers(1, 1700), min_size=1, max_size=4),
    st.sampled_from(("forward", "backward", "any")),
    st.randoms(),
)
def test_a_long_hello_without_its_handshake_gives_its_name(cuts, order, random):
    """The capture begins in mid-flow: nobody knows where the stream begins. Of a wild order no other name may come out."""
    hello = client_hello("alpha.example", 1700)
    places = [0, *sorted({cut for cut in cuts if cut < len(hello)}), len(hello)]
    segments = [(a, hello[a:b]) for a, b in pairwise(places)]
    if order == "any":
        random.shuffle(segments)
    talk = Talk()
    for offset, payload in segments[:: -1 if order == "backward" else 1]:
        talk.up(payload, offset)
    flow = talk.down(acknowledged=len(hello)).up(acknowledged=0).only_flow()
    found = (flow.name, *verdict(flow))
    expected = ("alpha.example", "alpha", "verified")
    assert found == expected if order != "any" else found in (expected, (None, "alpha", "address"))


def test_a_keep_alive_before_the_hello_hides_nothing_where_the_capture_begins_in_mid_flow():
    """It has the number of the octet before, which was acknowledged long ago (RFC 9293, 3.8.4)."""
    talk = Talk().up(offset=-1).down().up(HELLO).down(acknowledged=len(HELLO))
    assert (talk.only_flow().name, *verdict(talk.only_flow())) == ("alpha.example", "alpha", "verified")


def test_octets_missing_behind_a_handshake_are_waited_for_though_they_were_acknowledged():
    talk = Talk().opened().down(acknowledged=10).up(HELLO, 10).down(acknowledged=10 + len(HELLO))
    assert verdict(talk.only_flow()) == ("alpha", "address")


def test_sequence_numbers_that_wrap_around_join_all_the_same():
    global CLIENT_ISN
    before, cut = CLIENT_ISN, 100
    try:
        CLIENT_ISN = 2**32 - 50
        talk = Talk().opened().up(HELLO[cut:], cut).up(HELLO[:cut]).down(acknowledged=len(HELLO))
        assert verdict(talk.only_flow()) == ("alpha", "verified")
    finally:
        CLIENT_ISN = before


def test_a_flow_that_gives_no_evidence_within_the_limit_is_decided_by_its_address():
    talk = Talk().opened()
    for number in range(40):
        talk.up(b"\xff" * 10, number * 10)
    outcome = talk.measure()
    assert {(key[2], key[3]) for key in outcome.usage} == {("alpha", "address")}


def test_a_name_overrules_the_address_range():
    flow = Talk().opened().up(client_hello("unlisted.example")).down(acknowledged=900).only_flow()
    assert verdict(flow) == ("unknown", "none")


# Downlink that nobody asked for, and what comes after the close (accounting 1.6, 1.7; trick 14).


def test_downlink_to_a_subscriber_who_never_sent_anything_is_unasked():
    talk = Talk()
    for number in range(3):
        talk.down(b"x" * 1000, number * 1000)
    assert set(talk.measure().by_standing()) == {"unasked"}


@pytest.mark.parametrize("flags", [RST, RST | ACK])
def test_a_refusal_is_no_taking_part(flags):
    talk = Talk().down(b"x" * 1000).up(flags=flags)
    assert set(talk.measure().by_standing()) == {"unasked"}


def test_an_icmp_error_is_no_taking_part():
    first = Packet(START_NS, ALPHA_ADDRESS, ME, UDP, 443, 6000, payload=b"x" * 900)
    error = Packet(START_NS + 1, ME, ALPHA_ADDRESS, 1, quoted=first)
    assert set(measure([first.sent(), error.sent()]).by_standing()) == {"unasked"}


@pytest.mark.parametrize("close", ["fin", "rst"])
def test_octets_after_the_close_stand_apart(close):
    talk = Talk().opened().up(HELLO).down(acknowledged=len(HELLO))
    if close == "fin":
        talk.up(flags=FIN | ACK, offset=len(HELLO)).down(flags=FIN | ACK, acknowledged=len(HELLO) + 1)
    else:
        talk.up(flags=RST, offset=len(HELLO))
    talk.down(b"x" * 1000, 1, flags=ACK | PSH, acknowledged=len(HELLO) + 1)
    outcome = talk.measure()
    assert outcome.by_standing()["after_close"] == 1040 == outcome.totals.after_close_octets


# Ports used again (accounting 2.1; trick 9).


@pytest.mark.parametrize("close", ["fin", "rst", "none"])
def test_a_syn_with_another_number_is_another_flow_with_a_name_of_its_own(close):
    global CLIENT_ISN
    talk = Talk().opened().up(HELLO).down(acknowledged=len(HELLO))
    if close == "fin":
        talk.up(flags=FIN | ACK, offset=len(HELLO)).down(flags=FIN | ACK, acknowledged=len(HELLO) + 1)
    elif close == "rst":
        talk.down(flags=RST | ACK, acknowledged=len(HELLO))
    before = CLIENT_ISN
    try:
        CLIENT_ISN += 10_000_000
        talk.opened().up(EVIL).down(acknowledged=len(EVIL))
    finally:
        CLIENT_ISN = before
    flows = sorted(talk.measure().flows, key=lambda flow: flow.first_ns)
    assert [flow.name for flow in flows] == ["alpha.example", "gamma.example"]
    assert flows[0].ended == {"fin": "fin", "rst": "rst", "none": "reused"}[close]


def test_a_syn_sent_again_or_come_late_is_the_flows_own():
    talk = Talk().down(offset=-1, flags=SYN | ACK).up(offset=-1, flags=SYN).up(offset=-1, flags=SYN).up(HELLO)
    flow = talk.down(acknowledged=len(HELLO)).only_flow()
    assert (flow.client, flow.client_port, *verdict(flow)) == (ME, 50000, "alpha", "verified")


def test_both_ends_that_open_at_once_make_one_flow():
    """RFC 9293, 3.5: SYNs that cross; direction never flips (accounting 2.1)."""
    talk = Talk().up(offset=-1, flags=SYN).down(offset=-1, flags=SYN).up(offset=-1, flags=SYN | ACK)
    flow = talk.down(offset=-1, flags=SYN | ACK).up(HELLO).down(acknowledged=len(HELLO)).only_flow()
    assert (flow.client, *verdict(flow)) == (ME, "alpha", "verified")
