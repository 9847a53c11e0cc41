"""Row 2: the same with HTTP: Host, an absolute URI, a proxy's own header, CONNECT."""

from __future__ import annotations

import pytest
from frames import client_hello
from meters import ALPHA_ADDRESS
from scenes import FOREIGN, Connection, Wire, bill, request, verdicts


def asked(server: str, *lines: str) -> tuple[Wire, int]:
    wire = Wire()
    talk = Connection(wire, server, server_port=80).open().ask(request(*lines)).close()
    return wire, talk.octets


def test_a_borrowed_host_is_contradicted_and_the_real_one_is_free():
    lines = ("GET / HTTP/1.1", "Host: www.alpha.example")
    wire, octets = asked(FOREIGN, *lines)
    assert bill(wire) == {"contradicted": octets}
    wire, octets = asked(ALPHA_ADDRESS, *lines)
    assert bill(wire) == {"free": octets}


def test_a_header_that_proxies_made_up_names_nothing():
    wire, octets = asked(FOREIGN, "GET / HTTP/1.1", "Host: unlisted.example", "X-Online-Host: gamma.example")
    assert bill(wire) == {"unknown_application": octets}
    wire, octets = asked(FOREIGN, "GET / HTTP/1.1", "X-Online-Host: gamma.example")
    assert bill(wire) == {"unknown_application": octets}


@pytest.mark.parametrize(
    ("target", "host", "expected"),
    [
        ("http://unlisted.example/", "gamma.example", "unknown_application"),
        ("http://gamma.example@unlisted.example/", "gamma.example", "unknown_application"),
        ("https://unlisted.example/", "gamma.example", "unknown_application"),
        ("ws+x://unlisted.example?", "gamma.example", "unknown_application"),
        (" http://unlisted.example/", "gamma.example", "unknown_application"),
        ("/http://unlisted.example/", "gamma.example", "free"),
        ("HTTP://unlisted.example:80", "gamma.example", "unknown_application"),
        ("http://gamma.example/", "unlisted.example", "free"),
        ("http://alpha.example/", "gamma.example", "contradicted"),
    ],
)
def test_the_authority_of_an_absolute_uri_wins_over_host(target, host, expected):
    """RFC 9112, 3.2.2."""
    wire, octets = asked(FOREIGN, f"GET {target} HTTP/1.1", f"Host: {host}")
    assert bill(wire) == {expected: octets}


@pytest.mark.parametrize("server", [FOREIGN, ALPHA_ADDRESS])
def test_connect_is_charged_wherever_it_goes(server):
    """What follows is a tunnel to anywhere, whatever it is called."""
    wire, octets = asked(server, "CONNECT alpha.example:443 HTTP/1.1", "Host: alpha.example:443")
    assert set(bill(wire)) <= {"contradicted", "unknown_application"}
    assert sum(bill(wire).values()) == octets


@pytest.mark.parametrize("inside", ["alpha.example", "gamma.example", "unlisted.example"])
def test_a_hello_inside_a_tunnel_makes_nothing_free(inside):
    """Two names where one belongs: the one that CONNECT asks for, and the one asked for through it."""
    wire = Wire()
    talk = Connection(wire, ALPHA_ADDRESS, server_port=8080).open()
    talk.ask(request("CONNECT alpha.example:443 HTTP/1.1", "Host: alpha.example:443"), 39).ask(client_hello(inside))
    found = bill(wire)
    assert set(found) <= {"contradicted", "unknown_application"}
    assert sum(found.values()) == talk.octets
    assert verdicts(wire)[0][2] == inside
