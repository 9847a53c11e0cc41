"""Captures built octet by octet with struct, and a reader that copies what a source hands over."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from classifier.capture.files import CaptureFile, open_capture

MICROSECONDS, NANOSECONDS = 0xA1B2C3D4, 0xA1B23C4D
LARGEST_NS = 2**63 - 1


@dataclass(frozen=True)
class Listed:
    """One frame as the source listed it, with a copy of its octets."""

    time_ns: int
    wire_octets: int
    link_type: int
    octets: bytes


def listed(capture: CaptureFile) -> list[Listed]:
    """Every frame of a capture; each batch is copied before the next one is asked for."""
    frames = []
    for batch in capture:
        assert len(batch.frames) >= 1
        assert not batch.buffer.flags.writeable
        for frame in batch.frames:
            octets = batch.buffer[frame.offset : frame.offset + frame.captured_octets].tobytes()
            assert len(octets) == frame.captured_octets
            frames.append(Listed(int(frame.time_ns), int(frame.wire_octets), int(frame.link_type), octets))
    return frames


def read_frames(path: Path, **options) -> list[Listed]:
    """Every frame of a file that is whole."""
    with open_capture(str(path), **options) as capture:
        frames = listed(capture)
        assert capture.problem is None
        return frames


def pcap_header(order="<", magic=MICROSECONDS, version=(2, 4), network=1) -> bytes:
    return struct.pack(order + "IHHiIII", magic, *version, 0, 0, 262144, network)


def pcap_record(octets: bytes, seconds=0, fraction=0, wire_octets=None, order="<") -> bytes:
    wire_octets = len(octets) if wire_octets is None else wire_octets
    return struct.pack(order + "IIII", seconds, fraction, len(octets), wire_octets) + octets


def pad(octets: bytes) -> bytes:
    return octets + bytes(-len(octets) % 4)


def block(kind: int, body: bytes, order="<") -> bytes:
    """A pcapng block of any kind (draft-ietf-opsawg-pcapng, 3.1)."""
    length = struct.pack(order + "I", len(pad(body)) + 12)
    return struct.pack(order + "I", kind) + length + pad(body) + length


def option(code: int, value: bytes, order="<") -> bytes:
    return struct.pack(order + "HH", code, len(value)) + pad(value)


def section(order="<", version=(1, 0), options=b"") -> bytes:
    return block(0x0A0D0D0A, struct.pack(order + "IHHq", 0x1A2B3C4D, *version, -1) + options, order)


def interface(link_type=1, snap_octets=0, resolution=None, offset_seconds=None, order="<") -> bytes:
    options = option(2, b"eth0", order)
    if resolution is not None:
        options += option(9, bytes([resolution]), order)
    if offset_seconds is not None:
        options += option(14, struct.pack(order + "q", offset_seconds), order)
    options += option(0, b"", order)
    return block(1, struct.pack(order + "HHI", link_type, 0, snap_octets) + options, order)


def enhanced(octets: bytes, stamp=0, number=0, wire_octets=None, order="<", options=b"") -> bytes:
    wire_octets = len(octets) if wire_octets is None else wire_octets
    head = struct.pack(order + "IIIII", number, stamp >> 32, stamp & 0xFFFFFFFF, len(octets), wire_octets)
    return block(6, head + pad(octets) + options, order)


def obsolete(octets: bytes, stamp=0, number=0, order="<") -> bytes:
    lengths = (len(octets), len(octets))
    return block(2, struct.pack(order + "HHIIII", number, 7, stamp >> 32, stamp & 0xFFFFFFFF, *lengths) + octets, order)


def simple(octets: bytes, wire_octets=None, order="<") -> bytes:
    return block(3, struct.pack(order + "I", len(octets) if wire_octets is None else wire_octets) + octets, order)


def stamp_time_ns(stamp: int, resolution=6, offset_seconds=0) -> int:
    """What a time stamp means, as exact fractions: if_tsresol's octet, if_tsoffset, clamped to what 63 bits hold."""
    units = 2 ** (resolution & 0x7F) if resolution & 0x80 else 10**resolution
    time_ns = min(int(Fraction(stamp, units) * 10**9), LARGEST_NS)
    return max(0, min(LARGEST_NS, time_ns + max(-LARGEST_NS, min(LARGEST_NS, offset_seconds * 10**9))))
