"""An interface that goes down, or away and is made again under its name, is waited for: no frame that the ring had is lost."""

from __future__ import annotations

import threading
import time

import pytest
from namespaces import Namespace, NamespacePair, namespace_pair

from classifier.capture.interface import find_interface
from classifier.capture.ring import RingSource

pytestmark = pytest.mark.namespaces
PATIENCE_S = 20
HEADER = bytes.fromhex("020000000001 020000000002 88b5")


def frames(first: int, count: int) -> list[bytes]:
    return [HEADER + number.to_bytes(4, "big") + bytes(60) for number in range(first, first + count)]


class Listener:
    """Iterates a ring in a thread of its own, as a run does, and keeps what came and what was said."""

    def __init__(self, pair: NamespacePair, **options: object) -> None:
        self.received: list[bytes] = []
        self.said: list[str] = []
        self.ticks = 0
        options = {"blocks": 4, "block_octets": 1 << 16, "block_timeout_ms": 20} | options
        opened = threading.Event()
        self.thread = threading.Thread(target=self._listen, args=(pair.left, options, opened), daemon=True)
        self.thread.start()
        assert opened.wait(PATIENCE_S)

    def _listen(self, side: Namespace, options: dict, opened: threading.Event) -> None:
        with side.entered():  # all the time, as netlink sockets are made for each thread anew
            self.ring = RingSource(find_interface(side.interface), say=self.said.append, **options)
            opened.set()
            for batch in self.ring:
                if batch is None:
                    self.ticks += 1
                    continue
                for frame in batch.frames:
                    self.received.append(batch.buffer[frame.offset :][: frame.captured_octets].tobytes())

    def wait_until(self, condition) -> None:
        deadline = time.monotonic() + PATIENCE_S
        while not condition():
            assert time.monotonic() < deadline, (self.said, len(self.received))
            assert self.thread.is_alive()
            time.sleep(0.01)

    def end(self) -> None:
        self.ring.stop()
        self.thread.join(PATIENCE_S)
        assert not self.thread.is_alive()
        self.ring.close()


def ip(side, *arguments: str) -> None:
    side.run(["ip", *arguments])


def test_an_interface_that_goes_down_is_used_again_when_it_is_up():
    with namespace_pair() as pair:
        name = pair.left.interface
        listener = Listener(pair)
        try:
            pair.right.send(frames(0, 3))
            ip(pair.left, "link", "set", name, "down")
            listener.wait_until(lambda: len(listener.said) == 1)
            ticks = listener.ticks
            listener.wait_until(lambda: listener.ticks > ticks + 2)  # the caller can still look at its clock
            ip(pair.left, "link", "set", name, "up")
            listener.wait_until(lambda: len(listener.said) == 2)
            pair.right.send(frames(3, 4))
            listener.wait_until(lambda: len(listener.received) >= 7)
        finally:
            listener.end()
        assert listener.received == frames(0, 7)
        assert listener.said == [
            f"interface {name}: went down; waiting until it is up again",
            f"interface {name}: is up again",
        ]
        assert listener.ring.problem is None


def test_an_interface_made_again_under_its_name_is_used_and_drops_add_up():
    with namespace_pair() as pair:
        left, right = pair.left, pair.right
        listener = Listener(pair)
        try:
            before = left.run(["cat", f"/sys/class/net/{left.interface}/ifindex"]).stdout
            right.send(frames(0, 3))
            ip(left, "link", "del", left.interface)
            listener.wait_until(lambda: any("is gone" in line for line in listener.said))
            ends = [left.interface, "type", "veth", "peer", "name", right.interface, "netns", right.name]
            ip(left, "link", "add", "ffother", "type", "veth", "peer", "name", "ffpeer")  # takes an index of its own
            ip(left, "link", "add", *ends)
            ip(right, "link", "set", right.interface, "up")
            # It is set up by who waits for it, as at the start.
            listener.wait_until(lambda: any("is up again" in line for line in listener.said))
            assert left.run(["cat", f"/sys/class/net/{left.interface}/ifindex"]).stdout != before
            right.send(frames(3, 4))
            listener.wait_until(lambda: len(listener.received) >= 7)
            promiscuous = left.run(["ip", "-d", "link", "show", left.interface]).stdout
            assert "promiscuity 1" in promiscuous
        finally:
            listener.end()
        assert listener.received == frames(0, 7)
        assert "a new one under this name" in listener.said[-1]
        assert listener.ring.statistics() == (7, 0, 0)


def test_drops_before_and_after_an_interface_is_made_again_are_added():
    with namespace_pair() as pair:
        left, right = pair.left, pair.right
        with left.entered():
            ring = RingSource(find_interface(left.interface), blocks=2, block_octets=1 << 13, block_timeout_ms=20)
        try:
            right.send(frames(0, 400))
            first = ring.statistics()
            ip(left, "link", "del", left.interface)
            received = 0
            for batch in ring:
                received += 0 if batch is None else len(batch.frames)
                if batch is None and ring._presence._state == "away":
                    break
            ends = [left.interface, "type", "veth", "peer", "name", right.interface, "netns", right.name]
            ip(left, "link", "add", *ends)
            ip(right, "link", "set", right.interface, "up")
            while not ring._presence.is_up:
                ring._presence.look()
            right.send(frames(0, 300))
            ring.stop()
            received += sum(len(batch.frames) for batch in ring if batch is not None)
            seen, dropped, freezes = ring.statistics()
            assert (seen, received) == (700, 700 - dropped)
            assert dropped > first[1] > 0
            assert freezes >= 2
        finally:
            ring.close()


def test_a_link_on_which_nothing_passes_can_be_stopped_at_once():
    with namespace_pair() as pair:
        listener = Listener(pair, block_timeout_ms=50)
        listener.wait_until(lambda: listener.ticks > 0)
        listener.end()
        assert listener.received == []
        assert listener.ring.statistics() == (0, 0, 0)
