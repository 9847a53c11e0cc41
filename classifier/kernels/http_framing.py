"""Where an HTTP/1 message ends (RFC 9112, 6 and 7), from octets that are in order. Skeleton as in `http`.

Rule: where two readers could put the end at different places, it is UNCLEAR: nobody can then say which request comes next.
"""

from __future__ import annotations

import numpy as np

from classifier.kernels.http import field_name_end, line_end, lower, skip_blanks, trimmed
from classifier.kernels.jit import helper
from classifier.kernels.octets import u8

# What `body_octets` and `chunk_octets` find besides a length.
CHUNKED = -1
UNCLEAR = -2
# Longest number that is read: of a body in decimal digits, of a chunk in hexadecimal ones. Both stay below 2^53.
LENGTH_DIGITS = 15
CHUNK_DIGITS = 13

CONTENT_LENGTH = np.frombuffer(b"content-length", np.uint8)
TRANSFER_ENCODING = np.frombuffer(b"transfer-encoding", np.uint8)
CHUNKED_CODING = np.frombuffer(b"chunked", np.uint8)

_CR, _SPACE, _TAB, _COLON, _SEMICOLON = 13, 32, 9, 58, 59


@helper
def content_end(data, start, line):
    """Where a line ends that has its line feed at `line`: before the carriage return, if there is one."""
    return line - 1 if line > start and u8(data, line - 1) == _CR else line


@helper
def head_end(data, start, end):
    """Position behind the empty line that ends the head which begins at `start`, or -1 where it is not there yet."""
    while True:
        line = line_end(data, start, end)
        if line == end:
            return -1
        if content_end(data, start, line) == start:
            return line + 1
        start = line + 1


@helper
def body_octets(data, start, end):
    """Length of the body of the request whose whole head is `data[start:end]`; CHUNKED, or UNCLEAR.

    UNCLEAR are both kinds of length together, two lengths that differ, a coding other than chunked, chunked in HTTP/1.0
    (RFC 9112, 6.1 and 6.3), a folded line, and blanks before the colon.
    """
    line = line_end(data, start, end)
    is_old = u8(data, start + trimmed(data, start, content_end(data, start, line)) - 1) == 48  # HTTP/1.0
    length = np.int64(-1)
    chunked = 0
    # The line before this one says where the body ends. Behind the request line, too, readers differ about a blank.
    frames = 1
    position = line + 1
    while position < end:
        line = line_end(data, position, end)
        last = content_end(data, position, line)
        if frames and last > position and (u8(data, position) == _SPACE or u8(data, position) == _TAB):
            return UNCLEAR
        frames = 0
        name_end = field_name_end(data, position, last, CONTENT_LENGTH)
        if name_end >= 0 and frames_here(data, name_end, last):
            frames = 1
            found = decimal(data, name_end, last)
            if found < 0 or (length >= 0 and found != length):
                return UNCLEAR
            length = found
        name_end = field_name_end(data, position, last, TRANSFER_ENCODING)
        if name_end >= 0 and frames_here(data, name_end, last):
            frames = 1
            if chunked or is_old or not is_chunked(data, name_end, last):
                return UNCLEAR
            chunked = 1
        position = line + 1
    if chunked:
        return CHUNKED if length < 0 else UNCLEAR
    return max(length, 0)


@helper
def frames_here(data, name_end, last):
    """1 if the field's name is over: a colon follows, after blanks or not."""
    colon = skip_blanks(data, name_end, last)
    return 1 if colon < last and u8(data, colon) == _COLON else 0


@helper
def decimal(data, colon, last):
    """The number behind the colon, or -1 if it is none of LENGTH_DIGITS at most, or the colon is not there yet."""
    if u8(data, colon) != _COLON:
        return np.int64(-1)
    first = skip_blanks(data, colon + 1, last)
    octets = trimmed(data, first, last)
    if octets == 0 or octets > LENGTH_DIGITS:
        return np.int64(-1)
    number = np.int64(0)
    for i in range(first, first + octets):
        c = u8(data, i)
        if not 48 <= c <= 57:
            return np.int64(-1)
        number = 10 * number + c - 48
    return number


@helper
def is_chunked(data, colon, last):
    """1 if the only coding behind the colon is chunked."""
    if u8(data, colon) != _COLON:
        return 0
    first = skip_blanks(data, colon + 1, last)
    octets = CHUNKED_CODING.shape[0]
    if trimmed(data, first, last) != octets:
        return 0
    for i in range(octets):
        if lower(u8(data, first + i)) != CHUNKED_CODING[i]:
            return 0
    return 1


@helper
def chunk_octets(data, start, line):
    """Length of the chunk whose size line has its line feed at `line` (RFC 9112, 7.1), or UNCLEAR.

    A line that ends without a carriage return is read in two ways by servers, so it is UNCLEAR.
    """
    last = content_end(data, start, line)
    if last == line:
        return np.int64(UNCLEAR)
    number = np.int64(0)
    position = start
    while position < last:
        c = lower(u8(data, position))
        if 48 <= c <= 57:
            number = 16 * number + c - 48
        elif 97 <= c <= 102:
            number = 16 * number + c - 87
        else:
            break
        position += 1
    if position == start or position - start > CHUNK_DIGITS:
        return np.int64(UNCLEAR)
    position = skip_blanks(data, position, last)
    if position < last and u8(data, position) != _SEMICOLON:
        return np.int64(UNCLEAR)
    return number
