"""The meter's trap for QUIC: a datagram out of the buffer to whoever can decrypt it, and the answer into the tables.

Rule: the meter knows no cryptography. It is given a reader, which a floor above makes (`detection.quic.QuicReader`).
"""

from __future__ import annotations

from typing import Protocol

import numpy as np

from classifier.kernels.bundle import Bundle
from classifier.kernels.quic import ANSWERED, NAME, RETRIED, VOIDS, take_answer
from classifier.kernels.state import STATE

# Where in STATE, whose fields are all words, what the reader needs stands: reading them by name takes ten times as long.
TRAP_WORDS = [STATE.fields[name][1] // 8 for name in ("trap_serial", "trap_from_server", "trap_start", "trap_octets")]


class DatagramAnswer(Protocol):
    """What a datagram says; the fields of `detection.quic.QuicResult` that the meter asks for."""

    @property
    def crypto(self) -> tuple[tuple[int, bytes], ...]:
        """(offset in the client's Initial CRYPTO stream, octets)."""

    @property
    def name(self) -> bytes | None:
        """The name of a hello without TLS."""

    @property
    def attempt(self) -> int:
        """Of the flow's connection attempts, from 1; 0 where nothing is known."""

    @property
    def voids(self) -> bool:
        """The attempts before this one are void."""

    @property
    def retried(self) -> bool:
        """A Retry: the client sends its hello once more."""

    @property
    def server_id(self) -> bytes | None:
        """The connection id that the server chose; None while unknown."""

    @property
    def answered(self) -> bool:
        """The server has answered this attempt."""


class DatagramReader(Protocol):
    """Reads QUIC. It keeps what it needs of a flow, in bounded memory; `evicted` counts flows forgotten for want of it."""

    evicted: int

    def read(self, flow: int, from_server: bool, datagram: bytes) -> DatagramAnswer:
        """What the UDP payload of the flow with that serial number says. Never raises."""

    def forget(self, flow: int) -> None:
        """The flow is decided."""


def answer_trap(tables: Bundle, reader: DatagramReader, buffer: np.ndarray) -> None:
    """Do what status QUIC asks for; `buffer` is the one that the frames were in."""
    serial, from_server, start, octets_there = np.asarray(tables.state).view(np.int64)[TRAP_WORDS].tolist()
    datagram = buffer[start : start + octets_there].tobytes()
    answer = reader.read(serial, bool(from_server), datagram)
    pieces = []
    begin = 0
    for offset, octets in answer.crypto:
        pieces += (offset, begin, len(octets))
        begin += len(octets)
    octets = answer.name if answer.name is not None else b"".join(octets for _, octets in answer.crypto)
    flags = (ANSWERED if answer.answered else 0) | (VOIDS if answer.voids else 0)
    flags |= (NAME if answer.name is not None else 0) | (RETRIED if answer.retried else 0)
    server_id = np.frombuffer(answer.server_id or b"", np.uint8)
    # One dimension throughout: arrays of two and one row are of another kind to numba than those of more.
    listed = np.array(pieces, np.int64)
    if take_answer(tables, np.frombuffer(octets, np.uint8), listed, server_id, answer.attempt, flags):
        reader.forget(serial)
