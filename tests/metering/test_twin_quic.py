"""What the twin says of real exchanges (aioquic on both ends) and of Initials made to mislead it."""

from __future__ import annotations

import pytest
from aioquic.quic.packet import encode_quic_version_negotiation
from hypothesis import given
from hypothesis import strategies as st
from quic_stack import (
    SERVER,
    V1,
    V2,
    Datagrams,
    client,
    crypto_frame,
    handshake,
    handshake_after_retry,
    header,
    hello_name,
    joined,
    seal,
    sent,
    server,
    talk,
)
from twin_quic import QuicReader, QuicResult, QuicStatus

NAME = "www.example.com"
FLOW = 7
PING, PADDING = b"\x01", bytes(1100)
ACK = bytes([0x02, 0x05, 0x00, 0x01, 0x01, 0x00, 0x02])  # up to 5, one more range: RFC 9000, 19.3
ACK_ECN = bytes([0x03, 0x05, 0x00, 0x00, 0x01, 0x01, 0x02, 0x03])
CLOSE = bytes([0x1C, 0x0A, 0x06, 0x03]) + b"why"  # RFC 9000, 19.19
FROM_SERVER = {"from_server": True, "destination_id": b"client", "source_id": b"server", "key_id": b"original"}


def read_all(datagrams: Datagrams, reader: QuicReader | None = None) -> list[QuicResult]:
    reader = reader or QuicReader()
    return [reader.read(FLOW, from_server, datagram) for from_server, datagram in datagrams]


def name_of(results: list[QuicResult], attempt: int = 1) -> str | None:
    return hello_name(joined([piece for one in results if one.attempt == attempt for piece in one.crypto]))


def statuses(datagrams: Datagrams) -> list[QuicStatus]:
    return [one.status for one in read_all(datagrams)]


# What a real stack does.


@pytest.mark.parametrize("version", [V1, V2])
def test_a_handshake_gives_the_name_and_its_answer_and_both_ids(version):
    options = {"supported_versions": [version], "original_version": version}
    datagrams = handshake(NAME, options, {"supported_versions": [version]})
    results = read_all(datagrams)
    assert name_of(results) == NAME
    answers = [one.answered for one in results if one.attempt]
    first_of_server = next(at for at, (from_server, _) in enumerate(datagrams) if from_server)
    assert not any(one.answered for one in results[:first_of_server])
    assert results[first_of_server].answered
    assert answers == sorted(answers)
    ids = header(datagrams[first_of_server][1])
    assert (results[first_of_server].client_id, results[first_of_server].server_id) == (
        ids.destination_cid,
        ids.source_cid,
    )
    assert {one.version for one in results if one.attempt} == {version}


def test_a_hello_over_several_datagrams_is_joined_in_any_order():
    first = sent(client(NAME, quantum_readiness_test=True))
    assert len(first) > 1
    for order in (first, first[::-1]):
        assert name_of(read_all([(False, datagram) for datagram in order])) == NAME


def test_a_retry_goes_on_with_the_attempt_and_changes_the_keys():
    datagrams = handshake_after_retry(NAME, b"retryid1")
    results = read_all(datagrams)
    assert results[1].status is QuicStatus.RETRY
    assert {one.attempt for one in results if one.crypto} == {1}
    assert name_of(results) == NAME
    assert name_of(results[2:]) == NAME
    assert not results[2].answered
    assert results[3].answered


def test_a_retry_that_does_not_verify_changes_nothing():
    datagrams = handshake_after_retry(NAME, b"retryid1")
    broken = datagrams[1][1][:-1] + bytes([datagrams[1][1][-1] ^ 1])
    reader = QuicReader()
    results = read_all([datagrams[0], (True, broken), datagrams[0]], reader)
    assert [one.status for one in results] == [QuicStatus.OPENED, QuicStatus.UNREADABLE, QuicStatus.OPENED]
    # Without the Retry, an Initial to its id is a connection of its own.
    assert reader.read(FLOW, False, datagrams[2][1]).attempt == 2


def test_a_retry_after_the_servers_initial_is_too_late():
    datagrams = handshake_after_retry(NAME, b"retryid1")
    original = header(datagrams[0][1])
    initial = seal(
        ACK,
        from_server=True,
        destination_id=original.source_cid,
        source_id=b"server",
        key_id=original.destination_cid,
    )
    assert statuses([datagrams[0], (True, initial), datagrams[1]])[2] is QuicStatus.UNREADABLE


def test_a_version_that_the_server_chose_goes_on_with_the_attempt():
    datagrams = handshake(
        NAME,
        {"supported_versions": [V2, V1], "original_version": V1},
        {"supported_versions": [V2, V1]},
    )
    results = read_all(datagrams)
    opened = [one for one in results if one.attempt]
    assert opened[0].version == V1
    assert {one.version for one in opened} == {V1, V2}
    assert {one.attempt for one in opened} == {1}
    assert name_of(results) == NAME
    assert opened[-1].answered


def version_negotiation(name: str, supported: list[int]) -> tuple[Datagrams, Datagrams]:
    """(a first hello of version 2 and its Version Negotiation, what follows in version 1)."""
    one = client(name, supported_versions=[V2, V1], original_version=V2)
    first = sent(one)
    ids = header(first[0])
    refusal = encode_quic_version_negotiation(ids.destination_cid, ids.source_cid, supported)
    one.receive_datagram(refusal, SERVER, now=0.0)
    second = sent(one)
    before = [(False, datagram) for datagram in first] + [(True, refusal)]
    if not second:
        return before, []
    other = server(header(second[0]).destination_cid, supported_versions=[V1])
    return before, talk(one, other, second)


def test_a_version_negotiation_voids_what_was_said_before():
    before, after = version_negotiation(NAME, [V1])
    results = read_all(before + after)
    assert [one.status for one in results[:2]] == [QuicStatus.OPENED, QuicStatus.VERSION_NEGOTIATION]
    opened = [one for one in results[2:] if one.attempt]
    assert {(one.attempt, one.voids, one.version) for one in opened} == {(2, True, V1)}
    assert name_of(results, 2) == NAME
    assert opened[-1].answered


def test_a_version_negotiation_that_offers_the_version_or_echoes_other_ids_is_none():
    before, _ = version_negotiation(NAME, [V1])
    ids = header(before[0][1])
    offers_it = encode_quic_version_negotiation(ids.destination_cid, ids.source_cid, [V1, V2])
    other_id = encode_quic_version_negotiation(ids.destination_cid, b"another", [V1])
    for refusal in (offers_it, other_id):
        assert statuses([before[0], (True, refusal)])[1] is QuicStatus.UNREADABLE


def test_a_version_negotiation_for_one_attempt_does_not_void_another():
    before, _ = version_negotiation(NAME, [V1])
    other = seal(crypto_frame(0, b"another hello") + PADDING)
    later = seal(crypto_frame(0, b"a third hello") + PADDING, destination_id=b"thirdone")
    results = read_all([(False, other), before[0], before[1], (False, later)])
    assert results[2].status is QuicStatus.VERSION_NEGOTIATION
    assert (results[3].attempt, results[3].voids) == (3, False)


# Attempts and answers.


def test_another_first_initial_is_another_attempt_with_an_answer_of_its_own():
    inert = seal(crypto_frame(0, b"never arrived") + PADDING, destination_id=b"inertone")
    real = seal(crypto_frame(0, b"the real one") + PADDING)
    answer = seal(crypto_frame(0, b"server hello") + PADDING, **FROM_SERVER)
    results = read_all([(False, inert), (False, real), (True, answer), (False, inert)])
    assert [(one.attempt, one.answered) for one in results] == [(1, False), (2, False), (2, True), (1, False)]
    assert not any(one.voids for one in results)


@pytest.mark.parametrize("frames", [ACK + PADDING, PING + PADDING, CLOSE, PADDING, crypto_frame(0, b"") + PADDING])
def test_an_initial_of_the_server_without_crypto_octets_is_no_answer(frames):
    hello = seal(crypto_frame(0, b"hello") + PADDING)
    result = read_all([(False, hello), (True, seal(frames, **FROM_SERVER))])[1]
    assert (result.attempt, result.answered, result.server_id) == (1, False, b"server")


def test_an_initial_with_the_clients_keys_is_no_answer_of_the_server():
    hello = seal(crypto_frame(0, b"hello") + PADDING)
    reflected = seal(
        crypto_frame(0, b"hello") + PADDING, destination_id=b"client", source_id=b"server", key_id=b"original"
    )
    assert statuses([(False, hello), (True, reflected)])[1] is QuicStatus.UNREADABLE


def test_a_handshake_packet_answers_only_to_the_clients_id():
    hello = seal(crypto_frame(0, b"hello") + PADDING)
    handshake_packet = bytes([0xE0, 0, 0, 0, 1, 6]) + b"client" + b"\x06server" + b"\x40\x40" + bytes(64)
    results = read_all([(False, hello), (True, handshake_packet.replace(b"client", b"nobody"))])
    assert (results[1].attempt, results[1].answered) == (0, False)
    results = read_all([(False, hello), (True, handshake_packet)])
    assert (results[1].status, results[1].attempt, results[1].answered) == (QuicStatus.PROTECTED, 1, True)


def test_a_handshake_packet_that_fits_two_attempts_answers_neither():
    hellos = [(False, seal(b"\x01" + PADDING, destination_id=to, source_id=b"")) for to in (b"original", b"otherone")]
    handshake_packet = bytes([0xE0, 0, 0, 0, 1, 0]) + b"\x06server" + b"\x40\x40" + bytes(64)
    assert read_all([*hellos, (True, handshake_packet)])[2].attempt == 0


def test_an_answer_goes_to_the_clients_id():
    hello = seal(crypto_frame(0, b"hello") + PADDING)
    answer = seal(crypto_frame(0, b"server hello") + PADDING, **{**FROM_SERVER, "destination_id": b"nobody"})
    assert statuses([(False, hello), (True, answer)])[1] is QuicStatus.UNREADABLE


def test_a_refused_attempt_cannot_be_answered():
    before, _ = version_negotiation(NAME, [V1])
    ids = header(before[0][1])
    answer = seal(
        crypto_frame(0, b"server hello") + PADDING,
        from_server=True,
        destination_id=ids.source_cid,
        source_id=b"server",
        key_id=ids.destination_cid,
        version=V2,
    )
    assert read_all([before[0], (True, answer)])[1].answered
    assert not read_all([*before, (True, answer)])[2].answered


def test_the_servers_id_is_the_one_of_its_first_initial():
    hello = seal(crypto_frame(0, b"hello") + PADDING)
    answers = [seal(ACK + PADDING, **{**FROM_SERVER, "source_id": one}) for one in (b"server", b"changed")]
    assert [one.server_id for one in read_all([(False, hello), *((True, one) for one in answers)])] == [
        None,
        b"server",
        b"server",
    ]


def test_an_initial_to_the_servers_id_has_the_keys_of_the_first():
    first = seal(crypto_frame(0, b"first ") + PADDING)
    answer = seal(ACK + PADDING, **FROM_SERVER)
    second = seal(crypto_frame(6, b"second") + PADDING, destination_id=b"server", key_id=b"original")
    for datagrams in ([(False, first), (True, answer), (False, second)], [(False, first), (False, second)]):
        results = read_all(datagrams)
        assert results[-1].attempt == 1
        assert joined([piece for one in results for piece in one.crypto]) == b"first second"


def test_a_server_that_nobody_spoke_to_says_nothing():
    reader = QuicReader()
    answer = seal(crypto_frame(0, b"server hello") + PADDING, **FROM_SERVER)
    assert reader.read(FLOW, True, answer).status is QuicStatus.UNREADABLE
    assert reader.read(FLOW, True, b"\x0d" * 40).status is QuicStatus.NOT_QUIC


# Packets.


@pytest.mark.parametrize("number_octets", [1, 2, 3, 4])
@pytest.mark.parametrize("token", [b"", b"t" * 70])
def test_packet_numbers_of_each_length_and_tokens_are_read(number_octets, token):
    datagram = seal(crypto_frame(3, b"lo") + PADDING, number=200, number_octets=number_octets, token=token)
    assert read_all([(False, datagram)])[0].crypto == ((3, b"lo"),)


def test_a_packet_number_is_completed_from_those_before():
    numbers = (250, 257, 300, 255)  # in one octet: 250, 1, 44, 255
    datagrams = [(False, seal(PING + PADDING, number=number, number_octets=1)) for number in numbers]
    assert statuses(datagrams) == [QuicStatus.OPENED] * 4


def test_frames_that_an_initial_may_hold_are_passed_over():
    frames = PING + ACK + crypto_frame(5, b"world") + bytes(3) + ACK_ECN + PING + crypto_frame(0, b"hello") + PADDING
    result = read_all([(False, seal(frames))])[0]
    assert (result.status, result.crypto) == (QuicStatus.OPENED, ((5, b"world"), (0, b"hello")))


def test_a_close_is_told_beside_the_frames():
    result = read_all([(False, seal(crypto_frame(0, b"hello") + CLOSE))])[0]
    assert (result.status, result.crypto) == (QuicStatus.CLOSED, ((0, b"hello"),))


@pytest.mark.parametrize(
    "bad",
    [
        b"\x08\x00data",  # STREAM
        b"\x1d\x00\x00",  # a close of the application
        b"\x06\x00\x44",  # CRYPTO, cut in its length
        b"\x06\x00\x41\x00only this",  # CRYPTO, longer than the packet
        b"\x06" + b"\xff" * 8 + b"\x01x",  # past 2^62
        b"\x02\x05\x00\x3f\x00",  # ACK, ranges that are not there
        b"\x02\x05\x00\xc0\x00\x00\x01\x00\x00\x00\x00\x00",  # the same, 2^32 of them
        b"\x1c\x0a\x06\x40\xffwhy",  # a close with a long reason
    ],
)
def test_one_bad_frame_takes_the_packet_with_it(bad):
    datagram = seal(PADDING + crypto_frame(0, b"hello") + bad)
    result = read_all([(False, datagram)])[0]
    assert (result.status, result.crypto, result.attempt) == (QuicStatus.UNREADABLE, (), 0)


def test_shuffled_frames_are_read_and_a_packet_of_hundreds_is_not():
    pieces = [crypto_frame(at, bytes([at])) + bytes(3) + PING for at in range(60)]
    result = read_all([(False, seal(b"".join(pieces[::-1])))])[0]
    assert joined(list(result.crypto)) == bytes(range(60))
    assert statuses([(False, seal(b"".join(crypto_frame(0, b"x") for _ in range(250))))]) == [QuicStatus.UNREADABLE]


def test_a_packet_without_a_frame_is_unreadable():
    assert statuses([(False, seal(b"", number_octets=4) + bytes(8))]) == [QuicStatus.UNREADABLE]


def test_initials_coalesced_with_others_are_all_read():
    zero_rtt = bytes([0xD0, 0, 0, 0, 1, 8]) + b"original" + b"\x06client" + b"\x40\x20" + bytes(32)
    one = seal(crypto_frame(5, b"world") + bytes(500), number=1)
    two = seal(crypto_frame(0, b"hello") + bytes(500), number=2)
    for datagram in (one + zero_rtt + two, zero_rtt + one + two + bytes(100)):
        assert read_all([(False, datagram)])[0].crypto == ((5, b"world"), (0, b"hello"))
    assert statuses([(False, zero_rtt)]) == [QuicStatus.PROTECTED]


@pytest.mark.parametrize("other", [{"destination_id": b"otherone"}, {"version": 0xFF00001D}])
def test_a_coalesced_packet_to_another_id_or_of_another_version_is_not_read(other):
    one = seal(crypto_frame(0, b"hello") + bytes(500))
    two = seal(crypto_frame(5, b"world") + bytes(500), key_id=b"original", **other)
    assert read_all([(False, one + two)])[0].crypto == ((0, b"hello"),)


def test_the_initials_of_one_datagram_are_of_one_attempt():
    first = seal(crypto_frame(0, b"first") + PADDING)
    one = seal(crypto_frame(5, b"hello") + bytes(500), destination_id=b"otherone", key_id=b"original")
    two = seal(crypto_frame(0, b"world") + bytes(500), destination_id=b"otherone")
    result = read_all([(False, first), (False, one + two)])[1]
    assert (result.attempt, result.crypto) == (1, ((5, b"hello"),))


@pytest.mark.parametrize("broken_first", [True, False])
def test_a_packet_that_does_not_verify_does_not_hide_another(broken_first):
    broken = bytearray(seal(crypto_frame(0, b"hello") + bytes(500)))
    broken[300] ^= 1
    good = seal(crypto_frame(5, b"world") + bytes(500), number=1)
    datagram = bytes(broken) + good if broken_first else good + bytes(broken)
    result = read_all([(False, datagram)])[0]
    assert (result.status, result.crypto) == (QuicStatus.OPENED, ((5, b"world"),))


def test_a_cut_datagram_is_unreadable_at_every_length():
    datagram = seal(crypto_frame(0, b"hello") + bytes(30))
    for octets in range(7 + 8 + 6, len(datagram)):
        assert statuses([(False, datagram[:octets])]) == [QuicStatus.UNREADABLE], octets
    for octets in range(7 + 8 + 6):
        assert statuses([(False, datagram[:octets])]) == [QuicStatus.NOT_QUIC], octets


def test_connection_ids_longer_than_twenty_octets_are_unreadable():
    long_ids = bytes([0xC0, 0, 0, 0, 1, 21]) + bytes(21) + bytes(1200)
    assert statuses([(False, long_ids)]) == [QuicStatus.UNREADABLE]


REFUSED, AGAIN = version_negotiation(NAME, [V1])
REAL = [*handshake(NAME), *handshake_after_retry(NAME, b"retryid1"), *REFUSED, *AGAIN]


@given(st.lists(st.tuples(st.booleans(), st.binary(max_size=80)), max_size=6))
def test_any_octets_are_read_without_an_exception_and_say_nothing(datagrams):
    reader = QuicReader()
    for from_server, datagram in datagrams:
        result = reader.read(FLOW, from_server, datagram)
        assert (result.crypto, result.attempt, result.answered) == ((), 0, False)


@given(st.data())
def test_any_change_of_a_real_exchange_is_read_without_an_exception(data):
    reader = QuicReader()
    for from_server, datagram in data.draw(st.lists(st.sampled_from(REAL), min_size=1, max_size=8)):
        changed = bytearray(datagram)
        for _ in range(data.draw(st.integers(0, 3))):
            changed[data.draw(st.integers(0, min(len(changed), 60) - 1))] = data.draw(st.integers(0, 255))
        end = data.draw(st.integers(0, len(changed)))
        turned = data.draw(st.booleans())
        result = reader.read(data.draw(st.integers(0, 3)), from_server ^ turned, bytes(changed[:end]))
        assert isinstance(result.status, QuicStatus)


INITIAL = seal(crypto_frame(0, b"hello") + PADDING)


@given(st.integers(0, len(INITIAL) - 1), st.integers(1, 255))
def test_any_octet_changed_in_an_initial_leaves_nothing_of_it(at, flip):
    assert QuicReader().read(FLOW, False, INITIAL).crypto == ((0, b"hello"),)
    changed = bytearray(INITIAL)
    changed[at] ^= flip
    result = QuicReader().read(FLOW, False, bytes(changed))
    assert (result.crypto, result.attempt) == ((), 0)
