"""Windows of the bundled captures, with their octets, lengths, times and order made wrong: the same for the same number.

What a number gives depends on the bundled captures and this file alone, so a number that found something can be tried again.
What must stay tried whatever becomes of the captures is kept as frames, in `corpus/`.
"""

from __future__ import annotations

import random
from dataclasses import replace
from functools import cache
from pathlib import Path

from frames import Sent

from classifier.capture.files import open_capture
from classifier.iana import SUPPORTED_LINK_TYPES

PCAPS = Path(__file__).resolve().parents[2] / "pcaps"
LONGEST_WINDOW = 40
MOST_CHANGES = 12
# Numbers that lengths are likely to be wrong by or at.
LENGTHS = (
    0,
    1,
    4,
    5,
    7,
    8,
    19,
    20,
    21,
    28,
    39,
    40,
    41,
    60,
    255,
    256,
    1280,
    1500,
    0x1FFF,
    0x2000,
    0x7FFF,
    0xFFF8,
    0xFFFF,
)
WIRE_OCTETS = (0, 1, 20, 60, 1514, 65_535, 65_549, 2**31 - 1)
STEPS_NS = (0, 1, -1, 10**9, -(10**9), 61 * 10**9, 301 * 10**9, 7441 * 10**9, -(2**62), 2**62, -(2**63), 2**63 - 1)
HEADERS_OCTETS = 120


@cache
def bundled() -> tuple[tuple[Sent, ...], ...]:
    """The frames of each bundled capture."""
    captures = []
    for path in sorted(PCAPS.iterdir()):
        if path.suffix not in (".pcap", ".pcapng"):
            continue
        frames = []
        with open_capture(str(path)) as capture:
            for batch in capture:
                for frame in batch.frames:
                    octets = bytes(batch.buffer[frame.offset : frame.offset + frame.captured_octets])
                    frames.append(Sent(int(frame.time_ns), octets, int(frame.link_type), int(frame.wire_octets)))
        captures.append(tuple(frames))
    return tuple(captures)


def example(number: int) -> list[Sent]:
    """The frames of example `number`: one or two windows, mixed, and changed in up to MOST_CHANGES places."""
    chance = random.Random(number)
    frames: list[Sent] = []
    for _ in range(chance.choice((1, 1, 2))):
        capture = chance.choice(bundled())
        first = chance.randrange(len(capture))
        frames += capture[first : first + chance.randint(1, LONGEST_WINDOW)]
    if chance.random() < 0.3:
        frames.sort(key=lambda frame: frame.time_ns)
    for _ in range(chance.randint(1, MOST_CHANGES)):
        chance.choice(CHANGES)(frames, chance)
    return frames


def flip(frames: list[Sent], chance: random.Random) -> None:
    """Turn single bits, mostly in the headers."""
    place, octets = _pick(frames, chance)
    for _ in range(chance.randint(1, 6)):
        reach = min(len(octets), HEADERS_OCTETS) if chance.random() < 0.8 else len(octets)
        if reach:
            octets[chance.randrange(reach)] ^= 1 << chance.randrange(8)
    frames[place] = replace(frames[place], octets=bytes(octets))


def overwrite(frames: list[Sent], chance: random.Random) -> None:
    """Write a number over one or two octets: lengths, offsets, ports, types."""
    place, octets = _pick(frames, chance)
    width = chance.choice((1, 2, 2, 2, 4))
    if len(octets) > width:
        first = chance.randrange(min(len(octets) - width, HEADERS_OCTETS) + 1)
        number = chance.choice((*LENGTHS, len(octets), len(octets) - first, chance.getrandbits(16)))
        octets[first : first + width] = (number % (1 << 8 * width)).to_bytes(width, "big")
        frames[place] = replace(frames[place], octets=bytes(octets))


def cut(frames: list[Sent], chance: random.Random) -> None:
    """Capture fewer octets; the wire held as many as before, or as few."""
    place, octets = _pick(frames, chance)
    kept = bytes(octets[: chance.randint(0, len(octets))])
    frames[place] = replace(frames[place], octets=kept)
    if chance.random() < 0.5:
        frames[place] = replace(frames[place], wire_octets=len(kept))


def claim(frames: list[Sent], chance: random.Random) -> None:
    """Let the capture claim another length on the wire."""
    place, octets = _pick(frames, chance)
    frames[place] = replace(frames[place], wire_octets=chance.choice((*WIRE_OCTETS, len(octets), len(octets) - 1)))


def relink(frames: list[Sent], chance: random.Random) -> None:
    """Let the frame be of another link type."""
    place, _ = _pick(frames, chance)
    frames[place] = replace(frames[place], link_type=chance.choice(sorted(SUPPORTED_LINK_TYPES)))


def splice(frames: list[Sent], chance: random.Random) -> None:
    """The head of one frame before the tail of another."""
    place, octets = _pick(frames, chance)
    _, other = _pick(frames, chance)
    cut_at = chance.randint(0, min(len(octets), len(other)))
    frames[place] = replace(frames[place], octets=bytes(octets[:cut_at] + other[cut_at:]), wire_octets=None)


def fragment(frames: list[Sent], chance: random.Random) -> None:
    """Make a fragment of an IPv4 packet on Ethernet, at any offset."""
    place, octets = _pick(frames, chance)
    if len(octets) >= 34 and octets[12:14] == b"\x08\x00":
        field = chance.choice((0x2000, 0, 0x2000)) | chance.choice((0, 1, 2, 3, 8, 185, 0x1FFF))
        octets[20:22] = field.to_bytes(2, "big")
        if chance.random() < 0.7:
            octets[18:20] = b"\x00\x07"
        frames[place] = replace(frames[place], octets=bytes(octets))


def duplicate(frames: list[Sent], chance: random.Random) -> None:
    place, _ = _pick(frames, chance)
    for _ in range(chance.choice((1, 1, 2, 20))):
        frames.insert(chance.randint(place, len(frames)), frames[place])


def drop(frames: list[Sent], chance: random.Random) -> None:
    if len(frames) > 1:
        del frames[chance.randrange(len(frames))]


def reorder(frames: list[Sent], chance: random.Random) -> None:
    frames.insert(chance.randrange(len(frames)), frames.pop(chance.randrange(len(frames))))


def retime(frames: list[Sent], chance: random.Random) -> None:
    """Move the clock for one frame, or from one on."""
    place = chance.randrange(len(frames))
    step = chance.choice(STEPS_NS)
    for later in range(place, len(frames) if chance.random() < 0.5 else place + 1):
        moved = max(-(2**63), min(2**63 - 1, frames[later].time_ns + step))
        frames[later] = replace(frames[later], time_ns=moved)


def _pick(frames: list[Sent], chance: random.Random) -> tuple[int, bytearray]:
    place = chance.randrange(len(frames))
    return place, bytearray(frames[place].octets)


CHANGES = (flip, flip, overwrite, overwrite, overwrite, cut, claim, relink, splice, fragment)
CHANGES += (fragment, duplicate, drop, reorder, reorder, retime)
