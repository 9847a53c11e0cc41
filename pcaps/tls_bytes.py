"""The octets of TLS conversations, from the real stack: Python's `ssl`, client and server, joined by memory.

Rules of this file: nothing of TLS is written by hand but the one post-quantum ClientHello, which OpenSSL 3.0 cannot
make. The same call gives the same octets: OpenSSL's random numbers are replaced by seeded ones through
RAND_set_rand_method (man page RAND_set_rand_method(3)), keys are Ed25519 (RFC 8032: signatures without chance, always
64 octets), certificates carry fixed dates and no session ticket, which would hold the time of day, is sent.
"""

from __future__ import annotations

import _ssl
import contextlib
import ctypes
import hashlib
import random
import ssl
import struct
import tempfile
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.x509.oid import NameOID

_FILL = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_ubyte), ctypes.c_int)
_STATUS = ctypes.CFUNCTYPE(ctypes.c_int)


class _RandMethod(ctypes.Structure):
    """RAND_METHOD of openssl/rand.h."""

    _fields_ = (
        ("seed", ctypes.c_void_p),
        ("bytes", _FILL),
        ("cleanup", ctypes.c_void_p),
        ("add", ctypes.c_void_p),
        ("pseudorand", _FILL),
        ("status", _STATUS),
    )


_numbers = random.Random()


def _fill(target, octets: int) -> int:
    ctypes.memmove(target, _numbers.randbytes(octets), octets)
    return 1


# Kept at module level: OpenSSL holds the pointers for as long as the process lives.
_FILL_CALLBACK = _FILL(_fill)
_STATUS_CALLBACK = _STATUS(lambda: 1)
_METHOD = _RandMethod(None, _FILL_CALLBACK, None, None, _FILL_CALLBACK, _STATUS_CALLBACK)


def seed_openssl() -> bool:
    """Replace OpenSSL's random numbers in this process. False where Python hides its OpenSSL."""
    try:
        return ctypes.CDLL(_ssl.__file__).RAND_set_rand_method(ctypes.byref(_METHOD)) == 1
    except (AttributeError, OSError):
        return False


@cache
def _server_context(name: str, newest: ssl.TLSVersion, protocols: tuple[str, ...]) -> ssl.SSLContext:
    """A server for `name`, with a small certificate of its own."""
    key = Ed25519PrivateKey.from_private_bytes(hashlib.sha256(name.encode()).digest())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(20131111)
        .not_valid_before(datetime(2013, 1, 1, tzinfo=UTC))
        .not_valid_after(datetime(2043, 1, 1, tzinfo=UTC))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .sign(key, None)
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.maximum_version = newest
    context.num_tickets = 0
    context.options |= ssl.OP_NO_TICKET
    if protocols:
        context.set_alpn_protocols(list(protocols[:1]))
    with tempfile.TemporaryDirectory() as folder:
        pem = Path(folder) / "server.pem"
        pem.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
            + certificate.public_bytes(serialization.Encoding.PEM)
        )
        context.load_cert_chain(pem)
    return context


def _client_context(newest: ssl.TLSVersion, protocols: tuple[str, ...]) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.maximum_version = newest
    context.options |= ssl.OP_NO_TICKET
    if protocols:
        context.set_alpn_protocols(list(protocols))
    return context


def conversation(
    name: str | None,
    exchanges: tuple[tuple[int, int], ...] = ((300, 2000),),
    newest: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3,
    protocols: tuple[str, ...] = (),
    seed: str = "",
) -> list[tuple[bool, bytes]]:
    """A whole TLS conversation as (from the client?, octets) in the order in which the ends write.

    `name` is the server name the client asks for, None for none; `exchanges` are (request, reply) lengths of the
    application data in octets; `protocols` are the client's ALPN offers; `seed` tells equal conversations apart.
    """
    _numbers.seed(f"{name} {exchanges} {newest} {protocols} {seed}")
    client_in, server_in = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = _client_context(newest, protocols).wrap_bio(client_in, server_in, server_hostname=name)
    server = _server_context(name or "unnamed.invalid", newest, protocols).wrap_bio(
        server_in, client_in, server_side=True
    )
    written: list[tuple[bool, bytes]] = []

    def carry(from_client: bool) -> None:
        """Note what one end wrote and leave it where the other end reads it."""
        pipe = server_in if from_client else client_in
        octets = pipe.read()
        if octets:
            written.append((from_client, octets))
            pipe.write(octets)

    pending = [client, server]
    while pending:
        for end in tuple(pending):
            try:
                end.do_handshake()
                pending.remove(end)
            except ssl.SSLWantReadError:
                pass
            carry(end is client)
    for request_octets, reply_octets in exchanges:
        for from_client, octets in ((True, request_octets), (False, reply_octets)):
            sender, receiver = (client, server) if from_client else (server, client)
            if octets:
                sender.write(_numbers.randbytes(octets))
                carry(from_client)
                left = octets
                while left:
                    left -= len(receiver.read(left))
    return written


def post_quantum_client_hello(name: str, seed: str = "") -> bytes:
    """A ClientHello as browsers of 2024 send it: OpenSSL's own, with an X25519MLKEM768 share and the name behind it.

    OpenSSL before 3.5 has no ML-KEM: the group number (0x11EC) and the share's 1,216 octets (1,184 of ML-KEM and 32 of
    X25519) are those of draft-ietf-tls-ecdhe-mlkem, the octets are random. Extensions are put in the order
    key_share, everything else, server_name: so the name lies beyond the first segment.
    """
    hello = conversation(name, (), seed=f"post-quantum {seed}")[0][1]
    body = hello[9:]
    place = 2 + 32
    place += 1 + body[place]
    place += 2 + struct.unpack_from("!H", body, place)[0]
    place += 1 + body[place]
    extensions: dict[int, bytes] = {}
    at = place + 2
    while at < len(body):
        kind, octets = struct.unpack_from("!HH", body, at)
        extensions[kind] = body[at + 4 : at + 4 + octets]
        at += 4 + octets
    server_name, groups, key_share, padding = 0, 10, 51, 21  # IANA "TLS ExtensionType Values"
    extensions.pop(padding, None)
    shares = extensions[key_share][2:]
    shares = struct.pack("!HH", 0x11EC, 1216) + _numbers.randbytes(1216) + shares
    known = extensions[groups][2:]
    extensions[groups] = struct.pack("!HH", len(known) + 2, 0x11EC) + known
    extensions[key_share] = struct.pack("!H", len(shares)) + shares
    order = [key_share, *(kind for kind in extensions if kind not in (key_share, server_name)), server_name]
    packed = b"".join(struct.pack("!HH", kind, len(extensions[kind])) + extensions[kind] for kind in order)
    body = body[:place] + struct.pack("!H", len(packed)) + packed
    handshake = b"\x01" + len(body).to_bytes(3, "big") + body
    return b"\x16\x03\x01" + struct.pack("!H", len(handshake)) + handshake


def server_answer_to(hello: bytes, name: str) -> bytes:
    """What OpenSSL's server sends for a ClientHello: its ServerHello and the sealed rest of its flight."""
    _numbers.seed(f"answer {name}")
    server_in, server_out = ssl.MemoryBIO(), ssl.MemoryBIO()
    server = _server_context(name, ssl.TLSVersion.TLSv1_3, ()).wrap_bio(server_in, server_out, server_side=True)
    server_in.write(hello)
    with contextlib.suppress(ssl.SSLWantReadError):
        server.do_handshake()
    return server_out.read()


def sealed_record(octets: int, seed: str) -> bytes:
    """One application data record of `octets` random octets, for conversations whose keys nobody holds."""
    return b"\x17\x03\x03" + struct.pack("!H", octets) + random.Random(seed).randbytes(octets)
