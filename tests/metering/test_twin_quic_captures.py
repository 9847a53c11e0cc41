"""QUIC names in the shared captures against tshark's: datagrams by dpkt, names from the joined hello by dpkt.

Where a name is not the one of tshark, or is missed, the reason stands beside the file; each reason is checked to be needed.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import dpkt
import pytest
from dpkt.utils import inet_to_str
from quic_stack import hello_name, joined
from twin_quic import QuicReader, QuicStatus

from classifier.capture.files import open_capture
from classifier.errors import CaptureError
from classifier.iana import LINK_ETHERNET, LINK_LINUX_SLL, LINK_NULL, LINK_PPP, LINK_RAW

Ends = tuple[str, int, str, int]

NAMES_MISSED: dict[str, str] = {}
NAMES_TSHARK_LACKS = {"tcpdump/quic_vn.pcap": "the hello after a Version Negotiation, which tshark does not open"}
# Versions without vectors in an RFC or a draft, and without a name in the truth: a capture whose Initials have to open.
OPENED = {
    0xFF000017: "ndpi/default/pcap/quic-23.pcap",
    0xFF00001C: "ndpi/default/pcap/quic_0RTT.pcap",
    0xFF000020: "ndpi/default/pcap/doq.pcapng",
    0xFF000022: "ndpi/default/pcap/quic-34.pcap",
    0xFACEB002: "ndpi/default/pcap/quic-mvfst-27.pcapng",
    0x51303530: "ndpi/default/pcap/quic_q50.pcap",
    0x54303531: "ndpi/default/pcap/quic_t51.pcap",
}
# Flows whose server sends something, and yet nothing that answers.
UNANSWERED = {
    "ndpi/default/pcap/quic_frags_different_dcid.pcapng": "one server Initial, an ACK",
    "zeek/quic/quic-multiple-initial-fragmented-crypto.pcap": "server Initials with ACKs only; the client gives up",
}


def _internet(frame: bytes, link_type: int) -> dpkt.Packet | None:
    """The IP packet of a frame, for the link types that QUIC is captured on."""
    if link_type == LINK_ETHERNET:
        return dpkt.ethernet.Ethernet(frame).data
    if link_type == LINK_LINUX_SLL:
        return dpkt.sll.SLL(frame).data
    if link_type == LINK_PPP:
        frame = frame[4:] if frame[:2] == b"\xff\x03" else frame[2:]
    elif link_type == LINK_NULL:
        frame = frame[4:]
    elif link_type != LINK_RAW:
        return None
    return (dpkt.ip6.IP6 if frame[0] >> 4 == 6 else dpkt.ip.IP)(frame)


def _datagrams(path: Path) -> Iterator[tuple[Ends, bytes]]:
    """(ends, payload) of each UDP datagram that dpkt finds."""
    with open_capture(str(path)) as capture:
        for batch in capture:
            for frame in batch.frames:
                octets = bytes(batch.buffer[frame["offset"] : frame["offset"] + frame["captured_octets"]])
                try:
                    packet = _internet(octets, frame["link_type"])
                except (dpkt.Error, IndexError):
                    continue
                udp = getattr(packet, "data", None)
                if isinstance(packet, dpkt.ip.IP | dpkt.ip6.IP6) and isinstance(udp, dpkt.udp.UDP):
                    yield (inet_to_str(packet.src), udp.sport, inet_to_str(packet.dst), udp.dport), bytes(udp.data)


def _read(path: Path, clients: set[Ends]) -> Iterator[tuple[Ends, set[str], bool, bool]]:
    """(ends from the client, names, answered?, did the server send?) of each flow; the first to send is the client."""
    reader = QuicReader()
    serials: dict[Ends, int] = {}
    pieces: dict[Ends, dict[int, list[tuple[int, bytes]]]] = defaultdict(lambda: defaultdict(list))
    names: dict[Ends, set[str]] = defaultdict(set)
    answered, spoken = set(), set()
    for ends, payload in _datagrams(path):
        backward = (*ends[2:], *ends[:2])
        from_server = backward in serials or (backward in clients and ends not in serials)
        flow = backward if from_server else ends
        result = reader.read(serials.setdefault(flow, len(serials)), from_server, payload)
        pieces[flow][result.attempt] += result.crypto
        if result.name is not None:
            names[flow].add(result.name.decode("latin-1"))
        if result.answered:
            answered.add(flow)
        if from_server and result.status is not QuicStatus.NOT_QUIC:
            spoken.add(flow)
    for flow in serials:
        hellos = (hello_name(joined(one)) for one in pieces[flow].values())
        yield flow, names[flow] | {name for name in hellos if name}, flow in answered, flow in spoken


@pytest.fixture(scope="module")
def read(captures: Path) -> dict[str, tuple[dict, list[tuple[Ends, set[str], bool, bool]]]]:
    """File -> (truth, its flows)."""
    results = {}
    for truth_file in sorted((captures / "truth").rglob("*.json")):
        truth = json.loads(truth_file.read_text())
        clients = {tuple(entry["tuple"][1:]) for key in ("quic_sni", "gquic_sni") for entry in truth[key]}
        try:
            results[truth["file"]] = (truth, list(_read(captures / truth["file"], clients)))
        except CaptureError:
            continue
    return results


@pytest.mark.captures
@pytest.mark.parametrize(("key", "at_least"), [("quic_sni", 149), ("gquic_sni", 24)])
def test_names_are_found(read, key, at_least):
    total, missed = 0, {}
    for file, (truth, flows) in read.items():
        found = {(*ends, name) for ends, names, *_ in flows for name in names}
        wanted = {(*entry["tuple"][1:], entry["name"]) for entry in truth[key]}
        total += len(wanted)
        if wanted - found:
            missed[file] = wanted - found
    assert total >= at_least
    assert set(missed) == {file for file in NAMES_MISSED if read[file][0][key]}, missed
    assert sum(map(len, missed.values())) <= 0.005 * total


@pytest.mark.captures
def test_no_name_is_invented(read):
    invented = {}
    for file, (truth, flows) in read.items():
        known = {(*entry["tuple"][1:], entry["name"]) for key in ("quic_sni", "gquic_sni") for entry in truth[key]}
        extra = {(*ends, name) for ends, names, *_ in flows for name in names} - known
        if extra:
            invented[file] = extra
    assert set(invented) == set(NAMES_TSHARK_LACKS), invented


@pytest.mark.captures
def test_a_flow_with_a_name_is_answered_where_its_server_says_more_than_an_ack(read):
    unanswered = {}
    counted = 0
    for file, (_, flows) in read.items():
        for ends, names, answered, spoken in flows:
            counted += bool(names) and spoken
            if names and spoken and not answered:
                unanswered[file] = ends
    assert counted >= 30
    assert set(unanswered) == set(UNANSWERED), unanswered


@pytest.mark.captures
@pytest.mark.parametrize(("version", "file"), OPENED.items())
def test_initials_of_versions_without_a_vector_open(captures, version, file):
    reader = QuicReader()
    opened = set()
    for ends, payload in _datagrams(captures / file):
        result = reader.read(hash(ends), False, payload)
        if result.status is QuicStatus.OPENED:
            opened.add(result.version)
    assert version in opened
