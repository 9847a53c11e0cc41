"""Listing the frames of one block of an AF_PACKET TPACKET_V3 ring, where they lie.

Layout: linux/if_packet.h, struct tpacket_block_desc, tpacket_hdr_v1, tpacket3_hdr; all in the host's byte order. The
kernel of the operating system wrote the block, but offsets are still checked against its length: a read outside an
array is silent when compiled.
"""

from __future__ import annotations

import sys

import numpy as np

from classifier.kernels.jit import helper, kernel
from classifier.kernels.octets import u16_ordered, u32_ordered
from classifier.kernels.segments import note_segments

HOST_BIG = sys.byteorder == "big"
NS_PER_SECOND = 1_000_000_000

# struct tpacket_block_desc: version and offset_to_priv, then struct tpacket_hdr_v1.
BLOCK_STATUS_AT = 8
BLOCK_FRAMES_AT = 12
BLOCK_FIRST_FRAME_AT = 16
FRAME_HEADER_OCTETS = 48  # TPACKET_ALIGN(sizeof(struct tpacket3_hdr))
FRAME_ADDRESS_OCTETS = 20  # struct sockaddr_ll, behind it
VLAN_VALID, VLAN_TPID_VALID = 1 << 4, 1 << 6  # TP_STATUS_
TAG_OCTETS = 4
MAC_ADDRESSES_OCTETS = 12
TPID_VLAN = 0x8100  # IEEE 802.1Q; what a tag without its TPID is


@kernel
def index_ring_block(block, position, remaining, link_type, vnet_octets, frames):
    """List up to `remaining` frames of `block`, the first header at `position`; returns (count, next position).

    `block` u1[n], one ring block; `vnet_octets` of a virtio header before each frame, 0 where there is none; `frames`
    FRAME[capacity] as np.recarray. A VLAN tag that Linux took off is put back into the block, so that a frame is listed
    as it was on the wire.
    """
    count = 0
    limit = min(remaining, frames.shape[0])
    while count < limit:
        if position < 0 or position + FRAME_HEADER_OCTETS > block.shape[0]:
            break
        captured = u32_ordered(block, position + 12, HOST_BIG)
        lead = u16_ordered(block, position + 24, HOST_BIG)
        offset = position + lead
        if offset + captured > block.shape[0] or lead < vnet_octets:
            break
        seconds = u32_ordered(block, position + 4, HOST_BIG)
        frame = frames[count]
        frame.time_ns = seconds * NS_PER_SECOND + u32_ordered(block, position + 8, HOST_BIG)
        frame.offset = offset
        frame.wire_octets = max(u32_ordered(block, position + 16, HOST_BIG), captured)
        frame.captured_octets = np.int32(captured)
        frame.link_type = np.int32(link_type)
        frame.gso_octets = 0
        frame.gso_header_octets = 0
        frame.dropped = 0
        if vnet_octets > 0:
            note_segments(frame, block, offset - vnet_octets, offset, offset + captured)
        status = u32_ordered(block, position + 20, HOST_BIG)
        room = lead - FRAME_HEADER_OCTETS - FRAME_ADDRESS_OCTETS
        if status & VLAN_VALID and captured >= MAC_ADDRESSES_OCTETS and room >= TAG_OCTETS:
            identifier = u16_ordered(block, position + 36, HOST_BIG) if status & VLAN_TPID_VALID else TPID_VLAN
            put_tag_back(frame, block, identifier, u32_ordered(block, position + 32, HOST_BIG))
        count += 1
        step = u32_ordered(block, position, HOST_BIG)
        if step == 0:
            break
        position += step
    return count, position


@helper
def put_tag_back(frame, buffer, identifier, control):
    """Move the MAC addresses to the front by the length of a tag, and write it behind them (IEEE 802.1Q, 9.3)."""
    start = frame.offset - TAG_OCTETS
    for i in range(MAC_ADDRESSES_OCTETS):
        buffer[start + i] = buffer[start + TAG_OCTETS + i]
    for i, value in enumerate((identifier >> 8, identifier, control >> 8, control)):
        buffer[start + MAC_ADDRESSES_OCTETS + i] = value & 0xFF
    frame.offset = start
    frame.captured_octets += np.int32(TAG_OCTETS)
    frame.wire_octets += TAG_OCTETS
    if frame.gso_header_octets > 0:
        frame.gso_header_octets += np.uint16(TAG_OCTETS)
