"""`python -m benches.ledger`: six months of usage (`make_usage.py`), and how long it takes to settle them and to see what a
campaign did. Prints a table for the README.

Commands are whole processes, from start to end; so this one stays small (`processes.py`).
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from benches.machine import machine
from benches.processes import Run, run

LONGEST_SECONDS = 600
COMMANDS = (
    ("settle usage.db", ("settle",), "< 10 s"),
    ("settle usage.db --month 2013-11", ("settle", "--month", "2013-11"), ""),
    (
        "settle usage.db --month 2013-11 --subscriber s0000042",
        ("settle", "--month", "2013-11", "--subscriber", "s0000042"),
        "",
    ),
    ("campaign usage.db facebook-zero", ("campaign", "facebook-zero"), ""),
)


def python(*arguments: object) -> Run:
    """Run a module to its end; RuntimeError with what it said if it fails."""
    done = run([sys.executable, "-m", *map(str, arguments)], LONGEST_SECONDS)
    if done.status:
        raise RuntimeError(f"{arguments[0]} ended with {done.status}: {done.errors.strip()}")
    return done


def span(seconds: Sequence[float]) -> str:
    """The best run, then the slowest: others use the machine, and the best says what the code takes."""
    return f"{min(seconds):.2f} s (to {max(seconds):.2f}, {len(seconds)} runs)"


def report(ledger: Path, subscribers: int, runs: int) -> str:
    """The table."""
    lines = [f"- {what}: {which}" for what, which in machine()]
    lines += ["", "| six months | best (slowest) | mark | size |", "| --- | --- | --- | --- |"]
    made = python("benches.make_usage", ledger, "--subscribers", subscribers)
    size = f"{made.output.partition(' of usage')[0]}, {ledger.stat().st_size / 1e6:,.0f} MB"
    lines.append(f"| made, rated and written, an interval a day | {made.seconds:.0f} s | | {size} |")
    for name, (command, *options), mark in COMMANDS:
        done = [python("classifier", command, ledger, *options, "--json") for _ in range(runs)]
        memory = max(one.peak_octets for one in done)
        seconds = span([one.seconds for one in done])
        lines.append(f"| `freeflow {name}` | {seconds} | {mark} | {memory / 1e6:,.0f} MB of memory |")
    return "\n".join(lines)


def main() -> int:
    """Read the options, measure, print."""
    parser = argparse.ArgumentParser(prog="python -m benches.ledger", description="Measure a ledger of six months.")
    parser.add_argument("--subscribers", type=int, default=100_000, help="how many (default: 100,000)")
    parser.add_argument("--runs", type=int, default=5, help="runs of each row (default: 5)")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        print(report(Path(folder) / "usage.db", arguments.subscribers, arguments.runs))
    return 0


if __name__ == "__main__":
    sys.exit(main())
