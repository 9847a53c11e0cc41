"""Frames from a network interface, in place, out of an AF_PACKET ring (TPACKET_V3).

Linux fills blocks of memory that this process has mapped; a block is handed over as it lies, read-only, and goes back
to Linux only when the consumer asks for what comes after it. Rules of this file: the consumer is never kept waiting for
longer than the time-out of a block; what Linux drops is counted; after `stop` nothing more comes in, and everything
that had come in is handed over.

Source: linux/if_packet.h, Documentation/networking/packet_mmap.rst; options without a name in Python have theirs here.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import mmap
import os
import select
import socket
import struct
import time
from collections.abc import Iterator

import numpy as np

from classifier.capture.batch import BATCH_FRAMES, Batch, frame_list
from classifier.capture.interface import PRIVILEGE_MEND, Interface
from classifier.errors import InterfaceError
from classifier.iana import LINK_ETHERNET
from classifier.kernels.ring_index import (
    BLOCK_FIRST_FRAME_AT,
    BLOCK_FRAMES_AT,
    BLOCK_STATUS_AT,
    index_ring_block,
)

SOL_PACKET = 263  # linux/socket.h
PACKET_ADD_MEMBERSHIP, PACKET_RX_RING, PACKET_STATISTICS = 1, 5, 6
PACKET_VERSION, PACKET_IGNORE_OUTGOING = 10, 23
TPACKET_V3 = 2
PACKET_MR_PROMISC = 1
ETH_P_ALL = 0x0003  # linux/if_ether.h
SO_ATTACH_FILTER = 26  # asm-generic/socket.h
TP_STATUS_KERNEL, TP_STATUS_USER = 0, 1
RING_REQUEST = "7I"  # struct tpacket_req3
RING_STATISTICS = "3I"  # struct tpacket_stats_v3
MEMBERSHIP = "iHH8x"  # struct packet_mreq
FRAME_STEP_OCTETS = 2048  # tp_frame_size: with version 3 only checked to divide a block
# Linux looks at a block once per time-out and closes it when it finds it for the second time (af_packet.c,
# prb_retire_rx_blk_timer_expired), so a block that has just begun takes up to two of them, and timers are late.
DRAIN_TIMEOUTS = 2.5
REJECT_ALL = struct.pack("HBBI", 0x06, 0, 0, 0)  # one struct sock_filter: BPF_RET | BPF_K, keep 0 octets


class RingSource:
    """The frames of one interface, as an iterable of Batch, or None where nothing came within a block's time-out.

    `blocks` times `block_octets` is the memory Linux fills; a block is handed over when it is full or
    `block_timeout_ms` old. Both directions are captured, as by tcpdump; on the loopback interface, where each frame
    would come twice, the outgoing copy is left out. `problem` says why the iteration ended by itself, if it did (the
    interface went down or away). Raises InterfaceError if the ring cannot be set up.
    """

    link_type = LINK_ETHERNET

    def __init__(
        self,
        interface: Interface,
        *,
        blocks: int = 64,
        block_octets: int = 1 << 20,
        block_timeout_ms: int = 100,
        promiscuous: bool = True,
        batch_frames: int = BATCH_FRAMES,
    ) -> None:
        self.interface = interface
        self.problem: str | None = None
        self.unlisted_frames = 0
        self._block_timeout_ms = block_timeout_ms
        self._frames = frame_list(batch_frames)
        self._counters = [0, 0, 0]
        self._wake = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._stopping = False
        self._socket: socket.socket | None = None
        self._map: mmap.mmap | None = None
        try:
            self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
            self._set_up(blocks, block_octets, promiscuous)
        except OSError as error:
            self.close()
            raise InterfaceError(
                f"interface {interface.name}: {_set_up_message(error, blocks * block_octets)}"
            ) from None

    def _set_up(self, blocks: int, block_octets: int, promiscuous: bool) -> None:
        """Make the ring, map it, and only then bind: a socket without a protocol receives nothing from elsewhere."""
        ring = self._socket
        ring.setsockopt(SOL_PACKET, PACKET_VERSION, TPACKET_V3)
        steps = blocks * (block_octets // FRAME_STEP_OCTETS)
        request = (block_octets, blocks, FRAME_STEP_OCTETS, steps, self._block_timeout_ms, 0, 0)
        ring.setsockopt(SOL_PACKET, PACKET_RX_RING, struct.pack(RING_REQUEST, *request))
        self._map = mmap.mmap(ring.fileno(), blocks * block_octets, mmap.MAP_SHARED, mmap.PROT_READ | mmap.PROT_WRITE)
        octets = np.frombuffer(self._map, np.uint8)
        self._headers = octets.view(np.uint32).reshape(blocks, block_octets // 4)
        octets = octets.view()
        octets.flags.writeable = False
        self._blocks = list(octets.reshape(blocks, block_octets))
        self._next = 0
        if self.interface.is_loopback:
            ring.setsockopt(SOL_PACKET, PACKET_IGNORE_OUTGOING, 1)
        if promiscuous:
            membership = struct.pack(MEMBERSHIP, self.interface.index, PACKET_MR_PROMISC, 0)
            ring.setsockopt(SOL_PACKET, PACKET_ADD_MEMBERSHIP, membership)
        ring.bind((self.interface.name, ETH_P_ALL))

    def __iter__(self) -> Iterator[Batch | None]:
        """Batches until `stop` is called or the interface is gone; what had come in by then is still handed over."""
        poll = select.poll()
        poll.register(self._socket, select.POLLIN | select.POLLERR)
        poll.register(self._wake, select.POLLIN)
        while not self._stopping and self.problem is None:
            if self._ready():
                yield from self._hand_over()
                continue
            events = dict(poll.poll(self._block_timeout_ms))
            if events.get(self._socket.fileno(), 0) & select.POLLERR:
                self._note_error()
            elif not events:
                yield None
        yield from self._drain()

    def _ready(self) -> bool:
        return bool(self._headers[self._next, BLOCK_STATUS_AT // 4] & TP_STATUS_USER)

    def _hand_over(self) -> Iterator[Batch]:
        """The next block's frames, in as many batches as they need; then the block goes back to Linux."""
        header = self._headers[self._next]
        block = self._blocks[self._next]
        remaining = int(header[BLOCK_FRAMES_AT // 4])
        position = int(header[BLOCK_FIRST_FRAME_AT // 4])
        while remaining:
            count, position = index_ring_block(block, position, remaining, LINK_ETHERNET, self._frames)
            if not count:
                self.unlisted_frames += remaining
                break
            remaining -= count
            yield Batch(block, self._frames[:count])
        header[BLOCK_STATUS_AT // 4] = TP_STATUS_KERNEL
        self._next = (self._next + 1) % len(self._blocks)

    def _drain(self) -> Iterator[Batch]:
        """Let nothing more in, and hand over what is there; the block being filled is handed over by its time-out."""
        self._refuse_frames()
        poll = select.poll()
        poll.register(self._socket, select.POLLIN)
        deadline = time.monotonic() + DRAIN_TIMEOUTS * self._block_timeout_ms / 1000
        while True:
            while self._ready():
                yield from self._hand_over()
            left_ms = (deadline - time.monotonic()) * 1000
            if left_ms <= 0:
                return
            poll.poll(left_ms)

    def _refuse_frames(self) -> None:
        """Attach a socket filter that keeps nothing, so that a busy link cannot make the end last."""
        program = ctypes.create_string_buffer(REJECT_ALL, len(REJECT_ALL))
        filter_program = struct.pack("HP", 1, ctypes.addressof(program))  # struct sock_fprog
        self._socket.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, filter_program)

    def _note_error(self) -> None:
        error = self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if error == errno.ENETDOWN:
            self.problem = f"interface {self.interface.name}: went down while it was captured from"
        elif error:
            self.problem = f"interface {self.interface.name}: {os.strerror(error)} while it was captured from"

    def stop(self) -> None:
        """End the iteration, after what has come in. May be called from a signal handler or another thread."""
        self._stopping = True
        if self._wake >= 0:
            os.eventfd_write(self._wake, 1)

    def clock_ns(self) -> int:
        """The time of the clock that stamps the frames, for intervals in which none comes."""
        return time.time_ns()

    def statistics(self) -> tuple[int, int, int]:
        """(received, dropped, freezes) since the start.

        Frames that Linux saw for this ring, those of them it had no room for, and how often the ring was full. Once the
        iteration has ended, received less dropped is what was handed over.
        """
        if self._socket is not None:
            # Linux starts again at zero with every reading.
            size = struct.calcsize(RING_STATISTICS)
            counters = struct.unpack(RING_STATISTICS, self._socket.getsockopt(SOL_PACKET, PACKET_STATISTICS, size))
            self._counters = [total + counter for total, counter in zip(self._counters, counters, strict=True)]
        return tuple(self._counters)

    def close(self) -> None:
        """Give the ring back; the statistics stay readable. A batch still held keeps its memory, nothing else."""
        if self._wake >= 0:
            wake, self._wake = self._wake, -1
            os.close(wake)
        if self._socket is None:
            return
        self._stopping = True
        if self._map is not None:
            self.statistics()
        self._socket.close()
        self._socket = None
        ring, self._map = self._map, None
        self._headers, self._blocks = None, []
        if ring is not None:
            # A view that somebody still holds keeps the memory mapped until it goes.
            with contextlib.suppress(BufferError):
                ring.close()


def _set_up_message(error: OSError, ring_octets: int) -> str:
    """What went wrong with the ring, with the mend."""
    if error.errno in (errno.EPERM, errno.EACCES):
        return f"capturing is not permitted; {PRIVILEGE_MEND}"
    if error.errno in (errno.ENOMEM, errno.ENOBUFS):
        return f"a ring of {ring_octets >> 20} MiB does not fit into memory; take fewer or smaller blocks"
    if error.errno in (errno.ENODEV, errno.ENXIO):
        return "is gone; see ip link"
    if error.errno == errno.ENOPROTOOPT:
        return "this Linux has no TPACKET_V3 ring that leaves out outgoing frames; it needs Linux 4.20 or later"
    return f"the capture ring was refused: {error.strerror}; blocks have to be a multiple of {mmap.PAGESIZE} octets"
