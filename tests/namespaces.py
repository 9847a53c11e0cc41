"""Two network namespaces joined by a veth pair, for tests that need a link of their own.

    with namespace_pair() as pair:
        pair.left.run(["freeflow", "run", "-i", pair.left.interface])    # a process inside
        pair.right.send([frame, …])                                       # raw Ethernet frames onto the link
        with pair.left.entered():                                         # this thread inside
            …

Nothing but what the test sends appears on the link: no addresses, and IPv6 is off. The namespaces are removed at the
end, whatever happened, and the veth pair goes with them.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

COMMAND_TIMEOUT_S = 20
SENDER = """
import socket, sys, time
frames = [bytes.fromhex(line) for line in sys.stdin]
link = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
link.bind((sys.argv[1], 0))
for frame in frames:
    while True:
        try:
            link.send(frame)
            break
        except OSError as error:
            if error.errno != 105:  # ENOBUFS: the queue is full, as on a real link
                raise
            time.sleep(0.001)
"""
_numbers = itertools.count()


def why_no_namespaces() -> str | None:
    """Why network namespaces cannot be made here, or None if they can."""
    if os.geteuid() != 0:
        return "network namespaces need root"
    if shutil.which("ip") is None:
        return "network namespaces need ip (iproute2)"
    probe = f"freeflow-{os.getpid()}-probe"
    made = subprocess.run(["ip", "netns", "add", probe], capture_output=True, text=True, timeout=COMMAND_TIMEOUT_S)
    if made.returncode:
        return f"network namespaces cannot be made here: {made.stderr.strip()}"
    _ip("netns", "del", probe)
    return None


def need_namespaces() -> None:
    """Skip the test where none can be made; in CI that is a failure."""
    if reason := why_no_namespaces():
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)


@dataclass(frozen=True, slots=True)
class Namespace:
    """One side: the namespace's name and its end of the veth pair."""

    name: str
    interface: str

    def command(self, arguments: list[str]) -> list[str]:
        """`arguments` as a command that runs inside."""
        return ["ip", "netns", "exec", self.name, *arguments]

    def run(self, arguments: list[str], **options: object) -> subprocess.CompletedProcess:
        """Run a command inside and wait for it; fails the test if it fails or takes too long."""
        options = {"check": True, "capture_output": True, "text": True, "timeout": COMMAND_TIMEOUT_S, **options}
        return subprocess.run(self.command(arguments), **options)

    def send(self, frames: list[bytes]) -> None:
        """Send raw Ethernet frames, in order, out of this end; they arrive at the other."""
        self.run([sys.executable, "-c", SENDER, self.interface], input="".join(frame.hex() + "\n" for frame in frames))

    @contextlib.contextmanager
    def entered(self) -> Iterator[None]:
        """This thread inside the namespace. Sockets opened here stay in it."""
        from pyroute2 import netns

        netns.pushns(self.name)
        try:
            yield
        finally:
            netns.popns()


@dataclass(frozen=True, slots=True)
class NamespacePair:
    left: Namespace
    right: Namespace


@contextlib.contextmanager
def namespace_pair() -> Iterator[NamespacePair]:
    """Two namespaces with a veth pair between them, both ends up; `need_namespaces`."""
    need_namespaces()
    number = next(_numbers)
    sides = [Namespace(f"freeflow-{os.getpid()}-{number}-{side}", f"ff{side}{number}") for side in "ab"]
    try:
        for side in sides:
            _ip("netns", "add", side.name)
            # Before the interfaces exist, so that neither end ever announces itself.
            side.run(["sh", "-c", "cd /proc/sys/net/ipv6/conf 2>/dev/null && echo 1 | tee */disable_ipv6; true"])
        left, right = sides
        ends = [
            left.interface,
            "netns",
            left.name,
            "type",
            "veth",
            "peer",
            "name",
            right.interface,
            "netns",
            right.name,
        ]
        _ip("link", "add", *ends)
        for side in sides:
            side.run(["ip", "link", "set", "lo", "up"])
            side.run(["ip", "link", "set", side.interface, "up"])
        yield NamespacePair(left, right)
    finally:
        for side in sides:
            subprocess.run(["ip", "netns", "del", side.name], capture_output=True, timeout=COMMAND_TIMEOUT_S)


def _ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True, capture_output=True, text=True, timeout=COMMAND_TIMEOUT_S)
