"""Real RADIUS and DHCP against tshark's reading of it.

The figures were taken with tshark 4.0.17: `tshark -r FILE -Y FILTER -T fields -e ...`, with the filters
`dhcp.option.dhcp==5` (fields dhcp.ip.your, dhcp.hw.mac_addr, dhcp.option.ip_address_lease_time), `dhcpv6.msgtype==7`
(with -V: client identifier, IA prefix) and `radius.code==4` (with -V).
"""

from __future__ import annotations

from ipaddress import IPv6Address, ip_network

import pytest
from binding_packets import SECOND_NS, prefix, udp_datagrams

from classifier.subscribers.bindings import NOT_BOUND, Bindings
from classifier.subscribers.dhcp import REPLY, read_ack
from classifier.subscribers.dhcpv6 import read_release, read_reply
from classifier.subscribers.events import Action, Refusal
from classifier.subscribers.radius import read_accounting, read_response
from classifier.subscribers.watch import RADIUS_PORTS, Watch

pytestmark = pytest.mark.captures

# File: (frame, address, MAC address, lease in seconds); without an address an answer to a DHCPINFORM.
ACKNOWLEDGEMENTS = {
    "tcpdump/dhcp-rfc4388.pcap": [
        (5, "10.30.4.4", "5a:4f:34:b1:af:66", 43200),
        (15, "10.50.4.4", "5a:4f:34:b1:af:66", 43200),
        (26, "10.50.4.4", "5a:4f:34:b1:af:66", 43200),
        (35, "10.30.4.4", "5a:4f:34:b1:af:66", 43200),
    ],
    "ndpi/default/pcap/fuzz-2006-06-26-2594.pcap": [(485, "192.168.1.2", "00:e0:ed:01:6e:bd", 3600)],
    "ndpi/default/pcap/android.pcap": [(72, "192.168.2.16", "4c:6a:f6:9f:f6:27", 85536)],
    "ndpi/default/pcap/alexa-app.pcapng": [(9, "172.16.42.216", "78:f8:82:d3:fb:c2", 43200)],
    "ndpi/default/pcap/1kxun.pcap": [
        (5, "192.168.5.36", "00:26:5a:c2:63:55", 60),
        (13, "192.168.3.86", "c8:d3:a3:93:a3:70", 60),
        (32, "192.168.5.9", "70:f1:a1:f8:2a:fd", 60),
        (547, "192.168.5.9", "70:f1:a1:f8:2a:fd", 60),
        (589, "192.168.5.49", "e8:b1:fc:ab:fb:b2", 60),
        (598, "192.168.5.16", "60:c5:47:05:bc:8c", 60),
        (602, "192.168.5.45", "e0:ac:cb:71:e1:d0", 60),
        (676, None, None, None),
        (738, "192.168.5.44", "48:d2:24:63:31:00", 60),
        (750, "192.168.5.36", "00:26:5a:c2:63:55", 60),
        (773, "192.168.5.47", "cc:3d:82:1e:ee:e3", 60),
        (824, "192.168.5.49", "e8:b1:fc:ab:fb:b2", 60),
        (834, None, None, None),
        (836, "192.168.5.16", "60:c5:47:05:bc:8c", 60),
        (897, "192.168.5.45", "e0:ac:cb:71:e1:d0", 60),
        (900, "192.168.5.9", "70:f1:a1:f8:2a:fd", 60),
    ],
}
# File: (frame, prefix, DUID of the client, valid lifetime in seconds).
DELEGATIONS = {
    "arkime/wireshark-dhcpv6.pcap": (8, "2001:0:0:fe00::/64", "000100011c39cf88080027fe8f95", 7200),
    "pcapplusplus/Packet++Test/PacketExamples/PPPoESession.pcap": (2, "fc00:0:2:100::/56", "00030001cc050e880000", 125),
    "zeek/pppoe.pcap": (39, "fc00:0:2:100::/56", "00030001cc050e880000", 125),
}


@pytest.mark.parametrize("file", ACKNOWLEDGEMENTS)
def test_acknowledgements_are_read_as_tshark_reads_them(captures, file):
    found = []
    for frame, _, _, _, source_port, destination_port, payload in udp_datagrams(captures / file):
        if source_port == 67 and destination_port in (67, 68) and payload[:1] == REPLY:
            read = read_ack(payload)
            assert read is not Refusal.MALFORMED, frame
            if read == ():
                found.append((frame, None, None, None))
            elif read is not Refusal.OTHER:
                (event,) = read
                found.append((frame, event.prefixes[0], dict(event.identities)["mac"], event.lease_ns // SECOND_NS))
    assert found == [
        (frame, address and prefix(address), mac, seconds) for frame, address, mac, seconds in ACKNOWLEDGEMENTS[file]
    ]


@pytest.mark.parametrize("file", DELEGATIONS)
def test_delegated_prefixes_are_read_as_tshark_reads_them(captures, file):
    frame_expected, text, duid, seconds = DELEGATIONS[file]
    found = []
    for frame, _, _, _, _, destination_port, payload in udp_datagrams(captures / file):
        if destination_port == 546:
            read = read_reply(payload)
            assert read is not Refusal.MALFORMED, frame
            found += [(frame, event) for event in read] if isinstance(read, tuple) else []
    ((frame, event),) = found
    assert (frame, event.action, event.prefixes) == (frame_expected, Action.LEASE, (prefix(text),))
    assert dict(event.identities) == {"duid": duid}
    assert event.lease_ns == seconds * SECOND_NS


def test_the_release_that_tshark_sees_ends_the_delegation(captures):
    (released,) = [
        read[0]
        for frame, _, _, _, _, port, payload in udp_datagrams(captures / "arkime/wireshark-dhcpv6.pcap")
        if port == 547 and isinstance(read := read_release(payload), tuple)
    ]
    assert (released.action, released.prefixes) == (Action.RELEASE, (prefix("2001:0:0:fe00::/64"),))


def test_the_watch_binds_and_lets_go_as_the_packets_pass(captures):
    bindings = Bindings(
        ("000100011c39cf88080027fe8f95",), radius_identities=["imsi"], dhcp_identities=["duid"], capacity=9
    )
    watch = Watch(bindings, dhcp_servers=[ip_network("fe80::a00:27ff:fed4:10bb")])
    found = []
    for frame, time_ns, source, destination, *ports, payload in udp_datagrams(
        captures / "arkime/wireshark-dhcpv6.pcap"
    ):
        for change in watch.observe(
            time_ns, 6, int(IPv6Address(source)), int(IPv6Address(destination)), *ports, payload
        ):
            found.append((frame, change.high, change.prefix_length, change.subscriber_number))
    high = int(IPv6Address("2001:0:0:fe00::")) >> 64
    assert found == [(8, high, 64, 1), (11, high, 64, NOT_BOUND)]
    assert watch.notices() == ()


def test_an_interim_update_is_read_as_tshark_reads_it(captures):
    (_, _, source, _, _, port, request), (*_, answer) = udp_datagrams(captures / "arkime/radius.pcap")
    assert (source, port in RADIUS_PORTS) == ("10.0.0.1", True)
    (event,) = read_accounting(request)
    assert (event.action, event.prefixes) == (Action.SESSION, (prefix("10.0.0.3"),))
    assert event.session == (b"radius\x04\x0a\x00\x00\x01", b"xxxxxxxx985AEB898000-57361300")
    assert dict(event.identities) == {"calling_station_id": "985AEB898000", "user_name": "xxxxxxxxx"}
    assert event.age_ns == 177620 * SECOND_NS  # Acct-Session-Time, Acct-Delay-Time being 0
    assert read_response(answer) == 227
    # Its authenticator is all zeros, which no secret gives.
    assert read_accounting(request, b"secret") is Refusal.AUTHENTICATOR


@pytest.mark.parametrize(
    "file",
    [
        "tcpdump/radius_rfc5447.pcap",
        "tcpdump/RADIUS-RFC3162.pcap",
        "tcpdump/RADIUS-RFC5176-2.pcap",
        "pcapplusplus/Packet++Test/PacketExamples/radius_3.pcap",
        "zeek/radius/radius_localhost.pcap",
    ],
)
def test_authentication_is_not_taken_for_accounting(captures, file):
    datagrams = udp_datagrams(captures / file)
    assert datagrams
    assert {read_accounting(payload) for *_, payload in datagrams} == {Refusal.OTHER}
