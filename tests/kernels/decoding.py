"""Calls the decoder alone, on one frame, as the meter's kernel does."""

from __future__ import annotations

from ipaddress import ip_address, ip_network

import numpy as np
from frames import read_only

from classifier.kernels.bindings import Owners, make_bound
from classifier.kernels.bundle import Bundle
from classifier.kernels.jit import kernel
from classifier.kernels.packet import PACKET, decode
from classifier.kernels.ranges import flatten
from classifier.records import UNMETERED


@kernel
def decode_frame(buffer, packets, offset, captured, wire, link_type, owners):
    return decode(buffer, packets[0], offset, captured, wire, link_type, owners)


def subscriber_ranges(*networks: str):
    """Ranges in which every address of `networks` is a subscriber's."""
    prefixes = (ip_network(text) for text in networks)
    return flatten((p.version, int(p.network_address), p.prefixlen, 0) for p in prefixes)


class Decoder:
    """`place` says where in its buffer a frame lies, and what lies around it."""

    def __init__(self, *networks: str) -> None:
        self.owners = Bundle(Owners(subscriber_ranges(*networks), make_bound(0, 1)))
        self.record = np.zeros(1, PACKET).view(np.recarray)

    def __call__(self, octets: bytes, link_type: int, captured=None, wire=None, before=b"", behind=b""):
        """(reason or None, the PACKET record as a dict with positions relative to the frame)."""
        captured = len(octets) if captured is None else captured
        wire = len(octets) if wire is None else wire
        buffer = read_only(before + octets[:captured] + behind)
        self.record.fill(0)
        status = decode_frame(buffer, self.record, len(before), captured, wire, link_type, self.owners)
        found = {name: int(self.record[0][name]) for name in PACKET.names}
        for place in ("wire_end", "payload_start"):
            found[place] -= len(before)
        for place in ("position", "captured_end"):  # of a plain packet nobody notes them
            found[place] -= len(before) if found[place] else 0
        # It means something only of a fragment.
        found["fragment_start"] = found["fragment_start"] - len(before) if found["fragment"] else 0
        return (UNMETERED[status - 1] if status else None), found


def end(found: dict, which: str):
    """One end of a decoded packet as an address."""
    number = found[f"{which}_high"] << 64 | found[f"{which}_low"]
    return str(ip_address(number) if found["version"] == 6 else ip_address(number & 0xFFFFFFFF))
