"""Captures about the network layer: fragments, extension headers, and errors that quote somebody's packet.

Rule of this file: each function is one capture, and its docstring says what a meter may get wrong in it.
"""

from __future__ import annotations

import random

from cast import (
    ANN,
    ANN6,
    ANYBODY,
    ANYBODY6,
    BEN,
    BEN6,
    CEM,
    DORA,
    FACEBOOK,
    SOMEBODY,
    anybody,
    facebook,
    https,
)
from scapy.layers.dns import DNS, DNSQR, DNSRR
from scapy.layers.inet import ICMP, IP, fragment
from scapy.layers.inet6 import (
    ICMPv6PacketTooBig,
    IPv6,
    IPv6ExtHdrDestOpt,
    IPv6ExtHdrFragment,
    IPv6ExtHdrHopByHop,
    IPv6ExtHdrRouting,
    PadN,
    fragment6,
)
from scapy.packet import Packet, Raw
from talk import Flow, Step, opaque, udp
from tally import SECOND, Capture, moment

START = moment("2014-02-20 12:00:00")


def _big_answer(flow: Flow, identifier: int, records: int, ip_identifier: int) -> tuple[Step, Packet]:
    """A DNS query and its answer of many TXT records, too large for one packet."""
    question = DNSQR(qname="large.example.org", qtype="TXT")
    chance = random.Random(flow.seed("txt"))
    answers = [
        DNSRR(rrname="large.example.org", type="TXT", ttl=60, rdata=chance.randbytes(100).hex()) for _ in range(records)
    ]
    query = udp(flow, True, DNS(id=identifier, rd=1, qd=question))
    reply = udp(flow, False, DNS(id=identifier, qr=1, ra=1, qd=question, an=answers), ip_identifier).packet
    if not flow.is_ipv6:
        reply.flags = 0
    return query, reply


def fragments_in_any_order() -> Capture:
    """Later fragments have no ports: a meter that reads some there loses two thirds of these octets."""
    scene = Capture(
        "fragments-in-any-order.pcap",
        "Datagrams in three fragments, in order, reversed, the middle first, two of them interleaved, and IPv6: all of "
        "it is the flow's that the first fragment names.",
        ("--zero-rate", "facebook"),
    )
    at_ns = START
    for number, order in enumerate(((0, 1, 2), (2, 1, 0), (1, 0, 2))):
        flow = Flow(ANN, 50400 + number, SOMEBODY, 53, "dns", "udp")
        query, reply = _big_answer(flow, number, 16, 900 + number)
        pieces = fragment(reply, fragsize=1200)
        at_ns = scene.add([query, *(Step(flow, False, pieces[place]) for place in order)], at_ns) + SECOND
    uploads = []
    for number in (0, 1):
        flow = Flow(BEN, 50410 + number, ANYBODY, 5004, protocol="udp")
        whole = udp(flow, True, random.Random(number).randbytes(3000), 950 + number).packet
        whole.flags = 0
        uploads.append([Step(flow, True, piece) for piece in fragment(whole, fragsize=1200)])
    # Reversed and interleaved: the flows begin with fragments that do not name them.
    at_ns = scene.add([step for pair in zip(*map(reversed, uploads), strict=True) for step in pair], at_ns) + SECOND
    talk = https(facebook(CEM, 50420), ((300, 6000),))
    cut: list[Step] = []
    for step in talk.steps:
        if not step.from_client and len(bytes(step.packet)) > 1200:
            step.packet.flags = 0
            cut += [Step(step.flow, False, piece) for piece in reversed(fragment(step.packet, fragsize=600))]
        else:
            cut.append(step)
    at_ns = scene.add(cut, at_ns) + SECOND
    for number, order in enumerate(((0, 1, 2), (2, 0, 1))):
        flow = Flow(ANN6, 50430 + number, ANYBODY6, 53, "dns", "udp")
        query, reply = _big_answer(flow, number, 14, 0)
        whole = IPv6(src=reply.src, dst=reply.dst) / IPv6ExtHdrFragment(id=77 + number) / reply.payload
        pieces = fragment6(whole, 1280)
        at_ns = scene.add([query, *(Step(flow, False, pieces[place]) for place in order)], at_ns) + SECOND
    return scene


def ipv6_extension_headers() -> Capture:
    """TCP is behind a chain of headers, the name behind TCP; the chain's octets are the subscriber's."""
    scene = Capture(
        "ipv6-extension-headers.pcap",
        "TLS behind hop-by-hop options, destination options, a routing header and an atomic fragment.",
        ("--zero-rate", "facebook"),
    )
    padding = [PadN(optdata=bytes(4))]
    chains = (
        IPv6ExtHdrHopByHop(options=padding),
        IPv6ExtHdrDestOpt(options=padding),
        IPv6ExtHdrRouting(type=0, segleft=0, addresses=["2001:db8:f000::1"]),
        IPv6ExtHdrFragment(offset=0, m=0, id=5),
        IPv6ExtHdrHopByHop(options=padding)
        / IPv6ExtHdrDestOpt(options=[PadN(optdata=bytes(12))])
        / IPv6ExtHdrRouting(type=0, segleft=0, addresses=["2001:db8:f000::1", "2001:db8:f000::2"])
        / IPv6ExtHdrFragment(offset=0, m=0, id=6)
        / IPv6ExtHdrDestOpt(options=padding),
    )
    for number, chain in enumerate(chains):
        flow = facebook((ANN6, BEN6)[number % 2], 50500 + number)
        scene.add(https(flow, ((200, 900),), headers=chain).steps, START + number * 3 * SECOND)
    scene.add(https(anybody(BEN6, 50510), headers=chains[4]).steps, START + 20 * SECOND)
    return scene


def _quoting(
    flow: Flow, from_client: bool, source: str, destination: str, error: Packet, quoted: Packet, octets: int
) -> Step:
    quote = Raw(bytes(quoted)[:octets])
    outer = IPv6(src=source, dst=destination) if flow.is_ipv6 else IP(src=source, dst=destination, id=3)
    return Step(flow, from_client, outer / error / quote)


def icmp_errors_quoting_flows() -> Capture:
    """An error is no flow of its own, though it comes from a router that the flow has never heard of."""
    scene = Capture(
        "icmp-errors-quoting-flows.pcap",
        "Time exceeded, port unreachable in both directions, packet too big: each belongs to the flow whose packet it "
        "quotes, and is free where that flow is.",
        ("--zero-rate", "facebook"),
    )
    router, router6 = "198.51.100.1", "2001:db8:ff::99"
    free = https(facebook(ANN, 50600)).steps
    exceeded = _quoting(free[0].flow, False, router, ANN, ICMP(type=11, code=0), free[0].packet, 28)
    at_ns = scene.add([free[0], exceeded, *free], START) + SECOND
    free6 = https(facebook(BEN6, 50601)).steps
    big = next(step for step in free6 if step.from_client and len(bytes(step.packet)) > 400)
    place = free6.index(big)
    too_big = _quoting(big.flow, False, router6, BEN6, ICMPv6PacketTooBig(mtu=1280), big.packet, 1232)
    at_ns = scene.add([*free6[: place + 1], too_big, *free6[place:]], at_ns) + SECOND
    closed = Flow(ANN, 50602, ANYBODY, 4500, protocol="udp")
    asked = udp(closed, True, bytes(120))
    refused = _quoting(closed, False, ANYBODY, ANN, ICMP(type=3, code=3), asked.packet, 28)
    at_ns = scene.add([asked, refused], at_ns) + SECOND
    late = Flow(DORA, 50603, SOMEBODY, 5060, protocol="udp")
    call, answer = udp(late, True, bytes(200)), udp(late, False, bytes(300))
    gone = _quoting(late, True, DORA, SOMEBODY, ICMP(type=3, code=3), answer.packet, 28)
    at_ns = scene.add([call, answer, gone], at_ns) + SECOND
    # A quote of all there is (RFC 1812, 4.3.2.3), for a datagram to Facebook's own range that names nobody.
    quiet = Flow(ANN, 50604, FACEBOOK, 443, "facebook", "udp", free=True)
    quiet.said = {"name": None, "source": "address", "evidence": "address"}
    datagrams = opaque(quiet, [(True, 1200), (False, 1200), (True, 60)])
    last = _quoting(quiet, False, router, ANN, ICMP(type=3, code=1), datagrams[2].packet, 88)
    scene.add([*datagrams, last], at_ns)
    return scene


SCENES = (fragments_in_any_order, ipv6_extension_headers, icmp_errors_quoting_flows)
