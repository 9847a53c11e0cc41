"""What is remembered of a flow's QUIC connection attempts: their ids and keys, and which keys open a packet.

Rules of this file: an attempt is one connection attempt within a flow, that is the client's first Initial and whatever has
the same keys. A Retry goes on with it, as does a version that the server chose itself (RFC 9368, 2.3). Another first
Initial begins another one. All of it is bounded: two attempts a flow, eight keys an attempt.
"""

from __future__ import annotations

from collections.abc import Iterator

from twin_quic_keys import InitialKeys, Version, retry_verifies
from twin_quic_packet import LongHeader, Packet

ATTEMPTS = 2  # the one that is under way, and the one before it
KEYS = 8  # two sides of two versions and two connection ids


class Attempt:
    """One connection attempt. `key_ids`: destination ids that keys follow from, the Retry's last (RFC 9001, 5.2)."""

    __slots__ = ("_keys", "answered", "client_id", "key_ids", "number", "refused", "server_id", "version", "voids")

    def __init__(self, version: int, key_id: bytes, client_id: bytes) -> None:
        self.number = 0  # within the flow, from 1; 0 until something of it has verified
        self.version = version
        self.key_ids = (key_id,)
        self.client_id = client_id
        self.server_id: bytes | None = None
        self.answered = False
        self.refused = False
        self.voids = False
        self._keys: dict[tuple[int, bytes, bool], InitialKeys] = {}

    def keys(self, number: int, version: Version, key_id: bytes, from_server: bool) -> InitialKeys:
        which = (number, key_id, from_server)
        keys = self._keys.get(which)
        if keys is None:
            if len(self._keys) >= KEYS:
                self._keys.clear()
            keys = self._keys[which] = InitialKeys(version, key_id, from_server)
        return keys

    def take_retry(self, header: LongHeader, version: Version, packet: bytes) -> bool:
        """Go on with the keys that a Retry gives, if it verifies, is the first and comes in time (RFC 9000, 17.2.5.2)."""
        in_time = len(self.key_ids) == 1 and self.server_id is None and not self.refused
        if not in_time or header.destination_id != self.client_id:
            return False
        if header.version != self.version or not retry_verifies(version, self.key_ids[0], packet):
            return False
        self.key_ids += (header.source_id,)
        return True


class FlowAttempts:
    """The attempts of one flow that are remembered, the oldest first."""

    __slots__ = ("_count", "_standing", "attempts")

    def __init__(self) -> None:
        self.attempts: tuple[Attempt, ...] = ()
        self._count = 0
        self._standing = 0  # attempts that no Version Negotiation refused, also those that are not remembered

    def add(self, attempt: Attempt) -> None:
        attempt.voids = self._count > 0 and self._standing == 0
        self._count += 1
        self._standing += 1
        attempt.number = self._count
        self.attempts = (*self.attempts[1 - ATTEMPTS :], attempt)

    def refuse(self, header: LongHeader, offered: tuple[int, ...]) -> Attempt | None:
        """The attempt that a Version Negotiation ends, if a client would take it: it echoes the client's ids, offers other
        versions, and nothing came from the server before (RFC 9000, 6.2; RFC 8999, 6)."""
        for attempt in reversed(self.attempts):
            echoes = header.destination_id == attempt.client_id and header.source_id == attempt.key_ids[-1]
            in_time = attempt.server_id is None and not attempt.refused
            if echoes and in_time and offered and attempt.version not in offered:
                attempt.refused = True
                self._standing -= 1
                return attempt
        return None

    def of_client(self, header: LongHeader) -> Iterator[tuple[Attempt, bytes]]:
        """(attempt, id that its keys follow from) that may open a client's Initial, the likely one first.

        The last is an attempt of its own with the id at hand: the client's first Initial, or the first that is seen.
        """
        to = header.destination_id
        going_on = [one for one in reversed(self.attempts) if not one.refused or one.version == header.version]
        for attempt in going_on:
            if to in attempt.key_ids:
                yield attempt, to
                return
        matching = [attempt for attempt in going_on if attempt.server_id == to]
        # None: the server's first packet was not seen, and with it the id that it chose.
        for attempt in matching or going_on[:1]:
            yield attempt, attempt.key_ids[-1]
        yield Attempt(header.version, to, header.source_id), to

    def handshaking(self, header: LongHeader) -> Attempt | None:
        """The one attempt that a Handshake packet of the server can belong to, by the ids in its header; None if there are
        several, as clients with an empty id have."""
        fitting = [
            one
            for one in self.attempts
            if one.client_id == header.destination_id
            and one.server_id in (None, header.source_id)
            and one.version == header.version
            and not one.refused
        ]
        return fitting[0] if len(fitting) == 1 else None

    def of_server(self, header: LongHeader) -> Iterator[tuple[Attempt, bytes]]:
        """The same for an Initial of the server: attempts of the client that it is sent to."""
        for attempt in reversed(self.attempts):
            if attempt.client_id == header.destination_id and not attempt.refused:
                for key_id in reversed(attempt.key_ids):
                    yield attempt, key_id


def open_packet(
    candidates: list[tuple[Attempt, bytes]], from_server: bool, data: bytes, packet: Packet, version: Version
) -> tuple[tuple[Attempt, bytes], bytes] | None:
    """(the candidate whose keys open the Initial, its payload); None if none does."""
    for candidate in candidates:
        attempt, key_id = candidate
        keys = attempt.keys(packet.header.version, version, key_id, from_server)
        payload = keys.open(data, packet.start, packet.number_at, packet.end)
        if payload is not None:
            return candidate, payload
    return None
