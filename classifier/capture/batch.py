"""What every source hands over: a read-only buffer and the list of the frames in it."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from classifier.records import FRAME

BATCH_FRAMES = 12288  # frames listed at a time, unless the caller says otherwise


class Batch(NamedTuple):
    """Frames in the order in which they were captured; valid until the next batch is asked for.

    `buffer` u1[n], read-only, one-dimensional, contiguous; `listed` records.FRAME[m]: the first `count`, at least one, are the
    frames, with offsets into `buffer`. The array is the same for each batch of a source, and handed on whole: to cut it, and
    to find out what the piece is, took a fifth of a millisecond where Python's memory was not in the cache.
    """

    buffer: np.ndarray
    listed: np.recarray
    count: int

    @property
    def frames(self) -> np.recarray:
        return self.listed[: self.count]


def frame_list(batch_frames: int) -> np.recarray:
    """The array that an index kernel fills, used again for every batch of a source."""
    if batch_frames < 1:
        raise ValueError(f"batch_frames is {batch_frames}: it has to be at least 1")
    return np.zeros(batch_frames, FRAME).view(np.recarray)
