"""The house: imports look down, each dangerous thing in its one room, files short. Read with `ast`, never imported.

Each rule is a function from a parsed file to complaints; below, each is also shown a small source that breaks it.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[1] / "classifier"
LINE_LIMIT = 400

# Floor of each room; a room is a folder of the package, or a module that stands at its top.
FLOORS = {
    "__init__": 0,
    "errors": 0,
    "distinct": 0,
    "records": 0,
    "iana": 0,
    "validation": 0,
    "kernels": 1,
    "capture": 2,
    "catalogue": 2,
    "subscribers": 2,
    "configuration": 2,
    "metering": 3,
    "detection": 4,
    "rating": 5,
    "ledger": 5,
    "campaigns": 5,
    "reports": 6,
    "gateway": 7,
    "lab": 7,  # a user of the product, like the benches, but one that is installed: only the command line may call it
    "cli": 8,
    "__main__": 9,
}
# Modules outside the package, and the only places that may import them. The lab is a small world of its own, with hosts in
# it: what is dangerous beside the metering (other processes, waiting for sockets, protocols) may live there, and only there.
DANGEROUS = {
    "numba": ("kernels.compiling", "kernels.bundle_type", "kernels.shortcuts"),
    "llvmlite": ("kernels.compiling", "kernels.bundle_type", "kernels.jit"),
    "socket": ("capture", "lab"),
    "mmap": ("capture", "metering.memory"),
    "fcntl": ("capture",),
    "select": ("capture",),
    "pyroute2": ("capture", "lab"),
    "subprocess": ("lab", "kernels.beside"),
    "asyncio": ("lab",),
    "selectors": ("lab",),
    "ssl": ("lab",),
    "aioquic": ("lab",),
    "dnslib": ("lab",),
    "sqlite3": ("ledger",),
}
CLOCK_ROOMS = ("capture", "cli", "lab")
CLOCKS = {
    "time": {"time", "time_ns", "monotonic", "monotonic_ns", "perf_counter", "localtime", "gmtime", "ctime", "sleep"},
    "datetime": {"now", "utcnow", "today"},
    "date": {"today"},
}
KERNELS_MAY_IMPORT = ("kernels", "iana", "records")
# The lab runs `freeflow` as a person would, so of the package it needs the names and addresses alone.
LAB_MAY_IMPORT = ("lab", "catalogue", "errors", "validation", "__init__")


@dataclass(frozen=True)
class Source:
    """One file: `module` is its name below the package, as "kernels.jit"; a folder's own file is "kernels.__init__"."""

    module: str
    text: str

    @property
    def room(self) -> str:
        return self.module.split(".")[0]

    @property
    def tree(self) -> ast.Module:
        return ast.parse(self.text)


def sources() -> list[Source]:
    found = []
    for path in sorted(PACKAGE.rglob("*.py")):
        name = ".".join(path.relative_to(PACKAGE).with_suffix("").parts)
        found.append(Source(name, path.read_text(encoding="utf-8")))
    return found


def imports(source: Source) -> Iterator[str]:
    """Dotted names that the file imports, wherever in it: "numpy", "classifier.kernels.jit"; names included."""
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                above = ["classifier", *source.module.split(".")][: -node.level]
                base = ".".join([*above, base]).rstrip(".")
            yield from (f"{base}.{alias.name}" for alias in node.names)


def own_imports(source: Source) -> Iterator[str]:
    """What the file imports of the package, without the "classifier." before it."""
    for name in imports(source):
        if name == "classifier" or name.startswith("classifier."):
            yield name.removeprefix("classifier").lstrip(".") or "__init__"


def looks_up(source: Source) -> Iterable[str]:
    for name in own_imports(source):
        room = name.split(".")[0]
        if room not in FLOORS:
            if room == name:
                continue  # a name of the package itself, such as its version
            yield f"{source.module} imports {name}, a room without a floor"
            continue
        if room == source.room or (FLOORS[room] == 0 and FLOORS[source.room] == 0):
            continue
        if FLOORS[room] >= FLOORS[source.room]:
            yield f"{source.module} (floor {FLOORS[source.room]}) imports {name} (floor {FLOORS[room]})"


def stands_nowhere(source: Source) -> Iterable[str]:
    if source.room not in FLOORS:
        yield f"{source.module} is in a room without a floor"


def imports_dangerous_things(source: Source) -> Iterable[str]:
    for name in imports(source):
        places = DANGEROUS.get(name.split(".")[0])
        if places is not None and not any(f"{source.module}.".startswith(f"{place}.") for place in places):
            yield f"{source.module} imports {name}; only {' and '.join(places)} may"


def borrows_numba(source: Source) -> Iterable[str]:
    """Whoever imports what imports numba makes every start wait for it: only `jit` does, when it has to
    compile, and the process beside it."""
    if source.module in ("kernels.jit", "kernels.compiling", "kernels.apart"):
        return
    for name in own_imports(source):
        if name == "kernels.jit.numba" or f"{name}.".startswith(
            ("kernels.compiling.", "kernels.bundle_type.", "kernels.shortcuts.")
        ):
            yield f"{source.module} takes numba from {name}"


def reads_a_clock(source: Source) -> Iterable[str]:
    if source.room in CLOCK_ROOMS:
        return
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Attribute):
            owner = node.value.attr if isinstance(node.value, ast.Attribute) else getattr(node.value, "id", "")
            if node.attr in CLOCKS.get(owner, ()):
                yield f"{source.module}:{node.lineno} reads {owner}.{node.attr}"
        elif isinstance(node, ast.ImportFrom) and node.module == "time":
            yield f"{source.module}:{node.lineno} imports from time"


def kernels_know_others(source: Source) -> Iterable[str]:
    if source.room != "kernels":
        return
    for name in own_imports(source):
        if name.split(".")[0] not in KERNELS_MAY_IMPORT:
            yield f"{source.module} imports {name}"


def the_lab_knows_others(source: Source) -> Iterable[str]:
    if source.room != "lab":
        return
    for name in own_imports(source):
        if name.split(".")[0] not in LAB_MAY_IMPORT:
            yield f"{source.module} imports {name}"


def uses_floats_in_rating(source: Source) -> Iterable[str]:
    """Accounting 3.5: volumes are integers and money is Decimal."""
    if source.room != "rating":
        return
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, float):
            yield f"{source.module}:{node.lineno} holds the float {node.value}"
        elif isinstance(node, ast.Name) and node.id == "float" and isinstance(node.ctx, ast.Load):
            yield f"{source.module}:{node.lineno} makes a float"


def is_long(source: Source) -> Iterable[str]:
    lines = source.text.count("\n")
    if lines > LINE_LIMIT:
        yield f"{source.module} has {lines} lines: past {LINE_LIMIT} it is two rooms"


def has_no_docstring(source: Source) -> Iterable[str]:
    if not ast.get_docstring(source.tree):
        yield f"{source.module} does not say what it is for"


RULES = [
    looks_up,
    stands_nowhere,
    imports_dangerous_things,
    borrows_numba,
    reads_a_clock,
    kernels_know_others,
    the_lab_knows_others,
    uses_floats_in_rating,
    is_long,
    has_no_docstring,
]


def circle(files: Iterable[Source]) -> list[str]:
    """Modules that import each other in a circle, empty where there is none."""
    known = {source.module: source for source in files}
    edges = {}
    for module, source in known.items():
        targets = set()
        for name in own_imports(source):
            for candidate in (name, name.rpartition(".")[0]):
                if candidate in known and candidate != module:
                    targets.add(candidate)
                    break
        edges[module] = targets
    done: set[str] = set()
    path: list[str] = []

    def visit(module: str) -> list[str]:
        if module in path:
            return [*path[path.index(module) :], module]
        if module in done:
            return []
        path.append(module)
        for target in sorted(edges[module]):
            found = visit(target)
            if found:
                return found
        path.pop()
        done.add(module)
        return []

    for module in sorted(edges):
        found = visit(module)
        if found:
            return found
    return []


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_no_file_of_the_house(rule):
    complaints = [complaint for source in sources() for complaint in rule(source)]
    assert not complaints, "\n".join(complaints)


def test_no_imports_go_in_a_circle():
    assert circle(sources()) == []


DOC = '"""A file."""\n'
BAD = [
    (looks_up, "kernels.bad", "from classifier.metering.meter import Meter"),
    (looks_up, "capture.bad", "from classifier.catalogue.load import load_catalogue"),
    (looks_up, "configuration", "import classifier.subscribers.load"),
    (looks_up, "rating.bad", "def f():\n    from ..ledger import book"),
    (looks_up, "errors", "from classifier import kernels"),
    (looks_up, "gateway.bad", "from classifier.attic.box import thing"),
    (stands_nowhere, "attic.bad", "pass"),
    (imports_dangerous_things, "kernels.bad", "from numba import njit"),
    (imports_dangerous_things, "kernels.jit", "import numba"),
    (imports_dangerous_things, "kernels.bad", "import llvmlite.ir"),
    (imports_dangerous_things, "gateway.bad", "import socket"),
    (imports_dangerous_things, "cli.bad", "from pyroute2 import IPRoute"),
    (imports_dangerous_things, "reports.bad", "import sqlite3"),
    (imports_dangerous_things, "gateway.bad", "import subprocess"),
    (imports_dangerous_things, "cli.bad", "import asyncio"),
    (imports_dangerous_things, "lab.bad", "import sqlite3"),
    (looks_up, "gateway.bad", "from classifier.lab.life import up"),
    (the_lab_knows_others, "lab.bad", "from classifier.metering.meter import Meter"),
    (borrows_numba, "kernels.bad", "from classifier.kernels.jit import kernel, numba"),
    (borrows_numba, "kernels.bad", "from classifier.kernels.compiling import compile_kernel"),
    (reads_a_clock, "metering.bad", "import time\nnow = time.time_ns()"),
    (reads_a_clock, "rating.bad", "from datetime import datetime\nnow = datetime.now()"),
    (reads_a_clock, "ledger.bad", "import datetime\nnow = datetime.datetime.utcnow()"),
    (reads_a_clock, "gateway.bad", "from time import time"),
    (reads_a_clock, "reports.bad", "from datetime import date\nnow = date.today()"),
    (kernels_know_others, "kernels.bad", "from classifier.errors import CaptureError"),
    (uses_floats_in_rating, "rating.bad", "half = 0.5"),
    (uses_floats_in_rating, "rating.bad", "half = float('0.5')"),
    (is_long, "cli.bad", DOC + "x = 1\n" * LINE_LIMIT),
    (has_no_docstring, "cli.bad", "x = 1\n"),
]


@pytest.mark.parametrize(("rule", "module", "text"), BAD)
def test_a_file_that_breaks_the_rule_is_found(rule, module, text):
    assert list(rule(Source(module, text)))


GOOD = [
    Source("kernels.good", DOC + "from classifier.kernels.jit import kernel\nfrom classifier.iana import TCP_SYN\n"),
    Source(
        "gateway.good", DOC + "from classifier.capture.ring import RingSource\nfrom classifier import __version__\n"
    ),
    Source("capture.good", DOC + "import socket\nimport time\nnow = time.time_ns()\n"),
    Source("lab.good", DOC + "import subprocess\nimport time\nfrom pyroute2 import IPRoute\nnow = time.monotonic()\n"),
    Source("rating.good", DOC + "from datetime import datetime, time\nmidnight = time(0)\n"),
]


@pytest.mark.parametrize("source", GOOD, ids=lambda source: source.module)
def test_a_file_that_keeps_the_rules_is_left_in_peace(source):
    assert [complaint for rule in RULES for complaint in rule(source)] == []


def test_a_circle_is_found():
    files = [
        Source("reports.a", "from classifier.reports.b import x"),
        Source("reports.b", "from classifier.reports import c"),
        Source("reports.c", "import classifier.reports.a"),
    ]
    assert set(circle(files)) == {"reports.a", "reports.b", "reports.c"}
    assert circle(files[:2]) == []
