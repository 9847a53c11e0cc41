"""`freeflow run` inside a namespace, started and stopped by a test, and real TCP and UDP between two of them."""

from __future__ import annotations

import contextlib
import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from namespaces import Namespace

ROOT = Path(__file__).resolve().parents[2]
PATIENCE_S = 300  # the kernels may have to be compiled first
SERVER = """
import socket, sys
address, port, octets, kind = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
family = socket.AF_INET6 if ":" in address else socket.AF_INET
if kind == "udp":
    link = socket.socket(family, socket.SOCK_DGRAM)
    link.setsockopt(socket.SOL_SOCKET, 33, 8 << 20)  # SO_RCVBUFFORCE (asm-generic/socket.h): nothing may be lost
    link.bind((address, port))
    link.settimeout(20)
    print("ready", flush=True)
    received = 0
    while received < octets:
        received += len(link.recv(65536))
else:
    listener = socket.create_server((address, port), family=family)
    print("ready", flush=True)
    connection, _ = listener.accept()
    connection.settimeout(20)
    request = connection.recv(100)
    connection.sendall(bytes(octets))
    assert connection.recv(100) == b""
    connection.close()
"""
CLIENT = """
import socket, sys
address, port, octets, kind = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
if kind == "udp":
    link = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM)
    link.connect((address, port))
    if sys.argv[5:]:
        link.setsockopt(17, 103, int(sys.argv[5]))  # SOL_UDP, UDP_SEGMENT (linux/udp.h): one call, many datagrams
    while octets > 0:
        octets -= link.send(bytes(min(octets, 20000)))
else:
    connection = socket.create_connection((address, port), timeout=20)
    connection.sendall(b"please")
    received = 0
    while received < octets:
        received += len(connection.recv(1 << 20))
    connection.close()
"""


def wait_until(condition, what: str, patience_s: float = PATIENCE_S) -> None:
    deadline = time.monotonic() + patience_s
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.02)


def bound_sockets(side: Namespace) -> int:
    """Packet sockets in the namespace that are bound to an interface: its number is the fifth column."""
    sockets = side.run(["cat", "/proc/net/packet"]).stdout.splitlines()[1:]
    return sum(line.split()[4] != "0" for line in sockets)


class Running:
    """A run whose standard output and error are read while it goes on."""

    def __init__(self, process: subprocess.Popen, folder: Path) -> None:
        self.process = process
        self._folder = folder

    @property
    def intervals(self) -> list[dict]:
        return [json.loads(line) for line in (self._folder / "out").read_text().splitlines()]

    @property
    def said(self) -> list[str]:
        return (self._folder / "err").read_text().splitlines()

    def stop(self, status: int = 0) -> dict:
        """Interrupt it; its last totals."""
        self.process.send_signal(signal.SIGINT)
        assert self.process.wait(PATIENCE_S) == status, self.said
        return self.intervals[-1]


@contextlib.contextmanager
def freeflow_run(side: Namespace, folder: Path, *options: str, sockets: int = 1) -> Iterator[Running]:
    """`freeflow run --json` with these options, once its sockets are bound."""
    command = side.command([sys.executable, "-m", "classifier", "run", "--json", *options])
    with (
        (folder / "out").open("w") as out,
        (folder / "err").open("w") as err,
        subprocess.Popen(command, cwd=ROOT, stdout=out, stderr=err) as process,
    ):
        running = Running(process, folder)
        try:
            wait_until(lambda: bound_sockets(side) >= sockets or process.poll() is not None, "the ring did not open")
            assert process.poll() is None, running.said
            yield running
        finally:
            process.kill()


def transfer(client: Namespace, server: Namespace, address: str, octets: int, kind: str = "tcp", *options: str) -> None:
    """Send so many octets: from the server that the client asked, or, with "udp", from the client."""
    arguments = [address, "8000", str(octets), kind]
    command = server.command([sys.executable, "-c", SERVER, *arguments])
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as serving:
        try:
            assert serving.stdout.readline() == "ready\n"
            client.run([sys.executable, "-c", CLIENT, *arguments, *options])
            assert serving.wait(20) == 0
        finally:
            serving.kill()
