"""What the tests of the attack table are made of: connections packet by packet, hellos of any form, and the bill.

Rule of this file: octets are added up as packets are sent, from the packets' own lengths, so that what a test expects never
comes from the code under test. The bill is that of one offer for everyone, which takes any evidence and covers all
applications of the catalogue in `meters` by name.
"""

from __future__ import annotations

import struct
from datetime import date
from zoneinfo import ZoneInfo

from frames import ACK, FIN, PSH, RST, SYN, TCP, Sent, client_hello, ip_packet, tcp_segment
from meters import APPLICATIONS, RESOLVER, SECOND_NS, START_NS, Outcome, measure

from classifier.catalogue.records import Programme
from classifier.rating.offers import make_offers, route
from classifier.rating.periods import Periods

ME, YOU = "10.0.0.1", "10.0.0.2"
FOREIGN = "192.0.2.99"
UTC = ZoneInfo("UTC")
STEP_NS = SECOND_NS // 1000
ENCRYPTED_CLIENT_HELLO = 0xFE0D  # IANA "TLS ExtensionType Values"


class Wire:
    """Frames in the order in which they pass, a millisecond apart."""

    def __init__(self, start_ns: int = START_NS) -> None:
        self.frames: list[Sent] = []
        self.time_ns = start_ns

    def wait(self, seconds: float) -> Wire:
        self.time_ns += int(seconds * SECOND_NS)
        return self

    def send(self, packet: bytes) -> int:
        """Send an IP packet; its octets."""
        self.time_ns += STEP_NS
        self.frames.append(Sent(self.time_ns, packet))
        return len(packet)


class Connection:
    """TCP between a subscriber and a server. `uplink` and `downlink` are the octets of the packets so far."""

    def __init__(self, wire: Wire, server: str, *, client=ME, port=50000, server_port=443, isn=5000) -> None:
        self.wire = wire
        self.client, self.server, self.ports = client, server, (port, server_port)
        self.isn, self.server_isn = isn, 70_000
        self.sent_up = self.sent_down = 0
        self.uplink = self.downlink = 0

    @property
    def octets(self) -> int:
        return self.uplink + self.downlink

    def up(self, payload=b"", *, at: int | None = None, flags=ACK | PSH) -> Connection:
        """The client sends `payload`, `at` that place of its stream, else behind what it has sent."""
        at = self.sent_up if at is None else at
        segment = tcp_segment(*self.ports, self.isn + 1 + at, self.server_isn + 1 + self.sent_down, flags, payload)
        self.sent_up = max(self.sent_up, at + len(payload))
        self.uplink += self.wire.send(ip_packet(self.client, self.server, TCP, segment))
        return self

    def down(self, payload=b"", *, at: int | None = None, acknowledged: int | None = None, flags=ACK) -> Connection:
        """The server sends; it acknowledges all that the client sent unless `acknowledged` says how much."""
        at = self.sent_down if at is None else at
        acknowledged = self.sent_up if acknowledged is None else acknowledged
        numbers = (self.server_isn + 1 + at, self.isn + 1 + acknowledged)
        self.sent_down = max(self.sent_down, at + len(payload))
        segment = tcp_segment(*self.ports[::-1], *numbers, flags, payload)
        self.downlink += self.wire.send(ip_packet(self.server, self.client, TCP, segment))
        return self

    def open(self) -> Connection:
        return self.up(at=-1, flags=SYN).down(at=-1, acknowledged=0, flags=SYN | ACK).up(flags=ACK)

    def ask(self, payload: bytes, answer: int = 900) -> Connection:
        """A request and its answer."""
        return self.up(payload).down(b"\x17" * answer)

    def close(self, how: str = "fin") -> Connection:
        if how == "rst":
            return self.down(flags=RST | ACK)
        self.up(flags=FIN | ACK).down(flags=FIN | ACK, acknowledged=self.sent_up + 1)
        self.sent_up += 1
        self.sent_down += 1
        return self.up(flags=ACK)


def bill(wire: Wire, **limits) -> dict[str, int]:
    """Octets that are free, and those charged by the reason why; and what is unmetered by its reason."""
    return billed(measure(wire.frames, trusted_resolvers=(RESOLVER,), **limits))


def billed(outcome: Outcome, starts=date(2000, 1, 1), ends=None) -> dict[str, int]:
    """The bill of what the meter gave, under an offer for [starts, ends) UTC."""
    periods = Periods(UTC)
    offers = make_offers([_offer(starts, ends)], periods)
    found: dict[str, int] = {}
    for (interval, _, application, evidence, standing), volume in outcome.usage.items():
        taken = route(offers, application, evidence, standing, interval, None, periods)
        reason = taken.reason or "free"
        found[reason] = found.get(reason, 0) + volume[0] + volume[1]
    for reason, _, octets in outcome.totals.unmetered:
        if octets:
            found[reason] = octets
    return found


def verdicts(wire: Wire, **limits) -> list[tuple[str, str, str | None]]:
    """Application, evidence and name of each flow, as they began."""
    flows = sorted(measure(wire.frames, trusted_resolvers=(RESOLVER,), **limits).flows, key=lambda flow: flow.first_ns)
    return [(flow.application, flow.evidence, flow.name) for flow in flows]


def _offer(starts: date, ends: date | None) -> Programme:
    return Programme(
        name="all",
        payer="operator",
        applications=APPLICATIONS[1:],
        starts=starts,
        ends=ends,
        rate_percent=0,
        allowances=(),
        bonus=None,
        eligible=(),
        enrolment="automatic",
        registered_before=None,
        accept="claimed",
        priority=10,
        tariff=None,
        file="all.toml",
    )


def hello_naming(name: bytes, extensions: bytes = b"") -> bytes:
    """Python's own ClientHello with these octets for a name, whatever they are, and further extensions at its end."""
    plain = client_hello("placeholder.example")
    at = plain.index(b"placeholder.example")
    ciphers = 5 + 38 + 1 + plain[43]
    methods = ciphers + 2 + struct.unpack_from("!H", plain, ciphers)[0]
    first = methods + 1 + plain[methods]  # where the length of all extensions stands
    listed = struct.pack("!HHBH", len(name) + 5, len(name) + 3, 0, len(name)) + name
    rest = plain[first + 2 : at - 7] + listed + plain[at + len(b"placeholder.example") :] + extensions
    body = plain[9:first] + struct.pack("!H", len(rest)) + rest
    message = b"\x01" + struct.pack("!I", len(body))[1:] + body
    return b"\x16\x03\x01" + struct.pack("!H", len(message)) + message


def encrypted_client_hello() -> bytes:
    """The extension as a client sends it, outer (RFC 9849, 5): cipher suite, config id, key and payload, all made up."""
    inner = (
        struct.pack("!BHHB", 0, 1, 1, 42)
        + struct.pack("!H", 32)
        + b"\x5a" * 32
        + struct.pack("!H", 160)
        + b"\xa5" * 160
    )
    return struct.pack("!HH", ENCRYPTED_CLIENT_HELLO, len(inner)) + inner


def request(*lines: str | bytes, end: bytes = b"\r\n") -> bytes:
    """An HTTP/1 request of these lines, and the empty one behind them."""
    octets = [line.encode("latin-1") if isinstance(line, str) else line for line in lines]
    return end.join([*octets, b"", b""])
