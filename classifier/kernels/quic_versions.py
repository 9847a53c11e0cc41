"""QUIC's versions: their numbers, salts, labels, packet types, and the keys of their Retry.

Rules of this file: a version is a row of these arrays, and all that differs between versions stands in its row. What is
read by a kernel is read from arrays of octets, one row after the other.
"""

from __future__ import annotations

import numpy as np

from classifier.kernels.jit import helper

VERSION_1 = 0x00000001  # RFC 9000, 15
VERSION_2 = 0x6B3343CF  # RFC 9369, 3.1
DRAFTS = 0xFF000000  # draft-ietf-quic-transport-NN is 0xff0000NN
# Versions of Facebook's mvfst: quic/QuicConstants.h there, and epan/dissectors/packet-quic.c of Wireshark for the first.
MVFST = 0xFACEB000
MVFST_DRAFT_22 = 0xFACEB001
MVFST_VERSION_1 = 0xFACEB003
FAMILY = 0xFFFFFF00  # what the numbers of the drafts, and those of mvfst, have in common
# Google's versions: quiche, quic/core/quic_versions.cc. Q046 is in clear.
Q046 = 0x51303436
Q050 = 0x51303530
T050 = 0x54303530
T051 = 0x54303531
GOOGLE_Q0, GOOGLE_T0 = 0x5130, 0x5430
# Reserved to make servers negotiate: 0x?a?a?a?a (RFC 9000, 15).
RESERVED, RESERVED_MASK = 0x0A0A0A0A, 0x0F0F0F0F
NEGOTIATION = 0  # RFC 8999, 6

# Kinds of packets of a version, from its `initial` on in a circle: Initial, 0-RTT, Handshake, Retry. The order is the same
# from 0 (RFC 9000, 17.2) and from 1 (RFC 9369, 3.2).
HANDSHAKE_AFTER, RETRY_AFTER = 2, 3

SALT_OCTETS, RETRY_OCTETS = 20, 28
LABEL_OCTETS = 32
LABEL_CLIENT, LABEL_SERVER, LABEL_KEY, LABEL_IV, LABEL_HEADER, LABELS_OF_VERSION_2 = 0, 1, 2, 3, 4, 3

# (salt, key of the Retry, its nonce); RFC 9001, 5.2 and 5.8, which drafts 33 and 34 of quic-tls have already.
_RFC_9001 = (
    "38762cf7f55934b34d179ae6a4c80cadccbb7f0a",
    "be0c690b9f66575a1d766b54e368c84e",
    "461599d35d632bf2239825bb",
)
# RFC 9369, 3.3.1 to 3.3.3.
_RFC_9369 = (
    "0dede3def700a6db819381be6e269dcbf9bd2ed9",
    "8fb4b01b56ac48e260fbcbcead7ccc92",
    "d86969bc2d7c6d9990efb04a",
)
# draft-ietf-quic-tls-29 to -32, 5.2 and 5.8.
_DRAFT_29 = (
    "afbfec289993d24c9e9786f19c6111e04390a899",
    "ccce187ed09a09d05728155a6cb96be1",
    "e54930f97f2136f0530a8c1c",
)
# draft-ietf-quic-tls-23 to -28, 5.2; the Retry has a tag from -25 on (5.8 there).
_DRAFT_25 = (
    "c3eef712c72ebb5a11a7d2432bb46365bef9f502",
    "4d32ecdb2a2133c841e4043df27d4430",
    "4d1611d05513a552c587d575",
)
_DRAFT_23 = (_DRAFT_25[0], "", "")
# draft-ietf-quic-tls-22, 5.2. Older drafts had other headers.
_DRAFT_22 = ("7fbcdb0e7c66bbe9193a96cd21519ebd7a02644a", "", "")

# (number, keys, packet type of its Initial, label row of its keys, Google's frames inside?)
_VERSIONS = [
    (VERSION_1, _RFC_9001, 0, 0, 0),
    (VERSION_2, _RFC_9369, 1, LABELS_OF_VERSION_2, 0),
    (DRAFTS + 22, _DRAFT_22, 0, 0, 0),
    *[(DRAFTS + draft, _DRAFT_23, 0, 0, 0) for draft in (23, 24)],
    *[(DRAFTS + draft, _DRAFT_25, 0, 0, 0) for draft in range(25, 29)],
    *[(DRAFTS + draft, _DRAFT_29, 0, 0, 0) for draft in range(29, 33)],
    *[(DRAFTS + draft, _RFC_9001, 0, 0, 0) for draft in (33, 34)],
    # mvfst, quic/fizz/handshake/FizzCryptoFactory.cpp: salts; the keys of its Retry are its own.
    (MVFST_DRAFT_22, _DRAFT_22, 0, 0, 0),
    (MVFST_VERSION_1, (_RFC_9001[0], "", ""), 0, 0, 0),
    # quiche, quic/core/crypto/crypto_utils.cc. Q050 has no Retry.
    (Q050, ("504574efd066fe2f9d945cfcdbd3a7f0d3b56b45", "", ""), 0, 0, 1),
    (
        T050,
        (
            "7ff579e5acd072915580304c43a2367c60488310",
            "c92d323d9ce30da088b9b7bbdccd50c8",
            "26e4d62383d5c760ea02b41f",
        ),
        0,
        0,
        1,
    ),
    (
        T051,
        (
            "7a4edef4e7ccee5fa4506c19124fc8ccda6e033d",
            "2eb961a67956f8795314dafb2ebc83d7",
            "b50e4e534cfc0bbb85f2f9ca",
        ),
        0,
        0,
        1,
    ),
    # The last two stand for many numbers: what mvfst does with all others of its own, and those reserved to make servers
    # negotiate, for which clients take the keys of the version that they speak; of 2020 and 2021, draft 29's.
    (MVFST, _DRAFT_23, 0, 0, 0),
    (RESERVED, (_DRAFT_29[0], "", ""), 0, 0, 0),
]


def _expansion(label: bytes, octets: int) -> bytes:
    """HKDF-Expand's input for a label without context, one block long (RFC 8446, 7.1; RFC 5869, 2.3), its length first."""
    label = b"tls13 " + label
    text = octets.to_bytes(2, "big") + bytes([len(label)]) + label + b"\x00" + b"\x01"
    return (bytes([len(text)]) + text).ljust(LABEL_OCTETS, b"\x00")


def _octets(rows: list[bytes]) -> np.ndarray:
    return np.frombuffer(b"".join(rows), np.uint8).copy()


NUMBERS = np.array([row[0] for row in _VERSIONS], np.int64)
INITIAL_KIND = np.array([row[2] for row in _VERSIONS], np.int64)
LABELS_FROM = np.array([row[3] for row in _VERSIONS], np.int64)
HAS_GOOGLE_FRAMES = np.array([row[4] for row in _VERSIONS], np.int64)
HAS_RETRY = np.array([len(row[1][1]) > 0 for row in _VERSIONS], np.int64)
SALTS = _octets([bytes.fromhex(row[1][0]) for row in _VERSIONS])
RETRY_KEYS = _octets([bytes.fromhex(row[1][1] + row[1][2]).ljust(RETRY_OCTETS, b"\x00") for row in _VERSIONS])
# Sources: RFC 9001, 5.1 and 5.2; RFC 9369, 3.3.2.
LABELS = _octets(
    [
        *[_expansion(label, 32) for label in (b"client in", b"server in")],
        *[_expansion(b"quic " + label, octets) for label, octets in ((b"key", 16), (b"iv", 12), (b"hp", 16))],
        *[_expansion(b"quicv2 " + label, octets) for label, octets in ((b"key", 16), (b"iv", 12), (b"hp", 16))],
    ]
)


@helper
def version_row(version):
    """The row of a version whose Initials can be opened, or -1."""
    last = NUMBERS.shape[0] - 1
    for row in range(last - 1):
        if NUMBERS[row] == version:
            return row
    if version & RESERVED_MASK == RESERVED:
        return last
    return last - 1 if version & FAMILY == MVFST else -1


@helper
def may_be_version(version):
    """1 if the version is one that can be read, or a reserved one: then the server's Version Negotiation may follow.

    Half of all DNS queries look like long headers but for that.
    """
    if version == VERSION_1 or version == VERSION_2 or version & RESERVED_MASK == RESERVED:
        return 1
    family = version & FAMILY
    if family == DRAFTS or family == MVFST:
        return 1
    return 1 if version >> 16 == GOOGLE_Q0 or version >> 16 == GOOGLE_T0 else 0
