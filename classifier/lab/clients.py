"""The subscribers' side: each in a process of its own inside its namespace, which asks for what the plan says.

    python -m classifier.lab.clients PREFIX < plan.json

Rules of this file: what it asks is real: names through the lab's resolver, certificates checked against the lab's authority. A
transfer counts if every octet came. It ends by itself a while after the plan does, whatever hangs.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shutil
import signal
import ssl
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path

from classifier.lab import namespaces, state
from classifier.lab.certificates import AUTHORITY
from classifier.lab.dns import resolve
from classifier.lab.http import Refused, ask
from classifier.lab.quic import ask_quic
from classifier.lab.servers import HTTP_PORT, TLS_PORT
from classifier.lab.topology import RESOLVERS
from classifier.lab.traffic import CURL, HTTP, QUIC, TLS, Transfer

GRACE_S = 30  # after the last transfer has begun
_TRANSFER_TIMEOUT_S = 20
_AT_A_TIME = 8


class Subscriber:
    """One subscriber's transfers, and what became of them."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._context = ssl.create_default_context(cafile=str(folder / AUTHORITY))
        self._curl = shutil.which("curl")
        self._free = asyncio.Semaphore(_AT_A_TIME)
        self.octets = 0
        self.ways: Counter[str] = Counter()
        self.problems: list[str] = []

    async def follow(self, transfers: list[Transfer]) -> None:
        """All transfers, each when its time has come."""
        begun = asyncio.get_running_loop().time()
        await asyncio.gather(*(self._at(begun, transfer) for transfer in transfers))

    async def _at(self, begun: float, transfer: Transfer) -> None:
        if transfer.way == CURL and not self._curl:
            transfer = replace(transfer, way=TLS)
        await asyncio.sleep(begun + transfer.at_ms / 1000 - asyncio.get_running_loop().time())
        async with self._free:
            try:
                octets = await asyncio.wait_for(self._transfer(transfer), _TRANSFER_TIMEOUT_S)
            except (TimeoutError, OSError, EOFError, Refused) as error:
                what = f"{type(error).__name__} {error}".strip()
                self.problems.append(f"{transfer.name} by {transfer.way}: {what}")
                return
        self.octets += octets
        self.ways[transfer.way] += 1
        if octets != transfer.octets:
            self.problems.append(f"{transfer.name} by {transfer.way}: {octets} octets in place of {transfer.octets}")

    async def _transfer(self, transfer: Transfer) -> int:
        address = transfer.address
        if address is None:
            resolver = RESOLVERS[0] if transfer.family == 4 else RESOLVERS[1]
            address = await resolve(transfer.name, transfer.family, resolver)
        if transfer.way == QUIC:
            return await ask_quic(address, transfer.name, transfer.octets, transfer.upload, self._folder)
        if transfer.way == CURL:
            return await self._run_curl(address, transfer)
        if transfer.way == HTTP:
            reader, writer = await asyncio.open_connection(address, HTTP_PORT)
        else:
            reader, writer = await asyncio.open_connection(
                address, TLS_PORT, ssl=self._context, server_hostname=transfer.name
            )
        try:
            return await ask(reader, writer, transfer.name, transfer.octets, transfer.upload)
        finally:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    async def _run_curl(self, address: str, transfer: Transfer) -> int:
        """curl without its configuration file and without a proxy; the name is resolved already."""
        target = f"{transfer.name}:{TLS_PORT}:{f'[{address}]' if ':' in address else address}"
        options = ["--silent", "--show-error", "--noproxy", "*", "--max-time", str(_TRANSFER_TIMEOUT_S)]
        options += ["--cacert", str(self._folder / AUTHORITY), "--resolve", target]
        options += ["--output", os.devnull, "--write-out", "%{size_download}"]
        url = f"https://{transfer.name}/{transfer.octets}"
        pipe = asyncio.subprocess.PIPE
        curl = await asyncio.create_subprocess_exec(self._curl, "-q", *options, url, stdout=pipe, stderr=pipe)
        out, error = await curl.communicate()
        if curl.returncode:
            raise Refused(error.decode("utf-8", "replace").strip())
        return int(out)


def _follow(prefix: str, name: str, transfers: list[Transfer]) -> dict:
    """What became of this subscriber's transfers."""
    namespaces.enter(namespaces.namespace(prefix, name))
    subscriber = Subscriber(state.folder(prefix))
    asyncio.run(subscriber.follow(transfers))
    return {"octets": subscriber.octets, "ways": subscriber.ways, "problems": subscriber.problems}


def _fork(prefix: str, name: str, transfers: list[Transfer]) -> int:
    """The reading end of a pipe on which a new process tells what `_follow` found."""
    reading, writing = os.pipe()
    if os.fork():
        os.close(writing)
        return reading
    status = 1
    try:
        os.close(reading)
        signal.alarm(max((one.at_ms for one in transfers), default=0) // 1000 + GRACE_S)
        found = _follow(prefix, name, transfers)
        with open(writing, "w") as pipe:
            json.dump(found, pipe)
        status = 0
    finally:
        os._exit(status)


def main(prefix: str) -> None:
    """Read the plan, follow it in a process a subscriber, and print what became of it."""
    plan = {name: [Transfer(**one) for one in transfers] for name, transfers in json.load(sys.stdin).items()}
    pipes = {name: _fork(prefix, name, transfers) for name, transfers in plan.items()}
    found = {}
    for name, reading in pipes.items():
        with open(reading) as pipe:
            text = pipe.read()
        found[name] = json.loads(text) if text else {"octets": 0, "ways": {}, "problems": ["did not come to its end"]}
    json.dump(found, sys.stdout)


if __name__ == "__main__":
    main(sys.argv[1])
