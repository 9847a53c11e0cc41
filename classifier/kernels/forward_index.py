"""Frames that recvmmsg(2) has laid side by side: listing them for the meter, and then those that go on, for sendmmsg(2).

Layout: bits/socket.h, struct mmsghdr and struct cmsghdr on 64-bit Linux; linux/if_packet.h, struct tpacket_auxdata. A slot of
the buffer holds a virtio header (`segments`) and the frame behind it, from HEAD_OCTETS less that header on: so a VLAN tag
that Linux took off can be put back, and the frame goes on as it came.
"""

from __future__ import annotations

import sys

import numpy as np

from classifier.kernels.jit import helper, kernel
from classifier.kernels.octets import u16_ordered, u32_ordered
from classifier.kernels.ring_index import (
    MAC_ADDRESSES_OCTETS,
    NS_PER_SECOND,
    TAG_OCTETS,
    TPID_VLAN,
    VLAN_TPID_VALID,
    VLAN_VALID,
    put_tag_back,
)
from classifier.kernels.segments import NEEDS_CHECKSUM, VNET_OCTETS, note_segments

HOST_BIG = sys.byteorder == "big"
HEAD_OCTETS = 16
CONTROL_OCTETS = 96  # for one struct timespec and one struct tpacket_auxdata, each behind a struct cmsghdr
CMSG_HEADER_OCTETS = 16
MESSAGE = np.dtype(
    [
        ("name", "u8"),
        ("name_octets", "u8"),
        ("vector", "u8"),
        ("vectors", "u8"),
        ("control", "u8"),
        ("control_octets", "u8"),
        ("told_flags", "i8"),
        ("octets", "i8"),
    ]
)
VECTOR = np.dtype([("address", "u8"), ("octets", "u8")])  # struct iovec
SOL_SOCKET, SCM_TIMESTAMPNS = 1, 35  # asm-generic/socket.h
SOL_PACKET, PACKET_AUXDATA = 263, 8
OCTETS_MASK = 0xFFFFFFFF  # msg_len is half of its word


@kernel
def list_received(buffer, messages, controls, count, slot_octets, link_type, frames):
    """List the first `count` messages as frames.

    `buffer` u1[slots * slot_octets] and `messages` MESSAGE[slots], `controls` u1[slots, CONTROL_OCTETS] as recvmmsg left
    them; `frames` FRAME[slots] as np.recarray. A frame that its slot could not hold has more wire octets than captured ones.
    """
    for i in range(count):
        frame = frames[i]
        start = i * slot_octets + HEAD_OCTETS
        captured = max((messages[i].octets & OCTETS_MASK) - VNET_OCTETS, 0)
        frame.time_ns = 0
        frame.offset = start
        frame.captured_octets = np.int32(captured)
        frame.wire_octets = captured
        frame.link_type = np.int32(link_type)
        frame.dropped = 0
        note_segments(frame, buffer, start - VNET_OCTETS, start, start + captured)
        read_controls(frame, buffer, controls[i], np.int64(messages[i].control_octets))


@helper
def read_controls(frame, buffer, control, end):
    """The time, the length on the wire and the VLAN tag, from what came beside a frame."""
    at = 0
    while at + CMSG_HEADER_OCTETS <= min(end, CONTROL_OCTETS):
        octets = word(control, at)
        if octets < CMSG_HEADER_OCTETS or at + octets > min(end, CONTROL_OCTETS):
            return
        level = u32_ordered(control, at + 8, HOST_BIG)
        kind = u32_ordered(control, at + 12, HOST_BIG)
        told = at + CMSG_HEADER_OCTETS
        if level == SOL_SOCKET and kind == SCM_TIMESTAMPNS and octets >= CMSG_HEADER_OCTETS + 16:
            seconds = word(control, told)
            frame.time_ns = seconds * NS_PER_SECOND + word(control, told + 8)
        elif level == SOL_PACKET and kind == PACKET_AUXDATA and octets >= CMSG_HEADER_OCTETS + 20:
            status = u32_ordered(control, told, HOST_BIG)
            frame.wire_octets = max(u32_ordered(control, told + 4, HOST_BIG), np.int64(frame.captured_octets))
            if status & VLAN_VALID and frame.captured_octets >= MAC_ADDRESSES_OCTETS:
                identifier = u16_ordered(control, told + 18, HOST_BIG) if status & VLAN_TPID_VALID else TPID_VLAN
                move_vnet_header(buffer, frame.offset - VNET_OCTETS)
                put_tag_back(frame, buffer, identifier, u16_ordered(control, told + 16, HOST_BIG))
        at += (octets + 7) & ~7


@helper
def word(control, at):
    """A 64-bit number in the host's byte order."""
    first = u32_ordered(control, at, HOST_BIG)
    second = u32_ordered(control, at + 4, HOST_BIG)
    return first << 32 | second if HOST_BIG else second << 32 | first


@helper
def move_vnet_header(buffer, header):
    """Make room for a tag behind the MAC addresses: what the virtio header points at lies that much further on."""
    for i in range(VNET_OCTETS):
        buffer[header - TAG_OCTETS + i] = buffer[header + i]
    if buffer[header - TAG_OCTETS] & NEEDS_CHECKSUM:
        put_u16(buffer, header - TAG_OCTETS + 6, u16_ordered(buffer, header - TAG_OCTETS + 6, HOST_BIG) + TAG_OCTETS)


@helper
def put_u16(buffer, at, value):
    """Write a 16-bit number in the host's byte order."""
    buffer[at + (0 if HOST_BIG else 1)] = (value >> 8) & 0xFF
    buffer[at + (1 if HOST_BIG else 0)] = value & 0xFF


@kernel
def list_to_send(buffer, address, frames, count, vectors):
    """Point `vectors` at the frames that go on, in their order; returns (how many, how many cannot).

    `address` of the buffer in memory; `vectors` VECTOR[slots], one for each message that is sent. Those that may not pass are
    left out, and those that were cut. The virtio header's length of headers is mended: Linux gave how much of the frame lay
    in one piece, and would lay out as much again (af_packet.c, packet_alloc_skb).
    """
    listed = 0
    cut = 0
    for i in range(count):
        frame = frames[i]
        if frame.dropped:
            continue
        if frame.wire_octets > frame.captured_octets:
            cut += 1
            continue
        put_u16(buffer, frame.offset - VNET_OCTETS + 2, np.int64(frame.gso_header_octets))
        vectors[listed].address = np.uint64(address + frame.offset - VNET_OCTETS)
        vectors[listed].octets = np.uint64(np.int64(frame.captured_octets) + VNET_OCTETS)
        listed += 1
    return listed, cut
