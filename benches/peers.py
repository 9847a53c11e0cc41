"""Other tools on the same capture, for comparison: packets a second of the whole process, start to end.

Rule of this file: each function takes the capture and the number of its packets and returns packets a second, or None
where the tool is not installed or does not read the file to its end. Nothing a tool prints or writes is kept.
"""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

LONGEST_SECONDS = 1800

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

NFSTREAM_LOOP = """
import sys
from nfstream import NFStreamer
if __name__ == "__main__":
    for _ in NFStreamer(source=sys.argv[1], n_meters=1):
        pass
"""


def _timed(command: list[str], packets: int) -> float | None:
    """Packets a second of a command that is read to its end."""
    begin = time.perf_counter()
    try:
        done = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=LONGEST_SECONDS)
    except subprocess.TimeoutExpired:
        return None
    seconds = time.perf_counter() - begin
    return packets / seconds if done.returncode == 0 else None


def tcpdump(capture: Path, packets: int) -> float | None:
    """tcpdump copying the capture to nowhere: reading alone."""
    program = shutil.which("tcpdump")
    return _timed([program, "-r", str(capture), "-w", "/dev/null"], packets) if program else None


def softflowd(capture: Path, packets: int) -> float | None:
    """softflowd with a flow table as large as ours and no collector."""
    program = shutil.which("softflowd")
    if not program:
        return None
    with tempfile.TemporaryDirectory() as folder:
        files = ["-p", f"{folder}/pid", "-c", f"{folder}/control"]
        return _timed([program, "-d", "-6", *files, "-m", str(1 << 20), "-r", str(capture)], packets)


def nfpcapd(capture: Path, packets: int) -> float | None:
    """nfpcapd writing its flow files to a folder that is thrown away."""
    program = shutil.which("nfpcapd")
    if not program:
        return None
    with tempfile.TemporaryDirectory() as folder:
        return _timed([program, "-r", str(capture), "-w", folder], packets)


def ndpi_reader(capture: Path, packets: int) -> float | None:
    """ndpiReader: flows and their applications."""
    program = shutil.which("ndpiReader")
    return _timed([program, "-q", "-i", str(capture)], packets) if program else None


def dpkt_loop(capture: Path, packets: int) -> float | None:
    """A plain loop with dpkt."""
    if importlib.util.find_spec("dpkt") is None:
        return None
    return _timed([sys.executable, "-c", DPKT_LOOP, str(capture)], packets)


def nfstream(capture: Path, packets: int) -> float | None:
    """NFStream with one meter."""
    if importlib.util.find_spec("nfstream") is None:
        return None
    with tempfile.TemporaryDirectory() as folder:
        # A file, because its worker processes import the program again.
        program = Path(folder) / "meter.py"
        program.write_text(NFSTREAM_LOOP, encoding="utf-8")
        return _timed([sys.executable, str(program), str(capture)], packets)


PEERS: dict[str, Callable[[Path, int], float | None]] = {
    "tcpdump": tcpdump,
    "softflowd": softflowd,
    "nfpcapd": nfpcapd,
    "ndpiReader": ndpi_reader,
    "dpkt loop": dpkt_loop,
    "NFStream": nfstream,
}
