"""How frames stand in the octets of an example, and buffers in which a read outside is seen."""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace

import numpy as np
from frames import Sent, batch

# Time since the frame before, link type, octets on the wire, octets captured.
FRAME_HEAD = struct.Struct("<qHIH")
AS_CAPTURED = 0xFFFFFFFF
MOST_FRAMES = 48


class Guarded(np.ndarray):
    """A buffer that is read at places that it has: NumPy takes negative ones to count from the end."""

    def __getitem__(self, place):
        if not isinstance(place, slice) and not 0 <= place < self.shape[0]:
            raise IndexError(f"octet {place} of {self.shape[0]}")
        return super().__getitem__(place)


def guarded(octets: bytes) -> np.ndarray:
    return np.frombuffer(octets, np.uint8).view(Guarded)


def pack(frames: Sequence[Sent]) -> bytes:
    """Frames as the octets of an example."""
    parts, before_ns = [], 0
    for frame in frames:
        wire = AS_CAPTURED if frame.wire_octets is None else frame.wire_octets % 2**31
        octets = frame.octets[:0xFFFF]
        step_ns = max(-(2**63), min(2**63 - 1, frame.time_ns - before_ns))
        parts += [FRAME_HEAD.pack(step_ns, frame.link_type & 0xFFFF, wire, len(octets)), octets]
        before_ns = frame.time_ns
    return b"".join(parts)


def unpack(data: bytes) -> list[Sent]:
    """Any octets as frames, MOST_FRAMES at most."""
    frames: list[Sent] = []
    place, time_ns = 0, 0
    while len(data) - place >= FRAME_HEAD.size and len(frames) < MOST_FRAMES:
        step_ns, link_type, wire, captured = FRAME_HEAD.unpack_from(data, place)
        place += FRAME_HEAD.size
        time_ns = max(-(2**63), min(2**63 - 1, time_ns + step_ns))
        octets = data[place : place + captured]
        frames.append(Sent(time_ns, octets, link_type, None if wire == AS_CAPTURED else wire % 2**31))
        place += captured
    return frames


def guarded_batch(frames: list[Sent]):
    """One buffer with all frames, and their list."""
    buffer, listed = batch(frames)
    return buffer.view(Guarded), listed


def changed(data: bytes, change: Callable[[list[Sent]], None]) -> bytes:
    """The octets of an example with its frames changed."""
    frames = unpack(data)
    with suppress(IndexError, ValueError):
        change(frames)
    return pack([replace(frame, octets=frame.octets[:4096]) for frame in frames[:MOST_FRAMES]])
