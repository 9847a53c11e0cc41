"""The lab's resolver and web server, asked by programs that are not ours: dpkt reads answers, http.client speaks HTTP."""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import ipaddress
import socket
import threading

import dpkt
import pytest

from classifier.catalogue.load import load_catalogue
from classifier.lab.dns import respond
from classifier.lab.http import BODY_OCTETS_MAX, answer
from classifier.lab.topology import sites

ADDRESSES = {site.name: site.addresses for site in sites(load_catalogue())}
GIVE_UP_S = 10


def _ask(name: str, kind: int) -> dpkt.dns.DNS:
    query = dpkt.dns.DNS(id=4711, qd=[dpkt.dns.DNS.Q(name=name, type=kind)])
    return dpkt.dns.DNS(respond(bytes(query), ADDRESSES))


@pytest.mark.parametrize("name", ["www.facebook.com", "WWW.Facebook.com"])
def test_the_resolver_answers_with_the_addresses_of_the_kind_asked_for(name):
    v4, v6 = ADDRESSES["www.facebook.com"]
    one, other = _ask(name, dpkt.dns.DNS_A), _ask(name, dpkt.dns.DNS_AAAA)
    assert (one.id, one.qr, one.rcode, [bytes(record.ip) for record in one.an]) == (4711, 1, 0, [v4.packed])
    assert [ipaddress.ip_address(bytes(record.ip6)) for record in other.an] == [v6]
    assert one.an[0].ttl > 0


def test_a_name_without_an_address_of_this_kind_exists_and_an_unknown_one_does_not():
    (only,) = ADDRESSES["www.whatsapp.com"]
    assert only.version == 4
    missing = _ask("www.whatsapp.com", dpkt.dns.DNS_AAAA)
    assert (missing.rcode, missing.an) == (dpkt.dns.DNS_RCODE_NOERR, [])
    unknown = _ask("www.example.org", dpkt.dns.DNS_A)
    assert (unknown.rcode, unknown.an) == (dpkt.dns.DNS_RCODE_NXDOMAIN, [])


def test_what_is_no_query_gets_no_answer():
    answered = bytes(dpkt.dns.DNS(id=1, qr=1, qd=[dpkt.dns.DNS.Q(name="www.facebook.com", type=dpkt.dns.DNS_A)]))
    for octets in (b"", b"\0" * 11, b"\xff" * 40, answered):
        assert respond(octets, ADDRESSES) is None


@pytest.fixture
def port():
    """The web server on the loopback interface, in a thread."""
    started, told = threading.Event(), {}

    async def serve():
        told["loop"], told["end"] = asyncio.get_running_loop(), asyncio.Event()
        async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
            told["port"] = server.sockets[0].getsockname()[1]
            started.set()
            await told["end"].wait()

    thread = threading.Thread(target=asyncio.run, args=(serve(),), daemon=True)
    thread.start()
    assert started.wait(GIVE_UP_S)
    yield told["port"]
    told["loop"].call_soon_threadsafe(told["end"].set)
    thread.join(GIVE_UP_S)
    assert not thread.is_alive()


def test_the_web_server_gives_as_many_octets_as_are_asked_for_and_takes_what_comes(port):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=GIVE_UP_S)
    for octets in (0, 1, 100_000):
        connection.request("GET", f"/{octets}")
        assert len(connection.getresponse().read()) == octets
    connection.request("POST", "/", body=b"x" * 50_000)
    response = connection.getresponse()
    assert (response.status, response.read()) == (200, b"")
    connection.close()


@pytest.mark.parametrize(
    "octets",
    [
        b"\r\n\r\n",
        b"GET /x HTTP/1.1\r\n\r\n",
        f"GET /{BODY_OCTETS_MAX + 1} HTTP/1.1\r\n\r\n".encode(),
        b"POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
        b"G" * 100_000,
    ],
)
def test_what_it_does_not_understand_ends_the_connection(port, octets):
    with socket.create_connection(("127.0.0.1", port), timeout=GIVE_UP_S) as client:
        client.sendall(octets)
        with contextlib.suppress(ConnectionResetError):
            assert client.recv(1) == b""
