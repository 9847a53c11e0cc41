"""Packets that an interface joined into one frame: how many there were on the wire, and with how many headers.

Receive offload (GRO, LRO) and segmentation offload (TSO, GSO, UDP) make one frame of up to 64 KiB out of packets that differ
in their payload alone; the headers stand in it once. Linux says so in the virtio header before the frame (PACKET_VNET_HDR):
linux/virtio_net.h, struct virtio_net_hdr, in the host's byte order. Its `hdr_len` is no use here: Linux fills in how much of
the frame lay in one piece (virtio_net_hdr_from_skb), so the headers' end comes from where the checksum starts.
"""

from __future__ import annotations

import sys

from classifier.kernels.jit import helper
from classifier.kernels.octets import u8, u16_ordered

HOST_BIG = sys.byteorder == "big"
VNET_OCTETS = 10  # sizeof(struct virtio_net_hdr): flags, gso_type, hdr_len, gso_size, csum_start, csum_offset
NEEDS_CHECKSUM = 1  # VIRTIO_NET_HDR_F_NEEDS_CSUM: csum_start is the innermost transport header
GSO_TCP_IPV4, GSO_TCP_IPV6, GSO_UDP_L4 = 1, 4, 5
GSO_ECN = 0x80  # a flag beside the type
UDP_HEADER_OCTETS = 8
TCP_OFFSET_AT = 12  # RFC 9293, 3.1: the upper half of this octet counts words


@helper
def note_segments(frame, buffer, header, start, end):
    """Fill in the frame's GSO fields from the virtio header at `header`; the frame lies in `buffer[start:end]`."""
    kind = u8(buffer, header + 1) & ~GSO_ECN
    if kind != GSO_TCP_IPV4 and kind != GSO_TCP_IPV6 and kind != GSO_UDP_L4:
        frame.gso_octets = 0
        frame.gso_header_octets = 0
        return
    frame.gso_octets = u16_ordered(buffer, header + 4, HOST_BIG)
    octets = 0
    if u8(buffer, header) & NEEDS_CHECKSUM:
        transport = u16_ordered(buffer, header + 6, HOST_BIG)
        if kind == GSO_UDP_L4:
            octets = transport + UDP_HEADER_OCTETS
        elif start + transport + TCP_OFFSET_AT < end:
            octets = transport + (u8(buffer, start + transport + TCP_OFFSET_AT) >> 4) * 4
    frame.gso_header_octets = octets if octets <= 0xFFFF and octets <= end - start else 0


@helper
def count_segments(packet, frame):
    """Let a decoded packet count as what was on the wire: each of its packets had the headers, from the counted one on.

    Of `n` packets the frame has all payload and one set of headers: n - 1 sets are added. Payload is what lies behind the
    innermost headers, so that a packet which counts with a tunnel inside is right, too.
    """
    if packet.status != 0 or packet.fragment != 0:
        return
    headers_end = packet.payload_start
    if frame.gso_header_octets > 0:
        headers_end = frame.offset + frame.gso_header_octets
    start = packet.wire_end - packet.octets
    payload = packet.wire_end - headers_end
    if payload <= frame.gso_octets or headers_end <= start:
        return
    packet.packets = (payload + frame.gso_octets - 1) // frame.gso_octets
    packet.octets += (packet.packets - 1) * (headers_end - start)
