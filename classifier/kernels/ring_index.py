"""Listing the frames of one block of an AF_PACKET TPACKET_V3 ring, where they lie.

Layout: linux/if_packet.h, struct tpacket_block_desc, tpacket_hdr_v1, tpacket3_hdr; all in the host's byte order. The
kernel of the operating system wrote the block, but offsets are still checked against its length: a read outside an
array is silent when compiled.
"""

from __future__ import annotations

import sys

import numpy as np

from classifier.kernels.jit import kernel
from classifier.kernels.octets import u16_ordered, u32_ordered

HOST_BIG = sys.byteorder == "big"
NS_PER_SECOND = 1_000_000_000

# struct tpacket_block_desc: version and offset_to_priv, then struct tpacket_hdr_v1.
BLOCK_STATUS_AT = 8
BLOCK_FRAMES_AT = 12
BLOCK_FIRST_FRAME_AT = 16
FRAME_HEADER_OCTETS = 48  # TPACKET_ALIGN(sizeof(struct tpacket3_hdr))


@kernel
def index_ring_block(block, position, remaining, link_type, frames):
    """List up to `remaining` frames of `block`, the first header at `position`; returns (count, next position).

    `block` u1[n] read-only, one ring block; `frames` FRAME[capacity] as np.recarray. Where a VLAN tag was taken off by
    the interface the frame is listed as it lies, without the tag: tags are not charged (accounting 1.1), and frame and
    wire length agree.
    """
    count = 0
    limit = min(remaining, frames.shape[0])
    while count < limit:
        if position < 0 or position + FRAME_HEADER_OCTETS > block.shape[0]:
            break
        captured = u32_ordered(block, position + 12, HOST_BIG)
        offset = position + u16_ordered(block, position + 24, HOST_BIG)
        if offset + captured > block.shape[0]:
            break
        seconds = u32_ordered(block, position + 4, HOST_BIG)
        frame = frames[count]
        frame.time_ns = seconds * NS_PER_SECOND + u32_ordered(block, position + 8, HOST_BIG)
        frame.offset = offset
        frame.wire_octets = max(u32_ordered(block, position + 16, HOST_BIG), captured)
        frame.captured_octets = np.int32(captured)
        frame.link_type = np.int32(link_type)
        count += 1
        step = u32_ordered(block, position, HOST_BIG)
        if step == 0:
            break
        position += step
    return count, position
