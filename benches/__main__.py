"""`make bench`: how fast freeflow is here, and other tools on the same files in the same run.

Rules of this file: figures beside goals; a row that could not be measured says why. Everything is measured with the file
cached. The whole takes some minutes: each step has a limit.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import sys

from benches import page
from benches.captures import read_through
from benches.files import FILES, FULL_OCTETS, flood_packets, part
from benches.floods import floods_table, measure_floods
from benches.goals import goals, goals_table
from benches.machine import machine, memory_octets
from benches.names import PACKETS, names_table
from benches.peers import PEERS
from benches.processes import run
from benches.side_by_side import Row, measure, rows_tables, say
from benches.starts import compile_all, measure_starts, starts_table

LONGEST_DRAWING_SECONDS = 60


def about(octets: int) -> str:
    """What the figures were measured on, and with."""
    versions = {peer.name: peer.version() for peer in PEERS}
    lines = [
        *machine(),
        ("files", f"{octets / FULL_OCTETS:.0%} of their full size"),
        ("other tools", ", ".join(f"{name} {version}" for name, version in versions.items() if version)),
        ("not installed", ", ".join(name for name, version in versions.items() if not version) or "none"),
    ]
    if memory_octets("MemAvailable") < 2 * octets:
        lines.append(("note", "too little free memory to keep a capture cached: the disk is measured too"))
    return "\n".join(f"- {what}: {which}" for what, which in lines)


def side_by_side(arguments: argparse.Namespace) -> tuple[str, dict[str, list[Row]]]:
    """The tables of all files, and their rows."""
    texts, rows = [], {}
    for file in FILES:
        say(f"{file.name}: made once, kept in benches/data/")
        capture = file.make(arguments.octets)
        read_through(capture.path)
        found, rows[file.name] = measure(capture, arguments.runs, arguments.peers)
        texts.append(f"### {file.name}: {file.what}\n\n{found}\n\n{rows_tables(rows[file.name])}")
    return "\n\n".join(texts), rows


def report(arguments: argparse.Namespace) -> tuple[str, dict[str, list[Row]]]:
    """Measure everything; the report in Markdown, and the rows that the picture shows."""
    head = about(arguments.octets)
    compile_all()
    text, rows = side_by_side(arguments)
    say("each kind of name")
    names = names_table(arguments.runs, part(PACKETS, arguments.octets))
    say("floods")
    floods = measure_floods(arguments.runs, flood_packets(arguments.octets))
    say("starts; the very first takes half a minute")
    starts = measure_starts(arguments.runs)
    goal_text = goals_table(goals(rows, floods, starts))
    parts = [head, goal_text, text, "### More of freeflow", names, floods_table(floods), starts_table(starts)]
    return "\n\n".join(parts) + "\n", rows


def draw(rows: dict[str, list[Row]]) -> None:
    """The picture. It is drawn by a process of its own, as this one stays without NumPy."""
    speeds = {name: {row.tool: row.speed for row in found if row.speed} for name, found in rows.items()}
    done = run([sys.executable, "-m", "benches.picture", json.dumps(speeds)], LONGEST_DRAWING_SECONDS)
    if done.status != 0:
        raise RuntimeError(f"the picture: {done.errors.strip()[-500:]}")


def main() -> int:
    """Read the options, measure, print."""
    parser = argparse.ArgumentParser(prog="python -m benches", description="Measure freeflow and other tools.")
    parser.add_argument(
        "--octets", type=int, default=FULL_OCTETS, help="size of `real`; the other files keep their proportion (1 GB)"
    )
    parser.add_argument("--runs", type=int, default=5, help="runs of each row of freeflow (default: 5)")
    parser.add_argument("--no-peers", dest="peers", action="store_false", help="freeflow alone")
    parser.add_argument(
        "--write", action="store_true", help="also put the figures into benches/README.md and benches/figures.svg"
    )
    arguments = parser.parse_args()
    if arguments.write and importlib.util.find_spec("matplotlib") is None:
        parser.error("--write draws a picture with matplotlib: pip install -e '.[bench]'")
    try:
        text, rows = report(arguments)
        print(text, end="")
        if arguments.write:
            draw(rows)
            page.write(text)
            say("written to benches/README.md and benches/figures.svg")
    except RuntimeError as error:
        say(str(error))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
