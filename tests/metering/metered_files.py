"""Meters the bundled captures with the built-in catalogue and prints all that comes out: a line each, to be compared.

`python metered_files.py BATCH_FRAMES FILE...`: test_without_compiler runs it interpreted, and calls it compiled.
"""

from __future__ import annotations

import sys
from pathlib import Path

from meters import SMALL, Gatherer, interval_of

from classifier.capture.files import open_capture
from classifier.catalogue.compile import compile_catalogue
from classifier.catalogue.load import load_catalogue
from classifier.detection.ciphers import CipherLibrary
from classifier.metering.meter import Meter
from classifier.metering.tables import Limits
from classifier.subscribers.compile import compile_subscribers
from classifier.validation import network

PRIVATE = ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "fc00::/7", "fe80::/10", "2001:db8::/32")


def metered(path: Path, batch_frames: int, lookup, names) -> list[str]:
    """Totals, usage by key and flows in the order in which they ended."""
    sink = Gatherer(names)
    ranges = compile_subscribers([network(text) for text in PRIVATE], ())
    meter = Meter(lookup, ranges, interval_of, sink, CipherLibrary(), limits=Limits(**SMALL), log_flows=True, seed=5)
    sink.meter = meter
    with open_capture(str(path), batch_frames=batch_frames) as capture:
        for batch in capture:
            meter.feed(batch.buffer, batch.frames)
    meter.finish()
    lines = [f"{path.name} {meter.totals()}"]
    lines += [f"{key} {volume}" for key, volume in sorted(sink.volumes.items())]
    return lines + [str(flow) for flow in sink.ended]


def all_metered(paths: list[Path], batch_frames: int) -> list[str]:
    catalogue = load_catalogue()
    lookup = compile_catalogue(catalogue)
    return [line for path in paths for line in metered(path, batch_frames, lookup, catalogue.application_names)]


if __name__ == "__main__":
    print("\n".join(all_metered([Path(name) for name in sys.argv[2:]], int(sys.argv[1]))))
