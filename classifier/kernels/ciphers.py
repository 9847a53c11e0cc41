"""The three primitives that open a QUIC Initial: HMAC-SHA-256, one block of AES-128, AES-128-GCM. None is written here.

They are OpenSSL's, called by their addresses, which a floor above has found (`detection.ciphers`). Where there is none to
be found, the addresses of three functions in Python stand instead. Rules of this file: all octets that a primitive reads
or writes lie in the arrays of `Ciphers` or in the frame; lengths were checked before. One meter, one `Ciphers`: the
contexts are not shared.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from classifier.kernels.jit import helper
from classifier.kernels.octets import call, location, u8

# Places in `addresses`: OpenSSL's functions, 0 where there are none …
SHA256_INIT, SHA256_UPDATE, SHA256_FINAL = 0, 1, 2
ENCRYPT_INIT, ENCRYPT_UPDATE, DECRYPT_INIT, DECRYPT_UPDATE, CONTROL, DECRYPT_FINAL = 3, 4, 5, 6, 7, 8
# … its contexts for one block (ECB without padding) and for GCM, and what stands in for it:
BLOCK_CONTEXT, OPEN_CONTEXT = 9, 10
# int hmac(key[64], message, octets, digest[32]); int block(key[16], in[16], out[16]);
# int open(key and nonce[28], header, octets, text and tag, octets, plain): 1 if the tag verifies.
CALL_HMAC, CALL_BLOCK, CALL_OPEN = 11, 12, 13
ADDRESSES = 14

SET_TAG = 0x11  # EVP_CTRL_AEAD_SET_TAG, openssl/evp.h
BLOCK_OCTETS = 64  # of SHA-256: FIPS 180-4, 1
DIGEST_OCTETS = 32
KEY_OCTETS, NONCE_OCTETS, TAG_OCTETS = 16, 12, 16  # AEAD_AES_128_GCM: RFC 5116, 5.1
INNER_PAD, OUTER_PAD = 0x36, 0x5C  # RFC 2104, 2
CONTEXT_OCTETS = 112  # SHA256_CTX, openssl/sha.h

# Regions of `room`.
INNER, OUTER, RUNNING = 0, 128, 256  # contexts of SHA-256
HMAC_KEY = 384  # 64 octets, filled up with zeros
PADDED = 448
DIGEST = 512
LENGTH = 544  # an int that OpenSSL writes
KEY, NONCE = 576, 592  # side by side, as CALL_OPEN takes them
HEADER_KEY, MASK = 608, 624
SECRET, IV = 640, 672  # each as long as a digest
ID = 704
ROOM_OCTETS = 768
DATAGRAM_OCTETS = 1 << 16


class Ciphers(NamedTuple):
    """`addresses` i8[ADDRESSES]. `room` u1[ROOM_OCTETS]; `plain` and `header` u1[DATAGRAM_OCTETS]: what was decrypted, and
    a header without its protection."""

    addresses: np.ndarray
    room: np.ndarray
    plain: np.ndarray
    header: np.ndarray


@helper
def hmac_key(ciphers, source, start, octets):
    """Take a key of at most 64 octets; it may lie in `room`."""
    room = ciphers.room
    for i in range(BLOCK_OCTETS):
        room[PADDED + i] = u8(source, start + i) if i < octets else 0
    for i in range(BLOCK_OCTETS):
        room[HMAC_KEY + i] = room[PADDED + i]
    if ciphers.addresses[SHA256_INIT]:
        begin_hash(ciphers, INNER, INNER_PAD)
        begin_hash(ciphers, OUTER, OUTER_PAD)


@helper
def begin_hash(ciphers, context, pad):
    """A hash whose first block is the key with `pad`."""
    addresses, room = ciphers.addresses, ciphers.room
    base = location(room)
    for i in range(BLOCK_OCTETS):
        room[PADDED + i] = u8(room, HMAC_KEY + i) ^ pad
    call(addresses[SHA256_INIT], base + context, 0, 0, 0, 0, 0)
    call(addresses[SHA256_UPDATE], base + context, base + PADDED, BLOCK_OCTETS, 0, 0, 0)


@helper
def hmac(ciphers, message, octets, digest):
    """HMAC-SHA-256 (RFC 2104) with the key that was taken; `message` is an address, `digest` a place in `room`."""
    addresses, room = ciphers.addresses, ciphers.room
    base = location(room)
    if not addresses[SHA256_INIT]:
        call(addresses[CALL_HMAC], base + HMAC_KEY, message, octets, base + digest, 0, 0)
        return
    end_hash(ciphers, INNER, message, octets, DIGEST)
    end_hash(ciphers, OUTER, base + DIGEST, DIGEST_OCTETS, digest)


@helper
def end_hash(ciphers, context, message, octets, digest):
    """The digest of a hash that was begun, and `message` behind it. The context stays as it is."""
    addresses, room = ciphers.addresses, ciphers.room
    base = location(room)
    for i in range(CONTEXT_OCTETS):
        room[RUNNING + i] = room[context + i]
    call(addresses[SHA256_UPDATE], base + RUNNING, message, octets, 0, 0, 0)
    call(addresses[SHA256_FINAL], base + digest, base + RUNNING, 0, 0, 0, 0)


@helper
def encrypt_block(ciphers, source):
    """One block of AES-128 with HEADER_KEY, from the address `source`, into MASK."""
    addresses = ciphers.addresses
    base = location(ciphers.room)
    context = addresses[BLOCK_CONTEXT]
    if not context:
        call(addresses[CALL_BLOCK], base + HEADER_KEY, source, base + MASK, 0, 0, 0)
        return
    call(addresses[ENCRYPT_INIT], context, 0, 0, base + HEADER_KEY, 0, 0)
    call(addresses[ENCRYPT_UPDATE], context, base + MASK, base + LENGTH, source, KEY_OCTETS, 0)


@helper
def open_sealed(ciphers, header_octets, text, octets):
    """Decrypt `octets` at the address `text`, the tag among them, with KEY and NONCE, into `plain`. 1 if it verifies."""
    addresses = ciphers.addresses
    base = location(ciphers.room)
    header, plain = location(ciphers.header), location(ciphers.plain)
    context = addresses[OPEN_CONTEXT]
    if not context:
        return call(addresses[CALL_OPEN], base + KEY, header, header_octets, text, octets, plain)
    octets -= TAG_OCTETS
    length = base + LENGTH
    call(addresses[DECRYPT_INIT], context, 0, 0, base + KEY, base + NONCE, 0)
    call(addresses[DECRYPT_UPDATE], context, 0, length, header, header_octets, 0)
    call(addresses[DECRYPT_UPDATE], context, plain, length, text, octets, 0)
    call(addresses[CONTROL], context, SET_TAG, TAG_OCTETS, text + octets, 0, 0)
    return 1 if call(addresses[DECRYPT_FINAL], context, plain + octets, length, 0, 0, 0) > 0 else 0
