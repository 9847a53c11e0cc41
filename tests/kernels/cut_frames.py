"""Frames cut at every length: the cases of test_decode_cuts, and a program that prints a digest of what is decoded.

The program is run with bounds checking and without the compiler: a read outside a buffer stops it there, and what it
prints has to be the same. So every frame lies flush at the end of a buffer of its own.
"""

from __future__ import annotations

import hashlib

from decoding import Decoder
from frames import ip_packet, tcp_segment, udp_datagram
from layered import LINKS, SUBSCRIBER_NETWORKS, TUNNELS
from scapy.layers.inet import ICMP, IP, TCP, UDP, IPOption_RR
from scapy.layers.inet6 import ICMPv6DestUnreach, IPv6, IPv6ExtHdrDestOpt, IPv6ExtHdrFragment, IPv6ExtHdrHopByHop, PadN
from scapy.layers.ipsec import AH
from scapy.packet import Raw

V4 = {"src": "10.0.0.1", "dst": "203.0.113.5"}
V6 = {"src": "2001:db8:5::1", "dst": "2001:db8::2"}
INSIDE = ip_packet("10.0.0.1", "203.0.113.5", 6, tcp_segment(50000, 443, 1, 2, payload=b"0123456789"))
OPTIONS = IPv6ExtHdrHopByHop(options=[PadN(optdata=b"\0" * 4)]) / IPv6ExtHdrDestOpt(options=[PadN(optdata=b"\0" * 12)])
JUMBO = b"\x11\0\xc2\4\0\1\x11\x80" + udp_datagram(5000, 5001, b"jumbo")

PACKETS = {
    "tcp": bytes(IP(**V4) / TCP(sport=50000, dport=443, options=[("Timestamp", (1, 2))]) / Raw(b"payload")),
    "options": bytes(
        IP(**V4, options=[IPOption_RR(length=11, routers=["0.0.0.0"] * 2)]) / UDP(sport=5, dport=6) / Raw(b"abc")
    ),
    "icmp error": bytes(IP(src="203.0.113.7", dst="10.0.0.1") / ICMP(type=3) / Raw(INSIDE)),
    "ipv6": bytes(IPv6(**V6) / OPTIONS / UDP(sport=5000, dport=5001) / Raw(b"payload")),
    "ipv6 fragment": bytes(IPv6(**V6) / IPv6ExtHdrFragment(id=7, m=1, nh=17) / Raw(udp_datagram(5000, 5001, b"x" * 8))),
    "ipv6 error": bytes(IPv6(src="2001:db8::7", dst=V6["src"]) / ICMPv6DestUnreach() / IPv6(**V6) / UDP() / Raw(b"q")),
    "authenticated": bytes(IP(**V4) / AH(nh=17, payloadlen=4, icv=b"\0" * 12) / Raw(udp_datagram(5000, 5001, b"x"))),
    "jumbo": bytes(IPv6(**V6, plen=0, nh=0) / Raw(JUMBO)),
}


def cases() -> dict[str, tuple[bytes, int, int]]:
    """Name: (frame, link type, octets before the IP packet that lies outermost)."""
    found = {f"raw {name}": (packet, LINKS["raw"][0], 0) for name, packet in PACKETS.items()}
    for name, (link_type, wrap) in LINKS.items():
        found[f"{name} link"] = (wrap(INSIDE), link_type, len(wrap(INSIDE)) - len(INSIDE))
    for name, wrap in TUNNELS.items():
        found[f"{name} tunnel"] = (wrap(INSIDE, 4), LINKS["raw"][0], 0)
        found[f"{name} tunnel over ipv6"] = (wrap(INSIDE, 6), LINKS["raw"][0], 0)
    return found


def decode_all() -> dict[str, list]:
    """What is found of every case, cut at every captured length and at every wire length."""
    decoder = Decoder(*SUBSCRIBER_NETWORKS)
    found = {}
    for name, (octets, link_type, _) in cases().items():
        results = []
        for captured in range(len(octets) + 1):
            for wire in (len(octets), captured):
                reason, record = decoder(octets, link_type, captured=captured, wire=wire)
                shown = sorted(record.items()) if reason is None else record["octets"]
                results.append((captured, wire, reason, shown))
        found[name] = results
    return found


if __name__ == "__main__":
    for case, outcome in decode_all().items():
        print(case, hashlib.blake2b(repr(outcome).encode(), digest_size=8).hexdigest())
