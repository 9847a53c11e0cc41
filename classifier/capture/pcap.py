"""Reading a pcap file (draft-ietf-opsawg-pcap): its header here, its records in the index kernel."""

from __future__ import annotations

import struct

import numpy as np

from classifier.capture.window import Window
from classifier.errors import CaptureError
from classifier.kernels.pcap_index import (
    BAD_CAPTURED_LENGTH,
    CAPTURED_FIRST,
    CAPTURED_FIRST_IF_SMALLER,
    FULL,
    MAXIMUM_CAPTURED_OCTETS,
    ORIGINAL_FIRST,
    index_pcap,
)

FILE_HEADER = "IHHiIII"  # magic, version major and minor, zone, accuracy, snap length, link type
FILE_HEADER_OCTETS = 24
MAGIC_MICROSECONDS = 0xA1B2C3D4
MAGIC_NANOSECONDS = 0xA1B23C4D
# libpcap, sf-pcap.c; Wireshark, wiretap/libpcap.h: variants that differ in their records.
OTHER_MAGICS = {
    0xA1B2CD34: "pcap as modified by Kuznetzov",
    0xA1B234CD: "pcap as modified by Mesquita",
    0xA12B3C4D: "pcap as modified by Navtel",
    0x1C0001AC: "pcap as modified by Ixia",
    0x1C0001AB: "pcap as modified by Ixia",
}
LINK_TYPE_MASK = 0x03FFFFFF  # libpcap, sf-pcap.c: LT_LINKTYPE; the bits above tell of the frame check sequence


def pcap_magic(head: bytes) -> tuple[int, bool] | None:
    """(magic number, big-endian) if `head` begins a pcap file of any variant, else None."""
    for order, big in (("<", False), (">", True)):
        (magic,) = struct.unpack(order + "I", head[:4])
        if magic in (MAGIC_MICROSECONDS, MAGIC_NANOSECONDS) or magic in OTHER_MAGICS:
            return magic, big
    return None


class PcapReader:
    """Lists the records behind a pcap file header; `link_types` holds the one of the file."""

    def __init__(self, window: Window, name: str, magic: int, big: bool) -> None:
        self._window = window
        self._name = name
        self._big = big
        if magic in OTHER_MAGICS:
            raise CaptureError(f"{name}: {OTHER_MAGICS[magic]} is not supported; convert it with editcap -F pcap")
        if not window.require(FILE_HEADER_OCTETS):
            raise CaptureError(f"{name}: ends inside the pcap file header; capture again or name another file")
        header = struct.unpack((">" if big else "<") + FILE_HEADER, window.octets(FILE_HEADER_OCTETS))
        _, major, minor, _zone, _accuracy, _snap_octets, network = header
        if major != 2 or minor > 4:
            raise CaptureError(f"{name}: pcap version {major}.{minor} is not supported; convert it to 2.4 with editcap")
        window.start += FILE_HEADER_OCTETS
        self.link_types = {network & LINK_TYPE_MASK}
        self._link_type = network & LINK_TYPE_MASK
        self._fraction_ns = 1 if magic == MAGIC_NANOSECONDS else 1000
        self._length_order = CAPTURED_FIRST
        if minor < 3:
            self._length_order = ORIGINAL_FIRST
        elif minor == 3:
            self._length_order = CAPTURED_FIRST_IF_SMALLER
        self._records = 0
        self._status = FULL
        self._reason: str | None = None

    @property
    def problem(self) -> str | None:
        """Why the reading stopped before the end of the capture, on one line; None if it did not."""
        return self._reason and f"{self._name}: {self._reason}; metered up to there"

    def list_frames(self, frames: np.recarray) -> int:
        """List the next frames, as many as are there and fit; their count, 0 at the end. May wait for a pipe."""
        window = self._window
        while self._status == FULL or self._proceed():
            count, window.start, self._status = index_pcap(
                window.view,
                window.start,
                window.end,
                self._big,
                self._fraction_ns,
                self._length_order,
                self._link_type,
                frames,
            )
            self._records += count
            if count:
                return count
        return 0

    def _proceed(self) -> bool:
        """Answer what stopped the kernel; False if there is nothing more to list."""
        if self._reason is not None:
            return False
        damaged = self._status == BAD_CAPTURED_LENGTH
        if not damaged and self._window.fill():
            return True
        where = f"record {self._records + 1} at offset {self._window.offset}"
        if damaged:
            self._reason = f"is damaged at {where} (captured length over {MAXIMUM_CAPTURED_OCTETS})"
        elif self._window.stream.problem:
            self._reason = f"{self._window.stream.problem} ({where})"
        elif self._window.held_octets:
            self._reason = f"ends inside {where}"
        return False
