"""The lab's resolver: A and AAAA records of its names over UDP, and a client's query for them, with dnslib.

Rules of this file: a name that the lab does not have does not exist (NXDOMAIN); what is no query gets no answer.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence

from dnslib import AAAA, QTYPE, RCODE, RR, A, DNSError, DNSRecord

from classifier.lab.topology import Address, Site

PORT = 53
TTL_S = 60
QUERY_TIMEOUT_S = 5


def respond(query: bytes, addresses: dict[str, Sequence[Address]]) -> bytes | None:
    """The answer to a datagram; `addresses` by name in lower case. None where it is no query."""
    try:
        asked = DNSRecord.parse(query)
    except DNSError:
        return None
    if asked.header.qr or len(asked.questions) != 1:
        return None
    reply = asked.reply()
    question = asked.q
    known = addresses.get(str(question.qname).rstrip(".").lower())
    if known is None:
        reply.header.rcode = RCODE.NXDOMAIN
    for address in known or ():
        kind, make = (QTYPE.A, A) if address.version == 4 else (QTYPE.AAAA, AAAA)
        if question.qtype == kind:
            reply.add_answer(RR(question.qname, kind, ttl=TTL_S, rdata=make(str(address))))
    return bytes(reply.pack())


class Resolver(asyncio.DatagramProtocol):
    """Serves `respond` on a socket."""

    def __init__(self, sites: Sequence[Site]) -> None:
        self._addresses = {site.name: site.addresses for site in sites}

    def connection_made(self, transport) -> None:
        self._transport = transport

    def datagram_received(self, octets: bytes, sender) -> None:
        answer = respond(octets, self._addresses)
        if answer is not None:
            self._transport.sendto(answer, sender)


class _Query(asyncio.DatagramProtocol):
    def __init__(self, question: DNSRecord) -> None:
        self._question = question
        self.answer = asyncio.get_running_loop().create_future()

    def connection_made(self, transport) -> None:
        transport.sendto(self._question.pack())

    def datagram_received(self, octets: bytes, sender) -> None:
        try:
            reply = DNSRecord.parse(octets)
        except DNSError:
            return
        if reply.header.id == self._question.header.id and not self.answer.done():
            self.answer.set_result(reply)

    def error_received(self, error: OSError) -> None:
        if not self.answer.done():
            self.answer.set_exception(error)


async def resolve(name: str, family: int, resolver: str) -> str:
    """The name's address of this family (4 or 6), asked of the resolver. OSError where it has none; asyncio.TimeoutError."""
    question = DNSRecord.question(name, "A" if family == 4 else "AAAA")
    question.header.id = random.SystemRandom().randrange(1 << 16)
    loop = asyncio.get_running_loop()
    transport, query = await loop.create_datagram_endpoint(lambda: _Query(question), remote_addr=(resolver, PORT))
    try:
        reply = await asyncio.wait_for(query.answer, QUERY_TIMEOUT_S)
    finally:
        transport.close()
    if not reply.rr:
        raise OSError(f"{name}: {RCODE[reply.header.rcode]}")
    return str(reply.rr[0].rdata)
