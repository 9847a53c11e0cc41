"""`python -m benches.make_usage usage.db`: a ledger of six months with a campaign whose effect is known (`life.py`).

For trying `freeflow campaign`, `settle` and `report` at size, and for seeing whether `campaign` finds what was put in. Usage
is rated and written by the same code as a gateway's, an interval a day.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np

import classifier
from benches.life import Life, Town, programmes
from classifier.catalogue.load import load_catalogue
from classifier.catalogue.terms import catalogue_digest, terms_text
from classifier.errors import FreeflowError
from classifier.gateway.keeping import Keeper
from classifier.ledger.entries import Run
from classifier.ledger.write import LedgerWriter
from classifier.metering.meter import MeterTotals
from classifier.rating.periods import Periods, instant_ns
from classifier.rating.rate import VOLUMES, Rater

PERIODS = Periods(ZoneInfo("Asia/Shanghai"))


class Gateway:
    """Rates and writes intervals of made-up usage, as a session does with what a meter gives it."""

    def __init__(self, path: Path, town: Town) -> None:
        offers = programmes(town.life)
        catalogue = load_catalogue()._replace(programmes=offers)
        kept = tuple((one.name, one.payer, terms_text(one)) for one in offers)
        digest = catalogue_digest(catalogue)
        self._writer = LedgerWriter(path)
        self._writer.begin_run(
            Run("replay", "made up", PERIODS.zone.key, PERIODS.month_starts_on, digest, classifier.__version__, kept)
        )
        self._rater = Rater(offers, town.names, town.subscribers, PERIODS)
        names = ["", *(one.name for one in town.subscribers)]
        self._keeper = Keeper(
            self._writer,
            self._rater,
            lambda numbers: [names[one] for one in numbers.tolist()],
            day_of,
        )
        self._frames = self._octets = 0

    def interval(self, usage: np.ndarray) -> None:
        """Rate and write the usage of one interval."""
        begins_ns, ends_ns = day_of(int(usage["interval"][0]))
        self._keeper.know(usage)
        rated = self._rater.rate(usage, self._keeper.allowances)
        self._keeper.allowances.update(rated.used)
        sums = [int(usage[field].sum()) for field in VOLUMES]
        self._octets, self._frames = self._octets + sums[0] + sums[1], self._frames + sums[2] + sums[3]
        self._keeper.keep(begins_ns, ends_ns, rated, self._totals(begins_ns, ends_ns))

    def _totals(self, begins_ns: int, ends_ns: int) -> MeterTotals:
        metered = (self._frames, self._octets)
        return MeterTotals(begins_ns, ends_ns - 1, *metered, *metered, 0, 0, 0, (), 0, (), 0, 0, ())

    def close(self) -> None:
        self._writer.close()


def day_of(at_ns: int) -> tuple[int, int]:
    """The local day that holds an instant."""
    day = PERIODS.day(at_ns)
    return instant_ns(day, PERIODS.zone), instant_ns(day + timedelta(days=1), PERIODS.zone)


def make_usage(path: Path, life: Life, told: Callable[[date, int, float], None] | None = None) -> Town:
    """Write the ledger. `told` hears of each day its rows and the seconds that rating and writing them took."""
    town = Town(life)
    gateway = Gateway(path, town)
    try:
        for day in life.days:
            usage = town.usage(day, instant_ns(day, PERIODS.zone))
            begun = time.perf_counter()
            gateway.interval(usage)
            if told:
                told(day, len(usage), time.perf_counter() - begun)
    finally:
        gateway.close()
    return town


def main() -> int:
    """Read the options, make the ledger, say what is in it."""
    parser = argparse.ArgumentParser(prog="python -m benches.make_usage", description="A ledger of made-up usage.")
    parser.add_argument("ledger", type=Path, help="a new file")
    parser.add_argument("--subscribers", type=int, default=Life().subscribers, help="how many (default: 100,000)")
    parser.add_argument("--seed", type=int, default=Life().seed)
    arguments = parser.parse_args()
    if arguments.ledger.exists():
        parser.error(f"{arguments.ledger} is there already; name a new file")
    if arguments.subscribers < 1000:
        parser.error("--subscribers: fewer than 1,000 have no habits to measure; name more")
    life = replace(Life(), subscribers=arguments.subscribers, seed=arguments.seed)
    rows = 0

    def told(day: date, of_day: int, seconds: float) -> None:
        nonlocal rows
        rows += of_day
        if day.day == 1:
            print(f"{day}: {of_day:,} rows, rated and written in {seconds:.2f} s", file=sys.stderr)

    try:
        make_usage(arguments.ledger, life, told)
    except FreeflowError as error:
        parser.error(str(error))
    print(
        f"{rows:,} rows of usage of {life.subscribers:,} subscribers from {life.first} to {life.end}; facebook-zero from"
        f" {life.starts} to {life.ends} put {life.activity_up:.0%} on activity and {life.octets_up:.0%} on octets,"
        f" {life.stays:.0%} of new users stay"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
