"""DHCP for IPv4, from packets that scapy builds and from option fields laid out as the RFCs say."""

from __future__ import annotations

import pytest
from binding_packets import ack, dhcp_message, prefix
from hypothesis import given
from hypothesis import strategies as st
from scapy.layers.dhcp import BOOTP

from classifier.subscribers.dhcp import read_ack, read_release
from classifier.subscribers.events import Action, Refusal

MAC = "00:0b:82:01:fc:42"
SECOND_NS = 10**9
COOKIE = b"\x63\x82\x53\x63"  # RFC 2131, 3
ACK_AND_LEASE = b"\x35\x01\x05\x33\x04\x00\x00\x0e\x10"  # options 53 = 5 and 51 = 3600


def the_event(read):
    (event,) = read
    return event


def bootreply(
    options: bytes, *, file: bytes = b"", sname: bytes = b"", yiaddr: str = "10.0.0.7", hlen: int = 6
) -> bytes:
    hardware = bytes.fromhex(MAC.replace(":", "")).ljust(16, b"\0")
    fixed = bytes(BOOTP(op=2, hlen=hlen, chaddr=hardware, yiaddr=yiaddr, file=file, sname=sname, options=b""))
    return fixed[:236] + COOKIE + options


def test_an_acknowledgement_is_a_lease_with_an_end():
    event = the_event(read_ack(ack(MAC, "10.0.0.7", 3600)))
    assert (event.action, event.prefixes, event.lease_ns) == (Action.LEASE, (prefix("10.0.0.7"),), 3600 * SECOND_NS)
    assert event.identities == (("mac", MAC),)
    assert the_event(read_ack(ack(MAC, "10.0.0.7", 0xFFFFFFFF))).lease_ns is None


def test_the_line_that_a_relay_names_and_the_clients_own_name_are_read():
    relay = b"\x01\x06eth0/1" + b"\x02\x04\x00\x01\x02\x03"  # RFC 3046, 2.0
    event = the_event(
        read_ack(ack(MAC, "10.0.0.7", 60, ("relay_agent_information", relay), ("client_id", b"\0anna-laptop")))
    )
    assert dict(event.identities) == {
        "circuit_id": "eth0/1",
        "remote_id": "0x00010203",
        "client_id": "anna-laptop",
        "mac": MAC,
    }


@pytest.mark.parametrize(
    ("client", "client_id", "duid"),
    [
        (b"\x01" + bytes.fromhex("000b8201fc42"), MAC, None),
        # RFC 4361, 6.1: 255, IAID 00000001, then a DUID of type 3 (RFC 8415, 11.4).
        (
            bytes.fromhex("ff00000001" + "00030001000b8201fc42"),
            "0xff0000000100030001000b8201fc42",
            "00030001000b8201fc42",
        ),
        (b"\x02ab", "0x026162", None),
    ],
)
def test_a_client_identifier_is_text_a_mac_address_a_duid_or_octets(client, client_id, duid):
    found = dict(the_event(read_ack(ack(MAC, "10.0.0.7", 60, ("client_id", client)))).identities)
    assert (found["client_id"], found.get("duid")) == (client_id, duid)


def test_a_release_ends_the_lease_that_the_acknowledgement_gave():
    lease = the_event(read_ack(ack(MAC, "10.0.0.7", 3600)))
    # Many servers do not send the client identifier back (RFC 6842), and the client does send it.
    release = the_event(read_release(dhcp_message("release", MAC, ("client_id", b"\x02x"), ciaddr="10.0.0.7")))
    assert (release.action, release.session) == (Action.RELEASE, lease.session)
    other = the_event(read_release(dhcp_message("release", "00:0b:82:01:fc:43", ciaddr="10.0.0.7")))
    assert other.session != lease.session


def test_an_answer_that_only_informs_gives_no_address():
    assert read_ack(dhcp_message("ack", MAC, yiaddr="0.0.0.0", ciaddr="10.0.0.7")) == ()


def test_other_messages_are_none_of_ours():
    assert read_ack(dhcp_message("offer", MAC, ("lease_time", 60), yiaddr="10.0.0.7")) is Refusal.OTHER
    assert read_ack(dhcp_message("release", MAC, ciaddr="10.0.0.7")) is Refusal.OTHER
    assert read_release(ack(MAC, "10.0.0.7")) is Refusal.OTHER
    assert read_release(dhcp_message("request", MAC, ciaddr="10.0.0.7")) is Refusal.OTHER


def test_options_go_on_in_file_and_sname_where_option_52_says_so():
    lease_in_file = bootreply(b"\x35\x01\x05\x34\x01\x01\xff", file=b"\x33\x04\x00\x00\x00\x3c\xff")
    assert the_event(read_ack(lease_in_file)).lease_ns == 60 * SECOND_NS
    in_both = bootreply(b"\x34\x01\x03\xff", file=b"\x35\x01\x05\xff", sname=b"\x33\x04\x00\x00\x00\x3d\xff")
    assert the_event(read_ack(in_both)).lease_ns == 61 * SECOND_NS
    assert read_ack(bootreply(b"\x35\x01\x05\xff", file=b"\x33\x04\x00\x00\x00\x3c\xff")) is Refusal.MALFORMED


def test_the_parts_of_one_option_are_joined():
    parts = b"\x52\x04\x01\x06et" + b"\x00" + b"\x52\x04h0/1" + b"\xff"  # RFC 3396, 5
    assert dict(the_event(read_ack(bootreply(ACK_AND_LEASE + parts))).identities)["circuit_id"] == "eth0/1"


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        ack(MAC, "10.0.0.7")[:239],
        bootreply(ACK_AND_LEASE)[:236] + b"\0\0\0\0" + ACK_AND_LEASE,  # BOOTP without options
        bootreply(ACK_AND_LEASE[:-1]),  # cut by the capture
        bootreply(ACK_AND_LEASE + b"\x3d"),
        bootreply(b"\x35\x01\x05\xff"),  # without a lease time
        bootreply(b"\x35\x01\x05\x33\x02\x00\x3c\xff"),
        bootreply(ACK_AND_LEASE + b"\x52\x03\x01\x06e\xff"),  # a circuit longer than its option
        bootreply(ACK_AND_LEASE, hlen=17),
    ],
)
def test_a_malformed_message_says_nothing_at_all(payload):
    assert read_ack(payload) is Refusal.MALFORMED


def test_a_release_without_an_address_is_malformed():
    assert read_release(dhcp_message("release", MAC)) is Refusal.MALFORMED


@given(st.binary(max_size=400), st.binary(max_size=80), st.booleans())
def test_no_octets_raise(octets, options, dressed):
    payload = bootreply(ACK_AND_LEASE + options) if dressed else octets
    for read in (read_ack, read_release):
        assert isinstance(read(payload), (tuple, Refusal))


@given(st.integers(0, 240), st.integers(0, 255))
def test_no_changed_octet_raises(place, value):
    payload = bytearray(ack(MAC, "10.0.0.7", 60, ("relay_agent_information", b"\x01\x02ab")))
    payload[place] = value
    assert isinstance(read_ack(bytes(payload)), (tuple, Refusal))
