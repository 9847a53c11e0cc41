"""Requests behind the first one of a connection: an application's own go on, anything else is charged from there (attack 8).

Which request begins at which octet is said by h11, an HTTP/1 parser of its own; what has to be counted is worked out from
the packets.
"""

from __future__ import annotations

from itertools import pairwise

import h11
import pytest
from frames import ACK, FIN, PSH, RST, SYN, TCP, Sent, ip_packet, modest, tcp_segment
from hypothesis import given
from hypothesis import strategies as st
from meters import ALPHA_ADDRESS, BETA_ADDRESS, OTHER_ADDRESS, measure
from test_meter_evidence import CLIENT_ISN, ME, SERVER_ISN, Talk, verdict

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 400\r\n\r\n" + bytes(400)
HEADERS = 40  # octets of the IPv4 and TCP headers of these packets


def get(host: str | None, *fields: str, target="/", method="GET", body=b"", end="\r\n") -> bytes:
    lines = [f"{method} {target} HTTP/1.1", *([] if host is None else [f"Host: {host}"]), *fields]
    return (end.join([*lines, "", ""])).encode() + body


def post(host: str, body: bytes) -> bytes:
    return get(host, f"Content-Length: {len(body)}", method="POST", body=body)


def chunked(host: str, body: bytes, sizes: list[int], *, extension="", trailer="") -> bytes:
    places = [0, *sorted({size for size in sizes if 0 < size < len(body)}), len(body)]
    chunks = [body[a:b] for a, b in pairwise(places) if a < b]
    coded = b"".join(f"{len(chunk):x}{extension}\r\n".encode() + chunk + b"\r\n" for chunk in chunks)
    coded += f"0\r\n{trailer}\r\n".encode()
    return get(host, "Transfer-Encoding: chunked", method="POST", body=coded)


FREE = get("alpha.example")
EVIL = get("gamma.example")
SNEAKY = b"GET / HTTP/1.1\r\nHost: gamma.example\r\n\r\n"


class Web(Talk):
    """A connection that sends requests one behind the other; each is answered before the next, unless told otherwise."""

    def __init__(self, server=ALPHA_ADDRESS, port=50000) -> None:
        super().__init__(server, port)
        self.sent = self.received = 0
        self.opened()

    def say(self, *segments: bytes, answered=True) -> Web:
        for segment in segments:
            self.up(segment, self.sent, flags=ACK | PSH, acknowledged=self.received)
            self.sent += len(segment)
        return self.hear() if answered else self

    def hear(self, octets=ANSWER) -> Web:
        self.down(octets, self.received, acknowledged=self.sent)
        self.received += len(octets)
        return self

    def octets(self, first=0, last=None) -> int:
        """IP octets of the packets from number `first` on."""
        return sum(HEADERS + len(packet.payload) for packet in self.packets[first:last])

    def by_evidence(self, **limits) -> dict[tuple[str, str], int]:
        """(application, evidence) -> octets."""
        found: dict[tuple[str, str], int] = {}
        for key, volume in self.measure(**limits).usage.items():
            found[key[2:4]] = found.get(key[2:4], 0) + volume[0] + volume[1]
        return found


VERIFIED, CONTRADICTED = ("alpha", "verified"), ("alpha", "contradicted")


def check_switch(web: Web, kept_packets: int) -> None:
    """The first packets keep their evidence, the others are contradicted."""
    expected = {VERIFIED: web.octets(0, kept_packets), CONTRADICTED: web.octets(kept_packets)}
    assert web.by_evidence() == {key: octets for key, octets in expected.items() if octets}


def test_requests_of_the_same_application_go_on():
    web = Web().say(FREE).say(get("m.alpha.example")).say(post("alpha.example", SNEAKY * 3)).say(FREE)
    assert web.by_evidence() == {VERIFIED: web.octets()}
    flow = web.only_flow()
    assert (flow.name, *verdict(flow)) == ("alpha.example", *VERIFIED)


def test_another_host_contradicts_from_its_segment_on_and_for_good():
    web = Web().say(FREE)
    kept = len(web.packets)
    web.say(EVIL).say(FREE).hear(bytes(1400))
    check_switch(web, kept)
    assert verdict(web.only_flow()) == CONTRADICTED


@pytest.mark.parametrize(
    "request_",
    [
        get("beta.example"),
        get("unlisted.example"),
        get("203.0.113.10"),
        get(None),
        get(""),
        get("alpha.example.evil.example"),
        get("alpha.example", "Host: gamma.example"),
        get("alpha.example", "X-Online-Host: gamma.example"),
        get("alpha.example", target="http://gamma.example/"),
        b"CONNECT alpha.example:80 HTTP/1.1\r\nHost: alpha.example\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58",  # a WebSocket frame (RFC 6455, 5.7)
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"GET /\r\n",
    ],
)
def test_what_is_no_request_for_the_application_contradicts(request_):
    web = Web().say(FREE).say(FREE)
    kept = len(web.packets)
    web.say(request_)
    check_switch(web, kept)


@pytest.mark.parametrize(
    "request_",
    [
        get("ALPHA.example.:80"),
        get("m.alpha.example", end="\n"),
        get("alpha.example", "X-Online-Host: alpha.example:80"),
        get("alpha.example", target="http://alpha.example:80/x"),
        get(None, target="http://alpha.example/x"),
        get("alpha.example", "Cookie: Host: gamma.example", "X: GET / HTTP/1.1"),
        b"\r\n" + FREE,
        get("alpha.example", "Content-Length: 0"),
    ],
)
def test_what_is_a_request_for_the_application_keeps(request_):
    web = Web().say(FREE).say(request_).say(FREE)
    assert web.by_evidence() == {VERIFIED: web.octets()}


def test_an_upgrade_keeps_until_the_client_speaks_the_other_protocol():
    web = Web().say(get("alpha.example", "Upgrade: websocket", "Connection: Upgrade"), answered=False)
    web.hear(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n").hear(bytes(300))
    kept = len(web.packets)
    web.say(b"\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58").hear(bytes(500))
    check_switch(web, kept)


def test_http2_without_tls_is_unknown():
    web = Web(OTHER_ADDRESS).say(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").say(FREE)
    assert web.by_evidence() == {("unknown", "none"): web.octets()}


def test_the_name_that_contradicts_is_shown():
    flow = Web().say(FREE).say(FREE).say(EVIL).only_flow()
    assert (flow.name, flow.other_name, flow.evidence) == ("alpha.example", "gamma.example", "contradicted")


@pytest.mark.parametrize("server", [BETA_ADDRESS, OTHER_ADDRESS])
def test_a_claimed_name_is_followed_too(server):
    web = Web(server).say(get("gamma.example"))
    kept = len(web.packets)
    web.say(get("beta.example"))
    assert web.by_evidence() == {
        ("gamma", "claimed"): web.octets(0, kept),
        ("gamma", "contradicted"): web.octets(kept),
    }


def test_a_request_for_another_host_before_the_first_is_answered_contradicts_the_whole():
    web = Web().say(FREE, EVIL)
    assert web.by_evidence() == {CONTRADICTED: web.octets()}


# Where messages end.


def h11_hosts(stream: bytes) -> list[tuple[int, str]]:
    """(first octet, host) of each request that h11 finds in a client's octets."""
    found = []
    position = 0
    while position < len(stream):
        connection = h11.Connection(h11.SERVER, max_incomplete_event_size=1 << 20)
        connection.receive_data(stream[position:])
        request_ = connection.next_event()
        assert isinstance(request_, h11.Request)
        found.append((position, dict(request_.headers)[b"host"].decode()))
        while not isinstance(connection.next_event(), h11.EndOfMessage):
            pass
        position = len(stream) - len(connection.trailing_data[0])
    return found


bodies = st.one_of(st.binary(max_size=300), st.just(SNEAKY * 2), st.just(b"0\r\n\r\n" + SNEAKY), st.just(bytes(3000)))
requests = st.one_of(
    st.builds(get, st.just("alpha.example"), st.sampled_from(("A: b", "Cookie: " + "c" * 900))),
    st.builds(post, st.just("m.alpha.example"), bodies),
    st.builds(
        chunked,
        st.just("alpha.example"),
        bodies,
        st.lists(st.integers(1, 2999), max_size=4),
        extension=st.sampled_from(("", ";a=b")),
        trailer=st.sampled_from(("", "X-T: Host: gamma.example\r\n", "Host: gamma.example\r\n")),
    ),
)


def segments_of(stream: bytes, cuts: list[int]) -> list[tuple[int, bytes]]:
    places = sorted({0, len(stream), *(cut for cut in cuts if cut < len(stream))})
    # At most a packet's worth each, as a path would carry them.
    places = sorted({*places, *(a + step for a, b in pairwise(places) for step in range(1400, b - a, 1400))})
    return [(a, stream[a:b]) for a, b in pairwise(places)]


@modest(150)
@given(st.lists(requests, max_size=4), st.lists(st.integers(1, 6000), max_size=6), st.booleans())
def test_the_switch_is_where_the_other_parser_sees_it(before, cuts, switches):
    """Pipelined or not, cut anywhere: the segment with which the foreign head is whole is the first that is charged."""
    stream = b"".join(before) + (get("gamma.example") if switches else b"") + FREE
    foreign = [first for first, host in h11_hosts(stream) if host == "gamma.example"]
    assert len(foreign) == switches
    whole = foreign[0] + len(EVIL) if foreign else len(stream) + 1
    web = Web().say(FREE)
    for offset, segment in segments_of(stream, cuts):
        kept = len(web.packets) if offset < whole and offset + len(segment) >= whole else None
        web.say(segment)
        if kept is not None:
            switch = kept
    if foreign:
        check_switch(web, switch)
    else:
        assert web.by_evidence() == {VERIFIED: web.octets()}


@modest(100)
@given(
    st.lists(requests, min_size=1, max_size=3),
    st.lists(st.integers(1, 4000), max_size=5),
    st.booleans(),
    st.randoms(use_true_random=False),
)
def test_segments_in_any_order_and_twice_are_read_in_their_own(before, cuts, switches, random):
    stream = b"".join(before) + (EVIL if switches else b"")
    segments = segments_of(stream, cuts)
    segments += random.sample(segments, min(2, len(segments)))
    random.shuffle(segments)
    web = Web().say(FREE)
    first = web.sent
    seen = set()
    kept = None
    for offset, segment in segments:
        seen.update(range(offset, offset + len(segment)))
        if kept is None and switches and set(range(len(stream) - len(EVIL), len(stream))) <= seen:
            kept = len(web.packets)
        web.up(segment, first + offset, acknowledged=web.received)
    web.sent = first + len(stream)
    web.hear().say(FREE)
    found = web.by_evidence(stream_octets=1 << 15)
    if switches:
        assert sum(found.values()) == web.octets()
        assert found.get(CONTRADICTED, 0) >= HEADERS * 2 + len(ANSWER) + len(FREE)
        assert found[VERIFIED] >= web.octets(0, 5)
    else:
        assert found == {VERIFIED: web.octets()}


def test_a_foreign_head_cut_at_every_place_contradicts_with_its_last_octet():
    for cut in range(1, len(EVIL)):
        web = Web().say(FREE).say(EVIL[:cut])
        kept = len(web.packets)
        web.say(EVIL[cut:])
        check_switch(web, kept)


@pytest.mark.parametrize(
    "fields",
    [
        ("Content-Length: 5", "Transfer-Encoding: chunked"),
        ("Content-Length: 5", "Content-Length: 6"),
        ("Content-Length: 5, 5",),
        ("Content-Length: +5",),
        ("Content-Length: 0x5",),
        ("Content-Length:",),
        ("Content-Length : 5",),
        ("Content-Length: 5", " 0"),
        ("Content-Length: 9999999999999999",),
        ("Transfer-Encoding: gzip, chunked",),
        ("Transfer-Encoding: identity",),
        ("Transfer-Encoding : chunked",),
        ("Transfer-Encoding:", " chunked"),
        ("Transfer-Encoding: chunked", "Transfer-Encoding: chunked"),
    ],
)
def test_a_body_whose_end_is_unclear_is_charged_with_all_behind_it(fields):
    web = Web().say(FREE).say(get("alpha.example", *fields, method="POST"))
    kept = len(web.packets)
    web.say(b"5\r\nhello\r\n0\r\n\r\n").say(FREE)
    check_switch(web, kept)


@pytest.mark.parametrize(
    "coded", [b"5\nhello\n0\n\n", b"5\r\nhelloX\r\n0\r\n\r\n", b"g\r\n", b"\r\n", b" 5\r\n", b"-1\r\n"]
)
def test_chunks_that_readers_take_apart_differently_are_charged(coded):
    web = Web().say(FREE).say(get("alpha.example", "Transfer-Encoding: chunked", method="POST"))
    kept = len(web.packets)
    web.say(coded + FREE)
    check_switch(web, kept)


def test_a_head_that_never_ends_is_charged():
    web = Web().say(FREE).say(b"GET / HTTP/1.1\r\nHost: alpha.example\r\n")
    for number in range(60):
        web.say(b"X-%d: y\r\n" % number)
    found = web.by_evidence()
    assert found[CONTRADICTED] > web.octets() // 3


def send_body(web: Web, octets: int, *, answered: bool) -> None:
    """A few segments of each gigabyte of a body, and its last octets."""
    body = web.sent
    for place in [*range(2**28, octets - 1000, 2**28), octets - 500]:
        web.sent = body + place
        web.say(SNEAKY, answered=answered)
    web.sent = body + octets


@pytest.mark.parametrize("octets", [2**30 - 1, 2**30, 3 * 2**30 + 17, 5 * 2**30])
def test_a_body_of_gigabytes_is_passed_over_to_its_last_octet(octets):
    """More than 2^31 octets behind the head, its numbers have wrapped around."""
    for last, evidence in ((FREE, VERIFIED), (EVIL, CONTRADICTED)):
        web = Web().say(FREE).say(get("alpha.example", f"Content-Length: {octets}", method="POST"))
        send_body(web, octets, answered=True)
        kept = len(web.packets)
        web.say(last)
        check_switch(web, len(web.packets) if evidence == VERIFIED else kept)


def test_a_buffer_with_a_head_half_acknowledged_is_given_back_before_its_numbers_wrap_around():
    """No sender may have so much on its way (RFC 7323, 2.2); who sends it all the same must not be read out of bounds."""
    octets = 2**31 - 250
    web = Web().say(FREE)
    head = get("alpha.example", f"Content-Length: {octets}", "Cookie: " + "c" * 300, method="POST")
    web.say(head, answered=False)
    web.down(acknowledged=web.sent - len(head) + 200)
    send_body(web, octets, answered=False)
    web.say(EVIL)
    assert web.by_evidence()[CONTRADICTED] == web.octets(-2)


# What the capture or the sender hides.


def test_a_request_that_was_not_captured_but_acknowledged_is_charged():
    web = Web().say(FREE)
    web.sent += len(EVIL)
    kept = len(web.packets)
    web.hear().hear()
    check_switch(web, kept)


def test_another_copy_of_a_head_contradicts():
    """Tricks 8 and 11: the first copy never arrived."""
    web = Web().say(FREE).say(get("alpha.example", "Aaa: b"), answered=False)
    kept = len(web.packets)
    other = get("gamma.example", "Aaa: b")
    web.up(other, web.sent - len(other), acknowledged=web.received).hear()
    check_switch(web, kept)


def test_another_copy_of_a_chunk_size_contradicts_although_much_came_since():
    web = Web().say(FREE)
    start = web.sent
    head = get("alpha.example", "Transfer-Encoding: chunked", method="POST")
    web.say(head, b"4e20\r\n" + bytes(1000), answered=False)
    for _ in range(19):
        web.say(bytes(1000), answered=False)
    web.say(b"\r\n4e20\r\n" + bytes(1000), answered=False)
    kept = len(web.packets)
    web.up(b"5\r\nhello\r\n0\r\n\r\n" + EVIL, start + len(head), acknowledged=web.received).hear()
    check_switch(web, kept)


@pytest.mark.parametrize("again", [0, 1, 2])
def test_the_same_copy_sent_again_changes_nothing(again):
    web = Web().say(FREE)
    start = web.sent
    first, second = post("alpha.example", bytes(100)), get("m.alpha.example")
    web.say(first, second, answered=False)
    copies = [(start, first), (start + len(first), second), (start, first + second)]
    offset, octets = copies[again]
    web.up(octets, offset, acknowledged=web.received).hear().up(octets, offset, acknowledged=web.received).say(FREE)
    assert web.by_evidence() == {VERIFIED: web.octets()}


def test_a_buffer_taken_away_with_half_a_head_in_it_charges_what_follows():
    web = Web().say(FREE).say(FREE[:10])
    others = []
    for number in range(4):
        other = Web(OTHER_ADDRESS, 51000 + number)
        other.time_ns = web.time_ns
        others += other.say(EVIL, answered=False).packets
    web.wait(1)
    kept = len(web.packets)
    web.say(FREE[10:])
    both = Talk()
    both.packets = sorted(web.packets + others, key=lambda packet: packet.time_ns)
    usage = both.measure(streams=2).usage
    found = {key[2:4]: sum(volume[:2]) for key, volume in usage.items() if key[2] == "alpha"}
    assert found == {VERIFIED: web.octets(0, kept), CONTRADICTED: web.octets(kept)}


def test_a_head_in_a_segment_longer_than_the_buffer_is_found():
    """Segmentation offload: one segment with a body of 20,000 octets and the next head behind it."""
    for last, evidence in ((FREE, VERIFIED), (EVIL, CONTRADICTED)):
        web = Web().say(FREE)
        kept = len(web.packets)
        web.say(post("alpha.example", bytes(20_000)) + FREE + last)
        check_switch(web, len(web.packets) if evidence == VERIFIED else kept)


@pytest.mark.parametrize("order", [(0, 1, 2), (0, 2, 1)])
def test_a_head_in_a_segment_that_came_in_fragments_is_read(order):
    """Trick 21: the first fragment first; what came before it could not be told to be of this flow."""
    for last, evidence in ((FREE, VERIFIED), (EVIL, CONTRADICTED)):
        web = Web().say(FREE)
        kept = web.octets()
        payload = get("alpha.example", "Cookie: " + "c" * 60) + last
        frames = [packet.sent() for packet in web.packets]
        segment = tcp_segment(50000, 443, CLIENT_ISN + 1 + web.sent, SERVER_ISN + 1 + web.received, ACK, payload)
        places = [0, 64, 128, len(segment)]
        for number in order:
            a, b = places[number], places[number + 1]
            more = b < len(segment)
            octets = ip_packet(ME, ALPHA_ADDRESS, TCP, segment[a:b], identification=9, more=more, offset_octets=a)
            frames.append(Sent(web.time_ns + 1, octets))
        web.sent += len(payload)
        web.packets.clear()
        web.say(FREE)
        frames += [packet.sent() for packet in web.packets]
        found = {}
        for key, volume in measure(frames).usage.items():
            found[key[2:4]] = found.get(key[2:4], 0) + volume[0] + volume[1]
        assert set(found) == {VERIFIED, evidence}
        assert evidence == VERIFIED or kept <= found[VERIFIED] < kept + 3 * 84


# Ends.


@pytest.mark.parametrize("close", ["fin", "rst"])
def test_a_closed_connection_gives_its_buffer_back(close):
    """Two buffers for many connections, each closed with half a head in its buffer: none is given up for another."""
    packets = []
    time_ns = None
    for number in range(6):
        web = Web(port=50000 + number)
        web.time_ns = time_ns or web.time_ns
        web.packets.clear()
        web.opened().say(FREE).say(FREE[:10])
        if close == "fin":
            web.up(flags=FIN | ACK, offset=web.sent, acknowledged=web.received)
            web.down(flags=FIN | ACK, offset=web.received, acknowledged=web.sent + 1)
        else:
            web.up(flags=RST, offset=web.sent)
        packets += web.packets
        time_ns = web.time_ns
    talk = Talk()
    talk.packets = packets
    outcome = talk.measure(streams=2)
    assert {key[2:4] for key in outcome.usage} == {VERIFIED}
    assert outcome.overflow("reassemblies") == 0


def test_ports_used_again_begin_with_a_request_of_their_own():
    web = Web().say(FREE).say(EVIL)
    kept = web.by_evidence()
    assert CONTRADICTED in kept
    web.up(flags=FIN | ACK, offset=web.sent, acknowledged=web.received)
    web.down(flags=FIN | ACK, offset=web.received, acknowledged=web.sent + 1)
    before = len(web.packets)
    web.up(offset=999_999, flags=SYN).down(offset=-1, flags=SYN | ACK, acknowledged=1_000_000)
    web.sent, web.received = 1_000_000, 0
    web.say(FREE).say(FREE)
    assert web.by_evidence()[VERIFIED] == kept[VERIFIED] + web.octets(before)
