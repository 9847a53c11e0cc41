"""DHCP for IPv4: which client has which address, and until when (RFC 2131), as far as one packet says it.

Rules of this file: pure functions of octets. dpkt reads the fixed fields; the options are read here, since dpkt takes
an option that the packet cuts for a whole one and knows neither options in `file` and `sname` (RFC 2132, 9.3) nor
those in several parts (RFC 3396). A lease is named by hardware address and address: the client identifier would be
better, but many servers do not send it back (RFC 6842), and then a release could not be matched.
"""

from __future__ import annotations

from dpkt import UnpackError, dhcp

from classifier.subscribers.events import (
    DUID_OCTETS_MAX,
    MAC_OCTETS,
    Action,
    Event,
    Refusal,
    address_prefix,
    identity_text,
    mac_text,
)

HEADER_OCTETS = 240  # RFC 2131, 2, with the magic cookie
HARDWARE_ETHERNET = 1  # RFC 2131, 2: `htype`, of ARP's list
REQUEST, REPLY = bytes([dhcp.DHCP_OP_REQUEST]), bytes([dhcp.DHCP_OP_REPLY])  # the first octet
OPTION_PAD, OPTION_END = 0, 255
OPTION_RELAY_AGENT = 82  # RFC 3046
AGENT_CIRCUIT_ID, AGENT_REMOTE_ID = 1, 2
_OVERLOAD_FILE, _OVERLOAD_SNAME = 1, 2  # bits of option 52 (RFC 2132, 9.3)
_CLIENT_ID_DUID = 255  # RFC 4361, 6.1: IAID of 4 octets, then the DUID
_LEASE_WITHOUT_END = 0xFFFFFFFF  # RFC 2131, 3.3
_SECOND_NS = 10**9

Options = dict[int, bytes]


class _MalformedError(ValueError):
    """Inside this file only: the packet is malformed."""


def read_ack(payload: bytes) -> tuple[Event, ...] | Refusal:
    """What a server's message gives away: a DHCPACK with an address is a lease. From the payload of the UDP datagram."""
    try:
        fields, options = _message(payload)
        if fields.op != dhcp.DHCP_OP_REPLY or options.get(dhcp.DHCP_OPT_MSGTYPE) != bytes([dhcp.DHCPACK]):
            return Refusal.OTHER
        prefix = address_prefix(fields.yiaddr.to_bytes(4, "big"))
        if prefix is None:
            return ()  # the answer to a DHCPINFORM (RFC 2131, 3.4)
        lease = options.get(dhcp.DHCP_OPT_LEASE_SEC, b"")
        if len(lease) != 4:
            return Refusal.MALFORMED  # RFC 2131, table 3: must be there
        seconds = int.from_bytes(lease, "big")
        return (
            Event(
                Action.LEASE,
                _lease_name(fields, prefix.first),
                (prefix,),
                _identities(fields, options),
                lease_ns=None if seconds == _LEASE_WITHOUT_END else seconds * _SECOND_NS,
            ),
        )
    except _MalformedError:
        return Refusal.MALFORMED


def read_release(payload: bytes) -> tuple[Event, ...] | Refusal:
    """What a client's message gives back: a DHCPRELEASE ends its lease (RFC 2131, 4.4.6)."""
    try:
        fields, options = _message(payload)
        if fields.op != dhcp.DHCP_OP_REQUEST or options.get(dhcp.DHCP_OPT_MSGTYPE) != bytes([dhcp.DHCPRELEASE]):
            return Refusal.OTHER
        prefix = address_prefix(fields.ciaddr.to_bytes(4, "big"))
        if prefix is None:
            return Refusal.MALFORMED
        return (Event(Action.RELEASE, _lease_name(fields, prefix.first), (prefix,)),)
    except _MalformedError:
        return Refusal.MALFORMED


def _message(payload: bytes) -> tuple[dhcp.DHCP, Options]:
    try:
        fields = dhcp.DHCP(payload[:HEADER_OCTETS])
    except UnpackError:
        raise _MalformedError from None
    if fields.magic != dhcp.DHCP_MAGIC or fields.hln > 16:
        raise _MalformedError
    options: Options = {}
    _read_options(payload[HEADER_OCTETS:], options)
    overload = options.get(dhcp.DHCP_OPT_OPTIONOVERLOAD, b"\0")[-1:]
    for bit, field in ((_OVERLOAD_FILE, fields.file), (_OVERLOAD_SNAME, fields.sname)):
        if overload and overload[0] & bit:
            _read_options(field, options)
    return fields, options


def _read_options(octets: bytes, options: Options) -> None:
    """Add the options of one field; parts of one option are joined in their order (RFC 3396, 5)."""
    place = 0
    while place < len(octets) and octets[place] != OPTION_END:
        if octets[place] == OPTION_PAD:
            place += 1
            continue
        if place + 1 >= len(octets):
            raise _MalformedError
        end = place + 2 + octets[place + 1]
        if end > len(octets):
            raise _MalformedError
        code = octets[place]
        options[code] = options.get(code, b"") + octets[place + 2 : end]
        place = end


def _lease_name(fields: dhcp.DHCP, address: int) -> tuple[bytes, bytes]:
    return b"dhcp", bytes([fields.hrd]) + bytes(fields.chaddr) + address.to_bytes(4, "big")


def _identities(fields: dhcp.DHCP, options: Options) -> tuple[tuple[str, str], ...]:
    agent: Options = {}
    for code, value in _suboptions(options.get(OPTION_RELAY_AGENT, b"")):
        agent.setdefault(code, value)
    client = options.get(dhcp.DHCP_OPT_CLIENT_ID, b"")
    hardware = bytes(fields.chaddr)
    duid = client[5:] if client[:1] == bytes([_CLIENT_ID_DUID]) else b""
    found = {
        "circuit_id": identity_text(agent.get(AGENT_CIRCUIT_ID, b"")),
        "remote_id": identity_text(agent.get(AGENT_REMOTE_ID, b"")),
        "client_id": _client_id(client),
        "mac": mac_text(hardware) if any(hardware) else None,
        "duid": duid.hex() if 2 < len(duid) <= DUID_OCTETS_MAX else None,
    }
    return tuple((kind, text) for kind, text in found.items() if text is not None)


def _suboptions(octets: bytes) -> list[tuple[int, bytes]]:
    """RFC 3046, 2.0: code, length, value; neither padding nor an end."""
    found = []
    place = 0
    while place < len(octets):
        end = place + 2 + octets[place + 1] if place + 1 < len(octets) else len(octets) + 1
        if end > len(octets):
            raise _MalformedError
        found.append((octets[place], octets[place + 2 : end]))
        place = end
    return found


def _client_id(octets: bytes) -> str | None:
    """RFC 2132, 9.14: a type, then the identifier. An Ethernet address is written like one, type 0 is text."""
    if octets[:1] == bytes([HARDWARE_ETHERNET]) and len(octets) == 1 + MAC_OCTETS:
        return mac_text(octets[1:])
    if octets[:1] == b"\0":
        return identity_text(octets[1:])
    return f"0x{octets.hex()}" if 0 < len(octets) <= 255 else None
