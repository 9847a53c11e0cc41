"""The table of notes against a list in plain Python: shares, capacity, validity, and that no hash decides what goes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from frames import modest
from hypothesis import given
from hypothesis import strategies as st

from classifier.kernels.bundle import Bundle
from classifier.kernels.jit import kernel
from classifier.kernels.notes import (
    MARKS,
    NOTE,
    NOTE_OWNER,
    OLDEST,
    Notes,
    drop_note,
    find_note,
    first_note,
    keep_note,
    next_note,
)


@kernel
def keep(notes, seed, clock_ns, expires_ns, subscriber, key, name, rule):
    return keep_note(notes, seed, clock_ns, expires_ns, subscriber, 4, np.uint64(0), key, name, rule)


@kernel
def drop(notes, seed, clock_ns, subscriber, key, name):
    place = find_note(notes, seed, subscriber, 4, np.uint64(0), key, name)
    return drop_note(notes, seed, clock_ns, place) if place > 0 else -1


@kernel
def places(notes, seed, subscriber, key, found):
    count = 0
    place = first_note(notes, seed, subscriber, 4, np.uint64(0), key)
    while place > 0:
        found[count] = place
        count += 1
        place = next_note(notes, place)
    return count


class Table:
    """The kernels' table. `index` far smaller than its notes makes chains long."""

    def __init__(self, capacity: int, share: int, seed: int, index: int = 4) -> None:
        self.seed = np.uint64(seed)
        self.rows = np.zeros(1 + capacity, NOTE).view(np.recarray)
        self.marks = np.zeros(MARKS, np.int64)
        owners = np.zeros(16, NOTE_OWNER).view(np.recarray)
        self.notes = Bundle(Notes(self.rows, np.zeros(index, np.int32), owners, self.marks, share))
        self.found = np.zeros(1 + capacity, np.int64)

    def keep(self, clock_ns, expires_ns, subscriber, key, name, rule=0) -> int:
        return keep(self.notes, self.seed, clock_ns, expires_ns, subscriber, np.uint64(key), np.uint64(name), rule)

    def drop(self, clock_ns, subscriber, key, name) -> int:
        return drop(self.notes, self.seed, clock_ns, subscriber, np.uint64(key), np.uint64(name))

    def names(self, subscriber, key) -> set[tuple[int, int, int]]:
        count = places(self.notes, self.seed, subscriber, np.uint64(key), self.found)
        rows = self.rows[self.found[:count]]
        return {(int(row.name), int(row.since_ns), int(row.expires_ns)) for row in rows}

    def all(self) -> list[tuple[int, int, int, int, int]]:
        """(subscriber, key, name, since, expires), the one made longest ago first."""
        listed, place = [], int(self.marks[OLDEST])
        while place:
            row = self.rows[place]
            listed.append(tuple(int(row[name]) for name in ("subscriber", "key_low", "name", "since_ns", "expires_ns")))
            place = int(row.after)
        return listed


@dataclass
class Twin:
    """A list, the note made longest ago first."""

    capacity: int
    share: int
    notes: list

    def keep(self, clock_ns, expires_ns, subscriber, key, name) -> int:
        for note in self.notes:
            if note[:3] == (subscriber, key, name):
                self.notes.remove(note)
                since = note[3] if note[4] > clock_ns else clock_ns
                ends = max(note[4], expires_ns) if note[4] > clock_ns else expires_ns
                self.notes.append((subscriber, key, name, since, ends))
                return 0
        over = 0
        own = [note for note in self.notes if note[0] == subscriber]
        gone = own[0] if len(own) == self.share else self.notes[0] if len(self.notes) == self.capacity else None
        if gone is not None:
            self.notes.remove(gone)
            over = int(gone[4] > clock_ns)
        self.notes.append((subscriber, key, name, clock_ns, expires_ns))
        return over

    def drop(self, clock_ns, subscriber, key, name) -> int:
        for note in self.notes:
            if note[:3] == (subscriber, key, name):
                self.notes.remove(note)
                return int(note[4] > clock_ns)
        return -1


STEP = st.tuples(
    st.sampled_from(("keep", "keep", "keep", "drop")),
    st.integers(0, 4),  # time passes
    st.integers(0, 9),  # validity
    st.integers(1, 4),
    st.integers(0, 3),
    st.integers(0, 3),
)


@modest(150)
@given(st.lists(STEP, max_size=60), st.integers(1, 12), st.integers(1, 6))
def test_the_table_does_what_a_list_does_whatever_the_seed(steps, capacity, share):
    twin = Twin(capacity, share, [])
    tables = [Table(capacity, share, seed) for seed in (1, 99)]
    clock = 100
    for what, passed, valid, subscriber, key, name in steps:
        clock += passed
        if what == "keep":
            expected = twin.keep(clock, clock + valid, subscriber, key, name)
            got = {table.keep(clock, clock + valid, subscriber, key, name) for table in tables}
        else:
            expected = twin.drop(clock, subscriber, key, name)
            got = {table.drop(clock, subscriber, key, name) for table in tables}
        assert got == {expected}
        for table in tables:
            assert table.all() == twin.notes
    for table in tables:
        for subscriber in range(1, 5):
            for key in range(4):
                there = {note[2:] for note in twin.notes if note[:2] == (subscriber, key)}
                assert table.names(subscriber, key) == there


@pytest.mark.parametrize("seed", [1, 2])
def test_a_flood_of_one_subscriber_leaves_what_others_have(seed):
    table = Table(64, 16, seed, index=64)
    for number in range(40):
        table.keep(1, 1000, 1 + number % 3, number, number)
    others = [note for note in table.all() if note[0] != 1]
    gone = sum(table.keep(2, 1000, 1, 5000 + number, number) for number in range(500))
    assert [note for note in table.all() if note[0] != 1] == others
    assert sum(note[0] == 1 for note in table.all()) == 16
    assert gone == 14 + 500 - 16, "each that was still valid is counted"
