"""Captures of many flows: each of many subscribers has one flow to each of some applications.

Rules of this file: the same arguments give the same octets; nothing depends on the classifier. All is done by NumPy in
columns, a part of the packets at a time, as there are millions. Each flow begins at any time, with a packet of either end,
twice; whose the other packets are is drawn by Zipf's law, the subscriber of rank r and the application of rank r with weight
1 / r.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address
from pathlib import Path

import numpy as np

START_SECONDS = 1_704_067_200  # 2024-01-01 00:00:00 UTC
SPACING_US = 8  # five million packets lie within 40 s, so every flow is open at the end
FIRST_CLIENT = int(IPv4Address("10.0.0.1"))
PACKETS_EACH = 4  # of a flow, before chance gives it more …
OPENING = 1e-4  # … and how much of the time they take
PART = 1 << 18
TCP, UDP = 6, 17
SYN, SYN_ACK, PUSH = 0x02, 0x12, 0x18
# (address, protocol, port): six in networks of one application alone, two known by their port, one by nothing, and the last
# by what is asked of it.
SERVERS = (
    ("157.240.0.35", TCP, 5222),  # facebook
    ("23.246.0.1", TCP, 8080),  # netflix
    ("203.0.113.123", UDP, 123),  # ntp
    ("91.108.4.1", TCP, 5222),  # telegram
    ("64.63.0.1", UDP, 4000),  # twitter
    ("31.13.64.60", UDP, 3478),  # whatsapp
    ("208.80.152.1", TCP, 8080),  # wikipedia
    ("198.51.100.53", UDP, 53),  # dns
    ("198.51.100.7", UDP, 4000),  # unknown
    ("198.51.100.80", TCP, 80),  # spotify
)
REQUEST = np.frombuffer(b"GET / HTTP/1.1\r\nHost: www.spotify.com\r\n\r\n", np.uint8)
RECORD_HEADER, FRAME_HEADERS = 16, 54  # Ethernet, IPv4, TCP; what UDP leaves of it is payload
# A record of a pcap up to the end of TCP's header. Of UDP's, length and checksum stand where TCP has `sequence`.
HEAD = np.dtype(
    [
        ("seconds", "<u4"),
        ("microseconds", "<u4"),
        ("captured", "<u4"),
        ("length", "<u4"),
        ("ethernet", "u1", 14),
        ("version", "u1"),
        ("service", "u1"),
        ("octets", ">u2"),
        ("identification", ">u2"),
        ("fragment", ">u2"),
        ("hops", "u1"),
        ("protocol", "u1"),
        ("checksum", ">u2"),
        ("source", ">u4"),
        ("destination", ">u4"),
        ("source_port", ">u2"),
        ("destination_port", ">u2"),
        ("sequence", ">u4"),
        ("acknowledged", ">u4"),
        ("header", "u1"),
        ("flags", "u1"),
        ("window", ">u2"),
        ("sum_and_urgent", ">u4"),
    ]
)


@dataclass(frozen=True, slots=True)
class Packets:
    """Columns, in the order of the packets: `flow`; `turn`, how many its flow had before; `up`, from the client; octets of the
    `frame`; `sent` and `received`, payload octets that its sender and the other end had sent before in this flow.
    """

    flow: np.ndarray
    turn: np.ndarray
    up: np.ndarray
    frame: np.ndarray
    sent: np.ndarray
    received: np.ndarray


def make_flows(
    target: Path, subscribers: int, packets: int, frame_octets: Sequence[int], applications: int = len(SERVERS)
) -> int:
    """Write a pcap of `packets` packets of frames of these sizes, 64 octets and more; returns how many.

    The last of ten applications needs frames of 96 octets for what it is asked: it gets them.
    """
    drawn = _draw(subscribers, applications, packets, frame_octets)
    with target.open("wb") as file:
        file.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1))
        for first in range(0, packets, PART):
            file.write(_records(drawn, applications, slice(first, min(first + PART, packets)), first))
    return packets


def _draw(subscribers: int, applications: int, packets: int, frame_octets: Sequence[int]) -> Packets:
    """Who sends what when. Flow f is that of subscriber f // applications to server f % applications."""
    chance = np.random.default_rng(6)
    flows = subscribers * applications
    more = packets - PACKETS_EACH * flows
    if more < 0:
        raise ValueError(f"{packets} packets are too few for {flows} flows of {PACKETS_EACH}")
    favourite = _zipf(chance, subscribers, more) * applications + _zipf(chance, applications, more)
    begins = chance.random(flows) * (1 - OPENING)
    when = [begins + turn / PACKETS_EACH * OPENING for turn in range(PACKETS_EACH)]
    when.append(begins[favourite] + OPENING + chance.random(more) * (1 - OPENING - begins[favourite]))
    flow = np.concatenate([*[np.arange(flows)] * PACKETS_EACH, favourite])[np.argsort(np.concatenate(when))]
    by_flow = np.argsort(flow, kind="stable")
    turn = _before(np.ones(packets, np.int64), flow, by_flow)
    asks = flow % applications == len(SERVERS) - 1
    up = np.where(turn < PACKETS_EACH, turn % 2 == 0, (chance.random(packets) < 0.4) & ~asks)
    frame = np.asarray(frame_octets, np.int64)[chance.integers(0, len(frame_octets), packets)]
    frame[asks & (turn == 2)] = FRAME_HEADERS + REQUEST.size
    protocol = np.array([protocol for _, protocol, _ in SERVERS])[flow % applications]
    payload = np.where((protocol == TCP) & (turn >= 2), frame - FRAME_HEADERS, 0)
    upward, downward = _before(payload * up, flow, by_flow), _before(payload * ~up, flow, by_flow)
    return Packets(flow, turn, up, frame, np.where(up, upward, downward), np.where(up, downward, upward))


def _zipf(chance: np.random.Generator, count: int, draws: int) -> np.ndarray:
    """Ranks from 0 on, with weight 1 / (rank + 1)."""
    weights = np.cumsum(1 / np.arange(1, count + 1))
    return np.searchsorted(weights, chance.random(draws) * weights[-1], side="right")


def _before(values: np.ndarray, flow: np.ndarray, by_flow: np.ndarray) -> np.ndarray:
    """The sum of the values of the same flow's earlier packets."""
    ordered = values[by_flow]
    sums = np.cumsum(ordered) - ordered
    begins = np.flatnonzero(np.diff(flow[by_flow], prepend=-1))
    found = np.empty_like(sums)
    found[by_flow] = sums - np.repeat(sums[begins], np.diff(begins, append=flow.size))
    return found


def _records(drawn: Packets, applications: int, part: slice, first: int) -> np.ndarray:
    """Some packets, octet by octet, as they stand in a file. The payload is zeros."""
    flow, turn, up, frame = drawn.flow[part], drawn.turn[part], drawn.up[part], drawn.frame[part]
    subscriber, server = np.divmod(flow, applications)
    addresses = np.array([int(IPv4Address(address)) for address, _, _ in SERVERS])[server]
    protocol, port = (np.array(column)[server] for column in tuple(zip(*SERVERS, strict=True))[1:])
    client, client_port = FIRST_CLIENT + subscriber, 20_000 + server
    is_tcp, opens = protocol == TCP, turn < 2
    head = np.zeros(flow.size, HEAD)
    number = np.arange(first, first + flow.size) * SPACING_US
    head["seconds"], head["microseconds"] = START_SECONDS + number // 1_000_000, number % 1_000_000
    head["captured"] = head["length"] = frame
    head["ethernet"] = np.frombuffer(bytes.fromhex("0200000000010200000000020800"), np.uint8)
    head["version"], head["fragment"], head["hops"], head["protocol"] = 0x45, 0x4000, 64, protocol
    # A frame of 64 octets is longer than a segment without payload: Ethernet fills it up.
    head["octets"] = np.where(is_tcp & opens, 40, frame - 14)
    head["source"], head["destination"] = np.where(up, client, addresses), np.where(up, addresses, client)
    head["source_port"], head["destination_port"] = np.where(up, client_port, port), np.where(up, port, client_port)
    head["sequence"] = np.where(is_tcp, 1000 + drawn.sent[part] + ~opens, frame - 34 << 16)
    head["acknowledged"] = np.where(is_tcp & (turn > 0), 1001 + drawn.received[part], 0)
    head["header"] = np.where(is_tcp, 0x50, 0)
    head["flags"] = np.where(is_tcp, np.select([turn == 0, turn == 1], [SYN, SYN_ACK], PUSH), 0)
    head["window"] = np.where(is_tcp, 65535, 0)
    starts = np.cumsum(RECORD_HEADER + frame) - (RECORD_HEADER + frame)
    octets = np.zeros(int(starts[-1] + RECORD_HEADER + frame[-1]), np.uint8)
    octets[starts[:, None] + np.arange(HEAD.itemsize)] = head.view(np.uint8).reshape(flow.size, -1)
    asks = (server == len(SERVERS) - 1) & (turn == 2)
    octets[starts[asks][:, None] + HEAD.itemsize + np.arange(REQUEST.size)] = REQUEST
    return octets
