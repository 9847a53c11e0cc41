"""Capture files as a source of batches: pcap and pcapng, plain or gzip, from a file or from standard input.

Rules of this file: what kind a file is shows in its first octets, not in its name. A file that cannot be metered at all
is a CaptureError when it is opened; one that goes wrong later is metered up to there and keeps the reason as `problem`.
"""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Iterator
from types import TracebackType

import numpy as np

from classifier.capture.batch import BATCH_FRAMES, Batch, frame_list
from classifier.capture.link_types import unsupported_link_message
from classifier.capture.pcap import PcapReader, pcap_magic
from classifier.capture.pcapng import SECTION_MAGIC, PcapngReader
from classifier.capture.stream import GZIP_MAGIC, GzipStream, RawStream
from classifier.capture.window import Digest, Window
from classifier.errors import CaptureError
from classifier.iana import SUPPORTED_LINK_TYPES

# From 4 MiB on NumPy asks for huge pages, which help what goes from one processor to the other: metering 1 GB took 0.64 s (the
# median of twelve in turn), 0.79 s with 2 MiB, 0.72 s with 8 MiB and 0.9 s with 0.5 MiB.
CHUNK_OCTETS = 4 << 20
# One is worked on while the other is filled. Only unpacking is worth a thread: replaying 146 MB of gzip, the metering thread
# had 0.62 s of processor time with two buffers and 0.57 s with three, 1.58 s without reading ahead. A plain file of 1 GB
# takes as long with it as without (0.82 s and 0.83 s, the best of eight in turn), and listing it takes longer: what the
# other processor has read has to come over, and waking each other costs as much as reading.
READ_AHEAD_BUFFERS = 2
# To begin and end a thread takes 0.2 ms. Smaller captures are over in the first pieces.
READ_AHEAD_FROM_OCTETS = 1 << 20
STANDARD_INPUT = "-"
# Kinds of file that are mistaken for captures, with the mend.
OTHER_KINDS = (
    (b"\x28\xb5\x2f\xfd", "is compressed with zstd; unpack it first (zstd -d)"),
    (b"\xfd7zXZ\x00", "is compressed with xz; unpack it first (xz -d)"),
    (b"BZh", "is compressed with bzip2; unpack it first (bzip2 -d)"),
    (b"\x04\x22\x4d\x18", "is compressed with lz4; unpack it first (lz4 -d)"),
    (b"PK\x03\x04", "is a zip archive; unpack it first (unzip)"),
    (b"snoop\x00\x00\x00", "is a snoop capture; convert it with editcap -F pcapng"),
)


class CaptureFile:
    """A capture as an iterable of Batch, to be gone through once; a context manager that closes the file.

    `name` is the path, or "standard input". When the iteration is over, `problem` is None or one line that says where
    the file ends early or is damaged, and `unsupported` counts, by link type, the frames that were handed over but
    that freeflow cannot decode (pcapng files that mix link types).
    """

    def __init__(
        self,
        name: str,
        stream: RawStream,
        batch_frames: int,
        chunk_octets: int,
        read_ahead: bool | None,
        digest: Digest | None = None,
    ) -> None:
        self.name = name
        self._read_ahead = read_ahead
        self.unsupported: dict[int, int] = {}
        self._frames = frame_list(batch_frames)
        self._window = self._open_window(stream, chunk_octets)
        if digest is not None:
            self._window.digest_with(digest)
        self._reader = self._open_reader()
        # The first frames show whether there is anything that can be metered, before the caller has done anything.
        self._listed = self._reader.list_frames(self._frames)
        if self._listed and not self._reader.link_types & SUPPORTED_LINK_TYPES:
            raise CaptureError(unsupported_link_message(name, int(self._frames[0].link_type)))

    @property
    def octets_read(self) -> int:
        """How far the file was read for the frames handed over, in octets of the file as it is on disk."""
        return self._window.octets_read

    @property
    def octets_total(self) -> int | None:
        """Octets of the file as it is on disk; None for a pipe."""
        return self._window.stream.octets_total

    @property
    def problem(self) -> str | None:
        return self._reader.problem

    def __iter__(self) -> Iterator[Batch]:
        self._begin_reading_ahead()
        while self._listed:
            batch = Batch(self._window.view, self._frames, self._listed)
            if not self._reader.link_types <= SUPPORTED_LINK_TYPES:
                self._count_unsupported(batch.frames)
            yield batch
            self._listed = self._reader.list_frames(self._frames)

    def __enter__(self) -> CaptureFile:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def lend(self, wait: Callable[[np.ndarray], None]) -> None:
        """Batches are worked on elsewhere: `wait` returns once nothing is that lies in these octets, to be written over."""
        self._window.lend(wait)

    def close(self) -> None:
        self._window.close()

    def _begin_reading_ahead(self) -> None:
        """Leave the unpacking to a second thread where that pays. Never for a pipe: what arrived must not wait for more."""
        if self.octets_total is None or self._read_ahead is False or self._window.reads_ahead:
            return
        octets_left = self.octets_total - self.octets_read
        packed = isinstance(self._window.stream, GzipStream)
        pays = packed and octets_left >= READ_AHEAD_FROM_OCTETS and len(os.sched_getaffinity(0)) > 1
        if pays or self._read_ahead:
            self._window.read_ahead(READ_AHEAD_BUFFERS)

    def _open_window(self, stream: RawStream, chunk_octets: int) -> Window:
        """The window over the capture's octets, unpacked if they are compressed."""
        window = Window(stream, chunk_octets)
        if not window.require(len(GZIP_MAGIC)) and not window.held_octets:
            raise CaptureError(f"{self.name}: {stream.problem or 'is empty'}; capture again or name another file")
        if window.octets(len(GZIP_MAGIC)) != GZIP_MAGIC:
            return window
        unpacked = Window(GzipStream(stream, window.octets(window.held_octets)), chunk_octets)
        if not unpacked.fill():
            problem = unpacked.stream.problem or "unpacks to nothing"
            raise CaptureError(f"{self.name}: {problem}; capture again or name another file")
        return unpacked

    def _open_reader(self) -> PcapReader | PcapngReader:
        """The reader for the kind of capture that the first octets show."""
        window = self._window
        window.require(8)
        head = window.octets(8)
        if head.startswith(SECTION_MAGIC):
            return PcapngReader(window, self.name)
        if len(head) >= 4 and (magic := pcap_magic(head)) is not None:
            reader = PcapReader(window, self.name, *magic)
            if not reader.link_types <= SUPPORTED_LINK_TYPES:
                raise CaptureError(unsupported_link_message(self.name, *reader.link_types))
            return reader
        if window.stream.problem:
            raise CaptureError(f"{self.name}: {window.stream.problem}; capture again or name another file")
        for start, what in OTHER_KINDS:
            if head.startswith(start):
                raise CaptureError(f"{self.name}: {what}")
        raise CaptureError(f"{self.name}: is not a capture file; name a pcap or pcapng file, plain or gzip")

    def _count_unsupported(self, frames: np.recarray) -> None:
        link_types, counts = np.unique(frames.link_type, return_counts=True)
        for link_type, count in zip(link_types.tolist(), counts.tolist(), strict=True):
            if link_type not in SUPPORTED_LINK_TYPES:
                self.unsupported[link_type] = self.unsupported.get(link_type, 0) + count


def _open_raw(path: str) -> io.FileIO:
    """The file itself, or a CaptureError that says why not and what to do."""
    try:
        if path == STANDARD_INPUT:
            return io.FileIO(0, closefd=False)
        return io.FileIO(path)
    except FileNotFoundError:
        message = "no such file; check the path"
    except IsADirectoryError:
        message = f"is a directory; name the capture files in it, such as {os.path.join(path, '*.pcap')}"
    except PermissionError:
        message = "permission denied; make it readable for this user"
    except (OSError, ValueError) as error:
        message = f"cannot be opened: {getattr(error, 'strerror', None) or error}; name a capture file"
    raise CaptureError(f"{'standard input' if path == STANDARD_INPUT else path}: {message}")


def open_capture(
    path: str,
    *,
    batch_frames: int = BATCH_FRAMES,
    chunk_octets: int = CHUNK_OCTETS,
    read_ahead: bool | None = None,
    digest: Digest | None = None,
) -> CaptureFile:
    """Open a capture file, or standard input for "-"; reads as far as its first frames.

    `batch_frames`: the most frames in one batch; `chunk_octets`: the buffer, which only one record larger than that
    makes grow; `read_ahead`: whether a second thread reads on while a batch of a file is worked on, None for where it
    pays. Nothing but the time it takes depends on any of them. `digest` takes in the capture's octets, unpacked, as they are
    read. Raises CaptureError, on one line, for what is missing,
    unreadable, empty, no capture, or of a link type that is not supported.
    """
    name = "standard input" if path == STANDARD_INPUT else path
    raw = _open_raw(path)
    try:
        if path == STANDARD_INPUT and os.isatty(0):
            raise CaptureError("standard input: is a terminal; pipe a capture into it, as in tcpdump -w - | freeflow …")
        return CaptureFile(name, RawStream(raw), batch_frames, chunk_octets, read_ahead, digest)
    except CaptureError:
        raw.close()
        raise
