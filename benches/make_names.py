"""Captures that are full of names: of every ten packets one is a ClientHello, a QUIC Initial or a DNS answer.

Rules of this file: the same arguments give the same octets; nothing depends on the classifier. Each flow has ten packets and
a subscriber and ports of its own; servers are of the documentation ranges, so names are claimed and never verified.
QUIC's Initials are sealed as RFC 9001, 5, has it, each with keys of its own, so every one has to be opened.
"""

from __future__ import annotations

import hmac
import struct
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

PACKETS_PER_FLOW = 10
START_SECONDS = 1_704_067_200  # 2024-01-01 00:00:00 UTC
ETHERNET = bytes.fromhex("020000000001020000000002") + b"\x08\x00"
INITIAL_SALT_V1 = bytes.fromhex("38762cf7f55934b34d179ae6a4c80cadccbb7f0a")  # RFC 9001, 5.2
INITIAL_OCTETS = 1200  # RFC 9000, 14.1
NAME = b"video.example.com"
DATA = bytes(range(256)) * 5
SYN, SYN_ACK, ACK, PUSH = 0x02, 0x12, 0x10, 0x18


def make_names(kind: str, target: Path, packets: int) -> int:
    """Write a pcap of `packets` packets, rounded up to whole flows; returns how many. `kind` "mixed": flows of all in turn."""
    makers = {"tls": _tls_flow, "quic": _quic_flow, "dns": _dns_flow}
    chosen = tuple(makers.values()) if kind == "mixed" else (makers[kind],)
    count = 0
    with target.open("wb") as file:
        file.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1))
        for flow in range(-(-packets // PACKETS_PER_FLOW)):
            for frame in chosen[flow % len(chosen)](flow):
                seconds, microseconds = divmod(count * 10, 1_000_000)
                file.write(struct.pack("<IIII", START_SECONDS + seconds, microseconds, len(frame), len(frame)) + frame)
                count += 1
    return count


class Ends:
    """The two ends of one flow; `up` and `down` frame a datagram or a segment of the client, of the server."""

    def __init__(self, client: bytes, server: bytes, protocol: int, client_port: int, server_port: int) -> None:
        self._client, self._server, self._protocol = client, server, protocol
        self._ports = client_port, server_port

    def up(self, payload: bytes, sequence: int = 0, acknowledged: int = 0, flags: int = 0, **internet: int) -> bytes:
        transport = self._transport(self._ports, payload, sequence, acknowledged, flags)
        return self._frame(self._client, self._server, transport, **internet)

    def down(self, payload: bytes, sequence: int = 0, acknowledged: int = 0, flags: int = 0) -> bytes:
        transport = self._transport(self._ports[::-1], payload, sequence, acknowledged, flags)
        return self._frame(self._server, self._client, transport)

    def _transport(self, ports, payload: bytes, sequence: int, acknowledged: int, flags: int) -> bytes:
        if self._protocol == 6:
            return struct.pack(">HHIIBBHHH", *ports, sequence, acknowledged, 0x50, flags, 65535, 0, 0) + payload
        return struct.pack(">HHHH", *ports, 8 + len(payload), 0) + payload

    def _frame(
        self, source: bytes, destination: bytes, transport: bytes, identification: int = 0, offset_octets: int = 0
    ) -> bytes:
        """An IPv4 packet in Ethernet; a later fragment where there is an offset (RFC 791, 3.1)."""
        fragment = offset_octets >> 3 or 0x4000
        octets = 20 + len(transport)
        header = struct.pack(">BBHHHBBH", 0x45, 0, octets, identification, fragment, 64, self._protocol, 0)
        return ETHERNET + header + source + destination + transport


def _ends(flow: int, protocol: int, server_port: int, server: bytes = bytes([198, 51, 100, 7])) -> Ends:
    """Those of a flow by its number: a subscriber and a port of its own."""
    client = bytes([10, flow >> 12 & 0xFF, flow >> 4 & 0xFF, 1 + (flow & 0xF)])
    return Ends(client, server, protocol, 20_000 + flow % 40_000, server_port)


def client_hello(name: bytes, with_parameters: bool = False) -> bytes:
    """A ClientHello as a handshake message (RFC 8446, 4.1.2), with the name last of its extensions."""
    listed_name = struct.pack(">HBH", len(name) + 3, 0, len(name)) + name
    extensions = [(43, b"\x02\x03\x04"), (10, b"\x00\x02\x00\x1d"), (51, bytes(38)), (0, listed_name)]
    if with_parameters:
        extensions.insert(0, (57, bytes(60)))
    listed = b"".join(struct.pack(">HH", kind, len(octets)) + octets for kind, octets in extensions)
    body = b"\x03\x03" + bytes(32) + b"\x20" + bytes(32) + b"\x00\x02\x13\x01" + b"\x01\x00"
    body += struct.pack(">H", len(listed)) + listed
    return b"\x01" + len(body).to_bytes(3, "big") + body


def quic_initial(connection_id: bytes, name: bytes) -> bytes:
    """A client's first Initial to that id, with a hello for that name."""
    initial = hmac.digest(INITIAL_SALT_V1, connection_id, "sha256")
    return _initial(_expand(initial, "client in", 32), connection_id, b"", client_hello(name, True))


def _segments(ends: Ends, request: bytes) -> Iterator[bytes]:
    """Ten packets of a TCP connection, the fourth of which is `request`."""
    end = 1001 + len(request)
    yield ends.up(b"", 1000, 0, SYN)
    yield ends.down(b"", 5000, 1001, SYN_ACK)
    yield ends.up(b"", 1001, 5001, ACK)
    yield ends.up(request, 1001, 5001, PUSH)
    for number in range(3):
        sequence = 5001 + number * len(DATA)
        yield ends.down(DATA, sequence, end, PUSH)
        yield ends.up(b"", end, sequence + len(DATA), ACK)


def _tls_flow(flow: int) -> Iterator[bytes]:
    hello = client_hello(NAME)
    yield from _segments(_ends(flow, 6, 443), b"\x16\x03\x01" + struct.pack(">H", len(hello)) + hello)


def _quic_flow(flow: int) -> Iterator[bytes]:
    ends = _ends(flow, 17, 443)
    client_id = sha256(b"client %d" % flow).digest()[:8]
    server_id = sha256(b"server %d" % flow).digest()[:8]
    initial = hmac.digest(INITIAL_SALT_V1, client_id, "sha256")
    answer = b"\x02\x00\x00\x4c\x03\x03" + bytes(70)
    yield ends.up(quic_initial(client_id, NAME))
    yield ends.down(_initial(_expand(initial, "server in", 32), b"", server_id, answer))
    for number in range(PACKETS_PER_FLOW - 2):
        if number % 3:
            yield ends.down(b"\x41" + DATA[:1199])
        else:
            yield ends.up(b"\x41" + server_id + DATA[:30])


def _expand(secret: bytes, label: str, octets: int) -> bytes:
    """HKDF-Expand-Label of one block (RFC 8446, 7.1)."""
    full = b"tls13 " + label.encode()
    info = struct.pack(">HB", octets, len(full)) + full + b"\x00" + b"\x01"
    return hmac.digest(secret, info, "sha256")[:octets]


def _initial(secret: bytes, destination: bytes, source: bytes, message: bytes) -> bytes:
    """A sealed Initial with one CRYPTO frame, padded (RFC 9001, 5.3 and 5.4)."""
    key, vector, mask_key = (
        _expand(secret, "quic key", 16),
        _expand(secret, "quic iv", 12),
        _expand(secret, "quic hp", 16),
    )
    ids = bytes([len(destination)]) + destination + bytes([len(source)]) + source
    header = b"\xc0\x00\x00\x00\x01" + ids + b"\x00"
    plain = b"\x06\x00" + struct.pack(">H", 0x4000 | len(message)) + message
    plain = plain.ljust(INITIAL_OCTETS - len(header) - 3 - 16, b"\x00")
    header += struct.pack(">H", 0x4000 | 1 + len(plain) + 16) + b"\x00"
    sealed = AESGCM(key).encrypt(vector, plain, header)  # packet number 0
    mask = Cipher(algorithms.AES(mask_key), modes.ECB()).encryptor().update(sealed[3:19])
    return bytes([header[0] ^ mask[0] & 0x0F]) + header[1:-1] + bytes([header[-1] ^ mask[1]]) + sealed


def _dns_flow(flow: int) -> Iterator[bytes]:
    """A question, its answer, and eight packets of a connection to the address that was answered."""
    server = bytes([198, 51, 100, 1 + flow % 200])
    ends = _ends(flow, 17, 53, bytes([10, 0, 0, 1]))
    question = b"".join(bytes([len(label)]) + label for label in NAME.split(b".")) + b"\x00\x00\x01\x00\x01"
    number = struct.pack(">H", flow & 0xFFFF)
    yield ends.up(number + b"\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00" + question)
    record = b"\xc0\x0c\x00\x01\x00\x01\x00\x00\x01\x2c\x00\x04" + server
    yield ends.down(number + b"\x81\x80\x00\x01\x00\x01\x00\x00\x00\x00" + question + record)
    yield from list(_segments(_ends(flow, 6, 8443, server), DATA[:100]))[: PACKETS_PER_FLOW - 2]
