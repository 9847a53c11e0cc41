"""What the meter learns from DNS in real captures: all that dpkt and dictionaries learn, and nothing that tshark did not see.

The twin here takes Ethernet captures of the plain kind, reads them with dpkt and follows the same rules: an answer on the
ends, ports and id of an open query for the same name and type, aliases followed from the question.
"""

from __future__ import annotations

import json
from dataclasses import replace
from ipaddress import ip_address, ip_network
from pathlib import Path

import dpkt
import pytest

from classifier.capture.files import open_capture
from classifier.errors import CaptureError
from classifier.gateway.plan import load_plan
from classifier.gateway.session import Session
from classifier.kernels.notes import OLDEST

EVERYONE = ["0.0.0.0/0", "::/0"]
ADDRESS_TYPES = {dpkt.dns.DNS_A: "ip", dpkt.dns.DNS_AAAA: "ip6"}
LIFETIME_S = 10
# The twin learns less. Checked to be needed.
TWIN_LEARNS_LESS = {
    "libpcap/tests/filter/http_PPI.pcap": "802.11 with PPI",
    "ndpi/default/pcap/KakaoTalk_chat.pcap": "Linux cooked",
    "pcapplusplus/Pcap++Test/PcapExamples/linktype_ipv4.pcap": "raw IPv4",
    "pcapplusplus/Pcap++Test/PcapExamples/raw_ip.pcap": "raw IP",
    "tcpdump/arcnet-rfc1201-arp-icmp-http.pcap": "ARCNET",
    "zeek/dns-edns-cookie.pcap": "over TCP",
    "zeek/dns-edns-ecs.pcap": "dpkt refuses messages with RRSIG records",
    "zeek/dns-tsig.pcap": "dpkt refuses messages with TSIG records",
    "zeek/dnssec/ed448.no.pcap": "dpkt refuses messages with DNSKEY and RRSIG records",
}


def learned_by_meter(path: Path, plan) -> set[tuple[str, str]]:
    """(subscriber, address of a server) that the meter has notes of."""
    session = Session(plan, seed=1)
    with open_capture(str(path)) as capture:
        for batch in capture:
            session.meter.feed(batch.buffer, batch.frames)
    notes = session.meter._tables.learned
    found, place = set(), int(notes.marks[OLDEST])
    while place:
        row = notes.rows[place]
        number = int(row.key_high) << 64 | int(row.key_low)
        address = ip_address(number.to_bytes(4 if row.version == 4 else 16, "big"))
        found.add((session.subscriber_label(int(row.subscriber)), str(address)))
        place = int(row.after)
    return found


def subscriber_of(text: str) -> str:
    """Accounting 1.4: an IPv6 subscriber is one /64."""
    address = ip_address(text)
    return text if address.version == 4 else str(ip_network((int(address) >> 64 << 64, 64)))


def messages(path: Path):
    """(time, source, source port, destination, destination port, DNS message) of whole datagrams on port 53."""
    with path.open("rb") as file:
        for time, octets in dpkt.pcap.Reader(file):
            try:
                packet = dpkt.ethernet.Ethernet(octets).data
                datagram = packet.data
                if not isinstance(datagram, dpkt.udp.UDP) or 53 not in (datagram.sport, datagram.dport):
                    continue
                if len(datagram.data) < datagram.ulen - 8:
                    continue
                message = dpkt.dns.DNS(bytes(datagram.data))
            except (dpkt.Error, AttributeError, IndexError, UnicodeError):
                continue
            yield (
                time,
                str(ip_address(packet.src)),
                datagram.sport,
                str(ip_address(packet.dst)),
                datagram.dport,
                message,
            )


def learned_by_twin(path: Path) -> set[tuple[str, str]]:
    """The same out of dictionaries."""
    asked: dict[tuple, float] = {}
    found = set()
    for time, source, source_port, destination, port, message in messages(path):
        if len(message.qd) != 1 or message.qd[0].type not in ADDRESS_TYPES or message.opcode != 0:
            continue
        name, kind = message.qd[0].name.lower(), message.qd[0].type
        if message.qr == dpkt.dns.DNS_Q:
            if port == 53:
                asked[source, source_port, destination, message.id, name, kind] = time
            continue
        begun = asked.pop((destination, port, source, message.id, name, kind), None) if source_port == 53 else None
        if begun is None or time - begun >= LIFETIME_S or message.rcode != 0 or message.tc:
            continue
        aliases = {rr.name.lower(): rr.cname.lower() for rr in message.an if rr.type == dpkt.dns.DNS_CNAME}
        for _ in range(16):
            name = aliases.get(name, name)
        for rr in message.an:
            if rr.type == kind and rr.name.lower() == name:
                found.add((subscriber_of(destination), str(ip_address(getattr(rr, ADDRESS_TYPES[kind])))))
    return found


@pytest.mark.captures
def test_the_meter_learns_what_dpkt_reads_and_nothing_that_tshark_did_not_see(captures: Path):
    plan = load_plan(None, subscriber_networks=EVERYONE)
    limits = plan.limits._replace(flows=1 << 13, subscribers=1 << 13, dns_names_each=1 << 12)
    plan = replace(plan, limits=limits)
    compared = learned = 0
    differing = set()
    for truth_file in sorted((captures / "truth").rglob("*.json")):
        truth = json.loads(truth_file.read_text())
        if not truth["dns"]:
            continue
        path = captures / truth["file"]
        try:
            by_meter = learned_by_meter(path, plan)
        except CaptureError:
            continue
        seen = {str(ip_address(text)) for texts in truth["dns"].values() for text in texts}
        assert {address for _, address in by_meter} <= seen, truth["file"]
        learned += len(by_meter)
        try:
            by_twin = learned_by_twin(path)
        except (ValueError, dpkt.Error):  # pcapng, or damaged
            continue
        assert by_twin <= by_meter, truth["file"]
        if by_twin != by_meter:
            differing.add(truth["file"])
        compared += len(by_twin)
    assert differing == set(TWIN_LEARNS_LESS)
    assert learned > 300
    assert compared > 200
