"""Why a flow is what it is: sentences worked out by hand for each kind of evidence."""

from __future__ import annotations

from ipaddress import ip_network

import pytest

from classifier.catalogue.records import Application, Catalogue
from classifier.gateway.why import Why
from classifier.records import FlowRecord


def application(name, domains, addresses=(), shared=(), complete=False, anywhere=()):
    return Application(
        name=name,
        title=name,
        domains=domains,
        addresses=tuple(map(ip_network, addresses)),
        shared_addresses=tuple(map(ip_network, shared)),
        addresses_complete=complete,
        domains_anywhere=anywhere,
        services=(("udp", 53),) if name == "dns" else (),
        source="by hand",
        updated=None,
        file=f"apps/{name}.toml",
    )


WHY = Why(
    Catalogue(
        (
            application("book", ("book.example",), ["203.0.113.0/24"], (), True, ("cache.book.example",)),
            application("dns", ()),
            application("shop", ("shop.example",), (), ["198.51.100.0/24"]),
            application("talk", ("talk.example",)),
        ),
        (),
    )
)
FLOW = FlowRecord(
    subscriber="10.0.0.7",
    subscriber_is_client=True,
    client="10.0.0.7",
    client_port=50000,
    server="203.0.113.9",
    server_port=443,
    protocol="tcp",
    application="book",
    evidence="verified",
    source="tls_sni",
    name="www.book.example",
    other_name=None,
    first_packet_ns=0,
    last_packet_ns=0,
    uplink_octets=1,
    downlink_octets=1,
    uplink_packets=1,
    downlink_packets=1,
    retransmitted_octets=0,
    after_close_octets=0,
    ended="fin",
)
BOOK = "matches book.example of book (apps/book.toml)"
ELSEWHERE = {"server": "192.0.2.1"}
NAMELESS = {"name": None, "source": "none", "evidence": "none", "application": "unknown"}


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({}, f"www.book.example (TLS SNI) {BOOK}, and 203.0.113.9 is in 203.0.113.0/24, which is its own"),
        (
            {"name": "www.book.example.:443", "source": "http_host"},
            f"www.book.example.:443 (HTTP Host) {BOOK}, and 203.0.113.9 is in 203.0.113.0/24, which is its own",
        ),
        (
            ELSEWHERE,
            f"www.book.example (TLS SNI) {BOOK}, and an unexpired DNS answer gave 192.0.2.1 for that name to this subscriber",
        ),
        (
            ELSEWHERE | {"evidence": "contradicted"},
            f"www.book.example (TLS SNI) {BOOK}, but 192.0.2.1 is none of the addresses of book, whose list is complete: "
            "charged",
        ),
        (
            {"evidence": "contradicted", "other_name": "talk.example"},
            f"www.book.example (TLS SNI) {BOOK}, but talk.example was seen on the same flow: charged",
        ),
        (
            {"evidence": "contradicted"},
            f"www.book.example (TLS SNI) {BOOK}, but another copy of its octets, or what came with it, "
            "says something else: charged",
        ),
        (
            ELSEWHERE | {"evidence": "claimed", "name": "cache.book.example"},
            "cache.book.example (TLS SNI) matches cache.book.example of book (apps/book.toml), "
            "which may answer from any address: the name alone",
        ),
        (
            {"application": "shop", "evidence": "claimed", "name": "shop.example", "server": "198.51.100.4"},
            "shop.example (TLS SNI) matches shop.example of shop (apps/shop.toml), "
            "and 198.51.100.4 is in 198.51.100.0/24, which others use, too: the name alone",
        ),
        (
            {"application": "talk", "evidence": "claimed", "name": "talk.example"},
            "talk.example (TLS SNI) matches talk.example of talk (apps/talk.toml), "
            "and talk publishes no complete list of addresses: the name alone",
        ),
        (
            {"application": "unknown", "evidence": "none"},
            f"www.book.example (TLS SNI) {BOOK}, but the name was not answered, or the server wrote it: it proves nothing",
        ),
        (
            {"application": "unknown", "evidence": "none", "name": "notbook.example"},
            "notbook.example (TLS SNI) matches no rule, and a name that matches none decides for unknown, "
            "whatever its address",
        ),
        (
            NAMELESS | {"application": "book", "evidence": "address", "source": "address"},
            "no name, but 203.0.113.9 is in 203.0.113.0/24 (apps/book.toml), which book alone uses",
        ),
        (
            NAMELESS | {"server": "198.51.100.4"},
            "no name, and 198.51.100.4 is in 198.51.100.0/24 (apps/shop.toml), which is shared and never evidence alone",
        ),
        (
            NAMELESS | {"name": "198.51.100.4", "server": "198.51.100.4"},
            "198.51.100.4 is no host name, and 198.51.100.4 is in 198.51.100.0/24 (apps/shop.toml), "
            "which is shared and never evidence alone",
        ),
        (
            NAMELESS | ELSEWHERE | {"application": "book", "evidence": "claimed", "source": "dns"},
            "no name on the wire, but DNS answers gave 192.0.2.1 to this subscriber for names of book",
        ),
        (
            NAMELESS | {"application": "book", "evidence": "verified", "source": "quic_sni", "protocol": "udp"},
            "no name, but it goes on with a QUIC connection of book that was seen on another port",
        ),
        (NAMELESS | ELSEWHERE, "no name, and 192.0.2.1 is in nobody's list"),
        (
            NAMELESS | ELSEWHERE | {"application": "dns", "server_port": 53, "protocol": "udp"},
            "no name, but the service at port 53",
        ),
        (
            NAMELESS
            | {"client": "203.0.113.9", "server": "10.0.0.7", "subscriber_is_client": False}
            | {"application": "book", "evidence": "address"},
            "no name, but 203.0.113.9 is in 203.0.113.0/24 (apps/book.toml), which book alone uses",
        ),
    ],
)
def test_a_flow_is_explained_by_what_it_was_recognised_by(changes, sentence):
    assert WHY(FLOW._replace(**changes)) == sentence
