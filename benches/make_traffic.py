"""A large capture of real traffic for the benches: real captures, mixed, and repeated with other subscribers.

Rules of this file: the same sources give the same octets; nothing depends on the classifier, which is what is
measured. Each capture is read once; a repetition is a copy of one block of records in which times and subscriber
addresses are patched in place by NumPy. Checksums are not mended: nothing that is measured looks at them.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import dpkt
import numpy as np

START_SECONDS = 1_704_067_200  # 2024-01-01 00:00:00 UTC
LINK_ETHERNET = 1
RECORD_HEADER_OCTETS = 16
FRAME_LIMIT_OCTETS = 65_535
# Captures begin one after the other and then run side by side, as flows do on a real link; pauses are shortened.
STAGGER_NS = 50_000_000
PAUSE_LIMIT_NS = 1_000_000_000
# Odd, so that its multiples differ in their lowest octet for 256 repetitions, in more octets for as many as are needed.
SPREAD = 0x9E3779

VLAN_TYPES = (0x8100, 0x88A8, 0x9100)
# Private IPv4 ranges (RFC 1918, RFC 6598) as (network, mask, host bits that change): the last octet stays.
PRIVATE_IPV4 = (
    (0x0A000000, 0xFF000000, 0x00FFFF00),
    (0xAC100000, 0xFFF00000, 0x000FFF00),
    (0xC0A80000, 0xFFFF0000, 0x0000FF00),
    (0x64400000, 0xFFC00000, 0x003FFF00),
)
ANY_IPV4_HOST_BITS = 0x0000FF00


@dataclass(frozen=True, slots=True)
class Block:
    """Records in the order of their times, ready to be patched.

    `octets` u1[n] the records as in a pcap file; `starts` i8[records] where each begins; `seconds` u4[records] its
    time; `places` i8[m, 4] the four octets of an address that a repetition changes, `bits` u4[m] which of their bits;
    `duration_seconds` how far the next repetition is moved on.
    """

    octets: np.ndarray
    starts: np.ndarray
    seconds: np.ndarray
    places: np.ndarray
    bits: np.ndarray
    duration_seconds: int


def make_real(source_folder: Path, target: Path, octets: int = 1_000_000_000) -> int:
    """Write a pcap of at most `octets` octets to `target`; returns the number of its packets.

    The sources are the Ethernet captures under `source_folder` that carry IP. A repetition's subscribers (private
    addresses, which stay private) are others than the last one's, public servers stay as they are; where neither end
    is private, the smaller address is the one that changes. Raises ValueError where there is nothing to repeat.
    """
    block = _block(source_folder)
    packets = 0
    written = 24
    with target.open("wb") as file:
        file.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 262_144, LINK_ETHERNET))
        repetition = 0
        while True:
            left = octets - written
            whole = block.octets.size <= left
            records = block.starts.size if whole else int(np.searchsorted(block.starts, left, side="right")) - 1
            if records <= 0:
                return packets
            end = block.octets.size if whole else int(block.starts[records])
            file.write(_repeat(block, repetition)[:end])
            packets += records
            written += end
            repetition += 1


def _repeat(block: Block, repetition: int) -> np.ndarray:
    """A copy of the block, later and with other subscribers."""
    octets = block.octets.copy()
    seconds = (block.seconds + np.uint32(repetition * block.duration_seconds)).astype("<u4")
    octets[block.starts[:, None] + np.arange(4)] = seconds.view(np.uint8).reshape(-1, 4)
    change = np.uint32((repetition * SPREAD << 8) & 0xFFFFFFFF)
    octets[block.places] ^= (block.bits & change).astype(">u4").view(np.uint8).reshape(-1, 4)
    return octets


def _block(source_folder: Path) -> Block:
    """All records of the sources, mixed by time."""
    times: list[int] = []
    frames: list[bytes] = []
    headers: list[int] = []
    paths = sorted(path for path in source_folder.rglob("*") if path.suffix in (".pcap", ".pcapng", ".cap"))
    for number, path in enumerate(paths):
        now_ns = number * STAGGER_NS
        before = None
        for time_ns, frame in _frames(path):
            header = internet_header(frame)
            if header < 0 or len(frame) > FRAME_LIMIT_OCTETS:
                continue
            if before is not None:
                now_ns += min(max(time_ns - before, 0), PAUSE_LIMIT_NS)
            before = time_ns
            times.append(now_ns)
            frames.append(frame)
            headers.append(header)
    if not frames:
        raise ValueError(f"{source_folder}: no Ethernet capture with IP in it; name a folder of captures")
    order = np.argsort(np.array(times), kind="stable")
    parts: list[bytes] = []
    starts, places, bits = [], [], []
    position = 0
    for index in order:
        seconds, rest_ns = divmod(times[index], 10**9)
        frame = frames[index]
        header = struct.pack("<IIII", START_SECONDS + seconds, rest_ns // 1000, len(frame), len(frame))
        parts += (header, frame)
        starts.append(position)
        base = position + RECORD_HEADER_OCTETS
        for place, changed in _changes(frame, headers[index]):
            places.append(base + place)
            bits.append(changed)
        position = base + len(frame)
    octets = np.frombuffer(b"".join(parts), np.uint8)
    first = np.array(starts, np.int64)
    seconds = octets[first[:, None] + np.arange(4)].copy().view("<u4").ravel()
    return Block(
        octets,
        first,
        seconds,
        np.array(places, np.int64).reshape(-1, 1) + np.arange(4),
        np.array(bits, np.uint32),
        times[order[-1]] // 10**9 + 1,
    )


def _frames(path: Path) -> Iterator[tuple[int, bytes]]:
    """(time in nanoseconds, octets) of an Ethernet capture, up to where dpkt can read it; nothing of any other file."""
    with path.open("rb") as file:
        try:
            reader = dpkt.pcap.UniversalReader(file)
            if reader.datalink() == LINK_ETHERNET:
                for time, frame in reader:
                    yield round(float(time) * 1e6) * 1000, bytes(frame)
        # A collection of test captures holds broken ones on purpose; dpkt says so in many ways.
        except (ValueError, TypeError, IndexError, EOFError, struct.error, dpkt.Error):
            return


def internet_header(frame: bytes) -> int:
    """Where the outermost IP header begins, under VLAN tags, MPLS and PPPoE; -1 where there is none or it is cut."""
    place = 12
    while True:
        if place + 2 > len(frame):
            return -1
        kind = int.from_bytes(frame[place : place + 2], "big")
        place += 2
        if kind in VLAN_TYPES:
            place += 2
            continue
        if kind == 0x8864:
            place += 8
        elif kind == 0x8847:
            while place + 4 <= len(frame) and not frame[place + 2] & 1:
                place += 4
            place += 4
        elif kind not in (0x0800, 0x86DD):
            return -1
        version = frame[place] >> 4 if place < len(frame) else 0
        header_octets = {4: 20, 6: 40}.get(version, 1 << 30)
        return place if place + header_octets <= len(frame) else -1


def _changes(frame: bytes, header: int) -> Iterator[tuple[int, int]]:
    """(place in the frame, bits to change) for the addresses of a packet that stand for subscribers."""
    if frame[header] >> 4 == 4:
        ends = [(header + 12, 4), (header + 16, 4)]
    else:
        ends = [(header + 8, 16), (header + 24, 16)]
    private = [(place, host_bits(frame[place : place + octets])) for place, octets in ends]
    if any(changed for _, changed in private):
        yield from ((_changed_at(place, ends), changed) for place, changed in private if changed)
        return
    smaller = min(ends, key=lambda end: frame[end[0] : sum(end)])[0]
    yield _changed_at(smaller, ends), ANY_IPV4_HOST_BITS


def _changed_at(place: int, ends: list[tuple[int, int]]) -> int:
    """Four octets that hold the changing bits: an IPv4 address, or the half of an IPv6 prefix that names the subnet."""
    return place if ends[0][1] == 4 else place + 4


def host_bits(address: bytes) -> int:
    """Which bits a repetition changes in a private address (of octets 4 to 7 in IPv6); 0 for any other address."""
    if len(address) == 16:
        is_private = address[0] & 0xFE == 0xFC or (address[0] == 0xFE and address[1] & 0xC0 == 0x80)
        return 0x00FFFF00 if is_private else 0
    number = int.from_bytes(address, "big")
    return next((bits for network, mask, bits in PRIVATE_IPV4 if number & mask == network), 0)
