"""Real captures against what tshark says of each: frames, octets, TLS and HTTP names.

tshark is good, not God: where freeflow differs, the reason stands beside the file. Every list here is checked to be
needed: an exception that no longer differs fails the test.
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from classifier.capture.files import open_capture
from classifier.errors import CaptureError
from classifier.gateway.plan import Plan, load_plan
from classifier.gateway.session import Session
from classifier.records import FlowRecord, UsageReport

# Octets: what tshark reports has no doubt in its own file, and yet differs from accounting 1.
OUTER_OCTETS_DIFFER: dict[str, str] = {}
# Octets where tshark itself doubts and freeflow follows accounting 1.2: the frame's length where the header claims more
# than the wire held, the header's length where the capture stopped inside it.
DOUBTS_WITH_A_RULE = (
    "IP lengths exceed the frame length on the wire",
    "frames are cut by the snap length",
    "IPv4 total length is 0",
    "disputed",
    "unreliable",
    "tshark stops before the inner IP packet",
    "our decoder lacks",
    "link type outside our decoder",
)
TLS_NAMES_MISSED = {
    "ndpi/default/pcap/capwap_data.pcapng": "inside CAPWAP, a tunnel that is not opened",
    "ndpi/default/pcap/rdp2.pcap": "TLS over UDP (RDP's own transport), not over TCP",
}
QUIC_NAMES_MISSED: dict[str, str] = {}
HTTP_HOSTS_MISSED = {
    "libpcap/tests/filter/AH-IPcomp-IPv6.pcap": "the packet is compressed (IPComp)",
    "zeek/tunnels/gtp/gtp1_gn_normal_incl_fragmentation.pcap": "the tunnel's outer packet is fragmented before Host",
}
NAMES_TSHARK_LACKS = {
    "ndpi/default/pcap/heuristic_tcp_ack_payload.pcap": "tshark takes the padding of an ACK for the request's start",
    "ndpi/default/pcap/tls_missing_ch_frag.pcap": "the hello's last segment was not captured; the name stands before it",
    "suricata-verify/http-request-line/input.pcap": "a request line that tshark does not take for HTTP",
    "pcapflowlab/quic/quic_test_4.pcap": "octets of the QUIC hello were not captured; the name stands before them",
    "tcpdump/quic_vn.pcap": "the hello after a Version Negotiation, which tshark does not open",
}
REFUSED_LINK_TYPES = 12  # at most: PKTAP, FDDI, frame relay, IPNET, 802.15.4, netlink, USER2 and the like

EVERYONE = ["0.0.0.0/0", "::/0"]  # then no tunnel is opened
NOBODY = ["203.0.113.255/32"]  # then all are


def _plan(networks: list[str]) -> Plan:
    plan = load_plan(None, subscriber_networks=networks)
    small = plan.limits._replace(flows=1 << 13, subscribers=1 << 13, fragments=1 << 8, streams=1 << 8)
    return replace(plan, limits=small)


def _meter(path: Path, plan: Plan) -> tuple[UsageReport, list[FlowRecord]]:
    session = Session(plan, log_flows=True, seed=1)
    flows: list[FlowRecord] = []
    with open_capture(str(path)) as capture:
        for batch in capture:
            session.meter.feed(batch.buffer, batch.frames)
            flows.extend(session.ended_flows())
    session.meter.finish()
    flows.extend(session.ended_flows())
    return session.report(), flows


@pytest.fixture(scope="module")
def metered(captures: Path) -> dict[str, tuple[dict, UsageReport | None, list[FlowRecord]]]:
    """Each capture: truth, report with no tunnel opened (None: link type refused), flows with and without tunnels."""
    everyone, nobody = _plan(EVERYONE), _plan(NOBODY)
    results = {}
    for truth_file in sorted((captures / "truth").rglob("*.json")):
        truth = json.loads(truth_file.read_text())
        path = captures / truth["file"]
        try:
            report, flows = _meter(path, everyone)
            _, inner = _meter(path, nobody)
        except CaptureError:
            results[truth["file"]] = (truth, None, [])
            continue
        results[truth["file"]] = (truth, report, flows + inner)
    return results


@pytest.mark.captures
def test_every_record_is_a_frame_and_every_frame_is_accounted_for(metered):
    assert len(metered) > 1000
    assert sum(report is None for _, report, _ in metered.values()) <= REFUSED_LINK_TYPES
    for name, (truth, report, _) in metered.items():
        if report is not None:
            assert report.observed_frames == truth["accounting"]["packets"], name
            parts = (report.zero_rated, report.discounted, report.charged)
            frames = sum(part.frames for part in parts) + sum(entry.frames for entry in report.unmetered)
            octets = sum(part.octets for part in parts) + sum(entry.octets for entry in report.unmetered)
            assert (frames, octets) == (report.observed_frames, report.observed_octets), name


@pytest.mark.captures
def test_octets_are_tsharks_wherever_it_has_no_doubt(metered):
    differing = {}
    for name, (truth, report, _) in metered.items():
        if report is None or report.observed_octets == truth["accounting"]["outer_ip_bytes"]:
            continue
        doubts = [*truth["uncertain"], truth["byte_check"]["verdict"]]
        if not any(rule in doubt for rule in DOUBTS_WITH_A_RULE for doubt in doubts):
            differing[name] = (report.observed_octets, truth["accounting"]["outer_ip_bytes"])
    assert set(differing) == set(OUTER_OCTETS_DIFFER), differing


def _names(flows: list[FlowRecord]) -> set[tuple[str, int, str, int, str]]:
    return {
        (flow.client, flow.client_port, flow.server, flow.server_port, name)
        for flow in flows
        for name in (flow.name, flow.other_name)
        if name is not None
    }


def _missed(metered, key: str) -> tuple[int, dict[str, list[str]]]:
    """(names in the truth, file -> names that were not found)."""
    total = 0
    missed: dict[str, list[str]] = {}
    for file, (truth, report, flows) in metered.items():
        found = _names(flows)
        for entry in truth[key]:
            total += 1
            _, client, client_port, server, server_port = entry["tuple"]
            name = entry["name"].lower()
            ends = {(client, client_port, server, server_port, name), (server, server_port, client, client_port, name)}
            if report is None or not ends & found:
                missed.setdefault(file, []).append(entry["name"])
    return total, missed


@pytest.mark.captures
def test_tls_names_over_tcp_are_found(metered):
    total, missed = _missed(metered, "tls_sni")
    assert set(missed) == set(TLS_NAMES_MISSED), missed
    assert sum(map(len, missed.values())) <= 0.005 * total


@pytest.mark.captures
def test_http_hosts_are_found(metered):
    total, missed = _missed(metered, "http_host")
    assert set(missed) == set(HTTP_HOSTS_MISSED), missed
    assert sum(map(len, missed.values())) <= 0.005 * total


@pytest.mark.captures
@pytest.mark.parametrize(("key", "at_least"), [("quic_sni", 149), ("gquic_sni", 24)])
def test_quic_names_are_found(metered, key, at_least):
    total, missed = _missed(metered, key)
    assert total >= at_least
    assert set(missed) == set(QUIC_NAMES_MISSED), missed
    assert sum(map(len, missed.values())) <= 0.005 * total


@pytest.mark.captures
def test_a_quic_name_is_one_of_quic(metered):
    for file, (truth, _, flows) in metered.items():
        known = {entry["name"].lower() for key in ("quic_sni", "gquic_sni") for entry in truth[key]}
        others = {flow.name for flow in flows if flow.source == "quic_sni" and flow.name is not None} - known
        assert not others or file in NAMES_TSHARK_LACKS, (file, others)


@pytest.mark.captures
def test_no_name_is_invented(metered):
    keys = ("tls_sni", "tls_sni_assembled", "http_host", "quic_sni", "gquic_sni")
    invented = {}
    for file, (truth, _, flows) in metered.items():
        known = {entry["name"].lower() for key in keys for entry in truth[key]}
        extra = {name for *_, name in _names(flows) if name not in known}
        if extra:
            invented[file] = extra
    assert set(invented) == set(NAMES_TSHARK_LACKS), invented
