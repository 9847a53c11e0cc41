"""The NIC ring in two network namespaces: what one end sends, the other end's ring hands over, in place."""

from __future__ import annotations

import ctypes
import itertools
import os
import signal
import socket
import struct
import threading
import time

import numpy as np
import pytest
from namespaces import namespace_pair

from classifier.capture import packet_socket
from classifier.capture import ring as ring_module
from classifier.capture.interface import find_interface
from classifier.capture.ring import RingSource
from classifier.errors import InterfaceError
from classifier.iana import LINK_ETHERNET

pytestmark = pytest.mark.namespaces
GIVE_UP_S = 15


@pytest.fixture(scope="module")
def pair():
    with namespace_pair() as namespaces:
        yield namespaces


def numbered_frames(count: int) -> list[bytes]:
    """Ethernet frames of lengths from 60 to 1514 octets, each with its number in it."""
    header = bytes.fromhex("020000000001 020000000002 88b5")  # EtherType for local experiments (IEEE 802)
    return [
        (header + struct.pack(">I", number)).ljust(60 + number * 37 % 1455, bytes([number % 251]))
        for number in range(count)
    ]


def open_ring(side, **options) -> RingSource:
    with side.entered():
        return RingSource(find_interface(side.interface), **options)


def collect(ring: RingSource, wanted: int) -> tuple[list[bytes], list]:
    """Frames until `wanted` have come and the ring was stopped, copied, with their records."""
    frames, records = [], []
    deadline = time.monotonic() + GIVE_UP_S
    for batch in ring:
        if batch is not None:
            for record in batch.frames:
                frames.append(batch.buffer[record.offset : record.offset + record.captured_octets].tobytes())
                records.append(record.copy())
        if len(frames) >= wanted or time.monotonic() > deadline:
            ring.stop()
    return frames, records


@pytest.mark.parametrize("batch_frames", [1, 7, 4096])
def test_frames_arrive_whole_in_order_with_lengths_and_times(pair, batch_frames):
    sent = numbered_frames(500)
    ring = open_ring(pair.left, blocks=64, block_octets=1 << 16, block_timeout_ms=20, batch_frames=batch_frames)
    try:
        before_ns = time.time_ns()
        pair.right.send(sent)
        received, records = collect(ring, len(sent))
        after_ns = time.time_ns()
        assert received == sent
        assert [record.wire_octets for record in records] == [len(frame) for frame in sent]
        assert {int(record.link_type) for record in records} == {LINK_ETHERNET}
        times = [int(record.time_ns) for record in records]
        assert times == sorted(times)
        assert before_ns <= times[0] <= times[-1] <= after_ns
        assert ring.statistics() == (len(sent), 0, 0)
        assert ring.statistics() == (len(sent), 0, 0)  # Linux starts again at zero with every reading
        assert ring.unlisted_frames == 0
    finally:
        ring.close()


def test_a_batch_is_read_only_and_no_longer_than_asked_for(pair):
    ring = open_ring(pair.left, blocks=4, block_octets=1 << 16, block_timeout_ms=20, batch_frames=3)
    try:
        pair.right.send(numbered_frames(10))
        batch = next(batch for batch in ring if batch is not None)
        assert 1 <= len(batch.frames) <= 3
        with pytest.raises(ValueError):
            batch.buffer[0] = 0
    finally:
        ring.close()


def test_an_idle_link_gives_none_so_that_the_caller_can_look_at_its_clock(pair):
    ring = open_ring(pair.left, blocks=4, block_octets=1 << 16, block_timeout_ms=20)
    try:
        assert list(itertools.islice(ring, 3)) == [None, None, None]
    finally:
        ring.close()


def test_stop_from_another_thread_hands_over_the_block_being_filled(pair):
    sent = numbered_frames(3)
    ring = open_ring(pair.left, blocks=4, block_octets=1 << 16, block_timeout_ms=400)
    try:
        pair.right.send(sent)
        # The frames lie in a block that is still open when the ring is stopped before the first batch is asked for.
        threading.Thread(target=ring.stop).start()
        received = [
            batch.buffer[frame.offset : frame.offset + frame.captured_octets].tobytes()
            for batch in ring
            if batch is not None
            for frame in batch.frames
        ]
        assert received == sent
    finally:
        ring.close()


def test_a_signal_handler_may_stop_an_idle_ring(pair):
    ring = open_ring(pair.left, blocks=4, block_octets=1 << 16, block_timeout_ms=300)
    before = signal.signal(signal.SIGALRM, lambda *_: ring.stop())
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.05)
        assert not any(ring)
    finally:
        signal.signal(signal.SIGALRM, before)
        ring.close()


def test_nothing_comes_in_after_stop(pair):
    ring = open_ring(pair.left, blocks=4, block_octets=1 << 16, block_timeout_ms=50)
    try:
        pair.right.send(numbered_frames(5))
        received = 0
        for batch in ring:
            if batch is not None:
                received += len(batch.frames)
                if received == 5:
                    ring.stop()
        pair.right.send(numbered_frames(50))
        assert received == 5
        assert ring.statistics() == (5, 0, 0)
    finally:
        ring.close()


def test_both_directions_of_a_link_are_seen(pair):
    ring = open_ring(pair.left, blocks=4, block_octets=1 << 16, block_timeout_ms=20)
    try:
        pair.right.send(numbered_frames(4))
        pair.left.send(numbered_frames(6))
        received, _ = collect(ring, 10)
        assert received == numbered_frames(4) + numbered_frames(6)
    finally:
        ring.close()


def test_loopback_frames_come_once(pair):
    with pair.left.entered():
        ring = RingSource(find_interface("lo"), blocks=4, block_octets=1 << 16, block_timeout_ms=20)
        sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        target = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    try:
        with sender, target:
            target.bind(("127.0.0.1", 0))
            for number in range(5):
                sender.sendto(bytes([number]) * 100, target.getsockname())
            received, _ = collect(ring, 5)
        assert [frame[42:] for frame in received] == [bytes([number]) * 100 for number in range(5)]
    finally:
        ring.close()


def test_what_finds_no_room_is_counted_as_dropped_and_nothing_else_is_lost(pair):
    sent = numbered_frames(400)
    ring = open_ring(pair.left, blocks=2, block_octets=1 << 13, block_timeout_ms=50)
    try:
        pair.right.send(sent)  # far more than 16 KiB, and nobody reads
        received, _ = collect(ring, 1)
        seen, dropped, freezes = ring.statistics()
        assert seen == len(sent)
        assert dropped > 0
        assert freezes > 0
        assert len(received) == seen - dropped
        assert received == sent[: len(received)]
    finally:
        ring.close()


def test_a_batch_held_after_close_stays_readable(pair):
    ring = open_ring(pair.left, blocks=4, block_octets=1 << 16, block_timeout_ms=20)
    pair.right.send(numbered_frames(1))
    batch = next(batch for batch in ring if batch is not None)
    ring.close()
    ring.close()
    frame = batch.frames[0]
    assert batch.buffer[frame.offset : frame.offset + frame.captured_octets].tobytes() == numbered_frames(1)[0]
    assert ring.statistics() == (1, 0, 0)


def refusal(pair, blocks: int, block_octets: int) -> str:
    with pair.left.entered(), pytest.raises(InterfaceError) as refused:
        RingSource(find_interface(pair.left.interface), blocks=blocks, block_octets=block_octets)
    (line,) = str(refused.value).splitlines()
    assert line.startswith(f"interface {pair.left.interface}: ")
    return line


def test_a_block_that_is_no_multiple_of_a_page_is_refused(pair):
    assert "[capture] block_octets" in refusal(pair, 4, 5000)


def test_a_ring_that_memory_has_no_room_for_says_how_much_and_which_key(pair, monkeypatch, tmp_path):
    """Linux would end other processes for it, so the test makes memory small, not the ring large."""
    (tmp_path / "meminfo").write_text("MemTotal: 65536 kB\nMemAvailable:   8192 kB\n")
    monkeypatch.setattr(ring_module, "MEMORY", tmp_path / "meminfo")
    line = refusal(pair, 5, 1 << 20)
    assert "5 MiB" in line
    assert "(8 MiB are available" in line
    assert "lower [capture] ring_blocks" in line
    open_ring(pair.left, blocks=4, block_octets=1 << 20).close()


@pytest.mark.parametrize(("direction", "wanted"), [("in", "right"), ("out", "left")])
def test_one_direction_alone(pair, direction, wanted):
    sent = {"right": numbered_frames(4), "left": numbered_frames(6)}
    ring = open_ring(pair.left, blocks=4, block_octets=1 << 16, block_timeout_ms=20, direction=direction)
    try:
        pair.right.send(sent["right"])
        pair.left.send(sent["left"])
        received, _ = collect(ring, len(sent[wanted]))
        assert received == sent[wanted]
        assert ring.statistics()[0] == len(received)
    finally:
        ring.close()


@pytest.mark.parametrize("tags", ["81000123", "88a80007 81000123"])
def test_tags_that_linux_takes_off_are_there(pair, tags):
    """Linux takes the outer tag off every frame that comes in; from the other side it is seen as it was sent."""
    frame = bytes.fromhex("020000000001 020000000002" + tags + "88b5") + bytes(range(50))
    ring = open_ring(pair.left, blocks=4, block_octets=1 << 16, block_timeout_ms=20)
    try:
        pair.right.send([frame])
        pair.left.send([frame])
        received, records = collect(ring, 2)
        assert received == [frame, frame]
        assert {int(record.wire_octets) for record in records} == {len(frame)}
    finally:
        ring.close()


def test_a_process_without_the_privilege_is_told_which_one(pair):
    """In a child, which gives its privileges up for good."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        message = b"captured without privilege"
        try:
            ctypes.CDLL(None).setuid(65534)
            find_interface("lo")
        except InterfaceError as error:
            message = str(error).encode()
        finally:
            os.write(writer, message)
            os._exit(0)
    os.close(writer)
    os.waitpid(child, 0)
    with os.fdopen(reader, "rb") as answer:
        assert b"CAP_NET_RAW" in answer.read()


def test_the_frame_view_is_the_ring_itself(pair):
    ring = open_ring(pair.left, blocks=4, block_octets=1 << 16, block_timeout_ms=20)
    try:
        pair.right.send(numbered_frames(2))
        batch = next(batch for batch in ring if batch is not None)
        assert batch.buffer.flags.c_contiguous
        assert np.shares_memory(batch.buffer, np.frombuffer(ring._map, np.uint8))
    finally:
        batch = None
        ring.close()


def test_where_linux_does_not_tell_what_was_joined_it_is_said_and_frames_come_all_the_same(pair, monkeypatch):
    monkeypatch.setattr(packet_socket, "PACKET_VNET_HDR", 9999)  # no such option: as on a Linux without it
    said: list[str] = []
    sent = numbered_frames(20)
    ring = open_ring(pair.left, blocks=4, block_octets=1 << 16, block_timeout_ms=20, say=said.append)
    try:
        pair.right.send(sent)
        received, records = collect(ring, len(sent))
        assert received == sent
        assert {int(record.gso_octets) for record in records} == {0}
        (line,) = said
        assert "--offloads-off" in line
    finally:
        ring.close()
