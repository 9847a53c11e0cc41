"""QUIC versions and the keys of their Initial packets: salts, labels, header protection, the AEAD, the Retry's tag.

Rules of this file: an Initial's keys follow from a connection id that everybody on the path sees, so what verifies here
is whole and of this connection, not of a known sender. What does not verify is None.
"""

from __future__ import annotations

from functools import cache
from hmac import digest
from typing import NamedTuple

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

VERSION_1 = 0x00000001  # RFC 9000, 15
VERSION_2 = 0x6B3343CF  # RFC 9369, 3.1
DRAFTS = 0xFF000000  # draft-ietf-quic-transport-NN is 0xff0000NN
# Versions of Facebook's mvfst: quic/QuicConstants.h there, and epan/dissectors/packet-quic.c of Wireshark for the first.
MVFST = 0xFACEB000
MVFST_DRAFT_22 = 0xFACEB001
MVFST_VERSION_1 = 0xFACEB003
# Google's versions with encrypted Initials: quiche, quic/core/quic_versions.cc.
Q050 = 0x51303530
T050 = 0x54303530
T051 = 0x54303531

TAG_OCTETS = 16  # AEAD_AES_128_GCM, RFC 5116, 5.1
SAMPLE_OCTETS = 16  # RFC 9001, 5.4.3
SAMPLE_AFTER = 4  # the sample starts as if the packet number had four octets: RFC 9001, 5.4.2


class Version(NamedTuple):
    """What differs between versions. `initial` is the packet type's two bits; the other types follow it in a circle."""

    salt: bytes
    label: bytes = b"quic "
    initial: int = 0
    retry_key: bytes | None = None  # None: the Retry has no tag, or its key is not known
    retry_nonce: bytes = b""
    google: bool = False  # Google's frames inside

    # Initial, 0-RTT, Handshake, Retry: the order is the same from 0 (RFC 9000, 17.2) and from 1 (RFC 9369, 3.2).
    @property
    def handshake(self) -> int:
        return self.initial + 2 & 3

    @property
    def retry(self) -> int:
        return self.initial + 3 & 3


def _version(salt: str, retry_key: str = "", retry_nonce: str = "", **more) -> Version:
    key, nonce = bytes.fromhex(retry_key) or None, bytes.fromhex(retry_nonce)
    return Version(bytes.fromhex(salt), retry_key=key, retry_nonce=nonce, **more)


# RFC 9001, 5.2 and 5.8; drafts 33 and 34 of quic-tls have them already.
_RFC_9001 = _version(
    "38762cf7f55934b34d179ae6a4c80cadccbb7f0a", "be0c690b9f66575a1d766b54e368c84e", "461599d35d632bf2239825bb"
)
# RFC 9369, 3.3.1 to 3.3.3.
_RFC_9369 = _version(
    "0dede3def700a6db819381be6e269dcbf9bd2ed9",
    "8fb4b01b56ac48e260fbcbcead7ccc92",
    "d86969bc2d7c6d9990efb04a",
    label=b"quicv2 ",
    initial=1,
)
# draft-ietf-quic-tls-29 to -32, 5.2 and 5.8.
_DRAFT_29 = _version(
    "afbfec289993d24c9e9786f19c6111e04390a899", "ccce187ed09a09d05728155a6cb96be1", "e54930f97f2136f0530a8c1c"
)
# draft-ietf-quic-tls-23 to -28, 5.2; the Retry has a tag from -25 on (5.8 there).
_DRAFT_23_SALT = "c3eef712c72ebb5a11a7d2432bb46365bef9f502"
_DRAFT_23 = _version(_DRAFT_23_SALT)
_DRAFT_25 = _version(_DRAFT_23_SALT, "4d32ecdb2a2133c841e4043df27d4430", "4d1611d05513a552c587d575")
# draft-ietf-quic-tls-22, 5.2.
_DRAFT_22 = _version("7fbcdb0e7c66bbe9193a96cd21519ebd7a02644a")

# Draft number -> what it says. Older drafts had other headers.
_DRAFT = {
    22: _DRAFT_22,
    **dict.fromkeys((23, 24), _DRAFT_23),
    **dict.fromkeys(range(25, 29), _DRAFT_25),
    **dict.fromkeys(range(29, 33), _DRAFT_29),
    **dict.fromkeys((33, 34), _RFC_9001),
}

_VERSIONS = {
    VERSION_1: _RFC_9001,
    VERSION_2: _RFC_9369,
    **{DRAFTS + number: version for number, version in _DRAFT.items()},
    # mvfst, quic/fizz/handshake/FizzCryptoFactory.cpp: salts; the keys of its Retry are its own.
    MVFST_DRAFT_22: _DRAFT_22,
    MVFST_VERSION_1: _RFC_9001._replace(retry_key=None),
    # quiche, quic/core/crypto/crypto_utils.cc. Q050 has no Retry.
    Q050: _version("504574efd066fe2f9d945cfcdbd3a7f0d3b56b45", google=True),
    T050: _version(
        "7ff579e5acd07291558030 4c43a2367c60488310",
        "c92d323d9ce30da088b9b7bbdccd50c8",
        "26e4d62383d5c760ea02b41f",
        google=True,
    ),
    T051: _version(
        "7a4edef4e7ccee5fa4506c19124fc8ccda6e033d",
        "2eb961a67956f8795314dafb2ebc83d7",
        "b50e4e534cfc0bbb85f2f9ca",
        google=True,
    ),
}


def known_version(number: int) -> Version | None:
    """The version of that number, or None where its Initials cannot be read."""
    version = _VERSIONS.get(number)
    if number & 0x0F0F0F0F == 0x0A0A0A0A:
        return _DRAFT_29._replace(retry_key=None)  # RFC 9000, 15: reserved
    if version is None and number & 0xFFFFFF00 == MVFST:
        return _DRAFT_23  # what mvfst does with all other numbers of its own
    return version


def _block_encryptor(key: bytes):
    return Cipher(algorithms.AES(key), modes.ECB()).encryptor().update


@cache
def _expansion(label: bytes, octets: int) -> bytes:
    """HKDF-Expand's input for a label without context, one block long (RFC 8446, 7.1; RFC 5869, 2.3)."""
    label = b"tls13 " + label
    return octets.to_bytes(2, "big") + bytes([len(label)]) + label + b"\x00" + b"\x01"


def expand_label(secret: bytes, label: bytes, octets: int) -> bytes:
    """HKDF-Expand-Label with SHA-256 and no context, of 32 octets at most (RFC 8446, 7.1)."""
    return digest(secret, _expansion(label, octets), "sha256")[:octets]


def key_material(version: Version, client_destination_id: bytes, from_server: bool) -> tuple[bytes, bytes, bytes]:
    """(key, iv, header protection key) of the Initials of one side (RFC 9001, 5.2)."""
    initial_secret = digest(version.salt, client_destination_id, "sha256")
    secret = expand_label(initial_secret, b"server in" if from_server else b"client in", 32)
    label = version.label
    return (
        expand_label(secret, label + b"key", 16),
        expand_label(secret, label + b"iv", 12),
        expand_label(secret, label + b"hp", 16),
    )


class InitialKeys:
    """Opens the Initials of one side of one connection."""

    __slots__ = ("_decrypt", "_iv", "_largest", "_mask")

    def __init__(self, version: Version, client_destination_id: bytes, from_server: bool) -> None:
        key, iv, header_key = key_material(version, client_destination_id, from_server)
        self._decrypt = AESGCM(key).decrypt
        self._mask = _block_encryptor(header_key)
        self._iv = int.from_bytes(iv, "big")
        self._largest = -1  # packet number that was opened

    def open(self, datagram: bytes, start: int, number_at: int, end: int) -> bytes | None:
        """The payload of the packet at [start, end) whose packet number is at `number_at`; None if it does not verify."""
        sample_at = number_at + SAMPLE_AFTER
        if sample_at + SAMPLE_OCTETS > end:
            return None
        mask = self._mask(datagram[sample_at : sample_at + SAMPLE_OCTETS])
        first = datagram[start] ^ mask[0] & 0x0F
        octets = (first & 0x03) + 1
        payload_at = number_at + octets
        written = int.from_bytes(datagram[number_at:payload_at], "big") ^ int.from_bytes(mask[1 : 1 + octets], "big")
        header = b"%c%b%b" % (first, datagram[start + 1 : number_at], written.to_bytes(octets, "big"))
        number = self._whole_number(written, 8 * octets)
        try:
            payload = self._decrypt((self._iv ^ number).to_bytes(12, "big"), datagram[payload_at:end], header)
        except InvalidTag:
            return None
        self._largest = max(self._largest, number)
        return payload

    def _whole_number(self, written: int, bits: int) -> int:
        """The packet number nearest to the expected one that ends in `written` (RFC 9000, A.3)."""
        window = 1 << bits
        expected = self._largest + 1
        number = expected & -window | written
        if number <= expected - window // 2 and number < (1 << 62) - window:
            return number + window
        if number > expected + window // 2 and number >= window:
            return number - window
        return number


def retry_verifies(version: Version, original_destination_id: bytes, packet: bytes) -> bool:
    """Whether a Retry is the answer to an Initial that went to `original_destination_id` (RFC 9001, 5.8)."""
    if version.retry_key is None or len(packet) < TAG_OCTETS:
        return False
    pseudo_packet = bytes([len(original_destination_id)]) + original_destination_id + packet[:-TAG_OCTETS]
    try:
        AESGCM(version.retry_key).decrypt(version.retry_nonce, packet[-TAG_OCTETS:], pseudo_packet)
    except InvalidTag:
        return False
    return True
