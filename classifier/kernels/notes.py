"""What is remembered of each subscriber for a while: DNS queries without an answer, and what answers said.

Rules: both tables are fixed (`Notes`). A subscriber has a share of one and no more; beyond it, the note that he made longest
ago goes, beyond the table that of anybody. So nobody's flood reaches another's notes, as long as fewer subscribers use up
their share than the table has shares (attack 28). What goes depends on the order of the packets alone, never on a hash.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from classifier.kernels.hashing import hash_end, low_bits
from classifier.kernels.jit import helper

# A note; links are places, 0 for none. It is valid in [since_ns, expires_ns).
NOTE = np.dtype(
    [
        ("key_high", "u8"),  # a server's address; or a flow's serial, and the id and type of what it asked
        ("key_low", "u8"),
        ("name", "u8"),  # hash of the folded name
        ("since_ns", "i8"),
        ("expires_ns", "i8"),
        ("subscriber", "i4"),
        ("rule", "i4"),
        ("next", "i4"),  # with the same home in the index
        ("before", "i4"),  # of all notes, made longest ago first; `after` is also the next free one
        ("after", "i4"),
        ("own_before", "i4"),  # of the subscriber's
        ("own_after", "i4"),
        ("version", "u1"),
    ],
    align=True,
)

# A subscriber's notes: the one made longest ago, the newest, how many.
NOTE_OWNER = np.dtype([("first", "i4"), ("last", "i4"), ("count", "i4")])

# Places of Notes.marks.
OLDEST, NEWEST, FREE, USED = range(4)
MARKS = 4


class Notes(NamedTuple):
    """`rows` NOTE[1 + capacity], place 0 unused; `index` i4[2^k]; `owners` NOTE_OWNER[subscribers]; `marks` i8[MARKS]: ends
    of the list of all, first of the free ones, rows used so far; `share` of one subscriber.
    """

    rows: np.ndarray
    index: np.ndarray
    owners: np.ndarray
    marks: np.ndarray
    share: int


@helper
def note_home(notes, seed, subscriber, key_high, key_low):
    """Where the chain of a subscriber's notes with this key begins."""
    return low_bits(hash_end(seed, key_high, key_low, subscriber)) & (notes.index.shape[0] - 1)


@helper
def first_note(notes, seed, subscriber, version, key_high, key_low):
    """Place of a note of this subscriber with this key, or 0; `next_note` gives the others."""
    place = np.int64(notes.index[note_home(notes, seed, subscriber, key_high, key_low)])
    return matching_note(notes, place, subscriber, version, key_high, key_low)


@helper
def next_note(notes, place):
    """Place of the next note with the same subscriber and key, or 0."""
    row = notes.rows[place]
    return matching_note(
        notes, np.int64(row.next), np.int64(row.subscriber), np.int64(row.version), row.key_high, row.key_low
    )


@helper
def matching_note(notes, place, subscriber, version, key_high, key_low):
    """The first note from `place` on in its chain that has this subscriber and key, or 0."""
    while place > 0:
        row = notes.rows[place]
        if (
            row.key_low == key_low
            and row.key_high == key_high
            and row.subscriber == subscriber
            and row.version == version
        ):
            return place
        place = np.int64(row.next)
    return place


@helper
def find_note(notes, seed, subscriber, version, key_high, key_low, name):
    """Place of the note with this key and name, or 0."""
    place = first_note(notes, seed, subscriber, version, key_high, key_low)
    while place > 0 and notes.rows[place].name != name:
        place = next_note(notes, place)
    return place


@helper
def keep_note(notes, seed, clock_ns, expires_ns, subscriber, version, key_high, key_low, name, rule):
    """Make the note, or renew it: it is then the newest. 1 where one that is still valid had to go for it, else 0."""
    place = find_note(notes, seed, subscriber, version, key_high, key_low, name)
    over = 0
    if place > 0:
        row = notes.rows[place]
        if row.expires_ns <= clock_ns:
            row.since_ns = clock_ns
            row.expires_ns = expires_ns
        row.expires_ns = max(row.expires_ns, expires_ns)
        unlink_note(notes, place)
        link_note(notes, place)
        return 0
    if notes.owners[subscriber].count >= notes.share:
        over = drop_note(notes, seed, clock_ns, np.int64(notes.owners[subscriber].first))
    elif notes.marks[FREE] == 0 and notes.marks[USED] + 1 == notes.rows.shape[0]:
        over = drop_note(notes, seed, clock_ns, notes.marks[OLDEST])
    place = notes.marks[FREE]
    if place > 0:
        notes.marks[FREE] = notes.rows[place].after
    else:
        notes.marks[USED] += 1
        place = notes.marks[USED]
    row = notes.rows[place]
    row.key_high = key_high
    row.key_low = key_low
    row.name = name
    row.since_ns = clock_ns
    row.expires_ns = expires_ns
    row.subscriber = subscriber
    row.rule = rule
    row.version = version
    home = note_home(notes, seed, subscriber, key_high, key_low)
    row.next = notes.index[home]
    notes.index[home] = place
    link_note(notes, place)
    return over


@helper
def drop_note(notes, seed, clock_ns, place):
    """Forget a note; 1 if it was still valid."""
    row = notes.rows[place]
    home = note_home(notes, seed, np.int64(row.subscriber), row.key_high, row.key_low)
    before = np.int64(notes.index[home])
    if before == place:
        notes.index[home] = row.next
    else:
        while notes.rows[before].next != place:
            before = np.int64(notes.rows[before].next)
        notes.rows[before].next = row.next
    unlink_note(notes, place)
    row.after = notes.marks[FREE]
    notes.marks[FREE] = place
    return 1 if row.expires_ns > clock_ns else 0


@helper
def link_note(notes, place):
    """The note is the newest of all and of its subscriber."""
    row = notes.rows[place]
    newest = notes.marks[NEWEST]
    row.before = newest
    row.after = 0
    if newest > 0:
        notes.rows[newest].after = place
    else:
        notes.marks[OLDEST] = place
    notes.marks[NEWEST] = place
    owner = notes.owners[row.subscriber]
    row.own_before = owner.last
    row.own_after = 0
    if owner.last > 0:
        notes.rows[owner.last].own_after = place
    else:
        owner.first = place
    owner.last = place
    owner.count += 1


@helper
def unlink_note(notes, place):
    """Take the note out of both lists."""
    row = notes.rows[place]
    if row.before > 0:
        notes.rows[row.before].after = row.after
    else:
        notes.marks[OLDEST] = row.after
    if row.after > 0:
        notes.rows[row.after].before = row.before
    else:
        notes.marks[NEWEST] = row.before
    owner = notes.owners[row.subscriber]
    if row.own_before > 0:
        notes.rows[row.own_before].own_after = row.own_after
    else:
        owner.first = row.own_after
    if row.own_after > 0:
        notes.rows[row.own_after].own_before = row.own_before
    else:
        owner.last = row.own_before
    owner.count -= 1
