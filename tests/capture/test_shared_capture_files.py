"""Every one of the real captures: as many frames as tshark counts, with the lengths and times that scapy reads."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from capture_bytes import LARGEST_NS, Listed, listed
from scapy.utils import RawPcapNgReader, RawPcapReader

from classifier.capture.files import open_capture
from classifier.errors import CaptureError

pytestmark = pytest.mark.captures

# Refused because freeflow does not decode their link type: nothing in them could be metered.
REFUSED = {
    "pcapplusplus/Pcap++Test/PcapExamples/microsecs_big_endian.pcap": "253 (NETLINK)",
    "tcpdump/802_15_4-data.pcap": "195 (IEEE802_15_4_WITHFCS)",
    "tcpdump/LINKTYPE_PKTAP.pcap": "258 (PKTAP)",
    "tcpdump/LINKTYPE_USER2_PKTAP.pcap": "149 (USER2)",
    "tcpdump/OSPFv3_multipoint_adjacencies.pcap": "107 (FRELAY)",
    "tcpdump/e1000g.pcap": "226 (IPNET)",
    "zeek/dns-inverse-query.pcap": "10 (FDDI)",
    "zeek/ieee80211.15.4.pcap": "230 (IEEE802_15_4_NOFCS)",
}
# Damaged by a fuzzer; tshark says the same and counts the one record before the end.
PROBLEMS = {"ndpi/default/pcap/fuzz-2021-10-13.pcap": "ends inside record 2 at offset 237"}
# scapy does not exchange the two lengths of versions 2.0 and 2.1.
NOT_FOR_SCAPY = {"ndpi/default/pcap/fuzz-2021-10-13.pcap", "ndpi/default/pcap/nfsv3.pcap"}


def capture_paths(captures: Path) -> list[str]:
    truth = captures / "truth"
    return sorted(str(path.relative_to(truth))[: -len(".json")] for path in truth.rglob("*.json"))


def scapy_frames(path: Path) -> list[tuple[int, int, bytes]]:
    """(time in ns, wire length, octets); scapy gives times in the file's own unit."""
    head = path.read_bytes()[:4]
    if head == b"\x0a\x0d\x0d\x0a":
        with RawPcapNgReader(str(path)) as reader:
            return [
                (((meta.tshigh << 32) + meta.tslow) * 10**9 // meta.tsresol, meta.wirelen, octets)
                for octets, meta in reader
            ]
    unit_ns = 1 if head in (b"\x4d\x3c\xb2\xa1", b"\xa1\xb2\x3c\x4d") else 1000
    with RawPcapReader(str(path)) as reader:
        return [(meta.sec * 10**9 + meta.usec * unit_ns, meta.wirelen, octets) for octets, meta in reader]


@pytest.mark.parametrize("batch_frames", [7, 4096])
def test_the_number_of_frames_is_the_one_that_tshark_counts(captures, batch_frames):
    paths = capture_paths(captures)
    assert len(paths) == 1068
    refused, problems, differences = {}, {}, {}
    for name in paths:
        truth = json.loads((captures / "truth" / f"{name}.json").read_text())
        try:
            with open_capture(str(captures / name), batch_frames=batch_frames) as capture:
                count = len(listed(capture))
        except CaptureError as error:
            refused[name] = str(error)
            continue
        if capture.problem:
            problems[name] = capture.problem
        if count != truth["accounting"]["packets"]:
            differences[name] = (count, truth["accounting"]["packets"])
    assert differences == {}
    assert refused.keys() == REFUSED.keys()
    for name, link_type in REFUSED.items():
        assert f"link type {link_type} is not supported" in refused[name]
    assert problems.keys() == PROBLEMS.keys()
    for name, problem in PROBLEMS.items():
        assert problem in problems[name]


def test_lengths_times_and_octets_are_those_that_scapy_reads(captures):
    compared, differences = 0, []
    for name in capture_paths(captures):
        if name in REFUSED or name in NOT_FOR_SCAPY:
            continue
        path = captures / name
        with open_capture(str(path)) as capture:
            found: list[Listed] = listed(capture)
        # A wire length below the captured one, as fuzzers write it, is raised to it; a time after the year 2262 (some
        # in pcapplusplus' pcapng-example, negative numbers by their look) stays at what 63 bits hold.
        expected = [
            (min(time_ns, LARGEST_NS), max(wire, len(octets)), octets) for time_ns, wire, octets in scapy_frames(path)
        ]
        compared += len(found)
        if [(frame.time_ns, frame.wire_octets, frame.octets) for frame in found] != expected:
            differences.append(name)
    assert differences == []
    assert compared > 40_000
