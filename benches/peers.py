"""Other tools on the same capture, for comparison: the whole process, start to end.

Rules of this file: nothing a tool prints or writes is kept; a tool that is not installed is left out and named. They do
different work (benches/README.md says what), so a ratio to one of them compares speeds, not tools.
"""

from __future__ import annotations

import importlib.metadata
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

# One pass to the 5-tuple and a dictionary of octets: what a short script with dpkt does.
DPKT_LOOP = """
import sys, dpkt
flows = {}
with open(sys.argv[1], "rb") as file:
    for _, octets in dpkt.pcap.UniversalReader(file):
        try:
            packet = dpkt.ethernet.Ethernet(octets).data
            if isinstance(packet, (dpkt.ip.IP, dpkt.ip6.IP6)):
                segment = packet.data
                key = packet.src, packet.dst, getattr(segment, "sport", 0), getattr(segment, "dport", 0)
                flows[key] = flows.get(key, 0) + len(octets)
        except (dpkt.Error, ValueError, IndexError, TypeError, AttributeError):
            pass
"""

# The same with scapy.
SCAPY_LOOP = """
import sys
from scapy.layers.inet import IP
from scapy.layers.inet6 import IPv6
from scapy.utils import PcapReader
flows = {}
with PcapReader(sys.argv[1]) as packets:
    for frame in packets:
        packet = frame.getlayer(IP) or frame.getlayer(IPv6)
        if packet is not None:
            ends = packet.src, packet.dst, getattr(packet.payload, "sport", 0), getattr(packet.payload, "dport", 0)
            flows[ends] = flows.get(ends, 0) + len(frame)
"""

NFSTREAM_LOOP = """
import sys
from nfstream import NFStreamer
if __name__ == "__main__":
    for _ in NFStreamer(source=sys.argv[1], n_meters=1):
        pass
"""


@dataclass(frozen=True, slots=True)
class Peer:
    """One tool. `command(capture, folder)` is how it reads a capture; `folder` is thrown away afterwards.

    `packets`: it gets so many from the beginning of the capture only, so that the bench stays short.
    """

    name: str
    debian: str | None
    pypi: str | None
    command: Callable[[Path, Path], list[str]]
    packets: int | None = None

    def version(self) -> str | None:
        """The version installed; "?" where a Debian package's is not to be had, None where the tool is not there."""
        if self.pypi:
            try:
                return importlib.metadata.version(self.pypi)
            except importlib.metadata.PackageNotFoundError:
                return None
        if shutil.which(self.name) is None:
            return None
        if shutil.which("dpkg-query") is None:
            return "?"
        query = ["dpkg-query", "--show", "--showformat=${Version}", str(self.debian)]
        return subprocess.run(query, capture_output=True, text=True, check=False).stdout or "?"


def _tcpdump(capture: Path, _folder: Path) -> list[str]:
    return ["tcpdump", "-r", str(capture), "-w", "/dev/null"]


def _softflowd(capture: Path, folder: Path) -> list[str]:
    """A flow table as large as ours and no collector."""
    files = ["-p", f"{folder}/pid", "-c", f"{folder}/control"]
    return ["softflowd", "-d", "-6", *files, "-m", str(1 << 20), "-r", str(capture)]


def _nfpcapd(capture: Path, folder: Path) -> list[str]:
    return ["nfpcapd", "-r", str(capture), "-w", str(folder)]


def _ndpi_reader(capture: Path, _folder: Path) -> list[str]:
    return ["ndpiReader", "-q", "-i", str(capture)]


def _dpkt(capture: Path, _folder: Path) -> list[str]:
    return [sys.executable, "-c", DPKT_LOOP, str(capture)]


def _scapy(capture: Path, _folder: Path) -> list[str]:
    return [sys.executable, "-c", SCAPY_LOOP, str(capture)]


def _nfstream(capture: Path, folder: Path) -> list[str]:
    program = folder / "meter.py"  # a file, because its worker processes import the program again
    program.write_text(NFSTREAM_LOOP, encoding="utf-8")
    return [sys.executable, str(program), str(capture)]


TCPDUMP = Peer("tcpdump", "tcpdump", None, _tcpdump)
PEERS = (
    TCPDUMP,
    Peer("softflowd", "softflowd", None, _softflowd),
    Peer("nfpcapd", "nfdump", None, _nfpcapd),
    Peer("ndpiReader", "libndpi-bin", None, _ndpi_reader),
    Peer("NFStream", None, "nfstream", _nfstream, 100_000),
    Peer("dpkt loop", None, "dpkt", _dpkt, 100_000),
    Peer("scapy loop", None, "scapy", _scapy, 10_000),
)
