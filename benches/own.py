"""freeflow under the stopwatch: as a whole process, running, and the plain walk that it is compared with.

Rules of this file: whatever is measured runs in a process of its own, and whoever does not count every packet is an error.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

from benches.captures import Capture
from benches.processes import Run, run

LONGEST_SECONDS = 180
FREEFLOW = (sys.executable, "-m", "classifier")
ZERO_RATE = ("--zero-rate", "facebook,wechat")
OBSERVED_FRAMES = re.compile(r'"observed":\s*\{\s*"frames":\s*(\d+)')


def must(done: Run, what: str) -> Run:
    """The run, if it went well."""
    if done.status != 0:
        raise RuntimeError(f"{what}: exit status {done.status}: {done.errors.strip()[-500:]}")
    return done


def replayed(capture: Path, *options: str, environment: dict[str, str] | None = None) -> Run:
    """`freeflow replay FILE --json`, a whole process."""
    command = [*FREEFLOW, "replay", str(capture), *options, "--json"]
    return must(run(command, LONGEST_SECONDS, environment), "freeflow replay")


def whole(capture: Capture) -> Run:
    """The whole process on a large capture."""
    done = replayed(capture.path, *ZERO_RATE)
    observed = OBSERVED_FRAMES.search(done.output)
    _count("freeflow replay", int(observed[1]) if observed else 0, capture)
    return done


def steady(capture: Capture, runs: int) -> tuple[dict, int]:
    """What `benches.steady` prints, and its peak memory."""
    done = must(run([sys.executable, "-m", "benches.steady", str(capture.path), str(runs)], LONGEST_SECONDS), "steady")
    found = json.loads(done.output)
    for counted in ("listed_frames", "frames"):
        _count(counted, found[counted], capture)
    return found, done.peak_octets


def beside_the_walk(capture: Capture, runs: int) -> tuple[dict, int, list[float]]:
    """`steady` and the plain walk by turns, a process for each run, so that both see the same machine.

    What the one printed, the seconds of all its runs together; its highest peak; the seconds of the other.
    """
    found, peak, walked = {}, 0, []
    for _ in range(runs):
        printed, octets = steady(capture, 1)
        found = {
            key: found.get(key, []) + value if key.endswith("_seconds") else value for key, value in printed.items()
        }
        peak = max(peak, octets)
        walked.append(walk(capture))
    return found, peak, walked


def walk(capture: Capture) -> float:
    """Seconds of the plain walk."""
    command = [sys.executable, "-m", "benches.walk", str(capture.path), str(capture.flows)]
    walked = json.loads(must(run(command, LONGEST_SECONDS), "walk").output)
    _count("the plain walk", walked["packets"], capture)
    return walked["seconds"]


def _count(who: str, counted: int, capture: Capture) -> None:
    if counted != capture.packets:
        raise RuntimeError(f"{who}: {counted} of {capture.packets} packets in {capture.path.name}")
