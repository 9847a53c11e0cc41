"""The twin's keys and packets against the vectors that the RFCs and drafts publish."""

from __future__ import annotations

import pytest
from quic_vectors import (
    CLIENT_FRAME,
    DESTINATION_ID,
    DRAFTS,
    KEYS,
    RETRIES,
    SERVER_ID,
    SERVER_PACKETS,
    SERVER_PAYLOAD,
    VERSION_1,
    VERSION_2,
    client_packet,
)
from twin_quic import QuicReader, QuicStatus
from twin_quic_keys import InitialKeys, key_material, known_version, retry_verifies


@pytest.mark.parametrize(("number", "from_server", "key", "iv", "header_key"), KEYS)
def test_keys_are_those_of_the_appendix(number, from_server, key, iv, header_key):
    material = key_material(known_version(number), DESTINATION_ID, from_server)
    assert [octets.hex() for octets in material] == [key, iv, header_key]


@pytest.mark.parametrize("number", [VERSION_1, VERSION_2])
def test_the_clients_initial_of_the_appendix_gives_its_crypto_frame(number):
    result = QuicReader().read(1, False, client_packet(number))
    assert result.status is QuicStatus.OPENED
    assert result.version == number
    assert result.crypto == ((0, CLIENT_FRAME[4:]),)
    assert (result.attempt, result.answered, result.client_id, result.server_id) == (1, False, b"", None)


@pytest.mark.parametrize("number", [VERSION_1, VERSION_2])
def test_the_servers_initial_of_the_appendix_opens_and_answers(number):
    keys = InitialKeys(known_version(number), DESTINATION_ID, True)
    packet = SERVER_PACKETS[number]
    assert keys.open(packet, 0, 18, len(packet)) == SERVER_PAYLOAD
    reader = QuicReader()
    reader.read(1, False, client_packet(number))
    result = reader.read(1, True, packet)
    assert (result.status, result.answered, result.server_id) == (QuicStatus.OPENED, True, SERVER_ID)
    assert result.crypto == ()


@pytest.mark.parametrize(("number", "packet"), RETRIES)
def test_the_retry_of_the_appendix_verifies_for_its_version_and_id_only(number, packet):
    retry = bytes.fromhex(packet)
    assert retry_verifies(known_version(number), DESTINATION_ID, retry)
    assert not retry_verifies(known_version(number), DESTINATION_ID[:-1] + b"\x00", retry)
    assert not retry_verifies(known_version(number), DESTINATION_ID, retry[:-1] + bytes([retry[-1] ^ 1]))
    for other in (VERSION_1, VERSION_2, DRAFTS + 27, DRAFTS + 29):
        same_keys = known_version(other).retry_key == known_version(number).retry_key
        assert retry_verifies(known_version(other), DESTINATION_ID, retry) is same_keys


@pytest.mark.parametrize(("number", "packet"), RETRIES[:2])
def test_a_retry_of_the_appendix_changes_the_keys(number, packet):
    reader = QuicReader()
    reader.read(1, False, client_packet(number))
    assert reader.read(1, True, bytes.fromhex(packet)).status is QuicStatus.RETRY


def test_drafts_before_22_and_made_up_versions_are_not_known():
    assert known_version(DRAFTS + 21) is None
    assert known_version(DRAFTS + 35) is None
    assert known_version(0x1A2A3A4B) is None
    assert known_version(0) is None
    assert known_version(0x51303433) is None
