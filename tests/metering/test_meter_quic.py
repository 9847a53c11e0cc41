"""QUIC through the meter: when a hello's name counts, and for which octets (the tricks 3, 9, 12, 20 and 28).

Datagrams are aioquic's, or sealed with its keys; hellos are those of Python's TLS client without their record.
"""

from __future__ import annotations

import ctypes
import random
from itertools import pairwise

import pytest
from aioquic.quic.packet import encode_quic_retry, encode_quic_version_negotiation
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from frames import UDP, client_hello, modest
from hypothesis import given
from hypothesis import strategies as st
from meters import ALPHA_ADDRESS, BETA_ADDRESS, INTERVAL_NS, OTHER_ADDRESS, SECOND_NS, START_NS, measure
from quic_stack import (
    V1,
    V2,
    client,
    crypto_frame,
    handshake,
    handshake_after_retry,
    header,
    hello_name,
    seal,
    sent,
    server,
    talk,
)
from twin_meter import Packet
from twin_quic_keys import key_material, known_version

from classifier.detection.ciphers import CipherLibrary
from classifier.kernels.ciphers import CALL_HMAC
from classifier.metering.tables import Limits

CALLBACK = ctypes.CFUNCTYPE(ctypes.c_int, *[ctypes.c_void_p] * 6)
ME, NEIGHBOUR = "10.0.0.1", "10.0.0.2"
NAME, EVIL = "alpha.example", "gamma.example"
RECORD_HEADER = 5  # RFC 8446, 5.1
INITIAL_OCTETS = 1180  # with header and tag more than 1200 octets: RFC 9000, 14.1
SERVER_ID = b"server's"
SHORT = b"\x41" + SERVER_ID + bytes(40)  # a short header to that id: RFC 9000, 17.3.1


def hello(name: str | None) -> bytes:
    return client_hello(name)[RECORD_HEADER:]


def initial(*pieces: tuple[int, bytes], **how) -> bytes:
    """A client's Initial with CRYPTO frames in that order, padded."""
    frames = b"".join(crypto_frame(offset, octets) for offset, octets in pieces)
    return seal(frames.ljust(INITIAL_OCTETS, b"\0"), **how)


def answer(original: bytes = b"original", to: bytes = b"client") -> bytes:
    """A server's Initial that carries the begin of a ServerHello."""
    frames = crypto_frame(0, b"\x02\x00\x00\x50" + bytes(76))
    return seal(frames, from_server=True, destination_id=to, source_id=SERVER_ID, key_id=original)


class Datagrams:
    """One UDP 5-tuple, datagram by datagram, a millisecond apart."""

    def __init__(self, server=ALPHA_ADDRESS, port=50000, me=ME, after: Datagrams | None = None) -> None:
        self.ends = (me, port, server, 443)
        self.packets: list[Packet] = list(after.packets) if after else []
        self.time_ns = after.time_ns if after else START_NS

    def wait(self, seconds: float) -> Datagrams:
        self.time_ns += int(seconds * SECOND_NS)
        return self

    def up(self, *payloads: bytes) -> Datagrams:
        return self._add(*self.ends, payloads)

    def down(self, *payloads: bytes) -> Datagrams:
        return self._add(*self.ends[2:], *self.ends[:2], payloads)

    def seen(self, datagrams) -> Datagrams:
        for from_server, datagram in datagrams:
            (self.down if from_server else self.up)(datagram)
        return self

    def _add(self, a, a_port, b, b_port, payloads) -> Datagrams:
        for payload in payloads:
            self.time_ns += SECOND_NS // 1000
            self.packets.append(Packet(self.time_ns, a, b, UDP, a_port, b_port, payload=payload))
        return self

    def measure(self, **options):
        return measure([packet.sent() for packet in self.packets], **options)

    def flows(self, **options):
        return sorted(self.measure(**options).flows, key=lambda flow: flow.first_ns)

    def only_flow(self, **options):
        (flow,) = self.flows(**options)
        return flow


def verdict(flow):
    return flow.application, flow.evidence


class CountingCiphers(CipherLibrary):
    """Counts the keys that are tried: each takes as many calls of HMAC (RFC 9001, 5.2)."""

    HMACS = 5

    def __init__(self) -> None:
        super().__init__(native=False)
        self.calls = 0
        real = CALLBACK(int(self.addresses[CALL_HMAC]))

        def counted(*words):
            self.calls += 1
            return real(*words)

        self.counting = CALLBACK(counted)
        self.addresses[CALL_HMAC] = ctypes.cast(self.counting, ctypes.c_void_p).value

    @property
    def tried(self) -> int:
        return self.calls // self.HMACS


def sealed_with(keys: tuple[bytes, bytes, bytes], version: int, to: bytes, source: bytes, frames: bytes) -> bytes:
    """An Initial with packet number 0, sealed by hand (RFC 9001, 5.3 and 5.4), as aioquic knows no made-up version."""
    header = b"\xc0" + version.to_bytes(4, "big") + bytes([len(to)]) + to + bytes([len(source)]) + source + b"\x00"
    header += (0x4000 | 1 + len(frames) + 16).to_bytes(2, "big") + b"\x00"
    key, iv, header_key = keys
    text = AESGCM(key).encrypt(iv, frames, header)
    mask = Cipher(algorithms.AES(header_key), modes.ECB()).encryptor().update(text[3:19])
    return bytes([header[0] ^ mask[0] & 0x0F]) + header[1:-1] + bytes([mask[1]]) + text


def connected(name: str = NAME, **ends) -> Datagrams:
    return Datagrams(**ends).up(initial((0, hello(name)))).down(answer())


# The name, its answer, and the octets before it.


@pytest.mark.parametrize("version", [V1, V2])
def test_a_real_handshake_names_all_octets_of_its_flow(version):
    options = {"supported_versions": [version], "original_version": version}
    talked = Datagrams().seen(handshake(NAME, options, {"supported_versions": [version]}))
    outcome = talked.measure()
    (flow,) = outcome.flows
    assert (flow.name, flow.source, *verdict(flow)) == (NAME, "quic_sni", "alpha", "verified")
    assert {key[2:] for key in outcome.usage} == {("alpha", "verified", "taken_part")}
    ways = zip(flow.octets, (ME, ALPHA_ADDRESS), strict=True)
    assert all(octets == sum(len(p.packet()) for p in talked.packets if p.source == end) for octets, end in ways)


def test_a_handshake_after_a_retry_gives_its_name():
    flow = Datagrams().seen(handshake_after_retry(NAME, b"retry id")).only_flow()
    assert (flow.name, *verdict(flow)) == (NAME, "alpha", "verified")


@pytest.mark.parametrize(("name", "expected"), [(NAME, "verified"), (EVIL, "contradicted")])
def test_the_hello_after_a_retry_has_to_have_the_same_name(name, expected):
    retry = encode_quic_retry(V1, b"retry id", b"client", b"original", b"a token")
    talked = Datagrams().up(initial((0, hello(name)))).down(retry)
    talked.up(initial((0, hello(NAME)), destination_id=b"retry id", token=b"a token")).down(answer(b"retry id"))
    assert talked.only_flow().evidence == expected


@pytest.mark.parametrize(
    ("name", "address", "expected"),
    [
        (NAME, OTHER_ADDRESS, ("alpha", "contradicted")),
        ("beta.example", OTHER_ADDRESS, ("beta", "claimed")),
        ("unlisted.example", ALPHA_ADDRESS, ("unknown", "none")),
        (None, ALPHA_ADDRESS, ("alpha", "address")),
    ],
)
def test_a_name_is_weighed_against_the_address_as_tlss_is(name, address, expected):
    assert verdict(connected(name, server=address).only_flow()) == expected


def test_a_hello_that_nobody_answered_frees_nothing_and_its_name_is_shown():
    flow = Datagrams().up(initial((0, hello(NAME))), SHORT).down(bytes(60), SHORT).only_flow()
    assert (flow.name, *verdict(flow)) == (NAME, "unknown", "none")


def test_octets_before_the_answer_are_held_in_their_intervals():
    talked = Datagrams().up(initial((0, hello(NAME)))).wait(INTERVAL_NS / SECOND_NS).up(SHORT)
    outcome = talked.wait(INTERVAL_NS / SECOND_NS).down(answer()).measure()
    assert {key[2:] for key in outcome.usage} == {("alpha", "verified", "taken_part")}
    sizes = [len(packet.packet()) for packet in talked.packets]
    first = START_NS // INTERVAL_NS * INTERVAL_NS
    volumes = {(key[0] - first) // INTERVAL_NS: volume[:2] for key, volume in outcome.usage.items()}
    assert volumes == {0: (sizes[0], 0), 1: (sizes[1], 0), 2: (0, sizes[2])}


def test_a_capture_that_begins_with_the_servers_answer_still_finds_out_who_the_client_is():
    seen = handshake(NAME)
    flow = Datagrams().down(answer()).seen(seen).only_flow()
    assert (flow.client, flow.name, *verdict(flow)) == (ALPHA_ADDRESS, NAME, "alpha", "verified")


def test_a_stranger_cannot_name_the_downlink():
    """A hello to the subscriber, from the address that the name belongs to, and the subscriber answers it."""
    flow = Datagrams().down(initial((0, hello(NAME)))).up(answer()).only_flow()
    assert (flow.name, *verdict(flow)) == (NAME, "unknown", "none")


# Hellos in pieces.


@modest(40)
@given(st.lists(st.integers(1, 500), max_size=6), st.randoms(use_true_random=False), st.booleans())
def test_crypto_frames_of_any_cut_and_order_over_several_initials_give_the_name(cuts, chance, one_initial):
    message = hello(NAME)
    places = [0, *sorted({cut for cut in cuts if cut < len(message)}), len(message)]
    pieces = [(a, message[a:b]) for a, b in pairwise(places)]
    pieces += chance.sample(pieces, 1)
    chance.shuffle(pieces)
    packets = [pieces] if one_initial else [[piece] for piece in pieces]
    talked = Datagrams().up(*(initial(*some, number=number) for number, some in enumerate(packets)))
    assert verdict(talked.down(answer()).only_flow()) == ("alpha", "verified")


def test_crypto_octets_that_contradict_each_other_contradict_the_flow():
    talked = Datagrams().up(initial((0, hello(NAME))), initial((0, hello(NAME)[:-9] + b"another!!"), number=1))
    assert talked.down(answer()).only_flow().evidence == "contradicted"


@pytest.mark.parametrize("offset", [8192, 2**32, 2**62 - 2000])
def test_crypto_octets_far_out_harm_nothing(offset):
    talked = Datagrams().up(initial((offset, bytes(900))), initial((0, hello(NAME)), number=1))
    assert verdict(talked.down(answer()).only_flow()) == ("alpha", "verified")


# Several attempts in a flow.


@pytest.mark.parametrize("names", [(NAME, EVIL), (EVIL, NAME), (NAME, None)])
def test_a_hello_that_never_arrived_beside_the_one_that_did_frees_nothing(names):
    """Trick 12: only the second is answered."""
    inert, real = names
    talked = Datagrams().up(initial((0, hello(inert)), destination_id=b"inert id"), initial((0, hello(real))))
    flow = talked.down(answer()).only_flow()
    assert flow.evidence in ("contradicted", "none")


def test_an_answer_to_the_first_of_two_hellos_does_not_count_for_the_second():
    talked = Datagrams().up(initial((0, hello(EVIL))), initial((0, hello(NAME)), destination_id=b"inert id"))
    assert talked.down(answer()).only_flow().evidence in ("contradicted", "none")


def test_half_a_hello_goes_on_beside_another_one_and_frees_nothing():
    evil = hello(EVIL)
    talked = Datagrams().up(initial((0, evil[:90])), initial((0, hello(NAME)), destination_id=b"inert id"))
    talked.up(initial((90, evil[90:]), number=1))
    assert Datagrams(after=talked).down(answer()).only_flow().evidence in ("contradicted", "none")
    assert Datagrams(after=talked).down(answer(b"inert id")).only_flow().evidence == "contradicted"


def test_the_same_hello_tried_once_more_is_no_contradiction():
    talked = Datagrams().up(initial((0, hello(NAME)), destination_id=b"unheard!"), initial((0, hello(NAME))))
    assert verdict(talked.down(answer()).only_flow()) == ("alpha", "verified")


def test_what_a_version_negotiation_refused_is_void():
    first = initial((0, hello(EVIL)), destination_id=b"refused!")
    refusal = encode_quic_version_negotiation(
        source_cid=b"refused!", destination_cid=b"client", supported_versions=[V2]
    )
    talked = Datagrams().up(first).down(refusal).up(initial((0, hello(NAME)), version=V2))
    frames = crypto_frame(0, b"\x02\x00\x00\x50" + bytes(76))
    ids = {"destination_id": b"client", "source_id": SERVER_ID, "key_id": b"original"}
    flow = talked.down(seal(frames, from_server=True, version=V2, **ids)).only_flow()
    assert (flow.name, *verdict(flow)) == (NAME, "alpha", "verified")


def test_a_reserved_version_is_read_and_void_once_the_server_negotiates():
    """RFC 9000, 15: clients try a version that no server has, with the keys of the draft that they speak. The sealed packet
    is draft 29's with the version written over, under its own authentication."""
    reserved, draft_29 = 0x1A2A3A4A, 0xFF00001D
    frames = crypto_frame(0, hello(EVIL)).ljust(INITIAL_OCTETS, b"\0")
    first = sealed_with(
        key_material(known_version(draft_29), b"reserved", False), reserved, b"reserved", b"client", frames
    )
    refusal = encode_quic_version_negotiation(
        source_cid=b"reserved", destination_cid=b"client", supported_versions=[V1]
    )
    shown = Datagrams().up(first).only_flow()
    assert (shown.name, *verdict(shown)) == (EVIL, "unknown", "none")
    flow = Datagrams().up(first).down(refusal).up(initial((0, hello(NAME)))).down(answer()).only_flow()
    assert (flow.name, *verdict(flow)) == (NAME, "alpha", "verified")


# The same connection on another port, another one on the same ports.


@pytest.mark.parametrize(
    ("ends", "payload", "expected"),
    [
        ({}, SHORT, ("alpha", "verified")),
        ({"me": NEIGHBOUR}, SHORT, ("alpha", "address")),
        ({"server": "203.0.113.11"}, SHORT, ("alpha", "address")),
        ({}, SHORT[:1] + b"another " + SHORT[9:], ("alpha", "address")),
        ({}, SHORT[:8], ("alpha", "address")),
    ],
)
def test_a_flow_on_another_port_goes_on_only_with_the_same_subscriber_server_and_id(ends, payload, expected):
    talked = Datagrams(port=50001, after=connected(), **ends).up(payload).down(bytes(60))
    assert verdict(talked.flows()[1]) == expected


def test_a_contradicted_connection_stays_so_on_another_port():
    talked = Datagrams(OTHER_ADDRESS, 50001, after=connected(server=OTHER_ADDRESS)).up(SHORT)
    assert [verdict(flow) for flow in talked.flows()] == [("alpha", "contradicted")] * 2


def test_another_connection_on_the_same_ports_is_another_flow_with_its_own_name():
    talked = connected().up(SHORT).up(initial((0, hello(EVIL)), destination_id=b"the next")).down(answer(b"the next"))
    flows = talked.flows()
    assert [(flow.name, *verdict(flow)) for flow in flows] == [
        (NAME, "alpha", "verified"),
        (EVIL, "gamma", "claimed"),
    ]
    assert flows[0].ended == "reused"


def test_another_connection_is_seen_where_the_first_ones_server_chose_no_id():
    nameless = seal(
        crypto_frame(0, b"\x02\x00\x00\x50" + bytes(76)),
        from_server=True,
        destination_id=b"client",
        source_id=b"",
        key_id=b"original",
    )
    talked = Datagrams().up(initial((0, hello(NAME)))).down(nameless)
    talked.up(initial((0, hello(EVIL)), destination_id=b"the next")).down(answer(b"the next"))
    assert [verdict(flow) for flow in talked.flows()] == [("alpha", "verified"), ("gamma", "claimed")]


def test_another_connection_is_seen_where_the_capture_begins_with_the_server():
    talked = Datagrams().down(answer()).up(initial((0, hello(NAME)))).down(answer())
    talked.up(initial((0, hello(EVIL)), destination_id=b"the next")).down(answer(b"the next"))
    assert [verdict(flow) for flow in talked.flows()] == [("alpha", "verified"), ("gamma", "claimed")]


def google_hello(name: str, connection_id: bytes) -> bytes:
    """Version Q043: flags, id, version, number, hash, a frame of stream 1 with a CHLO ("QUIC Crypto")."""
    message = b"CHLO\x01\x00\x00\x00SNI\x00" + len(name).to_bytes(4, "little") + name.encode()
    frame = b"\xa0\x01" + len(message).to_bytes(2, "big") + message
    return b"\x09" + connection_id + b"Q043\x01" + bytes(12) + frame + bytes(900)


def test_another_connection_of_googles_on_the_same_ports_is_another_flow():
    first, other = b"11111111", b"22222222"
    talked = Datagrams().up(google_hello(NAME, first)).down(b"\x08" + first + bytes(40))
    talked.up(google_hello(NAME, first))
    assert verdict(Datagrams(after=talked).only_flow()) == ("alpha", "verified")
    talked.up(google_hello(EVIL, other)).down(b"\x08" + other + bytes(40))
    assert [verdict(flow) for flow in talked.flows()] == [("alpha", "verified"), ("gamma", "claimed")]


def test_two_names_in_a_hello_contradict_each_other():
    one = hello(NAME)
    at = one.index(NAME.encode()) - 9  # type and length of the extension, list, type and length of the name
    extension = one[at : at + 9 + len(NAME)]
    other = extension.replace(NAME.encode(), EVIL.encode())
    whole = (int.from_bytes(one[1:4], "big") + len(other)).to_bytes(3, "big")
    # The length of all extensions stands before the first of them, and Python's hello has the name first.
    extensions = (int.from_bytes(one[at - 2 : at], "big") + len(other)).to_bytes(2, "big")
    both = one[:1] + whole + one[4 : at - 2] + extensions + extension + other + one[at + len(extension) :]
    assert len(EVIL) == len(NAME)
    assert hello_name(both) is not None
    assert Datagrams().up(initial((0, both))).down(answer()).only_flow().evidence == "contradicted"


def test_initials_that_come_late_or_go_to_the_servers_id_are_the_flows_own():
    late = initial((0, hello(NAME)), number=3)
    further = initial((0, hello(NAME)), number=4, destination_id=SERVER_ID, key_id=b"original")
    assert verdict(connected().up(late, further, late).only_flow()) == ("alpha", "verified")


# What it costs.


def test_of_datagrams_that_cannot_be_quic_none_is_opened():
    ciphers = CountingCiphers()
    rtp, dtls = b"\x80\x60" + bytes(2) + b"\xff" * 160, b"\x16\xfe\xfd" + bytes(60)
    dns = b"\xd0\x33\x01\x00\x00\x01" + bytes(6) + b"\x05alpha\x07example\x00\x00\x01\x00\x01"
    long_id = b"\xc0\x00\x00\x00\x01\x15" + bytes(200)
    for number, payload in enumerate((rtp, dtls, dns, long_id, b"", b"\x80", SHORT, b"\xff" * 90)):
        Datagrams(port=50000 + number).up(payload, initial((0, hello(NAME)))).down(payload).only_flow(ciphers=ciphers)
    assert ciphers.tried == 0


def test_datagrams_are_opened_up_to_the_inspection_limit_and_then_the_flow_is_decided():
    ciphers = CountingCiphers()
    junk = b"\xc0\x00\x00\x00\x01\x08" + bytes(8) + b"\x00" + bytes(1100)
    outcome = Datagrams().up(*[junk] * 100).measure(ciphers=ciphers)
    assert ciphers.tried == Limits().inspection_packets
    assert {key[2:4] for key in outcome.usage} == {("alpha", "address")}


def test_datagrams_of_a_decided_flow_are_not_opened():
    ciphers = CountingCiphers()
    connected().up(*[initial((0, hello(NAME)), number=5)] * 9).measure(ciphers=ciphers)
    assert ciphers.tried == 2


def test_a_flood_of_random_ids_takes_fixed_room_and_leaves_others_alone():
    chance = random.Random(28)
    talked = Datagrams().up(initial((0, hello(NAME)))).down(answer())
    flood = Datagrams(me=NEIGHBOUR, server=BETA_ADDRESS, after=talked)
    for port in range(50001, 50101):
        flood.ends = (NEIGHBOUR, port, BETA_ADDRESS, 443)
        flood.up(initial((0, hello(EVIL)[:80]), destination_id=chance.randbytes(8)))
    last = Datagrams(port=50002, after=flood).up(initial((0, hello(NAME)))).down(answer())
    outcome = last.measure(streams=8)
    mine = [verdict(flow) for flow in outcome.flows if flow.client == ME]
    assert mine == [("alpha", "verified")] * 2
    assert outcome.overflow("reassemblies given up") > 0
    assert {flow.evidence for flow in outcome.flows if flow.client == NEIGHBOUR} == {"address"}


@pytest.mark.parametrize("batch_frames", [1, 7])
def test_the_size_of_the_batch_changes_nothing(batch_frames):
    one = client(NAME)
    first = sent(one)
    real = Datagrams(port=50007).seen(talk(one, server(header(first[0]).destination_cid), first))
    parts = [real, connected(), connected(EVIL, port=50001), connected(port=50002, me=NEIGHBOUR).up(SHORT)]
    parts.append(Datagrams(port=50003).up(initial((0, hello(NAME)[:90]))))
    frames = [packet.sent() for packet in sorted((p for part in parts for p in part.packets), key=lambda p: p.time_ns)]
    once, again = measure(frames), measure(frames, batch_frames=batch_frames, seed=9)
    assert (again.totals, again.usage, again.flows) == (once.totals, once.usage, once.flows)
    assert {verdict(flow) for flow in once.flows} >= {("alpha", "verified"), ("gamma", "claimed")}
