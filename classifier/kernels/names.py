"""Host names: folding, and a table that keeps each name seen once.

A name on the wire is anybody's octets. Folded, it is lower case without port and trailing dot; what is then no host name is
no evidence (accounting 2.5). What is shown is the name as it stood on the wire, in lower case.
"""

from __future__ import annotations

import numpy as np

from classifier.kernels.hashing import hash_octets, low_bits
from classifier.kernels.jit import helper
from classifier.kernels.octets import u8

NAME_OCTETS = 253  # RFC 1035, 2.3.4, as text without the trailing dot
LABEL_OCTETS = 63
# A wire name longer than this is shown cut; it can be no host name.
SHOWN_OCTETS = 512

# Regions of Tables.scratch: a hello put together from records, the name as seen, the name folded.
HELLO_AT = 0
HELLO_OCTETS = 16384
RAW_AT = HELLO_AT + HELLO_OCTETS
FOLDED_AT = RAW_AT + SHOWN_OCTETS
SCRATCH_OCTETS = FOLDED_AT + SHOWN_OCTETS

_A, _Z, _CASE = 65, 90, 32
_ZERO, _NINE, _DOT, _HYPHEN, _UNDERSCORE, _COLON = 48, 57, 46, 45, 95, 58


@helper
def keep_raw(scratch, data, start, octets):
    """Copy a name as seen into scratch, in lower case; its length there."""
    octets = min(octets, SHOWN_OCTETS)
    for i in range(octets):
        c = u8(data, start + i)
        if _A <= c <= _Z:
            c += _CASE
        scratch[RAW_AT + i] = c
    return octets


@helper
def fold_name(scratch, octets):
    """Fold the raw name of `octets` octets into FOLDED_AT; its length, or 0 if it is no host name."""
    end = octets
    digits = end
    while digits > 0 and _ZERO <= u8(scratch, RAW_AT + digits - 1) <= _NINE:
        digits -= 1
    if 0 < digits < end and u8(scratch, RAW_AT + digits - 1) == _COLON:
        end = digits - 1
    if end > 0 and u8(scratch, RAW_AT + end - 1) == _DOT:
        end -= 1
    if end == 0 or end > NAME_OCTETS:
        return 0
    label = 0
    numeric = 1
    for i in range(end):
        c = u8(scratch, RAW_AT + i)
        scratch[FOLDED_AT + i] = c
        if c == _DOT:
            if label == 0 or label > LABEL_OCTETS:
                return 0
            label = 0
            numeric = 1
            continue
        label += 1
        if not _ZERO <= c <= _NINE:
            numeric = 0
            if not (97 <= c <= 122 or c == _HYPHEN or c == _UNDERSCORE):
                return 0
    # A last label of digits alone is an IPv4 address, whole or in parts, never a name (RFC 1123, 2.1).
    if label == 0 or label > LABEL_OCTETS or numeric:
        return 0
    return end


@helper
def intern_name(tables, octets):
    """Place of the raw name in the table of names, or -1 where it is not kept. Its hash is for the caller."""
    state = tables.state[0]
    hashed = hash_octets(state.seed, tables.scratch, RAW_AT, octets)
    home = low_bits(hashed) & (tables.name_index.shape[0] - 1)
    place = np.int64(tables.name_index[home])
    while place >= 0:
        entry = tables.names[place]
        if entry.hash == hashed and entry.length == octets and same_name(tables, entry.offset, octets):
            return place
        place = np.int64(entry.next)
    room = tables.name_pool.shape[0] - state.name_octets
    if state.name_count >= tables.names.shape[0] or room < octets:
        state.names_over += 1
        return -1
    place = state.name_count
    state.name_count += 1
    entry = tables.names[place]
    entry.hash = hashed
    entry.offset = state.name_octets
    entry.length = octets
    entry.next = tables.name_index[home]
    tables.name_index[home] = place
    for i in range(octets):
        tables.name_pool[state.name_octets + i] = tables.scratch[RAW_AT + i]
    state.name_octets += octets
    return place


@helper
def same_name(tables, offset, octets):
    """1 if the pool holds the raw name at `offset`."""
    for i in range(octets):
        if tables.name_pool[offset + i] != tables.scratch[RAW_AT + i]:
            return 0
    return 1
