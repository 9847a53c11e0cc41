"""What a packet of RADIUS or DHCP says about addresses, in one form for all of them.

Rules of this file: an event holds what was said, not yet whether it is believed. Bad packets never raise: a reader
gives a `Refusal` instead of events, and no event at all for a good message that hands out nothing.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

MAC_OCTETS = 6
DUID_OCTETS_MAX = 130  # RFC 8415, 11.1: a type of 2 octets and at most 128
_IDENTITY_OCTETS_MAX = 255  # what an attribute of RADIUS or an option of DHCP holds; DHCPv6 could have 65,535
_MAC = re.compile(r"(?:[0-9A-Fa-f]{2}[:-]){5}[0-9A-Fa-f]{2}")  # RFC 3580, 3.21 writes it with "-"


class Prefix(NamedTuple):
    """An address (`length` 32 or 128) or prefix; `first` is its first address as a number, host bits zero."""

    version: int
    first: int
    length: int


class Action(StrEnum):
    """What happened.

    SESSION: a session with an identifier of its own has these prefixes, since it began (RADIUS). LEASE: the server gave
    the prefix now (DHCP). STOP: the session is over for good. RELEASE: the lease is over; it may begin again. RESTART: all
    sessions of the access server are over.
    """

    SESSION = "session"
    LEASE = "lease"
    STOP = "stop"
    RELEASE = "release"
    RESTART = "restart"


class Refusal(StrEnum):
    """Why a packet binds nothing. The text is what a person reads beside the count."""

    OTHER = "messages of another kind"
    MALFORMED = "malformed messages"
    AUTHENTICATOR = "accounting requests with a wrong authenticator"


@dataclass(frozen=True, slots=True)
class Event:
    """One thing said by one packet.

    `session` names the session or lease: (server, identifier); for RESTART the identifier is b"" and means all. `age_ns`:
    how long before the packet the session began, or the access server restarted. `lease_ns`: how long the lease lasts from
    now on, None without end. `identities`: (kind, printable text), kinds as in RADIUS_IDENTITIES and DHCP_IDENTITIES.
    """

    action: Action
    session: tuple[bytes, bytes]
    prefixes: tuple[Prefix, ...] = ()
    identities: tuple[tuple[str, str], ...] = ()
    age_ns: int = 0
    lease_ns: int | None = None


def address_prefix(octets: bytes) -> Prefix | None:
    """The one address in 4 or 16 octets; None for another length and for the unspecified address."""
    if len(octets) not in (4, 16) or not any(octets):
        return None
    return Prefix(4 if len(octets) == 4 else 6, int.from_bytes(octets, "big"), 8 * len(octets))


def masked_prefix_v6(length: int, octets: bytes) -> Prefix:
    """An IPv6 prefix from its first octets: those left out are zero, bits beyond the length are cleared."""
    first = int.from_bytes(octets.ljust(16, b"\0"), "big")
    return Prefix(6, first >> (128 - length) << (128 - length), length)


def mac_text(octets: bytes) -> str:
    return octets.hex(":")


def identity_text(octets: bytes) -> str | None:
    """Octets from the wire as a name: printable UTF-8 as it is, a MAC address in one form, all else in hexadecimal.

    None where there is nothing, or more than any such name holds.
    """
    if not 0 < len(octets) <= _IDENTITY_OCTETS_MAX:
        return None
    try:
        text = octets.decode()
    except UnicodeDecodeError:
        return f"0x{octets.hex()}"
    return same_form(text) if text.isprintable() else f"0x{octets.hex()}"


def same_form(name: str) -> str:
    """A MAC address in lower case with colons, any other name as it is."""
    return name.lower().replace("-", ":") if _MAC.fullmatch(name) else name
