"""Ended flows as people read them: numbers to names, octets to text."""

from __future__ import annotations

from collections import namedtuple
from collections.abc import Callable, Iterator, Sequence
from ipaddress import IPv6Address

import numpy as np

from classifier.iana import PROTOCOL_NAMES
from classifier.records import EVIDENCE, FLOW_END, NAME_SOURCE, FlowRecord


def address_text(version: int, high: int, low: int) -> str:
    """An address of the tables in its usual form (RFC 5952)."""
    if version == 4:
        return f"{low >> 24}.{low >> 16 & 0xFF}.{low >> 8 & 0xFF}.{low & 0xFF}"
    address = IPv6Address(high << 64 | low)
    # Python before 3.13 writes the IPv4 part of a mapped address in hexadecimal.
    return f"::ffff:{address.ipv4_mapped}" if address.ipv4_mapped else str(address)


def name_text(name: bytes) -> str:
    """A name from the wire; what is not printable ASCII is escaped, since anybody may have written it."""
    return name.decode("latin-1").encode("unicode_escape").decode("ascii")


def flow_records(
    rows: np.ndarray,
    names: list[bytes],
    application_names: Sequence[str],
    subscriber_label: Callable[[int], str],
) -> Iterator[tuple[int, FlowRecord]]:
    """(serial, record) of each ended flow, in the order of `rows` (FLOW)."""
    texts = [name_text(name) for name in names]
    # Plain tuples of Python's own integers: reading fields of NumPy's records is ten times slower.
    row_type = namedtuple("row_type", rows.dtype.names)
    for row in map(row_type._make, np.asarray(rows).tolist()):
        forward = row.subscriber_is_client or row.subscriber < 0
        client = (row.client_octets, row.client_packets)
        server = (row.server_octets, row.server_packets)
        uplink, downlink = (client, server) if forward else (server, client)
        version = row.version
        yield (
            row.serial,
            FlowRecord(
                subscriber=subscriber_label(row.subscriber) if row.subscriber >= 0 else None,
                subscriber_is_client=bool(forward),
                client=address_text(version, row.client_high, row.client_low),
                client_port=row.client_port,
                server=address_text(version, row.server_high, row.server_low),
                server_port=row.server_port,
                protocol=PROTOCOL_NAMES.get(row.protocol, str(row.protocol)),
                application=application_names[row.application],
                evidence=EVIDENCE[row.evidence],
                source=NAME_SOURCE[row.source],
                name=texts[row.name] if row.name >= 0 else None,
                other_name=texts[row.other_name] if row.other_name >= 0 else None,
                first_packet_ns=row.first_ns,
                last_packet_ns=row.last_ns,
                uplink_octets=uplink[0],
                downlink_octets=downlink[0],
                uplink_packets=uplink[1],
                downlink_packets=downlink[1],
                retransmitted_octets=row.retransmitted_octets,
                after_close_octets=row.after_close_octets,
                ended=FLOW_END[row.ended],
            ),
        )
