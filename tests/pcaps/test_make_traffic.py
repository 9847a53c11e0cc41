"""The traffic of the benches, made of the bundled captures and read again with dpkt and ipaddress."""

from __future__ import annotations

import socket
from ipaddress import ip_address, ip_network
from pathlib import Path

import dpkt
import pytest

from benches.make_traffic import make_real

PCAPS = Path(__file__).resolve().parents[2] / "pcaps"
LIMIT_OCTETS = 1_500_000
PRIVATE = [ip_network(text) for text in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7")]


def is_private(text: str) -> bool:
    return bool(text) and any(ip_address(text) in network for network in PRIVATE)


@pytest.fixture(scope="module")
def traffic(tmp_path_factory) -> tuple[Path, int]:
    target = tmp_path_factory.mktemp("traffic") / "real.pcap"
    return target, make_real(PCAPS, target, LIMIT_OCTETS)


def _packets(path: Path) -> list[tuple[float, str, str, int]]:
    """(time, source, destination, length) of each IP packet; every frame must hold one."""
    read = []
    with path.open("rb") as file:
        for time, frame in dpkt.pcap.Reader(file):
            packet = dpkt.ethernet.Ethernet(frame).data
            # dpkt does not look under two VLAN tags of one kind, nor into PPPoE under tags; those are few.
            if isinstance(packet, dpkt.ip.IP | dpkt.ip6.IP6):
                family = socket.AF_INET if isinstance(packet, dpkt.ip.IP) else socket.AF_INET6
                ends = [socket.inet_ntop(family, end) for end in (packet.src, packet.dst)]
            else:
                ends = ["", ""]
            read.append((time, *ends, len(frame)))
    return read


def test_the_file_keeps_to_its_size_and_holds_the_packets_it_says(traffic):
    path, packets = traffic
    assert LIMIT_OCTETS - 2000 < path.stat().st_size <= LIMIT_OCTETS
    assert len(_packets(path)) == packets


def test_the_same_sources_give_the_same_octets(traffic, tmp_path):
    path, _ = traffic
    make_real(PCAPS, tmp_path / "again.pcap", LIMIT_OCTETS)
    assert (tmp_path / "again.pcap").read_bytes() == path.read_bytes()


def test_time_goes_on_over_the_repetitions(traffic):
    times = [packet[0] for packet in _packets(traffic[0])]
    assert times == sorted(times)


def test_a_repetition_has_other_subscribers_and_the_same_servers(traffic):
    packets = _packets(traffic[0])
    first = packets[0]
    block = next(n for n in range(1, len(packets)) if packets[n][3] == first[3] and packets[n][2] == first[2] != "")
    # The first repetition ends where the lengths begin again.
    lengths = [packet[3] for packet in packets]
    block = next(n for n in range(block, len(packets) // 2 + 1) if lengths[n : 2 * n] == lengths[:n])
    changed = 0
    for (_, *before, _), (_, *after, _) in zip(packets[:block], packets[block:], strict=False):
        subscribers = [old for old in before if is_private(old)]
        for old, new in zip(before, after, strict=True):
            if old in subscribers:
                assert new != old
                assert is_private(new)
                changed += 1
            elif subscribers:
                assert new == old
    assert changed > block // 2


def test_nothing_to_repeat_is_an_error_that_names_the_folder(tmp_path):
    with pytest.raises(ValueError, match=tmp_path.name):
        make_real(tmp_path, tmp_path / "real.pcap", 1000)
