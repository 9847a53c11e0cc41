"""From rated intervals to a ledger's entries, and from its allowances to those that rating goes on with.

Rules of this file: the meter numbers subscribers anew in each run, the ledger never; here one becomes the other. What the
meter's accounts say of an interval is the difference between two readings of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date

import numpy as np

import classifier
from classifier.catalogue.records import Programme
from classifier.catalogue.terms import catalogue_digest, terms_text
from classifier.gateway.plan import Plan
from classifier.ledger.backlog import Backlog
from classifier.ledger.entries import NO_ATTRIBUTES, Attributes, Entry, Outcome, Period, Posting, Run
from classifier.ledger.write import LedgerWriter
from classifier.metering.meter import MeterTotals
from classifier.rating.allowances import AllowanceKey
from classifier.rating.offers import PARTS, REASONS
from classifier.rating.periods import Periods
from classifier.rating.rate import VOLUMES, Rated
from classifier.records import EVIDENCE, STANDING
from classifier.subscribers.load import Subscriber

# An outcome's key in one int64, from the highest bit: application, evidence, standing, part, programme + 1, reason + 1.
_OUTCOME_BITS = (("application", 14), ("evidence", 3), ("standing", 2), ("part", 2), ("programme", 12), ("reason", 5))
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


def attributes_of(subscriber: Subscriber) -> Attributes:
    """A row of the subscriber file as a ledger keeps it."""
    joined = None if subscriber.joined is None else subscriber.joined.isoformat()
    enrolled = tuple((name, day.isoformat()) for name, day in subscriber.enrolled)
    return Attributes(subscriber.operator, subscriber.province, subscriber.plan, joined, enrolled)


class LedgerAllowances:
    """What allowances have lost so far, of whom the meter's numbers mean: those of a period are asked of the ledger when the
    first of them is needed."""

    def __init__(self, number_of: Callable[[int], int], load: Callable[[Period], dict[int, int]]) -> None:
        self._number_of, self._load = number_of, load
        self._periods: dict[tuple, dict[int, int]] = {}

    def get(self, key: AllowanceKey, default: int = 0) -> int:
        """The octets used."""
        return self._period(key).get(self._number_of(key.subscriber), default)

    def update(self, used: Mapping[AllowanceKey, int]) -> None:
        """Take new figures over."""
        for key, octets in used.items():
            self._period(key)[self._number_of(key.subscriber)] = octets

    def forget(self) -> None:
        """Ask the ledger anew: only when all figures are in it."""
        self._periods.clear()

    def _period(self, key: AllowanceKey) -> dict[int, int]:
        period = self._periods.get(key[1:])
        if period is None:
            period = self._periods[key[1:]] = self._load(Period(*key[1:]))
        return period


class Keeper:
    """Makes a ledger's entries of what a session rates.

    `listed`: the subscribers that the meter numbers from 1; `labels_of` gives the labels of an array of its numbers;
    `interval_of` the interval [start, end) that holds an instant. `backlog`: takes the entries in the writer's place, and does
    not fail.
    """

    def __init__(
        self,
        writer: LedgerWriter,
        programmes: Sequence[Programme],
        application_names: Sequence[str],
        listed: Sequence[Subscriber | None],
        periods: Periods,
        labels_of: Callable[[np.ndarray], list[str]],
        interval_of: Callable[[int], tuple[int, int]],
        backlog: Backlog | None = None,
    ) -> None:
        self._writer, self._backlog = writer, backlog
        self._labels_of, self._interval_of = labels_of, interval_of
        self._periods = periods
        self.turn(programmes, application_names, listed)
        self._before: MeterTotals | None = None
        self._day: date | None = None
        self.allowances = LedgerAllowances(lambda number: self._numbers.item(number), writer.used)

    def turn(
        self, programmes: Sequence[Programme], application_names: Sequence[str], listed: Sequence[Subscriber | None]
    ) -> None:
        """These are in force from now on: what is kept of attributes and terms is found out anew."""
        self._listed = listed
        self._applications = application_names
        self._programmes = [(one.name, one.payer, terms_text(one)) for one in programmes]
        self._numbers = np.zeros(0, np.int64)
        self._outcome_keys, self._outcome_ids = np.zeros(0, np.int64), np.zeros(0, np.int64)

    def know(self, usage: np.ndarray) -> None:
        """Give a number of the ledger to all subscribers in these rows; before they are rated."""
        seen = np.unique(usage["subscriber"])
        if seen.size and seen[-1] >= len(self._numbers):
            self._numbers = np.concatenate([self._numbers, np.zeros(int(seen[-1]) + 1, np.int64)])
        new = seen[self._numbers[seen] == 0]
        for number, label in zip(new.tolist(), self._labels_of(new), strict=True):
            listed = self._listed[number - 1] if 1 <= number <= len(self._listed) else None
            attributes = NO_ATTRIBUTES if listed is None else attributes_of(listed)
            self._numbers[number] = self._writer.subscriber(label, attributes)

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
            postings=tuple(self.postings(rated.rows)),
            allowances=tuple(self.figures(rated.used)),
        )

    def postings(self, rows: np.ndarray) -> Iterator[Posting]:
        """RATED rows by interval, in the ledger's numbers and order."""
        intervals = np.unique(rows["interval"]).tolist()
        for begins_ns in intervals:
            chosen = rows if len(intervals) == 1 else rows[rows["interval"] == begins_ns]
            subscriber, outcome = self._numbers[chosen["subscriber"]], self._outcomes(chosen)
            order = np.argsort(subscriber << 32 | outcome)
            volumes = np.stack([chosen[field][order] for field in VOLUMES])
            day, month = self._periods.day(begins_ns).isoformat(), self._periods.month_name(begins_ns)
            ends_ns = self._interval_of(begins_ns)[1]
            yield Posting(begins_ns, ends_ns, day, month, subscriber[order], outcome[order], volumes)

    def figures(self, used: Mapping[AllowanceKey, int]) -> Iterator[tuple[Period, np.ndarray, np.ndarray]]:
        """New figures of allowances by period, in the ledger's numbers."""
        by_period: dict[tuple, list[tuple[int, int]]] = {}
        for (subscriber, *period), octets in used.items():
            by_period.setdefault(tuple(period), []).append((subscriber, octets))
        for period in sorted(by_period):
            subscribers, octets = np.array(by_period[period], np.int64).T
            yield Period(*period), self._numbers[subscribers], octets

    def _outcomes(self, rows: np.ndarray) -> np.ndarray:
        """The ledger's number of each row's outcome."""
        key = np.zeros(len(rows), np.int64)
        for field, bits in _OUTCOME_BITS:
            key = key << bits | (rows[field].astype(np.int64) + _SHIFTED.get(field, 0))
        place = np.searchsorted(self._outcome_keys, key)
        known = (
            self._outcome_keys.take(place, mode="clip") == key if self._outcome_keys.size else np.zeros(len(key), bool)
        )
        if not known.all():
            self._number_outcomes(np.unique(key[~known]))
            place = np.searchsorted(self._outcome_keys, key)
        return self._outcome_ids[place]

    def _number_outcomes(self, new: np.ndarray) -> None:
        """Have outcomes numbered that did not occur before."""
        numbers = [self._writer.outcome(self._outcome(key)) for key in new.tolist()]
        keys = np.concatenate([self._outcome_keys, new])
        order = np.argsort(keys)
        self._outcome_keys = keys[order]
        self._outcome_ids = np.concatenate([self._outcome_ids, numbers])[order]

    def _outcome(self, key: int) -> Outcome:
        fields = {}
        for field, bits in reversed(_OUTCOME_BITS):
            fields[field] = (key & (1 << bits) - 1) - _SHIFTED.get(field, 0)
            key >>= bits
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
