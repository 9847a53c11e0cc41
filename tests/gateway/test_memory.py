"""What a run holds in memory, by Linux's own count: as much as was promised for a large network, and no more for a longer run.

Each replay is a child of a small process, as Linux counts what a parent held into the peak of its children.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
SUBSCRIBERS, APPLICATIONS = 100_000, 10
PROMISED_OCTETS = 700_000_000
MAKE = (
    "import sys; from pathlib import Path; from benches.make_flows import make_flows; "
    "make_flows(Path(sys.argv[1]), *map(int, sys.argv[2:4]), (64,), int(sys.argv[4]))"
)
MEASURE = (
    "import sys; from benches.processes import run; done = run(sys.argv[1:], 120); "
    "sys.exit(done.errors) if done.status else print(done.peak_octets)"
)
ROUNDS = 50
ROUND_SECONDS = 8_000  # more than any flow may be silent: each round's flows are new
# Two runs of the same differ by this much at most; one table of usage kept of each round would be 17 MB.
NOISE_OCTETS = 4_000_000


def flows_capture(target: Path, subscribers: int, applications: int) -> Path:
    """Four packets of each flow, one flow of each subscriber to each application."""
    packets = 4 * subscribers * applications
    subprocess.run(
        [sys.executable, "-c", MAKE, target, *map(str, (subscribers, packets, applications))], cwd=ROOT, check=True
    )
    return target


def peak_octets(*options: str | Path) -> int:
    """The most that `freeflow replay` with these options held."""
    command = [sys.executable, "-c", MEASURE, sys.executable, "-m", "classifier", "replay", *map(str, options)]
    return int(subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout)


def test_a_million_flows_of_a_hundred_thousand_subscribers_with_ten_applications_fit(tmp_path):
    capture, report = flows_capture(tmp_path / "many.pcap", SUBSCRIBERS, APPLICATIONS), tmp_path / "report.json"
    peak = peak_octets(capture, "--json", "-o", report)
    with report.open() as lines:
        entries = [line.count('"application"') for line in lines if line.startswith('{"subscriber"')]
    assert entries == [APPLICATIONS] * SUBSCRIBERS
    assert report.read_text()[-2_000:].count(f'"flows": {SUBSCRIBERS * APPLICATIONS},') == 1
    assert peak < PROMISED_OCTETS


def test_a_run_four_times_as_long_holds_no_more(tmp_path):
    """The same subscribers come back with new flows, round after round, an interval and more for each."""
    once = flows_capture(tmp_path / "once.pcap", 200, 9).read_bytes()
    config = tmp_path / "freeflow.toml"
    config.write_text("[gateway]\ninterval_seconds = 3600\n")
    peaks = []
    for rounds in (ROUNDS, 4 * ROUNDS):
        capture, ledger = tmp_path / f"{rounds}.pcap", tmp_path / f"{rounds}.db"
        capture.write_bytes(repeated(once, rounds))
        report = tmp_path / f"{rounds}.json"
        peaks.append(peak_octets(capture, "-c", config, "--ledger", ledger, "--json", "-o", report))
        assert json.loads(report.read_text())["flows"] == rounds * 200 * 9
    assert peaks[1] < peaks[0] + NOISE_OCTETS


def repeated(capture: bytes, rounds: int) -> bytes:
    """The same frames of 64 octets again and again, later each time."""
    records = np.frombuffer(capture, np.uint8, offset=24).reshape(-1, 16 + 64)
    later = np.tile(records, (rounds, 1, 1))
    seconds = later[:, :, :4].copy().view("<u4") + ROUND_SECONDS * np.arange(rounds, dtype="<u4")[:, None, None]
    later[:, :, :4] = seconds.view(np.uint8)
    return capture[:24] + later.tobytes()
