"""Floods that try to fill a table, with other subscribers' ordinary connections among them (attack 28).

Rules of this file: the same arguments give the same octets; nothing depends on the classifier. One subscriber floods: each
of its packets asks for a new entry of some table. One packet of fifty is of other subscribers, who open TLS connections
to an address of Facebook's own network, send its name, and are sent data: all of their octets should be free.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path

from benches.make_names import DATA, START_SECONDS, Ends, client_hello, quic_initial

KINDS = {
    "syn": "a SYN, each to other ports and another address",
    "hello": "a SYN, then half a ClientHello that is never finished",
    "quic": "a QUIC Initial that verifies, each with ids of its own, never answered",
    "dns": "a DNS query for a name of its own, never answered",
    "fragment": "a fragment whose first never comes",
}
ONE_OTHER_IN = 50
OTHERS = 40
FACEBOOK, NAME = bytes([157, 240, 0, 35]), b"www.facebook.com"  # 157.240.0.0/16 is announced by AS32934, facebook
QUIC_INITIALS = 2_000  # sealed once, sent from as many ports as there are flows
SYN, SYN_ACK, ACK, PUSH = 0x02, 0x12, 0x10, 0x18
CONNECTION_ROUNDS = 12


def make_flood(kind: str, target: Path, packets: int) -> int:
    """Write a pcap of `packets` packets; the IP octets of the others among them."""
    flood = _FLOODS[kind]()
    others = _others()
    octets = 0
    with target.open("wb") as file:
        file.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1))
        for number in range(packets):
            frame = next(others if number % ONE_OTHER_IN == 0 else flood)
            octets += len(frame) - 14 if number % ONE_OTHER_IN == 0 else 0
            seconds, microseconds = divmod(number, 1_000_000)
            file.write(struct.pack("<IIII", START_SECONDS + seconds, microseconds, len(frame), len(frame)) + frame)
    return octets


def _others() -> Iterator[bytes]:
    """Connections of OTHERS subscribers, a packet of each in turn, one after another on ports of their own."""
    talks = [_connections(subscriber) for subscriber in range(OTHERS)]
    while True:
        for talk in talks:
            yield next(talk)


def _connections(subscriber: int) -> Iterator[bytes]:
    hello = client_hello(NAME)
    record = b"\x16\x03\x01" + struct.pack(">H", len(hello)) + hello
    port = 20_000
    while True:
        ends = Ends(bytes([10, 9, 0, 1 + subscriber]), FACEBOOK, 6, port, 443)
        yield ends.up(b"", 1000, 0, SYN)
        yield ends.down(b"", 5000, 1001, SYN_ACK)
        yield ends.up(record, 1001, 5001, PUSH)
        for number in range(CONNECTION_ROUNDS):
            yield ends.down(DATA, 5001 + number * len(DATA), 1001 + len(record), PUSH)
            yield ends.up(b"", 1001 + len(record), 5001 + (number + 1) * len(DATA), ACK)
        port = port + 1 if port < 60_000 else 20_000


def _flooder(protocol: int, server_port: int) -> Iterator[tuple[int, Ends]]:
    """Ends of one subscriber that were not used before."""
    number = 0
    while True:
        address = struct.pack(">I", 0xC6330000 | number // 50_000)  # 198.51.0.0/16
        yield number, Ends(bytes([10, 1, 1, 1]), address, protocol, 10_000 + number % 50_000, server_port)
        number += 1


def _syns() -> Iterator[bytes]:
    for _, ends in _flooder(6, 443):
        yield ends.up(b"", 1000, 0, SYN)


def _hellos() -> Iterator[bytes]:
    hello = client_hello(NAME)
    half = b"\x16\x03\x01" + struct.pack(">H", len(hello)) + hello[:60]
    for _, ends in _flooder(6, 443):
        yield ends.up(b"", 1000, 0, SYN)
        yield ends.up(half, 1001, 1, PUSH)


def _quic() -> Iterator[bytes]:
    initials = [quic_initial(struct.pack(">Q", number), NAME) for number in range(QUIC_INITIALS)]
    for number, ends in _flooder(17, 443):
        yield ends.up(initials[number % QUIC_INITIALS])


def _dns() -> Iterator[bytes]:
    for number, ends in _flooder(17, 53):
        label = b"n%07d" % number
        question = bytes([len(label)]) + label + b"\x07example\x03com\x00\x00\x01\x00\x01"
        yield ends.up(struct.pack(">H", number & 0xFFFF) + b"\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00" + question)


def _fragments() -> Iterator[bytes]:
    for number, ends in _flooder(17, 4000):
        yield ends.up(bytes(64), identification=number & 0xFFFF, offset_octets=8 * (1 + number // 65536 % 100))


_FLOODS = {"syn": _syns, "hello": _hellos, "quic": _quic, "dns": _dns, "fragment": _fragments}
