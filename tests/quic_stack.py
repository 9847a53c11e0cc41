"""aioquic on both ends of a flow, without a network: what a real stack sends, as (from the server?, datagram).

And what aioquic lacks: Initials with frames of one's own choice, sealed with aioquic's keys. Names are read from hellos with
dpkt.
"""

from __future__ import annotations

import datetime
from functools import cache

import dpkt
from aioquic.buffer import Buffer
from aioquic.quic.configuration import QuicConfiguration
from aioquic.quic.connection import QuicConnection
from aioquic.quic.crypto import CryptoPair
from aioquic.quic.packet import QuicProtocolVersion, encode_quic_retry, pull_quic_header
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

V1, V2 = QuicProtocolVersion.VERSION_1, QuicProtocolVersion.VERSION_2
CLIENT, SERVER = ("192.0.2.1", 50000), ("198.51.100.1", 443)
SERVER_NAME = 0  # extension: RFC 6066, 3

Datagrams = list[tuple[bool, bytes]]


@cache
def certificate() -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "www.example.com")])
    day = datetime.datetime(2026, 1, 1)
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    builder = builder.serial_number(1).not_valid_before(day).not_valid_after(day + datetime.timedelta(days=3650))
    return builder.sign(key, hashes.SHA256()), key


def client(name: str, **options) -> QuicConnection:
    configuration = QuicConfiguration(is_client=True, alpn_protocols=["h3"], server_name=name, **options)
    configuration.verify_mode = 0  # ssl.CERT_NONE: who the server is, is not what is tested
    connection = QuicConnection(configuration=configuration)
    connection.connect(SERVER, now=0.0)
    return connection


def server(original_destination_id: bytes, retry_source_id: bytes | None = None, **options) -> QuicConnection:
    chain, key = certificate()
    configuration = QuicConfiguration(is_client=False, alpn_protocols=["h3"], **options)
    configuration.certificate, configuration.private_key = chain, key
    return QuicConnection(
        configuration=configuration,
        original_destination_connection_id=original_destination_id,
        retry_source_connection_id=retry_source_id,
    )


def sent(connection: QuicConnection) -> list[bytes]:
    return [datagram for datagram, _ in connection.datagrams_to_send(now=0.0)]


def header(datagram: bytes):
    return pull_quic_header(Buffer(data=datagram), host_cid_length=8)


def talk(one: QuicConnection, other: QuicConnection, first: list[bytes]) -> Datagrams:
    """What both ends send, from the client's first datagrams on until nobody has anything to say."""
    seen: Datagrams = []
    waiting = [(False, datagram) for datagram in first]
    while waiting:
        seen += waiting
        for from_server, datagram in waiting:
            receiver = one if from_server else other
            receiver.receive_datagram(datagram, SERVER if from_server else CLIENT, now=0.0)
        waiting = [(True, datagram) for datagram in sent(other)] + [(False, datagram) for datagram in sent(one)]
    return seen


def handshake(name: str, client_options: dict | None = None, server_options: dict | None = None) -> Datagrams:
    one = client(name, **(client_options or {}))
    first = sent(one)
    return talk(one, server(header(first[0]).destination_cid, **(server_options or {})), first)


def handshake_after_retry(name: str, retry_source_id: bytes) -> Datagrams:
    """With a Retry in between."""
    one = client(name)
    first = sent(one)
    ids = header(first[0])
    retry = encode_quic_retry(V1, retry_source_id, ids.source_cid, ids.destination_cid, b"a token")
    one.receive_datagram(retry, SERVER, now=0.0)
    second = sent(one)
    before = [(False, datagram) for datagram in first] + [(True, retry)]
    return before + talk(one, server(ids.destination_cid, retry_source_id), second)


def seal(
    frames: bytes,
    *,
    destination_id: bytes = b"original",
    source_id: bytes = b"client",
    key_id: bytes | None = None,
    from_server: bool = False,
    number: int = 0,
    number_octets: int = 2,
    token: bytes = b"",
    version: int = V1,
) -> bytes:
    """An Initial that holds `frames`, with the keys that follow from `key_id` (else from the destination id)."""
    keys = CryptoPair()
    keys.setup_initial(destination_id if key_id is None else key_id, is_client=not from_server, version=version)
    first = 0xC0 | (1 if version == V2 else 0) << 4 | number_octets - 1
    parts = Buffer(capacity=2048)
    parts.push_uint8(first)
    parts.push_uint32(version)
    for connection_id in (destination_id, source_id):
        parts.push_uint8(len(connection_id))
        parts.push_bytes(connection_id)
    parts.push_uint_var(len(token))
    parts.push_bytes(token)
    parts.push_uint16(0x4000 | number_octets + len(frames) + 16)
    parts.push_bytes((number & (1 << 8 * number_octets) - 1).to_bytes(number_octets, "big"))
    return keys.encrypt_packet(parts.data, frames, number)


def crypto_frame(offset: int, octets: bytes) -> bytes:
    parts = Buffer(capacity=len(octets) + 32)
    parts.push_uint8(0x06)
    parts.push_uint_var(offset)
    parts.push_uint_var(len(octets))
    parts.push_bytes(octets)
    return parts.data


def joined(pieces: list[tuple[int, bytes]]) -> bytes:
    """The octets of a CRYPTO stream up to the first gap; what came first stays."""
    stream: dict[int, int] = {}
    for offset, octets in pieces:
        for at, octet in enumerate(octets, offset):
            stream.setdefault(at, octet)
    end = 0
    while end in stream:
        end += 1
    return bytes(stream[at] for at in range(end))


def hello_name(octets: bytes) -> str | None:
    """The server name in a ClientHello, as dpkt reads it; None if it is not whole or has none."""
    try:
        hello = dpkt.ssl.TLSHandshake(octets).data
    except (dpkt.Error, IndexError, ValueError):
        return None
    for kind, value in getattr(hello, "extensions", []):
        if kind == SERVER_NAME:
            return value[5:].decode("latin-1")  # list length, type, name length: RFC 6066, 3
    return None
