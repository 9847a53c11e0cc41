"""The plain walk: the least that metering can be, to compare with in the same run, as machines are shared and noisy.

It goes over a pcap of Ethernet frames that lies in memory, takes the 5-tuple of IPv4 packets and adds their octets to a table
of flows: no check beyond the record's length, no time-outs, no names, no subscribers, no IPv6. `python -m benches.walk FILE
FLOWS` prints one JSON object. The table has 2^20 places, and more where there are more than half as many FLOWS.
"""

from __future__ import annotations

import json
import mmap
import sys
import time
from pathlib import Path

import numba
import numpy as np

LEAST_SLOTS = 1 << 20
PCAP_HEADER_OCTETS = 24
BYTE = np.uint64(8)
HALF = np.uint64(32)
LOW = np.uint64(0xFFFFFFFF)
MULTIPLIER_A, MULTIPLIER_B = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xFF51AFD7ED558CCD)


@numba.njit(nogil=True)
def number(b, start, octets):
    """Big-endian octets."""
    value = np.uint64(0)
    for i in range(octets):
        value = value << BYTE | np.uint64(b[start + i])
    return value


@numba.njit(nogil=True)
def walk(b, table):
    """Packets in `b` (u1[n], a little-endian pcap); `table` u8[2^k, 4]: addresses, ports with protocol, octets, packets."""
    position = PCAP_HEADER_OCTETS
    mask = np.uint64(table.shape[0] - 1)
    packets = 0
    while position + 16 <= b.shape[0]:
        captured = np.int64(b[position + 8]) | np.int64(b[position + 9]) << 8 | np.int64(b[position + 10]) << 16
        frame = position + 16
        if frame + captured > b.shape[0]:
            break
        if captured >= 54 and number(b, frame + 12, 2) == np.uint64(0x0800):
            ends = number(b, frame + 26, 8)
            protocol = np.uint64(b[frame + 23])
            ports = np.uint64(0)
            if protocol == np.uint64(6) or protocol == np.uint64(17):
                ports = number(b, frame + 14 + (np.int64(b[frame + 14]) & 15) * 4, 4)
            if ends >> HALF > ends & LOW:
                ends = ends << HALF | ends >> HALF
                ports = (ports << np.uint64(16) | ports >> np.uint64(16)) & LOW
            rest = ports << BYTE | protocol
            hashed = (ends ^ rest * MULTIPLIER_A) * MULTIPLIER_B
            slot = (hashed ^ hashed >> HALF) & mask
            while table[slot, 1] != np.uint64(0) and (table[slot, 0] != ends or table[slot, 1] != rest):
                slot = (slot + np.uint64(1)) & mask
            table[slot, 0] = ends
            table[slot, 1] = rest
            table[slot, 2] += number(b, frame + 16, 2)
            table[slot, 3] += np.uint64(1)
        position = frame + captured
        packets += 1
    return packets


def main() -> int:
    """Walk twice and time the second: it is compiled then, the table touched, and the file's pages are there."""
    path, flows = Path(sys.argv[1]), int(sys.argv[2])
    table = np.zeros((max(LEAST_SLOTS, 1 << (2 * flows).bit_length()), 4), np.uint64)
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ) as octets:
        frames = np.frombuffer(octets, np.uint8)
        packets = walk(frames, table)
        table.fill(0)
        begin = time.perf_counter()
        walk(frames, table)
        seconds = time.perf_counter() - begin
        del frames
    print(json.dumps({"packets": packets, "seconds": seconds}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
