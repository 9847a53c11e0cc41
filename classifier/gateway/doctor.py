"""What would stop or skew a run on this machine: each finding with its mend.

Rules of this file: nothing is changed, and every examination goes on where another found a fault.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

from classifier.capture.interface import find_interface, joining_offloads, neighbourhood
from classifier.capture.packet_socket import joined_told
from classifier.capture.ring import available_octets
from classifier.configuration import Capture
from classifier.detection.ciphers import CipherLibrary
from classifier.errors import ConfigurationError, FreeflowError
from classifier.gateway.findings import FAULT, OK, WARNING, Finding
from classifier.gateway.machine import ledger_access_findings, machine_findings
from classifier.gateway.plan import Plan, load_plan
from classifier.kernels import cache
from classifier.kernels.jit import COMPILED_BEFORE
from classifier.ledger.check import ledger_problems

LIST_AGE = timedelta(days=365)
# A ledger of a million rows an interval takes some 20 MB each; below this a day may not fit.
ROOM_OCTETS = 1 << 30
SHOWN = 5


def examine(config: str | None, ledger: Path | None, interface: str | None, today: date) -> list[Finding]:
    """Everything that can be found out, in the order in which a run would come upon it.

    `ledger` None: that of the configuration. `interface` None: none is looked at.
    """
    found = list(machine_findings())
    found += _kernels()
    found += _ciphers()
    plan, its = _plan(config)
    found += its
    if plan is not None:
        found += _address_lists(plan, today)
        ledger = ledger or plan.configuration.ledger.path
    if ledger is not None:
        found += _ledger(ledger)
    if interface is not None:
        found += _interface(interface, plan.configuration.capture if plan else Capture())
    return found


def _kernels() -> Iterator[Finding]:
    if cache.ROOT.name.startswith(cache.TEMPORARY_ROOT):
        mend = (
            "every start compiles for half a minute or more; let FREEFLOW_CACHE_DIR name a folder that can be written"
        )
        yield Finding(WARNING, "kernels", f"compiled ones cannot be kept: {mend}")
    elif COMPILED_BEFORE:
        yield Finding(OK, "kernels", f"compiled, in {cache.ROOT}")
    else:
        yield Finding(OK, "kernels", f"the first run will compile them for half a minute or more, into {cache.ROOT}")


def _ciphers() -> Iterator[Finding]:
    if CipherLibrary().is_native:
        yield Finding(OK, "ciphers", "OpenSSL's, called directly")
    else:
        text = "this Python hides OpenSSL: QUIC is read thirty times slower; use a Python that is linked with libcrypto"
        yield Finding(WARNING, "ciphers", text)


def _plan(config: str | None) -> tuple[Plan | None, list[Finding]]:
    try:
        plan = load_plan(config)
    except FreeflowError as error:
        lines = error.problems if isinstance(error, ConfigurationError) else (str(error),)
        return None, [Finding(FAULT, "configuration", line) for line in lines]
    name = "the built-in one" if config is None else config
    found = [Finding(OK, "configuration", f"{name}: {plan.counted}")]
    found += [Finding(WARNING, "configuration", notice) for notice in plan.notices]
    gateway = plan.configuration.gateway
    days = f"days and months are those of {gateway.timezone}"
    found.append(Finding(OK, "time zone", days if config else f"{days}; [gateway] timezone names another"))
    return plan, found


def _address_lists(plan: Plan, today: date) -> Iterator[Finding]:
    """Address lists go stale as networks are bought and sold."""
    listed = [one for one in plan.catalogue.applications if one.addresses or one.shared_addresses]
    old = [one.name for one in listed if one.updated is None or today - one.updated > LIST_AGE]
    if not old:
        yield Finding(OK, "addresses", f"the lists of {len(listed)} applications are of the last year")
        return
    names = ", ".join(sorted(old)[:SHOWN]) + (" and others" if len(old) > SHOWN else "")
    text = (
        f"{len(old)} of {len(listed)} lists are older than a year or have no date ({names}); bring the files up to date"
    )
    yield Finding(WARNING, "addresses", text)


def _ledger(path: Path) -> Iterator[Finding]:
    if not path.exists():
        yield Finding(OK, "ledger", f"{path}: will be made")
    else:
        try:
            problems = ledger_problems(path)
        except FreeflowError as error:
            yield Finding(FAULT, "ledger", str(error))
            return
        for problem in problems:
            yield Finding(FAULT, "ledger", f"{path}: {problem}; restore it from a copy")
        yield from ledger_access_findings(path)
        if not problems:
            yield Finding(OK, "ledger", f"{path}: whole, and its sums are those of its usage")
    folder = path.absolute().parent
    if not folder.is_dir():
        yield Finding(FAULT, "ledger", f"{folder}: no such folder; make it")
        return
    free = shutil.disk_usage(folder).free
    if free < ROOM_OCTETS:
        yield Finding(WARNING, "disk", f"{free >> 20} MiB are left in {folder}; make room, or move the ledger")
    else:
        yield Finding(OK, "disk", f"{free >> 30} GiB are left in {folder}")


def _interface(name: str, capture: Capture) -> Iterator[Finding]:
    try:
        interface = find_interface(name)
    except FreeflowError as error:
        yield Finding(FAULT, "interface", str(error))
        return
    yield Finding(OK, "interface", f"{name}: up, {interface.link_kind}, MTU {interface.mtu}; capturing is permitted")
    yield from _offloads(name)
    yield from _seen_twice(name, capture)
    ring, room = capture.ring_blocks * capture.block_octets, available_octets() // 2
    if ring > room:
        text = f"a ring of {ring >> 20} MiB has room for {room >> 20}; lower [capture] ring_blocks or block_octets"
        yield Finding(FAULT, "ring", text)
    else:
        yield Finding(OK, "ring", f"{ring >> 20} MiB in {capture.ring_blocks} blocks")


def _offloads(name: str) -> Iterator[Finding]:
    joining = joining_offloads(name)
    if not joining:
        return
    if joined_told():
        text = f"{name} joins packets, and Linux tells how many: they count as on the wire"
        yield Finding(OK, "offloads", text)
        return
    mend = f"ethtool -K {name} " + " ".join(f"{offload} off" for offload in joining)
    text = f"{name} joins packets, whose headers then count once instead of each time; run --offloads-off, or {mend}"
    yield Finding(WARNING, "offloads", text)


def _seen_twice(name: str, capture: Capture) -> Iterator[Finding]:
    """Frames that this host passes on are seen once more on their way out."""
    around = neighbourhood(name)
    if around.master:
        text = f"{name} is a port of {around.master}: what goes on to another port is seen there, too; capture on one alone"
        yield Finding(WARNING, "seen twice", text)
    if around.ports:
        ports = ", ".join(around.ports[:SHOWN])
        text = f"{name} has the ports {ports}, on which its frames are seen, too; capture on {name} or on one port, not both"
        yield Finding(WARNING, "seen twice", text)
    if around.vlans and around.routes and capture.direction == "both":
        text = (
            f"this host routes between {', '.join(around.vlans[:SHOWN])} over {name}: what comes in and goes out again "
            'counts twice; write direction = "in" under [capture]'
        )
        yield Finding(WARNING, "seen twice", text)
