"""What is blocked is counted apart and marked in the list of frames; everything else is metered as if it were not there."""

from __future__ import annotations

from ipaddress import ip_network

import numpy as np
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
from classifier.metering.blocking import BARRED, FIRST_KIND, NOTHING, SLOTS_TOLD, Allowed
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

    def block(self, blocked: dict[str, frozenset | None]) -> None:
        """These cases of these subscribers have nothing left (None: they are barred), and nothing else ends."""
        kinds = [Allowed({}, {case: ((), True) for case in cases}) for cases in blocked.values() if cases is not None]
        places = iter(range(FIRST_KIND, FIRST_KIND + len(kinds)))
        self.tell({of: BARRED if cases is None else next(places) for of, cases in blocked.items()}, kinds)

    def tell(self, kind_of: dict[str, int], kinds: list[Allowed], other: int = NOTHING, since_ns: int = 0) -> None:
        told = np.full(self.meter.subscriber_numbers()[1], other, np.uint16)
        for of, kind in kind_of.items():
            told[numbers(self)[of]] = kind
        self.meter.block(told, kinds, since_ns)

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
    gateway.block({"10.0.0.1": frozenset({(ALPHA, VERIFIED), (ALPHA, ADDRESS)})})
    gateway.feed(alpha[10:] + beta[10:] + other[10:])
    outcome = gateway.end()
    passed = alpha[:10] + beta + other
    assert sorted(map(repr, gateway.passed)) == sorted(map(repr, passed))
    assert outcome.usage == measure(passed).usage


def test_what_is_allowed_again_passes():
    alpha = conversation("10.0.0.1", ALPHA_ADDRESS, "alpha.example")
    gateway = Gateway()
    gateway.feed(alpha[:10])
    gateway.block({"10.0.0.1": None})
    gateway.feed(alpha[10:14])
    gateway.block({})
    gateway.feed(alpha[14:])
    gateway.end()
    assert gateway.passed == alpha[:10] + alpha[14:]


def test_a_new_connection_passes_until_it_is_known_for_what_it_is():
    first = conversation("10.0.0.1", ALPHA_ADDRESS, "alpha.example")
    second = conversation("10.0.0.1", ALPHA_ADDRESS, "alpha.example", 50_002)
    gateway = Gateway()
    gateway.feed(first)
    gateway.block({"10.0.0.1": frozenset({(ALPHA, VERIFIED)})})
    gateway.feed(second)
    gateway.end()
    assert gateway.passed == first + second[:4]


def test_a_barred_subscriber_gets_and_sends_nothing():
    warm = [Sent(START_NS, ip_packet("10.0.0.1", ALPHA_ADDRESS, UDP, udp_datagram(1, 2, b"x")))]
    alpha = conversation("10.0.0.1", ALPHA_ADDRESS, "alpha.example")
    gateway = Gateway()
    gateway.feed(warm)
    gateway.block({"10.0.0.1": None})
    gateway.feed(alpha)
    outcome = gateway.end()
    assert gateway.passed == warm
    assert outcome.usage == measure(warm).usage


def test_a_joined_frame_that_is_blocked_counts_as_its_packets():
    warm = [Sent(START_NS, ip_packet("10.0.0.1", ALPHA_ADDRESS, UDP, udp_datagram(1, 2, b"x")))]
    gateway = Gateway()
    gateway.feed(warm)
    gateway.block({"10.0.0.1": None})
    packet = ip_packet(ALPHA_ADDRESS, "10.0.0.1", UDP, udp_datagram(2, 1, bytes(3000)))
    joined = Sent(START_NS, packet, gso_octets=1000)
    gateway.meter.feed(*batch([joined]))
    gateway.meter.finish()
    blocked = [entry for entry in gateway.meter.totals().unmetered if entry[0] == "blocked"]
    assert blocked == [("blocked", 3, 3 * 1028)]


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
    gateway.block({"10.0.0.1": None})
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
    gateway.block({"10.0.0.1": frozenset({(ALPHA, VERIFIED)})})
    gateway.feed(pieces)
    gateway.end()
    assert len(gateway.passed) == len(alpha)


def allowed(given: dict[int, int], courses: dict[int, tuple[int, ...]]) -> Allowed:
    """Applications that are known for sure take from these slots, and then end."""
    return Allowed(given, {(application, VERIFIED): (slots, True) for application, slots in courses.items()})


def expected(sent: list[tuple[int, Sent]], given: dict[int, int], courses: dict[int, tuple[int, ...]]) -> list[Sent]:
    """What passes, counted by hand: a conversation is decided with its fourth packet, and counts from its first on."""
    left, seen, passed = dict(given), dict.fromkeys(courses, 0), []
    for application, frame in sent:
        slots = courses[application]
        seen[application] += 1
        if seen[application] > 4 and not any(left[slot] for slot in slots):
            continue
        passed.append(frame)
        octets = len(frame.octets)
        if seen[application] < 4:
            continue
        if seen[application] == 4:
            octets = sum(len(one.octets) for of, one in sent if of == application and one in passed)
        for slot in slots:
            taken = min(left[slot], octets)
            left[slot] -= taken
            octets -= taken
    return passed


@pytest.mark.parametrize("batch_frames", [1, 7, 4096])
@pytest.mark.parametrize(
    ("given", "courses"),
    [
        ({0: 1}, {ALPHA: (0,), BETA: (0,)}),
        ({0: 900, 1: 800}, {ALPHA: (0,), BETA: (1,)}),
        ({0: 1234}, {ALPHA: (0,), BETA: (0,)}),
        ({0: 700, 1: 850}, {ALPHA: (0, 1), BETA: (1,)}),
        ({0: 10**9, 15: 600}, {ALPHA: (0,), BETA: (15,)}),
        ({3: 400, 7: 300, 15: 500}, {ALPHA: (3, 7, 15), BETA: (15,)}),
    ],
)
def test_the_packet_behind_the_one_that_used_it_up_is_the_first_that_does_not_pass(batch_frames, given, courses):
    alpha = conversation("10.0.0.1", ALPHA_ADDRESS, "alpha.example")
    beta = conversation("10.0.0.1", BETA_ADDRESS, "beta.example", 50_001)
    sent = [one for pair in zip(alpha, beta, strict=True) for one in zip((ALPHA, BETA), pair, strict=True)]
    gateway = Gateway()
    gateway.tell(
        {}, [allowed(given, courses)], other=FIRST_KIND
    )  # who was never seen before has it from the first packet on
    frames = [frame for _, frame in sent]
    for first in range(0, len(frames), batch_frames):
        gateway.feed(frames[first : first + batch_frames])
    outcome = gateway.end()
    passed = expected(sent, given, courses)
    assert gateway.passed == passed
    assert len(passed) < len(frames)
    assert outcome.usage == measure(passed).usage


@pytest.mark.parametrize("used_less", [-1, 0, 1])
def test_what_is_told_of_use_counts_to_the_octet(used_less):
    alpha = conversation("10.0.0.1", ALPHA_ADDRESS, "alpha.example")
    octets = [len(frame.octets) for frame in alpha]
    gateway = Gateway()
    other = [Sent(START_NS, ip_packet("10.0.0.1", ALPHA_ADDRESS, UDP, udp_datagram(1, 53, b"x")))]
    gateway.feed(other)
    gateway.tell({}, [allowed({0: 10_000}, {ALPHA: (0,)})], other=FIRST_KIND)
    row = np.zeros((1, SLOTS_TOLD), np.int64)
    row[0, 0] = 10_000 - sum(octets[:8]) - used_less
    gateway.meter.tell_used(np.array([numbers(gateway)["10.0.0.1"]]), row)
    gateway.feed(alpha)
    gateway.end()
    # One octet more is left: then the ninth packet passes, too, and is the one that uses it up.
    assert gateway.passed == other + alpha[: 9 if used_less > 0 else 8]


def test_what_came_in_before_the_terms_began_is_not_counted_down():
    alpha = conversation("10.0.0.1", ALPHA_ADDRESS, "alpha.example")
    gateway = Gateway()
    gateway.feed(alpha[:3])
    since_ns = interval_of(START_NS)[1]
    later = [Sent(since_ns, frame.octets) for frame in alpha[3:]]
    gateway.tell({}, [allowed({0: len(later[0].octets)}, {ALPHA: (0,)})], other=FIRST_KIND, since_ns=since_ns)
    gateway.feed(later)
    gateway.end()
    assert gateway.passed == alpha[:3] + later[:1]
