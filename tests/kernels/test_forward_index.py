"""Listing what recvmmsg laid down and what sendmmsg is given, on messages laid out by ctypes and by struct."""

from __future__ import annotations

import ctypes
import struct

import numpy as np
import pytest

from classifier.kernels.forward_index import (
    CONTROL_OCTETS,
    HEAD_OCTETS,
    MESSAGE,
    VECTOR,
    list_received,
    list_to_send,
)
from classifier.records import FRAME

SLOT, SLOTS = 4096, 4
VNET = struct.Struct("=BBHHHH")  # struct virtio_net_hdr
ADDRESSES = bytes(range(12))
TAG_VALID, TPID_VALID = 1 << 4, 1 << 6  # TP_STATUS_VLAN_VALID, TP_STATUS_VLAN_TPID_VALID
PLAIN = VNET.pack(0, 0, 99, 0, 0, 0)


class IoVector(ctypes.Structure):
    """struct iovec."""

    _fields_ = (("iov_base", ctypes.c_void_p), ("iov_len", ctypes.c_size_t))


class MessageHeader(ctypes.Structure):
    """struct mmsghdr."""

    _fields_ = (
        ("msg_name", ctypes.c_void_p),
        ("msg_namelen", ctypes.c_uint32),
        ("msg_iov", ctypes.c_void_p),
        ("msg_iovlen", ctypes.c_size_t),
        ("msg_control", ctypes.c_void_p),
        ("msg_controllen", ctypes.c_size_t),
        ("msg_flags", ctypes.c_int),
        ("padding", ctypes.c_int),
        ("msg_len", ctypes.c_uint),
    )


def control(*, seconds=7, nanoseconds=9, status=1, wire=0, tci=0, tpid=0) -> bytes:
    """A time stamp and what struct tpacket_auxdata says, as control messages; the time stamp last."""
    auxiliary = struct.pack("=IIIHHHH", status, wire, 0, 0, 0, tci, tpid)
    told = struct.pack("=Qii", 16 + len(auxiliary), 263, 8) + auxiliary + bytes(4)
    return told + struct.pack("=Qiiqq", 32, 1, 35, seconds, nanoseconds)


class Slots:
    """What one call of recvmmsg gave: (virtio header, frame, control messages) of each."""

    def __init__(self, received: list[tuple[bytes, bytes, bytes]]) -> None:
        self.buffer = np.zeros(SLOT * SLOTS, np.uint8)
        self.messages = np.zeros(SLOTS, MESSAGE).view(np.recarray)
        self.controls = np.zeros((SLOTS, CONTROL_OCTETS), np.uint8)
        self.vectors = np.zeros(SLOTS, VECTOR).view(np.recarray)
        self.frames = np.zeros(SLOTS, FRAME).view(np.recarray)
        for place, (vnet, frame, told) in enumerate(received):
            octets = vnet + frame
            first = place * SLOT + HEAD_OCTETS - len(vnet)
            self.buffer[first : first + len(octets)] = np.frombuffer(octets, np.uint8)
            self.controls[place, : len(told)] = np.frombuffer(told, np.uint8)
            header = MessageHeader(msg_controllen=len(told), msg_len=len(octets))
            self.messages[place] = np.frombuffer(bytes(header), MESSAGE)[0]
        self.count = len(received)
        list_received(self.buffer, self.messages, self.controls, self.count, SLOT, 1, self.frames)

    def frame(self, place: int) -> bytes:
        record = self.frames[place]
        return self.buffer[record.offset : record.offset + record.captured_octets].tobytes()

    def to_send(self) -> tuple[list[tuple[bytes, bytes]], int]:
        """(virtio header, frame) of each that goes on, and how many cannot."""
        count, cut = list_to_send(self.buffer, 1000, self.frames, self.count, self.vectors)
        found = []
        for vector in self.vectors[:count].tolist():
            octets = self.buffer[vector[0] - 1000 :][: vector[1]].tobytes()
            found.append((octets[: VNET.size], octets[VNET.size :]))
        return found, cut


def test_the_layouts_are_those_of_the_structures():
    assert ctypes.sizeof(MessageHeader) == MESSAGE.itemsize
    assert ctypes.sizeof(IoVector) == VECTOR.itemsize
    offsets = [MESSAGE.fields[name][1] for name in MESSAGE.names]
    fields = [getattr(MessageHeader, name).offset for name, _ in MessageHeader._fields_ if name != "padding"]
    assert offsets == fields


def test_frames_are_listed_with_time_and_lengths_and_go_on_as_they_came():
    frames = [ADDRESSES + b"\x88\xb5" + bytes([n]) * (50 + n) for n in range(3)]
    slots = Slots([(PLAIN, frame, control(seconds=n, wire=len(frame))) for n, frame in enumerate(frames)])
    assert [slots.frame(place) for place in range(3)] == frames
    assert [int(record.time_ns) for record in slots.frames[:3]] == [9, 10**9 + 9, 2 * 10**9 + 9]
    assert [int(record.wire_octets) for record in slots.frames[:3]] == [len(frame) for frame in frames]
    sent, cut = slots.to_send()
    assert ([frame for _, frame in sent], cut) == (frames, 0)
    assert {VNET.unpack(vnet)[2] for vnet, _ in sent} == {0}  # of headers, nothing is known


@pytest.mark.parametrize(
    ("status", "tpid", "tag"),
    [(TAG_VALID, 0, "81002065"), (TAG_VALID | TPID_VALID, 0x88A8, "88a82065"), (0, 0, "")],
)
def test_a_tag_is_put_back_and_what_the_virtio_header_points_at_moves_with_it(status, tpid, tag):
    tcp = bytes(12) + b"\x50" + bytes(7)
    frame = ADDRESSES + b"\x08\x00" + bytes(20) + tcp + bytes(3000)
    vnet = VNET.pack(1, 1, 3000, 1448, 34, 16)
    slots = Slots([(vnet, frame, control(status=1 | status, tci=0x2065, tpid=tpid, wire=len(frame)))])
    octets = bytes.fromhex(tag)
    assert slots.frame(0) == frame[:12] + octets + frame[12:]
    assert slots.frames[0].gso_octets == 1448
    (sent,), _ = slots.to_send()
    assert sent == (VNET.pack(1, 1, 54 + len(octets), 1448, 34 + len(octets), 16), frame[:12] + octets + frame[12:])


def test_what_is_dropped_or_cut_does_not_go_on():
    frames = [ADDRESSES + b"\x88\xb5" + bytes([n]) * 60 for n in range(4)]
    slots = Slots([(PLAIN, frame, control(wire=len(frame) + (n == 2))) for n, frame in enumerate(frames)])
    slots.frames[1].dropped = 1
    sent, cut = slots.to_send()
    assert ([frame for _, frame in sent], cut) == ([frames[0], frames[3]], 1)


@pytest.mark.parametrize(
    "told", [b"", control()[:20], struct.pack("=Qii", 2, 1, 35), struct.pack("=Qii", 1 << 40, 1, 35)]
)
def test_control_messages_that_make_no_sense_say_nothing(told):
    frame = ADDRESSES + b"\x88\xb5" + bytes(60)
    slots = Slots([(PLAIN, frame, told)])
    assert slots.frame(0) == frame
    assert (slots.frames[0].time_ns, slots.frames[0].wire_octets) == (0, len(frame))


def test_a_message_without_a_frame_is_an_empty_one():
    slots = Slots([(b"", b"", b"")])
    assert slots.frames[0].captured_octets == 0
