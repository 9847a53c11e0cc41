"""An address that RADIUS or DHCP hands on in mid-capture (attack 26): each octet is whose address it was when it passed."""

from __future__ import annotations

import pytest
from binding_packets import INTERIM, ON, START, STOP, accounting, ack, dhcp_message, imsi, prefix_v6, response
from bound_session import SERVER, Wire, datagram, run
from frames import client_hello
from scapy.layers.dhcp6 import (
    DUID_LL,
    DHCP6_Release,
    DHCP6_Reply,
    DHCP6OptClientId,
    DHCP6OptIA_NA,
    DHCP6OptIAAddress,
    DHCP6OptServerId,
)
from scapy.layers.inet import ICMP, IP, TCP, UDP, fragment

NAS, AAA = "192.0.2.1", "192.0.2.2"
DHCP_SERVER = "192.0.2.67"
RADIUS = f'[radius]\nservers = ["{AAA}"]\nsecret_file = "secret"\n[bindings]\ncapacity = 8\n'
DHCP = f'[dhcp]\nservers = ["{DHCP_SERVER}", "2001:db8:67::1"]\n[bindings]\ncapacity = 8\n'
LISTED = "460001,,china-mobile\nzhao,10.0.0.9,\n"
ADDRESS, MAC_A, MAC_B = "10.0.0.7", "02:00:00:00:00:0a", "02:00:00:00:00:0b"
TALK = 128 + 228  # 100 and 200 octets with 28 of IP and UDP
TALK_V6 = 148 + 248


def radius(payload: bytes):
    return datagram(NAS, AAA, 1812, 1813, payload)


def lease(mac: str, address: str, seconds: int = 3600):
    return datagram(DHCP_SERVER, "255.255.255.255", 67, 68, ack(mac, address, seconds))


def handed_on_by_radius() -> Wire:
    """The address plain, then a listed subscriber's, then one's that nobody listed, then nobody's once more."""
    wire = Wire().talk(ADDRESS)
    wire.send(radius(accounting(START, "s1", imsi("460001"), address=ADDRESS))).talk(ADDRESS).talk(ADDRESS)
    wire.send(radius(accounting(STOP, "s1", imsi("460001"), address=ADDRESS)))
    wire.send(radius(accounting(START, "s2", imsi("460002"), address=ADDRESS))).talk(ADDRESS, 10, 20)
    return wire.send(radius(accounting(STOP, "s2"))).talk(ADDRESS)


@pytest.mark.parametrize("batch_frames", [1, 7, 4096])
def test_by_radius_every_octet_is_whose_session_it_was(tmp_path, batch_frames):
    found = run(tmp_path, RADIUS, handed_on_by_radius(), subscribers=LISTED, batch_frames=batch_frames)
    assert found.octets == {ADDRESS: 2 * TALK, "460001": 2 * TALK, "460002": 38 + 48}
    assert [flow.ended for flow in found.flows if flow.client == ADDRESS] == ["handed_on"] * 3 + ["input_end"]
    assert found.unmetered["transit"][0] == 4, "accounting goes between strangers"


@pytest.mark.parametrize("batch_frames", [1, 7, 4096])
def test_by_dhcp_every_octet_is_whose_lease_it_was(tmp_path, batch_frames):
    wire = Wire().send(lease(MAC_A, ADDRESS)).talk(ADDRESS)
    release = dhcp_message("release", MAC_A, ciaddr=ADDRESS)
    wire.send(datagram(ADDRESS, DHCP_SERVER, 68, 67, release)).talk(ADDRESS, 1, 2)
    wire.send(lease(MAC_B, ADDRESS)).talk(ADDRESS, 10, 20).talk(ADDRESS)
    found = run(tmp_path, DHCP, wire, batch_frames=batch_frames)
    assert found.octets == {
        MAC_A: TALK + 28 + len(release),  # the release itself is still the former one's
        ADDRESS: 29 + 30,
        MAC_B: 38 + 48 + TALK,
    }


def test_a_lease_ends_by_packet_time(tmp_path):
    """At the very second, and whatever packet comes first; a flow that is open then is the former one's until then."""
    wire = Wire().send(lease(MAC_A, ADDRESS, 60)).talk(ADDRESS).wait(59.9).talk(ADDRESS).wait(0.2).talk(ADDRESS, 1, 2)
    for batch_frames in (1, 4096):
        assert run(tmp_path, DHCP, wire, batch_frames=batch_frames).octets == {MAC_A: 2 * TALK, ADDRESS: 29 + 30}


def test_a_renewed_lease_goes_on_in_the_same_flow(tmp_path):
    wire = Wire().send(lease(MAC_A, ADDRESS, 60)).talk(ADDRESS).wait(50).send(lease(MAC_A, ADDRESS, 60))
    found = run(tmp_path, DHCP, wire.wait(50).talk(ADDRESS))
    assert found.octets == {MAC_A: 2 * TALK}
    assert [flow.ended for flow in found.flows if flow.client == ADDRESS] == ["input_end"]


def test_an_idle_session_is_over(tmp_path):
    settings = RADIUS.replace("[bindings]", "idle_seconds = 100\n[bindings]")
    start = radius(accounting(START, "s1", imsi("460001"), address=ADDRESS))
    interim = radius(accounting(INTERIM, "s1", imsi("460001"), address=ADDRESS))
    wire = Wire().send(start).talk(ADDRESS).wait(90).send(interim).wait(90).talk(ADDRESS).wait(90).talk(ADDRESS, 1, 2)
    assert run(tmp_path, settings, wire, subscribers=LISTED).octets == {"460001": 2 * TALK, ADDRESS: 29 + 30}


def test_a_request_with_a_wrong_secret_binds_nothing_and_is_told(tmp_path):
    wire = (
        Wire().send(radius(accounting(START, "s1", imsi("460001"), address=ADDRESS, secret=b"guessed"))).talk(ADDRESS)
    )
    found = run(tmp_path, RADIUS, wire, subscribers=LISTED)
    assert found.octets == {ADDRESS: TALK}
    assert ("accounting requests with a wrong authenticator of RADIUS or DHCP", 1) in found.report.notices


def test_without_a_secret_a_request_counts_from_its_answer_on(tmp_path):
    settings = RADIUS.replace('secret_file = "secret"\n', "")
    wire = Wire().send(radius(accounting(START, "s1", imsi("460001"), address=ADDRESS))).talk(ADDRESS, 1, 2)
    wire.send(datagram(AAA, NAS, 1813, 1812, response())).talk(ADDRESS)
    assert run(tmp_path, settings, wire, subscribers=LISTED).octets == {ADDRESS: 29 + 30, "460001": TALK}


def test_a_message_that_is_cut_or_in_fragments_is_counted(tmp_path):
    request = radius(accounting(START, "s1", imsi("460001"), address=ADDRESS))
    wire = Wire()
    for piece in fragment(request, 40):
        wire.send(piece)
    found = run(tmp_path, RADIUS, wire.talk(ADDRESS), subscribers=LISTED)
    assert found.octets == {ADDRESS: TALK}
    assert ("messages of RADIUS or DHCP that were cut or came in fragments", 1) in found.report.notices


def test_what_others_send_on_these_ports_binds_nothing(tmp_path):
    request = accounting(START, "s1", imsi("460001"), address=ADDRESS)
    wire = Wire().send(datagram("10.0.0.66", "198.51.100.1", 1812, 1813, request)).talk(ADDRESS)
    found = run(tmp_path, RADIUS, wire, subscribers=LISTED)
    assert found.octets == {ADDRESS: TALK, "10.0.0.66": 28 + len(request)}


def test_a_bound_address_outside_the_networks_is_a_subscriber(tmp_path):
    """Also for tunnels: one that a subscriber wraps itself stays closed, and counts as the outer packet."""
    outside = "198.51.100.7"
    wrapped = IP(src=outside, dst=SERVER) / IP(src="198.51.100.8", dst=SERVER) / UDP(sport=1, dport=2) / bytes(100)
    wire = Wire().talk(outside, 1, 2).send(wrapped)
    start = radius(accounting(START, "s1", imsi("460001"), address=outside))
    wire.send(start).talk(outside).send(wrapped)
    found = run(tmp_path, RADIUS, wire, subscribers=LISTED)
    assert found.octets == {"460001": TALK + 148}
    assert found.unmetered["transit"] == (4, 29 + 30 + 128 + len(start))


def test_ipv6_prefixes_go_by_the_longest(tmp_path):
    """A /56 of one subscriber, a /64 in it of another; outside both the /64 is a plain one."""
    near, far, other = "2001:db8:5:1::7", "2001:db8:5:2::7", "2001:db8:5:100::7"
    wire = Wire().send(radius(accounting(START, "s1", imsi("460001"), prefix_v6(123, "2001:db8:5::/56"))))
    wire.send(radius(accounting(START, "s2", imsi("460002"), prefix_v6(97, "2001:db8:5:1::/64"))))
    wire.talk(near).talk(far, 10, 20).talk(other, 1, 2)
    wire.send(radius(accounting(STOP, "s2"))).talk(near)
    found = run(tmp_path, RADIUS, wire, subscribers=LISTED)
    assert found.octets == {"460002": TALK_V6, "460001": 58 + 68 + TALK_V6, "2001:db8:5:100::/64": 49 + 50}


def test_a_restarted_access_server_ends_all_its_sessions(tmp_path):
    wire = Wire()
    for number in range(1, 5):
        wire.send(radius(accounting(START, f"s{number}", imsi(f"46000{number}"), address=f"10.0.1.{number}")))
        wire.talk(f"10.0.1.{number}")
    wire.send(radius(accounting(ON, "")))
    for number in range(1, 5):
        wire.talk(f"10.0.1.{number}", 1, 2)
    found = run(tmp_path, RADIUS, wire, subscribers=LISTED).octets
    assert found == {f"46000{number}": TALK for number in range(1, 5)} | {f"10.0.1.{n}": 59 for n in range(1, 5)}


def test_a_listed_address_is_its_subscribers_until_it_is_bound_to_another(tmp_path):
    wire = Wire().talk("10.0.0.9").send(radius(accounting(START, "s1", imsi("460001"), address="10.0.0.9")))
    wire.talk("10.0.0.9", 1, 2)
    assert run(tmp_path, RADIUS, wire, subscribers=LISTED).octets == {"zhao": TALK, "460001": 29 + 30}


def test_a_name_that_was_not_answered_before_the_change_is_worth_nothing_after_it(tmp_path):
    """The hello is held when the address goes on; the answer then meets a flow of the new subscriber, without a name."""
    hello = client_hello("www.wikipedia.org")
    up = {"sport": 5000, "dport": 443}
    down = {"sport": 443, "dport": 5000}
    before = [
        IP(src=ADDRESS, dst=SERVER) / TCP(**up, flags="S", seq=100),
        IP(src=SERVER, dst=ADDRESS) / TCP(**down, flags="SA", seq=900, ack=101),
        IP(src=ADDRESS, dst=SERVER) / TCP(**up, flags="PA", seq=101, ack=901) / hello,
    ]
    after = [IP(src=SERVER, dst=ADDRESS) / TCP(**down, flags="PA", seq=901, ack=101 + len(hello)) / bytes(1000)]
    wire = Wire().send(radius(accounting(START, "s1", imsi("460001"), address=ADDRESS)))
    for packet in before:
        wire.send(packet)
    wire.send(radius(accounting(START, "s2", imsi("460002"), address=ADDRESS)))
    for packet in after:
        wire.send(packet)
    found = run(tmp_path, RADIUS, wire, subscribers=LISTED)
    assert found.octets == {"460001": 40 + 40 + 40 + len(hello), "460002": 1040}
    assert {flow.application for flow in found.flows} == {"unknown"}


def test_fragments_that_wait_for_their_first_are_the_former_subscribers(tmp_path):
    whole = IP(src=SERVER, dst=ADDRESS, id=77) / UDP(sport=9000, dport=4000) / bytes(160)
    first, second = fragment(whole, 96)
    wire = Wire().send(radius(accounting(START, "s1", imsi("460001"), address=ADDRESS))).send(second)
    wire.send(radius(accounting(START, "s2", imsi("460002"), address=ADDRESS))).send(first).send(second)
    found = run(tmp_path, RADIUS, wire, subscribers=LISTED)
    assert found.octets == {"460001": 20 + 72, "460002": 20 + 96 + 20 + 72}


def test_fragments_behind_a_first_that_came_before_are_the_new_subscribers(tmp_path):
    first, second = fragment(IP(src=SERVER, dst=ADDRESS, id=77) / UDP(sport=9000, dport=4000) / bytes(160), 96)
    wire = Wire().send(radius(accounting(START, "s1", imsi("460001"), address=ADDRESS))).send(first)
    wire.send(radius(accounting(START, "s2", imsi("460002"), address=ADDRESS))).send(second)
    found = run(tmp_path, RADIUS, wire, subscribers=LISTED)
    assert found.octets == {"460001": 20 + 96, "460002": 20 + 72}


def test_an_icmp_error_for_a_former_subscribers_packet_is_the_new_ones(tmp_path):
    sent = datagram(ADDRESS, SERVER, 4000, 9000, 100)
    error = IP(src=SERVER, dst=ADDRESS) / ICMP(type=3, code=3) / sent
    wire = Wire().send(radius(accounting(START, "s1", imsi("460001"), address=ADDRESS))).send(sent)
    wire.send(radius(accounting(START, "s2", imsi("460002"), address=ADDRESS))).send(error)
    assert run(tmp_path, RADIUS, wire, subscribers=LISTED).octets == {"460001": 128, "460002": 28 + 128}


def test_an_address_that_came_back_has_a_new_flow(tmp_path):
    """From one to another and back while the flow is silent: what it was taken for is not taken over."""
    wire = Wire()
    for session, name in (("s1", "460001"), ("s2", "460002"), ("s3", "460001")):
        wire.send(radius(accounting(START, session, imsi(name), address=ADDRESS)))
        if session != "s2":
            wire.talk(ADDRESS)
    found = run(tmp_path, RADIUS, wire, subscribers=LISTED)
    assert found.octets == {"460001": 2 * TALK}
    assert [flow.ended for flow in found.flows if flow.client == ADDRESS] == ["handed_on", "input_end"]


def test_names_beyond_the_table_are_charged_together_and_addresses_beyond_it_stay_plain(tmp_path):
    settings = RADIUS.replace("capacity = 8", "capacity = 1")
    wire = Wire().send(radius(accounting(START, "s1", imsi("460009"), address=ADDRESS))).talk(ADDRESS)
    wire.send(radius(accounting(START, "s2", imsi("460010"), address="10.0.0.8"))).talk("10.0.0.8", 1, 2)
    wire.send(radius(accounting(STOP, "s1"))).send(
        radius(accounting(START, "s3", imsi("460011"), address=ADDRESS))
    ).talk(ADDRESS, 10, 20)
    found = run(tmp_path, settings, wire)
    assert found.octets == {"460009": TALK, "10.0.0.8": 59, "(beyond the subscriber table)": 86}
    assert ("addresses not bound, the table being full", 1) in found.report.notices


def test_dhcpv6_binds_and_releases_to_all_servers(tmp_path):
    address, duid = "2001:db8:5:9::7", DUID_LL(lladdr=MAC_A)

    def message(kind):
        lease = DHCP6OptIA_NA(iaid=1, ianaopts=[DHCP6OptIAAddress(addr=address, preflft=60, validlft=60)])
        return bytes(kind(trid=1) / DHCP6OptClientId(duid=duid) / DHCP6OptServerId(duid=DUID_LL(lladdr=MAC_B)) / lease)

    release = datagram(address, "ff02::1:2", 546, 547, message(DHCP6_Release))
    wire = Wire().send(datagram("2001:db8:67::1", address, 547, 546, message(DHCP6_Reply))).talk(address)
    wire.send(release).talk(address, 1, 2)
    found = run(tmp_path, DHCP, wire).octets
    offered = len(message(DHCP6_Reply)) + 48
    assert found == {
        bytes(duid).hex(): TALK_V6 + len(release),
        "2001:db8:5:9::/64": offered + 49 + 50,
    }
