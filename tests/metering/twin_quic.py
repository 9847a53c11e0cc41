"""From the UDP datagrams of a flow to the octets of its QUIC ClientHello, and to whether the server has answered it.

The slow, obvious twin of what the kernels do (`kernels/quic.py`), with `cryptography` and objects. Rules of this file:
- Only what verifies counts: an Initial or a Retry whose tag is right, a Version Negotiation that echoes the client's ids.
  Anything else gives nothing, and no octets make it raise. (Google's versions in clear have nothing to verify.)
- An answer is CRYPTO octets in an Initial of the server that verifies: the keys show that its sender saw the client's
  Initial, and a server sends a ServerHello or HelloRetryRequest only once it has read the whole ClientHello. Where that
  packet was lost, a Handshake packet to the client's id answers, too. It cannot be verified, but who can forge the server's
  address can forge a TCP ACK as well. An ACK, a Retry, a close and short headers are no answers. So an inert hello, one
  that reached no server, stays without. For Google's versions in clear see `google_answers`.
- A flow may hold several connection attempts (quic_attempts.py), each with a hello and an answer of its own. Unless the
  server's Version Negotiation voids the earlier ones, all of them are claims about the same flow.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

from twin_quic_attempts import Attempt, FlowAttempts, open_packet
from twin_quic_google import google_answers, google_hello, hello_name
from twin_quic_keys import Q050, Version, known_version
from twin_quic_packet import (
    CONNECTION_ID_OCTETS,
    Frames,
    LongHeader,
    google_frames,
    initial_frames,
    long_header,
    offered_versions,
    packets,
)

NEGOTIATION = 0  # the version of a Version Negotiation: RFC 8999, 6


class QuicStatus(IntEnum):
    NOT_QUIC = 0  # no long header, or not all of it; a short header looks like anything
    OPENED = 1  # at least one Initial verified, or it is a hello in clear
    PROTECTED = 2  # of a known version, but without an Initial
    UNREADABLE = 3  # does not verify, is cut or malformed, or the version is unknown
    RETRY = 4  # verified
    VERSION_NEGOTIATION = 5  # echoes the client's ids and comes in time
    CLOSED = 6  # as OPENED, and it closes the connection


@dataclass(frozen=True, slots=True)
class QuicResult:
    """What one datagram says.

    `crypto`: (offset in the Initial CRYPTO stream, octets) of the client's frames, in the order of the packets; frames
    may overlap and repeat. `name`: the name of a Google hello, which has no TLS octets. `attempt`: which of the flow's
    connection attempts this belongs to, from 1; 0 where that is unknown. `voids`: this attempt follows a Version
    Negotiation, earlier ones are void. `answered`: the server has answered this attempt, now or before. `client_id`,
    `server_id`: the ids that the sides chose for themselves in their first Initials, so packets *to* them carry these;
    None while unknown, possibly empty. They find a flow again after a change of the NAT's port; a client that moves on
    purpose takes an id that was never seen in clear (RFC 9000, 9.5).
    """

    status: QuicStatus
    version: int = 0
    crypto: tuple[tuple[int, bytes], ...] = ()
    name: bytes | None = None
    attempt: int = 0
    voids: bool = False
    answered: bool = False
    client_id: bytes | None = None
    server_id: bytes | None = None

    @property
    def retried(self) -> bool:
        """The server has read nothing so far: what it answers is a hello that the client is still to send."""
        return self.status is QuicStatus.RETRY


NOT_QUIC = QuicResult(QuicStatus.NOT_QUIC)


class QuicReader:
    """Reads the datagrams of many flows, each in its order, and remembers of a flow what its next datagram needs."""

    def __init__(self) -> None:
        self._flows: dict[int, FlowAttempts] = {}

    def read(self, flow: int, from_server: bool, datagram: bytes) -> QuicResult:
        """What the UDP payload `datagram` of the flow with that serial number says. Never raises, whatever the octets."""
        data = datagram
        known = self._flows.get(flow)
        header = long_header(data, 0)
        version = known_version(header.version) if header is not None else None
        if header is not None and version is not None:
            if max(len(header.destination_id), len(header.source_id)) > CONNECTION_ID_OCTETS:
                return QuicResult(QuicStatus.UNREADABLE, header.version)
            if from_server:
                return _from_server(known or FlowAttempts(), data, header, version)
            return self._from_client(flow, known or FlowAttempts(), data, header, version)
        if from_server:
            return _from_server_in_clear(known, data, header)
        return self._from_client_in_clear(flow, known or FlowAttempts(), data, header)

    def _from_client(
        self, flow: int, state: FlowAttempts, data: bytes, header: LongHeader, version: Version
    ) -> QuicResult:
        attempt, frames, status = _open_initials(state, False, data, header, version)
        if attempt is None:
            return QuicResult(status, header.version)
        if not attempt.number:
            state.add(attempt)
            self._flows[flow] = state
        crypto = tuple(frame for one in frames for frame in one.crypto)
        if header.version != Q050:
            return _result(attempt, status, header.version, crypto)
        # Its hellos are padded to a packet of their own, in one frame.
        names = [name for _, octets in crypto if (name := hello_name(octets)) is not None]
        return _result(attempt, status, header.version, name=names[0] if names else None)

    def _from_client_in_clear(
        self, flow: int, state: FlowAttempts, data: bytes, header: LongHeader | None
    ) -> QuicResult:
        """A Google hello, or a version that is not known."""
        hello = google_hello(data)
        if hello is None:
            return NOT_QUIC if header is None else QuicResult(QuicStatus.UNREADABLE, header.version)
        attempt = next((one for one in state.attempts if hello.connection_id in one.key_ids), None)
        if attempt is None:
            attempt = Attempt(hello.version, hello.connection_id, hello.connection_id)
            attempt.server_id = hello.connection_id  # both sides use the id that the client chose
            state.add(attempt)
            self._flows[flow] = state
        return _result(attempt, QuicStatus.OPENED, hello.version, name=hello.name)


def _from_server(state: FlowAttempts, data: bytes, header: LongHeader, version: Version) -> QuicResult:
    if header.kind == version.retry:
        for attempt in reversed(state.attempts):
            if attempt.take_retry(header, version, data):
                return _result(attempt, QuicStatus.RETRY, header.version)
        return QuicResult(QuicStatus.UNREADABLE, header.version)
    attempt, frames, status = _open_initials(state, True, data, header, version)
    if attempt is None:
        handshaking = state.handshaking(header) if header.kind == version.handshake else None
        if handshaking is None:
            return QuicResult(status, header.version)
        handshaking.answered = True
        return _result(handshaking, status, header.version)
    if attempt.server_id is None:
        attempt.server_id = header.source_id
    if any(octets for one in frames for _, octets in one.crypto):
        attempt.answered = True
    return _result(attempt, status, header.version)


def _from_server_in_clear(known: FlowAttempts | None, data: bytes, header: LongHeader | None) -> QuicResult:
    """A Version Negotiation, or a packet of a Google version that begins in clear."""
    if known is None:
        return NOT_QUIC if header is None else QuicResult(QuicStatus.UNREADABLE, header.version)
    if header is not None and header.version == NEGOTIATION:
        refused = known.refuse(header, offered_versions(data, header.end))
        if refused is None:
            return QuicResult(QuicStatus.UNREADABLE)
        return _result(refused, QuicStatus.VERSION_NEGOTIATION, refused.version)
    attempt = known.attempts[-1]
    alone = len(known.attempts) == 1
    if known_version(attempt.version) is None and google_answers(data, attempt.key_ids[0], alone):
        attempt.answered = True
        return _result(attempt, QuicStatus.PROTECTED, attempt.version)
    return NOT_QUIC if header is None else QuicResult(QuicStatus.UNREADABLE, header.version)


def _open_initials(
    state: FlowAttempts, from_server: bool, data: bytes, header: LongHeader, version: Version
) -> tuple[Attempt | None, list[Frames], QuicStatus]:
    """(attempt that the datagram's Initials belong to, their frames, status); no attempt if none of them verifies."""
    candidates = list(state.of_server(header) if from_server else state.of_client(header))
    attempt: Attempt | None = None
    frames: list[Frames] = []
    status = QuicStatus.PROTECTED
    for packet in packets(data, header, version.initial):
        if packet.header.kind != version.initial:
            continue
        opened = open_packet(candidates, from_server, data, packet, version) if packet.number_at else None
        found = None
        if opened is not None:
            found = google_frames(opened[1]) if version.google else initial_frames(opened[1])
        if opened is None or found is None:
            status = status if frames else QuicStatus.UNREADABLE
            continue
        candidates = [opened[0]]
        attempt = opened[0][0]
        frames.append(found)
        status = QuicStatus.CLOSED if any(one.closed for one in frames) else QuicStatus.OPENED
    return attempt, frames, status


def _result(
    attempt: Attempt,
    status: QuicStatus,
    version: int,
    crypto: tuple[tuple[int, bytes], ...] = (),
    name: bytes | None = None,
) -> QuicResult:
    return QuicResult(
        status,
        version,
        crypto,
        name,
        attempt.number,
        attempt.voids,
        attempt.answered,
        attempt.client_id,
        attempt.server_id,
    )
