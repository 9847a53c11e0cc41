"""Who reads RADIUS and DHCP, as the meter sees it: packets out, changes of bindings in.

Rule of this file: the meter knows neither protocol. A change counts from the frame behind the one that told it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np

from classifier.kernels.bindings import NO_IDENTITY
from classifier.kernels.bundle import Bundle
from classifier.metering.tables import Watched


class Change(Protocol):
    """A prefix is this subscriber's from now on, or nobody's that we know (-1). `mac`: where its packets come from, or None.

    `high`, `low`: the halves of its first address, an IPv4 address in `low`. 32 bits long for IPv4, 32 to 128 for IPv6.
    """

    version: int
    high: int
    low: int
    prefix_length: int
    subscriber_number: int
    mac: int | None


class Watcher(Protocol):
    """Told of each packet that may give addresses away, and at each instant when a binding may end."""

    @property
    def watched(self) -> Watched:
        """Which packets, and how many bindings and subscribers at most; does not change."""

    @property
    def next_expiry_ns(self) -> int:
        """The packet time at which `advance` is to be called."""

    def observe(
        self,
        time_ns: int,
        version: int,
        source: int,
        destination: int,
        source_port: int,
        destination_port: int,
        payload: bytes,
    ) -> Sequence[Change]:
        """What changes because of a UDP datagram, in order."""

    def advance(self, time_ns: int) -> Sequence[Change]:
        """What has ended by then. Afterwards `next_expiry_ns` is later than that."""


def observe(watcher: Watcher, time_ns: int, packet: np.record, buffer: np.ndarray) -> Sequence[Change]:
    """Show a metered packet (PACKET) of `buffer` to the watcher."""
    start = int(packet.payload_start)
    return watcher.observe(
        time_ns,
        int(packet.version),
        int(packet.source_high) << 64 | int(packet.source_low),
        int(packet.destination_high) << 64 | int(packet.destination_low),
        int(packet.source_port),
        int(packet.destination_port),
        buffer[start : start + int(packet.payload_captured)].tobytes(),
    )


def write_changes(tables: Bundle, changes: Sequence[Change], *, with_mac: bool) -> None:
    """Lay out at most CHANGES changes for the kernel. `with_mac`: their MAC addresses are binding, too."""
    for row, change in zip(tables.changes, changes, strict=False):
        row.high = change.high
        row.low = change.low
        row.version = change.version
        row.length = change.prefix_length
        row.number = change.subscriber_number
        row.link_identity = change.mac if with_mac and change.mac is not None else NO_IDENTITY
    tables.state[0].change_next = 0
    tables.state[0].change_count = len(changes)
