"""What freeflow is asked to reach, beside what was measured: ratios of one run where machines differ, else figures."""

from __future__ import annotations

from dataclasses import dataclass

from benches.floods import Flood
from benches.side_by_side import ONE_WORKER, RUNNING, WALK, WHOLE, Row, find, ratio
from benches.starts import Starts
from benches.tables import table

ON_ONE_CORE = "real: running on one core, of the plain walk"
ON_TWO_CORES = "real: running on two, of the plain walk"
OF_TCPDUMP = "real: whole process, of tcpdump's"


@dataclass(frozen=True, slots=True)
class Goal:
    """`measured` None: there was nothing to measure it with. `at_most`: the goal is a ceiling."""

    what: str
    wanted: float
    measured: float | None
    unit: str = ""
    at_most: bool = False

    def cells(self) -> tuple[str, ...]:
        wanted = f"{'≤' if self.at_most else '≥'} {self.wanted:g}{self.unit}"
        if self.measured is None:
            return self.what, wanted, "not measured", ""
        met = self.measured <= self.wanted if self.at_most else self.measured >= self.wanted
        return self.what, wanted, f"{self.measured:.2f}{self.unit}", "met" if met else "not met"


def goals(files: dict[str, list[Row]], floods: dict[str, Flood], starts: Starts) -> list[Goal]:
    """All of them, from the rows on each file and what else was measured."""
    real = files["real"]
    many = find(files["many"], WHOLE)
    harmed = min(flood.free for flood in floods.values())
    return [
        Goal(ON_ONE_CORE, 0.6, ratio(real, ONE_WORKER, WALK)),
        Goal(ON_TWO_CORES, 0.6, ratio(real, RUNNING, WALK)),
        Goal(OF_TCPDUMP, 1, ratio(real, WHOLE, "tcpdump")),
        Goal("real: whole process, of ndpiReader's", 20, ratio(real, WHOLE, "ndpiReader")),
        Goal("real: whole process, of NFStream's", 60, ratio(real, WHOLE, "NFStream")),
        Goal("real: two workers, of one", 1.6, ratio(real, RUNNING, ONE_WORKER)),
        Goal("names: running", 1.5, _speed(files["names"]), " M packets/s"),
        Goal("flood: running", 3, _speed(files["flood"]), " M packets/s"),
        Goal("floods: free of the others' octets", 100, 100 * harmed, " %"),
        Goal("many: peak memory of the whole process", 700, many and many.peak_octets / 1e6, " MB", at_most=True),
        Goal("warm start on a small capture", 0.6, starts.warm_seconds, " s", at_most=True),
        Goal("first run ever", 30, starts.first.seconds, " s", at_most=True),
    ]


def goals_table(found: list[Goal]) -> str:
    """In Markdown."""
    return table(("goal", "asked", "measured", ""), [goal.cells() for goal in found])


def _speed(rows: list[Row]) -> float | None:
    """Million packets a second, running."""
    row = find(rows, RUNNING)
    return row and row.speed / 1e6
