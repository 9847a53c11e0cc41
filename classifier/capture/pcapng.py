"""Reading a pcapng file (draft-ietf-opsawg-pcapng): sections and interfaces here, packets in the index kernel.

A section begins with its own byte order and without interfaces. The section's length is not needed: sections are
found block by block, as libpcap does.
"""

from __future__ import annotations

import struct

import numpy as np

from classifier.capture.window import Window
from classifier.errors import CaptureError
from classifier.kernels.pcap_index import BAD_CAPTURED_LENGTH, FULL, NEEDS_MORE
from classifier.kernels.pcapng_index import (
    BAD_BLOCK_LENGTH,
    BAD_INTERFACE,
    BAD_TRAILER,
    BINARY,
    DIVIDE,
    INTERFACE,
    INTERFACE_ENTRY,
    MAXIMUM_BLOCK_OCTETS,
    MULTIPLY,
    SECTION,
    SKIP,
    index_pcapng,
)

SECTION_MAGIC = b"\x0a\x0d\x0d\x0a"
BYTE_ORDER_MAGIC = 0x1A2B3C4D
MINIMUM_SECTION_OCTETS = 28
MINIMUM_INTERFACE_OCTETS = 20
TRAILER_OCTETS = 4
OPTION_END, OPTION_RESOLUTION, OPTION_OFFSET = 0, 9, 14  # section 4.2: if_tsresol, if_tsoffset
DEFAULT_RESOLUTION = 6  # microseconds
BINARY_RESOLUTION = 0x80
NS_PER_SECOND = 10**9
LARGEST = 2**63 - 1

DAMAGE = {
    BAD_CAPTURED_LENGTH: "a captured length that the block cannot hold",
    BAD_BLOCK_LENGTH: "an impossible block length",
    BAD_TRAILER: "a block whose two lengths disagree",
    BAD_INTERFACE: "a packet of an interface that was not described",
}


def interface_entry(link_type: int, snap_octets: int, resolution: int, offset_seconds: int) -> tuple[int, ...]:
    """One row of the kernel's table: how the time stamps of an interface become nanoseconds (if_tsresol's octet)."""
    offset_ns = max(-LARGEST, min(LARGEST, offset_seconds * NS_PER_SECOND))
    shift = 0
    if resolution & BINARY_RESOLUTION:
        unit, shift = BINARY, resolution & ~BINARY_RESOLUTION
        factor, limit = (1 << min(shift, 64)) - 1, LARGEST // NS_PER_SECOND - 1
    elif resolution <= 9:
        unit, factor = MULTIPLY, 10 ** (9 - resolution)
        limit = LARGEST // factor
    elif resolution <= 28:
        unit, factor, limit = DIVIDE, 10 ** (resolution - 9), 0
    else:
        # 64 bits of units this small are less than a nanosecond.
        unit, factor, limit = MULTIPLY, 0, 2**64 - 1
    return factor, limit, offset_ns, snap_octets, shift, unit, link_type, 0


class PcapngReader:
    """Lists the packets of a pcapng file. `link_types` holds those of the current section's interfaces."""

    def __init__(self, window: Window, name: str) -> None:
        self._window = window
        self._name = name
        self._big = False
        self._interfaces = np.zeros(16, INTERFACE_ENTRY).view(np.recarray)
        self._interface_count = 0
        self._last_ns = 0
        self._packets = 0
        self._status = FULL
        self.link_types: set[int] = set()
        self._reason: str | None = None
        # A file that does not even begin well is not a capture; later the same is damage.
        if not self._read_section():
            raise CaptureError(f"{name}: {self._reason}; capture again or name another file")

    @property
    def problem(self) -> str | None:
        """Why the reading stopped before the end of the capture, on one line; None if it did not."""
        return self._reason and f"{self._name}: {self._reason}; metered up to there"

    def list_frames(self, frames: np.recarray) -> int:
        """List the next frames, as many as are there and fit; their count, 0 at the end. May wait for a pipe."""
        window = self._window
        while self._status == FULL or self._proceed():
            count, window.start, self._status, self._last_ns = index_pcapng(
                window.view,
                window.start,
                window.end,
                self._big,
                self._interfaces,
                self._interface_count,
                self._last_ns,
                frames,
            )
            self._packets += count
            if count:
                return count
        return 0

    def _proceed(self) -> bool:
        """Answer what stopped the kernel; False if there is nothing more to list."""
        if self._reason is not None:
            return False
        if self._status == NEEDS_MORE:
            return self._window.fill() or self._end()
        if self._status == SECTION:
            return self._read_section()
        if self._status == INTERFACE:
            return self._read_interface()
        if self._status == SKIP:
            return self._skip_block()
        return self._damaged(DAMAGE[self._status])

    @property
    def _order(self) -> str:
        return ">" if self._big else "<"

    def _where(self) -> str:
        return f"the block at offset {self._window.offset}, after {self._packets} packets"

    def _damaged(self, what: str, where: str | None = None) -> bool:
        self._reason = f"is damaged in {where or self._where()} ({what})"
        return False

    def _end(self, where: str | None = None) -> bool:
        """The stream has ended: well at a block's end, else with a reason; `where` if inside a block. Always False."""
        if self._window.stream.problem:
            self._reason = f"{self._window.stream.problem} ({where or self._where()})"
        elif where or self._window.held_octets:
            self._reason = f"ends inside {where or self._where()}"
        return False

    def _block(self, minimum_octets: int) -> bytes | None:
        """The whole block at the front (padded length, trailer checked), or None with the reason kept."""
        if not self._window.require(8):
            self._end()
            return None
        (stated,) = struct.unpack(self._order + "I", self._window.octets(8)[4:])
        length = (stated + 3) & ~3
        if not minimum_octets <= length <= MAXIMUM_BLOCK_OCTETS:
            self._damaged(DAMAGE[BAD_BLOCK_LENGTH])
            return None
        if not self._window.require(length):
            self._end()
            return None
        block = self._window.octets(length)
        (trailer,) = struct.unpack(self._order + "I", block[-TRAILER_OCTETS:])
        if (trailer + 3) & ~3 != length:
            self._damaged(DAMAGE[BAD_TRAILER])
            return None
        return block

    def _read_section(self) -> bool:
        """A section header: byte order, version, and the end of the interfaces known so far."""
        if not self._window.require(12):
            return self._end()
        magic = self._window.octets(12)[8:]
        self._big = magic == struct.pack(">I", BYTE_ORDER_MAGIC)
        if not self._big and magic != struct.pack("<I", BYTE_ORDER_MAGIC):
            return self._damaged("no byte order")
        block = self._block(MINIMUM_SECTION_OCTETS)
        if block is None:
            return False
        major, minor = struct.unpack(self._order + "HH", block[12:16])
        if major != 1:
            return self._damaged(f"pcapng version {major}.{minor} is not supported")
        self._interface_count = 0
        self.link_types = set()
        return self._pass(len(block))

    def _read_interface(self) -> bool:
        """An interface description: link type, snap length, resolution and offset of its time stamps."""
        block = self._block(MINIMUM_INTERFACE_OCTETS)
        if block is None:
            return False
        link_type, _, snap_octets = struct.unpack(self._order + "HHI", block[8:16])
        resolution, offset_seconds = self._time_options(block[16:-TRAILER_OCTETS])
        if self._interface_count == len(self._interfaces):
            # Twice the room; bounded by the file, 20 octets of which describe an interface.
            self._interfaces = np.concatenate([self._interfaces, np.zeros_like(self._interfaces)]).view(np.recarray)
        entry = interface_entry(link_type, snap_octets, resolution, offset_seconds)
        self._interfaces[self._interface_count] = entry
        self._interface_count += 1
        self.link_types.add(link_type)
        return self._pass(len(block))

    def _time_options(self, options: bytes) -> tuple[int, int]:
        """(if_tsresol, if_tsoffset) of an interface, the defaults where they are absent or have a wrong length."""
        resolution, offset_seconds = DEFAULT_RESOLUTION, 0
        while len(options) >= 4:
            code, length = struct.unpack(self._order + "HH", options[:4])
            value = options[4 : 4 + length]
            if code == OPTION_END:
                break
            if code == OPTION_RESOLUTION and len(value) == 1:
                resolution = value[0]
            elif code == OPTION_OFFSET and len(value) == 8:
                (offset_seconds,) = struct.unpack(self._order + "q", value)
            options = options[4 + ((length + 3) & ~3) :]
        return resolution, offset_seconds

    def _skip_block(self) -> bool:
        """Pass over a block of another kind that is longer than what lies in memory."""
        (stated,) = struct.unpack(self._order + "I", self._window.octets(8)[4:])
        length = (stated + 3) & ~3
        where = self._where()
        if not self._window.skip(length - TRAILER_OCTETS) or not self._window.require(TRAILER_OCTETS):
            return self._end(where)
        (trailer,) = struct.unpack(self._order + "I", self._window.octets(TRAILER_OCTETS))
        if (trailer + 3) & ~3 != length:
            return self._damaged(DAMAGE[BAD_TRAILER], where)
        return self._pass(TRAILER_OCTETS)

    def _pass(self, octets: int) -> bool:
        self._window.start += octets
        self._status = FULL
        return True
