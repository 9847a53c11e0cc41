"""The captures that are measured on: made once, kept in benches/data/, read once so that they are cached."""

from __future__ import annotations

import json
import struct
import sys
from collections.abc import Sequence
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
    """A pcap, the number of its packets and what it was made of. `flows`: how many, where there are very many."""

    path: Path
    packets: int
    source: str
    flows: int = 0

    @property
    def octets(self) -> int:
        return self.path.stat().st_size

    @property
    def frame_octets(self) -> int:
        """Those of the frames alone."""
        return self.octets - PCAP_HEADER_OCTETS - RECORD_HEADER_OCTETS * self.packets


def large_capture(octets: int) -> Capture:
    """Real traffic of at most `octets` octets. Raises RuntimeError, as all below, where it cannot be made."""
    source = SHARED_CAPTURES if SHARED_CAPTURES.is_dir() else BUNDLED_CAPTURES
    path, packets = _made(
        _large_stem(octets),
        "packets",
        f"from benches.make_traffic import make_real; print(make_real(Path({str(source)!r}), target, {octets}))",
    )
    return Capture(path, packets, f"the {_sources()} captures")


def large_capture_is_made(octets: int) -> bool:
    """Whether `large_capture` has it already."""
    return (DATA / f"{_large_stem(octets)}.json").exists()


def _large_stem(octets: int) -> str:
    return f"{_sources()}-{octets}"


def _sources() -> str:
    return "shared" if SHARED_CAPTURES.is_dir() else "bundled"


def flows_capture(subscribers: int, applications: int, packets: int, frame_octets: Sequence[int]) -> Capture:
    """Made-up flows of so many subscribers to so many applications (`make_flows`)."""
    arguments = f"{subscribers}, {packets}, {tuple(frame_octets)}, {applications}"
    path, made = _made(
        f"flows-{subscribers}-{packets}-{max(frame_octets)}",
        "packets",
        f"from benches.make_flows import make_flows; print(make_flows(target, {arguments}))",
    )
    return Capture(path, made, f"{subscribers:,} made-up subscribers", flows=subscribers * applications)


def names_capture(kind: str, packets: int) -> Capture:
    """A capture in which one packet of ten has a name to be read (`make_names`)."""
    path, made = _made(
        f"names-{kind}-{packets}",
        "packets",
        f"from benches.make_names import make_names; print(make_names({kind!r}, target, {packets}))",
    )
    return Capture(path, made, "made-up names")


def flood_capture(kind: str, packets: int) -> tuple[Capture, int]:
    """A flood with other subscribers' connections among it (`make_floods`), and the IP octets of the others."""
    path, others_octets = _made(
        f"flood-{kind}-{packets}",
        "others_octets",
        f"from benches.make_floods import make_flood; print(make_flood({kind!r}, target, {packets}))",
    )
    return Capture(path, packets, "a made-up flood", flows=packets), others_octets


def _made(stem: str, noted: str, program: str) -> tuple[Path, int]:
    """The capture of this name and the number that `program` prints of it, which makes it where `target` says.

    It is a process of its own, as it may hold much at once, and the measuring process has to stay small.
    """
    path, note = DATA / f"{stem}.pcap", DATA / f"{stem}.json"
    if not (path.exists() and note.exists()):
        DATA.mkdir(exist_ok=True)
        unfinished = path.with_suffix(".part")
        head = "import sys; from pathlib import Path; target = Path(sys.argv[1]); "
        made = run([sys.executable, "-c", head + program, str(unfinished)], LONGEST_MAKING_SECONDS)
        if made.status != 0:
            raise RuntimeError(f"{path} could not be made: {made.errors.strip()}")
        unfinished.rename(path)
        note.write_text(json.dumps({noted: int(made.output)}), encoding="utf-8")
    return path, json.loads(note.read_text(encoding="utf-8"))[noted]


def beginning(capture: Capture, packets: int) -> Capture:
    """So many packets of a capture at most, for tools that would take too long over all of it."""
    path = capture.path.with_name(f"{capture.path.stem}-first-{packets}.pcap")
    taken = 0
    with capture.path.open("rb") as source, path.open("wb") as target:
        target.write(source.read(PCAP_HEADER_OCTETS))
        while taken < packets and len(header := source.read(RECORD_HEADER_OCTETS)) == RECORD_HEADER_OCTETS:
            target.write(header + source.read(struct.unpack_from("<I", header, 8)[0]))
            taken += 1
    return Capture(path, taken, capture.source)


def read_through(path: Path) -> None:
    """Read a file to its end, so that the next reader finds it in memory."""
    with path.open("rb", buffering=0) as file:
        while file.read(1 << 20):
            pass
