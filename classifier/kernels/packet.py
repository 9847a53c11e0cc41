"""From a frame to a packet: the one record that all decoding writes into, and the walk that fills it.

Rules of this file and of its five helpers (link, tags, internet, tunnel, transport), which share one skeleton: each takes
(frame octets, packet record), starts at `position`, checks a length once before it reads, moves `position` on and returns
a status. They never copy. *Truncated* (the capture stopped short) is not *malformed* (the packet itself is wrong).
The octets that count are those of the IP packet: accounting 1.1 to 1.3.
"""

from __future__ import annotations

from classifier.kernels.internet import read_internet
from classifier.kernels.jit import helper
from classifier.kernels.link import read_link
from classifier.kernels.plain import read_plain
from classifier.kernels.state import whole_lines
from classifier.kernels.tags import read_tags
from classifier.kernels.transport import read_transport
from classifier.kernels.tunnel import read_tunnel

# Signed for all that is counted with, so that nothing mixes with what is not; unsigned only where bits are compared. A plain
# packet is in the first two cache lines, which are all that goes from the processor that decodes to the one that meters.
PACKET = whole_lines(
    [
        # The IP header.
        ("source_high", "u8"),
        ("source_low", "u8"),
        ("destination_high", "u8"),
        ("destination_low", "u8"),
        # The transport header; ports are 0 where there are none.
        ("source_port", "i4"),
        ("destination_port", "i4"),
        ("octets", "i8"),  # what counts (accounting 1.1, 1.2)
        ("time_ns", "i8"),
        ("protocol", "u1"),
        ("begins", "i1"),  # TCP: the payload may begin a hello or request (inspect.may_begin)
        ("tcp_flags", "u1"),
        ("version", "i1"),
        ("status", "i1"),  # what became of the walk: 0, or 1 + UNMETERED code
        ("fragment", "i1"),  # 0 whole, 1 first, 2 later
        ("quoted", "i1"),  # 1: it quotes another packet, see below
        ("link_by", "i1"),  # what of the link is asked for: LINK_BY_…, 0 nothing
        ("tag", "i8"),  # the flow's hash (flows.flow_tag)
        ("tcp_sequence", "i8"),
        ("tcp_acknowledgement", "i8"),
        ("payload_start", "i8"),
        ("payload_octets", "i8"),  # on the wire
        ("wire_end", "i8"),  # position in the buffer where the packet would end, had all of it been captured
        ("payload_captured", "i4"),
        ("packets", "i4"),  # on the wire: more than one where an interface joined them (kernels.segments)
        ("link_identity", "i8"),  # what it came with, of what is asked for; 0 where it has none
        # Where the walk stands: positions in the buffer. Not filled in by `plain`, nor is what follows.
        ("position", "i8"),
        ("captured_end", "i8"),
        ("next_type", "i8"),  # EtherType of what stands at `position`, once the link layer is read
        ("unbounded", "i8"),  # the outer packet is a first fragment: what it carries may be longer than it
        ("depth", "i8"),  # tunnels opened so far
        ("fragment_id", "i8"),
        ("fragment_protocol", "i8"),  # what the header says that all fragments share
        ("fragment_offset", "i8"),  # octets
        ("fragment_start", "i8"),  # position in the buffer of what the datagram has at that offset
        ("fragment_last", "i8"),  # 1 where no more fragments follow
        # The packet that an ICMP error quotes.
        ("quoted_protocol", "i8"),
        ("quoted_source_high", "u8"),
        ("quoted_source_low", "u8"),
        ("quoted_destination_high", "u8"),
        ("quoted_destination_low", "u8"),
        ("quoted_source_port", "i4"),
        ("quoted_destination_port", "i4"),
    ]
)

# Tunnels inside tunnels: an operator's gateway sees two or three; more is an attempt to keep us busy.
DEPTH_LIMIT = 4


@helper
def decode(frame, packet, offset, captured_octets, wire_octets, link_type, owners):
    """Decode the frame at `offset` into `packet`; 0, or 1 + the UNMETERED code of why there is no IP packet.

    `frame` uint8 buffer; lengths in octets; `owners` Owners, or the meter's tables: a tunnel is opened only where neither
    outer address is a subscriber's (accounting 1.3). A tunnel that holds no good IP packet counts as the outer packet.
    """
    if read_plain(frame, packet, offset, captured_octets, wire_octets, link_type):
        return 0
    limit = DEPTH_LIMIT
    while True:
        status = walk(frame, packet, offset, captured_octets, wire_octets, link_type, owners, limit)
        if status == 0 or packet.depth == 0:
            return status
        limit = packet.depth - 1


@helper
def walk(frame, packet, offset, captured_octets, wire_octets, link_type, owners, limit):
    """One walk from the link layer inwards that opens at most `limit` tunnels."""
    packet.position = offset
    packet.captured_end = offset + captured_octets
    packet.wire_end = offset + max(wire_octets, captured_octets)
    packet.unbounded = 0
    packet.depth = 0
    packet.octets = 0
    packet.link_identity = 0
    status = read_link(frame, packet, link_type)
    while status == 0:
        status = read_internet(frame, packet)
        if status != 0:
            return status
        read_transport(frame, packet)
        if packet.depth >= limit or not read_tunnel(frame, packet, owners):
            return 0
        packet.depth += 1
        status = read_tags(frame, packet)
    return status
