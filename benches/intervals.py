"""How long an interval of 100,000 subscribers and ten applications takes from the meter's tables to the ledger.

`python -m benches.intervals`: seconds of processor time for each step, of several intervals one after the other. More than
half of the subscribers have an allowance; the first intervals stay within them, in the later ones many end. The first
interval of all also writes down who the subscribers are.
"""

from __future__ import annotations

import tempfile
import time
from dataclasses import replace
from datetime import date
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np

from benches.tables import table
from classifier.catalogue.records import Allowance, Eligibility, Programme
from classifier.gateway.gathering import Gathered
from classifier.gateway.keeping import Keeper
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
STEPS = ("gathering", "rating", "entry", "writing", "all")
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
    replace(
        FREE,
        name="package",
        applications=NAMES[1:4],
        allowances=(Allowance(ALLOWANCE_OCTETS, "month"),),
        enrolment="required",
    ),
    replace(
        FREE,
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


def main() -> None:
    subscribers = [subscriber(number) for number in range(SUBSCRIBERS)]
    rater, chance = Rater(PROGRAMMES, NAMES, subscribers, PERIODS), np.random.default_rng(20131111)
    begins_ns = instant_ns(date(2013, 11, 11), PERIODS.zone)
    rows = []
    with tempfile.TemporaryDirectory() as folder, LedgerWriter(Path(folder) / "usage.db") as writer:
        writer.begin_run(Run("run", "bench", "Asia/Shanghai", 1, "", "", ()))
        keeper = Keeper(
            writer,
            rater,
            lambda numbers: [f"s{number - 1}" for number in numbers.tolist()],
            lambda at_ns: (at_ns, at_ns + INTERVAL_NS),
        )
        for number in range(INTERVALS):
            seen = usage(chance, begins_ns + number * INTERVAL_NS)
            clock = [time.process_time()]
            gathered = Gathered()
            for part in np.array_split(seen, TABLES):
                gathered.add(part)
            seen = gathered.take()
            clock.append(time.process_time())
            keeper.know(seen)
            rated = rater.rate(seen, keeper.allowances)
            keeper.allowances.update(rated.used)
            clock.append(time.process_time())
            entry = keeper.entry(begins_ns, begins_ns + INTERVAL_NS, rated, NOTHING)
            clock.append(time.process_time())
            writer.write(entry)
            clock.append(time.process_time())
            spent = [*np.diff(clock), clock[-1] - clock[0]]
            cut = len(rated.rows) - len(seen)
            rows.append((str(number + 1), f"{cut:,}", *(f"{seconds:.2f}" for seconds in spent)))
    print(table(("interval", "rows cut", *STEPS), rows))


if __name__ == "__main__":
    main()
