"""Two ports in line: what goes in comes out, in its order, octet for octet; what may not pass or cannot be sent is counted."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
import time
from collections.abc import Iterator

import pytest
from inline_lab import Lab, inline_lab
from namespaces import Namespace

from classifier.capture.inline import InlineSource
from classifier.capture.interface import find_port
from classifier.errors import InterfaceError

pytestmark = pytest.mark.namespaces
PATIENCE_S = 20
HEADER = bytes.fromhex("020000000001 020000000002")


def numbered_frames(count: int, tag: bytes = b"") -> list[bytes]:
    return [
        (HEADER + tag + bytes.fromhex("88b5") + struct.pack(">I", number)).ljust(
            60 + number * 37 % 1400, bytes([number % 251])
        )
        for number in range(count)
    ]


class Gateway:
    """An in-line source that runs in a thread of its own; frames whose octet 17 says so are dropped."""

    def __init__(self, lab: Lab, drops=lambda frame: False, **options: object) -> None:
        self.lab, self.drops = lab, drops
        self.said: list[str] = []
        self.seen = 0
        ready = threading.Event()
        self.thread = threading.Thread(target=self._run, args=(ready, options), daemon=True)
        self.thread.start()
        assert ready.wait(PATIENCE_S)

    def _run(self, ready: threading.Event, options: dict) -> None:
        with self.lab.gateway.entered():
            ports = find_port(self.lab.inside), find_port(self.lab.outside)
            self.source = InlineSource(*ports, say=self.said.append, **options)
            ready.set()
            for batch in self.source:
                if batch is None:
                    continue
                for frame in batch.frames:
                    octets = batch.buffer[frame.offset :][: frame.captured_octets].tobytes()
                    frame.dropped = self.drops(octets)
                self.seen += len(batch.frames)

    def end(self) -> None:
        self.source.stop()
        self.thread.join(PATIENCE_S)
        assert not self.thread.is_alive()
        self.source.close()


@contextlib.contextmanager
def gateway(lab: Lab, **options: object) -> Iterator[Gateway]:
    running = Gateway(lab, **options)
    try:
        yield running
    finally:
        running.end()


class Listener:
    """What comes out at a host's interface, tags put back by what Linux says of them."""

    def __init__(self, side: Namespace) -> None:
        with side.entered():
            self.socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
            self.socket.setsockopt(263, 23, 1)  # SOL_PACKET, PACKET_IGNORE_OUTGOING
            self.socket.setsockopt(263, 8, 1)  # PACKET_AUXDATA
            self.socket.setsockopt(socket.SOL_SOCKET, 33, 32 << 20)  # SO_RCVBUFFORCE
            self.socket.bind((side.interface, 3))
        self.socket.settimeout(PATIENCE_S)

    def take(self, count: int) -> list[bytes]:
        return [self._one() for _ in range(count)]

    def _one(self) -> bytes:
        octets, told, _, _ = self.socket.recvmsg(70_000, 200)
        for _, _, auxiliary in told:
            status, _, _, _, _, control, identifier = struct.unpack("IIIHHHH", auxiliary[:20])
            if status & 1 << 4:
                octets = octets[:12] + struct.pack(">HH", identifier, control) + octets[12:]
        return octets

    def silence(self) -> bool:
        self.socket.settimeout(0.3)
        try:
            self.socket.recv(70_000)
        except TimeoutError:
            return True
        return False


def test_frames_go_through_in_order_octet_for_octet_both_ways():
    with inline_lab() as lab, gateway(lab) as running:
        there, back = Listener(lab.server), Listener(lab.client)
        sent = numbered_frames(3000)
        lab.client.send(sent)
        lab.server.send(sent[:1000])
        assert there.take(3000) == sent
        assert back.take(1000) == sent[:1000]
        assert there.silence()
        assert back.silence()
        running.end()
        assert (running.seen, running.source.carried_frames, running.source.problem) == (4000, 4000, None)
        assert running.source.statistics() == (4000, 0, 0)


@pytest.mark.parametrize("tag", ["81000123", "88a80007 81000123"])
def test_tags_go_through(tag):
    with inline_lab() as lab, gateway(lab):
        there = Listener(lab.server)
        sent = numbered_frames(20, bytes.fromhex(tag))
        lab.client.send(sent)
        assert there.take(20) == sent


def test_what_is_marked_as_dropped_does_not_pass():
    with inline_lab() as lab, gateway(lab, drops=lambda frame: frame[17] % 3 == 0) as running:
        there = Listener(lab.server)
        sent = numbered_frames(200)
        lab.client.send(sent)
        passing = [frame for frame in sent if frame[17] % 3]
        assert there.take(len(passing)) == passing
        assert there.silence()
        assert running.source.problem is None


def test_a_frame_that_the_other_port_does_not_take_is_counted_and_the_rest_passes():
    with inline_lab() as lab:
        lab.gateway.run(["ip", "link", "set", lab.outside, "mtu", "500"])
        with gateway(lab) as running:
            there = Listener(lab.server)
            sent = numbered_frames(200)
            lab.client.send(sent)
            passing = [frame for frame in sent if len(frame) <= 514]
            assert there.take(len(passing)) == passing
            running.end()
            told = f"{len(sent) - len(passing)} frames were metered but could not be sent on {lab.outside}: Message too long"
            assert running.source.problem == told


def test_a_port_that_is_down_is_waited_for():
    with inline_lab() as lab, gateway(lab) as running:
        there = Listener(lab.server)
        lab.gateway.run(["ip", "link", "set", lab.outside, "down"])
        deadline = time.monotonic() + PATIENCE_S
        while not running.said:
            assert time.monotonic() < deadline
        lab.client.send(numbered_frames(5))
        lab.gateway.run(["ip", "link", "set", lab.outside, "up"])
        while len(running.said) < 2:
            assert time.monotonic() < deadline
        lab.client.send(numbered_frames(7))
        there.take(7)
        running.end()
        assert running.said == [
            f"interface {lab.outside}: went down; waiting until it is up again",
            f"interface {lab.outside}: is up again",
        ]
        assert running.source.problem == f"5 frames were metered but could not be sent on {lab.outside}: it was down"


def test_ports_with_addresses_or_in_a_bridge_are_refused():
    with inline_lab() as lab, lab.gateway.entered():
        lab.gateway.run(["ip", "addr", "add", "192.0.2.1/24", "dev", lab.inside])
        with pytest.raises(InterfaceError, match=r"192\.0\.2\.1.*ip addr flush"):
            find_port(lab.inside)
        lab.gateway.run(["ip", "addr", "flush", "dev", lab.inside])
        lab.gateway.run(["ip", "link", "add", "br7", "type", "bridge"])
        lab.gateway.run(["ip", "link", "set", lab.outside, "master", "br7"])
        with pytest.raises(InterfaceError, match=r"br7.*nomaster"):
            InlineSource(find_port(lab.inside), find_port(lab.outside))


def test_linux_forwards_when_a_fail_open_gateway_has_ended_and_not_before():
    with inline_lab() as lab:
        there = Listener(lab.server)
        with gateway(lab, fail_open=True, drops=lambda frame: True) as running:
            lab.client.send(numbered_frames(10))
            assert there.silence()  # all are dropped, so none goes by the bridge
            assert running.seen == 10
        there.socket.settimeout(PATIENCE_S)
        lab.client.send(numbered_frames(10))
        assert there.take(10) == numbered_frames(10)
        with gateway(lab) as running:
            lab.client.send(numbered_frames(10))
            assert there.take(10) == numbered_frames(10)
            assert there.silence()  # each came once: the bridge is gone
            assert "ffopen" not in lab.gateway.run(["ip", "link"]).stdout
