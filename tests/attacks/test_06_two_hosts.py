"""Row 6: a request or hello with two hosts, of which proxy, server and meter may each take another."""

from __future__ import annotations

import struct

import pytest
from meters import ALPHA_ADDRESS
from scenes import FOREIGN, Connection, Wire, bill, hello_naming, request

FREE, OTHER = "Host: gamma.example", "Host: unlisted.example"


def charged(octets: bytes, server=FOREIGN) -> str:
    """The one reason why all of a connection with this request is charged."""
    wire = Wire()
    talk = Connection(wire, server, server_port=80).open().ask(octets).close()
    ((reason, sent),) = bill(wire).items()
    assert sent == talk.octets
    return reason


@pytest.mark.parametrize("between", [(), ("Accept: */*",), ("Accept: a", "Cookie: b")])
@pytest.mark.parametrize("end", [b"\r\n", b"\n"])
def test_a_second_host_that_differs_contradicts_the_first(between, end):
    assert charged(request("GET / HTTP/1.1", FREE, *between, OTHER, end=end)) == "contradicted"


@pytest.mark.parametrize("end", [b"\r\n", b"\n"])
def test_free_last_frees_nothing(end):
    assert charged(request("GET / HTTP/1.1", OTHER, FREE, end=end)) == "unknown_application"


def test_an_applications_own_address_makes_it_no_better():
    lines = ("Host: alpha.example", OTHER)
    assert charged(request("GET / HTTP/1.1", *lines), ALPHA_ADDRESS) == "contradicted"


def test_the_same_host_twice_is_one_host():
    assert charged(request("GET / HTTP/1.1", FREE, "hOsT:gamma.EXAMPLE")) == "free"


@pytest.mark.parametrize("fold", [" unlisted.example", "\tunlisted.example", " "])
def test_a_folded_host_is_contradicted(fold):
    """RFC 9112, 5.2: a recipient refuses it, or puts a blank for the fold: what the host is depends on who reads it."""
    assert charged(request("GET / HTTP/1.1", FREE, fold)) == "contradicted"


def test_a_host_in_a_folded_line_of_another_field_is_none():
    assert charged(request("GET / HTTP/1.1", "Cookie: a", " Host: gamma.example", OTHER)) == "unknown_application"


def test_lines_that_end_in_different_ways_are_lines_all_the_same():
    mixed = b"GET / HTTP/1.1\r\nHost: gamma.example\nHost: unlisted.example\r\n\r\n"
    assert charged(mixed) == "contradicted"


def named(*names: bytes) -> bytes:
    """A server_name extension that lists these (RFC 6066, 3)."""
    listed = b"".join(struct.pack("!BH", 0, len(name)) + name for name in names)
    return struct.pack("!HHH", 0, len(listed) + 2, len(listed)) + listed


@pytest.mark.parametrize("server", [FOREIGN, ALPHA_ADDRESS])
@pytest.mark.parametrize(("first", "second"), [(b"FREE", b"unlisted.example"), (b"unlisted.example", b"FREE")])
@pytest.mark.parametrize("where", ["list", "extension"])
def test_a_hello_with_two_names_frees_nothing(server, first, second, where):
    free = b"alpha.example" if server == ALPHA_ADDRESS else b"gamma.example"
    first, second = first.replace(b"FREE", free), second.replace(b"FREE", free)
    # A hello of one name whose extension is put into another's place: of the first, and behind all others.
    hello = hello_naming(first, named(second))
    if where == "list":
        hello = hello_naming(b"%b\0%b%b" % (first, struct.pack("!H", len(second)), second))
        listed = struct.pack("!BH", 0, len(first) + 3 + len(second))
        hello = hello.replace(listed + first, struct.pack("!BH", 0, len(first)) + first)
    assert charged(hello, server) == ("unknown_application" if second == free else "contradicted")
