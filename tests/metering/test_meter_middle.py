"""Packets in the middle of a flow are taken in one go only as long as nothing about the flow can change by them.

What is expected is worked out by hand; that the sums are right whatever comes is for the slow twin (`test_meter_twin`).
"""

from __future__ import annotations

from ipaddress import ip_network

from frames import ACK, SYN, Sent, batch, client_hello, ip_packet, tcp_segment
from meters import ALPHA_ADDRESS, INTERVAL_NS, NETWORKS, START_NS, Gatherer, interval_of, lookup

from classifier.detection.ciphers import CipherLibrary
from classifier.metering.meter import Meter
from classifier.subscribers.compile import compile_subscribers

ME = "10.0.0.1"
UP, DOWN = 100, 500  # the numbers that the ends begin with


def up(sequence, acknowledgement, flags=ACK, payload=b"") -> bytes:
    return tcp_segment(5000, 443, sequence, acknowledgement, flags, payload)


def down(sequence, acknowledgement, flags=ACK, payload=b"") -> bytes:
    return tcp_segment(443, 5000, sequence, acknowledgement, flags, payload)


def test_an_acknowledgement_answers_a_name_that_the_rest_of_a_fragmented_hello_has_given():
    """The server has spoken first, so that its empty segments are of a flow in the middle when the hello begins."""
    hello = client_hello("www.alpha.example")
    datagram = up(UP + 1, DOWN + 2, payload=hello)
    cut = 8 * (len(datagram) // 16)
    packets = [
        ip_packet(ME, ALPHA_ADDRESS, 6, up(UP, 0, SYN)),
        ip_packet(ALPHA_ADDRESS, ME, 6, down(DOWN, UP + 1, SYN | ACK)),
        ip_packet(ME, ALPHA_ADDRESS, 6, up(UP + 1, DOWN + 1)),
        ip_packet(ALPHA_ADDRESS, ME, 6, down(DOWN + 1, UP + 1, payload=b"x")),
        ip_packet(ME, ALPHA_ADDRESS, 6, up(UP + 1, DOWN + 2)),
        ip_packet(ME, ALPHA_ADDRESS, 6, datagram[:cut], identification=7, more=1),
        ip_packet(ME, ALPHA_ADDRESS, 6, datagram[cut:], identification=7, offset_octets=cut),
        ip_packet(ALPHA_ADDRESS, ME, 6, down(DOWN + 2, UP + 1 + len(hello))),
    ]
    gatherer = Gatherer()
    networks = compile_subscribers([ip_network(text) for text in NETWORKS], ())
    gatherer.meter = meter = Meter(lookup(), networks, interval_of, gatherer, CipherLibrary(), seed=1)
    meter.feed(*batch([Sent(START_NS + number, packet) for number, packet in enumerate(packets)]))
    meter.tick(START_NS + INTERVAL_NS)
    assert meter.totals().pending_frames == 0
    ((_, _, application, evidence, _),) = gatherer.volumes
    assert (application, evidence) == ("alpha", "verified")
