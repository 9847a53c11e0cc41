"""DNS messages (RFC 1035, 4): the header, names, the one question, the records of the answer section. No tables.

Rules of this file: a message is `data[start:end]`, whole, and nothing outside it is read. A compression pointer goes
backwards and there are few of them, so no name loops; a name has at most 255 octets on the wire. What breaks a rule spoils
the whole message: nothing is learned from half of one. Authority and additional records are never read, since anybody's
names can stand there.
"""

from __future__ import annotations

import numpy as np

from classifier.kernels.hashing import hash_octets
from classifier.kernels.jit import helper
from classifier.kernels.names import LABEL_OCTETS, RAW_AT
from classifier.kernels.octets import u8, u16, u32

HEADER_OCTETS = 12  # RFC 1035, 4.1.1, as the bits below
IS_ANSWER = 0x8000
OPCODE = 0x7800  # 0: a query
TRUNCATED = 0x0200
RESPONSE_CODE = 0x000F

TYPE_A, TYPE_CNAME = 1, 5  # RFC 1035, 3.2.2
TYPE_AAAA = 28  # RFC 3596, 2.1
TYPE_SVCB, TYPE_HTTPS = 64, 65  # RFC 9460, 14.1
CLASS_IN = 1  # RFC 1035, 3.2.4
HINT_IPV4, HINT_IPV6 = 4, 6  # RFC 9460, 14.3.2

WIRE_NAME_OCTETS = 255  # RFC 1035, 2.3.4
POINTER = 0xC0  # RFC 1035, 4.1.4
POINTERS = 64  # a name of 255 octets has 127 labels at most, and writers point once
# Aliases that are followed; resolvers give up after about as many (BIND's max-query-restarts is 11).
ALIASES = 16

# One record of the answer section; names as their hashes. `position` and `octets` of what it says.
ANSWER = np.dtype(
    [("owner", "u8"), ("target", "u8"), ("ttl_seconds", "i8"), ("kind", "i8"), ("position", "i8"), ("octets", "i8")]
)
# Records of one message that are read, and addresses that are learned from it: a message of 1,232 octets has fewer.
ANSWERS = 80

_DOT, _COLON, _A, _Z, _CASE = 46, 58, 65, 90, 32


@helper
def dns_begins(data, start, octets):
    """1 if the octets may be a standard query, or the answer to one, with exactly one question."""
    if octets < HEADER_OCTETS + 5:
        return 0
    return u16(data, start + 2) & OPCODE == 0 and u16(data, start + 4) == 1


@helper
def read_name(data, start, end, position, scratch):
    """Put the name at `position` into RAW_AT as lower-case text without the last dot.

    (length of the text, position behind the name), or (-1, …) where it is none, or holds a dot or colon inside a label:
    as text it would be another name.
    """
    octets = 0
    wire = 1
    behind = -1
    pointers = 0
    run = position
    while position < end:
        label = u8(data, position)
        if label == 0:
            return octets, (behind if behind >= 0 else position + 1)
        if label >= POINTER:
            if end - position < 2:
                break
            if behind < 0:
                behind = position + 2
            position = start + (u16(data, position) & 0x3FFF)
            pointers += 1
            if position >= run or position < start + HEADER_OCTETS or pointers > POINTERS:
                break
            run = position
            continue
        wire += label + 1
        if label > LABEL_OCTETS or wire > WIRE_NAME_OCTETS or label >= end - position:
            break
        if octets > 0:
            scratch[RAW_AT + octets] = _DOT
            octets += 1
        if not copy_label(data, position + 1, label, scratch, RAW_AT + octets):
            break
        octets += label
        position += 1 + label
    return -1, end


@helper
def copy_label(data, start, octets, scratch, at):
    """Copy a label in lower case; 0 where it holds what separates labels or a port in a name as text."""
    for i in range(octets):
        c = u8(data, start + i)
        if c == _DOT or c == _COLON:
            return 0
        if _A <= c <= _Z:
            c += _CASE
        scratch[at + i] = c
    return 1


@helper
def question_kind(data, start, end):
    """Type of the question where it asks for addresses, else 0. Its name is only stepped over: it holds no pointer, as nothing
    stands before it that one could point to."""
    position = start + HEADER_OCTETS
    while end - position > 4 and u8(data, position) != 0:
        position += u8(data, position) + 1
    position += 1
    if end - position < 4 or u16(data, position + 2) != CLASS_IN:
        return 0
    kind = u16(data, position)
    return kind if kind == TYPE_A or kind == TYPE_AAAA or kind == TYPE_HTTPS or kind == TYPE_SVCB else 0


@helper
def read_question(data, start, end, scratch):
    """(length of the name in RAW_AT, type, position behind) of the question; length 0 where it is not about an address."""
    kind = question_kind(data, start, end)
    if kind == 0:
        return 0, 0, end  # tunnels through DNS have long names and ask for text
    octets, position = read_name(data, start, end, start + HEADER_OCTETS, scratch)
    return (octets, kind, position + 4) if octets > 0 else (0, 0, end)


@helper
def read_answers(data, start, end, position, answers, scratch, seed, asked):
    """Fill `answers` (ANSWER) from the answer section at `position`; how many, or -1 where one is malformed.

    `asked`: hash of the question's name. Nearly every owner is a pointer to it, or to the alias before: these are not read
    again.
    """
    count = min(u16(data, start + 6), answers.shape[0])
    target_at = np.int64(-1)
    target = np.uint64(0)
    for i in range(count):
        entry = answers[i]
        pointer = u16(data, position) - (POINTER << 8) if end - position >= 2 else -1
        if pointer == HEADER_OCTETS:
            entry.owner = asked
            position += 2
        elif pointer >= 0 and pointer == target_at:
            entry.owner = target
            position += 2
        else:
            octets, position = read_name(data, start, end, position, scratch)
            if octets < 0:
                return -1
            entry.owner = hash_octets(seed, scratch, RAW_AT, octets)
        if end - position < 10:
            return -1
        entry.kind = u16(data, position) if u16(data, position + 2) == CLASS_IN else 0
        ttl_seconds = u32(data, position + 4)
        entry.ttl_seconds = ttl_seconds if ttl_seconds < 0x80000000 else 0  # RFC 2181, 8
        entry.octets = u16(data, position + 8)
        entry.position = position + 10
        position += 10 + entry.octets
        if position > end:
            return -1
        if entry.kind == TYPE_CNAME:
            octets, behind = read_name(data, start, end, entry.position, scratch)
            if octets < 0 or behind != position:
                return -1
            target = hash_octets(seed, scratch, RAW_AT, octets)
            target_at = entry.position - start
            entry.target = target
    return count


@helper
def follow_aliases(answers, count, name):
    """(hash of the name at the end of the CNAMEs from `name`, lowest TTL along them); TTL -1 where they do not end.

    The records may come in any order (RFC 1034, 3.6.2: a name with a CNAME has nothing else).
    """
    ttl_seconds = np.int64(0x7FFFFFFF)
    for _ in range(ALIASES + 1):
        alias = -1
        for i in range(count):
            if answers[i].kind == TYPE_CNAME and answers[i].owner == name:
                alias = i
                break
        if alias < 0:
            return name, ttl_seconds
        name = answers[alias].target
        ttl_seconds = min(ttl_seconds, answers[alias].ttl_seconds)
    return name, np.int64(-1)


@helper
def find_hints(data, start, end, entry, key, scratch):
    """(position, octets) of the addresses under `key` in an HTTPS or SVCB record (RFC 9460, 2.2); octets 0 for none."""
    last = entry.position + entry.octets
    if entry.octets < 3 or u16(data, entry.position) == 0:  # priority 0: an alias, which has no parameters
        return last, 0
    octets, position = read_name(data, start, min(end, last), entry.position + 2, scratch)
    if octets < 0:
        return last, 0
    while last - position >= 4:
        octets = u16(data, position + 2)
        if octets > last - position - 4:
            break
        if u16(data, position) == key:
            return position + 4, octets
        position += 4 + octets
    return last, 0
