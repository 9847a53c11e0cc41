"""TLS ClientHello: the server name (RFC 8446, 4.1.2; RFC 6066, 3), from octets that are in order.

The skeleton of every name parser here: `…_begins` says from the first octets whether it may be one, `…_name` leaves the name
in scratch and returns its length, or NO_NAME, NEED_MORE, NOT_THIS.
"""

from __future__ import annotations

from classifier.kernels.jit import helper
from classifier.kernels.names import HELLO_AT, HELLO_OCTETS, keep_raw
from classifier.kernels.octets import u8, u16, u24

NO_NAME = 0
NEED_MORE = -1
NOT_THIS = -2
# What is added to the length of a name beside which there is another.
TWO_HOSTS = 1 << 16
LENGTH_MASK = TWO_HOSTS - 1

RECORD_ALERT, RECORD_HANDSHAKE = 21, 22  # RFC 8446, 5.1, as the two below
RECORD_OCTETS, MAJOR_VERSION = 5, 3
ALERT_OCTETS = 2  # RFC 8446, 6
CLIENT_HELLO = 1  # RFC 8446, 4
EXTENSION_SERVER_NAME = 0  # RFC 6066, 3
NAME_TYPE_HOST = 0


@helper
def octets_before(data, start, end):
    """Length of the records that servers pass over before a hello: warnings, and handshake records that are empty."""
    position = start
    while end - position >= RECORD_OCTETS and u8(data, position + 1) == MAJOR_VERSION:
        kind = u8(data, position)
        octets = u16(data, position + 3)
        if not (kind == RECORD_HANDSHAKE and octets == 0) and not (kind == RECORD_ALERT and octets == ALERT_OCTETS):
            break
        position += RECORD_OCTETS + octets
    return min(position, end) - start


@helper
def tls_begins(data, start, octets):
    """1 if the octets may begin a record with a ClientHello: content type, major version, handshake type.

    The minor version is to be ignored (RFC 8446, 5.1), and servers do.
    """
    if octets <= 0:
        return 0
    skipped = octets_before(data, start, start + octets)
    start += skipped
    octets -= skipped
    if octets == 0:
        return 1
    kind = u8(data, start)
    if kind != RECORD_HANDSHAKE and (kind != RECORD_ALERT or octets >= RECORD_OCTETS):
        return 0
    if octets >= 2 and u8(data, start + 1) != MAJOR_VERSION:
        return 0
    if octets >= 6 and u8(data, start + 5) != CLIENT_HELLO:
        return 0
    return 1


@helper
def tls_name(data, start, end, scratch, final):
    """The name of the ClientHello in `data[start:end]`. `final`: no more will come, take what there is."""
    if not tls_begins(data, start, end - start):
        return NOT_THIS
    start += octets_before(data, start, end)
    if end - start < 6:
        return NO_NAME if final else NEED_MORE
    record = u16(data, start + 3)
    if record >= 4 and end - start >= 9:
        hello = u24(data, start + 6) + 4
        if hello <= record and end - start - 5 >= hello:
            return hello_name(data, start + 5, start + 5 + hello, scratch)
    joined = join_records(data, start, end, scratch)
    if joined < 4:
        return NO_NAME if final else NEED_MORE
    hello = u24(scratch, HELLO_AT + 1) + 4
    if hello > HELLO_OCTETS:
        return NOT_THIS
    if joined < hello and not final:
        return NEED_MORE
    return hello_name(scratch, HELLO_AT, HELLO_AT + min(joined, hello), scratch)


@helper
def handshake_begins(data, octets):
    """1 if the octets may begin a ClientHello without a record around it, as QUIC carries it (RFC 9001, 4)."""
    return 1 if octets > 0 and u8(data, 0) == CLIENT_HELLO else 0


@helper
def handshake_name(data, octets, scratch, final):
    """The name of the ClientHello at the begin of `data`, of which `octets` are there. `final`: no more will come."""
    if not handshake_begins(data, octets):
        return NOT_THIS
    if octets < 4:
        return NO_NAME if final else NEED_MORE
    hello = u24(data, 1) + 4
    if octets < hello and not final:
        return NEED_MORE
    return hello_name(data, 0, min(octets, hello), scratch)


@helper
def join_records(data, start, end, scratch):
    """Put a handshake message that lies over several records together in scratch; the octets there."""
    joined = 0
    position = start
    while joined < HELLO_OCTETS and end - position > 5:
        if u8(data, position) != RECORD_HANDSHAKE or u8(data, position + 1) != MAJOR_VERSION:
            break
        octets = min(u16(data, position + 3), HELLO_OCTETS - joined, end - position - 5)
        position += 5
        for i in range(octets):
            scratch[HELLO_AT + joined + i] = data[position + i]
        joined += octets
        position += octets
    return joined


@helper
def hello_name(data, start, end, scratch):
    """Walk one ClientHello in `data[start:end]` (it may be cut) to its server name.

    With TWO_HOSTS where there is a second one, though only one may be (RFC 8446, 4.2; RFC 6066, 3): servers differ.
    """
    position = start + 38  # handshake header, version, random
    if end - position < 1:
        return NO_NAME
    position += 1 + u8(data, position)  # session id
    if end - position < 2:
        return NO_NAME
    position += 2 + u16(data, position)  # cipher suites
    if end - position < 1:
        return NO_NAME
    position += 1 + u8(data, position)  # compression methods
    if end - position < 2:
        return NO_NAME
    last = min(end, position + 2 + u16(data, position))
    position += 2
    found = NO_NAME
    while last - position >= 4:
        kind = u16(data, position)
        octets = u16(data, position + 2)
        position += 4
        if kind == EXTENSION_SERVER_NAME:
            if found > NO_NAME:
                return found | TWO_HOSTS
            found = server_name(data, position, min(last, position + octets), scratch)
        position += octets
    return found


@helper
def server_name(data, start, end, scratch):
    """The first host name of a server_name extension."""
    found = NO_NAME
    position = start + 2
    while end - position >= 3:
        octets = u16(data, position + 1)
        if octets > end - position - 3:
            return found
        if u8(data, position) == NAME_TYPE_HOST:
            if found > NO_NAME:
                return found | TWO_HOSTS
            found = keep_raw(scratch, data, position + 3, octets)
        position += 3 + octets
    return found
