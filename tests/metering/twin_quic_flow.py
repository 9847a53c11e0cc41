"""What a flow comes to by its QUIC datagrams: the rules of `kernels/quic.py` once more, over `twin_quic`, with a dictionary
of octets for each hello. Hellos are read with dpkt."""

from __future__ import annotations

from quic_stack import hello_name
from twin_quic import QuicReader


class TwinFlow:
    """Read the datagrams of one flow in their order. `decided`: nothing more is read."""

    def __init__(self) -> None:
        self.names: list[str] = []
        self.counts = False  # the latest name was answered
        self.contradicted = False
        self.decided = False
        self._reader = QuicReader()
        self._client_is_server: bool | None = None
        self._attempt = 0
        self._answered = False
        self._voided = False
        self._stream: dict[int, int] = {}
        self._named = False

    def read(self, from_end: bool, datagram: bytes) -> None:
        """`from_end`: the end that did not send first has sent it."""
        if self.decided:
            return
        known = self._client_is_server is not None
        to_client = from_end != self._client_is_server if known else False
        said = self._reader.read(1, to_client, datagram)
        if not said.attempt:
            return
        if not known:
            self._client_is_server = from_end
        if said.attempt > self._attempt and said.crypto:
            self._begin(said.attempt, said.voids)
        if said.attempt == self._attempt:
            if said.retried:
                self._stream, self._named = {}, False
            self._answered = self._answered or said.answered
            for offset, octets in said.crypto:
                for at, octet in enumerate(octets, offset):
                    if self._stream.setdefault(at, octet) != octet:
                        self.contradicted = True
            self._look()
        elif said.crypto and not self._voided:
            self.contradicted = True
        if self._named and self._answered:
            self.decided = self.counts = True

    def _begin(self, attempt: int, voids: bool) -> None:
        if self._attempt:
            self._answered = False
            if voids:
                self.names, self.contradicted, self._voided = [], False, True
            else:
                self._voided = False
        self._attempt, self._stream, self._named = attempt, {}, False

    def _look(self) -> None:
        if self._named:
            return
        front = bytearray()
        while len(front) in self._stream:
            front.append(self._stream[len(front)])
        if len(front) < 4 or len(front) < 4 + int.from_bytes(front[1:4], "big"):
            return
        name = hello_name(bytes(front))
        if name is None:
            self.decided = True
            return
        if self.names and self.names[-1] != name:
            self.contradicted = True
        self.names.append(name)
        self._named = True
