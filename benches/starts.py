"""A small capture as a whole process, with its configuration: with the kernels compiled before, and the very first run."""

from __future__ import annotations

import statistics
import tempfile
from compileall import compile_dir
from dataclasses import dataclass

from benches.captures import BUNDLED_CAPTURES
from benches.own import replayed
from benches.processes import ROOT, Run
from benches.tables import megabytes, spread, table

CAPTURE = BUNDLED_CAPTURES / "day-in-the-life.pcap"


@dataclass(frozen=True, slots=True)
class Starts:
    """Runs with compiled kernels, and one without."""

    warm: list[Run]
    first: Run

    @property
    def warm_seconds(self) -> float:
        return statistics.median(done.seconds for done in self.warm)


def compile_all() -> None:
    """Have Python's modules compiled, as an installation has them, and the kernels: no process that is measured has to."""
    if not compile_dir(ROOT / "classifier", quiet=1):
        raise RuntimeError("the modules of classifier cannot be compiled; look at what compileall says above")
    _start()


def measure_starts(runs: int) -> Starts:
    """Warm starts first; `compile_all` went before."""
    warm = [_start() for _ in range(runs)]
    with tempfile.TemporaryDirectory() as folder:
        return Starts(warm, _start({"FREEFLOW_CACHE_DIR": folder}))


def _start(environment: dict[str, str] | None = None) -> Run:
    return replayed(CAPTURE, "-c", str(CAPTURE.with_suffix(".toml")), environment=environment)


def starts_table(starts: Starts) -> str:
    """In Markdown."""
    said = " ".join(starts.first.errors.split()) or "nothing"
    rows = [
        ("kernels compiled before", *_figures(starts.warm), ""),
        ("very first run, compiling", *_figures([starts.first]), f"“{said}”"),
    ]
    return table((f"`freeflow replay {CAPTURE.name}`, whole process", "time", "peak memory", "it says"), rows)


def _figures(runs: list[Run]) -> tuple[str, str]:
    return spread([done.seconds for done in runs]), megabytes(max(done.peak_octets for done in runs))
