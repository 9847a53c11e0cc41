"""Which packets may speak about addresses: those that Python has to read once they are metered.

Rule of this file: only whole datagrams. One that was cut, or came in fragments, is counted, since what it gave away is lost.
"""

from __future__ import annotations

from classifier.iana import PROTOCOL_UDP
from classifier.kernels.bindings import covers
from classifier.kernels.jit import helper
from classifier.kernels.ranges import locate


@helper
def is_watched(tables, packet):
    """1 if the packet is a whole UDP datagram on a watched port, to or from a server whose word counts."""
    if packet.status != 0 or packet.protocol != PROTOCOL_UDP or packet.fragment == 2:
        return 0
    if not is_watched_port(tables, packet.source_port) and not is_watched_port(tables, packet.destination_port):
        return 0
    servers = tables.watched_servers
    version = packet.version
    if (
        locate(servers, version, packet.source_high, packet.source_low) < 0
        and locate(servers, version, packet.destination_high, packet.destination_low) < 0
    ):
        return 0
    if packet.fragment == 1 or packet.payload_captured < packet.payload_octets:
        tables.state[0].watched_cut += 1
        return 0
    return 1


@helper
def is_watched_port(tables, port):
    """1 if the port is one of the few."""
    for i in range(tables.watched_ports.shape[0]):
        if tables.watched_ports[i] == port:
            return 1
    return 0


@helper
def waits_for_first(entry, change):
    """1 if fragments without their first have been held for an address that a change is about."""
    if not entry.used or entry.held < 0:
        return 0
    if covers(change, entry.version, entry.source_high, entry.source_low):
        return 1
    return covers(change, entry.version, entry.destination_high, entry.destination_low)
