"""One process that meters a capture again and again: what the pipeline does once it runs, without the start.

Run by `benches.own` as a process of its own, so that its memory is its own: `python -m benches.steady FILE RUNS` prints one
JSON object. The kernels are loaded before the first run; each run has tables of its own, made before its time begins.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

from classifier.capture.files import open_capture
from classifier.gateway.decoding import meter_capture
from classifier.gateway.plan import load_plan
from classifier.gateway.replay import replay
from classifier.gateway.session import Session
from classifier.reports.usage_json import json_text

ZERO_RATED = ("facebook", "wechat")
SMALL_CAPTURE = Path(__file__).resolve().parent.parent / "pcaps" / "day-in-the-life.pcap"


def list_frames(path: str) -> int:
    """The source alone: every frame listed, none decoded. The number of frames."""
    frames = 0
    with open_capture(path) as capture:
        for batch in capture:
            frames += len(batch.frames)
    return frames


def main() -> int:
    """Measure, and print what was measured."""
    path, runs = sys.argv[1], int(sys.argv[2])
    plan = load_plan(None, zero_rate=ZERO_RATED)
    replay([str(SMALL_CAPTURE)], plan)
    found = {"listing_seconds": [], "totals_seconds": [], "report_seconds": []}
    for _ in range(runs):
        begin = time.perf_counter()
        found["listed_frames"] = list_frames(path)
        found["listing_seconds"].append(time.perf_counter() - begin)
        session = Session(plan)
        begin = time.perf_counter()
        with open_capture(path) as capture:
            for _ in meter_capture(session.meter, capture):
                pass
        session.meter.finish()
        report = session.last_report()
        found["totals_seconds"].append(time.perf_counter() - begin)
        found["report_octets"] = sum(map(len, json_text(report)))
        found["report_seconds"].append(time.perf_counter() - begin)
    found["frames"], found["octets"] = report.observed_frames, report.observed_octets
    found["flows"], found["subscribers"] = report.flows, len(report.subscribers)
    found["notices"] = [list(notice) for notice in report.notices]
    print(json.dumps(found))
    return 0


if __name__ == "__main__":
    sys.exit(main())
