"""DHCPv6, from packets that scapy builds and from one laid out as RFC 8415 says."""

from __future__ import annotations

import struct

import pytest
from binding_packets import prefix
from hypothesis import given
from hypothesis import strategies as st
from scapy.layers.dhcp6 import (
    DUID_LL,
    DHCP6_Advertise,
    DHCP6_RelayForward,
    DHCP6_RelayReply,
    DHCP6_Release,
    DHCP6_Reply,
    DHCP6OptClientId,
    DHCP6OptIA_NA,
    DHCP6OptIA_PD,
    DHCP6OptIA_TA,
    DHCP6OptIAAddress,
    DHCP6OptIAPrefix,
    DHCP6OptIfaceId,
    DHCP6OptRelayMsg,
    DHCP6OptRemoteID,
    DHCP6OptServerId,
)

from classifier.subscribers.dhcpv6 import read_release, read_reply
from classifier.subscribers.events import Action, Refusal

SECOND_NS = 10**9
DUID = "00030001000b8201fc42"
CLIENT = DHCP6OptClientId(duid=DUID_LL(lladdr="00:0b:82:01:fc:42"))
SERVER = DHCP6OptServerId(duid=DUID_LL(lladdr="00:00:5e:00:53:01"))


def address(text, seconds=3600):
    return DHCP6OptIA_NA(ianaopts=[DHCP6OptIAAddress(addr=text, validlft=seconds, preflft=seconds)])


def delegated(text, length, seconds=3600):
    return DHCP6OptIA_PD(iapdopt=[DHCP6OptIAPrefix(prefix=text, plen=length, validlft=seconds, preflft=seconds)])


REPLY = bytes(DHCP6_Reply() / CLIENT / SERVER / address("2001:db8::7") / delegated("2001:db8:100::", 56, 7200))
# Octet by octet: Reply, transaction 000001; Client Identifier of 10 octets; IA_PD of 41: IAID, T1, T2, then IAPREFIX of
# 25: preferred 60, valid 120, length 56, prefix 2001:db8:100::.
BY_HAND = bytes.fromhex(
    "07000001 0001000a 00030001000b8201fc42 00190029 00000001 00000000 00000000"
    "001a0019 0000003c 00000078 38 20010db8010000000000000000000000".replace(" ", "")
)


def test_each_address_and_prefix_of_a_reply_is_a_lease_of_its_own():
    first, second = read_reply(REPLY)
    assert (first.action, first.prefixes, first.lease_ns) == (
        Action.LEASE,
        (prefix("2001:db8::7"),),
        3600 * SECOND_NS,
    )
    assert (second.prefixes, second.lease_ns) == ((prefix("2001:db8:100::/56"),), 7200 * SECOND_NS)
    assert first.identities == second.identities == (("duid", DUID),)
    assert first.session != second.session


def test_octets_laid_out_by_hand_are_read_the_same():
    (event,) = read_reply(BY_HAND)
    assert (event.prefixes, event.lease_ns) == ((prefix("2001:db8:100::/56"),), 120 * SECOND_NS)


def test_a_temporary_address_counts_too():
    temporary = DHCP6OptIA_TA(iataopts=[DHCP6OptIAAddress(addr="2001:db8::9", validlft=60, preflft=60)])
    (event,) = read_reply(bytes(DHCP6_Reply() / CLIENT / temporary))
    assert event.prefixes == (prefix("2001:db8::9"),)


def test_a_lifetime_of_nothing_ends_the_lease_and_one_of_all_ones_never_does():
    (given_up,) = read_reply(bytes(DHCP6_Reply() / CLIENT / address("2001:db8::7", 0)))
    assert (given_up.action, given_up.session) == (Action.RELEASE, read_reply(REPLY)[0].session)
    (endless,) = read_reply(bytes(DHCP6_Reply() / CLIENT / address("2001:db8::7", 0xFFFFFFFF)))
    assert endless.lease_ns is None


def test_a_reply_through_relays_is_opened_and_the_nearest_relay_names_the_line():
    inner = (
        DHCP6_RelayReply()
        / DHCP6OptIfaceId(ifaceid=b"eth0/1")
        / DHCP6OptRemoteID(enterprisenum=9, remoteid=b"house-5")
        / DHCP6OptRelayMsg(message=DHCP6_Reply(REPLY))
    )
    outer = DHCP6_RelayReply(hopcount=1) / DHCP6OptIfaceId(ifaceid=b"trunk") / DHCP6OptRelayMsg(message=inner)
    events = read_reply(bytes(outer))
    assert [event.prefixes for event in events] == [event.prefixes for event in read_reply(REPLY)]
    assert dict(events[0].identities) == {"circuit_id": "eth0/1", "remote_id": "house-5", "duid": DUID}


def test_more_relays_than_may_be_are_not_opened():
    payload = REPLY
    for depth in range(10):
        read = read_reply(payload)
        assert (read is Refusal.MALFORMED) == (depth > 8), depth  # RFC 8415, 7.6: HOP_COUNT_LIMIT is 8
        payload = bytes([13, 0]) + bytes(32) + struct.pack("!HH", 9, len(payload)) + payload


@pytest.mark.parametrize("relayed", [False, True])
def test_a_release_ends_the_lease_that_the_reply_gave(relayed):
    message = DHCP6_Release() / CLIENT / SERVER / address("2001:db8::7", 0)
    if relayed:
        message = DHCP6_RelayForward() / DHCP6OptRelayMsg(message=message)
    (event,) = read_release(bytes(message))
    assert (event.action, event.session) == (Action.RELEASE, read_reply(REPLY)[0].session)


def test_other_messages_and_replies_without_addresses_say_nothing():
    assert read_reply(bytes(DHCP6_Advertise() / CLIENT / address("2001:db8::7"))) is Refusal.OTHER
    assert read_release(REPLY) is Refusal.OTHER
    assert read_reply(bytes(DHCP6_Reply() / CLIENT / SERVER)) == ()


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"\x07\0\0",
        BY_HAND[:-1],  # cut by the capture
        BY_HAND + b"\0",
        BY_HAND[:4] + BY_HAND[18:],  # without a client
        BY_HAND[:46] + b"\x81" + BY_HAND[47:],  # a prefix longer than an address
        BY_HAND[:46] + b"\x00" + BY_HAND[47:],  # everything there is
        BY_HAND[:7] + b"\x0b" + BY_HAND[8:],  # a client identifier that reaches into the next option
        BY_HAND[:21] + b"\x28" + BY_HAND[22:-1],  # an association that ends inside its prefix
        b"\x0d\0" + bytes(32),  # a relay's message with nothing in it
        b"\x0d\0" + bytes(31),
    ],
)
def test_a_malformed_message_says_nothing_at_all(payload):
    assert read_reply(payload) is Refusal.MALFORMED


@given(st.binary(max_size=120), st.sampled_from([b"", b"\x07\0\0\1", b"\x08\0\0\1", BY_HAND, b"\x0d\0" + bytes(32)]))
def test_no_octets_raise(octets, before):
    for read in (read_reply, read_release):
        assert isinstance(read(before + octets), (tuple, Refusal))


@given(st.integers(0, len(BY_HAND) - 1), st.integers(0, 255))
def test_no_changed_octet_raises(place, value):
    assert isinstance(read_reply(BY_HAND[:place] + bytes([value]) + BY_HAND[place + 1 :]), (tuple, Refusal))
