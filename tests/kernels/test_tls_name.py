"""The server name of ClientHellos made by Python's own TLS stack and by scapy, whole, cut, over records, and spoilt."""

from __future__ import annotations

import random
import struct

import numpy as np
import pytest
from frames import client_hello, modest, over_records, read_only
from hypothesis import given
from hypothesis import strategies as st

from classifier.kernels.jit import kernel
from classifier.kernels.names import RAW_AT, SCRATCH_OCTETS
from classifier.kernels.tls import LENGTH_MASK, NEED_MORE, NO_NAME, NOT_THIS, tls_name

SCRATCH = np.zeros(SCRATCH_OCTETS, np.uint8)
NAME = "www.alpha.example"
HELLO = client_hello(NAME)
LONG = client_hello(NAME, 1700)
# A flight ends where its last octet is; a byte of some record may follow it in one segment.
POISON = b"\x16\x03\x01\x00\x05"


@kernel
def find_name(data, start, end, scratch, final):
    return tls_name(data, start, end, scratch, final)


def name_of(octets: bytes, final=0, before=b"", behind=b""):
    """The name, or the status."""
    SCRATCH.fill(0xEE)
    buffer = read_only(before + octets + behind)
    found = find_name(buffer, len(before), len(before) + len(octets), SCRATCH, final)
    if found <= 0:
        return found
    return SCRATCH[RAW_AT : RAW_AT + (found & LENGTH_MASK)].tobytes().decode("latin-1")


def extension_end(hello: bytes) -> int:
    """Where the name ends in a hello that holds it once."""
    assert hello.count(NAME.encode()) == 1
    return hello.index(NAME.encode()) + len(NAME)


@pytest.mark.parametrize("name", ["a.example", "WWW.Alpha.Example", "x" * 63 + ".example", "a." * 120 + "example"])
def test_the_name_is_shown_in_lower_case(name):
    assert name_of(client_hello(name)) == name.lower()


def test_a_hello_without_a_name_has_none():
    assert name_of(client_hello(None)) == NO_NAME


@pytest.mark.parametrize("hello", [HELLO, LONG], ids=["short", "long"])
def test_a_hello_cut_anywhere_needs_more_and_at_the_end_gives_what_it_has(hello):
    assert len(LONG) > 1700
    for octets in range(len(hello) + 1):
        found = name_of(hello[:octets], behind=POISON * 20)
        if octets == len(hello):
            assert found == NAME
        else:
            assert found == NEED_MORE if octets else found in (NEED_MORE, NOT_THIS)
        last = name_of(hello[:octets], final=1, behind=hello[octets:])
        if octets >= extension_end(hello):
            assert last == NAME
        else:
            assert last in (NO_NAME, NOT_THIS)


@pytest.mark.parametrize("first", range(1, 12))
def test_a_hello_over_two_records_is_joined_wherever_the_first_one_ends(first):
    """RFC 8446, 5.1: a handshake message may be cut anywhere, in its own header too."""
    assert name_of(over_records(HELLO, [first])) == NAME


@modest(150)
@given(st.lists(st.integers(1, len(HELLO)), min_size=1, max_size=8), st.binary(max_size=20))
def test_a_hello_over_any_records_is_joined(cuts, behind):
    flight = over_records(HELLO, cuts)
    assert name_of(flight, before=b"\x16\x03", behind=behind) == NAME


@modest(60)
@given(st.lists(st.integers(1, len(HELLO)), min_size=1, max_size=5))
def test_a_hello_over_records_cut_anywhere_never_gives_another_name(cuts):
    flight = over_records(HELLO, cuts)
    for octets in range(len(flight)):
        assert name_of(flight[:octets]) in (NEED_MORE, NOT_THIS)
        assert name_of(flight[:octets], final=1) in (NO_NAME, NOT_THIS, NAME)


def test_records_behind_the_hello_change_nothing():
    assert name_of(HELLO + b"\x14\x03\x03\x00\x01\x01\x17\x03\x03\x00\x05hello") == NAME


def test_a_name_of_another_type_before_the_host_name_is_passed_over():
    """RFC 6066, 3: a list of names, each with its type and length."""
    name = NAME.encode()
    listed = b"\x07" + struct.pack("!H", 3) + b"abc" + b"\x00" + struct.pack("!H", len(name)) + name
    extension = struct.pack("!HHH", 0, len(listed) + 2, len(listed)) + listed
    body = b"\x03\x03" + b"r" * 32 + b"\x00" + b"\x00\x02\x13\x01" + b"\x01\x00"
    body += struct.pack("!H", len(extension)) + extension
    message = b"\x01" + len(body).to_bytes(3, "big") + body
    assert name_of(b"\x16\x03\x01" + struct.pack("!H", len(message)) + message) == NAME


@pytest.mark.parametrize(
    "octets",
    [b"GET / HTTP/1.1\r\n\r\n", b"\x16\x02\x01\x02\0\x01", b"\x17\x03\x03\x00\x20", b"\x16\x03\x03\x00\x20\x02"],
)
def test_what_is_no_client_hello_is_not_this(octets):
    assert name_of(octets + b"\0" * 40) == NOT_THIS


def test_scapy_reads_the_same_name_out_of_these_hellos():
    from scapy.layers.tls.all import TLS, TLSClientHello  # slow to import

    for hello in (HELLO, LONG):
        (name,) = (
            server.servername.decode()
            for extension in TLS(hello)[TLSClientHello].ext
            if extension.name.startswith("TLS Extension - Server Name")
            for server in extension.servernames
        )
        assert name_of(hello) == name


def test_spoilt_hellos_never_read_outside_and_never_show_more_than_they_hold():
    chance = random.Random(7)
    for _ in range(3000):
        octets = bytearray(HELLO if chance.random() < 0.7 else over_records(HELLO, [chance.randrange(1, 500)]))
        for _ in range(chance.randrange(1, 6)):
            octets[chance.randrange(len(octets))] = chance.randrange(256)
        octets = bytes(octets[: chance.randrange(1, len(octets) + 1)])
        for final in (0, 1):
            found = name_of(octets, final)
            assert found == name_of(octets, final, before=b"\x16" * 9, behind=b"a" * 700)
            if isinstance(found, str):
                assert len(found) <= 512


@modest(300)
@given(st.binary(max_size=200), st.booleans())
def test_any_octets_behind_the_mark_of_a_hello_are_survived(octets, final):
    head = b"\x16\x03\x01\x00\xc0\x01\x00\x00\xbc\x03\x03"
    assert name_of(head + octets, int(final)) == name_of(head + octets, int(final), behind=b"\xff" * 64)
