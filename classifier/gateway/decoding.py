"""Two workers: one reads, lists and decodes in a thread of its own, this one meters. No frame depends on another in that.

Rules of this file: order is that of the capture, so nothing that is counted depends on when a thread ran. The second thread
writes to the places that it holds and nothing else; a place, and the buffer that its frames lie in, are with one side at a
time. Whoever stops early leaves no thread behind.
"""

from __future__ import annotations

import contextlib
import os
import threading
from collections import deque
from collections.abc import Iterator
from queue import SimpleQueue
from typing import NamedTuple

import numpy as np

from classifier.capture.batch import BATCH_FRAMES
from classifier.capture.files import CaptureFile
from classifier.metering.meter import Meter
from classifier.metering.tables import make_packets

# Batches on their way, one to a buffer of the window (4 MiB, some 10,000 frames): each hand-over finds Python's own memory
# gone from the cache and costs 0.1 ms on either side. With 4,096 at a time the metering thread took 0.93 s for 1 GB, with
# these 0.77 s (0.67 and 0.62 at best). With 4 places a packet has left the cache of who metered it before it is written over.
PLACES = 4
PLACE_FRAMES = BATCH_FRAMES
# Beginning and ending the thread takes 0.2 ms; a smaller capture is metered by then.
DECODE_AHEAD_FROM_OCTETS = 1 << 20


class Decoded(NamedTuple):
    """`packets[:count]` (PACKET) of frames in `buffer`; `octets_read` of the file up to them."""

    packets: np.recarray
    count: int
    buffer: np.ndarray
    octets_read: int


def pays(capture: CaptureFile) -> bool:
    """Whether a second worker is worth while: a file of some size, and a processor for it."""
    octets = capture.octets_total
    return octets is not None and octets >= DECODE_AHEAD_FROM_OCTETS and len(os.sched_getaffinity(0)) > 1


def meter_capture(meter: Meter, capture: CaptureFile, workers: int | None = None) -> Iterator[int]:
    """Meter all of a capture; comes back after each batch with the octets of the file that have been read for it.

    `workers`: 1 or 2; None takes two where that pays. Where bindings decide over tunnels, one does it all.
    """
    two = meter.decodes_ahead and (pays(capture) if workers is None else workers > 1)
    if two and (ahead := begin(capture, meter)):
        with ahead:
            for decoded in ahead:
                meter.feed_decoded(decoded.buffer, decoded.packets, decoded.count)
                yield decoded.octets_read
        return
    for batch in capture:
        meter.feed(batch.buffer, batch.listed, batch.count)
        yield capture.octets_read


def begin(capture: CaptureFile, meter: Meter) -> DecodingAhead | None:
    """Let a second thread decode; None where this user may have no more threads: it goes without."""
    with contextlib.suppress(RuntimeError):
        return DecodingAhead(capture, meter)
    return None


class DecodingAhead:
    """The batches of a capture, decoded by a second thread; an iterable to be gone through once, and a context manager.

    What comes out is valid until the next is asked for. RuntimeError where no thread can be had.
    """

    def __init__(self, capture: CaptureFile, meter: Meter) -> None:
        self._capture = capture
        self._meter = meter
        self._decoded: SimpleQueue[Decoded | BaseException | None] = SimpleQueue()
        self._places = _Places()
        capture.lend(self._places.wait_until_free)
        self._thread = threading.Thread(target=self._decode, name="decode-ahead", daemon=True)
        self._thread.start()

    def __enter__(self) -> DecodingAhead:
        return self

    def __exit__(self, *_: object) -> None:
        """End the thread, wherever it waits."""
        self._places.stop()
        if self._thread is not threading.current_thread():  # which may be the one that collects the garbage
            self._thread.join()

    def __iter__(self) -> Iterator[Decoded]:
        while isinstance(decoded := self._decoded.get(), Decoded):
            yield decoded
            self._places.give_back(decoded.packets)
        if decoded is not None:
            raise decoded

    def _decode(self) -> None:
        """The thread: decode as places become free; last comes None for the end, or what went wrong."""
        try:
            for batch in self._capture:
                for first in range(0, batch.count, PLACE_FRAMES):
                    packets = self._places.take()
                    end = min(first + PLACE_FRAMES, batch.count)
                    self._meter.decode(batch.buffer, batch.listed, first, end, packets)
                    self._places.lend(batch.buffer)
                    self._decoded.put(Decoded(packets, end - first, batch.buffer, self._capture.octets_read))
            self._decoded.put(None)
        except BaseException as error:
            self._decoded.put(error)


class _Places:
    """Where packets are decoded to. The thread's own, but for what says otherwise; it knows no meter, whose tables would stay
    as long as a capture knows how to wait."""

    def __init__(self) -> None:
        self._free = deque(make_packets(PLACE_FRAMES) for _ in range(PLACES))
        self._lent: deque[np.ndarray] = deque()  # the buffers of batches that may not be metered yet, in their order
        self._given_back: SimpleQueue[np.recarray | None] = SimpleQueue()

    def take(self) -> np.recarray:
        """A place that nobody reads."""
        while not self._free:
            self._take_back()
        return self._free.popleft()

    def lend(self, buffer: np.ndarray) -> None:
        """A batch of this buffer is on its way."""
        self._lent.append(buffer)

    def wait_until_free(self, octets: np.ndarray) -> None:
        """Return once all of what lies in `octets` is metered."""
        while any(np.may_share_memory(octets, buffer) for buffer in self._lent):
            self._take_back()

    def _take_back(self) -> None:
        """Wait for the place that was lent first, as all are metered in order. InterruptedError where none is any more."""
        packets = self._given_back.get()
        if packets is None:
            raise InterruptedError("nobody takes what is decoded")
        self._lent.popleft()
        self._free.append(packets)

    def give_back(self, packets: np.recarray) -> None:
        """The other thread's: they are metered."""
        self._given_back.put(packets)

    def stop(self) -> None:
        """The other thread's: nothing will be metered any more."""
        self._given_back.put(None)
