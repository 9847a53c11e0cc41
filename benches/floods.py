"""The table of floods: speed, memory, what went over a bound, and whether other subscribers were harmed.

Rules of this file: each flood is measured in a process of its own, so that its memory is its own.
`python -m benches.floods` prints the table alone.
"""

from __future__ import annotations

import gc
import json
import sys
import time
from dataclasses import dataclass

from benches.captures import flood_capture, read_through
from benches.make_floods import KINDS, OTHERS
from benches.processes import run
from benches.tables import megabytes, millions, speed, spread, table

PACKETS = 1_500_000
FREE = "facebook"
LONGEST_SECONDS = 180
FIRST_OTHER = "10.9.0."


@dataclass(frozen=True, slots=True)
class Flood:
    """What came of one flood; `free`: of the others' octets, which are all free without it; `overflows`: (what, how many)."""

    what: str
    packets: int
    seconds: list[float]
    peak_octets: int
    free_octets: int
    others_octets: int
    overflows: list[tuple[str, int]]

    @property
    def free(self) -> float:
        return self.free_octets / self.others_octets


def measure_floods(runs: int, packets: int) -> dict[str, Flood]:
    """Each kind. Raises RuntimeError where one cannot be measured."""
    floods = {}
    for kind, what in KINDS.items():
        capture, others_octets = flood_capture(kind, packets)
        read_through(capture.path)
        done = run([sys.executable, "-m", "benches.floods", str(capture.path), str(runs)], LONGEST_SECONDS)
        if done.status != 0:
            raise RuntimeError(f"flood {kind}: exit status {done.status}: {done.errors.strip()[-500:]}")
        found = json.loads(done.output)
        free, overflows = found["others_free_octets"], found["overflows"]
        floods[kind] = Flood(what, packets, found["seconds"], done.peak_octets, free, others_octets, overflows)
    return floods


def floods_table(floods: dict[str, Flood]) -> str:
    """In Markdown."""
    rows = [
        (
            flood.what,
            millions(speed(flood.packets, flood.seconds)),
            spread(flood.seconds),
            megabytes(flood.peak_octets),
            f"{100 * flood.free:.2f} % of {flood.others_octets / 1e6:.1f} MB",
            "; ".join(f"{count:,} {text}" for text, count in flood.overflows) or "none",
        )
        for flood in floods.values()
    ]
    return table(
        ("49 of 50 packets are", "packets/s", "time", "peak memory", f"free of {OTHERS} others", "over a bound"), rows
    )


def measure(path: str, runs: int) -> dict:
    """Meter a flood again and again; what came of it."""
    from classifier.gateway.plan import load_plan
    from classifier.gateway.replay import replay

    plan = load_plan(None, zero_rate=(FREE,))
    seconds = []
    for _ in range(runs):
        gc.collect()  # a run's tables and its sink know each other
        begin = time.perf_counter()
        report = replay([path], plan).report
        seconds.append(time.perf_counter() - begin)
    free = sum(one.zero_rated_octets for one in report.subscribers if one.subscriber.startswith(FIRST_OTHER))
    return {"seconds": seconds, "others_free_octets": free, "overflows": report.notices}


if __name__ == "__main__":
    if len(sys.argv) > 1:
        print(json.dumps(measure(sys.argv[1], int(sys.argv[2]))))
    else:
        print(floods_table(measure_floods(3, PACKETS)))
