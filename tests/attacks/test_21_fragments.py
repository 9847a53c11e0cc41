"""Row 21: fragments in any order on their flow; a hello in fragments; fragments that overlap are charged."""

from __future__ import annotations

from itertools import pairwise

import pytest
from frames import ACK, PSH, TCP, UDP, client_hello, ip_packet, modest, tcp_segment, udp_datagram
from hypothesis import given
from hypothesis import strategies as st
from meters import ALPHA_ADDRESS
from scenes import FOREIGN, ME, Connection, Wire, bill, request, verdicts

V6_ME, V6_ALPHA = "2001:db8:5:7::1", "2001:db8:a::1"
DATAGRAM = udp_datagram(5000, 4000, bytes(range(256)) * 5)


def piece(ends, protocol, whole: bytes, first: int, end: int, identification=7) -> bytes:
    """The fragment with the octets from `first` to `end` of a datagram; offsets are counted in units of eight."""
    return ip_packet(
        *ends,
        protocol,
        whole[first:end],
        identification=identification,
        more=int(end < len(whole)),
        offset_octets=first,
    )


def pieces(ends, protocol, whole: bytes, units, identification=7) -> list[bytes]:
    places = [0, *sorted({8 * unit for unit in units if 0 < 8 * unit < len(whole)}), len(whole)]
    return [piece(ends, protocol, whole, a, b, identification) for a, b in pairwise(places)]


def sent(packets: list[bytes]) -> tuple[Wire, int]:
    wire = Wire()
    return wire, sum(map(wire.send, packets))


ends_of_both_versions = st.sampled_from(((ME, ALPHA_ADDRESS), (V6_ME, V6_ALPHA)))
units = st.lists(st.integers(1, 160), min_size=1, max_size=6, unique=True)


@modest(60)
@given(ends_of_both_versions, units, st.integers(0, 3), st.randoms(use_true_random=False))
def test_a_datagram_in_pieces_of_any_order_some_of_them_twice_is_on_its_flow(ends, cuts, again, random):
    parts = pieces(ends, UDP, DATAGRAM, cuts)
    parts += [random.choice(parts) for _ in range(again)]
    random.shuffle(parts)
    wire, octets = sent(parts)
    assert bill(wire) == {"free": octets}


@modest(80)
@given(
    ends_of_both_versions,
    units,
    st.tuples(st.integers(0, 159), st.integers(1, 160)),
    st.booleans(),
    st.randoms(use_true_random=False),
)
def test_a_piece_that_overlaps_others_has_its_flow_charged_from_there_on(ends, cuts, span, early, random):
    """RFC 5722 has such datagrams discarded; here nobody pays for them but the subscriber."""
    first, end = 8 * min(span), min(8 * (max(span) + 1), len(DATAGRAM))
    parts = pieces(ends, UDP, DATAGRAM, cuts)
    odd = piece(ends, UDP, DATAGRAM, first, end)
    places = [0, *sorted({8 * cut for cut in cuts if 8 * cut < len(DATAGRAM)}), len(DATAGRAM)]
    same = (first, end) in pairwise(places)
    # The last piece stays last: once all is there, whoever receives it has put it together.
    head, last = parts[:-1], parts[-1]
    random.shuffle(head)
    overlapped = [odd, *head, last] if early else [*head, odd, last]
    wire, octets = sent(overlapped)
    wire.send(ip_packet(*ends, UDP, udp_datagram(5000, 4000, b"later")))
    found = bill(wire)
    octets += len(wire.frames[-1].octets)
    if same:
        assert found == {"free": octets}
    else:
        assert sum(found.values()) == octets
        # Free is at most what came before the second claim on the same place was seen.
        seen = overlaps_at(ends, overlapped)
        assert found.get("free", 0) <= sum(map(len, overlapped[:seen]))
        assert found["contradicted"] >= len(wire.frames[-1].octets)


def overlaps_at(ends, packets: list[bytes]) -> int:
    """The place of the first fragment that overlaps one before it, from the offsets in the headers themselves."""
    taken: list[tuple[int, int]] = []
    for place, packet in enumerate(packets):
        version_4 = packet[0] >> 4 == 4
        field = int.from_bytes(packet[6:8], "big") & 0x1FFF if version_4 else int.from_bytes(packet[42:44], "big") >> 3
        octets = len(packet) - (20 if version_4 else 48)
        span = (8 * field, 8 * field + octets)
        if any(span[0] < b and a < span[1] and (a, b) != span for a, b in taken):
            return place
        taken.append(span)
    raise AssertionError("nothing overlaps")


def hello_in_fragments(server: str, overlap: bool, backwards: bool) -> tuple[Wire, int]:
    hello = client_hello("www.alpha.example")
    wire = Wire()
    talk = Connection(wire, server).open()
    segment = tcp_segment(50000, 443, talk.isn + 1, talk.server_isn + 1, ACK | PSH, hello)
    parts = pieces((ME, server), TCP, segment, [20, 40])
    if overlap:
        parts.insert(1, piece((ME, server), TCP, segment, 80, 168))
    talk.uplink += sum(map(wire.send, parts[::-1] if backwards else parts))
    talk.sent_up += len(hello)
    talk.down(b"x" * 900)
    return wire, talk.octets


@pytest.mark.parametrize("server", [ALPHA_ADDRESS, FOREIGN])
def test_a_hello_in_fragments_gives_its_name(server):
    wire, octets = hello_in_fragments(server, overlap=False, backwards=False)
    own = server == ALPHA_ADDRESS
    assert verdicts(wire) == [("alpha", "verified" if own else "contradicted", "www.alpha.example")]
    assert bill(wire) == {"free" if own else "contradicted": octets}


@pytest.mark.parametrize("backwards", [False, True])
def test_a_hello_in_fragments_that_overlap_is_charged_from_the_first_octet(backwards):
    wire, octets = hello_in_fragments(ALPHA_ADDRESS, overlap=True, backwards=backwards)
    found = bill(wire)
    assert set(found) <= {"contradicted", "unknown_application"}
    assert sum(found.values()) == octets


def test_a_first_fragment_again_with_other_ports_overlaps_on_the_flow_of_the_second():
    """The later pieces belong to one of two flows, and which is up to the receiver."""
    ends = (ME, ALPHA_ADDRESS)
    one = pieces(ends, UDP, DATAGRAM, [20, 90])
    other = piece(ends, UDP, udp_datagram(6000, 4000) + DATAGRAM[8:], 0, 88)
    wire, octets = sent([one[0], other, one[1], one[2]])
    assert bill(wire) == {"free": len(one[0]), "contradicted": octets - len(one[0])}


@modest(20)
@given(st.integers(1, 150), st.integers(1, 150), st.integers(0, 55))
def test_an_identification_that_comes_round_is_no_overlap(cut, other_cut, seconds):
    """RFC 4963: at a gigabit a second 16 bits come round well within the time that a datagram may take."""
    ends = (ME, ALPHA_ADDRESS)
    wire, octets = sent(pieces(ends, UDP, DATAGRAM, [cut]))
    wire.wait(seconds)
    octets += sum(map(wire.send, pieces(ends, UDP, DATAGRAM, [other_cut])))
    assert bill(wire) == {"free": octets}


@pytest.mark.parametrize("held", [True, False])
def test_overlapping_pieces_whose_first_never_comes_are_charged(held):
    ends = (ME, ALPHA_ADDRESS)
    parts = [piece(ends, UDP, DATAGRAM, a, b) for a, b in ((160, 320), (240, 480), (480, 800))]
    wire, octets = sent(parts)
    assert "free" not in bill(wire, held_volumes=64 if held else 1, fragments=64 if held else 1)
    assert sum(bill(wire).values()) == octets


def test_no_good_request_lifts_the_contradiction_of_fragments_that_overlap():
    """With row 8: whichever copy the server took may have asked for anything."""
    free = request("GET / HTTP/1.1", "Host: alpha.example", "Cookie: " + "c" * 60)
    wire = Wire()
    talk = Connection(wire, ALPHA_ADDRESS, server_port=80).open().ask(free).ask(free)
    kept = talk.octets
    segment = tcp_segment(50000, 80, talk.isn + 1 + talk.sent_up, talk.server_isn + 1 + talk.sent_down, ACK, free)
    ends = (ME, ALPHA_ADDRESS)
    talk.uplink += sum(map(wire.send, [piece(ends, TCP, segment, 32, 72), *pieces(ends, TCP, segment, [8])]))
    talk.sent_up += len(free)
    for _ in range(3):
        talk.ask(free)
    assert bill(wire) == {"free": kept, "contradicted": talk.octets - kept}
