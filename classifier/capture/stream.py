"""Octets out of a file, a pipe or gzip.

Rules of this file: a stream returns what has arrived without waiting for more, so that a slow pipe is metered as it
comes; nothing grows with the file; an error in the middle ends the stream and stays as `problem`, because what came
before it was good. A stream may be read from another thread, but from one at a time; `problem` counts once it has ended.
"""

from __future__ import annotations

import contextlib
import io
import os
import stat
import zlib

GZIP_MAGIC = b"\x1f\x8b"  # RFC 1952, 2.3.1
GZIP_WINDOW = 31  # zlib: gzip header, largest window
COMPRESSED_CHUNK_OCTETS = 1 << 16


class RawStream:
    """A file or a pipe as it is. `octets_read` counts what was taken from it, `octets_total` is None for a pipe."""

    def __init__(self, file: io.FileIO) -> None:
        self._file = file
        self.octets_read = 0
        self.octets_total: int | None = None
        self.problem: str | None = None
        status = os.fstat(file.fileno())
        if stat.S_ISREG(status.st_mode):
            self.octets_total = max(status.st_size - file.tell(), 0)

    def readinto(self, target: memoryview) -> int:
        """Fill the front of `target` with what is there; 0 at the end, and after an error."""
        try:
            octets = self._file.readinto(target) or 0
        except OSError as error:
            self.problem = f"cannot be read further: {error.strerror}"
            return 0
        self.octets_read += octets
        return octets

    def close(self) -> None:
        self._file.close()


class GzipStream:
    """What a gzip file of one or several members unpacks to (RFC 1952). Positions are those of the compressed file."""

    def __init__(self, raw: RawStream, head: bytes) -> None:
        self._raw = raw
        self._chunk = memoryview(bytearray(COMPRESSED_CHUNK_OCTETS))
        self._compressed = head
        self._member = zlib.decompressobj(GZIP_WINDOW)
        self._ended = False
        self.problem: str | None = None

    @property
    def octets_read(self) -> int:
        return self._raw.octets_read

    @property
    def octets_total(self) -> int | None:
        return self._raw.octets_total

    def readinto(self, target: memoryview) -> int:
        """Fill the front of `target` with what can be unpacked of what is there; 0 at the end."""
        while not self._ended:
            if self._member.eof:
                self._next_member()
                continue
            before = self._member.copy()
            try:
                octets = self._member.decompress(self._compressed, len(target))
            except zlib.error:
                return self._salvage(before, target)
            self._compressed = self._member.unconsumed_tail
            if octets:
                target[: len(octets)] = octets
                return len(octets)
            if not self._compressed and not self._member.eof and not self._more():
                self._end(self._raw.problem or "the compressed data ends early")
        return 0

    def _salvage(self, member: zlib._Decompress, target: memoryview) -> int:
        """What unpacks before the damage: zlib gives nothing at all of a piece that it finds damaged.

        `member` is as it was before that piece, which gives no more than `target` holds. The longest part without damage
        unpacks at once, and the octet after it as far as it goes: so the result does not depend on the sizes asked for.
        """
        good, damaged = 0, len(self._compressed)
        while damaged - good > 1:
            middle = (good + damaged) // 2
            try:
                member.copy().decompress(self._compressed[:middle])
                good = middle
            except zlib.error:
                damaged = middle
        octets = bytearray(member.decompress(self._compressed[:good]) if good else b"")
        with contextlib.suppress(zlib.error):
            for rest in (b"", self._compressed[good:damaged]):
                while octet := member.decompress(rest, 1):
                    octets += octet
                    rest = member.unconsumed_tail
        self._end("the compressed data is damaged")
        target[: len(octets)] = octets
        return len(octets)

    def _more(self) -> bool:
        """Add a chunk of the compressed file; False at its end."""
        octets = self._raw.readinto(self._chunk)
        self._compressed += bytes(self._chunk[:octets])
        return octets > 0

    def _next_member(self) -> None:
        """Begin the member after the one that ended. Zeros after the last one are padding of a tape or a disk."""
        self._compressed = self._member.unused_data.lstrip(b"\0")
        while len(self._compressed) < len(GZIP_MAGIC) and self._more():
            self._compressed = self._compressed.lstrip(b"\0")
        if self._compressed.startswith(GZIP_MAGIC):
            self._member = zlib.decompressobj(GZIP_WINDOW)
        elif self._compressed:
            self._end("something that is not gzip follows the compressed data")
        else:
            self._end(self._raw.problem)

    def _end(self, problem: str | None) -> None:
        self._ended = True
        self.problem = problem

    def close(self) -> None:
        self._raw.close()
