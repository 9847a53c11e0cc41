"""Row 11: the same sequence numbers with other content, so that meter and server read different names."""

from __future__ import annotations

from itertools import pairwise

import pytest
from frames import client_hello, modest
from hypothesis import given
from hypothesis import strategies as st
from scenes import FOREIGN, Connection, Wire, bill, hello_naming

FREE = client_hello("www.gamma.example")
OTHER = hello_naming(b"www.other.example")
AT_NAME = FREE.index(b"gamma")


def charged(wire: Wire, octets: int) -> bool:
    found = bill(wire)
    assert sum(found.values()) == octets
    return set(found) <= {"contradicted", "unknown_application"}


@modest(60)
@given(
    st.lists(st.integers(1, len(FREE) - 1), min_size=1, max_size=4, unique=True),
    st.integers(0, AT_NAME),
    st.sampled_from(("whole", "part")),
    st.sampled_from(("before", "after")),
)
def test_a_copy_that_says_something_else_frees_nothing(cuts, start, copy, when):
    """Before the name is whole, or when it is found and the server has not yet answered."""
    places = [0, *sorted(cuts), len(FREE)]
    pieces = [(a, FREE[a:b]) for a, b in pairwise(places)]
    renamed = FREE[:AT_NAME] + b"other" + FREE[AT_NAME + 5 :]
    pieces.insert(len(pieces) - (when == "before"), (0, OTHER) if copy == "whole" else (start, renamed[start:]))
    wire = Wire()
    talk = Connection(wire, FOREIGN).open()
    for at, piece in pieces:
        talk.up(piece, at=at)
    talk.down(b"x" * 900)
    assert charged(wire, talk.octets)


@pytest.mark.parametrize("first", [FREE, OTHER])
def test_it_does_not_matter_which_came_first(first):
    second = OTHER if first is FREE else FREE
    wire = Wire()
    talk = Connection(wire, FOREIGN).open().up(first).up(second, at=0).down(b"x" * 900)
    assert charged(wire, talk.octets)


@modest(20)
@given(st.integers(0, len(FREE) - 1), st.integers(1, 2000))
def test_a_copy_that_says_the_same_changes_nothing(start, octets):
    wire = Wire()
    talk = Connection(wire, FOREIGN).open().up(FREE).up(FREE[start : start + octets], at=start).down(b"x" * 900)
    assert bill(wire) == {"free": talk.octets}
