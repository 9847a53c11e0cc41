"""Runs the meter on frames and gathers what left it, in plain Python values."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache
from ipaddress import ip_address, ip_network

from frames import Sent, batch

from classifier.catalogue.compile import compile_catalogue
from classifier.catalogue.records import Application, Catalogue
from classifier.detection.ciphers import CipherLibrary
from classifier.metering.meter import Meter, MeterTotals
from classifier.metering.tables import Limits
from classifier.records import EVIDENCE, FLOW_END, NAME_SOURCE, STANDING
from classifier.subscribers.compile import compile_subscribers

SECOND_NS = 10**9
START_NS = 1_700_000_000 * SECOND_NS
INTERVAL_NS = 10 * SECOND_NS
NETWORKS = ("10.0.0.0/8", "2001:db8:5::/48")

# alpha serves from nowhere else, beta also from elsewhere; gamma has a name alone; delta serves only from a shared cloud.
ALPHA_ADDRESS, BETA_ADDRESS, OTHER_ADDRESS = "203.0.113.10", "203.0.113.200", "192.0.2.33"
CLOUD_ADDRESS, RESOLVER = "198.51.100.200", "192.0.2.53"
APPLICATIONS = ("unknown", "alpha", "beta", "gamma", "delta", "dns")


@cache
def lookup(trusted_resolvers: tuple[str, ...] = ()):
    """A catalogue of four applications and a service."""

    def application(name, addresses, complete, shared=(), services=()):
        return Application(
            name=name,
            title=name,
            domains=() if services else (f"{name}.example",),
            addresses=tuple(ip_network(prefix) for prefix in addresses),
            shared_addresses=tuple(ip_network(prefix) for prefix in shared),
            addresses_complete=complete,
            domains_anywhere=(),
            services=services,
            source="made up for the tests",
            updated=None,
            file=f"{name}.toml",
        )

    listed = (
        application("alpha", ("203.0.113.0/25", "2001:db8:a::/48"), True),
        application("beta", ("203.0.113.128/25",), False),
        application("gamma", (), False),
        application("delta", (), True, shared=("198.51.100.128/25",)),
        application("dns", (), False, services=(("udp", 53), ("tcp", 53))),
    )
    return compile_catalogue(Catalogue(listed, ()), trusted_resolvers)


def interval_of(clock_ns: int) -> tuple[int, int]:
    start = clock_ns // INTERVAL_NS * INTERVAL_NS
    return start, start + INTERVAL_NS


@dataclass(frozen=True, order=True)
class Flow:
    """One ended flow; the client's octets and packets first."""

    client: str
    client_port: int
    server: str
    server_port: int
    protocol: int
    first_ns: int
    last_ns: int
    octets: tuple[int, int]
    packets: tuple[int, int]
    subscriber: str | None
    application: str
    evidence: str
    ended: str
    source: str = field(compare=False, default="none")
    name: str | None = field(compare=False, default=None)
    other_name: str | None = field(compare=False, default=None)
    retransmitted_octets: int = field(compare=False, default=0)
    after_close_octets: int = field(compare=False, default=0)


@dataclass
class Outcome:
    """`usage`: (interval, subscriber, application, evidence, standing) -> uplink, downlink octets, then packets."""

    totals: MeterTotals
    usage: dict[tuple, tuple[int, int, int, int]]
    flows: list[Flow]

    def by_standing(self) -> dict[str, int]:
        found: dict[str, int] = {}
        for (*_, standing), volume in self.usage.items():
            found[standing] = found.get(standing, 0) + volume[0] + volume[1]
        return found

    def overflow(self, text: str) -> int:
        return sum(count for what, count in self.totals.overflows if text in what)


def _address(version: int, high: int, low: int) -> str:
    number = int(high) << 64 | int(low)
    return str(ip_address(number)) if version == 6 else str(ip_address(number & 0xFFFFFFFF))


class Gatherer:
    """The sink: adds usage up by what it is of, and keeps the flows."""

    def __init__(self, applications: tuple[str, ...] = APPLICATIONS) -> None:
        self.applications = applications
        self.meter: Meter | None = None
        self.volumes: dict[tuple, list[int]] = {}
        self.ended: list[Flow] = []
        self.intervals: list[tuple[int, int]] = []

    def subscriber(self, number: int) -> str | None:
        if number < 0:
            return None
        if number == 0:
            return "beyond"
        entry = self.meter.subscriber_entries()[number]
        return _address(entry["version"], entry["high"], entry["low"])

    def usage(self, rows) -> None:
        seen = set()
        for row in rows:
            key = (
                int(row.interval),
                self.subscriber(int(row.subscriber)),
                self.applications[row.application],
                EVIDENCE[row.evidence],
                STANDING[row.standing],
            )
            assert key not in seen, "a key stands in two rows of one delivery"
            seen.add(key)
            volume = self.volumes.setdefault(key, [0, 0, 0, 0])
            columns = ("uplink_octets", "downlink_octets", "uplink_packets", "downlink_packets")
            for place, column in enumerate(columns):
                volume[place] += int(row[column])

    def flows(self, rows, names: list[bytes]) -> None:
        for row in rows:
            version = int(row.version)
            self.ended.append(
                Flow(
                    client=_address(version, row.client_high, row.client_low),
                    client_port=int(row.client_port),
                    server=_address(version, row.server_high, row.server_low),
                    server_port=int(row.server_port),
                    protocol=int(row.protocol),
                    first_ns=int(row.first_ns),
                    last_ns=int(row.last_ns),
                    octets=(int(row.client_octets), int(row.server_octets)),
                    packets=(int(row.client_packets), int(row.server_packets)),
                    subscriber=self.subscriber(int(row.subscriber)),
                    application=self.applications[row.application],
                    evidence=EVIDENCE[row.evidence],
                    ended=FLOW_END[row.ended],
                    source=NAME_SOURCE[row.source],
                    name=names[row.name].decode("latin-1") if row.name >= 0 else None,
                    other_name=names[row.other_name].decode("latin-1") if row.other_name >= 0 else None,
                    retransmitted_octets=int(row.retransmitted_octets),
                    after_close_octets=int(row.after_close_octets),
                )
            )

    def interval(self, start_ns: int, end_ns: int) -> None:
        self.intervals.append((start_ns, end_ns))


SMALL = {"flows": 512, "subscribers": 64, "usage_rows": 512, "held_volumes": 64, "fragments": 64, "streams": 32}
SMALL |= {"stream_octets": 8192, "names": 256, "name_octets": 1 << 16, "flow_log": 256}


def measure(
    frames: list[Sent],
    *,
    batch_frames: int = 4096,
    seed: int = 1,
    log_flows=True,
    ciphers=None,
    trusted_resolvers=(),
    **limits,
) -> Outcome:
    """Meter `frames` to their end. Whatever they are, each frame and octet must have ended in exactly one place."""
    gatherer = Gatherer()
    meter = Meter(
        lookup(trusted_resolvers),
        compile_subscribers([ip_network(text) for text in NETWORKS], ()),
        interval_of,
        gatherer,
        ciphers or CipherLibrary(),
        limits=Limits(**(SMALL | limits)),
        log_flows=log_flows,
        seed=seed,
    )
    gatherer.meter = meter
    for first in range(0, len(frames), batch_frames):
        meter.feed(*batch(frames[first : first + batch_frames]))
    meter.finish()
    outcome = outcome_of(gatherer)
    check_balance(frames, outcome)
    return outcome


def outcome_of(gatherer: Gatherer) -> Outcome:
    """What the sink of a meter that has finished was given."""
    volumes = {key: tuple(value) for key, value in gatherer.volumes.items()}
    return Outcome(gatherer.meter.totals(), volumes, gatherer.ended)


def check_balance(frames: list[Sent], outcome: Outcome) -> None:
    """Accounting 1.5, added up again from what left the meter."""
    totals = outcome.totals
    usage_octets = sum(volume[0] + volume[1] for volume in outcome.usage.values())
    usage_frames = sum(volume[2] + volume[3] for volume in outcome.usage.values())
    if not any(frame.gso_octets for frame in frames):
        assert totals.observed_frames == len(frames)
    assert totals.observed_frames == usage_frames + sum(count for _, count, _ in totals.unmetered)
    assert totals.observed_octets == usage_octets + sum(octets for _, _, octets in totals.unmetered)
    assert totals.pending_frames == 0
    assert totals.pending_uplink_octets == totals.pending_downlink_octets == 0
    assert (totals.metered_frames, totals.metered_octets) == (usage_frames, usage_octets)
