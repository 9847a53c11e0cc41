"""freeflow and the other tools on one capture, in rows. They take turns: each sees the same machine."""

from __future__ import annotations

import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from benches import own
from benches.captures import Capture, beginning
from benches.peers import PEERS, Peer
from benches.processes import Run, run
from benches.tables import megabytes, millions, speed, spread, table

LONGEST_PEER_SECONDS = 45
PEER_RUNS = 3
# A peer that takes longer than this is timed once.
REPEATED_BELOW_SECONDS = 5
WALK, SOURCE, ONE_WORKER, RUNNING, REPORTED, WHOLE = (
    "a plain walk, in memory",
    "freeflow, source alone",
    "freeflow, running, one worker",
    "freeflow, running",
    "freeflow, running, with its report as JSON",
    "`freeflow replay --json`",
)


@dataclass(frozen=True, slots=True)
class Row:
    """One tool on one capture. `whole`: the process from start to end, else what runs already. `read`: of the capture, where
    that is not all; packets and octets are those that it was given. `failed`: why there are no `seconds`.
    """

    tool: str
    whole: bool
    packets: int
    frame_octets: int
    seconds: list[float]
    peak_octets: int | None = None
    failed: str = ""
    read: str = ""

    @property
    def speed(self) -> float | None:
        """Packets a second."""
        return speed(self.packets, self.seconds) if self.seconds else None


def say(what: str) -> None:
    """Which step runs, to standard error."""
    print(f"bench: {what}", file=sys.stderr, flush=True)


def measure(capture: Capture, runs: int, with_peers: bool) -> tuple[str, list[Row]]:
    """What freeflow found in the capture, in words, and the rows."""
    say(f"{capture.path.name}: {capture.packets:,} packets; freeflow running, {runs} runs")
    found, steady_peak, walked = own.beside_the_walk(capture, runs)
    whole, others = _whole_processes(capture, runs, with_peers)
    size = capture.packets, capture.frame_octets
    rows = [
        Row(WALK, False, *size, walked),
        Row(SOURCE, False, *size, found["listing_seconds"]),
        Row(ONE_WORKER, False, *size, found["one_worker_seconds"], steady_peak),
        Row(RUNNING, False, *size, found["totals_seconds"], steady_peak),
        Row(REPORTED, False, *size, found["report_seconds"], steady_peak),
        Row(WHOLE, True, *size, [done.seconds for done in whole], max(done.peak_octets for done in whole)),
        *(other.row() for other in others),
    ]
    about = (
        f"{capture.octets:,} octets of {capture.source}: {found['frames']:,} packets, {found['octets']:,} IP octets, "
        f"{found['flows']:,} metered flows of {found['subscribers']:,} subscribers; their report as JSON has "
        f"{found['report_octets']:,} octets."
    )
    return about + "".join(f" {count:,} {what}." for what, count in found["notices"]), rows


def _whole_processes(capture: Capture, runs: int, with_peers: bool) -> tuple[list[Run], list[_Other]]:
    """Rounds of freeflow and of whoever is quick enough to come again."""
    whole: list[Run] = []
    others = [_Other(peer, capture) for peer in PEERS if peer.version() is not None] if with_peers else []
    for nth in range(runs):
        say(f"whole processes, round {nth + 1} of {runs}")
        whole.append(own.whole(capture))
        for other in others:
            other.run_again()
    return whole, others


class _Other:
    """Another tool on a capture, or on its beginning: three times if it is quick."""

    def __init__(self, peer: Peer, capture: Capture) -> None:
        self._peer = peer
        self._capture = capture if peer.packets is None else beginning(capture, peer.packets)
        self._done: list[Run] = []
        self._failed = ""

    def run_again(self) -> None:
        """Once more, if it did well."""
        slow = bool(self._done) and self._done[0].seconds > REPEATED_BELOW_SECONDS
        if self._failed or slow or len(self._done) == PEER_RUNS:
            return
        with tempfile.TemporaryDirectory() as folder:
            one = run(self._peer.command(self._capture.path, Path(folder)), LONGEST_PEER_SECONDS)
        if one.status != 0:
            self._failed = f"not done in {LONGEST_PEER_SECONDS} s" if one.status < 0 else f"exit status {one.status}"
        self._done.append(one)

    def row(self) -> Row:
        """What it took."""
        seconds = [] if self._failed else [one.seconds for one in self._done]
        peak = max(one.peak_octets for one in self._done)
        size = self._capture.packets, self._capture.frame_octets
        read = f", first {self._capture.packets:,} packets" if self._peer.packets is not None else ""
        return Row(self._peer.name, True, *size, seconds, peak, self._failed, read)


def find(rows: list[Row], tool: str) -> Row | None:
    """The row of this tool, if it was measured."""
    return next((row for row in rows if row.tool == tool and row.seconds), None)


def ratio(rows: list[Row], tool: str, other: str) -> float | None:
    """The tool's packets a second by those of the other."""
    one, two = find(rows, tool), find(rows, other)
    return one.speed / two.speed if one and two else None


def rows_tables(rows: list[Row]) -> str:
    """What runs and whole processes, in Markdown, each row beside freeflow's of its kind."""
    head = "packets/s", "Gbit/s", "ns a packet", "time", "peak memory", "freeflow / it"
    steady = [_cells(row, ratio(rows, RUNNING, row.tool)) for row in rows if not row.whole]
    whole = [_cells(row, ratio(rows, WHOLE, row.tool)) for row in rows if row.whole]
    return f"{table(('running', *head), steady)}\n\n{table(('whole process', *head), whole)}"


def _cells(row: Row, freeflow_by_it: float | None) -> tuple[str, ...]:
    tool, memory = row.tool + row.read, "" if row.peak_octets is None else megabytes(row.peak_octets)
    if row.speed is None or freeflow_by_it is None:
        return tool, row.failed, "", "", "", memory, ""
    gigabits = f"{row.frame_octets * 8 / row.packets * row.speed / 1e9:.1f}"
    nanoseconds = f"{1e9 / row.speed:.0f}"
    return tool, millions(row.speed), gigabits, nanoseconds, spread(row.seconds), memory, f"{freeflow_by_it:.2f}"
