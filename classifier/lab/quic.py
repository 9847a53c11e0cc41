"""HTTP/3 over QUIC with aioquic, both ends: the same requests as in `http`.

Rules of this file: aioquic does the protocol; a connection that idles ends by its own timer.
"""

from __future__ import annotations

import asyncio
from pathlib import Path

from aioquic.asyncio.client import connect
from aioquic.asyncio.protocol import QuicConnectionProtocol
from aioquic.asyncio.server import serve
from aioquic.h3.connection import H3_ALPN, H3Connection
from aioquic.h3.events import DataReceived, HeadersReceived
from aioquic.quic.configuration import QuicConfiguration
from aioquic.quic.events import ConnectionTerminated, QuicEvent

from classifier.lab.certificates import AUTHORITY, CERTIFICATE, KEY
from classifier.lab.http import Refused, body, octets_wanted

PORT = 443
IDLE_TIMEOUT_S = 10.0
_SERVER = b"freeflow-lab"


class _Server(QuicConnectionProtocol):
    """Answers each stream's request as its head comes (`GET`), or as its body has ended."""

    def __init__(self, *arguments, **options) -> None:
        super().__init__(*arguments, **options)
        self._http = H3Connection(self._quic)

    def quic_event_received(self, event: QuicEvent) -> None:
        for part in self._http.handle_event(event):
            if isinstance(part, HeadersReceived):
                fields = dict(part.headers)
                if fields.get(b":method") == b"GET":
                    self._answer(part.stream_id, fields.get(b":path", b"/")[1:].decode("latin-1"))
            elif isinstance(part, DataReceived) and part.stream_ended:
                self._answer(part.stream_id, "0")

    def _answer(self, stream: int, wanted: str) -> None:
        try:
            octets, status = octets_wanted(wanted), b"200"
        except Refused:
            octets, status = 0, b"400"
        self._http.send_headers(stream, [(b":status", status), (b"server", _SERVER)])
        for piece in body(octets):
            self._http.send_data(stream, piece, end_stream=False)
        self._http.send_data(stream, b"", end_stream=True)
        self.transmit()


class _Client(QuicConnectionProtocol):
    """One request, and the octets of the answer's body when it has ended."""

    def __init__(self, *arguments, **options) -> None:
        super().__init__(*arguments, **options)
        self._http = H3Connection(self._quic)
        self._came, self._ended = 0, asyncio.get_running_loop().create_future()

    async def ask(self, host: str, octets: int, upload: bool) -> int:
        stream = self._quic.get_next_available_stream_id()
        method, path = (b"POST", b"/") if upload else (b"GET", f"/{octets}".encode())
        fields = [(b":method", method), (b":scheme", b"https"), (b":authority", host.encode()), (b":path", path)]
        self._http.send_headers(stream, fields, end_stream=not upload)
        if upload:
            for piece in body(octets):
                self._http.send_data(stream, piece, end_stream=False)
            self._http.send_data(stream, b"", end_stream=True)
        self.transmit()
        await self._ended
        return octets if upload else self._came

    def quic_event_received(self, event: QuicEvent) -> None:
        if isinstance(event, ConnectionTerminated) and not self._ended.done():
            self._ended.set_exception(ConnectionResetError(event.reason_phrase))
            self._ended.exception()  # seen, also where the handshake failed and nobody waits for an answer
        for part in self._http.handle_event(event):
            if isinstance(part, DataReceived):
                self._came += len(part.data)
                if part.stream_ended and not self._ended.done():
                    self._ended.set_result(None)


async def serve_quic(address: str, folder: Path) -> None:
    """Answer on UDP port 443 of this address."""
    configuration = QuicConfiguration(is_client=False, alpn_protocols=H3_ALPN, idle_timeout=IDLE_TIMEOUT_S)
    configuration.load_cert_chain(folder / CERTIFICATE, folder / KEY)
    await serve(address, PORT, configuration=configuration, create_protocol=_Server)


async def ask_quic(address: str, host: str, octets: int, upload: bool, folder: Path) -> int:
    """As `http.ask`, on a connection of its own."""
    configuration = QuicConfiguration(
        is_client=True, alpn_protocols=H3_ALPN, server_name=host, idle_timeout=IDLE_TIMEOUT_S
    )
    configuration.load_verify_locations(str(folder / AUTHORITY))
    async with connect(address, PORT, configuration=configuration, create_protocol=_Client) as client:
        return await client.ask(host, octets, upload)
