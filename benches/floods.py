"""The table of floods: speed, memory, what went over a bound, and whether other subscribers were harmed.

Rules of this file: each flood is measured in a process of its own, so that its memory is its own.
`python -m benches.floods` prints the table alone.
"""

from __future__ import annotations

import gc
import json
import sys
import time

from benches.captures import flood_capture, read_through
from benches.make_floods import KINDS, OTHERS
from benches.processes import run
from benches.tables import speed, spread, table

PACKETS = 1_500_000
FREE = "facebook"
LONGEST_SECONDS = 180
FIRST_OTHER = "10.9.0."


def floods(runs: int) -> str:
    """The table. Raises RuntimeError where a flood cannot be measured."""
    rows = []
    for kind, what in KINDS.items():
        capture, others_octets = flood_capture(kind, PACKETS)
        read_through(capture.path)
        done = run([sys.executable, "-m", "benches.floods", str(capture.path), str(runs)], LONGEST_SECONDS)
        if done.status != 0:
            raise RuntimeError(f"flood {kind}: exit status {done.status}: {done.errors.strip()[-500:]}")
        found = json.loads(done.output)
        over = "; ".join(f"{count:,} {text}" for text, count in found["overflows"]) or "none"
        free = f"{100 * found['others_free_octets'] / others_octets:.2f} % of {others_octets / 1e6:.1f} MB"
        a_second = f"{speed(PACKETS, found['seconds']) / 1e6:.2f} M"
        memory = f"{done.peak_octets / 1e6:.0f} MB"
        rows.append((what, a_second, spread(found["seconds"]), memory, free, over))
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
        print(floods(3))
