"""Capture files, written record by record: pcap and pcapng.

Rules of this file: it writes what scapy's writers cannot: both byte orders, several interfaces with a link type and
a resolution of their own, several sections, obsolete and unknown blocks. Formats: draft-ietf-opsawg-pcap and
draft-ietf-opsawg-pcapng.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from dataclasses import dataclass

LINK_NULL, LINK_ETHERNET, LINK_PPP, LINK_RAW, LINK_LOOP, LINK_SLL, LINK_SLL2 = 0, 1, 9, 101, 108, 113, 276
LINK_IPV4, LINK_IPV6 = 228, 229


@dataclass(frozen=True, slots=True)
class Record:
    """One frame: when, its octets, and the number of the interface it came in by."""

    time_ns: int
    frame: bytes
    interface: int = 0
    block: str = "enhanced"


def pcap(
    records: Iterable[Record],
    link_type: int = LINK_ETHERNET,
    snap_octets: int = 65535,
    nanoseconds: bool = False,
    byte_order: str = "<",
) -> bytes:
    """A classic capture file."""
    magic = 0xA1B23C4D if nanoseconds else 0xA1B2C3D4
    parts = [struct.pack(f"{byte_order}IHHiIII", magic, 2, 4, 0, 0, snap_octets, link_type)]
    for record in records:
        seconds, rest_ns = divmod(record.time_ns, 10**9)
        fraction = rest_ns if nanoseconds else rest_ns // 1000
        kept = record.frame[:snap_octets]
        parts.append(struct.pack(f"{byte_order}IIII", seconds, fraction, len(kept), len(record.frame)))
        parts.append(kept)
    return b"".join(parts)


@dataclass(frozen=True, slots=True)
class Interface:
    """An interface of a pcapng section; `resolution` is if_tsresol: 6 for microseconds, 0x80 | n for 2^-n seconds."""

    link_type: int = LINK_ETHERNET
    resolution: int = 6
    name: str = ""

    def ticks(self, time_ns: int) -> int:
        if self.resolution & 0x80:
            return (time_ns << (self.resolution & 0x7F)) // 10**9
        return time_ns * 10**self.resolution // 10**9


class Pcapng:
    """A pcapng file as it grows. Sections follow each other; `byte_order` is the current section's."""

    def __init__(self) -> None:
        self.parts: list[bytes] = []
        self.byte_order = "<"
        self.interfaces: list[Interface] = []

    def block(self, kind: int, body: bytes, options: Iterable[tuple[int, bytes]] = ()) -> None:
        packed = [self._option(code, value) for code, value in options]
        if packed:
            packed.append(self._option(0, b""))
        body = _to_words(body) + b"".join(packed)
        octets = struct.pack(f"{self.byte_order}I", len(body) + 12)
        self.parts.append(struct.pack(f"{self.byte_order}I", kind) + octets + body + octets)

    def _option(self, code: int, value: bytes) -> bytes:
        return struct.pack(f"{self.byte_order}HH", code, len(value)) + _to_words(value)

    def section(self, interfaces: list[Interface], byte_order: str = "<") -> None:
        """A section header and its interfaces."""
        self.byte_order, self.interfaces = byte_order, interfaces
        self.block(0x0A0D0D0A, struct.pack(f"{byte_order}IHHq", 0x1A2B3C4D, 1, 0, -1), [(4, b"freeflow")])
        for interface in interfaces:
            options = [(2, interface.name.encode())] if interface.name else []
            if interface.resolution != 6:
                options.append((9, bytes((interface.resolution,))))
            self.block(1, struct.pack(f"{byte_order}HHI", interface.link_type, 0, 0), options)

    def record(self, record: Record) -> None:
        """One frame, in an enhanced, a simple or the obsolete packet block."""
        order, octets = self.byte_order, len(record.frame)
        if record.block == "simple":
            self.block(3, struct.pack(f"{order}I", octets) + record.frame)
            return
        ticks = self.interfaces[record.interface].ticks(record.time_ns)
        stamp = struct.pack(f"{order}IIII", ticks >> 32, ticks & 0xFFFFFFFF, octets, octets)
        if record.block == "obsolete":
            self.block(2, struct.pack(f"{order}HH", record.interface, 0xFFFF) + stamp + record.frame)
        else:
            self.block(6, struct.pack(f"{order}I", record.interface) + stamp + record.frame)

    def octets(self) -> bytes:
        return b"".join(self.parts)


def _to_words(octets: bytes) -> bytes:
    return octets + bytes(-len(octets) % 4)
