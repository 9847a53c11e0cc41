"""RADIUS accounting: which session has which address (RFC 2866), as far as one packet says it.

Rules of this file: pure functions of octets. A packet is malformed as a whole or not at all: half of one could name the
wrong subscriber. So the attributes are taken apart here, and dpkt gives their numbers only: its own reader cuts an
attribute that is too long, and stops at one that is too short, both in silence.
"""

from __future__ import annotations

import hashlib
import hmac
from pathlib import Path

from dpkt import radius

from classifier.errors import ConfigurationError
from classifier.subscribers.events import (
    Action,
    Event,
    Prefix,
    Refusal,
    address_prefix,
    identity_text,
    masked_prefix_v6,
)

HEADER_OCTETS = 20  # RFC 2866, 3
OCTETS_MAX = 4096  # RFC 2865, 3; RFC 2866 says 4095
_LENGTH = slice(2, 4)
_AUTHENTICATOR = slice(4, 20)

# Attributes that dpkt has no name for: RFC 2866, 5; RFC 3162, 2; RFC 4818; RFC 6911.
ACCT_STATUS_TYPE = 40
ACCT_DELAY_TIME = 41
ACCT_SESSION_ID = 44
ACCT_SESSION_TIME = 46
NAS_IPV6_ADDRESS = 95
FRAMED_IPV6_PREFIX = 97
DELEGATED_IPV6_PREFIX = 123
FRAMED_IPV6_ADDRESS = 168

STATUS_START, STATUS_STOP, STATUS_INTERIM_UPDATE = 1, 2, 3  # RFC 2866, 5.1
STATUS_ACCOUNTING_ON, STATUS_ACCOUNTING_OFF = 7, 8

VENDOR_3GPP = 10415  # 3GPP TS 29.061, 16.4.7
IMSI_3GPP = 1
_IMSI_DIGITS_MAX = 15  # 3GPP TS 23.003, 2.2

# RFC 2865, 5.8: the user or the access server may choose; not an address.
_NO_FRAMED_ADDRESS = (b"\xff\xff\xff\xff", b"\xff\xff\xff\xfe")
# A whole operator's allocation is no subscriber's: one packet must not take the network from everybody else.
_SHORTEST_PREFIX_V6 = 32
_SECOND_NS = 10**9

Attributes = dict[int, list[bytes]]


class _MalformedError(ValueError):
    """Inside this file only: the packet is malformed."""


def read_accounting(payload: bytes, secret: bytes | None = None) -> tuple[Event, ...] | Refusal:
    """What an Accounting-Request says, from the payload of its UDP datagram.

    With `secret` the Request Authenticator has to be right. A Framed-IP-Netmask is not heeded: access servers send it
    for links that they share out address by address, and it would take the neighbours' addresses.
    """
    octets = message(payload)
    if octets is None:
        return Refusal.MALFORMED
    if octets[0] != radius.RADIUS_ACCT_REQUEST:
        return Refusal.OTHER
    if secret is not None and not is_authentic(octets, secret):
        return Refusal.AUTHENTICATOR
    try:
        return _events(_attributes(octets, HEADER_OCTETS))
    except _MalformedError:
        return Refusal.MALFORMED


def read_response(payload: bytes) -> int | None:
    """The identifier of the request that an Accounting-Response answers, None for anything else."""
    octets = message(payload)
    return octets[1] if octets is not None and octets[0] == radius.RADIUS_ACCT_RESPONSE else None


def message(payload: bytes) -> bytes | None:
    """The RADIUS message without padding behind it, None where its length is impossible (RFC 2866, 3)."""
    length = int.from_bytes(payload[_LENGTH], "big")
    return payload[:length] if HEADER_OCTETS <= length <= min(OCTETS_MAX, len(payload)) else None


def is_authentic(octets: bytes, secret: bytes) -> bool:
    """RFC 2866, 3: MD5 over code, identifier, length, 16 zero octets, attributes and the secret."""
    digest = hashlib.md5(octets[:4] + bytes(16) + octets[HEADER_OCTETS:] + secret, usedforsecurity=False).digest()
    return hmac.compare_digest(digest, octets[_AUTHENTICATOR])


def load_secret(path: Path) -> bytes:
    """The shared secret: the file without white space at its end. Raises ConfigurationError."""
    try:
        secret = Path(path).read_bytes().rstrip()
    except FileNotFoundError:
        raise ConfigurationError(f"{path}: no such file; check radius.secret_file") from None
    except OSError as error:
        raise ConfigurationError(f"{path}: cannot be read ({error.strerror}); check name and permissions") from None
    if not secret:
        raise ConfigurationError(f"{path}: is empty; write the secret into it or take radius.secret_file away")
    return secret


def _attributes(octets: bytes, start: int) -> Attributes:
    """Values by type, from `start` to the end (RFC 2865, 5); those of 3GPP inside theirs have the same form."""
    found: Attributes = {}
    place = start
    while place < len(octets):
        length = octets[place + 1] if place + 1 < len(octets) else 0
        if length < 2 or place + length > len(octets):
            raise _MalformedError
        found.setdefault(octets[place], []).append(octets[place + 2 : place + length])
        place += length
    return found


def _events(attributes: Attributes) -> tuple[Event, ...]:
    status = _number(attributes, ACCT_STATUS_TYPE)
    if status is None:
        raise _MalformedError  # RFC 2866, 5.13: exactly one
    delay_seconds = _number(attributes, ACCT_DELAY_TIME) or 0
    nas = _access_server(attributes)
    if status in (STATUS_ACCOUNTING_ON, STATUS_ACCOUNTING_OFF):
        return (Event(Action.RESTART, (nas, b""), age_ns=delay_seconds * _SECOND_NS),)
    if status not in (STATUS_START, STATUS_STOP, STATUS_INTERIM_UPDATE):
        return ()
    identifier = attributes.get(ACCT_SESSION_ID, [b""])[0]
    if not identifier:
        raise _MalformedError  # RFC 2866, 5.5: must be there
    session = (nas, identifier)
    if status == STATUS_STOP:
        return (Event(Action.STOP, session),)
    prefixes = _prefixes(attributes)
    if not prefixes:
        return ()  # a Start before the address is given (RFC 2866, 4.1); an Interim-Update follows
    seconds = 0 if status == STATUS_START else _number(attributes, ACCT_SESSION_TIME) or 0
    age_ns = (delay_seconds + seconds) * _SECOND_NS
    return (Event(Action.SESSION, session, prefixes, _identities(attributes), age_ns),)


def _number(attributes: Attributes, kind: int) -> int | None:
    values = attributes.get(kind)
    if values is None:
        return None
    if len(values[0]) != 4:
        raise _MalformedError
    return int.from_bytes(values[0], "big")


def _access_server(attributes: Attributes) -> bytes:
    """What names the access server, whose session identifiers are its own: the first that is there (RFC 2866, 4.1)."""
    for kind in (radius.RADIUS_NAS_IP_ADDR, NAS_IPV6_ADDRESS, radius.RADIUS_NAS_ID):
        if kind in attributes:
            return b"radius" + bytes([kind]) + attributes[kind][0]
    return b"radius"


def _prefixes(attributes: Attributes) -> tuple[Prefix, ...]:
    """All addresses and prefixes of the session, each once, in the order of the packet within a kind."""
    found: list[Prefix] = []
    for kind, octets in ((radius.RADIUS_FRAMED_IP_ADDR, 4), (FRAMED_IPV6_ADDRESS, 16)):
        for value in attributes.get(kind, ()):
            if len(value) != octets:
                raise _MalformedError
            prefix = None if value in _NO_FRAMED_ADDRESS else address_prefix(value)
            if prefix is not None:
                found.append(prefix)
    for kind in (FRAMED_IPV6_PREFIX, DELEGATED_IPV6_PREFIX):
        found.extend(_prefix_v6(value) for value in attributes.get(kind, ()))
    return tuple(dict.fromkeys(found))


def _prefix_v6(value: bytes) -> Prefix:
    """RFC 3162, 2.3 and RFC 4818, 3: a reserved octet, the length in bits, up to 16 octets of prefix."""
    if not 2 <= len(value) <= 18 or not _SHORTEST_PREFIX_V6 <= value[1] <= 128:
        raise _MalformedError
    return masked_prefix_v6(value[1], value[2:])


def _identities(attributes: Attributes) -> tuple[tuple[str, str], ...]:
    found = {
        "imsi": _imsi(attributes),
        "calling_station_id": identity_text(attributes.get(radius.RADIUS_CALLING_STATION_ID, [b""])[0]),
        "user_name": identity_text(attributes.get(radius.RADIUS_USER_NAME, [b""])[0]),
    }
    return tuple((kind, text) for kind, text in found.items() if text is not None)


def _imsi(attributes: Attributes) -> str | None:
    """3GPP-IMSI out of the vendor-specific attributes (RFC 2865, 5.26; 3GPP TS 29.061, 16.4.7.2)."""
    for value in attributes.get(radius.RADIUS_VENDOR_SPECIFIC, ()):
        if len(value) < 4:
            raise _MalformedError
        if int.from_bytes(value[:4], "big") != VENDOR_3GPP:
            continue  # other vendors may lay theirs out as they like
        for imsi in _attributes(value, 4).get(IMSI_3GPP, ()):
            if not (imsi.isdigit() and len(imsi) <= _IMSI_DIGITS_MAX):
                raise _MalformedError
            return imsi.decode()
    return None
