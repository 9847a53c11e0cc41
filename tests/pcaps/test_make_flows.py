"""The many flows of the benches, read again with dpkt."""

from __future__ import annotations

import socket
from collections import Counter, defaultdict
from pathlib import Path

import dpkt
import pytest

from benches.make_flows import make_flows

SUBSCRIBERS, APPLICATIONS, PACKETS = 50, 10, 6_000
SIZES = (64, 128)


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Path:
    target = tmp_path_factory.mktemp("flows") / "flows.pcap"
    assert make_flows(target, SUBSCRIBERS, PACKETS, SIZES) == PACKETS
    return target


def packets_of(path: Path) -> list[tuple[float, int, dpkt.ip.IP]]:
    with path.open("rb") as file:
        return [(time, len(frame), dpkt.ethernet.Ethernet(frame).data) for time, frame in dpkt.pcap.Reader(file)]


def client_of(packet: dpkt.ip.IP) -> tuple[bytes, int, bytes, int]:
    """Address and port of the subscriber, then the server's; 10.0.0.0/8 are subscribers."""
    source, destination = (packet.src, packet.data.sport), (packet.dst, packet.data.dport)
    return (*source, *destination) if packet.src[0] == 10 else (*destination, *source)


def by_flow(path: Path) -> dict[tuple, list[dpkt.ip.IP]]:
    flows = defaultdict(list)
    for _, _, packet in packets_of(path):
        flows[client_of(packet)].append(packet)
    return flows


def test_each_subscriber_has_a_flow_to_each_application(made):
    flows = by_flow(made)
    servers = Counter(flow[0] for flow in flows)
    assert len(servers) == SUBSCRIBERS
    assert set(servers.values()) == {APPLICATIONS}
    assert len({flow[2:] for flow in flows}) == APPLICATIONS
    assert sum(map(len, flows.values())) == PACKETS
    assert min(map(len, flows.values())) >= 4


def test_frames_have_the_sizes_asked_for_and_headers_that_say_the_same(made):
    asked = b"GET / HTTP/1.1\r\nHost: www.spotify.com\r\n\r\n"
    for _, octets, packet in packets_of(made):
        transport = packet.data
        if isinstance(transport, dpkt.tcp.TCP) and transport.flags & dpkt.tcp.TH_SYN:
            assert packet.len == 40
        else:
            assert packet.len == octets - 14
        assert octets in (*SIZES, 54 + len(asked))
        if isinstance(transport, dpkt.udp.UDP):
            assert transport.ulen == packet.len - 20
        elif octets == 54 + len(asked):
            assert transport.data == asked


def test_time_goes_on_and_the_most_active_has_many_times_what_the_last_one_has(made):
    packets = packets_of(made)
    times = [time for time, _, _ in packets]
    assert times == sorted(set(times))
    of = Counter(client_of(packet)[0] for _, _, packet in packets)
    # 4,000 packets are drawn; of them 1 / (1 + 1/2 + … + 1/50) = 22 % are the first subscriber's, 0.4 % the last's.
    assert 850 < of[socket.inet_aton("10.0.0.1")] < 1_000
    assert 40 <= of[socket.inet_aton("10.0.0.50")] < 90
    # And 1 / (1 + 1/2 + … + 1/10) = 34 % go to the first application, 3.4 % to the last; each has 200 besides.
    to = Counter(client_of(packet)[2] for _, _, packet in packets)
    assert 1_450 < to[socket.inet_aton("157.240.0.35")] < 1_680
    assert 290 < to[socket.inet_aton("198.51.100.80")] < 390


def test_connections_begin_with_a_handshake_and_leave_no_gap(made):
    connections = [flow for flow in by_flow(made).values() if flow[0].p == socket.IPPROTO_TCP]
    assert len(connections) == SUBSCRIBERS * 5
    for packets in connections:
        assert [packet.data.flags for packet in packets[:2]] == [0x02, 0x12]
        following = {}
        for packet in packets:
            segment = packet.data
            expected = following.setdefault(packet.src, segment.seq)
            assert segment.seq == expected
            if packet is not packets[0]:
                assert segment.ack == following.get(packet.dst, segment.ack)
            following[packet.src] += packet.len - 40 + (segment.flags >> 1 & 1)


def test_the_same_arguments_give_the_same_octets(made, tmp_path):
    make_flows(tmp_path / "again.pcap", SUBSCRIBERS, PACKETS, SIZES)
    assert (tmp_path / "again.pcap").read_bytes() == made.read_bytes()


def test_fewer_packets_than_every_flow_needs_are_refused(tmp_path):
    with pytest.raises(ValueError, match="too few"):
        make_flows(tmp_path / "flows.pcap", SUBSCRIBERS, 4 * SUBSCRIBERS * APPLICATIONS - 1, SIZES)
