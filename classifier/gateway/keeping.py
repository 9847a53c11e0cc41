"""From rated intervals to a ledger's entries, and from its allowances to those that rating goes on with.

Rules of this file: the meter numbers subscribers anew in each run, the ledger never; here one becomes the other. What the
meter's accounts say of an interval is the difference between two readings of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import date
from math import prod

import numpy as np

import classifier
from classifier.catalogue.terms import catalogue_digest, terms_text
from classifier.distinct import distinct, distinct_times
from classifier.gateway.attributes import attributes_of
from classifier.gateway.plan import Plan
from classifier.ledger.backlog import Backlog
from classifier.ledger.entries import NO_ATTRIBUTES, Attributes, Entry, Outcome, Period, Posting, Run
from classifier.ledger.write import LedgerWriter
from classifier.metering.meter import MeterTotals
from classifier.rating.allowances import AllowancePeriod
from classifier.rating.figures import Figures
from classifier.rating.offers import PARTS, REASONS
from classifier.rating.rate import VOLUMES, Rated, Rater
from classifier.records import EVIDENCE, STANDING

# What an outcome says; -1 is none of a programme or of a reason.
_OUTCOME = ("application", "evidence", "standing", "part", "programme", "reason")
_SHIFTED = {"programme": 1, "reason": 1}


def run_of(kind: str, plan: Plan, continues: int | None = None) -> Run:
    """What a ledger keeps of a run under this plan. `kind` is "replay" or "run"; `continues` as in Run."""
    gateway = plan.configuration.gateway
    return Run(
        kind=kind,
        gateway=gateway.name,
        timezone=gateway.timezone,
        month_starts_on=gateway.month_starts_on,
        catalogue=catalogue_digest(plan.catalogue),
        version=classifier.__version__,
        programmes=tuple((one.name, one.payer, terms_text(one)) for one in plan.programmes),
        continues=continues,
    )


class LedgerAllowances:
    """What allowances have lost so far, of whom the meter's numbers mean: those of a period are asked of the ledger when the
    first of them is needed."""

    def __init__(
        self, numbers_of: Callable[[np.ndarray], np.ndarray], load: Callable[[Period], dict[int, int]]
    ) -> None:
        self._numbers_of, self._load = numbers_of, load
        self.forget()

    def column(self, period: AllowancePeriod, subscribers: np.ndarray) -> np.ndarray:
        """The octets that these have used."""
        return self._of(period).column(period, self._numbers_of(subscribers))

    def update(self, used: Figures) -> None:
        """Take new figures over."""
        for period, subscribers, octets in used.columns():
            self._of(period).put(period, self._numbers_of(subscribers), octets)

    def forget(self) -> None:
        """Ask the ledger anew: only when all figures are in it."""
        self._figures, self._loaded = Figures(), set()

    def _of(self, period: AllowancePeriod) -> Figures:
        """The figures, with those of this period."""
        if period not in self._loaded:
            self._loaded.add(period)
            known = self._load(Period(*period))
            self._figures.put(period, *(np.fromiter(its, np.int64, len(known)) for its in (known, known.values())))
        return self._figures


class Keeper:
    """Makes a ledger's entries of what `rater` rates.

    `labels_of` gives the labels of an array of its numbers;
    `interval_of` the interval [start, end) that holds an instant. `backlog`: takes the entries in the writer's place, and does
    not fail.
    """

    def __init__(
        self,
        writer: LedgerWriter,
        rater: Rater,
        labels_of: Callable[[np.ndarray], list[str]],
        interval_of: Callable[[int], tuple[int, int]],
        backlog: Backlog | None = None,
    ) -> None:
        self._writer, self._backlog = writer, backlog
        self._labels_of, self._interval_of = labels_of, interval_of
        self._numbers = np.zeros(1, np.int64)
        self.turn(rater)
        self._before: MeterTotals | None = None
        self._day: date | None = None
        self.allowances = LedgerAllowances(self._numbers_of, writer.used)

    def turn(self, rater: Rater) -> None:
        """This one rates from now on: what is kept of attributes and terms is found out anew."""
        self._profiles, self._profile_of = rater.profiles, rater.profile_of
        self._periods = rater.periods
        self._applications = rater.application_names
        self._programmes = [(one.name, one.payer, terms_text(one)) for one in rater.programmes]
        self._told = np.zeros(len(self._numbers), bool)  # a number stays whose it was, but attributes are told anew
        # How many there are of each thing that an outcome says, one more for none: a kind of outcome is one number.
        counts = map(len, (self._applications, EVIDENCE, STANDING, PARTS, self._programmes, REASONS))
        self._outcome_sizes = {
            field: count + _SHIFTED.get(field, 0) for field, count in zip(_OUTCOME, counts, strict=True)
        }
        self._outcome_ids: dict[int, int] = {}

    def _numbers_of(self, numbers: np.ndarray) -> np.ndarray:
        """The ledger's numbers of subscribers; 0, of whom nothing is known, for those that it has not been told of."""
        return np.where(numbers < len(self._numbers), self._numbers.take(numbers, mode="clip"), 0)

    def meet(self, numbers: np.ndarray, ledgers: np.ndarray) -> None:
        """The subscribers of these numbers have these in the ledger."""
        self._make_room(int(numbers.max(initial=0)))
        self._numbers[numbers] = ledgers

    def know(self, usage: np.ndarray) -> None:
        """Give a number of the ledger to all subscribers in these rows; before they are rated."""
        subscriber = usage["subscriber"]
        seen, _ = distinct(subscriber, int(subscriber.max(initial=-1)) + 1)
        self._make_room(int(seen[-1]) if seen.size else 0)
        new = seen[~self._told[seen]]
        self._numbers[new] = self._writer.subscribers(self._labels_of(new), self._attributes(new))
        self._told[new] = True

    def _make_room(self, highest: int) -> None:
        if highest >= len(self._numbers):
            self._numbers = np.concatenate([self._numbers, np.zeros(highest + 1, np.int64)])
            self._told = np.concatenate([self._told, np.zeros(highest + 1, bool)])

    def _attributes(self, numbers: np.ndarray) -> list[Attributes]:
        """The attributes of subscribers by the meter's numbers: many have the same."""
        profiles, profile_of = distinct(self._profile_of(numbers), len(self._profiles))
        listed = [self._profiles[profile] for profile in profiles.tolist()]
        attributes = [NO_ATTRIBUTES if one is None else attributes_of(one) for one in listed]
        return list(map(attributes.__getitem__, profile_of.tolist()))

    def keep(self, begins_ns: int, ends_ns: int, rated: Rated, totals: MeterTotals) -> None:
        """Write what was rated in this interval. LedgerError if it cannot be written and there is no backlog."""
        (self._backlog or self._writer).write(self.entry(begins_ns, ends_ns, rated, totals))
        # Else a live run would keep the figures of every day that it has seen.
        day = self._periods.day(begins_ns)
        if day != self._day and not (self._backlog and self._backlog.entries):
            self.allowances.forget()
            self._day = day

    def entry(self, begins_ns: int, ends_ns: int, rated: Rated, totals: MeterTotals) -> Entry:
        """The entry of this interval; `totals` as they are at its end."""
        before, self._before = self._before, totals
        unmetered = [
            (reason, *_added(figures, _unmetered(before).get(reason))) for reason, *figures in totals.unmetered
        ]
        return Entry(
            begins_ns=begins_ns,
            ends_ns=ends_ns,
            observed=_added(
                (totals.observed_frames, totals.observed_octets),
                None if before is None else (before.observed_frames, before.observed_octets),
            ),
            pending=(totals.pending_frames, totals.pending_uplink_octets + totals.pending_downlink_octets),
            unmetered=tuple(line for line in unmetered if line[1]),
            postings=tuple(self.postings(rated.rows, ends_ns)),
            allowances=tuple(self.figures(rated.used)),
        )

    def postings(self, rows: np.ndarray, entry_ends_ns: int) -> Iterator[Posting]:
        """RATED rows by interval, in the ledger's numbers and order. An interval that was cut ends with its entry."""
        intervals, interval_of = distinct_times(rows["interval"])
        for place, begins_ns in enumerate(intervals.tolist()):
            chosen = rows if len(intervals) == 1 else rows[interval_of == place]
            subscriber, outcome = self._numbers[chosen["subscriber"]], self._outcomes(chosen)
            order = np.argsort(subscriber << 32 | outcome)
            volumes = np.stack([chosen[field][order] for field in VOLUMES])
            day, month = self._periods.day(begins_ns).isoformat(), self._periods.month_name(begins_ns)
            ends_ns = min(self._interval_of(begins_ns)[1], entry_ends_ns)
            yield Posting(begins_ns, ends_ns, day, month, subscriber[order], outcome[order], volumes)

    def figures(self, used: Figures) -> Iterator[tuple[Period, np.ndarray, np.ndarray]]:
        """New figures of allowances by period, in the ledger's numbers."""
        for period, subscribers, octets in used.columns():
            if subscribers.size:
                yield Period(*period), self._numbers[subscribers], octets

    def _outcomes(self, rows: np.ndarray) -> np.ndarray:
        """The ledger's number of each row's outcome."""
        kind = np.zeros(len(rows), np.int64)
        for field, size in self._outcome_sizes.items():
            kind = kind * size + (rows[field] + _SHIFTED.get(field, 0))
        kinds, kind_of = distinct(kind, prod(self._outcome_sizes.values()))
        for one in kinds.tolist():
            if one not in self._outcome_ids:
                self._outcome_ids[one] = self._writer.outcome(self._outcome(one))
        return np.array([self._outcome_ids[one] for one in kinds.tolist()], np.int64)[kind_of]

    def _outcome(self, kind: int) -> Outcome:
        fields = {}
        for field, size in reversed(self._outcome_sizes.items()):
            kind, place = divmod(kind, size)
            fields[field] = place - _SHIFTED.get(field, 0)
        programme, reason = fields["programme"], fields["reason"]
        return Outcome(
            self._writer.application(self._applications[fields["application"]]),
            EVIDENCE[fields["evidence"]],
            STANDING[fields["standing"]],
            PARTS[fields["part"]],
            None if programme < 0 else self._writer.programme(*self._programmes[programme]),
            None if reason < 0 else REASONS[reason],
        )


def _unmetered(totals: MeterTotals | None) -> dict[str, tuple[int, int]]:
    return {} if totals is None else {reason: (frames, octets) for reason, frames, octets in totals.unmetered}


def _added(now: Sequence[int], before: Sequence[int] | None) -> tuple[int, int]:
    frames, octets = now
    return (frames, octets) if before is None else (frames - before[0], octets - before[1])
