"""What may be used and what is blocked, from Python into the kernels' tables: `kernels.allowed` says what becomes of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from classifier.kernels.accounts import enter_subscribers
from classifier.kernels.allowed import ALL_BLOCKED, BLOCKS, EVIDENCES, NOTHING_BLOCKED, SETS, SLOTS
from classifier.kernels.bundle import Bundle

# Kinds of subscribers that are always the same, the first that is told, and how many may be; slots of each.
NOTHING, BARRED, FIRST_KIND = NOTHING_BLOCKED, ALL_BLOCKED, ALL_BLOCKED + 1
KINDS_TOLD = SETS - FIRST_KIND
SLOTS_TOLD = SLOTS


class Allowed(NamedTuple):
    """What one kind of subscribers may use: octets by slot, and by case (application, evidence) the slots that it takes from,
    the lower first, and whether nothing of it passes once they are used up."""

    given: Mapping[int, int]
    courses: Mapping[tuple[int, int], tuple[Sequence[int], bool]]


def write_kinds(tables: Bundle, kind_of: np.ndarray, kinds: Sequence[Allowed], since_ns: int) -> None:
    """Let this be in force and nothing else: `kind_of` u2[s], each subscriber's kind, the told ones from FIRST_KIND on."""
    tables.block_cells.fill(0)
    tables.block_given.fill(0)
    for place, allowed in enumerate(kinds, FIRST_KIND):
        for slot, octets in allowed.given.items():
            tables.block_given[place, slot] = octets
        for (application, evidence), (slots, blocks) in allowed.courses.items():
            bits = sum(1 << slot for slot in slots) | (BLOCKS if blocks else 0)
            tables.block_cells[place, application * EVIDENCES + evidence] = bits
    tables.block_set[:] = kind_of
    tables.state[0].blocks_since_ns = since_ns


def write_used(tables: Bundle, numbers: np.ndarray, used: np.ndarray) -> None:
    """What these subscribers have used of each slot: i8[n, SLOTS_TOLD]."""
    tables.block_used[numbers] = used


def write_subscribers(tables: Bundle, addresses: Sequence[tuple[int, int, int]]) -> int:
    """Give the next numbers to these addresses (version, high, low), which have none; the first of the numbers."""
    state = tables.state[0]
    first = int(state.subscriber_count)
    for place, (version, high, low) in enumerate(addresses, first):
        entry = tables.subscribers[place]
        entry.version, entry.high, entry.low = version, high, low
    state.subscriber_count += len(addresses)
    enter_subscribers(tables, first)
    return first
