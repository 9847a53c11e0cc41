"""QUIC flows of the meter against the twin, on any sequence of real and misleading datagrams.

A sequence begins with an Initial of the client, so that the meter looks at what follows, and ends where the twin is decided:
what comes then may begin another flow.
"""

from __future__ import annotations

import pytest
from aioquic.quic.packet import encode_quic_retry, encode_quic_version_negotiation
from frames import UDP, client_hello, modest
from hypothesis import given
from hypothesis import strategies as st
from meters import ALPHA_ADDRESS, START_NS, measure
from quic_stack import V1, V2, crypto_frame, seal
from twin_meter import Packet
from twin_quic_flow import TwinFlow

from classifier.detection.ciphers import CipherLibrary

ME = "10.0.0.1"
IDS = (b"original", b"inert id")
EVIDENCE = {"alpha": "verified", "gamma": "claimed"}
CLIENT_ID, SERVER_ID, RETRY_ID = b"client", b"server's", b"retry id"
SERVER_HELLO = crypto_frame(0, b"\x02\x00\x00\x50" + bytes(76))


def hello(name: str) -> bytes:
    return client_hello(name)[5:]  # without the record header: RFC 8446, 5.1


HELLOS = (hello("alpha.example"), hello("gamma.example"))


def initial(octets: bytes, offset: int, connection_id: bytes, key_id: bytes, version: int, number: int) -> bytes:
    frames = crypto_frame(offset, octets).ljust(1180, b"\0")
    return seal(frames, destination_id=connection_id, key_id=key_id, version=version, number=number)


def piece(octets: bytes, part: str) -> tuple[bytes, int]:
    """All, the part before the name or the rest, and where it stands. (dpkt reads no name from a hello that is cut.)"""
    middle = octets.index(b".example") - 10
    return {"all": (octets, 0), "first": (octets[:middle], 0), "last": (octets[middle:], middle)}[part]


def from_client(which, part, ids, version, number):
    return False, initial(*piece(HELLOS[which], part), *ids, version, number)


def answer(frames, key_id, version, to, source_id):
    sealed = seal(
        FRAMES[frames], from_server=True, destination_id=to, source_id=source_id, key_id=key_id, version=version
    )
    return True, sealed


def retry(original, to):
    return True, encode_quic_retry(V1, RETRY_ID, to, original, b"a token")


def negotiation(echoed, to, offered):
    return True, encode_quic_version_negotiation(source_cid=echoed, destination_cid=to, supported_versions=offered)


def protected(to, source):
    """A Handshake packet of the server (RFC 9000, 17.2.4)."""
    ids = bytes([len(to)]) + to + bytes([len(source)]) + source
    return True, b"\xe0\x00\x00\x00\x01" + ids + b"\x40\x28" + bytes(40)


FRAMES = {"answer": SERVER_HELLO, "ack": bytes([0x02, 0, 0, 0, 0]) + bytes(40)}
TO = st.sampled_from([CLIENT_ID, CLIENT_ID, b"stranger"])
SOURCES = st.sampled_from([SERVER_ID, RETRY_ID])
VERSIONS = st.sampled_from([V1, V1, V1, V2])
PATHS = st.sampled_from(
    [(one, one) for one in IDS] + [(SERVER_ID, one) for one in IDS] + [(RETRY_ID, RETRY_ID)]  # (sent to, keys from)
)
# A name and its arguments, so that a failure can be read.
CLIENT = st.tuples(
    st.just(from_client),
    st.integers(0, 1),
    st.sampled_from(["all", "first", "last"]),
    PATHS,
    VERSIONS,
    st.integers(0, 9),
)
DATAGRAMS = st.one_of(
    CLIENT,
    CLIENT,
    st.tuples(
        st.just(answer), st.sampled_from(sorted(FRAMES)), st.sampled_from([*IDS, RETRY_ID]), VERSIONS, TO, SOURCES
    ),
    st.tuples(st.just(retry), st.sampled_from(IDS), TO),
    st.tuples(st.just(negotiation), st.sampled_from([*IDS, RETRY_ID]), TO, st.sampled_from([[V2], [V1], [V1, V2]])),
    st.tuples(st.just(protected), TO, SOURCES),
)


def outcome(seen: list[tuple[bool, bytes]], native: bool):
    """(name, application, evidence) that the meter gives the flow."""
    packets = []
    for number, (from_end, octets) in enumerate(seen):
        ends = (ME, ALPHA_ADDRESS, UDP, 50000, 443) if not from_end else (ALPHA_ADDRESS, ME, UDP, 443, 50000)
        packets.append(Packet(START_NS + number, *ends, payload=octets))
    (flow,) = measure([packet.sent() for packet in packets], ciphers=CipherLibrary(native=native)).flows
    return flow.name, flow.application, flow.evidence


def said(which, part, connection_id, key_id=None, version=V1):
    return from_client, which, part, (connection_id, key_id or connection_id), version, 0


def told(frames, key_id, version=V1):
    return answer, frames, key_id, version, CLIENT_ID, SERVER_ID


FIRST, OTHER = IDS
REFUSED = [said(1, "all", OTHER), (negotiation, OTHER, CLIENT_ID, [V2])]
# What flows are made of; a few changes to one reach what a random sequence would not.
STORIES = [
    [said(0, "all", FIRST), told("answer", FIRST)],
    [said(0, "last", FIRST), said(0, "first", FIRST), (protected, CLIENT_ID, SERVER_ID)],
    [*REFUSED, said(0, "first", FIRST), said(1, "last", OTHER), said(0, "last", FIRST), told("answer", FIRST)],
    [*REFUSED, said(0, "all", FIRST, version=V2), told("answer", FIRST, V2)],
    [
        said(0, "first", FIRST),
        (retry, FIRST, CLIENT_ID),
        said(0, "first", RETRY_ID),
        said(0, "last", SERVER_ID, RETRY_ID),
        told("answer", RETRY_ID),
    ],
    [said(0, "first", FIRST), told("ack", FIRST), said(0, "last", SERVER_ID, FIRST), told("answer", FIRST)],
    [said(1, "all", OTHER), said(0, "all", FIRST), (protected, CLIENT_ID, SERVER_ID), told("answer", FIRST)],
    [said(0, "first", FIRST), said(1, "first", OTHER), said(0, "last", FIRST), told("answer", OTHER)],
    [said(0, "all", FIRST), told("answer", FIRST, V2), said(0, "all", SERVER_ID, FIRST, V2)],
]


@st.composite
def changed_stories(draw):
    """A story in which some datagrams are left out, put elsewhere, or stand in place of others."""
    story = list(draw(st.sampled_from(STORIES)))
    for _ in range(draw(st.integers(0, 3))):
        at = draw(st.integers(1, max(len(story) - 1, 1)))
        change = draw(st.sampled_from(["drop", "insert", "repeat", "move"]))
        if change == "drop":
            story = story[:at] + story[at + 1 :]
        elif change == "insert":
            story.insert(at, draw(DATAGRAMS))
        else:
            moved = draw(st.sampled_from(story[1:] or story))
            if change == "move" and moved in story[1:]:
                story.remove(moved)
            story.insert(min(at, len(story)), moved)
    return story


@pytest.mark.parametrize("native", [True, False], ids=["native", "stand-in"])
@modest(400)
@given(
    st.one_of(
        changed_stories(), changed_stories(), st.builds(lambda one, more: [one, *more], CLIENT, st.lists(DATAGRAMS))
    )
)
def test_any_sequence_of_datagrams_comes_to_what_the_twin_says(native, story):
    twin = TwinFlow()
    seen = []
    for make, *how in story[:16]:
        if not twin.decided:
            seen.append(make(*how))
            twin.read(*seen[-1])
    name, application, evidence = outcome(seen, native)
    if twin.counts:
        shown = twin.names[-1]
        expected = shown.split(".")[0]
        wanted = (expected, "contradicted" if twin.contradicted else EVIDENCE[expected])
        assert name == shown
    else:
        wanted = ("unknown", "none") if twin.names or twin.contradicted else ("alpha", "address")
    assert (application, evidence) == wanted
