"""Two ports as one source: what comes in on one goes out on the other, once whoever iterates has metered it.

Rules of this file: a frame goes on when the consumer asks for what comes after its batch, unless the consumer marked it as
dropped; so an answer is never metered before what it answers. After `stop` nothing more comes in, and everything that had
come in is metered and sent.
"""

from __future__ import annotations

import select
import time
from collections.abc import Callable, Iterator

from classifier.capture.batch import Batch
from classifier.capture.fail_open import FailOpen, take_bridge_away
from classifier.capture.interface import Interface
from classifier.capture.packet_socket import set_up_error
from classifier.capture.port import Port
from classifier.capture.stopping import Stop
from classifier.errors import InterfaceError
from classifier.iana import LINK_ETHERNET

WAIT_MS = 100


class InlineSource:
    """The frames of two ports, as an iterable of Batch, or None where nothing came for a while; as `ring.RingSource`.

    `fail_open`: Linux forwards between the ports from when this process ends, however it does. Without it the link is silent
    then. Raises InterfaceError.
    """

    link_type = LINK_ETHERNET

    def __init__(
        self,
        inside: Interface,
        outside: Interface,
        *,
        fail_open: bool = False,
        let_in: bool = True,
        say: Callable[[str], None] = lambda line: None,
    ) -> None:
        self.carried_frames = 0
        self._interfaces = (inside, outside)
        self._fails_open, self._say = fail_open, say
        self._fail_open: FailOpen | None = None
        self._ports: list[Port] = []
        self._stop = Stop()
        try:
            for interface in self._interfaces:
                self._ports.append(_port(interface, say))
            if let_in:
                self.prepare()
                self.let_in()
        except InterfaceError:
            self.close()
            raise

    def prepare(self) -> None:
        """Whatever takes privileges, or reads what whoever started this may read; `let_in` needs neither.

        What an earlier gateway left for Linux to forward with is taken away: from here on the link is silent until `let_in`.
        """
        for port in self._ports:
            port.load()
        take_bridge_away(*self._interfaces)
        if self._fails_open:
            self._fail_open = FailOpen(*self._interfaces, self._say)

    def let_in(self) -> None:
        """From now on frames are taken; at the start already, but with `let_in` False."""
        for port, interface in zip(self._ports, self._interfaces, strict=True):
            try:
                port.bind()
            except OSError as error:
                raise set_up_error(interface, error) from None

    @property
    def problem(self) -> str | None:
        """What could not be sent, on which port and why last."""
        told = [
            f"{port.unsent_frames} frames were metered but could not be sent on {port.name}: {port.unsent_because}"
            for port in self._ports
            if port.unsent_frames
        ]
        return "; ".join(told) or None

    def __iter__(self) -> Iterator[Batch | None]:
        """Batches until `stop` is called; what had come in by then is still metered and sent."""
        poll = select.poll()
        by_number = {port.fileno(): port for port in self._ports}
        for number in (*by_number, self._stop.fileno()):
            poll.register(number, select.POLLIN)
        while not self._stop.asked:
            events = poll.poll(WAIT_MS)
            for number, event in events:
                port = by_number.get(number)
                if port is not None:
                    if event & select.POLLERR:
                        port.take_error()
                    yield from self._pass_on(port)
            if not events:
                yield None
            for port in self._ports:
                port.presence.look()
        for port in self._ports:
            port.refuse_frames()
        for port in self._ports:
            while (yield from self._pass_on(port)):
                pass

    def _pass_on(self, port: Port) -> Iterator[Batch]:
        """One batch of a port, which is sent on when the consumer is done with it; how many frames it had."""
        batch = port.receive()
        if batch is None:
            return 0
        yield batch
        self.carried_frames += port.forward(batch, self._other(port))
        return batch.count

    def _other(self, port: Port) -> Port:
        return self._ports[1] if port is self._ports[0] else self._ports[0]

    def stop(self) -> None:
        """End the iteration, after what has come in. May be called from a signal handler or another thread."""
        self._stop.ask()

    def clock_ns(self) -> int:
        """The time of the clock that stamps the frames, for intervals in which none comes."""
        return time.time_ns()

    def statistics(self) -> tuple[int, int, int]:
        """(received, dropped, freezes) of both ports since the start: frames that came, and those that found no room."""
        return tuple(sum(numbers) for numbers in zip(*(port.statistics() for port in self._ports), strict=True))

    def close(self) -> None:
        """Give the ports back. With `fail_open` Linux goes on forwarding."""
        self._stop.close()
        for port in self._ports:
            port.close()
        if self._fail_open:
            self._fail_open.release()


def _port(interface: Interface, say: Callable[[str], None]) -> Port:
    try:
        return Port(interface, say)
    except OSError as error:
        raise set_up_error(interface, error) from None
