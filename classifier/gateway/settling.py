"""From a ledger to what payers owe for a month, and to what one subscriber is told of it.

Rules of this file: a settlement is made of the ledger's sums by day, and counted a second time from the usage of every
interval; the two have to agree to the octet, by operator and by what became of the usage. A programme whose tariff or payer
was changed between runs is settled once under each.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import numpy as np

from classifier.catalogue.terms import programme_of
from classifier.errors import ConfigurationError
from classifier.gateway.ledger_sums import ledger_periods
from classifier.ledger.backlog import UNRECORDED
from classifier.ledger.read import DayTotal, LedgerReader, OutcomeName
from classifier.rating.periods import ALWAYS_NS, instant_ns
from classifier.rating.settlement import Charged, Recount, Settlement, settle_terms
from classifier.rating.statement import Given, Statement, StatementLine, given, in_order
from classifier.validation import did_you_mean

_DAY = timedelta(days=1)


class MonthBook:
    """A ledger seen by months. `months` are those that have usage, in order; ConfigurationError where there is none."""

    def __init__(self, reader: LedgerReader) -> None:
        self._reader = reader
        self._outcomes = reader.outcomes()
        self._programmes = {number: programme_of(terms) for number, (_, _, terms) in reader.programmes().items()}
        self._totals: dict[str, list[DayTotal]] = defaultdict(list)
        for total in reader.day_totals():
            self._totals[total.month].append(total)
        self.months = sorted(self._totals)
        if not self.months:
            raise ConfigurationError(f"{reader.path}: holds no usage yet; there is nothing to settle")
        self._periods = ledger_periods(reader)
        self._run_of = {entry.entry: entry.run for entry in reader.entries()}

    def check(self, month: str | None, payer: str | None) -> None:
        """ConfigurationError for a month without usage, or a payer whom no programme of the ledger names."""
        if month is not None and month not in self._totals:
            first, last = self.months[0], self.months[-1]
            has = f"has usage of {first}" if first == last else f"has usage from {first} to {last}"
            raise ConfigurationError(f"--month: {self._reader.path} has no usage of {month}; it {has}")
        payers = sorted({payer for _, payer, _ in self._reader.programmes().values()})
        if payer is not None and payer not in payers:
            near = did_you_mean(payer, payers)
            raise ConfigurationError(f'--payer: no programme in {self._reader.path} is paid by "{payer}"; {near}')

    def settlement(self, month: str, payer: str | None = None) -> Settlement:
        """What payers owe for a month that has usage; only this payer's debts where one is named."""
        totals = self._totals[month]
        begins_ns, ends_ns = self._bounds(month)
        charged: dict[str, int] = defaultdict(int)
        by_terms: dict[tuple[int, str], int] = defaultdict(int)
        for total in totals:
            outcome, octets = self._outcomes[total.outcome], total.uplink_octets + total.downlink_octets
            if outcome.terms is None:
                charged[total.profile.operator] += octets
            else:
                by_terms[outcome.terms, total.profile.operator] += octets
        carried = {(self._programmes[one], operator, month): octets for (one, operator), octets in by_terms.items()}
        return Settlement(
            month=month,
            timezone=self._periods.zone.key,
            begins_ns=begins_ns,
            ends_ns=ends_ns,
            covered_until_ns=self._covered_until_ns(ends_ns),
            payer=payer,
            debts=tuple(debt for debt in settle_terms(carried) if payer in (None, debt.payer)),
            charged=tuple(Charged(operator, octets) for operator, octets in sorted(charged.items()) if payer is None),
            octets=sum(charged.values()) + sum(carried.values()),
            recount=self._recount(month, totals),
            unrecorded_octets=self._reader.unmetered(begins_ns, ends_ns).get(UNRECORDED, (0, 0))[1],
            lost_octets=self._reader.lost_octets(begins_ns, ends_ns),
        )

    def statement(self, month: str, subscriber: str) -> Statement:
        """One subscriber's month. ConfigurationError for a name that the ledger does not know."""
        number = self._reader.subscriber_number(subscriber)
        if number is None:
            names = self._reader.subscribers()[1:]
            near = did_you_mean(subscriber, names) if len(names) <= 10_000 else "check the name"
            raise ConfigurationError(f'--subscriber: {self._reader.path} knows no subscriber "{subscriber}"; {near}')
        sums = np.zeros((len(self._outcomes), 4), np.int64)
        for piece in self._usage(month):
            mine = np.flatnonzero(piece.subscriber == number)
            np.add.at(sums, piece.outcome[mine], piece.volumes[:, mine].T)
        begins_ns, ends_ns = self._bounds(month)
        profiles, of_subscriber = self._reader.profiles()
        used = np.flatnonzero(sums.any(axis=1)).tolist()
        return Statement(
            subscriber,
            *profiles[of_subscriber[number]],
            month=month,
            timezone=self._periods.zone.key,
            covered_until_ns=self._covered_until_ns(ends_ns),
            ends_ns=ends_ns,
            lines=in_order(_merged([(self._line(self._outcomes[one]), sums[one].tolist()) for one in used])),
            given=self._given(number, {self._outcomes[one].terms for one in used}, (begins_ns, ends_ns)),
        )

    def _line(self, outcome: OutcomeName) -> tuple:
        rate = None if outcome.terms is None else self._programmes[outcome.terms].rate_percent
        return outcome.application, outcome.part, outcome.programme, outcome.payer, rate, outcome.reason

    def _given(self, number: int, terms: set[int | None], month: tuple[int, int]) -> tuple[Given, ...]:
        """The allowances touched, of programmes under these terms; of several of one name the latest."""
        latest = {self._programmes[one].name: self._programmes[one] for one in sorted(terms - {None})}
        used: dict[str, dict[tuple[int, int], int]] = defaultdict(dict)
        for (programme, place, begins_ns), octets in self._reader.allowances_of(number).items():
            used[programme][place, begins_ns] = octets
        return tuple(one for name in sorted(latest) for one in given(latest[name], used[name], ALWAYS_NS, month))

    def _recount(self, month: str, totals: Sequence[DayTotal]) -> Recount:
        """The month's usage row by row, beside its sums."""
        profiles, _ = self._reader.profiles()
        place = {profile: number for number, profile in enumerate(profiles)}
        settled = np.zeros((len(profiles), len(self._outcomes)), np.int64)
        for total in totals:
            settled[place[total.profile], total.outcome] += total.uplink_octets + total.downlink_octets
        counted = np.zeros_like(settled)
        of_run: dict[int, np.ndarray] = {}
        intervals = rows = 0
        for piece in self._usage(month):
            run = self._run_of[piece.entry]
            if run not in of_run:
                of_run[run] = self._reader.profiles(run)[1]
            key = of_run[run][piece.subscriber] * counted.shape[1] + piece.outcome
            np.add.at(counted.reshape(-1), key, piece.volumes[0] + piece.volumes[1])
            intervals, rows = intervals + 1, rows + len(key)
        differences = [
            (profiles[one].operator, _what(self._outcomes[other]), int(settled[one, other]), int(counted[one, other]))
            for one, other in np.argwhere(settled != counted).tolist()
        ]
        return Recount(intervals, rows, int(counted.sum()), tuple(differences))

    def _usage(self, month: str):
        """The pieces of usage that count in the month. A day of any time zone begins within a day of UTC's."""
        days = [total.day for total in self._totals[month]]
        first, last = (datetime.fromisoformat(day).replace(tzinfo=UTC) for day in (min(days), max(days)))
        range_ns = instant_ns(first - _DAY, self._periods.zone), instant_ns(last + 2 * _DAY, self._periods.zone)
        return (piece for piece in self._reader.usage(*range_ns) if piece.month == month)

    def _bounds(self, month: str) -> tuple[int, int]:
        """The instants of a month."""
        year, of_year = map(int, month.split("-"))
        number = year * 12 + of_year - 1
        first, end = (instant_ns(self._periods.first_day(one), self._periods.zone) for one in (number, number + 1))
        return first, end

    def _covered_until_ns(self, ends_ns: int) -> int:
        return min(self._reader.span_ns()[1], ends_ns)


def _merged(lines: Sequence[tuple[tuple, list[int]]]) -> list[StatementLine]:
    """Lines that a subscriber cannot tell apart, as they differ in evidence or in terms alone, added up."""
    sums: dict[tuple, list[int]] = {}
    for key, (uplink, downlink, *packets) in lines:
        before = sums.get(key, [0, 0, 0])
        sums[key] = [one + other for one, other in zip(before, (uplink, downlink, sum(packets)), strict=True)]
    return [StatementLine(*key, *volumes) for key, volumes in sums.items()]


def _what(outcome: OutcomeName) -> str:
    return outcome.programme or outcome.reason or ""
