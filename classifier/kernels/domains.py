"""Domain rules by the longest suffix at a label boundary, as a hash table that a kernel walks from the right.

Rules of this file: a rule's index is its rank, so that of all rules that match the highest index wins (more labels,
then exact before suffix, then literal before `*`, then more literal octets; the catalogue sorts them so). A hash only
finds a place: the octets are compared before anything is believed, so no collision can give a wrong answer. Every
suffix of a rule has a node, and the walk stops at the first suffix without one: the longest rule bounds the work.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from classifier.kernels.jit import helper
from classifier.kernels.octets import u8

# FNV-1a, 64 bits (Fowler, Noll and Vo; draft-eastlake-fnv). The catalogue mixes a seed into the basis.
FNV_PRIME = np.uint64(0x100000001B3)
FNV_BASIS = np.uint64(0xCBF29CE484222325)
_FOLD = np.uint64(32)
_DOT = 46
_STAR = 42


class Domains(NamedTuple):
    """Rules over host names. A node is one suffix, as octets in `pool`.

    `seed` uint64, the hash's start; `probes` int, how many slots a search looks at, at most. `slot_hash` u8[2^k],
    `slot_node` i4[2^k] (-1 empty). `node_offset`, `node_length` i4[n] into `pool` u1; `node_suffix`, `node_exact`
    i4[n]: rule for this suffix, rule for this name alone, -1 for none; `node_first`, `node_end` i4[n]: the patterns
    whose literal tail this node is, strongest first. `head_offset`, `head_length` i4[w] into `pool`: a pattern's labels
    before its tail; `head_rule` i4[w]; `head_exact` u1[w].
    """

    seed: np.uint64
    probes: int
    slot_hash: np.ndarray
    slot_node: np.ndarray
    node_offset: np.ndarray
    node_length: np.ndarray
    node_suffix: np.ndarray
    node_exact: np.ndarray
    node_first: np.ndarray
    node_end: np.ndarray
    head_offset: np.ndarray
    head_length: np.ndarray
    head_rule: np.ndarray
    head_exact: np.ndarray
    pool: np.ndarray


@helper
def match_domain(domains, text, start, length):
    """Index of the strongest rule that matches the host name `text[start : start + length]`, or -1.

    `text` u1 holds the name folded: lower case, no port, no trailing dot. Other octets are safe and do not match.
    """
    best = -1
    hashed = domains.seed
    for back in range(length):
        position = start + length - 1 - back
        hashed = (hashed ^ np.uint64(text[position])) * FNV_PRIME
        if position > start and u8(text, position - 1) != _DOT:
            continue
        node = _find_node(domains, hashed, text, position, back + 1)
        if node < 0:
            return best
        if domains.node_suffix[node] > best:
            best = np.int64(domains.node_suffix[node])
        if position == start:
            if domains.node_exact[node] > best:
                best = np.int64(domains.node_exact[node])
            return best
        for pattern in range(domains.node_first[node], domains.node_end[node]):
            if domains.head_rule[pattern] <= best:
                break
            if _head_matches(domains, pattern, text, start, position - 1):
                best = np.int64(domains.head_rule[pattern])
                break
    return best


@helper
def _find_node(domains, hashed, text, position, length):
    """The node whose octets are `text[position : position + length]`, or -1."""
    mask = domains.slot_node.shape[0] - 1
    slot = np.int64((hashed ^ (hashed >> _FOLD)) & np.uint64(mask))
    for _ in range(domains.probes):
        node = domains.slot_node[slot]
        if node < 0:
            return -1
        if domains.slot_hash[slot] == hashed and domains.node_length[node] == length:
            if _equal(domains.pool, domains.node_offset[node], text, position, length):
                return node
        slot = (slot + 1) & mask
    return -1


@helper
def _equal(pool, offset, text, position, length):
    for i in range(length):  # noqa: SIM110 (a generator would be allocated)
        if pool[offset + i] != text[position + i]:
            return False
    return True


@helper
def _head_matches(domains, pattern, text, start, end):
    """Whether the labels that end at `end` (the dot before the tail) match the pattern's head, label by label."""
    first = domains.head_offset[pattern]
    pattern_end = first + domains.head_length[pattern]
    while True:
        pattern_label = _label_start(domains.pool, first, pattern_end)
        label = _label_start(text, start, end)
        if not _label_matches(domains.pool, pattern_label, pattern_end, text, label, end):
            return False
        if pattern_label == first:
            return domains.head_exact[pattern] == 0 or label == start
        if label == start:
            return False
        pattern_end = pattern_label - 1
        end = label - 1


@helper
def _label_start(text, start, end):
    """Where the label that ends before `end` begins."""
    position = end
    while position > start and u8(text, position - 1) != _DOT:
        position -= 1
    return position


@helper
def _label_matches(pool, pattern, pattern_end, text, label, label_end):
    """Whether one label matches a pattern's label, in which one `*` stands for any octets, or none."""
    pattern_length = pattern_end - pattern
    length = label_end - label
    before = 0
    while before < pattern_length and u8(pool, pattern + before) != _STAR:
        before += 1
    if before == pattern_length:
        return length == pattern_length and _equal(pool, pattern, text, label, length)
    after = pattern_length - before - 1
    if length < before + after:
        return False
    if not _equal(pool, pattern, text, label, before):
        return False
    return _equal(pool, pattern_end - after, text, label_end - after, after)
