"""A slow and obvious meter in plain Python: lists, dicts, one packet after the other, every volume kept until the end.

It knows packets as the tests make them, never as octets. Rules are accounting's; the time-outs are those that
`Limits` documents (RFC 5382, RFC 4787, RFC 5508). Where it and the kernels differ, one of them is wrong.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from ipaddress import IPv6Network, ip_address, ip_network

from frames import ACK, FIN, RST, SYN, TCP, UDP, Sent, icmp_error, ip_packet, tcp_segment, udp_datagram
from meters import ALPHA_ADDRESS, BETA_ADDRESS, NETWORKS, SECOND_NS, Flow, interval_of

CLOSED_S, TRANSITORY_S, ESTABLISHED_S, UDP_S, OTHER_S = 120, 240, 7440, 300, 60

# Accounting 2.2 and 2.4 for the applications of `meters.lookup`.
BY_ADDRESS = {ALPHA_ADDRESS: ("alpha", "address"), BETA_ADDRESS: ("beta", "address")}
BY_NAME_AND_ADDRESS = {
    ("alpha.example", ALPHA_ADDRESS): ("alpha", "verified"),
    ("beta.example", BETA_ADDRESS): ("beta", "verified"),
}
BY_NAME = {
    "alpha.example": ("alpha", "contradicted"),
    "beta.example": ("beta", "claimed"),
    "gamma.example": ("gamma", "claimed"),
}


@dataclass(frozen=True)
class Packet:
    """One packet of a test. `quoted`: it is an ICMP error about that packet."""

    time_ns: int
    source: str
    destination: str
    protocol: int
    source_port: int = 0
    destination_port: int = 0
    flags: int = ACK
    sequence: int = 0
    acknowledgement: int = 0
    payload: bytes = field(default=b"", repr=False)
    name: str | None = None  # what a hello in `payload` asks for
    quoted: Packet | None = None

    def packet(self) -> bytes:
        if self.quoted is not None:
            above = icmp_error(self.quoted.packet()[:60])
        elif self.protocol == TCP:
            ports = (self.source_port, self.destination_port)
            above = tcp_segment(*ports, self.sequence, self.acknowledgement, self.flags, self.payload)
        elif self.protocol == UDP:
            above = udp_datagram(self.source_port, self.destination_port, self.payload)
        else:
            above = self.payload
        return ip_packet(self.source, self.destination, self.protocol, above)

    def sent(self) -> Sent:
        return Sent(self.time_ns, self.packet())


def subscriber_of(address: str) -> str | None:
    """Accounting 1.4: one IPv4 address, one IPv6 /64."""
    number = ip_address(address)
    if not any(number in ip_network(network) for network in NETWORKS if ip_network(network).version == number.version):
        return None
    return str(IPv6Network((number, 64), strict=False).network_address) if number.version == 6 else address


@dataclass
class TwinFlow:
    client: tuple[str, int]
    server: tuple[str, int]
    protocol: int
    first_ns: int
    number: int
    last_ns: int = 0
    timeout_s: int = OTHER_S
    first_sequence: dict[bool, int] = field(default_factory=dict)  # of each end's SYN, by "is the server"
    synack_acknowledged: dict[bool, int] = field(default_factory=dict)
    seen: set = field(default_factory=set)
    fins: set = field(default_factory=set)
    reset: bool = False
    looked_at: bool = True  # until it is closed from both ends; a reset may never have arrived
    took_part: bool = False
    errors: int = 0
    name: str | None = None
    name_end: int = 0
    name_from_server: bool = False
    answered: bool = False
    volumes: list = field(default_factory=list)  # (interval, from server, octets, after the close)

    @property
    def closed(self) -> bool:
        return self.reset or len(self.fins) == 2

    @property
    def subscriber(self) -> str | None:
        return subscriber_of(self.client[0]) or subscriber_of(self.server[0])

    @property
    def subscriber_is_server(self) -> bool:
        return subscriber_of(self.client[0]) is None

    def verdict(self) -> tuple[str, str]:
        """Application and evidence."""
        other = self.client[0] if self.subscriber is not None and self.subscriber_is_server else self.server[0]
        if self.name is None:
            return BY_ADDRESS.get(other, ("unknown", "none"))
        # Where a capture begins in mid-flow the end that asks may not be the one taken for the client.
        asked_by_stranger = self.subscriber is not None and self.name_from_server != self.subscriber_is_server
        if self.subscriber is None and self.name_from_server:
            other = self.client[0]
        if not self.answered or asked_by_stranger:
            return "unknown", "none"
        return BY_NAME_AND_ADDRESS.get((self.name, other)) or BY_NAME.get(self.name, ("unknown", "none"))


class TwinMeter:
    def __init__(self, capacity: int = 10**9) -> None:
        self.capacity = capacity
        self.clock_ns = -(2**63)
        self.open: list[TwinFlow] = []  # the one whose last packet is the longest ago comes first
        self.usage: dict[tuple, list[int]] = {}
        self.ended: list[Flow] = []
        self.transit_octets = 0
        self.evicted = 0
        self.begun = 0

    def feed(self, packet: Packet) -> None:
        self.clock_ns = max(self.clock_ns, packet.time_ns)
        for flow in list(self.open):
            if self.clock_ns - flow.last_ns > flow.timeout_s * SECOND_NS:
                self.end(flow, "idle")
        while len(self.open) > self.capacity:
            self.evicted += 1
            self.end(self.open[0], "evicted")
        octets = len(packet.packet())
        if packet.quoted is not None and self.feed_error(packet, octets):
            return
        source, destination = (packet.source, packet.source_port), (packet.destination, packet.destination_port)
        if packet.quoted is not None:
            source, destination = (packet.source, 0), (packet.destination, 0)
        flow = self.find(source, destination, packet.protocol)
        if flow is not None and self.begins_anew(flow, packet, source == flow.server):
            self.end(flow, "reused")
            flow = None
        if flow is None:
            turned = packet.protocol == TCP and packet.flags & (SYN | ACK) == SYN | ACK
            client, server = (destination, source) if turned else (source, destination)
            self.begun += 1
            flow = TwinFlow(client, server, packet.protocol, self.clock_ns, self.begun)
            self.open.append(flow)
        from_server = source == flow.server and source != flow.client
        after_close = packet.protocol == TCP and flow.closed and bool(packet.payload)
        if packet.protocol == TCP:
            self.follow(flow, packet, from_server)
        else:
            flow.timeout_s = UDP_S if packet.protocol == UDP else OTHER_S
        refusal = packet.protocol == TCP and packet.flags & RST
        if not refusal and from_server == flow.subscriber_is_server:
            flow.took_part = True
        flow.last_ns = self.clock_ns
        self.open.remove(flow)
        self.open.append(flow)
        flow.volumes.append((interval_of(self.clock_ns)[0], from_server, octets, after_close))

    def find(self, source, destination, protocol) -> TwinFlow | None:
        for flow in self.open:
            if flow.protocol == protocol and {(flow.client, flow.server)} & {
                (source, destination),
                (destination, source),
            }:
                return flow
        return None

    def begins_anew(self, flow: TwinFlow, packet: Packet, from_server: bool) -> bool:
        """A SYN with another sequence number; the one that a SYN-ACK already answered is the flow's own, come late."""
        if packet.protocol != TCP or packet.flags & (SYN | ACK) != SYN:
            return False
        own = flow.first_sequence.get(from_server) == packet.sequence
        late = flow.synack_acknowledged.get(not from_server) == packet.sequence + 1
        return not own and not late

    def follow(self, flow: TwinFlow, packet: Packet, from_server: bool) -> None:
        if packet.flags:
            flow.seen.add(from_server)
        if packet.flags & SYN:
            flow.first_sequence[from_server] = packet.sequence
            if packet.flags & ACK:
                flow.synack_acknowledged[from_server] = packet.acknowledgement
        if packet.flags & FIN:
            flow.fins.add(from_server)
        if packet.flags & RST:
            flow.reset = True
        if packet.name is not None and flow.name is None and flow.looked_at:
            flow.name, flow.name_from_server = packet.name, from_server
            flow.name_end = packet.sequence + len(packet.payload)
        elif (
            flow.name is not None and from_server != flow.name_from_server and flow.looked_at and not packet.flags & RST
        ):
            if packet.flags & ACK and packet.acknowledgement >= flow.name_end:
                flow.answered = True
        if flow.closed and not flow.reset:
            flow.looked_at = False
        if flow.closed:
            flow.timeout_s = CLOSED_S
        elif len(flow.seen) < 2 or flow.fins or packet.flags & SYN:
            flow.timeout_s = TRANSITORY_S
        else:
            flow.timeout_s = ESTABLISHED_S

    def feed_error(self, packet: Packet, octets: int) -> bool:
        """Accounting 1.6: an ICMP error belongs to the flow it quotes; no more of them than packets it can be about."""
        quoted = packet.quoted
        if quoted.source != packet.destination:
            return False
        source, destination = (quoted.source, quoted.source_port), (quoted.destination, quoted.destination_port)
        flow = self.find(source, destination, quoted.protocol)
        if flow is None:
            return False
        about_server = source == flow.server
        sent = sum(1 for _, from_server, _, _ in flow.volumes if from_server == about_server)
        if flow.errors >= sent:
            return False
        flow.errors += 1
        flow.volumes.append((interval_of(self.clock_ns)[0], not about_server, octets, False))
        return True

    def end(self, flow: TwinFlow, reason: str) -> None:
        self.open.remove(flow)
        if reason != "evicted":
            reason = "rst" if flow.reset else "fin" if flow.closed else reason
        application, evidence = flow.verdict()
        for interval, from_server, octets, after_close in flow.volumes:
            if flow.subscriber is None:
                self.transit_octets += octets
                continue
            standing = "after_close" if after_close else "taken_part" if flow.took_part else "unasked"
            key = (interval, flow.subscriber, application, evidence, standing)
            volume = self.usage.setdefault(key, [0, 0, 0, 0])
            downlink = from_server != flow.subscriber_is_server
            volume[downlink] += octets
            volume[2 + downlink] += 1
        sums = [
            (sum(v[2] for v in flow.volumes if v[1] == way), sum(v[1] == way for v in flow.volumes)) for way in (0, 1)
        ]
        self.ended.append(
            Flow(
                *flow.client,
                *flow.server,
                flow.protocol,
                flow.first_ns,
                flow.last_ns,
                (sums[0][0], sums[1][0]),
                (sums[0][1], sums[1][1]),
                flow.subscriber,
                application,
                evidence,
                reason,
            )
        )

    def finish(self) -> None:
        for flow in list(self.open):
            self.end(flow, "input_end")
