"""The captures that freeflow and the other tools are measured on, side by side."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from benches.captures import Capture, flood_capture, flows_capture, large_capture, names_capture

FULL_OCTETS = 1_000_000_000
SMALL_FRAMES = (64,)
MANY_FRAMES = (64, 64, 64, 128, 128, 400)


@dataclass(frozen=True, slots=True)
class File:
    """One capture. `make(octets)` has it made for a *real* of that size: the others keep their proportion to it."""

    name: str
    what: str
    make: Callable[[int], Capture]


def part(of_full: int, octets: int) -> int:
    """So many where *real* has its full size."""
    return max(of_full * octets // FULL_OCTETS, 1)


def _small(octets: int) -> Capture:
    return flows_capture(part(1_000, octets), 9, part(4_000_000, octets), SMALL_FRAMES)


def _many(octets: int) -> Capture:
    return flows_capture(part(100_000, octets), 10, part(5_000_000, octets), MANY_FRAMES)


def _names(octets: int) -> Capture:
    return names_capture("mixed", part(600_000, octets))


def _flood(octets: int) -> Capture:
    return flood_capture("syn", flood_packets(octets))[0]


def flood_packets(octets: int) -> int:
    """Of each flood."""
    return part(1_500_000, octets)


FILES = (
    File("real", "real captures, repeated with other subscribers", large_capture),
    File("small", "frames of 64 octets", _small),
    File("many", "ten flows of each of 100,000 subscribers, packets by Zipf's law", _many),
    File("names", "a ClientHello, a QUIC Initial or a DNS answer in every ten packets", _names),
    File("flood", "SYNs, each a new flow, but for one packet in fifty", _flood),
)
