"""Links to measure on: network namespaces joined by veth pairs, and what Linux counts on them. Needs root."""

from __future__ import annotations

import contextlib
import os
import subprocess
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from benches.processes import ROOT

TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")
PATIENCE_S = 120


@dataclass(frozen=True, slots=True)
class Host:
    """A namespace and the interface in it that frames go out of or come in at."""

    namespace: str
    interface: str

    def command(self, arguments: Sequence[str]) -> list[str]:
        return ["ip", "netns", "exec", self.namespace, *arguments]

    def run(self, *arguments: str) -> str:
        return subprocess.run(self.command(arguments), check=True, capture_output=True, text=True, cwd=ROOT).stdout

    def received(self) -> int:
        """Frames that came in, by the interface's own counter."""
        return int(self.run("cat", f"/sys/class/net/{self.interface}/statistics/rx_packets"))

    def bound_sockets(self) -> int:
        return sum(line.split()[4] != "0" for line in self.run("cat", "/proc/net/packet").splitlines()[1:])


@contextlib.contextmanager
def chain(count: int) -> Iterator[list[tuple[Host, ...]]]:
    """So many namespaces in a row, each with a link to the next: of each its hosts' ends, from the first link to the last."""
    names = [f"freeflow-bench-{os.getpid()}-{number}" for number in range(count)]
    try:
        for name in names:
            _ip("netns", "add", name)
            setting = "for all in /proc/sys/net/ipv6/conf/*/disable_ipv6; do echo 1 > $all; done"
            subprocess.run(["ip", "netns", "exec", name, "sh", "-c", setting], check=True)
            subprocess.run(["ip", "netns", "exec", name, "ip", "link", "set", "lo", "up"], check=True)
        ends: list[list[Host]] = [[] for _ in names]
        for link in range(count - 1):
            near, far = Host(names[link], f"ff{link}out"), Host(names[link + 1], f"ff{link}in")
            peer = ["peer", "name", far.interface, "netns", far.namespace]
            _ip("link", "add", near.interface, "netns", near.namespace, "type", "veth", *peer)
            for place, end in ((link, near), (link + 1, far)):
                end.run("ip", "link", "set", end.interface, "up")
                ends[place].append(end)
        yield [tuple(its) for its in ends]
    finally:
        for name in names:
            subprocess.run(["ip", "netns", "del", name], capture_output=True)


def _ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True)


class Tool:
    """A process in a namespace that reads from packet sockets; its errors are kept, its output is not."""

    def __init__(self, host: Host, command: Sequence[str], folder: Path, sockets: int = 1) -> None:
        before = host.bound_sockets()
        self._errors = folder / "errors"
        with self._errors.open("w") as errors, (folder / "output").open("w") as output:
            self.process = subprocess.Popen(host.command(command), stdout=output, stderr=errors, cwd=ROOT)
        self.output = folder / "output"
        deadline = time.monotonic() + PATIENCE_S
        while host.bound_sockets() < before + sockets:
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise SystemExit(f"{command[0]} did not start: {self.errors()}")
            time.sleep(0.05)
        time.sleep(0.3)

    def errors(self) -> str:
        return self._errors.read_text()

    def processor_seconds(self) -> float:
        """User and system time so far."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICKS_PER_SECOND

    def end(self, number: int) -> None:
        self.process.send_signal(number)
        self.process.wait(PATIENCE_S)
