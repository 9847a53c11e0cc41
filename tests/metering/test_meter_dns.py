"""What DNS answers teach, and what they do not (accounting 2.2, 2.4; the tricks 15 to 18 and 28)."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from ipaddress import ip_network

import pytest
from dns_messages import AAAA, HTTPS, A, address, alias, answer_message, query_message, service
from frames import ACK, PSH, SYN, TCP, UDP, Sent, batch, client_hello, ip_packet, modest, udp_datagram
from hypothesis import given
from hypothesis import strategies as st
from meters import (
    ALPHA_ADDRESS,
    BETA_ADDRESS,
    OTHER_ADDRESS,
    SECOND_NS,
    SMALL,
    START_NS,
    Gatherer,
    interval_of,
    measure,
)
from twin_meter import Packet

from classifier.catalogue.compile import compile_catalogue
from classifier.catalogue.load import load_catalogue
from classifier.detection.ciphers import CipherLibrary
from classifier.metering.meter import Meter
from classifier.metering.tables import Limits
from classifier.subscribers.compile import compile_subscribers

ME, NEIGHBOUR = "10.0.0.1", "10.0.0.2"
RESOLVER, ROGUE = "192.0.2.53", "198.51.100.53"
CDN = "198.51.100.80"  # nobody's own
FURTHER = "198.51.100.81"
TRUSTED = (RESOLVER,)
SECOND = SECOND_NS
GRACE_NS = 300 * SECOND


class Line:
    """Packets of a subscriber, a millisecond apart unless `wait` says otherwise."""

    def __init__(self, trusted=TRUSTED, **limits) -> None:
        self.packets: list[Packet] = []
        self.time_ns = START_NS
        self.trusted, self.limits = trusted, limits
        self.next_port = 20000

    def wait(self, seconds=0, ns=0) -> Line:
        self.time_ns += seconds * SECOND + ns
        return self

    def send(self, source, source_port, destination, port, payload, protocol=UDP, flags=ACK, numbers=(0, 0)) -> Line:
        self.time_ns += SECOND // 1000
        self.packets.append(
            Packet(self.time_ns, source, destination, protocol, source_port, port, flags, *numbers, payload)
        )
        return self

    def ask(self, name="www.alpha.example", kind=A, port=40000, id_=7, resolver=RESOLVER, who=ME) -> Line:
        return self.send(who, port, resolver, 53, query_message(name, kind, id_))

    def reply(
        self, records, name="www.alpha.example", kind=A, port=40000, id_=7, resolver=RESOLVER, who=ME, **more
    ) -> Line:
        return self.send(resolver, 53, who, port, answer_message(name, records, kind, id_, **more))

    def look_up(self, name="www.alpha.example", text=CDN, ttl=60, **more) -> Line:
        kind = AAAA if ":" in text else A
        self.ask(name, kind, **more)
        return self.reply([address(name, text, ttl)], name, kind, **more)

    def hello(self, name: str | None, server=CDN, who=ME) -> Line:
        """A TLS connection that the server answers; the last flow but for others' packets."""
        self.next_port += 1
        ends, back = (who, self.next_port, server, 443), (server, 443, who, self.next_port)
        flight = client_hello(name) if name else b"\x01\x02 nothing that has a name"
        self.send(*ends, b"", TCP, SYN, (99, 0)).send(*back, b"", TCP, SYN | ACK, (499, 100))
        self.send(*ends, flight, TCP, ACK | PSH, (100, 500))
        return self.send(*back, b"\x16" * 700, TCP, ACK, (500, 100 + len(flight)))

    def datagrams(self, server=CDN, port=443, who=ME) -> Line:
        self.next_port += 1
        return self.send(who, self.next_port, server, port, b"\xff" * 50).send(
            server, port, who, self.next_port, b"\xff" * 90
        )

    def measure(self, **more):
        frames = [packet.sent() for packet in self.packets]
        return measure(frames, trusted_resolvers=self.trusted, **(self.limits | more))

    def verdicts(self) -> list[tuple[str, str, str]]:
        """(application, evidence, source) of the flows that are not DNS, in the order in which they began."""
        flows = sorted(self.measure().flows, key=lambda flow: flow.first_ns)
        return [
            (flow.application, flow.evidence, flow.source)
            for flow in flows
            if 53 not in (flow.client_port, flow.server_port)
        ]

    def verdict(self) -> tuple[str, str, str]:
        (only,) = self.verdicts()
        return only


NAMED = ("alpha", "verified", "tls_sni")
OUTSIDE = ("alpha", "contradicted", "tls_sni")  # alpha's list is complete
BY_DNS = ("alpha", "claimed", "dns")
NOTHING = ("unknown", "none", "none")


def test_a_name_that_a_trusted_answer_gave_to_the_address_is_verified():
    line = Line().look_up().hello("www.alpha.example")
    assert line.verdict() == NAMED
    usage = {key[2:4]: sum(volume[:2]) for key, volume in line.measure().usage.items()}
    dns = sum(len(packet.packet()) for packet in line.packets[:2])
    assert usage == {("alpha", "verified"): sum(len(p.packet()) for p in line.packets) - dns, ("dns", "address"): dns}


def test_without_an_answer_the_same_hello_is_contradicted():
    assert Line().hello("www.alpha.example").verdict() == OUTSIDE


def test_the_answer_counts_for_its_name_alone_and_not_for_another_of_the_application():
    assert Line().look_up("img.alpha.example").hello("www.alpha.example").verdict() == OUTSIDE


def test_it_counts_for_its_address_alone():
    assert Line().look_up(text=FURTHER).hello("www.alpha.example").verdict() == OUTSIDE


def test_another_subscribers_answer_teaches_nothing():
    """Trick 16."""
    assert Line().look_up(who=NEIGHBOUR).hello("www.alpha.example").verdict() == OUTSIDE


def test_the_case_of_the_letters_is_no_part_of_a_question():
    line = Line().ask("wWw.AlPhA.eXaMpLe").reply([address("www.alpha.EXAMPLE", CDN)], "WWW.ALPHA.example")
    assert line.hello("www.alpha.example").verdict() == NAMED


GOOD = [address("www.alpha.example", CDN)]
POISON = {
    "no query": Line().reply(GOOD),
    "wrong id": Line().ask().reply(GOOD, id_=8),
    "wrong port": Line().ask().reply(GOOD, port=40001),
    "another server": Line().ask().reply(GOOD, resolver=ROGUE),
    "another question": Line().ask("www.beta.example").reply(GOOD),
    "another type asked": Line().ask(kind=AAAA).reply(GOOD),
    "an error": Line().ask().reply(GOOD, flags=0x8183),
    "cut": Line().ask().reply(GOOD, flags=0x8380),
    "a query, not an answer": Line().ask().reply(GOOD, flags=0x0100),
    "too late": Line().ask().wait(10).reply(GOOD),
    "a CNAME loop": Line()
    .ask()
    .reply([alias("www.alpha.example", "b.example"), alias("b.example", "www.alpha.example"), *GOOD]),
    "aliases without end": Line()
    .ask()
    .reply(
        [alias("www.alpha.example" if i == 0 else f"a{i}.example", f"a{i + 1}.example") for i in range(17)]
        + [address("a17.example", CDN)]
    ),
    "a record of another name": Line().ask().reply([address("x.alpha.example", CDN)]),
    "an additional record": Line().ask().reply([address("www.alpha.example", FURTHER)], behind=GOOD),
    "a record cut short": Line().ask().reply([*GOOD, address("www.alpha.example", FURTHER)[:-1]]),
    "asked by the server's end": Line().send(RESOLVER, 53, ME, 40000, query_message("www.alpha.example")).reply(GOOD),
    "a rogue resolver": Line().look_up(resolver=ROGUE),
    "the first answer came, and it was another": Line()
    .ask()
    .reply([address("www.alpha.example", FURTHER)])
    .reply(GOOD),
}


@pytest.mark.parametrize("trick", POISON)
def test_poison_teaches_nothing(trick):
    """Trick 16: neither for the name nor for the address."""
    packets = list(POISON[trick].packets)
    line = POISON[trick].hello("www.alpha.example").datagrams()
    try:
        assert line.verdicts() == [OUTSIDE, NOTHING]
    finally:
        POISON[trick].packets = packets


def test_aliases_are_followed_in_any_order_and_the_shortest_time_to_live_counts():
    records = [
        address("c.example", CDN, 50),
        alias("b.example", "c.example", 20),
        alias("www.alpha.example", "b.example", 90),
    ]
    for order in (records, records[::-1], [records[1], records[0], records[2]]):
        line = Line(dns_grace_seconds=0).ask().reply(order)
        told = line.time_ns
        assert line.hello("www.alpha.example").verdict() == NAMED
        line.time_ns = told + 20 * SECOND
        line.hello("www.alpha.example")
        assert line.verdicts() == [NAMED, OUTSIDE]


@pytest.mark.parametrize("ttl", [0, 1, 60])
@pytest.mark.parametrize("grace", [0, 300])
def test_an_answer_counts_to_the_nanosecond(ttl, grace):
    for early_ns, expected in ((1, BY_DNS), (0, NOTHING)):
        if ttl + grace == 0:
            continue
        line = Line(dns_grace_seconds=grace).look_up(ttl=ttl)
        line.time_ns += (ttl + grace) * SECOND - SECOND // 1000 - early_ns
        assert line.datagrams().verdict() == expected


def test_no_time_to_live_is_longer_than_a_day():
    line = Line(dns_grace_seconds=0).look_up(ttl=2**31 - 1)
    line.time_ns += 86400 * SECOND - SECOND // 1000
    assert line.datagrams().verdict() == NOTHING


def test_a_flow_that_opened_in_time_keeps_its_evidence_and_an_answer_behind_its_begin_is_none():
    line = Line(dns_grace_seconds=0).look_up(ttl=5)
    late = Line(dns_grace_seconds=0).wait(ns=10)
    ends, back = (ME, 30000, CDN, 443), (CDN, 443, ME, 30000)
    flight = client_hello("www.alpha.example")
    for talk, pause in ((line, 6), (late, 0)):
        talk.send(*ends, b"", TCP, SYN, (99, 0)).send(*back, b"", TCP, SYN | ACK, (499, 100)).wait(pause)
        if talk is late:
            talk.look_up()
        talk.send(*ends, flight, TCP, ACK, (100, 500)).send(*back, b"", TCP, ACK, (500, 100 + len(flight)))
    assert line.verdict() == NAMED
    assert late.verdict() == OUTSIDE


def test_an_answer_renewed_counts_without_a_gap():
    line = Line(dns_grace_seconds=0).look_up(ttl=5)
    ends, back = (ME, 30000, CDN, 443), (CDN, 443, ME, 30000)
    flight = client_hello("www.alpha.example")
    line.send(*ends, b"", TCP, SYN, (99, 0)).send(*back, b"", TCP, SYN | ACK, (499, 100)).look_up(id_=9, ttl=5)
    line.send(*ends, flight, TCP, ACK, (100, 500)).send(*back, b"", TCP, ACK, (500, 100 + len(flight)))
    assert line.verdict() == NAMED


def test_without_a_name_on_the_wire_the_answer_names_the_flow():
    """Accounting 2.2; others may be served at the address, so it is not verified."""
    assert Line().look_up().datagrams().verdict() == BY_DNS
    assert Line().look_up().hello(None).verdict() == BY_DNS
    assert Line().look_up(text=ALPHA_ADDRESS).datagrams(ALPHA_ADDRESS).verdict() == ("alpha", "verified", "dns")


def test_the_name_on_the_wire_wins_over_the_answer():
    """Trick 17."""
    assert Line().look_up().hello("www.gamma.example").verdict() == ("gamma", "claimed", "tls_sni")
    assert Line().look_up().hello("unlisted.example").verdict() == ("unknown", "none", "tls_sni")


@pytest.mark.parametrize("second", ["www.beta.example", "unlisted.example"])
@pytest.mark.parametrize("turned", [False, True])
def test_an_address_with_names_of_two_proves_only_the_name_in_the_hello(second, turned):
    names = ["www.alpha.example", second]
    line = Line()
    for number, name in enumerate(names[::-1] if turned else names):
        line.look_up(name, id_=number)
    line.datagrams().hello("www.alpha.example")
    assert line.verdicts() == [NOTHING, NAMED]


def test_two_names_of_one_application_share_nothing():
    assert Line().look_up().look_up("img.alpha.example", id_=8).datagrams().verdict() == BY_DNS


def test_a_name_whose_time_is_over_shares_nothing():
    line = Line(dns_grace_seconds=0).look_up("unlisted.example", ttl=1).look_up(ttl=100, id_=8).wait(2)
    assert line.datagrams().verdict() == BY_DNS


@pytest.mark.parametrize("resolver", [RESOLVER, ROGUE])
def test_without_a_list_any_server_that_answers_the_subscriber_is_trusted(resolver):
    """The contract's `trusted_resolvers`, empty. What backs no name on the wire is taken with care all the same."""
    line = Line(trusted=()).look_up(resolver=resolver).hello("www.alpha.example").hello("img.alpha.example").datagrams()
    assert line.verdicts() == [NAMED, OUTSIDE, NOTHING], "alpha's list is complete, and its flow shows no name"
    line = Line(trusted=()).look_up("www.gamma.example").hello("www.gamma.example").datagrams()
    assert line.verdicts() == [("gamma", "verified", "tls_sni"), ("gamma", "claimed", "dns")]
    line = Line(trusted=()).look_up("www.gamma.example", BETA_ADDRESS).datagrams(BETA_ADDRESS)
    assert line.verdict() == ("beta", "address", "address")


@pytest.mark.parametrize("trick", [trick for trick in POISON if trick != "a rogue resolver"])
def test_poison_teaches_nothing_without_a_list_either(trick):
    line = Line(trusted=())
    line.packets, line.time_ns = list(POISON[trick].packets), POISON[trick].time_ns
    assert line.hello("www.alpha.example").datagrams().verdicts() == [OUTSIDE, NOTHING]


def test_only_flows_of_tcp_and_udp_that_the_subscriber_opened_are_named():
    line = Line().look_up()
    line.send(CDN, 443, ME, 45000, b"x" * 30).send(ME, 45000, CDN, 443, b"y" * 30)
    line.send(ME, 0, CDN, 0, b"z" * 90, protocol=99)
    assert line.verdicts() == [NOTHING, NOTHING]


def test_hints_and_addresses_of_ipv6_are_learned():
    line = Line().ask(kind=HTTPS).reply([service("www.alpha.example", [CDN, FURTHER])], kind=HTTPS)
    line.hello("www.alpha.example").hello("www.alpha.example", FURTHER)
    assert line.verdicts() == [NAMED, NAMED]
    me, server, resolver = "2001:db8:5::9", "2001:db8:77::1", "2001:db8:99::53"
    for six in (
        Line(trusted=(resolver,)).look_up(text=server, resolver=resolver, who=me),
        Line(trusted=(resolver,))
        .ask(kind=HTTPS, resolver=resolver, who=me)
        .reply([service("www.alpha.example", [server])], kind=HTTPS, resolver=resolver, who=me),
    ):
        assert six.hello("www.alpha.example", server, me).verdict() == NAMED
    mapped = Line().look_up(text=f"::{CDN}").hello("www.alpha.example")
    assert mapped.verdict() == OUTSIDE, "an IPv6 address with the digits of an IPv4 one is another address"


def test_messages_over_tcp_are_read_where_they_lie_whole_in_a_segment():
    query, reply = query_message("www.alpha.example"), answer_message("www.alpha.example", GOOD)
    further = query_message("www.gamma.example", id_=8), answer_message("www.gamma.example", [], id_=8)
    ends, back = (ME, 41000, RESOLVER, 53), (RESOLVER, 53, ME, 41000)

    def framed(*messages):
        return b"".join(struct.pack("!H", len(message)) + message for message in messages)

    for up, down, expected in (
        ([framed(query)], [framed(reply)], NAMED),
        ([framed(further[0], query)], [framed(further[1], reply)], NAMED),
        ([framed(query)], [framed(reply)[:60], framed(reply)[60:]], OUTSIDE),
        ([framed(query)], [reply], OUTSIDE),
    ):
        line = Line().send(*ends, b"", TCP, SYN, (9, 0)).send(*back, b"", TCP, SYN | ACK, (9, 10))
        for octets in up:
            line.send(*ends, octets, TCP, ACK, (10, 10))
        for octets in down:
            line.send(*back, octets, TCP, ACK, (10, 10 + len(up[0])))
        assert line.hello("www.alpha.example").verdict() == expected


def test_an_answer_that_the_capture_cut_or_that_came_in_fragments_teaches_nothing():
    line = Line().ask().reply(GOOD).hello("www.alpha.example")
    frames = [packet.sent() for packet in line.packets]
    whole = frames[1]
    cut = Sent(whole.time_ns, whole.octets[:-1], wire_octets=len(whole.octets))
    datagram = udp_datagram(53, 40000, answer_message("www.alpha.example", GOOD))
    pieces = [
        Sent(whole.time_ns, ip_packet(RESOLVER, ME, UDP, datagram[:64], identification=5, more=1)),
        Sent(whole.time_ns, ip_packet(RESOLVER, ME, UDP, datagram[64:], identification=5, offset_octets=64)),
    ]
    for spoilt in ([cut], pieces):
        outcome = measure([frames[0], *spoilt, *frames[2:]], trusted_resolvers=TRUSTED)
        assert {flow.evidence for flow in outcome.flows if flow.server_port == 443} == {"contradicted"}


def test_dns_itself_is_not_named_by_dns():
    """Trick 15: megabytes over port 53 stay what they are, even to an address that an answer named."""
    catalogue = load_catalogue()
    sink = Gatherer(catalogue.application_names)
    meter = Meter(
        compile_catalogue(catalogue, TRUSTED),
        compile_subscribers([ip_network("10.0.0.0/8")], ()),
        interval_of,
        sink,
        CipherLibrary(),
        limits=Limits(**SMALL),
        log_flows=True,
        seed=3,
    )
    sink.meter = meter
    line = Line().look_up("www.taobao.com", ROGUE)
    for number in range(20):
        line.send(ME, 47000, ROGUE, 53, bytes([number]) * 1200).send(ROGUE, 53, ME, 47000, b"\0" * 1200)
    line.datagrams(ROGUE, 4433)
    meter.feed(*batch([packet.sent() for packet in line.packets]))
    meter.finish()
    found = {(flow.server, flow.server_port): (flow.application, flow.evidence) for flow in sink.ended}
    assert found == {
        (RESOLVER, 53): ("dns", "address"),
        (ROGUE, 53): ("dns", "none"),
        (ROGUE, 4433): ("taobao", "claimed"),
    }
    tunnel = sum(
        len(packet.packet()) for packet in line.packets if 47000 in (packet.source_port, packet.destination_port)
    )
    assert sum(v[0] + v[1] for key, v in sink.volumes.items() if key[2:4] == ("dns", "none")) == tunnel


def test_a_flood_leaves_what_others_have_learned_and_is_counted():
    """Trick 28: queries without end, and answers without end."""
    line = Line(dns_names=64, dns_names_each=16, dns_queries=64, dns_queries_each=16)
    line.look_up(ttl=86400).ask("www.gamma.example", id_=50)
    for number in range(200):
        name = f"n{number}.example"
        line.look_up(name, f"198.18.0.{number}", 86400, who=NEIGHBOUR, port=1000, id_=number)
        line.ask(name, who=NEIGHBOUR, port=1001, id_=number)
    line.reply([address("www.gamma.example", FURTHER)], "www.gamma.example", id_=50)
    line.hello("www.alpha.example").hello("www.gamma.example", FURTHER)
    assert line.verdicts() == [NAMED, ("gamma", "verified", "tls_sni")]
    outcome = line.measure()
    assert outcome.overflow("names from DNS") == 200 - 16
    assert outcome.overflow("DNS queries") == 200 - 16


@dataclass
class TwinNote:
    since_ns: int
    expires_ns: int
    name: str


class Twin:
    """Accounting 2.2 and 2.4 with DNS, in plain Python, for the catalogue of `meters` and one subscriber's line."""

    def __init__(self) -> None:
        self.open: dict[tuple, int] = {}
        self.notes: dict[tuple[str, str], TwinNote] = {}

    def ask(self, key, now: int) -> None:
        self.open[key] = now

    def reply(self, key, name: str, text: str, ttl: int, now: int) -> None:
        asked = self.open.pop(key, None)
        if asked is None or now - asked >= 10 * SECOND:
            return
        old = self.notes.get((name, text))
        expires = now + ttl * SECOND + GRACE_NS
        if old is not None and old.expires_ns > now:
            old.expires_ns = max(old.expires_ns, expires)
        else:
            self.notes[name, text] = TwinNote(now, expires, name)

    def names(self, text: str, now: int) -> set[str]:
        return {
            name for (name, at), note in self.notes.items() if at == text and note.since_ns <= now < note.expires_ns
        }

    def verdict(self, name: str | None, text: str, now: int) -> tuple[str, str]:
        own = {ALPHA_ADDRESS: "alpha", BETA_ADDRESS: "beta"}.get(text)
        known = {"www.alpha.example": "alpha", "www.beta.example": "beta", "www.gamma.example": "gamma"}
        if name is not None:
            application = known.get(name)
            if application is None:
                return "unknown", "none"
            if own == application or name in self.names(text, now):
                return application, "verified"
            return application, "contradicted" if application == "alpha" else "claimed"
        told = {known.get(each) for each in self.names(text, now)}
        if len(told) == 1 and None not in told:
            (application,) = told
            return application, "verified" if own == application else "claimed"
        return (own, "address") if own else ("unknown", "none")


NAMES = ("www.alpha.example", "www.beta.example", "www.gamma.example", "unlisted.example")
SERVERS = (ALPHA_ADDRESS, BETA_ADDRESS, OTHER_ADDRESS)
STEPS = st.lists(
    st.tuples(
        st.sampled_from(("ask", "reply", "reply", "look up", "look up", "hello", "datagrams")),
        st.sampled_from(NAMES),
        st.sampled_from(SERVERS),
        st.integers(1, 3),  # id
        st.sampled_from((0, 30, 400)),  # TTL
        st.sampled_from((0, 0, 0, 9, 11, 200, 301)),
    ),
    min_size=1,
    max_size=25,
)


@modest(60)
@given(STEPS)
def test_the_meter_says_what_a_twin_says_whatever_the_batch(steps):
    line, twin, expected = Line(udp_idle_seconds=7200), Twin(), []
    for what, name, server, id_, ttl, pause in steps:
        line.wait(pause)
        key = (name, id_)
        if what in ("ask", "look up"):
            line.ask(name, id_=id_)
            twin.ask(key, line.time_ns)
        if what in ("reply", "look up"):
            line.reply([address(name, server, ttl)], name, id_=id_)
            twin.reply(key, name, server, ttl, line.time_ns)
        if what in ("hello", "datagrams"):
            opened = line.time_ns + SECOND // 1000
            asked = name if what == "hello" else None
            line.hello(name, server) if asked else line.datagrams(server)
            expected.append(twin.verdict(asked, server, opened))
    assert [verdict[:2] for verdict in line.verdicts()] == expected
    assert line.measure(batch_frames=1).usage == line.measure(seed=77).usage == line.measure().usage
