"""What is blocked is counted apart and marked in the list of frames; everything else is metered as if it were not there."""

from __future__ import annotations

from ipaddress import ip_network

import pytest
from frames import Sent, batch, client_hello, ip_packet, tcp_segment, udp_datagram
from meters import (
    ALPHA_ADDRESS,
    APPLICATIONS,
    BETA_ADDRESS,
    NETWORKS,
    SMALL,
    START_NS,
    Gatherer,
    check_balance,
    interval_of,
    lookup,
    measure,
    outcome_of,
)

from classifier.detection.ciphers import CipherLibrary
from classifier.kernels.blocking import SETS
from classifier.metering.meter import Meter
from classifier.metering.tables import Limits
from classifier.records import EVIDENCE
from classifier.subscribers.compile import compile_subscribers

TCP, UDP, SYN, ACK = 6, 17, 2, 16
ALPHA, BETA = APPLICATIONS.index("alpha"), APPLICATIONS.index("beta")
VERIFIED, ADDRESS = EVIDENCE.index("verified"), EVIDENCE.index("address")


def conversation(subscriber: str, server: str, name: str, port: int = 50_000) -> list[Sent]:
    """A connection that names itself and gets an answer; then ten packets each way."""
    hello = client_hello(name)

    def up(sequence, acknowledgement, flags=ACK, payload=b""):
        segment = tcp_segment(port, 443, sequence, acknowledgement, flags, payload)
        return Sent(START_NS, ip_packet(subscriber, server, TCP, segment))

    def down(sequence, acknowledgement, flags=ACK, payload=b""):
        segment = tcp_segment(443, port, sequence, acknowledgement, flags, payload)
        return Sent(START_NS, ip_packet(server, subscriber, TCP, segment))

    told = 101 + len(hello)
    begin = [
        up(100, 0, SYN),
        down(900, 101, SYN | ACK),
        up(101, 901, payload=hello),
        down(901, told, payload=b"x" * 100),
    ]
    later = [[up(told + 10 * n, 1001, payload=b"u" * 10), down(1001, told + 10 * n + 10)] for n in range(10)]
    return begin + [packet for pair in later for packet in pair]


class Gateway:
    """A meter that blocks, and the frames that it let through."""

    def __init__(self, **limits: int) -> None:
        self.gatherer = Gatherer()
        self.meter = self.gatherer.meter = Meter(
            lookup(),
            compile_subscribers([ip_network(text) for text in NETWORKS], ()),
            interval_of,
            self.gatherer,
            CipherLibrary(),
            limits=Limits(**(SMALL | limits)),
            log_flows=True,
            seed=1,
            blocked_applications=len(APPLICATIONS),
        )
        self.sent: list[Sent] = []
        self.passed: list[Sent] = []

    def feed(self, frames: list[Sent]) -> None:
        buffer, listed = batch(frames)
        self.meter.feed(buffer, listed)
        self.sent += frames
        self.passed += [frame for frame, record in zip(frames, listed, strict=True) if not record.dropped]

    def end(self):
        self.meter.finish()
        outcome = outcome_of(self.gatherer)
        check_balance(self.sent, outcome)
        blocked = dict((reason, (frames, octets)) for reason, frames, octets in outcome.totals.unmetered)["blocked"]
        dropped = [frame for frame in self.sent if frame not in self.passed]
        assert blocked == (len(self.sent) - len(self.passed), sum(len(frame.octets) for frame in dropped))
        return outcome


def numbers(gateway: Gateway) -> dict[str, int]:
    entries = gateway.meter.subscriber_entries()
    return {gateway.gatherer.subscriber(number): number for number in range(1, len(entries))}


def test_an_application_is_blocked_from_the_next_packet_on_and_nothing_else():
    alpha = conversation("10.0.0.1", ALPHA_ADDRESS, "alpha.example")
    beta = conversation("10.0.0.1", BETA_ADDRESS, "beta.example", 50_001)
    other = conversation("10.0.0.2", ALPHA_ADDRESS, "alpha.example")
    gateway = Gateway()
    gateway.feed(alpha[:10] + beta[:10] + other[:10])
    assert gateway.meter.block({numbers(gateway)["10.0.0.1"]: frozenset({(ALPHA, VERIFIED), (ALPHA, ADDRESS)})}) == 0
    gateway.feed(alpha[10:] + beta[10:] + other[10:])
    outcome = gateway.end()
    passed = alpha[:10] + beta + other
    assert sorted(map(repr, gateway.passed)) == sorted(map(repr, passed))
    assert outcome.usage == measure(passed).usage


def test_what_is_allowed_again_passes():
    alpha = conversation("10.0.0.1", ALPHA_ADDRESS, "alpha.example")
    gateway = Gateway()
    gateway.feed(alpha[:10])
    gateway.meter.block({numbers(gateway)["10.0.0.1"]: None})
    gateway.feed(alpha[10:14])
    gateway.meter.block({})
    gateway.feed(alpha[14:])
    gateway.end()
    assert gateway.passed == alpha[:10] + alpha[14:]


def test_a_new_connection_passes_until_it_is_known_for_what_it_is():
    first = conversation("10.0.0.1", ALPHA_ADDRESS, "alpha.example")
    second = conversation("10.0.0.1", ALPHA_ADDRESS, "alpha.example", 50_002)
    gateway = Gateway()
    gateway.feed(first)
    gateway.meter.block({numbers(gateway)["10.0.0.1"]: frozenset({(ALPHA, VERIFIED)})})
    gateway.feed(second)
    gateway.end()
    assert gateway.passed == first + second[:4]


@pytest.mark.parametrize(
    "cases", [None, frozenset((a, e) for a in range(len(APPLICATIONS)) for e in range(len(EVIDENCE)))]
)
def test_a_barred_subscriber_gets_and_sends_nothing(cases):
    warm = [Sent(START_NS, ip_packet("10.0.0.1", ALPHA_ADDRESS, UDP, udp_datagram(1, 2, b"x")))]
    alpha = conversation("10.0.0.1", ALPHA_ADDRESS, "alpha.example")
    gateway = Gateway()
    gateway.feed(warm)
    gateway.meter.block({numbers(gateway)["10.0.0.1"]: cases})
    gateway.feed(alpha)
    outcome = gateway.end()
    assert gateway.passed == warm
    assert outcome.usage == measure(warm).usage


def test_a_joined_frame_that_is_blocked_counts_as_its_packets():
    warm = [Sent(START_NS, ip_packet("10.0.0.1", ALPHA_ADDRESS, UDP, udp_datagram(1, 2, b"x")))]
    gateway = Gateway()
    gateway.feed(warm)
    gateway.meter.block({numbers(gateway)["10.0.0.1"]: None})
    packet = ip_packet(ALPHA_ADDRESS, "10.0.0.1", UDP, udp_datagram(2, 1, bytes(3000)))
    joined = Sent(START_NS, packet, gso_octets=1000)
    gateway.meter.feed(*batch([joined]))
    gateway.meter.finish()
    blocked = [entry for entry in gateway.meter.totals().unmetered if entry[0] == "blocked"]
    assert blocked == [("blocked", 3, 3 * 1028)]


def test_more_sets_than_there_is_room_for_are_told_and_pass():
    gateway = Gateway(subscribers=400)
    every = [(a, e) for a in range(len(APPLICATIONS)) for e in range(len(EVIDENCE))]
    sets = {n: frozenset(case for bit, case in enumerate(every) if n >> bit & 1) for n in range(1, 301)}
    assert gateway.meter.block(sets) == 300 - (SETS - 2)  # two of them are always the same
    assert gateway.meter.block({n: sets[n % 50 + 1] for n in sets}) == 0


def test_nothing_of_a_barred_subscriber_passes_in_fragments():
    datagram = udp_datagram(5000, 9999, b"y" * 2000)
    pieces = [
        Sent(
            START_NS + 1,
            ip_packet("10.0.0.1", ALPHA_ADDRESS, UDP, datagram[a:b], identification=7, more=more, offset_octets=a),
        )
        for a, b, more in ((0, 1000, 1), (1000, 1600, 1), (1600, len(datagram), 0))
    ]
    rests = [
        Sent(START_NS + 2, ip_packet(*ends, UDP, b"z" * 1000, identification=100 + n, offset_octets=1000))
        for n in range(20)
        for ends in (("10.0.0.1", ALPHA_ADDRESS), (ALPHA_ADDRESS, "10.0.0.1"))
    ]
    gateway = Gateway()
    gateway.feed([Sent(START_NS, ip_packet("10.0.0.1", ALPHA_ADDRESS, UDP, udp_datagram(5000, 9999, b"x" * 20)))])
    gateway.meter.block({numbers(gateway)["10.0.0.1"]: None})
    gateway.feed(pieces + rests)
    gateway.end()
    assert len(gateway.passed) == 1


def test_the_later_fragments_of_what_is_used_up_do_not_pass_either():
    alpha = conversation("10.0.0.1", ALPHA_ADDRESS, "alpha.example")
    segment = tcp_segment(50_000, 443, 5000, 1001, ACK, b"f" * 1200)
    pieces = [
        Sent(
            START_NS + 1,
            ip_packet("10.0.0.1", ALPHA_ADDRESS, TCP, segment[a:b], identification=9, more=more, offset_octets=a),
        )
        for a, b, more in ((0, 600, 1), (600, len(segment), 0))
    ]
    gateway = Gateway()
    gateway.feed(alpha)
    gateway.meter.block({numbers(gateway)["10.0.0.1"]: frozenset({(ALPHA, VERIFIED)})})
    gateway.feed(pieces)
    gateway.end()
    assert len(gateway.passed) == len(alpha)
