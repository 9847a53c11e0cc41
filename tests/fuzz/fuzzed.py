"""Meters frames that may be anything, and says in one line what came of them.

`python fuzzed.py FIRST END FILE...` tries the files of the corpus and the examples of these numbers, and prints a line for
each. Where a rule is broken the exit status is 1, and the frames lie in the working directory as a file for the corpus.
Run it with NUMBA_DISABLE_JIT=1 or NUMBA_BOUNDSCHECK=1, so that a read outside an array is found.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import sys
import traceback
from functools import cache
from pathlib import Path
from zoneinfo import ZoneInfo

from frames import Sent, batch
from meters import SMALL, Gatherer, check_balance, outcome_of
from mutations import example

from classifier.catalogue.compile import compile_catalogue
from classifier.catalogue.load import load_catalogue
from classifier.detection.ciphers import CipherLibrary
from classifier.gateway.calendar import Calendar
from classifier.metering.meter import Meter
from classifier.metering.tables import Limits
from classifier.subscribers.compile import compile_subscribers
from classifier.validation import network

PRIVATE = ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "fc00::/7", "fe80::/10", "2001:db8::/32")
INTERVAL_SECONDS = 10
# Tables in which every bound is met, and tables with room for all.
TIGHT = SMALL | {"flows": 3, "subscribers": 4, "held_volumes": 2, "fragments": 2, "streams": 2, "names": 2}
ROOMY = SMALL


@cache
def catalogue():
    """The built-in one: its lookup arrays and the names of its applications."""
    loaded = load_catalogue()
    return compile_catalogue(loaded), loaded.application_names


def outcome(frames: list[Sent], batch_frames: int, seed: int, limits: dict[str, int]):
    """What left the meter; each frame and octet must have ended in exactly one place."""
    lookup, names = catalogue()
    sink = Gatherer(names)
    ranges = compile_subscribers([network(text) for text in PRIVATE], ())
    intervals = Calendar(ZoneInfo("UTC"), (), INTERVAL_SECONDS)
    meter = Meter(lookup, ranges, intervals, sink, CipherLibrary(), limits=Limits(**limits), log_flows=True, seed=seed)
    sink.meter = meter
    for first in range(0, len(frames), batch_frames):
        meter.feed(*batch(frames[first : first + batch_frames]))
    meter.finish()
    found = outcome_of(sink)
    check_balance(frames, found)
    return found


def verdict(frames: list[Sent]) -> str:
    """A line that stands for all that came out. AssertionError where the size of the batch or the seed changes it."""
    digest = hashlib.blake2b(digest_size=8)
    for limits in (ROOMY, TIGHT):
        whole = outcome(frames, 4096, 1, limits)
        assert outcome(frames, 1, 99, limits) == whole, "the batch or the seed shows"
        digest.update(repr((whole.totals, sorted(whole.usage.items()), whole.flows)).encode())
    return digest.hexdigest()


def as_text(frames: list[Sent]) -> str:
    """Frames as they stand in `corpus/`."""
    listed = [[frame.time_ns, frame.link_type, frame.wire_octets, frame.octets.hex()] for frame in frames]
    return json.dumps(listed, indent=1) + "\n"


def from_text(text: str) -> list[Sent]:
    return [Sent(time_ns, bytes.fromhex(octets), link, wire) for time_ns, link, wire, octets in json.loads(text)]


def shrink(frames: list[Sent]) -> list[Sent]:
    """Leave out frames as long as something is still wrong."""
    place = 0
    while place < len(frames):
        fewer = frames[:place] + frames[place + 1 :]
        try:
            verdict(fewer)
            place += 1
        except Exception:  # anything at all that is raised is the finding that has to stay
            frames = fewer
    return frames


def main(first: int, end: int, files: list[str]) -> int:
    status = 0
    named = [(Path(file).name, from_text(Path(file).read_text())) for file in files]
    for name, frames in itertools.chain(named, ((str(number), example(number)) for number in range(first, end))):
        try:
            print(name, verdict(frames), flush=True)
        except Exception:  # whatever frames raise is what the fuzzer looks for, and the next example has its turn
            status = 1
            print(name, "broken:", traceback.format_exc(limit=-3), flush=True)
            if name.isdecimal():
                Path(f"broken-{name}.json").write_text(as_text(shrink(frames)))
    return status


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3:]))
