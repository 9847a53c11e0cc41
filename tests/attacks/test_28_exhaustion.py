"""Row 28: SYNs, half hellos, halves of datagrams and names without end: fixed memory, counted, and others unharmed."""

from __future__ import annotations

import random
import struct

import pytest
from frames import SYN, TCP, UDP, Sent, client_hello, ip_packet, tcp_segment, udp_datagram
from meters import ALPHA_ADDRESS, measure
from scenes import FOREIGN, YOU, Connection, Wire, billed

HELLO = client_hello("www.alpha.example")
SMALL = {"flows": 64, "streams": 16, "fragments": 8, "names": 16, "held_volumes": 16}
FLOOD = 400


def address(number: int) -> str:
    return f"192.0.2.{number % 250 + 1}"


def syns(number: int) -> list[bytes]:
    return [ip_packet(YOU, address(number), TCP, tcp_segment(1024 + number, 443, number, 0, SYN))]


def half_hellos(number: int) -> list[bytes]:
    segment = tcp_segment(1024 + number, 443, 1, 0, 24, HELLO[:200])
    return [*syns(number), ip_packet(YOU, address(number), TCP, segment)]


def tails_first(number: int) -> list[bytes]:
    """Segments from the middle of connections that nobody saw begin: each may ask for a buffer."""
    return [ip_packet(YOU, address(number), TCP, tcp_segment(1024 + number, 443, 99 * number, 0, 24, b"z" * 100))]


def half_datagrams(number: int) -> list[bytes]:
    later = udp_datagram(1024 + number, 4000, b"x" * 80)[8:]
    return [ip_packet(YOU, address(number), UDP, later, identification=number, offset_octets=8)]


def names(number: int) -> list[bytes]:
    hello = client_hello("n0000.example").replace(b"n0000", b"n%04d" % number)
    return [*syns(number), ip_packet(YOU, address(number), TCP, tcp_segment(1024 + number, 443, 1, 0, 24, hello))]


def answered(number: int) -> list[bytes]:
    """Whole little connections: they are decided, and stay in the table until their time-out."""
    wire = Wire()
    Connection(wire, address(number), client=YOU, port=1024 + number).open().ask(HELLO[:5] + b"\xff" * 40)
    return [frame.octets for frame in wire.frames]


FLOODS = (syns, half_hellos, tails_first, half_datagrams, names, answered)


def mixed(flood, others: list[Sent]) -> tuple[list[Sent], int]:
    """The flood, with the others' frames among it; octets of the flood."""
    chance = random.Random(28)
    packets = [packet for number in range(FLOOD) for packet in flood(number)]
    places = sorted(chance.sample(range(len(packets)), len(others)))
    # At most a table's worth of new flows between two packets of one connection: that is a flow in use.
    frames, taken = [], 0
    for place, packet in enumerate(packets):
        while taken < len(others) and places[taken] == place:
            frames.append(others[taken])
            taken += 1
        frames.append(Sent(0, packet))
    time_ns = others[0].time_ns
    spaced = [Sent(time_ns + number * 10**6, frame.octets) for number, frame in enumerate(frames)]
    return spaced, sum(map(len, packets))


@pytest.mark.parametrize("flood", FLOODS)
def test_a_connection_in_use_is_named_and_free_all_the_same(flood):
    wire = Wire()
    talk = Connection(wire, ALPHA_ADDRESS).open()
    for at in range(0, len(HELLO), 100):
        talk.up(HELLO[at : at + 100], at=at)
    for _ in range(20):
        talk.down(b"x" * 1000).up(b"z")
    talk.close()
    frames, octets = mixed(flood, wire.frames)
    outcome = measure(frames, **SMALL)
    bill = billed(outcome)
    assert bill["free"] == talk.octets
    assert sum(bill.values()) == talk.octets + octets, "what the flood sent is charged, all of it"
    (named,) = (flow for flow in outcome.flows if flow.client == "10.0.0.1")
    assert (named.application, named.evidence, named.ended) == ("alpha", "verified", "fin")


@pytest.mark.parametrize(
    ("flood", "counted"),
    [
        (syns, "flows evicted"),
        (half_hellos, "reassemblies"),
        (tails_first, "reassemblies"),
        (half_datagrams, "first fragment never came"),
        (names, "names not kept"),
    ],
)
def test_what_goes_over_a_bound_is_counted(flood, counted):
    packets = [packet for number in range(FLOOD) for packet in flood(number)]
    assert measure([Sent(10**18 + n, packet) for n, packet in enumerate(packets)], **SMALL).overflow(counted) > 0


def test_keys_that_collide_without_the_secret_do_not_with_it():
    """Ports and addresses that a plain sum or exclusive or of the fields would put into one place."""
    frames, octets = [], 0
    for number in range(200):
        server = ".".join(map(str, struct.pack("!I", 0xC0000200 + number)))
        packet = ip_packet(YOU, server, UDP, udp_datagram(5000 + number, 65_000 - number, b"x"))
        frames.append(Sent(10**18 + number, packet))
        octets += len(packet)
    outcomes = [measure(frames, seed=seed, flows=256) for seed in (1, 2**63 + 12345)]
    assert all(sum(billed(outcome).values()) == octets for outcome in outcomes)
    assert outcomes[0].flows == outcomes[1].flows
    assert len(outcomes[0].flows) == 200


def test_more_subscribers_than_the_table_holds_are_charged_together():
    frames = []
    for number in range(40):
        packet = ip_packet(f"10.1.0.{number + 1}", ALPHA_ADDRESS, UDP, udp_datagram(5000, 443, b"x" * 10))
        frames.append(Sent(10**18 + number, packet))
    bill = billed(measure(frames, subscribers=17))
    one = len(frames[0].octets)
    assert bill == {"free": 16 * one, "overflow": 24 * one}
    assert FOREIGN not in bill
