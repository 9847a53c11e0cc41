"""Flows, and the packets that their two ends exchange.

Rules of this file: a packet is a scapy IP or IPv6 packet, never a frame: link layers and tunnels are put around it in
`wraps.py`. Every packet knows its flow and who sent it; nothing here knows what a meter does with it. Nothing is left
to chance: sequence numbers, identifiers and payloads follow from the flow's own addresses.
"""

from __future__ import annotations

import itertools
import random
from dataclasses import dataclass, field
from ipaddress import ip_address, ip_network

from scapy.layers.dns import DNS, DNSQR, DNSRR
from scapy.layers.inet import ICMP, IP, TCP, UDP
from scapy.layers.inet6 import ICMPv6EchoReply, ICMPv6EchoRequest, IPv6
from scapy.packet import Packet, Raw

SEGMENT_OCTETS = 1400


@dataclass(slots=True)
class Flow:
    """One flow and what a right meter says of it.

    `subscriber` is the name in the report; left out it is the client's address, or the client's /64 (accounting 1.4).
    `free` says that a programme pays for it, `programme` which one. `said` holds what else `freeflow flows` must print:
    name, source, evidence. `ports` is False where the protocol has none.
    """

    client: str
    client_port: int
    server: str
    server_port: int
    application: str = "unknown"
    protocol: str = "tcp"
    subscriber: str | None = None
    free: bool = False
    programme: str | None = None
    said: dict[str, str | None] = field(default_factory=dict)
    subscriber_is_client: bool = True
    ports: bool = True

    def __post_init__(self) -> None:
        if self.subscriber is None:
            self.subscriber = subscriber_of(self.client if self.subscriber_is_client else self.server)

    @property
    def is_ipv6(self) -> bool:
        return ip_address(self.client).version == 6

    def seed(self, purpose: str) -> str:
        ends = f"{self.client} {self.client_port} {self.server} {self.server_port} {self.protocol}"
        return f"{ends} {self.said.get('name')} {purpose}"


def subscriber_of(address: str) -> str:
    """The subscriber that an address stands for: itself, or its /64."""
    if ip_address(address).version == 4:
        return address
    return str(ip_network(f"{address}/64", strict=False))


@dataclass(slots=True)
class Step:
    """One packet on its way. `charged` marks one that no programme may pay for, whatever its flow is."""

    flow: Flow
    from_client: bool
    packet: Packet
    charged: bool = False

    @property
    def uplink(self) -> bool:
        return self.from_client == self.flow.subscriber_is_client


def addressed(flow: Flow, from_client: bool, identifier: int = 1, ttl: int = 64) -> Packet:
    """The IP header of a packet of this flow."""
    source, destination = (flow.client, flow.server) if from_client else (flow.server, flow.client)
    if flow.is_ipv6:
        return IPv6(src=source, dst=destination, hlim=ttl)
    return IP(src=source, dst=destination, id=identifier & 0xFFFF, flags="DF", ttl=ttl)


class Tcp:
    """A TCP conversation that is written down as it is spoken: `steps` holds its packets in order.

    `headers` is laid between the IP header and TCP: IPv6 extension headers.
    """

    def __init__(self, flow: Flow, headers: Packet | None = None, first_sequence_number: int | None = None) -> None:
        chance = random.Random(flow.seed("tcp"))
        self.flow = flow
        self.headers = headers
        self.steps: list[Step] = []
        client_number = chance.getrandbits(31) if first_sequence_number is None else first_sequence_number
        self.next = {True: client_number, False: chance.getrandbits(31)}
        self.identifier = {True: chance.getrandbits(15), False: chance.getrandbits(15)}

    def segment(self, from_client: bool, flags: str, payload: bytes = b"", options: tuple = ()) -> Step:
        """Write down one segment and move on in the sequence space."""
        flow = self.flow
        ports = (flow.client_port, flow.server_port) if from_client else (flow.server_port, flow.client_port)
        self.identifier[from_client] += 1
        packet = addressed(flow, from_client, self.identifier[from_client], 64 if from_client else 52)
        if self.headers is not None:
            packet = packet / self.headers.copy()
        packet = packet / TCP(
            sport=ports[0],
            dport=ports[1],
            seq=self.next[from_client] & 0xFFFFFFFF,
            ack=self.next[not from_client] & 0xFFFFFFFF if "A" in flags else 0,
            flags=flags,
            window=29200,
            options=list(options),
        )
        if payload:
            packet = packet / Raw(payload)
        self.next[from_client] += len(payload) + ("S" in flags or "F" in flags)
        step = Step(flow, from_client, packet)
        self.steps.append(step)
        return step

    def open(self) -> Tcp:
        options = (("MSS", SEGMENT_OCTETS), ("SAckOK", b""), ("NOP", None), ("WScale", 7))
        self.segment(True, "S", options=options)
        self.segment(False, "SA", options=options)
        self.segment(True, "A")
        return self

    def say(self, from_client: bool, octets: bytes, cut_at: tuple[int, ...] = ()) -> Tcp:
        """Send octets in full segments, or cut at the given places; every second one and the last are acknowledged."""
        places = [0, *(cut_at or range(SEGMENT_OCTETS, len(octets), SEGMENT_OCTETS)), len(octets)]
        for number, (start, end) in enumerate(itertools.pairwise(places)):
            last = end == len(octets)
            self.segment(from_client, "PA" if last else "A", octets[start:end])
            if last or number % 2:
                self.segment(not from_client, "A")
        return self

    def speak(self, conversation: list[tuple[bool, bytes]]) -> Tcp:
        for from_client, octets in conversation:
            self.say(from_client, octets)
        return self

    def finish(self) -> Tcp:
        """FIN from both ends."""
        self.segment(True, "FA")
        self.segment(False, "FA")
        self.segment(True, "A")
        return self

    def reset(self, from_client: bool = True) -> Tcp:
        self.segment(from_client, "RA")
        return self


def udp(flow: Flow, from_client: bool, payload: bytes | Packet, identifier: int = 1) -> Step:
    """One datagram."""
    ports = (flow.client_port, flow.server_port) if from_client else (flow.server_port, flow.client_port)
    body = payload if isinstance(payload, Packet) else Raw(payload)
    return Step(
        flow, from_client, addressed(flow, from_client, identifier) / UDP(sport=ports[0], dport=ports[1]) / body
    )


def dns(flow: Flow, name: str, answer: str, identifier: int) -> list[Step]:
    """A query for the address of `name` and the resolver's answer."""
    kind = "AAAA" if ip_address(answer).version == 6 else "A"
    question = DNSQR(qname=name, qtype=kind)
    query = DNS(id=identifier, rd=1, qd=question)
    record = DNSRR(rrname=name, type=kind, ttl=300, rdata=answer)
    reply = DNS(id=identifier, qr=1, rd=1, ra=1, qd=question, an=record)
    return [udp(flow, True, query), udp(flow, False, reply)]


def ntp(flow: Flow) -> list[Step]:
    """A client's request and the server's answer (RFC 5905, 7.3), the fields beyond the first octet left at zero."""
    return [udp(flow, True, b"\x23" + bytes(47)), udp(flow, False, b"\x24\x02" + bytes(46))]


def echo(flow: Flow, number: int, octets: int = 56) -> list[Step]:
    """An echo request and its reply."""
    body = Raw(bytes(range(octets)))
    if flow.is_ipv6:
        kinds = (ICMPv6EchoRequest(id=7, seq=number), ICMPv6EchoReply(id=7, seq=number))
    else:
        kinds = (ICMP(type=8, id=7, seq=number), ICMP(type=0, id=7, seq=number))
    return [
        Step(flow, from_client, addressed(flow, from_client) / kinds[not from_client] / body)
        for from_client in (True, False)
    ]


def opaque(flow: Flow, sizes: list[tuple[bool, int]]) -> list[Step]:
    """Datagrams of random octets, (from the client?, octets) each, that look like a QUIC connection past its handshake.

    The first octet is a short header's (RFC 9000, 17.3.1), so nothing in them names anybody.
    """
    chance = random.Random(flow.seed("opaque"))
    return [udp(flow, from_client, b"\x4a" + chance.randbytes(octets - 1)) for from_client, octets in sizes]


def http_request(target: str, fields: tuple[tuple[str, str], ...], method: str = "GET", body: bytes = b"") -> bytes:
    """An HTTP/1.1 request (RFC 9112, 2.1)."""
    lines = [f"{method} {target} HTTP/1.1", *(f"{name}: {value}" for name, value in fields), "", ""]
    return "\r\n".join(lines).encode("latin-1") + body


def http_reply(octets: int, seed: str) -> bytes:
    """A reply whose body has the given length."""
    head = f"HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\nContent-Length: {octets}\r\n\r\n"
    return head.encode() + random.Random(seed).randbytes(octets)
