"""Row 10, where TLS is asked for in plain text first: the ClientHello begins in the middle of the client's stream."""

from __future__ import annotations

from itertools import pairwise

import pytest
from frames import client_hello, modest
from hypothesis import given
from hypothesis import strategies as st
from meters import ALPHA_ADDRESS
from scenes import FOREIGN, Connection, Wire, bill, verdicts

NAME = "mail.alpha.example"
HELLO = client_hello(NAME)

# What client and server say in turn, the client first; each is made up after the document named.
PREAMBLES = {
    "SMTP (RFC 3207)": [
        (b"", b"220 mail.alpha.example ESMTP\r\n"),
        (b"EHLO me.test\r\n", b"250-mail.alpha.example\r\n250 STARTTLS\r\n"),
        (b"STARTTLS\r\n", b"220 Go\r\n"),
    ],
    "IMAP (RFC 9051, 6.2.1)": [(b"", b"* OK ready\r\n"), (b"a1 STARTTLS\r\n", b"a1 OK begin\r\n")],
    "POP3 (RFC 2595, 4)": [(b"", b"+OK ready\r\n"), (b"STLS\r\n", b"+OK begin\r\n")],
    "FTP (RFC 4217, 4)": [(b"", b"220 ready\r\n"), (b"AUTH TLS\r\n", b"234 begin\r\n")],
    "XMPP (RFC 6120, 5.4)": [
        (b"<?xml version='1.0'?><stream:stream to='alpha.example'>", b"<stream:features><starttls/></stream:features>"),
        (b"<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>", b"<proceed/>"),
    ],
    "LDAP (RFC 4511, 4.14)": [
        (b"0\x1d\x02\x01\x01w\x18\x80\x161.3.6.1.4.1.1466.20037", b"0\x0c\x02\x01\x01x\x07\n\x01\0\x04\0\x04\0")
    ],
    "PostgreSQL (protocol 3, SSLRequest)": [(b"\0\0\0\x08\x04\xd2\x16\x2f", b"S")],
    "SOCKS5 (RFC 1928)": [
        (b"\x05\x01\0", b"\x05\0"),
        (b"\x05\x01\0\x01\xcb\0\x71\x0a\x01\xbb", b"\x05\0\0\x01" + b"\0" * 6),
    ],
}


def talked(preamble: str, pieces: list[tuple[int, bytes]], server: str) -> tuple[Wire, int]:
    wire = Wire()
    talk = Connection(wire, server, server_port=5222).open()
    for asked, answered in PREAMBLES[preamble]:
        if asked:
            talk.up(asked)
        talk.down(answered)
    begin = talk.sent_up
    for at, piece in pieces:
        talk.up(piece, at=begin + at)
    talk.down(b"x" * 900).close()
    return wire, talk.octets


@pytest.mark.parametrize("preamble", PREAMBLES)
@pytest.mark.parametrize("server", [ALPHA_ADDRESS, FOREIGN])
def test_the_name_is_found_behind_it(preamble, server):
    wire, octets = talked(preamble, [(0, HELLO)], server)
    own = server == ALPHA_ADDRESS
    assert verdicts(wire) == [("alpha", "verified" if own else "contradicted", NAME)]
    assert bill(wire) == {"free" if own else "contradicted": octets}


@pytest.mark.parametrize("preamble", PREAMBLES)
@pytest.mark.parametrize("cut", [1, 2, 5, 6])
@pytest.mark.parametrize("turned", [False, True])
def test_and_with_its_first_octets_alone_before_or_behind_the_others(preamble, cut, turned):
    """The one letter by which a PostgreSQL server agrees might begin a request; the hello is not to wait for that."""
    pieces = [(0, HELLO[:cut]), (cut, HELLO[cut:])]
    wire, octets = talked(preamble, pieces[::-1] if turned else pieces, FOREIGN)
    assert verdicts(wire) == [("alpha", "contradicted", NAME)]
    assert bill(wire) == {"contradicted": octets}


@modest(40)
@given(
    st.sampled_from(sorted(PREAMBLES)),
    st.lists(st.integers(1, len(HELLO) - 1), max_size=5),
    st.randoms(use_true_random=False),
)
def test_and_in_pieces_of_any_order_too(preamble, cuts, random):
    pieces = [(a, HELLO[a:b]) for a, b in pairwise([0, *sorted(set(cuts)), len(HELLO)])]
    random.shuffle(pieces)
    wire, octets = talked(preamble, pieces, FOREIGN)
    assert verdicts(wire) == [("alpha", "contradicted", NAME)]
    assert bill(wire) == {"contradicted": octets}
