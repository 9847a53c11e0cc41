"""The lab's life: what it needs, up, traffic, down.

Rules of this file: whatever fails or is interrupted on the way up takes down what it had made.
"""

from __future__ import annotations

import importlib.util
import json
import os
import selectors
import signal
import subprocess
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from classifier.catalogue.load import load_catalogue
from classifier.errors import LabError
from classifier.lab import namespaces, state
from classifier.lab.files import write_files
from classifier.lab.topology import GATEWAY, INTERNET, MEMBERS, server_addresses, sites
from classifier.lab.traffic import Plan, make_plan

_EXTRA = ("dnslib", "aioquic")
_SERVER_PATIENCE_S = 30
_LOG = "servers.log"


@dataclass(frozen=True, slots=True)
class Driven:
    """What became of the lab's traffic. `octets` are those of bodies; `problems`: a line for each transfer that failed."""

    transfers: int
    ways: Mapping[str, int]
    octets: int
    problems: tuple[str, ...]


def require(extra: bool = True) -> None:
    """LabError where this process is not root's, or the extra is not installed."""
    if os.geteuid() != 0:
        raise LabError("the lab makes network namespaces, which needs root; run it with sudo")
    missing = [name for name in _EXTRA if importlib.util.find_spec(name) is None] if extra else []
    if missing:
        raise LabError(f"the lab needs {' and '.join(missing)}; install the extra (pip install 'freeflow[lab]')")


def up(prefix: str) -> Path:
    """Build the lab and start its servers; the path of its configuration. LabError where it is up, or cannot be built."""
    from classifier.lab.certificates import write_certificates  # cryptography, which `down` does without

    folder = state.begin(prefix)
    try:
        all_sites = sites(load_catalogue())
        path = write_files(folder)
        write_certificates(folder, [site.name for site in all_sites])
        with state.held():
            namespaces.make(prefix, server_addresses(all_sites))
        state.record(prefix, _start_servers(prefix))
    except BaseException:
        state.remove(prefix)
        raise
    return path


def plan_traffic(seed: int, mix: Mapping[str, int], seconds: int) -> Plan:
    """The lab's subscribers' plan. LabError where the mix is not possible."""
    return make_plan(seed, mix, seconds, MEMBERS, sites(load_catalogue()))


def drive(prefix: str, plan: Plan) -> Driven:
    """Traffic as planned, until all of it has come through. LabError where the lab is not up."""
    state.require_up(prefix)
    text = json.dumps({name: [asdict(one) for one in transfers] for name, transfers in plan.items()})
    # In a session of its own, so that Ctrl-C reaches whoever waits, who ends all of them.
    clients = state.spawn(
        prefix,
        ["-m", "classifier.lab.clients", prefix],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        out, error = clients.communicate(text)
    finally:
        if clients.poll() is None:
            os.killpg(clients.pid, signal.SIGKILL)
            clients.wait()
    if clients.returncode:
        raise LabError(f"the lab's clients failed: {_last_line(error)}; take the lab down and up again")
    return _driven(json.loads(out))


def _driven(found: Mapping[str, dict]) -> Driven:
    ways: dict[str, int] = {}
    for one in found.values():
        for way, number in one["ways"].items():
            ways[way] = ways.get(way, 0) + number
    problems = tuple(f"{name}: {problem}" for name, one in found.items() for problem in one["problems"])
    return Driven(
        sum(ways.values()), dict(sorted(ways.items())), sum(one["octets"] for one in found.values()), problems
    )


def start_freeflow(prefix: str, arguments: list[str], **options) -> subprocess.Popen:
    """`freeflow` with these arguments in the gateway's namespace."""
    with namespaces.entered(namespaces.namespace(prefix, GATEWAY)):
        return state.spawn(prefix, ["-m", "classifier", *arguments], **options)


def captures(process: subprocess.Popen) -> bool:
    """Whether a packet socket is bound to an interface in the namespace of this process: its number is the fifth column."""
    try:
        lines = Path(f"/proc/{process.pid}/net/packet").read_text().splitlines()[1:]
    except OSError:
        return False
    return any(line.split()[4] != "0" for line in lines)


def _start_servers(prefix: str) -> int:
    """The number of the servers' process, once all of them listen."""
    from classifier.lab.servers import READY

    log = state.folder(prefix) / _LOG
    with log.open("w") as errors, namespaces.entered(namespaces.namespace(prefix, INTERNET)):
        server = state.spawn(
            prefix,
            ["-m", "classifier.lab.servers", prefix],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            start_new_session=True,
        )
    with server.stdout as pipe, selectors.DefaultSelector() as selector:
        selector.register(pipe, selectors.EVENT_READ)
        if not selector.select(_SERVER_PATIENCE_S) or pipe.readline().strip() != READY:
            raise LabError(
                f"the lab's servers did not start: {_last_line(log.read_text())}; try again (freeflow lab up)"
            )
    return server.pid


def _last_line(text: str) -> str:
    lines = text.strip().splitlines()
    return lines[-1].strip() if lines else "they say nothing"
