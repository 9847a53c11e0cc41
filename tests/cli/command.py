"""Runs the command in this process and keeps what it printed."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from classifier.cli.main import main

ROOT = Path(__file__).resolve().parents[2]
DAY = ROOT / "pcaps" / "day-in-the-life.pcap"
DAY_CONFIG = ROOT / "pcaps" / "day-in-the-life.toml"
SMALL = ROOT / "pcaps" / "http-host.pcap"


class Ran(NamedTuple):
    """Exit status, and standard output and error."""

    status: int
    out: str
    err: str


def run(capfd, *arguments: object) -> Ran:
    """`freeflow` with these arguments."""
    capfd.readouterr()
    status = main([str(argument) for argument in arguments])
    return Ran(status, *capfd.readouterr())


def mistakes(ran: Ran) -> list[str]:
    """The lines of a run that was refused: status 2, nothing on standard output, one line for each mistake."""
    assert ran.status == 2
    assert ran.out == ""
    lines = ran.err.splitlines()
    assert lines
    assert all(line.startswith("freeflow: ") for line in lines)
    return [line.removeprefix("freeflow: ") for line in lines]
