"""Fragments in any order belong to the flow of their first (accounting 1.6, trick 21)."""

from __future__ import annotations

import itertools
import struct

import pytest
from frames import ACK, FIN, RST, SYN, Sent, ip_packet, modest, tcp_segment, udp_datagram
from hypothesis import given
from hypothesis import strategies as st
from meters import ALPHA_ADDRESS, OTHER_ADDRESS, SECOND_NS, START_NS, measure

ME, YOU = "10.0.0.1", "10.0.0.2"
V6_ME, V6_SERVER = "2001:db8:5:7::1", "2001:db8:a::1"


def pieces(source, destination, protocol, datagram, cuts, identification) -> list[bytes]:
    """IP fragments of a datagram, cut at multiples of 8 octets."""
    places = [0, *sorted({cut * 8 for cut in cuts if 0 < cut * 8 < len(datagram)}), len(datagram)]
    return [
        ip_packet(
            source,
            destination,
            protocol,
            datagram[a:b],
            identification=identification,
            more=int(b < len(datagram)),
            offset_octets=a,
        )
        for a, b in itertools.pairwise(places)
    ]


def at(packets: list[bytes], step_ns=1) -> list[Sent]:
    return [Sent(START_NS + number * step_ns, packet) for number, packet in enumerate(packets)]


datagrams = st.tuples(
    st.sampled_from([(ME, ALPHA_ADDRESS), (ALPHA_ADDRESS, ME), (YOU, OTHER_ADDRESS), (V6_ME, V6_SERVER)]),
    st.sampled_from((5000, 5001)),
    st.lists(st.integers(1, 12), max_size=4),
)


@modest(120)
@given(st.lists(datagrams, min_size=1, max_size=6), st.randoms(use_true_random=False), st.sampled_from((1, 7, 4096)))
def test_fragments_in_any_order_are_on_the_flow_of_their_first(drawn, random, batch_frames):
    expected: dict[frozenset, int] = {}
    packets = []
    for number, ((source, destination), port, cuts) in enumerate(drawn):
        mine = source in (ME, YOU, V6_ME)
        ports = (port, 4000) if mine else (4000, port)
        parts = pieces(source, destination, 17, udp_datagram(*ports, b"x" * 80), cuts, 100 + number)
        key = frozenset([(source, ports[0]), (destination, ports[1])])
        expected[key] = expected.get(key, 0) + sum(map(len, parts))
        packets += parts
    random.shuffle(packets)
    outcome = measure(at(packets), batch_frames=batch_frames)
    found = {
        frozenset([(flow.client, flow.client_port), (flow.server, flow.server_port)]): sum(flow.octets)
        for flow in outcome.flows
    }
    assert found == expected
    assert not outcome.totals.overflows


@pytest.mark.parametrize("version", [4, 6])
def test_a_datagram_whose_first_fragment_never_comes_is_on_the_flow_without_ports_and_counted(version):
    ends = (ME, ALPHA_ADDRESS) if version == 4 else (V6_ME, V6_SERVER)
    _, *rest = pieces(*ends, 17, udp_datagram(5000, 4000, b"x" * 80), [2, 4], 9)
    outcome = measure(at(rest))
    (flow,) = outcome.flows
    assert (flow.client, flow.client_port, flow.server_port, flow.octets) == (ends[0], 0, 0, (sum(map(len, rest)), 0))
    assert outcome.overflow("first fragment never came") == 1


def test_an_identification_that_comes_again_after_the_time_out_is_another_datagram():
    """RFC 8200, 4.5: 60 seconds."""
    old = pieces(ME, ALPHA_ADDRESS, 17, udp_datagram(5000, 4000, b"x" * 80), [4], 9)
    new = pieces(ME, ALPHA_ADDRESS, 17, udp_datagram(5001, 4000, b"y" * 80), [4], 9)
    frames = [Sent(START_NS + after * SECOND_NS, packet) for after, packet in ((0, old[0]), (61, new[1]), (62, new[0]))]
    octets = {flow.client_port: flow.octets[0] for flow in measure(frames).flows}
    assert octets == {5000: len(old[0]), 5001: len(new[0]) + len(new[1])}


def test_destination_options_inside_the_fragmented_part_do_not_part_first_and_later():
    """RFC 8200, 4.5: fragments belong together by source, destination and identification alone."""
    whole = struct.pack("!BBI", 17, 0, 0x01040000) + b"\0\0" + udp_datagram(5000, 4000, b"x" * 80)
    parts = pieces(V6_ME, V6_SERVER, 60, whole, [6], 77)
    for order in (parts, parts[::-1]):
        (flow,) = measure(at(order)).flows
        assert (flow.client_port, flow.octets[0]) == (5000, sum(map(len, parts)))


def test_an_authentication_header_does_not_part_first_and_later():
    """RFC 791, 3.2: the protocol field is the same in all fragments, so what stands above it cannot be part of the key."""
    whole = struct.pack("!BBHII", 17, 4, 0, 1, 1) + b"\0" * 12 + udp_datagram(5000, 4000, b"x" * 80)
    parts = pieces(ME, ALPHA_ADDRESS, 51, whole, [8], 77)
    (flow,) = measure(at(parts)).flows
    assert (flow.client_port, flow.octets[0]) == (5000, sum(map(len, parts)))


@pytest.mark.parametrize("flows", [1, 2, 3])
@pytest.mark.parametrize("fragments", [1, 2])
def test_no_subscriber_pays_for_anothers_fragments_however_small_the_tables(flows, fragments):
    """A fragment given up opens a flow, which may evict the very flow that the packet at hand belongs to."""
    frames, expected = [], {ME: 0, YOU: 0}
    for number in range(12):
        mine = (ME, YOU)[number % 2]
        parts = pieces(mine, OTHER_ADDRESS, 17, udp_datagram(5000 + number, 4000, b"x" * 80), [4], number + 1)
        if number % 2:
            frames.append(parts[0])  # a first fragment
            expected[mine] += len(parts[0])
        else:
            frames.append(parts[1])  # a later one that waits for its first
            expected[mine] += len(parts[1])
    outcome = measure(at(frames), flows=flows, fragments=fragments)
    found = {ME: 0, YOU: 0}
    for key, volume in outcome.usage.items():
        found[key[1]] += volume[0] + volume[1]
    assert found == expected


@modest(80)
@given(st.lists(st.tuples(datagrams, st.integers(0, 3)), min_size=1, max_size=10), st.integers(1, 3), st.integers(1, 3))
def test_what_each_subscriber_uses_does_not_depend_on_the_tables_sizes(drawn, flows, fragments):
    packets, expected = [], {}
    for number, (((source, destination), port, cuts), keep) in enumerate(drawn):
        mine = source if source in (ME, YOU, V6_ME) else destination
        parts = pieces(source, destination, 17, udp_datagram(port, 4000, b"x" * 80), cuts, number % 4 + 1)
        for part in parts[keep:]:
            packets.append(part)
            subscriber = "2001:db8:5:7::" if mine == V6_ME else mine
            expected[subscriber] = expected.get(subscriber, 0) + len(part)
    outcome = measure(at(packets), flows=flows, fragments=fragments, held_volumes=2)
    found: dict[str, int] = {}
    for key, volume in outcome.usage.items():
        found[key[1]] = found.get(key[1], 0) + volume[0] + volume[1]
    assert found == expected


def test_fragments_of_what_comes_after_the_close_stand_apart_too():
    """Trick 14: or else a closed free flow is a tunnel, all but the first fragment of each packet."""
    ports = (443, 50000)
    packets = [
        ip_packet(ME, ALPHA_ADDRESS, 6, tcp_segment(*ports[::-1], 1, 0, SYN)),
        ip_packet(ALPHA_ADDRESS, ME, 6, tcp_segment(*ports, 1, 2, SYN | ACK)),
        ip_packet(ME, ALPHA_ADDRESS, 6, tcp_segment(*ports[::-1], 2, 2, FIN | ACK)),
        ip_packet(ALPHA_ADDRESS, ME, 6, tcp_segment(*ports, 2, 3, RST)),
    ]
    parts = pieces(ALPHA_ADDRESS, ME, 6, tcp_segment(*ports, 2, 3, ACK, b"x" * 1200), [10, 60, 100], 5)
    outcome = measure(at(packets + parts))
    assert outcome.by_standing()["after_close"] == sum(map(len, parts))


def test_fragments_between_strangers_are_transit():
    parts = pieces("192.0.2.1", OTHER_ADDRESS, 17, udp_datagram(5000, 4000, b"x" * 80), [2, 4], 9)
    outcome = measure(at(parts[::-1]))
    assert dict((reason, octets) for reason, _, octets in outcome.totals.unmetered)["transit"] == sum(map(len, parts))
