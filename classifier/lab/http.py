"""HTTP/1.1 as the lab needs it: `GET /N` is answered with N octets, what is sent up is read and dropped.

Rules of this file: everything is bounded: a head's size and time, a body's size, requests of a connection. It knows no socket,
only asyncio's streams, so the same serves with and without TLS.
"""

from __future__ import annotations

import asyncio

HEAD_TIMEOUT_S, BODY_TIMEOUT_S = 10, 30
BODY_OCTETS_MAX = 10_000_000
_REQUESTS_MAX = 100
_PIECE = b"freeflow lab\r\n" * 1170  # about 16 KiB


class Refused(Exception):
    """What came is not what the lab's clients send or its servers answer."""


async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Serve one connection until it is closed, idle for too long or not to be understood."""
    try:
        for _ in range(_REQUESTS_MAX):
            line, fields = await _head(reader)
            method, path, *_ = line.split(" ")
            await _skip(reader, octets_wanted(fields.get("content-length", "0")))
            octets = octets_wanted(path.removeprefix("/")) if method == "GET" else 0
            writer.write(f"HTTP/1.1 200 OK\r\nServer: freeflow-lab\r\nContent-Length: {octets}\r\n\r\n".encode())
            for piece in body(octets):
                writer.write(piece)
                await asyncio.wait_for(writer.drain(), BODY_TIMEOUT_S)
    except (TimeoutError, OSError, EOFError, ValueError, asyncio.LimitOverrunError, Refused):
        pass  # the peer's doing, and the peer's loss
    finally:
        writer.close()


async def ask(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, host: str, octets: int, upload: bool) -> int:
    """One request for, or with, a body of so many octets; how many octets of a body came or went. Refused, OSError."""
    if upload:
        writer.write(f"POST / HTTP/1.1\r\nHost: {host}\r\nContent-Length: {octets}\r\n\r\n".encode())
        for piece in body(octets):
            writer.write(piece)
            await writer.drain()
    else:
        writer.write(f"GET /{octets} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
    line, fields = await _head(reader)
    if not line.startswith("HTTP/1.1 200"):
        raise Refused(line)
    came = await _skip(reader, octets_wanted(fields.get("content-length", "0")))
    return octets if upload else came


def body(octets: int):
    """So many octets, in pieces."""
    while octets > 0:
        piece = _PIECE[:octets]
        octets -= len(piece)
        yield piece


def octets_wanted(text: str) -> int:
    """The number in `text`. Refused if there is none, or it is beyond what the lab serves."""
    if not (text.isdecimal() and text.isascii()) or int(text[:12]) > BODY_OCTETS_MAX:
        raise Refused(text)
    return int(text)


async def _head(reader: asyncio.StreamReader) -> tuple[str, dict[str, str]]:
    """The first line, and the fields by their names in lower case."""
    octets = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), HEAD_TIMEOUT_S)
    first, *lines = octets.decode("latin-1").split("\r\n")
    fields = (line.partition(":") for line in lines if line)
    return first, {name.lower(): value.strip() for name, _, value in fields}


async def _skip(reader: asyncio.StreamReader, octets: int) -> int:
    """Read so many octets and drop them."""
    left = octets
    while left:
        piece = await asyncio.wait_for(reader.read(min(left, len(_PIECE))), BODY_TIMEOUT_S)
        if not piece:
            raise EOFError
        left -= len(piece)
    return octets
