"""DNS messages for the tests, written with struct alone, after RFC 1035, 4: names as labels, no compression."""

from __future__ import annotations

import struct
from ipaddress import ip_address

A, CNAME, AAAA, SVCB, HTTPS, TXT = 1, 5, 28, 64, 65, 16


def wire_name(name: str) -> bytes:
    """`www.alpha.example` as labels."""
    labels = [label.encode("latin-1") for label in name.split(".") if label]
    return b"".join(bytes([len(label)]) + label for label in labels) + b"\0"


def question(name: str, kind: int = A) -> bytes:
    return wire_name(name) + struct.pack("!HH", kind, 1)


def record(owner: str, kind: int, data: bytes, ttl_seconds: int = 60, class_=1) -> bytes:
    return wire_name(owner) + struct.pack("!HHIH", kind, class_, ttl_seconds, len(data)) + data


def address(owner: str, text: str, ttl_seconds: int = 60) -> bytes:
    """An A or AAAA record."""
    number = ip_address(text)
    return record(owner, A if number.version == 4 else AAAA, number.packed, ttl_seconds)


def alias(owner: str, target: str, ttl_seconds: int = 60) -> bytes:
    return record(owner, CNAME, wire_name(target), ttl_seconds)


def service(owner: str, hints: list[str], ttl_seconds: int = 60, priority=1, target="") -> bytes:
    """An HTTPS record with address hints (RFC 9460, 2.2 and 7.3), behind a parameter for the protocols."""
    parameters = struct.pack("!HH", 1, 3) + b"\x02h2"
    for key, version in ((4, 4), (6, 6)):
        packed = b"".join(ip_address(text).packed for text in hints if ip_address(text).version == version)
        if packed:
            parameters += struct.pack("!HH", key, len(packed)) + packed
    return record(owner, HTTPS, struct.pack("!H", priority) + wire_name(target) + parameters, ttl_seconds)


def query_message(name: str, kind: int = A, id_=7) -> bytes:
    return struct.pack("!6H", id_, 0x0100, 1, 0, 0, 0) + question(name, kind)


def answer_message(name: str, records: list[bytes], kind: int = A, id_=7, flags=0x8180, behind=()) -> bytes:
    """`behind`: records of the additional section."""
    head = struct.pack("!6H", id_, flags, 1, len(records), 0, len(behind))
    return head + question(name, kind) + b"".join(records) + b"".join(behind)
