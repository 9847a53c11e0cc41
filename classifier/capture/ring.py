"""Frames from a network interface, in place, out of an AF_PACKET ring (TPACKET_V3).

Linux fills blocks of memory that this process has mapped; a block is handed over as it lies, read-only, and goes back
to Linux only when the consumer asks for what comes after it. Rules of this file: the consumer is never kept waiting for
longer than the time-out of a block; what Linux drops is counted; an interface that goes down or away is waited for; after
`stop` nothing more comes in, and everything that had come in is handed over.

Source: linux/if_packet.h, Documentation/networking/packet_mmap.rst; options without a name in Python have theirs here.
"""

from __future__ import annotations

import contextlib
import errno
import mmap
import os
import select
import struct
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from classifier.capture.batch import BATCH_FRAMES, Batch, frame_list
from classifier.capture.interface import Interface
from classifier.capture.packet_socket import SOL_PACKET, PacketSocket, set_up_error
from classifier.capture.presence import Presence
from classifier.capture.stopping import Stop
from classifier.errors import InterfaceError
from classifier.iana import LINK_ETHERNET
from classifier.kernels.ring_index import (
    BLOCK_FIRST_FRAME_AT,
    BLOCK_FRAMES_AT,
    BLOCK_STATUS_AT,
    index_ring_block,
)
from classifier.kernels.segments import VNET_OCTETS

MEMORY = Path("/proc/meminfo")
PACKET_RX_RING, PACKET_VERSION = 5, 10
TPACKET_V3 = 2
TP_STATUS_KERNEL, TP_STATUS_USER = 0, 1
RING_REQUEST = "7I"  # struct tpacket_req3
FRAME_STEP_OCTETS = 2048  # tp_frame_size: with version 3 only checked to divide a block
# Linux looks at a block once per time-out and closes it when it finds it for the second time (af_packet.c,
# prb_retire_rx_blk_timer_expired), so a block that has just begun takes up to two of them, and timers are late.
DRAIN_TIMEOUTS = 2.5


class RingSource:
    """The frames of one interface, as an iterable of Batch, or None where nothing came within a block's time-out.

    `blocks` times `block_octets` is the memory Linux fills; a block is handed over when it is full or `block_timeout_ms`
    old. `direction`: "both", as by tcpdump, "in" or "out" as the interface sees it; on the loopback interface, where each
    frame would come twice, the outgoing copy is always left out. `say` gets a line when the interface goes down or away
    and when it is back. `problem` says why the iteration ended by itself, if it did. Raises InterfaceError if the ring
    cannot be set up.
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
        direction: str = "both",
        batch_frames: int = BATCH_FRAMES,
        let_in: bool = True,
        say: Callable[[str], None] = lambda line: None,
    ) -> None:
        self.problem: str | None = None
        self.unlisted_frames = 0
        self._block_timeout_ms = block_timeout_ms
        self._frames = frame_list(batch_frames)
        self._stop = Stop()
        self._socket: PacketSocket | None = None
        self._map: mmap.mmap | None = None
        self._presence: Presence | None = None
        try:
            self._socket = PacketSocket(interface, direction, promiscuous=promiscuous)
            self._make_ring(blocks, block_octets)
            self._presence = Presence(interface, self._socket.bind, say)
            if let_in:
                self.prepare()
                self.let_in()
        except OSError as error:
            self.close()
            raise set_up_error(interface, error) from None
        except InterfaceError:
            self.close()
            raise
        if not self.joined_told:
            say(f"interface {interface.name}: Linux does not tell how many packets it joined; run with --offloads-off")

    def prepare(self) -> None:
        """Have the kernel compiled or loaded, while whoever started this can still read what was kept."""
        index_ring_block(self._writable[0], 0, 0, LINK_ETHERNET, 0, self._frames)

    def let_in(self) -> None:
        """From now on what passes the interface lies in the ring; at the start already, but with `let_in` False."""
        try:
            self._socket.bind(self.interface)
        except OSError as error:
            raise set_up_error(self.interface, error) from None

    @property
    def interface(self) -> Interface:
        """The interface, as it was when it was bound to last."""
        return self._socket.interface

    @property
    def joined_told(self) -> bool:
        """Whether frames that were joined by an offload count as what was on the wire."""
        return self._socket.joined_told

    def _make_ring(self, blocks: int, block_octets: int) -> None:
        """Make the ring and map it: a socket without a protocol receives nothing yet."""
        ring = self._socket.socket
        ring.setsockopt(SOL_PACKET, PACKET_VERSION, TPACKET_V3)
        steps = blocks * (block_octets // FRAME_STEP_OCTETS)
        request = (block_octets, blocks, FRAME_STEP_OCTETS, steps, self._block_timeout_ms, 0, 0)
        size = blocks * block_octets
        if size > available_octets() // 2:
            raise InterfaceError(f"interface {self.interface.name}: {_no_room(blocks, block_octets)}")
        try:
            ring.setsockopt(SOL_PACKET, PACKET_RX_RING, struct.pack(RING_REQUEST, *request))
            self._map = mmap.mmap(ring.fileno(), size, mmap.MAP_SHARED, mmap.PROT_READ | mmap.PROT_WRITE)
        except OSError as error:
            raise InterfaceError(
                f"interface {self.interface.name}: {_ring_message(error, blocks, block_octets)}"
            ) from None
        octets = np.frombuffer(self._map, np.uint8)
        self._headers = octets.view(np.uint32).reshape(blocks, block_octets // 4)
        # The kernel that lists frames puts VLAN tags back into their place; nobody else may write.
        self._writable = list(octets.reshape(blocks, block_octets))
        octets = octets.view()
        octets.flags.writeable = False
        self._blocks = list(octets.reshape(blocks, block_octets))
        self._next = 0

    def __iter__(self) -> Iterator[Batch | None]:
        """Batches until `stop` is called; what had come in by then is still handed over."""
        poll = select.poll()
        poll.register(self._socket, select.POLLIN | select.POLLERR)
        poll.register(self._stop, select.POLLIN)
        while not self._stop.asked and self.problem is None:
            if self._ready():
                yield from self._hand_over()
                continue
            self._presence.look()
            events = dict(poll.poll(self._block_timeout_ms))
            if events.get(self._socket.fileno(), 0) & select.POLLERR:
                self._note_error(self._socket.take_error())
            elif not events:
                yield None
        yield from self._drain()

    def _ready(self) -> bool:
        return bool(self._headers[self._next, BLOCK_STATUS_AT // 4] & TP_STATUS_USER)

    def _hand_over(self) -> Iterator[Batch]:
        """The next block's frames, in as many batches as they need; then the block goes back to Linux."""
        header = self._headers[self._next]
        octets, block = self._writable[self._next], self._blocks[self._next]
        remaining = int(header[BLOCK_FRAMES_AT // 4])
        position = int(header[BLOCK_FIRST_FRAME_AT // 4])
        vnet_octets = VNET_OCTETS if self.joined_told else 0
        while remaining:
            count, position = index_ring_block(octets, position, remaining, LINK_ETHERNET, vnet_octets, self._frames)
            if not count:
                self.unlisted_frames += remaining
                break
            remaining -= count
            yield Batch(block, self._frames, count)
        header[BLOCK_STATUS_AT // 4] = TP_STATUS_KERNEL
        self._next = (self._next + 1) % len(self._blocks)

    def _drain(self) -> Iterator[Batch]:
        """Let nothing more in, and hand over what is there; the block being filled is handed over by its time-out."""
        self._socket.refuse_frames()
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

    def _note_error(self, error: int) -> None:
        if error == errno.ENETDOWN:
            self._presence.lose()
        elif error:
            self.problem = f"interface {self.interface.name}: {os.strerror(error)} while it was captured from"

    def stop(self) -> None:
        """End the iteration, after what has come in. May be called from a signal handler or another thread."""
        self._stop.ask()

    def clock_ns(self) -> int:
        """The time of the clock that stamps the frames, for intervals in which none comes."""
        return time.time_ns()

    def statistics(self) -> tuple[int, int, int]:
        """(received, dropped, freezes) since the start, whatever became of the interface meanwhile.

        Frames that Linux saw for this ring, those of them it had no room for or wrote so that they cannot be listed, and how
        often the ring was full. Once the iteration has ended, received less dropped is what was handed over.
        """
        received, dropped, freezes = self._socket.statistics()
        return received, dropped + self.unlisted_frames, freezes

    def close(self) -> None:
        """Give the ring back; the statistics stay readable. A batch still held keeps its memory, nothing else."""
        self._stop.close()
        if self._presence is not None:
            self._presence.close()
        if self._socket is not None:
            self._socket.close()
        ring, self._map = self._map, None
        self._headers, self._blocks, self._writable = None, [], []
        if ring is not None:
            # A view that somebody still holds keeps the memory mapped until it goes.
            with contextlib.suppress(BufferError):
                ring.close()


def available_octets() -> int:
    """What Linux could give away without swapping (proc(5), MemAvailable). A ring can be neither swapped nor reclaimed, and
    Linux does not refuse one that is too large: it ends other processes until there is room."""
    with MEMORY.open() as lines:
        return next((int(line.split()[1]) << 10 for line in lines if line.startswith("MemAvailable:")), 1 << 62)


def _no_room(blocks: int, block_octets: int) -> str:
    size = f"{blocks * block_octets / 2**20:g} MiB"
    return (
        f"no room for a ring of {size}, {blocks} blocks of {block_octets} octets ({available_octets() >> 20} MiB are "
        "available, of which a ring may have half); lower [capture] ring_blocks or block_octets"
    )


def _ring_message(error: OSError, blocks: int, block_octets: int) -> str:
    """Why Linux refused the ring, with the mend."""
    if error.errno in (errno.ENOMEM, errno.ENOBUFS):
        return _no_room(blocks, block_octets)
    if error.errno == errno.ENOPROTOOPT:
        return "this Linux has no TPACKET_V3 ring; it needs Linux 3.2 or later"
    if error.errno == errno.EINVAL:
        return f"the ring was refused; [capture] block_octets ({block_octets}) has to be a multiple of {mmap.PAGESIZE}"
    return f"the ring was refused: {error.strerror}"
