"""The piece of a capture that lies in memory, where the readers and kernels find it.

Rules of this file: the octets of a stream pass in order, none twice and none left out, whether they are read here or
ahead in another thread; nothing grows with the file, only with one record. Files are read, not mapped: one that is cut
meanwhile then ends, instead of killing the program with SIGBUS.
"""

from __future__ import annotations

import contextlib
from collections import deque
from collections.abc import Callable
from typing import Protocol

import numpy as np

from classifier.capture.ahead import ReadAhead
from classifier.capture.stream import GzipStream, RawStream

# While one buffer is metered and one decoded, the next is filled.
LENT_BUFFERS = 3
VIEWS_KEPT = 8
# The room before a piece that was read ahead is this share of it: with pieces of 4 MiB twice as much as the longest frame.
ROOM_SHARE = 8


class Digest(Protocol):
    """One of hashlib's."""

    def update(self, octets, /) -> None: ...

    def hexdigest(self) -> str: ...


class Window:
    """The piece of a stream that lies in memory: `view[start:end]`, which begins at `offset` in the stream.

    `view` u1[capacity] is read-only: kernels compile once, and nobody writes to a frame. Only `fill` and `skip` move
    what lies there, so a batch stays valid until one of them is called, or for as long as it is lent.
    """

    def __init__(self, stream: RawStream | GzipStream, capacity_octets: int) -> None:
        self.stream = stream
        self.start = 0
        self.end = 0
        self._front_offset = 0
        self._capacity_octets = capacity_octets
        self._views: dict[int, tuple[np.ndarray, np.ndarray, memoryview]] = {}
        self._use(np.empty(capacity_octets, np.uint8))
        self._ahead: ReadAhead | None = None
        self._octets_read = 0
        self._in_piece = False  # whether the buffer has to be given back
        self._digest: Digest | None = None
        self._wait: Callable[[np.ndarray], None] | None = None
        self._spare: deque[np.ndarray] = deque()

    def _use(self, octets: np.ndarray) -> None:
        """Work in this buffer. Its view is the one that it had before: who meters by it need not look at it again."""
        known = self._views.get(id(octets))
        if known is None or known[0] is not octets:
            if len(self._views) >= VIEWS_KEPT:
                self._views.clear()
            view = octets.view()
            view.flags.writeable = False
            known = self._views[id(octets)] = octets, view, memoryview(octets)
        self._octets, self.view, self._memory = known

    @property
    def offset(self) -> int:
        """Where `start` lies in the stream (uncompressed)."""
        return self._front_offset + self.start

    @property
    def octets_read(self) -> int:
        """How far the stream was read for what has been in `view`, in octets of the file; not what is read ahead."""
        return self.stream.octets_read if self._ahead is None else self._octets_read

    @property
    def held_octets(self) -> int:
        return self.end - self.start

    def octets(self, count: int) -> bytes:
        """A copy of the first `count` octets, as far as they are there."""
        return bytes(self._memory[self.start : min(self.start + count, self.end)])

    @property
    def reads_ahead(self) -> bool:
        return self._ahead is not None

    def read_ahead(self, buffers: int) -> None:
        """Let a second thread read from here on, into so many buffers of this one's capacity, if one can be had."""
        octets_read = self.stream.octets_read
        room_octets = self._capacity_octets // ROOM_SHARE
        with contextlib.suppress(RuntimeError):  # no more threads for this user: it goes without
            self._ahead = ReadAhead(
                self.stream, buffers=buffers, room_octets=room_octets, piece_octets=self._capacity_octets
            )
            self._octets_read = octets_read

    def digest_with(self, digest: Digest) -> None:
        """Let `digest` take in what is held, and whatever follows it. Nothing may have been passed over yet."""
        self._digest = digest
        digest.update(self._memory[self.start : self.end])

    def lend(self, wait: Callable[[np.ndarray], None]) -> None:
        """From here on a buffer is only written to again once `wait` has returned, and others are taken meanwhile."""
        self._wait = wait

    def fill(self) -> bool:
        """Take in what the stream has, making room first; False at its end.

        What is left of the last piece goes to the front. The buffer doubles only where one record fills all of it;
        the readers bound a record, and with it the buffer.
        """
        if self._ahead is not None:
            return self._fill_from(self._ahead)
        if self.start:
            self._move_to_front()
        if self.end == len(self._octets):
            self._grow(2 * len(self._octets))
        octets = self.stream.readinto(self._memory[self.end :])
        if self._digest is not None:
            self._digest.update(self._memory[self.end : self.end + octets])
        self.end += octets
        return octets > 0

    def _move_to_front(self) -> None:
        """Put what is held to the front of this buffer, or of the next one if batches in this are worked on."""
        held = self._memory[self.start : self.end]
        if self._wait is not None:
            self._spare.append(self._octets)
            taken = len(self._spare) == LENT_BUFFERS
            octets = self._spare.popleft() if taken else np.empty(self._capacity_octets, np.uint8)
            if len(octets) < len(self._octets):  # it has grown for a long record since
                octets = np.empty(len(self._octets), np.uint8)
            self._wait(octets)
            self._use(octets)
        self._memory[: len(held)] = held
        self._front_offset += self.start
        self.start, self.end = 0, self.held_octets

    def _grow(self, octets: int) -> None:
        """Go on in a buffer of this size, with what is held at its front."""
        larger = np.empty(octets, np.uint8)
        larger[: self.held_octets] = self._octets[self.start : self.end]
        self._front_offset += self.start
        self.start, self.end = 0, self.held_octets
        self._use(larger)

    def _fill_from(self, ahead: ReadAhead) -> bool:
        """Go on to the next piece, with what is left of the last one in the room before it.

        Where a record is too long for that room, the pieces are put together in a buffer that doubles.
        """
        piece = ahead.next_piece()
        if piece is None:
            return False
        self._octets_read = piece.octets_read
        if self._digest is not None:
            self._digest.update(piece.octets[ahead.room_octets :][: piece.count])
        front = ahead.room_octets - self.held_octets
        used = self._octets
        if front >= 0:
            piece.octets[front : ahead.room_octets] = used[self.start : self.end]
            self._front_offset += self.start - front
            self.start, self.end = front, ahead.room_octets + piece.count
            self._use(piece.octets)
            self._give_back(ahead, used)
            self._in_piece = True
            return True
        if self._in_piece or self.end + piece.count > len(used):
            self._grow(2 * self.held_octets + piece.count)
            self._give_back(ahead, used)
            self._in_piece = False
        self._octets[self.end : self.end + piece.count] = piece.octets[ahead.room_octets :][: piece.count]
        self.end += piece.count
        ahead.give_back(piece.octets)
        return True

    def _give_back(self, ahead: ReadAhead, octets: np.ndarray) -> None:
        """A buffer that came from reading ahead is done with."""
        if self._in_piece:
            if self._wait is not None:
                self._wait(octets)
            ahead.give_back(octets)

    def close(self) -> None:
        """Close the stream; whoever reads ahead from it has ended."""
        if self._ahead is not None:
            self._ahead.close()
        self.stream.close()

    def require(self, count: int) -> bool:
        """Make `count` octets be there; False if the stream ends before."""
        while self.held_octets < count:
            if not self.fill():
                return False
        return True

    def skip(self, count: int) -> bool:
        """Pass over `count` octets without keeping them; False if the stream ends before."""
        while count > self.held_octets:
            count -= self.held_octets
            self.start = self.end
            if not self.fill():
                return False
        self.start += count
        return True
