"""Frames and lists of frames for the tests of kernels and of the meter, built with struct alone.

Rules of this file: nothing is imported from the code under test but the layout of the list of frames. Buffers are
read-only, as sources hand them over.
"""

from __future__ import annotations

import contextlib
import ssl
import struct
from dataclasses import dataclass
from functools import cache
from ipaddress import ip_address

import numpy as np
from hypothesis import Phase, settings

from classifier.iana import LINK_RAW
from classifier.records import FRAME

# Hypothesis without chance: the same examples at every run.
STEADY = {"derandomize": True, "deadline": None, "database": None, "report_multiple_bugs": False}
STEADY |= {"phases": (Phase.explicit, Phase.generate, Phase.shrink)}
FIN, SYN, RST, PSH, ACK = 1, 2, 4, 8, 16
ICMP, TCP, UDP = 1, 6, 17


def modest(examples: int) -> settings:
    """Settings for a property that is tried on `examples` generated inputs, always the same ones."""
    return settings(max_examples=examples, **STEADY)


@dataclass(frozen=True)
class Sent:
    """One frame as it went over the wire; `wire_octets` None: as many as `octets` holds."""

    time_ns: int
    octets: bytes
    link_type: int = LINK_RAW
    wire_octets: int | None = None
    gso_octets: int = 0  # as in records.FRAME
    gso_header_octets: int = 0


def read_only(octets: bytes) -> np.ndarray:
    """A buffer that nobody can write to."""
    return np.frombuffer(octets, np.uint8)


def batch(frames: list[Sent]) -> tuple[np.ndarray, np.recarray]:
    """One buffer with all frames behind each other, and their list."""
    listed = np.zeros(len(frames), FRAME).view(np.recarray)
    position = 0
    for number, frame in enumerate(frames):
        captured = len(frame.octets)
        wire = captured if frame.wire_octets is None else frame.wire_octets
        joined = (frame.gso_octets, frame.gso_header_octets, 0)
        listed[number] = (frame.time_ns, position, wire, captured, frame.link_type, *joined)
        position += captured
    return read_only(b"".join(frame.octets for frame in frames)), listed


def ip_packet(
    source: str, destination: str, protocol: int, payload: bytes, *, identification=0, more=0, offset_octets=0
) -> bytes:
    """A packet without options; an IPv6 fragment gets a Fragment header (RFC 8200, 4.5)."""
    a, b = ip_address(source), ip_address(destination)
    if a.version == 4:
        field = more << 13 | offset_octets // 8
        head = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(payload), identification, field, 64, protocol, 0)
        return head + a.packed + b.packed + payload
    if more or offset_octets:
        payload = struct.pack("!BBHI", protocol, 0, offset_octets | more, identification) + payload
        protocol = 44
    return struct.pack("!IHBB", 6 << 28, len(payload), protocol, 64) + a.packed + b.packed + payload


def tcp_segment(
    source_port: int, destination_port: int, sequence=0, acknowledgement=0, flags=ACK, payload=b""
) -> bytes:
    """A TCP header of 20 octets and its payload (RFC 9293, 3.1)."""
    numbers = (sequence % 2**32, acknowledgement % 2**32)
    return struct.pack("!HHIIBBHHH", source_port, destination_port, *numbers, 0x50, flags, 65535, 0, 0) + payload


def udp_datagram(source_port: int, destination_port: int, payload=b"") -> bytes:
    """A UDP header (RFC 768) and its payload."""
    return struct.pack("!HHHH", source_port, destination_port, 8 + len(payload), 0) + payload


def icmp_error(quoted: bytes, version=4) -> bytes:
    """Destination unreachable (RFC 792; RFC 4443, 3.1) that quotes a packet."""
    return struct.pack("!BBHI", 3 if version == 4 else 1, 1, 0, 0) + quoted


@cache
def client_hello(name: str | None, padded_to: int = 0) -> bytes:
    """The first flight of Python's own TLS client that asks for `name`: one record with a ClientHello.

    `padded_to` makes it longer with protocol names (RFC 7301), as a post-quantum key share does.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    if padded_to:
        context.set_alpn_protocols([f"p{number:03}-{'x' * 45}" for number in range(padded_to // 50)])
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = context.wrap_bio(incoming, outgoing, server_hostname=name)
    with contextlib.suppress(ssl.SSLWantReadError):
        client.do_handshake()
    return outgoing.read()


def over_records(hello: bytes, cuts: list[int]) -> bytes:
    """The handshake message of a one-record flight laid out over several records (RFC 8446, 5.1), cut at `cuts`."""
    message = hello[5:]
    places = sorted({cut for cut in cuts if 0 < cut < len(message)})
    parts = [message[a:b] for a, b in zip([0, *places], [*places, len(message)], strict=True)]
    return b"".join(b"\x16\x03\x01" + struct.pack("!H", len(part)) + part for part in parts)
