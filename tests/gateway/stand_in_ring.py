"""The NIC's stand-in: the frames of a capture, a few at a time, through the interface of `RingSource`."""

from __future__ import annotations

import time

from classifier.capture.files import open_capture


class Ring:
    """`on_batch` is told how many batches went before; `gaps` of them are behind by a time-out without a frame."""

    problem = None

    def __init__(self, *captures: str, batch_frames: int = 50) -> None:
        self._captures, self._batch_frames = captures, batch_frames
        self.on_batch = lambda number: None
        self.dropped = self.freezes = 0
        self._stopping = False

    def __iter__(self):
        number = 0
        for name in self._captures:
            with open_capture(name, batch_frames=self._batch_frames) as capture:
                for batch in capture:
                    self.on_batch(number)
                    number += 1
                    yield batch
        self.on_batch(number)

    def prepare(self):
        pass

    def let_in(self):
        pass

    def clock_ns(self):
        return time.time_ns()

    def statistics(self):
        return 0, self.dropped, self.freezes

    def stop(self):
        self._stopping = True

    def close(self):
        pass
