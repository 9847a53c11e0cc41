"""Bindings in the meter's tables, against a model that goes through all of them for each packet."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import ip_address, ip_network

from frames import UDP, Sent, batch, ip_packet, modest, udp_datagram
from hypothesis import given
from hypothesis import strategies as st
from meters import NETWORKS, SECOND_NS, SMALL, START_NS, interval_of, lookup

from classifier.detection.ciphers import CipherLibrary
from classifier.kernels.ranges import flatten
from classifier.metering.meter import Meter
from classifier.metering.tables import Limits, Watched
from classifier.subscribers.compile import compile_subscribers

TELLER, PORT = "192.0.2.2", 1813
CAPACITY = 6
NEVER_NS = 2**63 - 1
PREFIXES = (
    "10.0.0.1/32",
    "10.0.0.2/32",
    "198.51.100.1/32",  # outside the networks
    "2001:db8:5::/48",
    "2001:db8:5::/56",
    "2001:db8:5:1::/64",
    "2001:db8:5:1::9/128",
    "2001:db8:77::/64",  # outside
)
ADDRESSES = (
    "10.0.0.1",
    "10.0.0.2",
    "10.0.0.3",
    "198.51.100.1",
    "2001:db8:5:1::9",
    "2001:db8:5:1::8",
    "2001:db8:5:2::1",
    "2001:db8:5:200::1",
    "2001:db8:77::1",
)
SERVERS = {4: "203.0.113.9", 6: "2001:db8:f::9"}


@dataclass(frozen=True)
class Told:
    """A change as the meter takes it."""

    version: int
    high: int
    low: int
    prefix_length: int
    subscriber_number: int
    mac: int | None = None


def told(prefix: str, number: int) -> Told:
    network = ip_network(prefix)
    first = int(network.network_address)
    return Told(network.version, first >> 64, first & 2**64 - 1, network.prefixlen, number)


class Teller:
    """Understands payloads of (prefix, number) in its own writing, and ends what it is told to at an instant."""

    def __init__(self, ends: dict[int, str]) -> None:
        self.watched = Watched((PORT,), flatten([(4, int(ip_address(TELLER)), 32, 0)]), CAPACITY, 2 + CAPACITY)
        self.ends = dict(sorted(ends.items()))

    @property
    def next_expiry_ns(self) -> int:
        return next(iter(self.ends), NEVER_NS)

    def observe(self, time_ns, version, source, destination, source_port, destination_port, payload):
        assert (version, destination, destination_port) == (4, int(ip_address(TELLER)), PORT)
        changes = self.advance(time_ns)
        for line in payload.decode().split():
            prefix, number = line.split("=")
            changes.append(told(prefix, int(number)))
        return changes

    def advance(self, time_ns):
        due = [at for at in self.ends if at <= time_ns]
        return [told(self.ends.pop(at), -1) for at in due]


class Sums:
    """The sink: octets by subscriber number."""

    def __init__(self) -> None:
        self.octets: dict[int, int] = {}

    def usage(self, rows) -> None:
        for row in rows:
            number = int(row.subscriber)
            self.octets[number] = self.octets.get(number, 0) + int(row.uplink_octets + row.downlink_octets)

    def flows(self, rows, names) -> None:
        pass

    def interval(self, start_ns, end_ns) -> None:
        pass


packets = st.tuples(
    st.just("packet"),
    st.sampled_from(ADDRESSES),
    st.booleans(),
    st.integers(1, 3),
    st.integers(0, 40),
    st.integers(0, 9),
)
changes = st.tuples(
    st.just("change"), st.lists(st.tuples(st.sampled_from(PREFIXES), st.integers(-1, 5)), min_size=1, max_size=3)
)
ends = st.dictionaries(st.integers(0, 60), st.sampled_from(PREFIXES), max_size=4)


def expected(events, at_ns, ends_ns):
    """Octets by subscriber number, or by the plain subscriber's address or /64; transit under None."""
    bound: dict = {}
    networks = [ip_network(text) for text in NETWORKS]
    octets: dict = {}
    pending = dict(sorted(ends_ns.items()))
    for event, time_ns in zip(events, at_ns, strict=True):
        for at in [at for at in pending if at <= time_ns]:
            bound.pop(pending.pop(at), None)
        if event[0] == "change":
            for prefix, number in event[1]:
                if number < 0:
                    bound.pop(prefix, None)
                elif prefix in bound or len(bound) < CAPACITY:
                    bound[prefix] = number
            continue
        _, text, _, _, size, _ = event
        address = ip_address(text)
        over = [ip_network(prefix) for prefix in bound if address in ip_network(prefix)]
        if over:
            who = bound[str(max(over, key=lambda network: network.prefixlen))]
        elif any(address in network for network in networks):
            who = text if address.version == 4 else str(ip_network(f"{text}/64", strict=False))
        else:
            who = None
        octets[who] = octets.get(who, 0) + size + (28 if address.version == 4 else 48)
    return octets


def metered(events, at_ns, ends_ns, batch_frames):
    frames = []
    for event, time_ns in zip(events, at_ns, strict=True):
        if event[0] == "change":
            payload = " ".join(f"{prefix}={number}" for prefix, number in event[1]).encode()
            packet = ip_packet("192.0.2.1", TELLER, UDP, udp_datagram(1812, PORT, payload))
        else:
            _, address, uplink, port, size, _ = event
            server = SERVERS[ip_address(address).version]
            ends_of = ((address, port), (server, 9)) if uplink else ((server, 9), (address, port))
            packet = ip_packet(
                ends_of[0][0], ends_of[1][0], UDP, udp_datagram(ends_of[0][1], ends_of[1][1], bytes(size))
            )
        frames.append(Sent(time_ns, packet))
    sums = Sums()
    meter = Meter(
        lookup(),
        compile_subscribers([ip_network(text) for text in NETWORKS], ()),
        interval_of,
        sums,
        CipherLibrary(),
        listed_subscribers=2,
        limits=Limits(**SMALL),
        seed=1,
        watcher=Teller(ends_ns),
    )
    for first in range(0, len(frames), batch_frames):
        meter.feed(*batch(frames[first : first + batch_frames]))
    meter.finish()
    meter.check_conservation()
    entries = meter.subscriber_entries()
    found: dict = {}
    for number, octets in sums.octets.items():
        who = number
        if number > 2 + CAPACITY:
            entry = entries[number]
            address = int(entry.high) << 64 | int(entry.low)
            who = f"{ip_address(address)}/64" if entry.version == 6 else str(ip_address(address))
        found[who] = octets
    transit = dict((reason, octets) for reason, _, octets in meter.totals().unmetered)["transit"]
    told_octets = sum(len(frame.octets) for frame, event in zip(frames, events, strict=True) if event[0] == "change")
    if transit > told_octets:
        found[None] = transit - told_octets
    return found


@given(st.lists(st.one_of(packets, packets, changes), min_size=1, max_size=60), ends, st.sampled_from([1, 7, 4096]))
@modest(150)
def test_every_octet_is_whose_the_longest_bound_prefix_was_when_it_passed(events, ends, batch_frames):
    """Whatever is bound, bound over, let go or expires, with a table that is too small at times."""
    at_ns, clock_ns = [], START_NS
    for event in events:
        clock_ns += SECOND_NS * (event[-1] if event[0] == "packet" else 0) + 1
        at_ns.append(clock_ns)
    ends_ns = {START_NS + seconds * SECOND_NS: prefix for seconds, prefix in ends.items()}
    assert metered(events, at_ns, ends_ns, batch_frames) == expected(events, at_ns, ends_ns)


def test_places_that_were_let_go_are_used_again():
    """A table that is full, emptied and filled with others, three times."""
    events = []
    for turn in range(3):
        chosen = (PREFIXES[turn:] + PREFIXES[:turn])[:CAPACITY]
        events.append(("change", [(prefix, number) for number, prefix in enumerate(chosen)]))
        events += [("packet", address, True, 1, turn, 0) for address in ADDRESSES]
        events.append(("change", [(prefix, -1) for prefix in chosen]))
    at_ns = [START_NS + step for step in range(len(events))]
    assert metered(events, at_ns, {}, 4096) == expected(events, at_ns, {})
