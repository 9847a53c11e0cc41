"""The manifest against the captures themselves, read and counted again with scapy: no classifier in between.

The generator adds up what it builds; here the files are dissected from the outside by the accounting rules 1.1 to 1.4.
"""

from __future__ import annotations

import csv
import json
import ssl
import struct
import subprocess
import sys
import tomllib
from collections import defaultdict
from ipaddress import ip_address, ip_network
from pathlib import Path

import pytest

pytest.importorskip("scapy")

import scapy
import scapy.layers.vxlan  # binds VXLAN to UDP port 4789
from scapy.contrib.gtp import GTP_U_Header
from scapy.contrib.mpls import MPLS
from scapy.layers.inet import ICMP, IP
from scapy.layers.inet6 import IPv6, _ICMPv6Error
from scapy.layers.l2 import CookedLinux, CookedLinuxV2, Dot1Q, Ether
from scapy.layers.ppp import PPP
from scapy.packet import NoPayload, Packet, bind_layers
from scapy.utils import RawPcapReader

PCAPS = Path(__file__).resolve().parents[2] / "pcaps"
MANIFEST = json.loads((PCAPS / "manifest.json").read_text(encoding="utf-8"))
CAPTURES = sorted(MANIFEST["captures"])

# accounting 1.4: with no configuration the subscribers are in the private ranges.
PRIVATE = tuple(
    ip_network(text)
    for text in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "fc00::/7", "fe80::/10")
)

bind_layers(Ether, Dot1Q, type=0x9100)
bind_layers(MPLS, IPv6, s=1)


def _raw_ip(octets: bytes) -> Packet:
    return IP(octets) if octets[0] >> 4 == 4 else IPv6(octets)


def _mpls_payload(packet: Packet) -> Packet:
    """Under the bottom label nothing says which IP it is but its first four bits (RFC 4928)."""
    label = packet[MPLS]
    while label.s == 0:
        label = label.payload
    return _raw_ip(bytes(label.payload))


LINKS = {
    0: lambda octets: _raw_ip(octets[4:]),
    1: Ether,
    9: lambda octets: PPP(octets[2:]),
    101: _raw_ip,
    108: lambda octets: _raw_ip(octets[4:]),
    113: CookedLinux,
    228: IP,
    229: IPv6,
    276: CookedLinuxV2,
}


def _gtp_payload(header: bytes) -> Packet:
    """What a G-PDU carries (3GPP TS 29.281, 5.1 and 5.2): scapy knows few of the extension headers."""
    if header[1] != 255:
        return NoPayload()
    place = 12 if header[0] & 0x07 else 8
    following = header[11] if header[0] & 0x04 else 0
    while following:
        place += header[place] * 4
        following = header[place - 1]
    return _raw_ip(header[place:])


def _pcapng_records(octets: bytes):
    """(octets, wire length, link type): scapy's reader does not start the interfaces anew in a second section."""
    place, order, links = 0, "<", []
    while place < len(octets):
        if octets[place : place + 4] == b"\x0a\x0d\x0d\x0a":
            order, links = "<" if octets[place + 8] == 0x4D else ">", []
        kind, length = struct.unpack_from(f"{order}II", octets, place)
        body = octets[place + 8 : place + length - 4]
        if kind == 1:
            links.append(struct.unpack_from(f"{order}H", body)[0])
        elif kind == 3:
            (wire_octets,) = struct.unpack_from(f"{order}I", body)
            yield body[4 : 4 + wire_octets], wire_octets, links[0]
        elif kind in (2, 6):
            (interface,) = struct.unpack_from(f"{order}H" if kind == 2 else f"{order}I", body)
            captured, wire_octets = struct.unpack_from(f"{order}II", body, 12)
            yield body[20 : 20 + captured], wire_octets, links[interface]
        place += length


def _records(path: Path):
    """(octets, wire length, link type) of each record."""
    if path.suffix == ".pcapng":
        yield from _pcapng_records(path.read_bytes())
        return
    with RawPcapReader(str(path)) as reader:
        for octets, about in reader:
            yield octets, about.wirelen, reader.linktype


def _internet_layers(packet: Packet):
    """The IP headers from the outside in; what an ICMP error quotes is no packet on its way."""
    while not isinstance(packet, NoPayload):
        if isinstance(packet, MPLS):
            packet = _mpls_payload(packet)
            continue
        if isinstance(packet, GTP_U_Header):
            packet = _gtp_payload(packet.original)
            continue
        if isinstance(packet, ICMP | _ICMPv6Error):
            return
        if isinstance(packet, IP | IPv6) and type(packet) in (IP, IPv6):
            yield packet
        packet = packet.payload


def _octets_of(layer: Packet, beyond_snap: int) -> int:
    """accounting 1.1 and 1.2: the header's length, or what the frame carries where that cannot be."""
    carried = len(layer.original) + beyond_snap
    claimed = layer.len if isinstance(layer, IP) else layer.plen + 40
    return claimed if (claimed and claimed <= carried) else carried


def _networks_and_names(entry: dict):
    """The subscriber networks of a capture, and the subscriber's name by address or prefix."""
    if "-c" not in entry["replay"]:
        return PRIVATE, {}
    path = PCAPS / entry["replay"][entry["replay"].index("-c") + 1]
    gateway = tomllib.loads(path.read_text(encoding="utf-8"))["gateway"]
    with (path.parent / gateway["subscribers"]).open(encoding="utf-8", newline="") as file:
        names = {row["address"]: row["subscriber"] for row in csv.DictReader(file)}
    return tuple(ip_network(text) for text in gateway["subscriber_networks"]), names


def _recount(name: str) -> tuple[dict, dict, dict]:
    """(observed, unmetered by reason, (uplink, downlink) octets by subscriber)."""
    networks, names = _networks_and_names(MANIFEST["captures"][name])

    def is_inside(text: str) -> bool:
        address = ip_address(text)
        return any(address in network for network in networks if network.version == address.version)

    observed = {"frames": 0, "octets": 0}
    unmetered: dict[str, dict[str, int]] = {}
    by_subscriber: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    openers: dict[frozenset[str], str] = {}
    for octets, wire_octets, link_type in _records(PCAPS / name):
        layers = list(_internet_layers(LINKS[link_type](octets)))
        chosen = next((layer for layer in layers if is_inside(layer.src) or is_inside(layer.dst)), None)
        counted = _octets_of(chosen or layers[0], wire_octets - len(octets)) if layers else 0
        observed["frames"] += 1
        observed["octets"] += counted
        if chosen is None:
            part = unmetered.setdefault("transit" if layers else "not_ip", {"frames": 0, "octets": 0})
            part["frames"] += 1
            part["octets"] += counted
            continue
        inside = [text for text in (chosen.src, chosen.dst) if is_inside(text)]
        address = openers.setdefault(frozenset(inside), inside[0])
        key = address if "." in address else str(ip_network(f"{address}/64", strict=False))
        by_subscriber[names.get(key, key)][address != chosen.src] += counted
    return observed, unmetered, by_subscriber


def test_every_capture_is_in_the_manifest_and_small():
    files = {path.name: path.stat().st_size for path in PCAPS.iterdir() if path.suffix in (".pcap", ".pcapng")}
    assert set(files) == set(CAPTURES)
    assert max(files.values()) < 200_000
    assert sum(files.values()) < 1_000_000


@pytest.mark.parametrize("name", CAPTURES)
def test_manifest_says_what_is_in_the_capture(name):
    expected = MANIFEST["captures"][name]["expected"]
    observed, unmetered, by_subscriber = _recount(name)
    assert observed == expected["observed"]
    assert unmetered == expected["unmetered"]
    said = {
        row["subscriber"]: [
            sum(used["uplink_octets"] for used in row["applications"]),
            sum(used["downlink_octets"] for used in row["applications"]),
        ]
        for row in expected["subscribers"]
    }
    assert dict(by_subscriber) == said


@pytest.mark.parametrize("name", CAPTURES)
def test_manifest_balances(name):
    entry = MANIFEST["captures"][name]
    expected, flows = entry["expected"], entry["expected_flows"]
    for unit in ("frames", "octets"):
        parts = expected["zero_rated"][unit] + expected["charged"][unit]
        parts += sum(part[unit] for part in expected["unmetered"].values())
        assert parts == expected["observed"][unit]
    metered = expected["zero_rated"]["octets"] + expected["charged"]["octets"]
    assert sum(flow["uplink_octets"] + flow["downlink_octets"] for flow in flows) == metered


def test_captures_are_made_again_octet_for_octet(tmp_path):
    made_with = {
        "openssl": ssl.OPENSSL_VERSION,
        "ciphers": len(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).get_ciphers()),
        "scapy": scapy.__version__,
    }
    if made_with != MANIFEST["made_with"]:
        pytest.skip(f"the captures were made with {MANIFEST['made_with']}, here is {made_with}")
    subprocess.run([sys.executable, str(PCAPS / "make.py"), str(tmp_path)], check=True, capture_output=True)
    for name in (*CAPTURES, "manifest.json"):
        assert (tmp_path / name).read_bytes() == (PCAPS / name).read_bytes(), name
