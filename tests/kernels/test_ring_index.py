"""The ring's index kernel on blocks laid out by ctypes structures, as linux/if_packet.h has them."""

from __future__ import annotations

import ctypes

import numpy as np
import pytest

from classifier.kernels.ring_index import (
    BLOCK_FIRST_FRAME_AT,
    BLOCK_FRAMES_AT,
    BLOCK_STATUS_AT,
    FRAME_HEADER_OCTETS,
    index_ring_block,
)
from classifier.records import FRAME


class BlockTime(ctypes.Structure):
    _fields_ = (("seconds", ctypes.c_uint32), ("nanoseconds", ctypes.c_uint32))


class BlockHeader(ctypes.Structure):
    """struct tpacket_block_desc with struct tpacket_hdr_v1 in it."""

    _fields_ = (
        ("version", ctypes.c_uint32),
        ("offset_to_priv", ctypes.c_uint32),
        ("block_status", ctypes.c_uint32),
        ("num_pkts", ctypes.c_uint32),
        ("offset_to_first_pkt", ctypes.c_uint32),
        ("blk_len", ctypes.c_uint32),
        ("seq_num", ctypes.c_uint64),
        ("ts_first_pkt", BlockTime),
        ("ts_last_pkt", BlockTime),
    )


class FrameHeader(ctypes.Structure):
    """struct tpacket3_hdr."""

    _fields_ = (
        ("tp_next_offset", ctypes.c_uint32),
        ("tp_sec", ctypes.c_uint32),
        ("tp_nsec", ctypes.c_uint32),
        ("tp_snaplen", ctypes.c_uint32),
        ("tp_len", ctypes.c_uint32),
        ("tp_status", ctypes.c_uint32),
        ("tp_mac", ctypes.c_uint16),
        ("tp_net", ctypes.c_uint16),
        ("tp_rxhash", ctypes.c_uint32),
        ("tp_vlan_tci", ctypes.c_uint32),
        ("tp_vlan_tpid", ctypes.c_uint16),
        ("tp_padding16", ctypes.c_uint16),
        ("tp_padding", ctypes.c_uint8 * 8),
    )


STEP = 256
FIRST = ctypes.sizeof(BlockHeader)


def made_block(lengths: list[tuple[int, int]]) -> np.ndarray:
    """A block with one frame per (captured, wire) length, 256 octets apart."""
    octets = bytearray(FIRST + STEP * len(lengths))
    for number, (captured, wire) in enumerate(lengths):
        place = FIRST + STEP * number
        last = number == len(lengths) - 1
        header = FrameHeader(0 if last else STEP, 1_700_000_000 + number, 999_999_999, captured, wire, 1, 82, 96)
        octets[place : place + ctypes.sizeof(header)] = bytes(header)
    return np.frombuffer(octets, np.uint8)


def frame_list(capacity: int) -> np.recarray:
    return np.zeros(capacity, FRAME).view(np.recarray)


def test_offsets_are_those_of_the_structures():
    assert BlockHeader.block_status.offset == BLOCK_STATUS_AT
    assert BlockHeader.num_pkts.offset == BLOCK_FRAMES_AT
    assert BlockHeader.offset_to_first_pkt.offset == BLOCK_FIRST_FRAME_AT
    assert ctypes.sizeof(FrameHeader) == FRAME_HEADER_OCTETS


@pytest.mark.parametrize("capacity", [1, 2, 7])
def test_frames_are_listed_in_as_many_calls_as_needed(capacity):
    lengths = [(60, 60), (100, 1514), (0, 0), (90, 64), (174, 174)]
    block = made_block(lengths)
    frames = frame_list(capacity)
    position, remaining, found = FIRST, len(lengths), []
    while remaining:
        count, position = index_ring_block(block, position, remaining, 1, 0, frames)
        assert 1 <= count <= capacity
        remaining -= count
        found += frames[:count].tolist()
    assert found == [
        (
            (1_700_000_000 + number) * 10**9 + 999_999_999,
            FIRST + STEP * number + 82,
            max(wire, captured),
            captured,
            1,
            0,
            0,
            0,
        )
        for number, (captured, wire) in enumerate(lengths)
    ]


@pytest.mark.parametrize("octets", [0, 47, FIRST, FIRST + 47, FIRST + 82 + 99])
def test_nothing_is_listed_that_reaches_beyond_the_block(octets):
    block = made_block([(100, 100)])[:octets]
    assert index_ring_block(block, FIRST, 1, 1, 0, frame_list(4))[0] == 0


def test_a_chain_that_leads_out_of_the_block_ends():
    block = made_block([(60, 60), (60, 60)]).copy()
    block[FIRST : FIRST + 4] = 255
    assert index_ring_block(block, FIRST, 2, 1, 0, frame_list(4))[0] == 1


TAG_VALID, TPID_VALID = 1 << 4, 1 << 6  # TP_STATUS_VLAN_VALID, TP_STATUS_VLAN_TPID_VALID
ADDRESSES = bytes(range(12))


def one_frame(frame: bytes, *, status=1, control=0, identifier=0, vnet=b"") -> np.ndarray:
    """A block with one frame, 100 octets behind its header, and a virtio header right before it."""
    octets = bytearray(FIRST + 100 + len(frame))
    header = FrameHeader(0, 1, 0, len(frame), len(frame), status, 100, 114, 0, control, identifier)
    octets[FIRST : FIRST + ctypes.sizeof(header)] = bytes(header)
    octets[FIRST + 100 - len(vnet) :] = vnet + frame
    return np.frombuffer(octets, np.uint8)


def listed(block: np.ndarray, vnet_octets: int) -> tuple[np.record, bytes]:
    frames = frame_list(1)
    assert index_ring_block(block, FIRST, 1, 1, vnet_octets, frames)[0] == 1
    frame = frames[0]
    return frame, block[frame.offset : frame.offset + frame.captured_octets].tobytes()


@pytest.mark.parametrize(
    ("status", "identifier", "tag"),
    [(TAG_VALID, 0, "81002065"), (TAG_VALID | TPID_VALID, 0x88A8, "88a82065"), (TPID_VALID, 0x88A8, "")],
)
def test_a_tag_that_was_taken_off_is_put_back(status, identifier, tag):
    frame = ADDRESSES + bytes.fromhex("0800") + bytes(46)
    record, octets = listed(one_frame(frame, status=1 | status, control=0x2065, identifier=identifier), 0)
    assert octets == ADDRESSES + bytes.fromhex(tag) + frame[12:]
    assert record.wire_octets == record.captured_octets == len(octets)


class VirtioHeader(ctypes.Structure):
    """struct virtio_net_hdr."""

    _fields_ = (
        ("flags", ctypes.c_uint8),
        ("gso_type", ctypes.c_uint8),
        ("hdr_len", ctypes.c_uint16),
        ("gso_size", ctypes.c_uint16),
        ("csum_start", ctypes.c_uint16),
        ("csum_offset", ctypes.c_uint16),
    )


TCP_FRAME = bytes(34) + bytes(12) + b"\x80" + bytes(19) + bytes(5000)  # a TCP header of 8 words at 34


@pytest.mark.parametrize(
    ("header", "gso"),
    [
        (VirtioHeader(1, 1, 0, 1448, 34, 16), (1448, 66)),
        (VirtioHeader(1, 0x81, 0, 1448, 34, 16), (1448, 66)),  # with ECN
        (VirtioHeader(0, 4, 0, 1428, 0, 0), (1428, 0)),  # nothing says where the transport header is
        (VirtioHeader(1, 5, 0, 1200, 34, 6), (1200, 42)),  # UDP
        (VirtioHeader(1, 0, 0, 0, 34, 16), (0, 0)),
        (VirtioHeader(1, 1, 0, 1448, 6000, 16), (1448, 0)),
    ],
)
def test_what_was_joined_is_listed_from_the_virtio_header(header, gso):
    record, octets = listed(one_frame(TCP_FRAME, vnet=bytes(header)), ctypes.sizeof(header))
    assert (record.gso_octets, record.gso_header_octets) == gso
    assert octets == TCP_FRAME


def test_a_tag_put_back_is_one_of_the_headers_that_each_packet_had():
    block = one_frame(TCP_FRAME, status=1 | TAG_VALID, control=5, vnet=bytes(VirtioHeader(1, 1, 0, 1448, 34, 16)))
    assert listed(block, 10)[0].gso_header_octets == 70
