"""HTTP/1 request: the host it is for (RFC 9112, 3.2), from octets that are in order. Skeleton as in `tls`.

The authority of an absolute URI wins over Host (RFC 9112, 3.2.2). All names in a request have to be the same one: Host
lines, the authority, X-Online-Host (which WAP gateways put before Host), and what a lenient reader takes for a Host line;
two that differ contradict each other. What CONNECT asks for is a tunnel: its name is shown and frees nothing.
"""

from __future__ import annotations

import numpy as np

from classifier.kernels.jit import helper
from classifier.kernels.names import keep_raw
from classifier.kernels.octets import u8, u64
from classifier.kernels.tls import NEED_MORE, NO_NAME, NOT_THIS, TWO_HOSTS

PROXY_LINE_OCTETS = 107
METHOD_OCTETS = 20  # longest method looked for; the registered ones end at 17 (IANA "HTTP Method Registry")
# What `http_name` adds to the length of the name besides TWO_HOSTS.
IS_CONNECT = 1 << 17

# What a line of the head is to its name.
NO_HOST, IS_HOST, LIKE_HOST = range(3)
HOST = np.frombuffer(b"host", np.uint8)
ONLINE_HOST = np.frombuffer(b"x-online-host", np.uint8)

# Of eight octets: a line feed in each, one in each, the top bit of each. An octet is 0 where less 1 turns its top bit on.
LINE_FEEDS = np.uint64(0x0A0A0A0A0A0A0A0A)
ONES, TOPS = np.uint64(0x0101010101010101), np.uint64(0x8080808080808080)
NOTHING = np.uint64(0)
_CR, _LF, _SPACE, _TAB, _COLON, _SLASH, _AT, _DOT = 13, 10, 32, 9, 58, 47, 64, 46


@helper
def method_octets(data, start, octets):
    """Length of a method before its space; 0 if it may still come, -1 if this is none."""
    limit = min(octets, METHOD_OCTETS + 1)
    for i in range(limit):
        c = u8(data, start + i)
        if c == _SPACE and i >= 3:
            return i
        if not (65 <= c <= 90 or c == 45 or c == 95):
            return -1
    return -1 if octets > METHOD_OCTETS else 0


@helper
def http_begins(data, start, octets):
    """1 if the octets may begin a request line, behind empty lines or not."""
    blank = empty_octets(data, start, start + octets)
    return 1 if octets > 0 and method_octets(data, start + blank, octets - blank) >= 0 else 0


@helper
def empty_octets(data, start, end):
    """Length of the empty lines that stand before a request: servers pass them over (RFC 9112, 2.2)."""
    position = start
    while position < end and (u8(data, position) == _CR or u8(data, position) == _LF):
        position += 1
    return position - start


@helper
def request_start(data, start, end):
    """Where a first request begins: behind empty lines, and a PROXY protocol line."""
    start += empty_octets(data, start, end)
    return start + proxy_octets(data, start, end)


@helper
def proxy_octets(data, start, end):
    """Length of a PROXY protocol line (haproxy's proxy-protocol.txt, 2.1) that stands before the request, or 0."""
    if method_octets(data, start, end - start) != 5 or u8(data, start + 3) != 88 or u8(data, start + 4) != 89:
        return 0
    line = line_end(data, start, min(end, start + PROXY_LINE_OCTETS))
    return line + 1 - start if line < end and u8(data, line) == _LF else 0


@helper
def line_end(data, start, end):
    """Position of the next line feed, or `end`. Eight octets at a time, where none of them is one."""
    while end - start >= 8:
        unlike = u64(data, start) ^ LINE_FEEDS
        if (unlike - ONES) & ~unlike & TOPS != NOTHING:
            break
        start += 8
    while start < end and u8(data, start) != _LF:
        start += 1
    return start


@helper
def is_http_version(data, start, end):
    """1 if `data[start:end]` ends in " HTTP/1.x". Blanks behind it, and more digits, are forgiven, as servers do."""
    if end > start and u8(data, end - 1) == _CR:
        end -= 1
    end = start + trimmed(data, start, end)
    while end > start and (48 <= u8(data, end - 1) <= 57 or u8(data, end - 1) == _DOT):
        end -= 1
    at = end - 6
    if at < start or u8(data, at) != _SPACE or u8(data, at + 5) != _SLASH or u8(data, end) != 49:
        return 0
    return 1 if u8(data, at + 1) == 72 and u8(data, at + 2) == 84 and u8(data, at + 4) == 80 else 0


@helper
def http_name(data, start, end, scratch, final):
    """The host of the request in `data[start:end]`: length (with TWO_HOSTS, IS_CONNECT), or a status."""
    method = method_octets(data, start, end - start)
    if method < 0:
        return NOT_THIS
    line = line_end(data, start, end)
    if line == end:
        return NO_NAME if final else NEED_MORE
    if method == 0:
        return NOT_THIS
    if is_http2_preface(data, start, line):
        return NO_NAME if final else NEED_MORE  # names will come, but none that is read
    if not is_http_version(data, start, line):
        return NOT_THIS
    target = skip_blanks(data, start + method + 1, line)
    if method == 7 and u8(data, start) == 67:  # CONNECT
        target_end = target
        while target_end < line and u8(data, target_end) != _SPACE:
            target_end += 1
        return keep_raw(scratch, data, target, target_end - target) | IS_CONNECT
    host, host_octets, flags, complete = find_host(data, line + 1, end, target, line)
    if not complete and not final:
        return NEED_MORE
    if host < 0:
        return NO_NAME
    return keep_raw(scratch, data, host, host_octets) | flags


@helper
def is_http2_preface(data, start, end):
    """1 for the first line of HTTP/2 without TLS (RFC 9113, 3.4): its names are compressed, and there may be many."""
    if end - start < 14 or u8(data, start) != 80 or u8(data, start + 1) != 82:
        return 0
    return 1 if u8(data, start + 4) == 42 and u8(data, start + 11) == 50 else 0


@helper
def find_authority(data, start, end):
    """Start and length of the authority of an absolute URI, without user information; length 0 if it is none.

    Of any scheme: servers that take it do not ask for http (RFC 9112, 3.2.2).
    """
    colon = start
    while colon < end and (is_letter_or_digit(u8(data, colon)) or 43 <= u8(data, colon) <= 46):
        colon += 1
    if colon == start or end - colon < 4 or u8(data, colon) != _COLON:
        return start, 0
    if u8(data, colon + 1) != _SLASH or u8(data, colon + 2) != _SLASH:
        return start, 0
    first = colon + 3
    position = first
    while position < end:
        c = u8(data, position)
        if c in (_SLASH, _SPACE, 63, 35, _CR):
            break
        if c == _AT:
            first = position + 1
        position += 1
    return first, position - first


@helper
def find_host(data, position, end, target, target_end):
    """Name of a request whose fields begin at `position`: start (-1: none) and length; flags; 1 if the head is complete.

    `data[target:target_end]` is the target of its request line: an authority in it wins, and servers must ignore Host then
    (RFC 9112, 3.2.2). TWO_HOSTS where two names differ.
    """
    host, octets = find_authority(data, target, target_end)
    authority_octets = octets
    any_name, any_octets = host, octets
    if octets == 0:
        host = any_name = -1
    flags = 0
    may_go_on = 1  # before the first field, too, readers differ about a line that begins with a blank
    while True:
        line = line_end(data, position, end)
        if line == end:
            return host, octets, flags, 0
        last = line
        if last > position and u8(data, last - 1) == _CR:
            last -= 1
        if last == position:
            return host, octets, flags, 1
        if u8(data, position) == _SPACE or u8(data, position) == _TAB:
            if may_go_on:
                flags = TWO_HOSTS  # a folded line (RFC 9112, 5.2): the value goes on, and readers differ
            position = line + 1
            continue
        kind, first = host_field(data, position, last)
        may_go_on = kind != NO_HOST
        if kind == LIKE_HOST or (kind == IS_HOST and authority_octets == 0):
            value_octets = trimmed(data, first, last)
            if any_name < 0:
                any_name, any_octets = first, value_octets
            elif not same_host(data, any_name, any_octets, first, value_octets):
                flags = TWO_HOSTS
            if kind == IS_HOST and host < 0:
                host, octets = first, value_octets
        position = line + 1


@helper
def host_field(data, start, end):
    """What the line is to the name (NO_HOST, IS_HOST, LIKE_HOST), and where its value starts.

    Blanks before the colon are an error that some readers forgive (RFC 9112, 5.1).
    """
    kind = IS_HOST
    colon = field_name_end(data, start, end, HOST)
    if colon < 0:
        kind = LIKE_HOST
        colon = field_name_end(data, start, end, ONLINE_HOST)
    if colon < 0:
        return NO_HOST, start
    first = skip_blanks(data, colon, end)
    if first > colon:
        kind = LIKE_HOST
    if first == end or u8(data, first) != _COLON:
        return NO_HOST, start
    return kind, skip_blanks(data, first + 1, end)


@helper
def field_name_end(data, start, end, name):
    """Where the field's name ends if it begins with `name` (lower case), -1 if it does not."""
    octets = name.shape[0]
    if end - start <= octets:
        return -1
    for i in range(octets):
        if lower(u8(data, start + i)) != name[i]:
            return -1
    return start + octets


@helper
def skip_blanks(data, start, end):
    """Position of the first octet that is neither space nor tab."""
    while start < end and (u8(data, start) == _SPACE or u8(data, start) == _TAB):
        start += 1
    return start


@helper
def trimmed(data, start, end):
    """Length of a value without the blanks behind it."""
    while end > start and (u8(data, end - 1) == _SPACE or u8(data, end - 1) == _TAB):
        end -= 1
    return end - start


@helper
def lower(c):
    """The octet in lower case."""
    return c + 32 if 65 <= c <= 90 else c


@helper
def is_letter_or_digit(c):
    """1 for an ASCII letter or digit."""
    return 97 <= c | 32 <= 122 or 48 <= c <= 57


@helper
def same_host(data, a, a_octets, b, b_octets):
    """1 if both places hold the same name, whatever its case, port and trailing dot."""
    octets = portless(data, a, a_octets)
    if octets != portless(data, b, b_octets):
        return 0
    for i in range(octets):
        if lower(u8(data, a + i)) != lower(u8(data, b + i)):
            return 0
    return 1


@helper
def portless(data, start, octets):
    """Length of a name without port and trailing dot."""
    end = start + octets
    digits = end
    while digits > start and 48 <= u8(data, digits - 1) <= 57:
        digits -= 1
    if digits > start and u8(data, digits - 1) == _COLON:
        end = digits - 1
    if end > start and u8(data, end - 1) == _DOT:
        end -= 1
    return end - start
