"""Row 12: packets that pass the meter and never arrive: a hello, or a reset, whose hop limit is too low."""

from __future__ import annotations

from frames import ACK, RST, client_hello, modest
from hypothesis import given
from hypothesis import strategies as st
from scenes import FOREIGN, Connection, Wire, bill, hello_naming

FREE = client_hello("www.gamma.example")
OTHER = hello_naming(b"www.other.example")


def test_a_hello_that_no_server_acknowledged_frees_nothing():
    wire = Wire()
    talk = Connection(wire, FOREIGN).open().up(FREE).down(acknowledged=0).down(b"x" * 900, acknowledged=0)
    assert bill(wire) == {"unknown_application": talk.octets}


@modest(20)
@given(st.integers(0, 4), st.integers(0, 1400))
def test_the_real_hello_behind_an_inert_one_contradicts_it(copies, answer):
    wire = Wire()
    talk = Connection(wire, FOREIGN).open()
    for _ in range(copies + 1):
        talk.up(FREE, at=0).down(acknowledged=0)
    talk.up(OTHER, at=0).down(b"x" * answer).down(b"x" * 1000)
    assert bill(wire) == {"contradicted": talk.octets}


def test_an_acknowledgement_of_a_part_of_the_hello_is_none():
    wire = Wire()
    talk = Connection(wire, FOREIGN).open().up(FREE).down(b"x" * 900, acknowledged=len(FREE) - 1)
    assert bill(wire) == {"unknown_application": talk.octets}


def test_what_follows_an_inert_reset_is_not_free():
    """The server goes on with what comes after it; the meter cannot know, so it is charged as after the close."""
    wire = Wire()
    talk = Connection(wire, FOREIGN).open().up(flags=RST)
    before = talk.octets
    talk.ask(FREE).ask(OTHER).down(b"x" * 1400)
    found = bill(wire)
    assert found.get("after_close", 0) == talk.octets - before
    assert sum(found.values()) == talk.octets


def test_a_free_name_before_an_inert_reset_pays_for_nothing_behind_it():
    wire = Wire()
    talk = Connection(wire, FOREIGN).open().ask(FREE).up(flags=RST | ACK)
    free = talk.octets
    talk.ask(OTHER).down(b"x" * 1400)
    assert bill(wire) == {"free": free, "after_close": talk.octets - free}
