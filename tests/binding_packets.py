"""RADIUS and DHCP payloads for tests: with scapy where it knows the form, by hand from the RFC's layout where not."""

from __future__ import annotations

import struct
from ipaddress import ip_address
from pathlib import Path

import scapy.layers.ppp  # noqa: F401 – PPPoE is opened where this was imported
from scapy.layers.dhcp import BOOTP, DHCP
from scapy.layers.inet import IP, UDP
from scapy.layers.inet6 import IPv6
from scapy.layers.radius import Radius, RadiusAttr_Vendor_Specific, RadiusAttribute
from scapy.utils import PcapReader

from classifier.subscribers.events import Prefix

START, STOP, INTERIM, ON, OFF = 1, 2, 3, 7, 8  # RFC 2866, 5.1
SECOND_NS = 10**9


def prefix(text: str) -> Prefix:
    """ "10.0.0.7" or "2001:db8::/64" as a prefix."""
    address, _, length = text.partition("/")
    found = ip_address(address)
    return Prefix(found.version, int(found), int(length or found.max_prefixlen))


def attribute(kind: int, value: bytes) -> RadiusAttribute:
    return RadiusAttribute(type=kind, len=len(value) + 2, value=value)


def number(kind: int, value: int) -> RadiusAttribute:
    return attribute(kind, struct.pack("!I", value))


def imsi(digits: str) -> RadiusAttr_Vendor_Specific:
    return RadiusAttr_Vendor_Specific(vendor_id=10415, vendor_type=1, value=digits.encode())


def prefix_v6(kind: int, text: str) -> RadiusAttribute:
    """RFC 3162, 2.3: reserved octet, length, as many octets of the prefix as its length needs."""
    network, length = text.split("/")
    octets = ip_address(network).packed[: (int(length) + 7) // 8]
    return attribute(kind, bytes([0, int(length)]) + octets)


def accounting(
    status: int,
    session: str = "s1",
    *extra: RadiusAttribute,
    address: str | None = None,
    user: str | None = None,
    nas: str = "192.0.2.1",
    delay_seconds: int | None = None,
    secret: bytes = b"testing123",
    identifier: int = 1,
) -> bytes:
    """An Accounting-Request with the authenticator that `secret` asks for, computed by scapy."""
    attributes = [number(40, status), attribute(4, ip_address(nas).packed)]
    if session:
        attributes.append(attribute(44, session.encode()))
    if user is not None:
        attributes.append(attribute(1, user.encode()))
    if address is not None:
        attributes.append(attribute(8, ip_address(address).packed))
    if delay_seconds is not None:
        attributes.append(number(41, delay_seconds))
    request = Radius(code=4, id=identifier, attributes=[*attributes, *extra])
    request.authenticator = request.compute_authenticator(bytes(16), secret)
    return bytes(request)


def response(identifier: int = 1) -> bytes:
    return struct.pack("!BBH16s", 5, identifier, 20, bytes(16))


def dhcp_message(kind: str, mac: str, *options, yiaddr: str = "0.0.0.0", ciaddr: str = "0.0.0.0") -> bytes:
    """`kind` as scapy calls it: "ack", "release", "offer"."""
    operation = 1 if kind in ("release", "request", "inform") else 2
    hardware = bytes.fromhex(mac.replace(":", ""))
    message = BOOTP(op=operation, htype=1, hlen=6, chaddr=hardware.ljust(16, b"\0"), yiaddr=yiaddr, ciaddr=ciaddr)
    return bytes(message / DHCP(options=[("message-type", kind), *options, "end"]))


def ack(mac: str, address: str, lease_seconds: int = 3600, *options) -> bytes:
    return dhcp_message("ack", mac, ("lease_time", lease_seconds), *options, yiaddr=address)


def udp_datagrams(path: Path) -> list[tuple[int, int, str, str, int, int, bytes]]:
    """(frame number, time_ns, source, destination, ports, payload) of a capture's UDP datagrams, found by scapy."""
    found = []
    with PcapReader(str(path)) as reader:
        for frame_number, packet in enumerate(reader, 1):
            if UDP not in packet:
                continue
            udp = packet[UDP]
            ip = packet[IP] if IP in packet else packet[IPv6]
            payload = bytes(udp.original[8 : udp.len])
            found.append((frame_number, int(packet.time * SECOND_NS), ip.src, ip.dst, udp.sport, udp.dport, payload))
    return found
