"""The captures that are measured on: made once, kept in benches/data/, read once so that they are cached."""

from __future__ import annotations

import json
import struct
import sys
from dataclasses import dataclass
from pathlib import Path

from benches.processes import ROOT, run

DATA = ROOT / "benches" / "data"
SHARED_CAPTURES = ROOT.parent / "shared" / "captures"
BUNDLED_CAPTURES = ROOT / "pcaps"
LONGEST_MAKING_SECONDS = 600
PCAP_HEADER_OCTETS = 24
RECORD_HEADER_OCTETS = 16


@dataclass(frozen=True, slots=True)
class Capture:
    """A pcap, the number of its packets and what it was made of."""

    path: Path
    packets: int
    source: str

    @property
    def octets(self) -> int:
        return self.path.stat().st_size


def large_capture(octets: int) -> Capture:
    """The capture of real traffic of at most `octets` octets. Raises RuntimeError where it cannot be made."""
    shared = SHARED_CAPTURES.is_dir()
    source = SHARED_CAPTURES if shared else BUNDLED_CAPTURES
    label = "the shared captures" if shared else "the bundled captures"
    stem = f"{'shared' if shared else 'bundled'}-{octets}"
    path, note = DATA / f"{stem}.pcap", DATA / f"{stem}.json"
    if not (path.exists() and note.exists()):
        DATA.mkdir(exist_ok=True)
        unfinished = path.with_suffix(".part")
        # A process of its own: it holds all sources at once, and the measuring process has to stay small.
        program = (
            "import sys; from pathlib import Path; from benches.make_traffic import make_real; "
            "print(make_real(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])))"
        )
        made = run([sys.executable, "-c", program, str(source), str(unfinished), str(octets)], LONGEST_MAKING_SECONDS)
        if made.status != 0:
            raise RuntimeError(f"{path} could not be made: {made.errors.strip()}")
        unfinished.rename(path)
        note.write_text(json.dumps({"packets": int(made.output)}), encoding="utf-8")
    return Capture(path, json.loads(note.read_text(encoding="utf-8"))["packets"], label)


def names_capture(kind: str, packets: int) -> Capture:
    """A capture in which one packet of ten has a name to be read (`make_names`), made once."""
    path = DATA / f"names-{kind}-{packets}.pcap"
    if not path.exists():
        from benches.make_names import make_names

        DATA.mkdir(exist_ok=True)
        unfinished = path.with_suffix(".part")
        make_names(kind, unfinished, packets)
        unfinished.rename(path)
    return Capture(path, packets, kind)


def flood_capture(kind: str, packets: int) -> tuple[Capture, int]:
    """A flood with other subscribers' connections among it (`make_floods`), made once, and the IP octets of the others."""
    path, note = DATA / f"flood-{kind}-{packets}.pcap", DATA / f"flood-{kind}-{packets}.json"
    if not (path.exists() and note.exists()):
        from benches.make_floods import make_flood

        DATA.mkdir(exist_ok=True)
        unfinished = path.with_suffix(".part")
        octets = make_flood(kind, unfinished, packets)
        unfinished.rename(path)
        note.write_text(json.dumps({"others_octets": octets}), encoding="utf-8")
    return Capture(path, packets, kind), json.loads(note.read_text(encoding="utf-8"))["others_octets"]


def beginning(capture: Capture, octets: int) -> Capture:
    """The first `octets` octets of a capture, in whole records, for tools that would take too long over all of it."""
    path = capture.path.with_name(f"{capture.path.stem}-first-{octets}.pcap")
    packets = 0
    with capture.path.open("rb") as source, path.open("wb") as target:
        written = target.write(source.read(PCAP_HEADER_OCTETS))
        while len(header := source.read(RECORD_HEADER_OCTETS)) == RECORD_HEADER_OCTETS:
            record = header + source.read(struct.unpack_from("<I", header, 8)[0])
            if written + len(record) > octets:
                break
            written += target.write(record)
            packets += 1
    return Capture(path, packets, capture.source)


def read_through(path: Path) -> None:
    """Read a file to its end, so that the next reader finds it in memory."""
    with path.open("rb", buffering=0) as file:
        while file.read(1 << 20):
            pass
