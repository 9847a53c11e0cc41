"""DHCPv6: which client has which addresses and prefixes, and until when (RFC 8415), as far as one packet says it.

Rules of this file: pure functions of octets (dpkt knows no DHCPv6). A packet is malformed as a whole or not at all.
The relays that a message came through are opened, as far as RFC 8415 lets them go.
"""

from __future__ import annotations

from collections.abc import Iterator

from classifier.subscribers.events import (
    DUID_OCTETS_MAX,
    Action,
    Event,
    Prefix,
    Refusal,
    address_prefix,
    identity_text,
    masked_prefix_v6,
)

REPLY, RELEASE, RELAY_FORWARD, RELAY_REPLY = 7, 8, 12, 13  # RFC 8415, 7.3
FROM_SERVERS = (bytes([REPLY]), bytes([RELAY_REPLY]))  # the first octet
FROM_CLIENTS = (bytes([RELEASE]), bytes([RELAY_FORWARD]))
# RFC 8415, 21; RFC 4649.
OPTION_CLIENT_ID = 1
OPTION_IA_NA = 3
OPTION_IA_TA = 4
OPTION_IAADDR = 5
OPTION_RELAY_MESSAGE = 9
OPTION_INTERFACE_ID = 18
OPTION_IA_PD = 25
OPTION_IAPREFIX = 26
OPTION_REMOTE_ID = 37

_HEADER_OCTETS = 4  # RFC 8415, 8: type, transaction
_RELAY_HEADER_OCTETS = 34  # RFC 8415, 9: type, hops, link address, peer address
_RELAYS_MAX = 8  # RFC 8415, 7.6: HOP_COUNT_LIMIT
_IA_HEADER_OCTETS = {OPTION_IA_NA: 12, OPTION_IA_TA: 4, OPTION_IA_PD: 12}  # RFC 8415, 21.4, 21.5, 21.21
_SHORTEST_PREFIX = 32  # see radius.py: a whole operator's allocation is no subscriber's
_LIFETIME_WITHOUT_END = 0xFFFFFFFF  # RFC 8415, 7.7
_SECOND_NS = 10**9


class _MalformedError(ValueError):
    """Inside this file only: the packet is malformed."""


def read_reply(payload: bytes) -> tuple[Event, ...] | Refusal:
    """What a server's Reply says, bare or in a Relay-Reply: each address or prefix is a lease of its own.

    A valid lifetime of 0 ends the lease (RFC 8415, 18.2.10.1). From the payload of the UDP datagram.
    """
    return _read(payload, REPLY, RELAY_REPLY)


def read_release(payload: bytes) -> tuple[Event, ...] | Refusal:
    """What a client's Release gives back, bare or in a Relay-Forward (RFC 8415, 18.2.7)."""
    return _read(payload, RELEASE, RELAY_FORWARD)


def _read(payload: bytes, wanted: int, relayed: int) -> tuple[Event, ...] | Refusal:
    try:
        octets, relay = _open_relays(payload, relayed)
        if octets[:1] != bytes([wanted]):
            return Refusal.OTHER if octets else Refusal.MALFORMED
        return tuple(_events(octets, relay, wanted == RELEASE))
    except _MalformedError:
        return Refusal.MALFORMED


def _open_relays(payload: bytes, relayed: int) -> tuple[bytes, dict[int, bytes]]:
    """The client's message, and the options of the relay that is nearest to the client."""
    relay: dict[int, bytes] = {}
    for _ in range(_RELAYS_MAX + 1):
        if payload[:1] != bytes([relayed]):
            return payload, relay
        relay = {}
        for code, value in _options(payload, _RELAY_HEADER_OCTETS):
            relay.setdefault(code, value)
        payload = relay.get(OPTION_RELAY_MESSAGE, b"")
    raise _MalformedError


def _options(octets: bytes, start: int) -> Iterator[tuple[int, bytes]]:
    """RFC 8415, 21.1: code and length of 2 octets each, then the value; nothing may be left over."""
    place = start
    while place < len(octets):
        end = place + 4 + int.from_bytes(octets[place + 2 : place + 4], "big")
        if place + 4 > len(octets) or end > len(octets):
            raise _MalformedError
        yield int.from_bytes(octets[place : place + 2], "big"), octets[place + 4 : end]
        place = end
    if place != len(octets):
        raise _MalformedError


def _events(octets: bytes, relay: dict[int, bytes], released: bool) -> list[Event]:
    client = b""
    leases: list[tuple[Prefix, int]] = []
    for code, value in _options(octets, _HEADER_OCTETS):
        if code == OPTION_CLIENT_ID:
            client = value
        elif code in _IA_HEADER_OCTETS:
            leases.extend(_leases(value, _IA_HEADER_OCTETS[code]))
    if not leases:
        return []  # the answer to an Information-request, a Release, or nothing to be had
    if not 2 < len(client) <= DUID_OCTETS_MAX:
        raise _MalformedError
    identities = _identities(client, relay)
    events = []
    for prefix, seconds in leases:
        name = (b"dhcpv6", prefix.first.to_bytes(16, "big") + bytes([prefix.length]) + client)
        if released or not seconds:
            events.append(Event(Action.RELEASE, name, (prefix,)))
        else:
            lease_ns = None if seconds == _LIFETIME_WITHOUT_END else seconds * _SECOND_NS
            events.append(Event(Action.LEASE, name, (prefix,), identities, lease_ns=lease_ns))
    return events


def _leases(association: bytes, header_octets: int) -> Iterator[tuple[Prefix, int]]:
    """(prefix, valid lifetime in seconds) of an identity association (RFC 8415, 21.6 and 21.22)."""
    for code, value in _options(association, header_octets):
        if code == OPTION_IAADDR:
            if len(value) < 24:
                raise _MalformedError
            prefix = address_prefix(value[:16])
            if prefix is not None:
                yield prefix, int.from_bytes(value[20:24], "big")
        elif code == OPTION_IAPREFIX:
            if len(value) < 25 or not _SHORTEST_PREFIX <= value[8] <= 128:
                raise _MalformedError
            yield masked_prefix_v6(value[8], value[9:25]), int.from_bytes(value[4:8], "big")


def _identities(client: bytes, relay: dict[int, bytes]) -> tuple[tuple[str, str], ...]:
    found = {
        "circuit_id": identity_text(relay.get(OPTION_INTERFACE_ID, b"")),
        "remote_id": identity_text(relay.get(OPTION_REMOTE_ID, b"")[4:]),  # after the enterprise number (RFC 4649, 3)
        "duid": client.hex(),
    }
    return tuple((kind, text) for kind, text in found.items() if text is not None)
