"""Which packets are believed: configured servers, seals, answers, and nobody else."""

from __future__ import annotations

from ipaddress import ip_address, ip_network

from binding_packets import INTERIM, START, STOP, accounting, ack, dhcp_message, response
from hypothesis import given
from hypothesis import strategies as st
from scapy.layers.dhcp6 import (
    DUID_LL,
    DHCP6_Release,
    DHCP6_Reply,
    DHCP6OptClientId,
    DHCP6OptIA_NA,
    DHCP6OptIAAddress,
)

from classifier.subscribers.bindings import NOT_BOUND, Bindings
from classifier.subscribers.watch import ANSWER_NS, WAITING_MAX, WATCHED_PORTS, Watch

S = 10**9
SECRET = b"testing123"
NAS, SERVER, DHCP_SERVER, STRANGER = "192.0.2.1", "192.0.2.9", "192.0.2.67", "10.0.0.66"
DHCPV6_SERVER = "2001:db8:5::1"
MAC = "00:0b:82:01:fc:42"


def make(secret=None, radius=(f"{SERVER}/32",), dhcp=(f"{DHCP_SERVER}/32", "2001:db8:5::/64")):
    bindings = Bindings(
        ("anna", "ben", MAC), radius_identities=["user_name"], dhcp_identities=["mac", "duid"], capacity=9
    )
    return Watch(
        bindings,
        radius_servers=[ip_network(text) for text in radius],
        dhcp_servers=[ip_network(text) for text in dhcp],
        secret=secret,
    )


def send(watch, source, destination, ports, payload, seconds=0):
    source, destination = ip_address(source), ip_address(destination)
    changes = watch.observe(int(seconds * S), source.version, int(source), int(destination), *ports, payload)
    return [(change.subscriber_number, change.starts_ns / S) for change in changes]


def ask(watch, payload, seconds=0, source=NAS, destination=SERVER, port=40000):
    return send(watch, source, destination, (port, 1813), payload, seconds)


def answer(watch, identifier=1, seconds=0, source=SERVER, destination=NAS, port=40000):
    return send(watch, source, destination, (1813, port), response(identifier), seconds)


ANNA = accounting(START, "a", address="10.0.0.7", user="anna", secret=SECRET)
BEN = accounting(START, "b", address="10.0.0.7", user="ben", secret=SECRET, identifier=2)


def test_with_the_secret_a_sealed_request_counts_at_once_and_another_never():
    watch = make(SECRET)
    forged = accounting(START, "a", address="10.0.0.7", user="anna", secret=b"guessed")
    assert ask(watch, forged) == answer(watch) == []
    assert ask(watch, ANNA, 1) == [(1, 1)]
    assert watch.notices() == (("accounting requests with a wrong authenticator of RADIUS or DHCP", 1),)


def test_without_the_secret_a_request_counts_when_the_server_answers_it():
    watch = make()
    assert ask(watch, ANNA, 1) == []
    assert answer(watch, identifier=2, seconds=1.1) == []
    assert answer(watch, seconds=1.2, port=40001) == []
    assert answer(watch, seconds=1.3, source=STRANGER) == []
    assert answer(watch, seconds=1.5) == [(1, 1.5)]
    assert answer(watch, seconds=1.6) == []


def test_a_subscriber_that_sends_accounting_of_its_own_binds_nothing():
    watch = make()
    assert ask(watch, ANNA, source=STRANGER) == []  # the server knows no such client and stays silent
    assert ask(watch, BEN, 100) == []
    assert watch.notices() == (("accounting requests that no server answered", 1),)


def test_an_answer_that_comes_too_late_answers_another_request():
    watch = make()
    ask(watch, ANNA)
    assert answer(watch, seconds=(ANSWER_NS + 1) / S) == []


def test_a_session_is_older_by_the_time_that_its_answer_took():
    watch = make()
    ask(watch, accounting(INTERIM, "a", address="10.0.0.7", user="anna"), 10)
    ask(watch, BEN, 11)
    assert answer(watch, 2, 12) == [(2, 12)]
    assert answer(watch, 1, 13) == []  # asked before Ben's, answered after


def test_requests_that_wait_are_no_more_than_there_is_room_for():
    watch = make()
    for port in range(WAITING_MAX + 5):
        ask(watch, ANNA, port=10000 + port)
    assert dict(watch.notices()) == {"accounting requests that no server answered": 5}
    assert answer(watch, port=10000) == []
    assert answer(watch, port=10005) == [(1, 0)]


def test_accounting_between_others_and_on_other_ports_is_left_alone():
    watch = make(SECRET)
    assert ask(watch, ANNA, destination=STRANGER) == []
    assert send(watch, NAS, SERVER, (40000, 1812), ANNA) == []
    assert send(watch, NAS, SERVER, (40000, 1646), ANNA) == [(1, 0)]
    by_client = make(SECRET, radius=(f"{NAS}/32",))
    assert ask(by_client, ANNA) == [(1, 0)]


def test_the_address_goes_over_in_mid_capture():
    # Attack 26, from packets.
    watch = make(SECRET)
    assert ask(watch, ANNA, 10) == [(1, 10)]
    assert ask(watch, BEN, 20) == [(2, 20)]
    assert ask(watch, accounting(STOP, "a", user="anna"), 21) == []
    assert ask(watch, accounting(STOP, "b", user="ben"), 30) == [(NOT_BOUND, 30)]


def test_a_lease_counts_from_a_server_and_from_nobody_else():
    watch = make()
    payload = ack(MAC, "10.0.0.7", 60)
    assert send(watch, STRANGER, "10.0.0.7", (67, 68), payload) == []
    assert send(watch, DHCP_SERVER, "255.255.255.255", (67, 68), payload, 1) == [(3, 1)]
    assert send(watch, DHCP_SERVER, "192.0.2.5", (67, 67), ack(MAC, "10.0.0.8", 60), 2) == [(3, 2)]
    assert send(make(dhcp=()), DHCP_SERVER, "255.255.255.255", (67, 68), payload) == []


def test_a_release_counts_from_the_address_itself_or_through_a_listed_relay():
    for source in ("10.0.0.7", DHCP_SERVER):
        watch = make()
        send(watch, DHCP_SERVER, "10.0.0.7", (67, 68), ack(MAC, "10.0.0.7", 60))
        release = dhcp_message("release", MAC, ciaddr="10.0.0.7")
        assert send(watch, STRANGER, DHCP_SERVER, (68, 67), release, 1) == []
        assert send(watch, "10.0.0.7", STRANGER, (68, 67), release, 1) == []
        assert send(watch, source, DHCP_SERVER, (68, 67), release, 2) == [(NOT_BOUND, 2)]


def test_leases_of_ipv6_come_from_a_server_and_are_released_on_the_link():
    watch = make()
    lease = [
        DHCP6OptClientId(duid=DUID_LL(lladdr=MAC)),
        DHCP6OptIA_NA(ianaopts=[DHCP6OptIAAddress(addr="2001:db8::7", validlft=60)]),
    ]
    reply = bytes(DHCP6_Reply() / lease[0] / lease[1])
    release = bytes(DHCP6_Release() / lease[0] / lease[1])
    assert send(watch, "2001:db8:6::1", "fe80::7", (547, 546), reply) == []
    assert send(watch, DHCPV6_SERVER, "fe80::7", (547, 546), reply, 1) == [(4, 1)]
    assert watch.bindings.names == ["00030001000b8201fc42"]
    assert send(watch, "fe80::7", "2001:db8:6::1", (546, 547), release, 2) == []
    assert send(watch, "fe80::7", "ff02::1:2", (546, 547), release, 2) == [(NOT_BOUND, 2)]


def test_malformed_messages_are_counted_once_and_only_where_they_would_count():
    watch = make(SECRET)
    ask(watch, ANNA[:-1])
    ask(watch, ANNA[:-1], destination=STRANGER)
    send(watch, DHCP_SERVER, DHCP_SERVER, (67, 67), b"\x02")
    send(watch, STRANGER, STRANGER, (67, 67), b"\x02")
    send(watch, "fe80::7", "ff02::1:2", (546, 547), b"\x08")
    assert watch.notices() == (("malformed messages of RADIUS or DHCP", 3),)
    off = make(dhcp=())
    send(off, "fe80::7", "ff02::1:2", (546, 547), b"\x08")
    assert off.notices() == ()


@given(
    st.lists(
        st.tuples(
            st.sampled_from(sorted(WATCHED_PORTS)), st.sampled_from(sorted(WATCHED_PORTS)), st.binary(max_size=60)
        )
    )
)
def test_no_octets_from_a_server_raise_or_bind(datagrams):
    watch = make()
    for ports in datagrams:
        assert send(watch, SERVER, SERVER, ports[:2], ports[2]) == []
        assert send(watch, DHCP_SERVER, DHCP_SERVER, ports[:2], ports[2]) == []
        assert send(watch, DHCPV6_SERVER, DHCPV6_SERVER, ports[:2], ports[2]) == []
    assert len(watch.bindings) == 0
