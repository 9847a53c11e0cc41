"""RADIUS accounting, from packets that scapy builds and from octets laid out as the RFCs say."""

from __future__ import annotations

import struct

import pytest
from binding_packets import INTERIM, OFF, ON, START, STOP, accounting, attribute, imsi, number, prefix, prefix_v6
from hypothesis import given
from hypothesis import strategies as st

from classifier.errors import ConfigurationError
from classifier.subscribers.events import Action, Refusal
from classifier.subscribers.radius import load_secret, read_accounting, read_response

SECOND_NS = 10**9


def the_event(payload, secret=None):
    (event,) = read_accounting(payload, secret)
    return event


def test_a_start_gives_session_addresses_and_names():
    event = the_event(
        accounting(
            START,
            "0a1b",
            imsi("460001234567890"),
            attribute(31, b"8613800138000"),
            prefix_v6(97, "2001:db8:0:17::/64"),
            prefix_v6(123, "2001:db8:100::/56"),
            address="10.0.0.7",
            user="anna@example",
        )
    )
    assert event.action is Action.SESSION
    assert event.prefixes == (prefix("10.0.0.7"), prefix("2001:db8:0:17::/64"), prefix("2001:db8:100::/56"))
    assert dict(event.identities) == {
        "imsi": "460001234567890",
        "calling_station_id": "8613800138000",
        "user_name": "anna@example",
    }
    assert (event.age_ns, event.lease_ns) == (0, None)


# Octet by octet: code 4, identifier 7, length 59; Acct-Status-Type 1; NAS-IP-Address 192.0.2.1; Acct-Session-Id "A";
# Framed-IP-Address 10.0.0.7; a vendor-specific attribute of vendor 10415 with 3GPP-PDP-Type (3), then 3GPP-IMSI (1).
BY_HAND = bytes.fromhex(
    "0407 003b 00000000000000000000000000000000"
    "2806 00000001 0406 c0000201 2c03 41 0806 0a000007"
    "1a12 000028af 0306 00000000 0106 34363030".replace(" ", "")
)


def test_octets_laid_out_by_hand_are_read_the_same():
    event = the_event(BY_HAND)
    assert event.prefixes == (prefix("10.0.0.7"),)
    assert event.identities == (("imsi", "4600"),)


def test_padding_behind_the_message_is_no_part_of_it():
    assert read_accounting(BY_HAND + b"\x08\x06\x0a\x00\x00\x08") == read_accounting(BY_HAND)


def test_an_interim_update_is_as_old_as_its_session_and_a_start_as_its_delay():
    assert the_event(accounting(INTERIM, "s", number(46, 60), address="10.0.0.7", delay_seconds=5)).age_ns == (
        65 * SECOND_NS
    )
    assert (
        the_event(accounting(START, "s", number(46, 60), address="10.0.0.7", delay_seconds=5)).age_ns == 5 * SECOND_NS
    )


def test_a_stop_ends_the_session_that_the_start_began():
    start, stop = the_event(accounting(START, "s", address="10.0.0.7")), the_event(accounting(STOP, "s"))
    assert (stop.action, stop.session) == (Action.STOP, start.session)
    assert the_event(accounting(STOP, "s", nas="192.0.2.2")).session != start.session


@pytest.mark.parametrize("status", [ON, OFF])
def test_accounting_on_and_off_are_a_restart_of_that_access_server(status):
    event = the_event(accounting(status, "", delay_seconds=2))
    assert (event.action, event.age_ns) == (Action.RESTART, 2 * SECOND_NS)
    assert event.session[0] == the_event(accounting(START, "s", address="10.0.0.7")).session[0]


def test_a_start_before_the_address_is_given_says_nothing():
    assert read_accounting(accounting(START, user="anna")) == ()
    for choose in ("255.255.255.255", "255.255.255.254", "0.0.0.0"):  # RFC 2865, 5.8
        assert read_accounting(accounting(START, address=choose)) == ()


def test_the_prefix_ends_where_its_length_says():
    event = the_event(accounting(START, "s", attribute(97, b"\0\x38" + bytes.fromhex("20010db8000000ffff"))))
    assert event.prefixes == (prefix("2001:db8:0::/56"),)


def test_with_a_secret_the_authenticator_has_to_be_right():
    payload = accounting(START, address="10.0.0.7", secret=b"testing123")
    assert the_event(payload, b"testing123").prefixes == (prefix("10.0.0.7"),)
    assert read_accounting(payload, b"testing124") is Refusal.AUTHENTICATOR
    forged = payload.replace(bytes([10, 0, 0, 7]), bytes([10, 0, 0, 8]))
    assert read_accounting(forged, b"testing123") is Refusal.AUTHENTICATOR


def long_message(octets: int) -> bytes:
    """BY_HAND, filled up with attributes to that length."""
    filling = octets - len(BY_HAND)
    whole, rest = divmod(filling, 255)
    return (
        BY_HAND[:2]
        + struct.pack("!H", octets)
        + BY_HAND[4:]
        + (b"\x12\xff" + bytes(253)) * whole
        + (bytes([18, rest]) + bytes(rest - 2))
    )


def test_a_message_may_have_4096_octets():
    assert read_accounting(long_message(4096)) == read_accounting(BY_HAND)


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        BY_HAND[:19],
        BY_HAND[:-1],  # cut by the capture
        BY_HAND[:2] + b"\0\x13" + BY_HAND[4:],  # a length below the header's
        long_message(4097),
        BY_HAND[:21] + b"\x01" + BY_HAND[22:],  # an attribute shorter than its own header
        BY_HAND[:21] + b"\xff" + BY_HAND[22:],  # one longer than the message
        BY_HAND[:2] + b"\0\x3c" + BY_HAND[4:] + b"\x01",  # one without a length
        BY_HAND[:54] + b"\x05" + BY_HAND[55:],  # the same inside the vendor's attribute
        BY_HAND[:54] + b"\x07" + BY_HAND[55:],
        BY_HAND[:58] + b"x",  # an IMSI that is no number
        accounting(START, ""),  # without Acct-Session-Id
        accounting(START, "s", attribute(8, b"\x0a\0\0")),
        accounting(START, "s", attribute(97, b"\0\x81" + bytes(16))),  # longer than an address
        accounting(START, "s", attribute(97, b"\0\x00")),  # everything there is
        accounting(START, "s", attribute(97, b"\0")),
        struct.pack("!BBH16s", 4, 1, 20, bytes(16)),  # without Acct-Status-Type
    ],
)
def test_a_malformed_message_says_nothing_at_all(payload):
    assert read_accounting(payload) is Refusal.MALFORMED


def test_other_codes_are_none_of_ours():
    assert read_accounting(b"\x01" + BY_HAND[1:]) is Refusal.OTHER
    assert read_response(b"\x05" + BY_HAND[1:]) == 7
    assert read_response(BY_HAND) is None


def test_names_that_a_terminal_could_choke_on_are_written_in_hexadecimal():
    for octets, text in ((b"a\x1b[2J", "0x611b5b324a"), (b"\xff", "0xff"), ("é".encode(), "é")):
        event = the_event(accounting(START, "s", attribute(1, octets), address="10.0.0.7"))
        assert dict(event.identities)["user_name"] == text


def test_mac_addresses_have_one_form():
    for text in (b"00-10-A4-23-19-C0", b"00:10:a4:23:19:c0"):
        event = the_event(accounting(START, "s", attribute(31, text), address="10.0.0.7"))
        assert dict(event.identities)["calling_station_id"] == "00:10:a4:23:19:c0"


@given(st.binary(max_size=120), st.booleans())
def test_no_octets_raise(octets, dressed):
    payload = struct.pack("!BBH", 4, 0, 20 + len(octets)) + bytes(16) + octets if dressed else octets
    read = read_accounting(payload)
    assert isinstance(read, (tuple, Refusal))


@given(st.integers(20, len(BY_HAND) - 1), st.integers(0, 255))
def test_no_changed_octet_raises(place, value):
    read = read_accounting(BY_HAND[:place] + bytes([value]) + BY_HAND[place + 1 :])
    assert isinstance(read, (tuple, Refusal))


def test_the_secret_is_the_file_without_the_end_of_its_line(tmp_path):
    (tmp_path / "radius.secret").write_bytes(b"testing 123\n")
    assert load_secret(tmp_path / "radius.secret") == b"testing 123"
    (tmp_path / "empty").write_bytes(b"\n")
    for name, told in (("empty", "is empty; write"), ("none", "no such file; check"), (".", "cannot be read")):
        with pytest.raises(ConfigurationError, match=told):
            load_secret(tmp_path / name)
