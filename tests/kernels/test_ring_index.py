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
    block = np.frombuffer(bytes(octets), np.uint8)
    assert not block.flags.writeable
    return block


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
        count, position = index_ring_block(block, position, remaining, 1, frames)
        assert 1 <= count <= capacity
        remaining -= count
        found += frames[:count].tolist()
    assert found == [
        ((1_700_000_000 + number) * 10**9 + 999_999_999, FIRST + STEP * number + 82, max(wire, captured), captured, 1)
        for number, (captured, wire) in enumerate(lengths)
    ]


@pytest.mark.parametrize("octets", [0, 47, FIRST, FIRST + 47, FIRST + 82 + 99])
def test_nothing_is_listed_that_reaches_beyond_the_block(octets):
    block = made_block([(100, 100)])[:octets]
    assert index_ring_block(block, FIRST, 1, 1, frame_list(4))[0] == 0


def test_a_chain_that_leads_out_of_the_block_ends():
    block = made_block([(60, 60), (60, 60)]).copy()
    block[FIRST : FIRST + 4] = 255
    block.flags.writeable = False
    assert index_ring_block(block, FIRST, 2, 1, frame_list(4))[0] == 1
