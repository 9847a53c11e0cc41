"""Keys and packets of QUIC as the kernels open them, against the vectors that the RFCs and drafts publish, with OpenSSL's
functions and with what stands in for them."""

from __future__ import annotations

import numpy as np
import pytest
from frames import read_only
from quic_stack import crypto_frame, seal
from quic_vectors import (
    CLIENT_PAYLOAD,
    DESTINATION_ID,
    DRAFTS,
    KEYS,
    RETRIES,
    SERVER_PACKETS,
    SERVER_PAYLOAD,
    VERSION_1,
    VERSION_2,
    client_packet,
)

from classifier.detection import ciphers
from classifier.detection.ciphers import CipherLibrary
from classifier.kernels.bundle import Bundle
from classifier.kernels.ciphers import CALL_OPEN, DATAGRAM_OCTETS, HEADER_KEY, ID, IV, KEY, ROOM_OCTETS, Ciphers
from classifier.kernels.jit import kernel
from classifier.kernels.octets import address
from classifier.kernels.quic_packet import derive_keys, keep_id, open_initial, retry_verifies
from classifier.kernels.quic_versions import version_row

NUMBER_AT = {False: 18, True: 18}  # of the appendices' packets


@kernel
def derive(ciphers, version, connection_id, from_server):
    keep_id(ciphers, connection_id, 0, connection_id.shape[0])
    derive_keys(ciphers, version_row(version), connection_id.shape[0], from_server)
    return version_row(version)


@kernel
def open_packet(ciphers, packet, number_at, end, largest):
    return open_initial(ciphers, address(packet), 0, number_at, end, largest)


@kernel
def is_retry(ciphers, version, connection_id, packet):
    keep_id(ciphers, connection_id, 0, connection_id.shape[0])
    return retry_verifies(ciphers, version_row(version), connection_id.shape[0], address(packet), 0, packet.shape[0])


@kernel
def row_of(version):
    return version_row(version)


class Opener:
    def __init__(self, native: bool) -> None:
        self.library = CipherLibrary(native=native)
        if native and not self.library.is_native:
            pytest.skip("this Python hides OpenSSL's functions")
        assert self.library.is_native is native
        self.arrays = Ciphers(
            addresses=self.library.addresses,
            room=np.zeros(ROOM_OCTETS, np.uint8),
            plain=np.zeros(DATAGRAM_OCTETS, np.uint8),
            header=np.zeros(DATAGRAM_OCTETS, np.uint8),
        )
        self.bundle = Bundle(self.arrays)

    def derive(self, version: int, connection_id: bytes, from_server: bool) -> list[str]:
        derive(self.bundle, version, read_only(connection_id), int(from_server))
        places = ((KEY, 16), (IV, 12), (HEADER_KEY, 16))
        return [self.arrays.room[at : at + octets].tobytes().hex() for at, octets in places]

    def open(self, packet: bytes, number_at: int, largest: int = -1, end: int | None = None):
        end = len(packet) if end is None else end
        octets, number = open_packet(self.bundle, read_only(packet), number_at, end, largest)
        return (self.arrays.plain[:octets].tobytes(), number) if octets >= 0 else None

    def is_retry(self, version: int, connection_id: bytes, packet: bytes) -> bool:
        return bool(is_retry(self.bundle, version, read_only(connection_id), read_only(packet)))


@pytest.fixture(params=[True, False], ids=["native", "stand-in"])
def opener(request):
    return Opener(request.param)


@pytest.mark.parametrize(("number", "from_server", "key", "iv", "header_key"), KEYS)
def test_keys_are_those_of_the_appendix(opener, number, from_server, key, iv, header_key):
    assert opener.derive(number, DESTINATION_ID, from_server) == [key, iv, header_key]


@pytest.mark.parametrize("number", [VERSION_1, VERSION_2])
def test_the_packets_of_the_appendix_open(opener, number):
    opener.derive(number, DESTINATION_ID, False)
    assert opener.open(client_packet(number), 18) == (CLIENT_PAYLOAD, 2)
    opener.derive(number, DESTINATION_ID, True)
    assert opener.open(SERVER_PACKETS[number], 18) == (SERVER_PAYLOAD, 1)


def test_a_packet_that_is_changed_or_cut_anywhere_does_not_open(opener):
    packet = seal(crypto_frame(0, b"hello") + bytes(30))
    number_at = len(packet) - (2 + len(crypto_frame(0, b"hello")) + 30 + 16)
    opener.derive(VERSION_1, b"original", False)
    assert opener.open(packet, number_at) == (crypto_frame(0, b"hello") + bytes(30), 0)
    for at in range(len(packet)):
        spoilt = packet[:at] + bytes([packet[at] ^ 1]) + packet[at + 1 :]
        assert opener.open(spoilt, number_at) is None, at
    for end in range(number_at, len(packet)):
        assert opener.open(packet, number_at, end=end) is None, end


@pytest.mark.parametrize(
    ("largest", "number", "octets"), [(-1, 200, 1), (249, 257, 1), (299, 255, 1), (70000, 65600, 2)]
)
def test_a_packet_number_is_completed_from_the_one_before(opener, largest, number, octets):
    """RFC 9000, A.3: the nearest to the next one expected. With another number the tag would not verify."""
    packet = seal(bytes(40), number=number, number_octets=octets)
    opener.derive(VERSION_1, b"original", False)
    opened = opener.open(packet, len(packet) - 40 - 16 - octets, largest)
    assert opened == (bytes(40), number)


@pytest.mark.parametrize(("number", "packet"), RETRIES)
def test_a_retry_of_the_appendix_verifies_for_its_version_and_id_only(opener, number, packet):
    retry = bytes.fromhex(packet)
    assert opener.is_retry(number, DESTINATION_ID, retry)
    assert not opener.is_retry(number, DESTINATION_ID[:-1] + b"\x00", retry)
    assert not opener.is_retry(number, DESTINATION_ID, retry[:-1] + bytes([retry[-1] ^ 1]))
    assert not opener.is_retry(VERSION_2 if number == VERSION_1 else VERSION_1, DESTINATION_ID, retry)
    for octets in range(len(retry)):
        assert not opener.is_retry(number, DESTINATION_ID, retry[:octets])


def test_drafts_before_22_and_made_up_versions_have_no_row():
    for version in (DRAFTS + 21, DRAFTS + 35, 0x1A2A3A4B, 0, 0x51303433):
        assert row_of(version) == -1
    assert row_of(0xFACEB0FF) >= 0
    assert row_of(0x1A2A3A4A) == row_of(0xFAFAFAFA) >= 0  # reserved: RFC 9000, 15


def test_ids_up_to_twenty_octets_give_what_hkdf_gives(opener):
    """The one derivation against `cryptography`'s HKDF, whose labels are put together here (RFC 8446, 7.1)."""
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.kdf.hkdf import HKDF, HKDFExpand

    def expand(secret: bytes, label: bytes, octets: int) -> bytes:
        info = octets.to_bytes(2, "big") + bytes([6 + len(label)]) + b"tls13 " + label + b"\x00"
        return HKDFExpand(hashes.SHA256(), octets, info).derive(secret)

    salt = bytes.fromhex("38762cf7f55934b34d179ae6a4c80cadccbb7f0a")
    for octets in range(21):
        connection_id = bytes(range(1, 1 + octets))
        initial = HKDF.extract(hashes.SHA256(), salt, connection_id)
        secret = expand(initial, b"client in", 32)
        wanted = [expand(secret, b"quic " + label, n).hex() for label, n in ((b"key", 16), (b"iv", 12), (b"hp", 16))]
        assert opener.derive(VERSION_1, connection_id, False) == wanted
    assert ID + 20 <= ROOM_OCTETS


def test_an_openssl_that_refuses_a_cipher_is_done_without(monkeypatch):
    monkeypatch.setattr(ciphers, "_context", lambda *_: (None, False))
    library = CipherLibrary()
    assert not library.is_native
    assert library.addresses[CALL_OPEN] != 0
