"""The ciphers that open QUIC's Initials, as addresses that kernels call: OpenSSL's own, or `cryptography` through callbacks.

Rules of this file: no cryptography is written here. OpenSSL is the one that Python's `hashlib` is linked with, so its
functions are in the process already. Some builds of Python hide them; then `cryptography` does the same, some thirty times
slower. Nothing that a kernel calls raises.
"""

from __future__ import annotations

import ctypes
import hmac
import weakref

import numpy as np

from classifier.kernels.ciphers import (
    ADDRESSES,
    BLOCK_CONTEXT,
    BLOCK_OCTETS,
    CALL_BLOCK,
    CALL_HMAC,
    CALL_OPEN,
    CONTROL,
    DECRYPT_FINAL,
    DECRYPT_INIT,
    DECRYPT_UPDATE,
    DIGEST_OCTETS,
    ENCRYPT_INIT,
    ENCRYPT_UPDATE,
    KEY_OCTETS,
    NONCE_OCTETS,
    OPEN_CONTEXT,
    SHA256_FINAL,
    SHA256_INIT,
    SHA256_UPDATE,
)

# Public functions of OpenSSL 1.1 and 3: openssl/sha.h and openssl/evp.h.
FUNCTIONS = {
    SHA256_INIT: "SHA256_Init",
    SHA256_UPDATE: "SHA256_Update",
    SHA256_FINAL: "SHA256_Final",
    ENCRYPT_INIT: "EVP_EncryptInit_ex",
    ENCRYPT_UPDATE: "EVP_EncryptUpdate",
    DECRYPT_INIT: "EVP_DecryptInit_ex",
    DECRYPT_UPDATE: "EVP_DecryptUpdate",
    CONTROL: "EVP_CIPHER_CTX_ctrl",
    DECRYPT_FINAL: "EVP_DecryptFinal_ex",
}
BESIDE = ("EVP_CIPHER_CTX_new", "EVP_CIPHER_CTX_free", "EVP_aes_128_ecb", "EVP_aes_128_gcm")
_CALLBACK = ctypes.CFUNCTYPE(ctypes.c_int, *[ctypes.c_void_p] * 6)


class CipherLibrary:
    """`addresses` i8[ADDRESSES], valid as long as this lives. One meter's: the contexts serve one thread at a time.

    `native` False: do without OpenSSL's functions.
    """

    def __init__(self, *, native: bool = True) -> None:
        self.addresses = np.zeros(ADDRESSES, np.int64)
        library = _openssl() if native else None
        self._callbacks: tuple = ()
        if library is None or not self._take(library):
            self._stand_in()

    @property
    def is_native(self) -> bool:
        """Whether kernels call OpenSSL directly."""
        return bool(self.addresses[SHA256_INIT])

    def _take(self, library: ctypes.CDLL) -> bool:
        """Take OpenSSL's functions and a context of each cipher. False where it does not give one, as its policy may be."""
        begun = [
            _context(library, start, cipher)
            for start, cipher in (("EVP_EncryptInit_ex", "EVP_aes_128_ecb"), ("EVP_DecryptInit_ex", "EVP_aes_128_gcm"))
        ]
        weakref.finalize(self, _free, library, [context for context, _ in begun])
        if not all(ready for _, ready in begun):
            return False
        for place, name in FUNCTIONS.items():
            self.addresses[place] = ctypes.cast(getattr(library, name), ctypes.c_void_p).value
        self.addresses[BLOCK_CONTEXT], self.addresses[OPEN_CONTEXT] = (context for context, _ in begun)
        return True

    def _stand_in(self) -> None:
        self._callbacks = tuple(_CALLBACK(function) for function in (_hmac, _block, _open))
        for place, callback in zip((CALL_HMAC, CALL_BLOCK, CALL_OPEN), self._callbacks, strict=True):
            self.addresses[place] = ctypes.cast(callback, ctypes.c_void_p).value


def _openssl() -> ctypes.CDLL | None:
    """OpenSSL's libcrypto as Python has loaded it; None where it cannot be had, or lacks one of the functions."""
    try:
        import _hashlib

        library = ctypes.CDLL(_hashlib.__file__)
        functions = [getattr(library, name) for name in (*FUNCTIONS.values(), *BESIDE)]
    except (ImportError, AttributeError, OSError):
        return None
    return library if functions else None


def _context(library: ctypes.CDLL, begin: str, cipher: str) -> tuple[int | None, bool]:
    """(a new context of OpenSSL's, whether it is ready for the cipher), without a key."""
    pointer = ctypes.c_void_p
    make, choose, start = library.EVP_CIPHER_CTX_new, getattr(library, cipher), getattr(library, begin)
    make.restype = choose.restype = pointer
    start.argtypes = [pointer] * 5
    context = make()
    return context, context is not None and start(context, choose(), None, None, None) == 1


def _free(library: ctypes.CDLL, contexts: list[int | None]) -> None:
    free = library.EVP_CIPHER_CTX_free
    free.argtypes = [ctypes.c_void_p]
    for context in contexts:
        free(context)  # nothing, where there is none


def _hmac(key: int, message: int, octets: int | None, digest: int, *_: int) -> int:
    text = ctypes.string_at(message, octets or 0)
    ctypes.memmove(digest, hmac.digest(ctypes.string_at(key, BLOCK_OCTETS), text, "sha256"), DIGEST_OCTETS)
    return 1


def _block(key: int, source: int, result: int, *_: int) -> int:
    from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

    encryptor = Cipher(algorithms.AES(ctypes.string_at(key, KEY_OCTETS)), modes.ECB()).encryptor()
    ctypes.memmove(result, encryptor.update(ctypes.string_at(source, KEY_OCTETS)), KEY_OCTETS)
    return 1


def _open(key: int, header: int, header_octets: int, text: int, octets: int, plain: int) -> int:
    from cryptography.exceptions import InvalidTag
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    nonce = ctypes.string_at(key + KEY_OCTETS, NONCE_OCTETS)
    sealed = ctypes.string_at(text, octets)
    try:
        opened = AESGCM(ctypes.string_at(key, KEY_OCTETS)).decrypt(
            nonce, sealed, ctypes.string_at(header, header_octets)
        )
    except InvalidTag:
        return 0
    ctypes.memmove(plain, opened, len(opened))
    return 1
