"""One process that meters a capture again and again: what the pipeline does once it runs, without the start.

Run by `benches.own` as a process of its own, so that its memory is its own: `python -m benches.steady FILE RUNS` prints one
JSON object. The kernels are loaded before the first run; each run has tables of its own, made before its time begins.
"""

from __future__ import annotations

import json
import sys
import time
from hashlib import sha256
from pathlib import Path

from classifier.capture.files import open_capture
from classifier.gateway.decoding import meter_capture
from classifier.gateway.plan import Plan, load_plan
from classifier.gateway.replay import replay
from classifier.gateway.session import Session
from classifier.records import UsageReport
from classifier.reports.usage_json import json_text

ZERO_RATED = ("facebook", "wechat")
SMALL_CAPTURE = Path(__file__).resolve().parent.parent / "pcaps" / "day-in-the-life.pcap"


def list_frames(path: str) -> int:
    """The source alone: every frame listed, none decoded. The number of frames."""
    frames = 0
    with open_capture(path) as capture:
        for batch in capture:
            frames += batch.count
    return frames


def metered(path: str, plan: Plan, workers: int) -> tuple[UsageReport, float]:
    """The report, and the seconds that it took to its totals."""
    session = Session(plan)
    begin = time.perf_counter()
    with open_capture(path) as capture:
        for _ in meter_capture(session.meter, capture, workers):
            pass
    session.meter.finish()
    return session.last_report(), time.perf_counter() - begin


def digest(report: UsageReport) -> bytes:
    """Of the report as JSON, which may be too long to be compared as a whole."""
    found = sha256()
    for piece in json_text(report):
        found.update(piece.encode())
    return found.digest()


def main() -> int:
    """Measure, and print what was measured."""
    path, runs = sys.argv[1], int(sys.argv[2])
    plan = load_plan(None, zero_rate=ZERO_RATED)
    replay([str(SMALL_CAPTURE)], plan)
    found = {"listing_seconds": [], "one_worker_seconds": [], "totals_seconds": [], "report_seconds": []}
    for _ in range(runs):
        begin = time.perf_counter()
        found["listed_frames"] = list_frames(path)
        found["listing_seconds"].append(time.perf_counter() - begin)
        by_one, seconds = metered(path, plan, 1)
        found["one_worker_seconds"].append(seconds)
        report, seconds = metered(path, plan, 2)
        found["totals_seconds"].append(seconds)
        begin = time.perf_counter()
        found["report_octets"] = sum(map(len, json_text(report)))
        found["report_seconds"].append(seconds + time.perf_counter() - begin)
        if digest(report) != digest(by_one):
            raise RuntimeError(f"{path}: two workers report something else than one")
        del by_one
    found["frames"], found["octets"] = report.observed_frames, report.observed_octets
    found["flows"], found["subscribers"] = report.flows, len(report.subscribers)
    found["notices"] = [list(notice) for notice in report.notices]
    print(json.dumps(found))
    return 0


if __name__ == "__main__":
    sys.exit(main())
