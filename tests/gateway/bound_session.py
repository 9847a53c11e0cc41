"""A session under a configuration of RADIUS, DHCP or link binding, on frames that scapy built; its totals by subscriber."""

from __future__ import annotations

from dataclasses import dataclass, replace
from ipaddress import ip_address
from pathlib import Path

from frames import Sent, batch
from scapy.layers.inet import IP, UDP
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import Ether

from classifier.gateway.plan import load_plan
from classifier.gateway.session import Session
from classifier.iana import LINK_ETHERNET
from classifier.metering.tables import Limits
from classifier.records import FlowRecord, UsageReport

SECOND_NS = 10**9
START_NS = 1_385_000_000 * SECOND_NS
ROUTER = "02:00:00:00:00:01"
SERVER = "203.0.113.9"
SERVER_V6 = "2001:db8:f::9"
SMALL = Limits(
    flows=512,
    subscribers=64,
    usage_rows=512,
    held_volumes=64,
    fragments=16,
    streams=32,
    stream_octets=8192,
    names=256,
    name_octets=1 << 16,
    flow_log=256,
)


@dataclass(frozen=True)
class Result:
    """`octets` by label; `unmetered` by reason, (frames, octets), those without frames left out."""

    report: UsageReport
    flows: tuple[FlowRecord, ...]

    @property
    def octets(self) -> dict[str, int]:
        return {usage.subscriber: usage.octets for usage in self.report.subscribers}

    @property
    def unmetered(self) -> dict[str, tuple[int, int]]:
        return {usage.reason: (usage.frames, usage.octets) for usage in self.report.unmetered if usage.frames}


class Wire:
    """Frames in the order in which they pass, a millisecond apart unless `wait` is told otherwise."""

    def __init__(self) -> None:
        self.frames: list[Sent] = []
        self.time_ns = START_NS

    def wait(self, seconds: float) -> Wire:
        self.time_ns += int(seconds * SECOND_NS)
        return self

    def send(self, packet, times: int = 1) -> Wire:
        """A scapy packet; one of IP gets an Ethernet header."""
        frame = packet if isinstance(packet, Ether) else Ether(src=ROUTER, dst=ROUTER) / packet
        for _ in range(times):
            self.time_ns += SECOND_NS // 1000
            self.frames.append(Sent(self.time_ns, bytes(frame), LINK_ETHERNET))
        return self

    def talk(self, address: str, uplink=100, downlink=200, port=4000) -> Wire:
        """One datagram to the server and one back: 28 octets of headers each, or 48 with IPv6."""
        return self.send(datagram(address, server_of(address), port, 9000, uplink)).send(
            datagram(server_of(address), address, 9000, port, downlink)
        )


def server_of(address: str) -> str:
    return SERVER if ip_address(address).version == 4 else SERVER_V6


def datagram(source: str, destination: str, source_port: int, destination_port: int, payload) -> IP | IPv6:
    """UDP over IP with scapy; `payload`: octets, or how many of them."""
    network = IP if ip_address(source).version == 4 else IPv6
    octets = bytes(payload)
    return network(src=source, dst=destination) / UDP(sport=source_port, dport=destination_port) / octets


def run(folder: Path, configuration: str, wire: Wire, *, subscribers: str = "", batch_frames: int = 4096) -> Result:
    """Meter the frames under this `freeflow.toml`; the networks are 10.0.0.0/8, 2001:db8:5::/48 and fe80::/10."""
    (folder / "secret").write_text("testing123\n")
    (folder / "subscribers.csv").write_text("subscriber,address,operator\n" + subscribers)
    path = folder / "freeflow.toml"
    path.write_text(
        '[gateway]\nsubscribers = "subscribers.csv"\nsubscriber_networks = ["10.0.0.0/8", "2001:db8:5::/48", "fe80::/10"]\n'
        + configuration
    )
    session = Session(replace(load_plan(str(path)), limits=SMALL), log_flows=True, seed=3)
    flows: list[FlowRecord] = []
    for first in range(0, len(wire.frames), batch_frames):
        session.meter.feed(*batch(wire.frames[first : first + batch_frames]))
    session.meter.finish()
    flows.extend(session.ended_flows())
    report = session.report()
    assert report.observed_frames == len(wire.frames)
    assert report.pending.frames == 0
    return Result(report, tuple(flows))
