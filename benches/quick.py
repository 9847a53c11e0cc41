"""`make bench-quick`: three ratios in less than a minute, beside those that benches/README.md has.

A later change is compared by these, as a ratio of one run has the machine's ups and downs in both of its figures: freeflow,
running on one core and on two, of the plain walk, and the whole process of `tcpdump -r FILE -w /dev/null`. They take turns,
so that each sees the same machine.
"""

from __future__ import annotations

import statistics
import sys
from pathlib import Path

from benches import own, page
from benches.captures import Capture, large_capture, large_capture_is_made, read_through
from benches.files import FULL_OCTETS
from benches.goals import OF_TCPDUMP, ON_ONE_CORE, ON_TWO_CORES
from benches.peers import TCPDUMP
from benches.processes import run
from benches.starts import compile_all

ROUNDS = 5
# What is made where the bench never ran; its start weighs more than that of the full size.
LITTLE_OCTETS = 200_000_000


def main() -> int:
    """Measure and print."""
    capture = large_capture(FULL_OCTETS if large_capture_is_made(FULL_OCTETS) else LITTLE_OCTETS)
    read_through(capture.path)
    compile_all()
    found = measure(capture)
    print(
        f"{capture.path.name}, {capture.packets:,} packets, medians of {ROUNDS} rounds; in benches/README.md in brackets"
    )
    for what, (own_seconds, other_seconds) in found.items():
        of_it = statistics.median(other_seconds) / statistics.median(own_seconds)
        ratios = sorted(other / one for one, other in zip(own_seconds, other_seconds, strict=True))
        print(f"{what}: {of_it:.2f} ({ratios[0]:.2f} to {ratios[-1]:.2f}) [{page.measured(what)}]")
    if capture.octets < FULL_OCTETS // 2:
        print("the file is smaller than that of the page: the whole process's ratio is for it alone")
    return 0


def measure(capture: Capture) -> dict[str, tuple[list[float], list[float]]]:
    """By goal: seconds of freeflow, and of the other, in the order in which they took turns."""
    one, two, walked, whole, copied = [], [], [], [], []
    for _ in range(ROUNDS):
        found, _, seconds = own.beside_the_walk(capture, 1)
        one += found["one_worker_seconds"]
        two += found["totals_seconds"]
        walked += seconds
        whole.append(own.whole(capture).seconds)
        if TCPDUMP.version() is not None:
            command = TCPDUMP.command(capture.path, Path())
            copied.append(own.must(run(command, own.LONGEST_SECONDS), "tcpdump").seconds)
    pairs = {ON_ONE_CORE: (one, walked), ON_TWO_CORES: (two, walked)}
    if copied:
        pairs[OF_TCPDUMP] = whole, copied
    else:
        print("tcpdump is not installed")
    return pairs


if __name__ == "__main__":
    try:
        sys.exit(main())
    except RuntimeError as error:
        sys.exit(f"bench-quick: {error}")
