"""A certificate authority for the lab alone, and one server certificate with every name of it, made on the spot.

Rules of this file: the keys are readable by root alone, live in the lab's folder and go with it. Nothing on the host
trusts them.
"""

from __future__ import annotations

import datetime
import os
from collections.abc import Sequence
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

AUTHORITY, CERTIFICATE, KEY = "ca.pem", "server.pem", "server.key"
_VALID_DAYS = 30


def write_certificates(folder: Path, names: Sequence[str]) -> None:
    """`ca.pem`, `server.pem` for all of `names`, and its key, into the folder."""
    authority_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    authority = _certificate(
        "freeflow lab authority", authority_key.public_key(), "freeflow lab authority", authority_key
    )
    server = _certificate("freeflow lab", key.public_key(), "freeflow lab authority", authority_key, names)
    _write(folder / AUTHORITY, authority.public_bytes(serialization.Encoding.PEM))
    _write(folder / CERTIFICATE, server.public_bytes(serialization.Encoding.PEM))
    private = serialization.PrivateFormat.PKCS8
    _write(folder / KEY, key.private_bytes(serialization.Encoding.PEM, private, serialization.NoEncryption()))


def _certificate(subject: str, public_key, issuer: str, issuer_key, names: Sequence[str] = ()) -> x509.Certificate:
    """An authority's certificate without `names`, a server's with them (RFC 5280, 4.2.1)."""
    now = datetime.datetime.now(datetime.UTC)
    day = datetime.timedelta(days=1)
    builder = (
        x509.CertificateBuilder()
        .subject_name(_name(subject))
        .issuer_name(_name(issuer))
        .public_key(public_key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - day)
        .not_valid_after(now + _VALID_DAYS * day)
        .add_extension(x509.BasicConstraints(ca=not names, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public_key), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()), critical=False)
        .add_extension(_key_usage(not names), critical=True)
    )
    if names:
        builder = builder.add_extension(
            x509.SubjectAlternativeName([x509.DNSName(one) for one in names]), critical=False
        )
    return builder.sign(issuer_key, hashes.SHA256())


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _key_usage(authority: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not authority,
        key_cert_sign=authority,
        crl_sign=authority,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _write(path: Path, octets: bytes) -> None:
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(octets)
