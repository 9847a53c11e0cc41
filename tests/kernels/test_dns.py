"""DNS messages against dpkt and scapy, RFC 9460's own vector, cut at every octet, and spoilt."""

from __future__ import annotations

import random
import struct
from dataclasses import dataclass
from ipaddress import ip_address

import dpkt
import numpy as np
import pytest
from dns_messages import AAAA, CNAME, HTTPS, TXT, A, address, alias, answer_message, query_message, record, service
from frames import modest, read_only
from hypothesis import given
from hypothesis import strategies as st

from classifier.kernels.dns import (
    ANSWER,
    ANSWERS,
    HINT_IPV4,
    HINT_IPV6,
    dns_begins,
    find_hints,
    follow_aliases,
    read_answers,
    read_name,
    read_question,
)
from classifier.kernels.hashing import hash_octets
from classifier.kernels.jit import kernel
from classifier.kernels.names import RAW_AT, SCRATCH_OCTETS

SEED = np.uint64(11)
SCRATCH = np.zeros(SCRATCH_OCTETS, np.uint8)
RECORDS = np.zeros(ANSWERS, ANSWER).view(np.recarray)
HINTS = np.zeros(4, np.int64)
NAME = "www.alpha.example"


@kernel
def begins(data, start, octets):
    return dns_begins(data, start, octets)


@kernel
def name_at(data, start, end, position, scratch):
    return read_name(data, start, end, position, scratch)


@kernel
def question_of(data, start, end, scratch):
    return read_question(data, start, end, scratch)


@kernel
def answers_of(data, start, end, position, records, scratch, seed, asked):
    return read_answers(data, start, end, position, records, scratch, seed, asked)


@kernel
def aliases_of(records, count, name):
    return follow_aliases(records, count, name)


@kernel
def hints_of(data, start, end, records, number, scratch, found):
    found[0], found[1] = find_hints(data, start, end, records[number], HINT_IPV4, scratch)
    found[2], found[3] = find_hints(data, start, end, records[number], HINT_IPV6, scratch)
    return 0


@kernel
def hash_of(seed, text):
    return hash_octets(seed, text, 0, text.shape[0])


def hashed(name: str) -> int:
    return int(hash_of(SEED, read_only(name.lower().rstrip(".").encode())))


@dataclass
class Message:
    """What was read; `records` None where one is malformed. `end`: owner hash and TTL behind the aliases."""

    question: str | None
    kind: int = 0
    records: list[tuple[int, int, int, bytes]] | None = None
    end: tuple[int, int] | None = None
    hints: tuple[str, ...] = ()


def read(octets: bytes, before=b"", behind=b"") -> Message:
    """One message, with other octets around it."""
    SCRATCH.fill(0xEE)
    buffer = read_only(before + octets + behind)
    start, end = len(before), len(before) + len(octets)
    if not begins(buffer, start, len(octets)):
        return Message(None)
    length, kind, position = question_of(buffer, start, end, SCRATCH)
    if length <= 0:
        return Message(None)
    name = SCRATCH[RAW_AT : RAW_AT + length].tobytes().decode("latin-1")
    count = answers_of(buffer, start, end, position, RECORDS, SCRATCH, SEED, np.uint64(hashed(name)))
    if count < 0:
        return Message(name, kind)
    rows = [
        (
            int(row.owner),
            int(row.kind),
            int(row.ttl_seconds),
            buffer[row.position : row.position + row.octets].tobytes(),
        )
        for row in RECORDS[:count]
    ]
    hints = []
    for number in range(count):
        if rows[number][1] == HTTPS:
            hints_of(buffer, start, end, RECORDS, number, SCRATCH, HINTS)
            for place, size in ((0, 4), (2, 16)):
                at, octets_there = int(HINTS[place]), int(HINTS[place + 1])
                assert octets_there == 0 or (start <= at and at + octets_there <= end)
                packed = buffer[at : at + octets_there].tobytes()
                hints += [str(ip_address(packed[i : i + size])) for i in range(0, len(packed) - size + 1, size)]
    final = tuple(int(value) for value in aliases_of(RECORDS, count, np.uint64(hashed(name))))
    return Message(name, kind, rows, final, tuple(hints))


LABELS = st.lists(st.text("abcXYZ019-_", min_size=1, max_size=12), min_size=1, max_size=5).map(".".join)


@st.composite
def dpkt_answers(draw):
    """A message that dpkt writes, with its compressed names."""
    names = draw(st.lists(LABELS, min_size=1, max_size=4))
    names += [f"www.{name}" for name in names]
    records = []
    for _ in range(draw(st.integers(0, 8))):
        owner, ttl = draw(st.sampled_from(names)), draw(st.integers(0, 2**31 - 1))
        kind = draw(st.sampled_from((A, AAAA, CNAME)))
        made = dpkt.dns.DNS.RR(name=owner, type=kind, cls=1, ttl=ttl)
        if kind == A:
            made.ip = draw(st.binary(min_size=4, max_size=4))
        elif kind == AAAA:
            made.ip6 = draw(st.binary(min_size=16, max_size=16))
        else:
            made.cname = draw(st.sampled_from(names))
        records.append(made)
    asked = dpkt.dns.DNS.Q(name=draw(st.sampled_from(names)), type=draw(st.sampled_from((A, AAAA))), cls=1)
    return bytes(dpkt.dns.DNS(id=draw(st.integers(0, 65535)), op=0x8180, qd=[asked], an=records))


@modest(120)
@given(dpkt_answers(), st.binary(max_size=9), st.binary(max_size=9))
def test_questions_and_records_are_dpkts(octets, before, behind):
    truth = dpkt.dns.DNS(octets)
    found = read(octets, before, behind)
    assert (found.question, found.kind) == (truth.qd[0].name.lower(), truth.qd[0].type)
    assert [(owner, kind, ttl) for owner, kind, ttl, _ in found.records] == [
        (hashed(rr.name), rr.type, rr.ttl) for rr in truth.an
    ]
    assert [data for _, kind, _, data in found.records if kind != CNAME] == [
        bytes(rr.rdata) for rr in truth.an if rr.type != CNAME
    ]


@modest(80)
@given(dpkt_answers())
def test_the_end_of_the_aliases_is_where_a_walk_over_dpkts_records_ends(octets):
    truth = dpkt.dns.DNS(octets)
    aliases: dict[str, tuple[str, int]] = {}
    for rr in truth.an:
        if rr.type == CNAME:
            aliases.setdefault(rr.name.lower(), (rr.cname.lower(), rr.ttl))
    name, ttl, seen = truth.qd[0].name.lower(), 2**31 - 1, set()
    while name in aliases and name not in seen:
        seen.add(name)
        ttl = min(ttl, aliases[name][1])
        name = aliases[name][0]
    found = read(octets)
    if name in seen:
        assert found.end[1] == -1, "a loop"
    else:
        assert found.end == (hashed(name), ttl)


def test_scapys_messages_are_read_alike():
    from scapy.layers.dns import DNS, DNSQR, DNSRR, dns_compress

    chain = [
        DNSRR(rrname="cdn.beta.example", type="A", rdata="203.0.113.9", ttl=20),
        DNSRR(rrname="WWW.Alpha.example", type="CNAME", rdata="edge.cdn.beta.example", ttl=300),
        DNSRR(rrname="edge.cdn.beta.example", type="CNAME", rdata="cdn.beta.example", ttl=40),
    ]
    message = DNS(id=9, qr=1, qd=[DNSQR(qname="www.ALPHA.example", qtype="A")], an=chain)
    for octets in (bytes(message), bytes(dns_compress(message))):
        found = read(octets)
        assert (found.question, found.kind) == (NAME, A)
        assert found.end == (hashed("cdn.beta.example"), 40)
        assert [kind for _, kind, _, _ in found.records] == [A, CNAME, CNAME]
    assert len(bytes(dns_compress(message))) < len(bytes(message))


def test_hints_of_rfc_9460s_own_vector_are_read():
    """RFC 9460, Appendix D.2, figure 5: 1 foo.example.com. ipv6hint="2001:db8::1,2001:db8::53:1"."""
    data = bytes.fromhex("0001 03666f6f 076578616d706c65 03636f6d 00 0006 0020 20010db8000000000000000000000001")
    data += bytes.fromhex("20010db8000000000000000000530001")
    found = read(answer_message("example.com", [record("example.com", HTTPS, data)], HTTPS))
    assert found.hints == ("2001:db8::1", "2001:db8::53:1")


def test_hints_of_both_families_are_read_and_an_alias_has_none():
    hints = ["192.0.2.1", "192.0.2.2", "2001:db8::9"]
    assert read(answer_message(NAME, [service(NAME, hints)], HTTPS)).hints == tuple(hints)
    assert read(answer_message(NAME, [service(NAME, hints, priority=0, target="x.example")], HTTPS)).hints == ()


MESSAGE = answer_message(
    NAME, [alias(NAME, "a.beta.example", 9), address("a.beta.example", "192.0.2.1"), service(NAME, ["192.0.2.5"])]
)


def test_a_message_cut_anywhere_gives_no_records_and_reads_nothing_behind():
    assert read(MESSAGE).end == (hashed("a.beta.example"), 9)
    for octets in range(len(MESSAGE)):
        found = read(MESSAGE[:octets], behind=MESSAGE[octets:])
        assert found.records is None, octets


@pytest.mark.parametrize(
    "pointers",
    [
        b"\xc0\x0c",  # to itself
        b"\xc0\x0e\xc0\x0c",  # forward, and back
        b"\xc0\x00",  # into the header
        b"\x01a\xc0\x0c",  # a label, then from its begin again
        b"\xff\xff",  # far behind the end
        b"\xc0",  # half a pointer
        b"\x40a\x00",  # neither a label nor a pointer
        b"\x3fabc",  # longer than the message
    ],
)
def test_names_that_lead_nowhere_are_none(pointers):
    """RFC 1035, 4.1.4."""
    octets = query_message(NAME)[:12] + pointers
    buffer = read_only(octets + b"\0" * 0)
    assert name_at(buffer, 0, len(octets), 12, SCRATCH)[0] == -1


def test_pointers_to_pointers_end_after_a_bounded_number():
    octets = bytearray(query_message(NAME)[:12] + b"\x01a\x00\x00")
    for number in range(70):
        octets += struct.pack("!H", 0xC000 | (12 if number == 0 else len(octets) - 2))
    buffer = read_only(bytes(octets))
    reached = [name_at(buffer, 0, len(octets), 16 + 2 * number, SCRATCH)[0] for number in range(70)]
    assert reached == [1] * 64 + [-1] * 6


@pytest.mark.parametrize(("labels", "good"), [([63, 63, 63, 61], True), ([63, 63, 63, 62], False), ([1] * 127, True)])
def test_a_name_has_at_most_255_octets(labels, good):
    """RFC 1035, 2.3.4."""
    octets = query_message(NAME)[:12] + b"".join(bytes([size]) + b"x" * size for size in labels) + b"\0"
    length, position = name_at(read_only(octets), 0, len(octets), 12, SCRATCH)
    assert length == (sum(labels) + len(labels) - 1 if good else -1)
    assert position == len(octets)


@pytest.mark.parametrize("label", [b"alpha.example", b"alpha:443"])
def test_a_label_that_would_read_as_another_name_is_none(label):
    octets = query_message(NAME)[:12] + bytes([len(label)]) + label + b"\0"
    assert name_at(read_only(octets), 0, len(octets), 12, SCRATCH)[0] == -1


@pytest.mark.parametrize(
    "octets",
    [
        query_message(NAME, TXT),
        query_message(NAME)[:-1] + b"\x03",  # class CH
        query_message(""),
        query_message(NAME)[:4] + b"\0\x02" + query_message(NAME)[6:],  # two questions
        query_message(NAME)[:2] + b"\x28\0" + query_message(NAME)[4:],  # an UPDATE (RFC 2136)
    ],
)
def test_other_questions_are_passed_over(octets):
    assert read(octets).question is None


def test_a_ttl_with_the_highest_bit_is_zero():
    """RFC 2181, 8."""
    found = read(answer_message(NAME, [address(NAME, "192.0.2.1", 2**31), address(NAME, "192.0.2.2", 2**31 - 1)]))
    assert [ttl for _, _, ttl, _ in found.records] == [0, 2**31 - 1]


def test_records_beyond_the_bound_are_not_read():
    records = [address(NAME, f"10.1.0.{number}") for number in range(ANSWERS + 20)]
    assert len(read(answer_message(NAME, records)).records) == ANSWERS


def test_spoilt_messages_never_read_outside():
    chance = random.Random(3)
    for _ in range(1500):
        octets = bytearray(MESSAGE)
        for _ in range(chance.randrange(1, 5)):
            octets[chance.randrange(len(octets))] = chance.choice((0, 1, 63, 64, 0xC0, 0xFF, chance.randrange(256)))
        octets = bytes(octets[: chance.randrange(1, len(octets) + 1)])
        assert read(octets) == read(octets, behind=b"\x01\xc0" * 300)


@modest(300)
@given(st.binary(max_size=120), st.integers(0, 3))
def test_any_octets_are_survived(octets, answers):
    message = struct.pack("!6H", 1, 0x8180, 1, answers, 0, 0) + octets
    found = read(message)
    assert found == read(message, behind=b"\x3f" * 90)
