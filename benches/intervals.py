"""How long an interval of 100,000 subscribers and ten applications takes from the meter's tables to the ledger.

`python -m benches.intervals`: seconds of wall clock and of processor time for each step, medians by kind of interval. More
than half of the subscribers have an allowance; the first intervals stay within them, in the later ones many end. The first
interval of all also writes down who the subscribers are. The mark is for rating, entry and writing; "totals" is what a
report needs besides.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np

from benches.tables import table
from classifier.catalogue.records import Allowance, Eligibility, Programme
from classifier.gateway.gathering import Gathered
from classifier.gateway.keeping import Keeper
from classifier.gateway.tally import Tally
from classifier.kernels.state import USAGE_ROW
from classifier.ledger.entries import Run
from classifier.ledger.write import LedgerWriter
from classifier.metering.meter import MeterTotals
from classifier.rating.periods import Periods, instant_ns
from classifier.rating.rate import VOLUMES, Rater
from classifier.subscribers.load import Subscriber

SUBSCRIBERS, APPLICATIONS, INTERVALS = 100_000, 10, 6
INTERVAL_NS = 10 * 10**9
TABLES = 31  # the meter hands its table over when it is half full
ALLOWANCE_OCTETS = 7_000_000
PERIODS = Periods(ZoneInfo("Asia/Shanghai"))
NAMES = ("unknown", *(f"application-{number}" for number in range(APPLICATIONS)))
NOTHING = MeterTotals(0, 0, 0, 0, 0, 0, 0, 0, 0, (), 0, (), 0, 0, ())
STEPS = ("gathering", "rating", "entry", "writing", "totals")
MARKED = slice(1, 4)  # rating, entry, writing
KINDS = ("first", "ordinary", "allowances ending")
MANY_CUT = 5000  # rows
FREE = Programme(
    name="free",
    payer="operator",
    applications=NAMES[4:5],
    starts=date(2013, 11, 1),
    ends=None,
    rate_percent=0,
    allowances=(),
    bonus=None,
    eligible=(),
    enrolment="automatic",
    registered_before=None,
    accept="claimed",
    priority=1,
    tariff=None,
    file="bench",
)
PROGRAMMES = (
    FREE,
    FREE._replace(
        name="package",
        applications=NAMES[1:4],
        allowances=(Allowance(ALLOWANCE_OCTETS, "month"),),
        enrolment="required",
    ),
    FREE._replace(
        name="half",
        applications=NAMES[5:7],
        rate_percent=50,
        allowances=(Allowance(ALLOWANCE_OCTETS, "month"), Allowance(ALLOWANCE_OCTETS // 3, "month")),
        eligible=(Eligibility("china-unicom", None, None),),
    ),
)


def subscriber(number: int) -> Subscriber:
    """Of three operators and four provinces; every second one enrolled."""
    operator = ("china-mobile", "china-unicom", "china-telecom")[number % 3]
    enrolled = (("package", date(2013, 11, 1 + number % 5)),) if number % 2 else ()
    return Subscriber(f"s{number}", (), operator, f"province-{number % 4}", "", date(2013, 1, 1), enrolled)


def usage(chance: np.random.Generator, begins_ns: int) -> np.ndarray:
    """A row for each subscriber and application, in no order."""
    rows = np.zeros(SUBSCRIBERS * APPLICATIONS, USAGE_ROW)
    rows["interval"] = begins_ns
    rows["subscriber"] = np.repeat(np.arange(1, SUBSCRIBERS + 1), APPLICATIONS)
    rows["application"] = np.tile(np.arange(1, APPLICATIONS + 1), SUBSCRIBERS)
    rows["evidence"] = chance.integers(1, 4, len(rows))
    for field, most in zip(VOLUMES, (10**5, 10**6, 100, 900), strict=True):
        rows[field] = chance.integers(1, most, len(rows))
    return rows[chance.permutation(len(rows))]


@dataclass(frozen=True)
class Spent:
    """What one interval of a run took: seconds of wall clock and of processor time by step, and the rows that were cut."""

    number: int
    cut: int
    wall: tuple[float, ...]
    processor: tuple[float, ...]

    @property
    def kind(self) -> str:
        if self.number == 1:
            return KINDS[0]
        return KINDS[2] if self.cut > MANY_CUT else KINDS[1]


class Stopwatch:
    """Wall clock and processor time between one call and the next."""

    def __init__(self) -> None:
        self._times: list[tuple[float, float]] = []

    def __call__(self) -> None:
        self._times.append((time.perf_counter(), time.process_time()))

    def spent(self) -> tuple[tuple[float, ...], tuple[float, ...]]:
        """Seconds by step: of wall clock, of processor time."""
        wall, processor = np.diff(np.array(self._times), axis=0).T.tolist()
        return tuple(wall), tuple(processor)


def run(ledger: Path, subscribers: list[Subscriber]) -> Iterator[Spent]:
    """Intervals into a new ledger, one after the other."""
    rater, chance = Rater(PROGRAMMES, NAMES, subscribers, PERIODS), np.random.default_rng(20131111)
    begins_ns = instant_ns(date(2013, 11, 11), PERIODS.zone)
    with LedgerWriter(ledger) as writer:
        writer.begin_run(Run("run", "bench", "Asia/Shanghai", 1, "", "", ()))
        keeper = Keeper(
            writer,
            rater,
            lambda numbers: [f"s{number - 1}" for number in numbers.tolist()],
            lambda at_ns: (at_ns, at_ns + INTERVAL_NS),
        )
        tally = Tally(rater.programmes, NAMES)
        for number in range(INTERVALS):
            start_ns = begins_ns + number * INTERVAL_NS
            tables = np.array_split(usage(chance, start_ns), TABLES)
            lap = Stopwatch()
            lap()
            gathered = Gathered()
            for part in tables:
                gathered.add(part)
            seen = gathered.take()
            lap()
            keeper.know(seen)
            rated = rater.rate(seen, keeper.allowances)
            keeper.allowances.update(rated.used)
            lap()
            entry = keeper.entry(start_ns, start_ns + INTERVAL_NS, rated, NOTHING)
            lap()
            writer.write(entry)
            lap()
            tally.add(rated)
            lap()
            yield Spent(number + 1, len(rated.rows) - len(seen), *lap.spent())


def report(spent: Sequence[Spent]) -> str:
    """A row for each kind of interval: medians, of wall clock and beside it of processor time."""
    rows = []
    for kind in KINDS:
        its = [one for one in spent if one.kind == kind]
        wall, processor = np.array([one.wall for one in its]), np.array([one.processor for one in its])
        marked = wall[:, MARKED].sum(axis=1)
        cells = [f"{np.median(one):.2f} / {np.median(its):.2f}" for one, its in zip(wall.T, processor.T, strict=True)]
        whole = f"{np.median(marked):.2f} / {np.median(processor[:, MARKED].sum(axis=1)):.2f}"
        span = f"{marked.min():.2f} to {marked.max():.2f} ({len(its)})"
        rows.append((kind, f"{np.median([one.cut for one in its]):,.0f}", *cells, whole, span))
    return table(("interval", "rows cut", *STEPS, "rating, entry, writing", "wall clock from, to"), rows)


def main() -> None:
    """Read the options, measure, print."""
    parser = argparse.ArgumentParser(prog="python -m benches.intervals", description="Measure rating and writing.")
    parser.add_argument("--runs", type=int, default=5, help="how many, each into a ledger of its own (default: 5)")
    runs = parser.parse_args().runs
    subscribers = [subscriber(number) for number in range(SUBSCRIBERS)]
    spent: list[Spent] = []
    before = os.getloadavg()[0]
    for _ in range(runs):
        with tempfile.TemporaryDirectory() as folder:
            spent += run(Path(folder) / "usage.db", subscribers)
    print(f"seconds of wall clock / of processor time; load before {before:.1f}, after {os.getloadavg()[0]:.1f}\n")
    print(report(spent))


if __name__ == "__main__":
    main()
