"""A capture in the making, and the totals that a right meter must print for it.

Rules of this file: the totals come from what was built, packet by packet (its flow, its direction, the length of
its IP packet), never from the classifier. Which packet is the subscriber's, whose flow it belongs to and who pays
is said by the scene; this file only adds up, in the terms of the accounting rules.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from capture_files import LINK_ETHERNET, Interface, Pcapng, Record, pcap
from talk import Flow, Step
from wraps import Wrap, ethernet

SECOND = 10**9
MILLISECOND = 10**6


def moment(text: str) -> int:
    """Nanoseconds since 1970 of a UTC time, e.g. "2013-11-11 01:00:00"."""
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * SECOND


def iso(time_ns: int) -> str:
    return (
        datetime.fromtimestamp(time_ns // SECOND, UTC).strftime("%Y-%m-%dT%H:%M:%S")
        + f".{time_ns % SECOND // 1000:06d}Z"
    )


@dataclass(frozen=True, slots=True)
class Entry:
    """One frame of the capture and what it counts for; `step` is None where the frame is not metered."""

    record: Record
    octets: int
    step: Step | None
    reason: str | None


class Capture:
    """The frames of one bundled capture.

    `file` is its name; `shows` one sentence; `arguments` go to `freeflow replay` and `configuration` to both commands.
    `in_order` keeps the frames as they were added, whatever their times say.
    """

    def __init__(
        self,
        file: str,
        shows: str,
        arguments: tuple[str, ...] = (),
        configuration: tuple[str, ...] = (),
        in_order: bool = False,
        link_type: int = LINK_ETHERNET,
        snap_octets: int = 65535,
        nanoseconds: bool = False,
        byte_order: str = "<",
        sections: tuple[tuple[str, list[Interface]], ...] = (),
    ) -> None:
        self.file, self.shows = file, shows
        self.arguments, self.configuration = arguments, configuration
        self.in_order = in_order
        self.layout = {
            "link_type": link_type,
            "snap_octets": snap_octets,
            "nanoseconds": nanoseconds,
            "byte_order": byte_order,
        }
        self.sections = sections
        self.entries: list[Entry] = []
        self.section_starts: list[int] = []
        self.flows: list[Flow] = []

    def add(
        self,
        steps: Iterable[Step],
        at_ns: int,
        gap_ns: int = 12 * MILLISECOND,
        wrap: Wrap = ethernet,
        interface: int = 0,
        block: str = "enhanced",
    ) -> int:
        """Add packets that follow each other by `gap_ns`; returns the time after the last."""
        for step in steps:
            record = Record(at_ns, wrap(step.packet, step.uplink), interface, block)
            self.entries.append(Entry(record, len(bytes(step.packet)), step, None))
            # By identity: a port used again makes a second flow that looks like the first.
            if all(step.flow is not flow for flow in self.flows):
                self.flows.append(step.flow)
            at_ns += gap_ns
        return at_ns

    def add_unmetered(self, reason: str, frame: bytes, octets: int, at_ns: int, interface: int = 0) -> None:
        """Add a frame that no subscriber answers for; `octets` is its IP length, 0 where it is not IP."""
        self.entries.append(Entry(Record(at_ns, frame, interface), octets, None, reason))

    def begin_section(self) -> None:
        """The frames added from here on belong to the next section of the pcapng file."""
        self.section_starts.append(len(self.entries))

    def ordered(self) -> list[Entry]:
        return self.entries if self.in_order else sorted(self.entries, key=lambda entry: entry.record.time_ns)

    def octets(self) -> bytes:
        """The capture file."""
        records = [entry.record for entry in self.ordered()]
        if not self.sections:
            return pcap(records, **self.layout)
        file = Pcapng()
        starts = self.section_starts or [0]
        for (byte_order, interfaces), start, end in zip(
            self.sections, starts, [*starts[1:], len(records)], strict=True
        ):
            file.section(interfaces, byte_order)
            for place, record in enumerate(records[start:end]):
                file.record(record)
                if place == 0:
                    # A name resolution block and one from the range for local use: both are to be skipped by length.
                    file.block(4, b"\x00\x00\x00\x00")
                    file.block(0x80000001, b"a block that nobody knows")
        return file.octets()

    def expectation(self) -> dict:
        """The capture's entry in the manifest."""
        totals: dict[str, dict[str, int]] = {
            key: {"frames": 0, "uplink_octets": 0, "downlink_octets": 0, "octets": 0}
            for key in ("zero_rated", "charged")
        }
        unmetered: dict[str, dict[str, int]] = {}
        usage: dict[tuple[str, str], dict[str, int]] = defaultdict(lambda: dict.fromkeys(_USAGE_KEYS, 0))
        per_flow = {id(flow): dict.fromkeys(_FLOW_KEYS, 0) for flow in self.flows}
        paid: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
        for entry in self.entries:
            step, octets = entry.step, entry.octets
            if step is None:
                part = unmetered.setdefault(entry.reason, {"frames": 0, "octets": 0})
                part["frames"] += 1
                part["octets"] += octets
                continue
            flow = step.flow
            direction = "uplink" if step.uplink else "downlink"
            bearer = "zero_rated" if flow.free and not step.charged else "charged"
            totals[bearer]["frames"] += 1
            totals[bearer][f"{direction}_octets"] += octets
            totals[bearer]["octets"] += octets
            used = usage[flow.subscriber, flow.application]
            used[f"{direction}_octets"] += octets
            used["packets"] += 1
            used[f"{bearer}_octets"] += octets
            counted = per_flow[id(flow)]
            counted[f"{direction}_octets"] += octets
            counted[f"{direction}_packets"] += 1
            if bearer == "zero_rated" and flow.programme:
                paid[flow.programme][flow.subscriber] += octets
        times = [] if self.in_order else [entry.record.time_ns for entry in self.ordered()]
        return {
            "shows": self.shows,
            "replay": [*self.configuration, *self.arguments],
            "flows": list(self.configuration),
            "expected": {
                # Where the clock steps back or a record has no time it is not said which packet is the first.
                **({"first_packet": iso(times[0]), "last_packet": iso(times[-1])} if times else {}),
                "observed": {"frames": len(self.entries), "octets": sum(entry.octets for entry in self.entries)},
                **totals,
                "unmetered": unmetered,
                "subscribers": _by_subscriber(usage),
                "programmes": [
                    {"programme": name, "octets": sum(by.values()), "subscribers": len(by)}
                    for name, by in sorted(paid.items())
                ],
            },
            "expected_flows": [_flow_entry(flow, per_flow[id(flow)]) for flow in self.flows],
        }


_USAGE_KEYS = ("uplink_octets", "downlink_octets", "packets", "zero_rated_octets", "charged_octets")
_FLOW_KEYS = ("uplink_octets", "downlink_octets", "uplink_packets", "downlink_packets")


def _by_subscriber(usage: dict[tuple[str, str], dict[str, int]]) -> list[dict]:
    subscribers: dict[str, dict] = {}
    for (subscriber, application), used in sorted(usage.items()):
        row = subscribers.setdefault(
            subscriber, {"subscriber": subscriber, "zero_rated_octets": 0, "charged_octets": 0, "applications": []}
        )
        row["zero_rated_octets"] += used["zero_rated_octets"]
        row["charged_octets"] += used["charged_octets"]
        row["applications"].append({"application": application, **used})
    return list(subscribers.values())


def _flow_entry(flow: Flow, counted: dict[str, int]) -> dict:
    ports = {"client_port": flow.client_port, "server_port": flow.server_port} if flow.ports else {}
    return {
        "subscriber": flow.subscriber,
        "client": flow.client,
        "server": flow.server,
        **ports,
        "protocol": flow.protocol,
        "application": flow.application,
        **flow.said,
        **counted,
    }
