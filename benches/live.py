"""A live link: the highest rate without a drop, beside tcpdump and softflowd; in line, rate and latency beside a Linux bridge.

`python -m benches.live` prints two tables; it needs root, and takes some minutes. Rules of this file: every tool gets the same
frames, from `generate`, and as much buffer; what a tool lost is what the interface received less what the tool says it saw.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import statistics
import struct
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from pyroute2 import netns

from benches.links import Host, Tool, chain
from benches.machine import machine
from benches.tables import table

LIBPCAP = ("received", "dropped")
RATES = (25_000, 50_000, 100_000, 200_000, 400_000, 800_000)
SECONDS, TRIES = 3, 2
HELD_SECONDS, HELD_TRIES, LESS = (
    60,
    4,
    0.8,
)  # the highest rate is held for a minute; where that drops frames, so much of it
PROBES, PROBE_EVERY_S = 2000, 0.001
CONTROL = f"/tmp/freeflow-bench-{os.getpid()}.ctl"  # of softflowd
SO_TIMESTAMPNS = 35  # asm-generic/socket.h
FREEFLOW = [sys.executable, "-m", "classifier", "run", "--json"]


def send(host: Host, rate: int, seconds: float = SECONDS) -> int:
    return int(host.run(sys.executable, "-m", "benches.generate", host.interface, str(rate), str(seconds)))


def freeflow_saw(tool: Tool) -> int:
    tool.end(signal.SIGINT)
    return json.loads(tool.output.read_text().splitlines()[-1])["observed"]["frames"]


def tcpdump_saw(tool: Tool) -> int:
    tool.end(signal.SIGINT)
    return int(re.search(r"(\d+) packets? captured", tool.errors())[1])


def softflowd_saw(tool: Tool) -> int:
    """What libpcap handed to it: its own count lacks the last block, which it has not looked at yet."""
    asked = subprocess.run(["softflowctl", "-c", CONTROL, "statistics"], capture_output=True, text=True, check=True)
    tool.end(signal.SIGTERM)
    received, dropped = (int(re.search(rf"Packets {what} by libpcap: (\d+)", asked.stdout)[1]) for what in LIBPCAP)
    return received - dropped


def tools(host: Host) -> list[tuple[str, list[str], object]]:
    """(name, command, how many frames it saw) of those that are installed."""
    found = [("`freeflow run`", [*FREEFLOW, "-i", host.interface], freeflow_saw)]
    if shutil.which("tcpdump"):
        command = ["tcpdump", "-i", host.interface, "-n", "-B", "65536", "-w", "/dev/null"]
        found.append(("`tcpdump -w /dev/null`", command, tcpdump_saw))
    if shutil.which("softflowd"):
        command = ["softflowd", "-i", host.interface, "-d", "-B", str(64 << 20), "-n", "127.0.0.1:9995", "-m", "20000"]
        found.append(("softflowd", [*command, "-c", CONTROL, "-p", "/dev/null"], softflowd_saw))
    return found


def one_run(
    source: Host, host: Host, command: list[str], saw, rate: int, seconds: float = SECONDS
) -> tuple[int, int, float]:
    """(frames that came in, of them lost, processor seconds of the tool)."""
    with tempfile.TemporaryDirectory() as folder:
        tool = Tool(host, command, Path(folder))
        before, busy = host.received(), tool.processor_seconds()
        send(source, rate, seconds)
        time.sleep(0.5)
        busy = tool.processor_seconds() - busy
        came = host.received() - before
        return came, came - saw(tool), busy


def capture_rows() -> list[tuple[str, ...]]:
    rows = []
    with chain(2) as ((source,), (host,)):
        for name, command, saw in tools(host):
            best, lost_at, per_million = 0, "none up to the highest rate", 0.0
            for rate in RATES:
                runs = [one_run(source, host, command, saw, rate) for _ in range(TRIES)]
                came, lost, busy = min(runs, key=lambda one: one[1])
                if lost:
                    lost_at = f"{lost / came:.1%} at {came / SECONDS / 1000:.0f},000"
                    break
                best, per_million = came // SECONDS, busy / came * 1e6
                if came < 0.9 * rate * SECONDS:
                    lost_at = "none; the generator makes no more"
                    break
            held = held_rate(source, host, command, saw, best)
            rows.append((name, f"{best / 1000:.0f},000", lost_at, held, f"{per_million:.2f} s"))
    return rows


def held_rate(source: Host, host: Host, command: list[str], saw, rate: float) -> str:
    """The highest rate, of this and lower ones, at which nothing was lost for HELD_SECONDS."""
    for _ in range(HELD_TRIES):
        came, lost, _ = one_run(source, host, command, saw, int(rate), HELD_SECONDS)
        if not lost:
            return f"{came / HELD_SECONDS / 1000:.0f},000"
        rate *= LESS
    return f"none of {HELD_TRIES}; {lost / came:.2%} lost at {came / HELD_SECONDS / 1000:.0f},000"


def latencies(source: Host, target: Host) -> list[float]:
    """Microseconds from the call that sends a frame to Linux's time stamp at the other host, one frame at a time."""
    ends = []
    for host in (source, target):
        netns.pushns(host.namespace)
        ends.append(socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0))
        ends[-1].bind((host.interface, 0 if host is source else 3))
        netns.popns()
    out, back = ends
    back.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
    back.settimeout(2)
    found = []
    for number in range(PROBES):
        frame = b"\x02\0\0\0\0\x01\x02\0\0\0\0\x02\x88\xb5" + number.to_bytes(4, "big") + bytes(46)
        sent_ns = time.time_ns()
        out.send(frame)
        while True:
            octets, told, _, _ = back.recvmsg(2000, 100)
            if octets == frame:
                break
        seconds, nanoseconds = struct.unpack("qq", told[0][2])
        found.append((seconds * 10**9 + nanoseconds - sent_ns) / 1000)
        time.sleep(PROBE_EVERY_S)
    return found


def forward_rows() -> list[tuple[str, ...]]:
    rows = []
    for name in ("`freeflow run --inline`", "Linux bridge"):
        with chain(3) as ((client,), (inside, outside), (server,)), tempfile.TemporaryDirectory() as folder:
            tool = None
            if name == "Linux bridge":
                inside.run("ip", "link", "add", "br0", "type", "bridge")
                for port in (inside, outside):
                    inside.run("ip", "link", "set", port.interface, "master", "br0")
                inside.run("ip", "link", "set", "br0", "up")
            else:
                command = [*FREEFLOW, "--inline", inside.interface, outside.interface]
                tool = Tool(inside, command, Path(folder), sockets=2)
            send(client, 1000, 1)
            found = sorted(latencies(client, server))
            best, lost_at, per_million = 0, "none up to the highest rate", "none of its own"
            for rate in RATES:
                lost, came, busy = min(forward_run(client, inside, server, tool, rate) for _ in range(TRIES))
                if lost:
                    lost_at = f"{lost / came:.1%} at {came / SECONDS / 1000:.0f},000"
                    break
                best = came // SECONDS
                if tool:
                    per_million = f"{busy / came * 1e6:.2f} s"
                if came < 0.9 * rate * SECONDS:
                    lost_at = "none; the generator makes no more"
                    break
            if tool:
                tool.end(signal.SIGINT)
            half, most = statistics.median(found), found[len(found) * 99 // 100]
            rows.append((name, f"{best / 1000:.0f},000", lost_at, f"{half:.0f} µs", f"{most:.0f} µs", per_million))
    return rows


def forward_run(client: Host, inside: Host, server: Host, tool: Tool | None, rate: int) -> tuple[int, int, float]:
    """(frames lost, frames that came to the port inside, processor seconds of the tool)."""
    before, arrived = inside.received(), server.received()
    busy = tool.processor_seconds() if tool else 0.0
    send(client, rate)
    time.sleep(0.5)
    came = inside.received() - before
    return came - (server.received() - arrived), came, (tool.processor_seconds() if tool else 0.0) - busy


def main() -> None:
    print("\n".join(f"- {what}: {which}" for what, which in machine()), end="\n\n")
    held = f"held for {HELD_SECONDS} s"
    head = ("tool", "frames/s without a drop", "then lost", held, "its processor time for a million")
    print(table(head, capture_rows()), end="\n\n", flush=True)
    latency = ("latency, median", "99 %")
    head = ("in line", "frames/s without a drop", "then lost", *latency, "its processor time for a million")
    print(table(head, forward_rows()))


if __name__ == "__main__":
    main()
