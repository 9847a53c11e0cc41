"""Sends frames at a rate: `python -m benches.generate INTERFACE FRAMES_PER_SECOND SECONDS`, prints how many went.

A thousand UDP flows of subscribers, in the mix of sizes that is called IMIX: of twelve frames seven of 60 octets, four of 590
and one of 1514. Everything is laid out beforehand; sendmmsg(2) takes 32 frames at a call, past the queueing discipline.
"""

from __future__ import annotations

import ctypes
import socket
import struct
import sys
import time

import numpy as np

from classifier.kernels.forward_index import MESSAGE, VECTOR

FRAMES, FLOWS, BATCH = 12 * 320, 1000, 32
SIZES = (60, 60, 590, 60, 60, 590, 60, 590, 60, 1514, 60, 590)
SOL_PACKET, PACKET_QDISC_BYPASS = 263, 20  # linux/socket.h, linux/if_packet.h
SO_SNDBUFFORCE = 32  # asm-generic/socket.h


def frame(number: int) -> bytes:
    """A frame of flow `number` modulo FLOWS."""
    flow = number % FLOWS
    size = SIZES[number % len(SIZES)]
    addresses = struct.pack(">BBBBBBBB", 10, 7, flow >> 8, flow & 255, 198, 51, 100, 1 + flow % 200)
    ip = struct.pack(">BBHHHBBH", 0x45, 0, size - 14, 0, 0, 64, 17, 0) + addresses
    total = sum(struct.unpack(">10H", ip))
    total = (total & 0xFFFF) + (total >> 16)
    ip = (
        ip[:10] + struct.pack(">H", 0xFFFF ^ (total & 0xFFFF) + (total >> 16)) + ip[12:]
    )  # a bridge may look (br_netfilter)
    udp = struct.pack(">HHHH", 20_000 + flow, 40_000, size - 34, 0)
    return (b"\x02\0\0\0\0\x01\x02\0\0\0\0\x02\x08\x00" + ip + udp).ljust(size, b"x")


def main(interface: str, rate: float, seconds: float) -> int:
    frames = [frame(number) for number in range(FRAMES)]
    octets = np.frombuffer(b"".join(frames), np.uint8)
    lengths = np.array([len(one) for one in frames], np.uint64)
    vectors, messages = np.zeros(FRAMES, VECTOR), np.zeros(FRAMES, MESSAGE)
    vectors["octets"] = lengths
    vectors["address"] = octets.ctypes.data + np.concatenate([[0], np.cumsum(lengths)[:-1]]).astype(np.uint64)
    messages["vector"] = vectors.ctypes.data + np.arange(FRAMES, dtype=np.uint64) * VECTOR.itemsize
    messages["vectors"] = 1
    link = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
    link.setsockopt(SOL_PACKET, PACKET_QDISC_BYPASS, 1)
    link.setsockopt(socket.SOL_SOCKET, SO_SNDBUFFORCE, 8 << 20)
    link.bind((interface, 0))
    sendmmsg = ctypes.CDLL(None, use_errno=True).sendmmsg
    sent = place = 0
    begin = time.perf_counter()
    while (now := time.perf_counter() - begin) < seconds:
        if sent > now * rate:
            time.sleep(0 if sent - now * rate < rate / 2000 else 0.0004)
            continue
        done = sendmmsg(link.fileno(), ctypes.c_void_p(messages.ctypes.data + place * MESSAGE.itemsize), BATCH, 0)
        if done < 0:
            raise OSError(ctypes.get_errno(), "sendmmsg")
        sent += done
        place = (place + done) % FRAMES
        if place + BATCH > FRAMES:
            place = 0
    return sent


if __name__ == "__main__":
    print(main(sys.argv[1], float(sys.argv[2]), float(sys.argv[3])))
