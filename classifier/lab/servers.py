"""The lab's internet: DNS, HTTP, TLS and QUIC servers for every name, in one process that is started in its namespace.

    python -m classifier.lab.servers PREFIX

Rules of this file: it prints one line when all of them listen, and then only answers until it is ended. It takes no more
connections at a time than `_CONNECTIONS_MAX`. TCP servers listen on all of the namespace's addresses, UDP servers on each
one, as an answer has to come from the address that was asked.
"""

from __future__ import annotations

import asyncio
import ssl
import sys

from classifier.catalogue.load import load_catalogue
from classifier.lab import state
from classifier.lab.certificates import CERTIFICATE, KEY
from classifier.lab.dns import PORT as DNS_PORT
from classifier.lab.dns import Resolver
from classifier.lab.http import answer
from classifier.lab.quic import serve_quic
from classifier.lab.topology import RESOLVERS, server_addresses, sites

READY = "ready"
HTTP_PORT, TLS_PORT = 80, 443
_ANY = ("0.0.0.0", "::")
_CONNECTIONS_MAX = 256


async def serve(prefix: str) -> None:
    """Listen, say so, and answer for ever."""
    folder = state.folder(prefix)
    all_sites = sites(load_catalogue())
    free = asyncio.Semaphore(_CONNECTIONS_MAX)

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async with free:
            await answer(reader, writer)

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / CERTIFICATE, folder / KEY)
    listening = [
        await asyncio.start_server(connected, _ANY, HTTP_PORT),
        await asyncio.start_server(connected, _ANY, TLS_PORT, ssl=context),
    ]
    loop = asyncio.get_running_loop()
    for address in RESOLVERS:
        await loop.create_datagram_endpoint(lambda: Resolver(all_sites), local_addr=(address, DNS_PORT))
    for address in server_addresses(all_sites):
        if address not in RESOLVERS:
            await serve_quic(address, folder)
    print(READY, flush=True)
    await asyncio.gather(*(server.serve_forever() for server in listening))


if __name__ == "__main__":
    asyncio.run(serve(sys.argv[1]))
