"""Reading ahead: a second thread reads and unpacks the next pieces of a file while the kernels work on this one.

Rules of this file: the thread touches its stream and the buffers that it was given, nothing else, and a buffer is with
one side at a time. What the window sees depends on the stream alone and never on when the thread ran: pieces are full
but for the last, come in order and tell by themselves how far the file was read. Whoever forgets to close leaves no
thread behind.
"""

from __future__ import annotations

import threading
import weakref
from queue import SimpleQueue
from typing import NamedTuple, Protocol

import numpy as np


class Stream(Protocol):
    """What is read ahead: `readinto` fills the front of `target` and gives the count, 0 at the end."""

    octets_read: int

    def readinto(self, target: memoryview) -> int: ...


class Piece(NamedTuple):
    """`octets[room : room + count]` of a buffer was read, `room` being free for what precedes it."""

    octets: np.ndarray
    count: int
    octets_read: int  # of the stream, up to the end of this piece


class ReadAhead:
    """The pieces of a stream from where it stands, read by a thread that ends with `close`, or with this object.

    A buffer is `room_octets` and behind them `piece_octets`. Raises RuntimeError where no thread can be had.
    """

    def __init__(self, stream: Stream, *, buffers: int, room_octets: int, piece_octets: int) -> None:
        self.room_octets = room_octets
        self._free: SimpleQueue[np.ndarray | None] = SimpleQueue()
        self._read: SimpleQueue[Piece | BaseException | None] = SimpleQueue()
        self._ended = False
        for _ in range(buffers):
            self._free.put(np.empty(room_octets + piece_octets, np.uint8))
        stopping = threading.Event()
        arguments = (stream, room_octets, self._free, self._read, stopping)
        thread = threading.Thread(target=_read_pieces, args=arguments, name="read-ahead", daemon=True)
        thread.start()
        # Runs once: at `close`, when nobody holds this object, or before the interpreter ends.
        self.close = weakref.finalize(self, _stop, thread, self._free, stopping)

    def next_piece(self) -> Piece | None:
        """The next piece, to be given back; None at the end, and ever after. Raises what reading it raised."""
        if not self.close.alive:
            raise ValueError("I/O operation on closed file")  # as a file itself says
        if self._ended:
            return None
        piece = self._read.get()
        self._ended = not isinstance(piece, Piece)
        if isinstance(piece, BaseException):
            raise piece
        return piece

    def give_back(self, octets: np.ndarray) -> None:
        """The buffer of a piece is needed no more."""
        self._free.put(octets)


def _read_pieces(
    stream: Stream, room_octets: int, free: SimpleQueue, read: SimpleQueue, stopping: threading.Event
) -> None:
    """The thread: fill buffers as they become free; last comes None for the end, or what went wrong."""
    try:
        while (octets := free.get()) is not None:
            target = memoryview(octets)[room_octets:]
            count = 0
            while count < len(target) and not stopping.is_set() and (got := stream.readinto(target[count:])):
                count += got
            if count:
                read.put(Piece(octets, count, stream.octets_read))
            if count < len(target):
                break
        read.put(None)
    except BaseException as error:
        read.put(error)


def _stop(thread: threading.Thread, free: SimpleQueue, stopping: threading.Event) -> None:
    """End the thread: it neither begins another read nor goes on to wait for a buffer."""
    stopping.set()
    free.put(None)
    if thread is not threading.current_thread():  # which may be the one that collects the garbage
        thread.join()
