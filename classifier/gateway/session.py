"""One meter with everything that takes what leaves it. Replay and the live loop differ only in their source and clock."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from classifier.detection.ciphers import CipherLibrary
from classifier.detection.flows import flow_records
from classifier.distinct import distinct
from classifier.errors import ConservationError
from classifier.gateway.calendar import FIRST_NS, Calendar, Calendars
from classifier.gateway.gathering import Gathered
from classifier.gateway.labels import subscriber_labels
from classifier.gateway.numbering import ApplicationNumbers, SubscriberNumbers
from classifier.gateway.plan import Plan
from classifier.gateway.tally import Tally
from classifier.metering.meter import Meter, MeterTotals
from classifier.rating.figures import Figures
from classifier.rating.rate import Rater
from classifier.records import FlowRecord, UsageReport

if TYPE_CHECKING:  # a replay has no use for ledgers, gates and screens, and no time for them
    from classifier.gateway.glances import Fullest
    from classifier.gateway.inline import Gate
    from classifier.gateway.keeping import Keeper, LedgerAllowances
    from classifier.ledger.backlog import Backlog
    from classifier.ledger.write import LedgerWriter
    from classifier.reports.glance import Glance

# Intervals whose figures of allowances are kept for `Session.glance`: who looks, looks at each, and a replay keeps few.
ROUNDS_KEPT = 4


class Outcome(NamedTuple):
    """What a run gives: its totals, and one line for each thing that was wrong with its input (exit status 1)."""

    report: UsageReport
    problems: tuple[str, ...]


class Session:
    """A meter under a plan. Also the meter's sink: usage is rated at the end of its interval, flows are put into their order.

    `interval_seconds` None: intervals are as long as can be, which changes no total; but with a ledger, and under offers to
    which the order of usage matters, they are the configured ones. `ledger`: where what was rated is kept, and where
    allowances go on from; `backlog`: keeps what the ledger does not take at once. `on_interval` is called whenever an
    interval is over and written. `in_line`: what is used up or barred is marked as dropped (`inline.Gate`).
    """

    def __init__(
        self,
        plan: Plan,
        *,
        log_flows: bool = False,
        interval_seconds: int | None = None,
        seed: int | None = None,
        ledger: LedgerWriter | None = None,
        backlog: Backlog | None = None,
        on_interval: Callable[[], None] | None = None,
        in_line: bool = False,
        say: Callable[[str], None] = lambda line: None,
    ) -> None:
        self._plan = plan
        self._rater = rater = plan.rater()
        if interval_seconds is None and (ledger is not None or rater.order_matters()):
            interval_seconds = plan.configuration.gateway.interval_seconds
        self._applications = ApplicationNumbers(plan.catalogue)
        self._tally = Tally(rater.programmes, self._applications.names)
        self._gathered = Gathered()
        self._on_interval = on_interval
        self._rated: list[Figures] = []
        self._fullest: Fullest | None = None
        self._watch = plan.watch()
        self._subscribers = SubscriberNumbers(plan.subscribers, self._watch)
        self._listed = self._names = self._subscribers.names
        self._first_plain = 1 + self._watch.watched.last_number if self._watch else len(self._listed)
        self._plain_labels: list[str] = []
        self._waiting_flows: list[tuple[int, FlowRecord]] = []
        self._next_serial = 1
        self._calendar = Calendar(plan.configuration.gateway.zone, rater.edges_ns(), interval_seconds)
        self._calendars = Calendars(self._calendar)
        self._keeper: Keeper | None = None
        if ledger is not None:
            from classifier.gateway.keeping import Keeper

            self._keeper = Keeper(ledger, rater, self._labels, self._calendars, backlog)
        self._used: Figures | LedgerAllowances = self._keeper.allowances if self._keeper else Figures()
        self.meter = Meter(
            plan.lookup,
            plan.subscriber_ranges,
            self._interval_of,
            self,
            CipherLibrary(),
            listed_subscribers=len(plan.subscribers),
            limits=plan.limits,
            log_flows=log_flows,
            seed=seed,
            watcher=self._watch,
            link_binding=plan.configuration.link_binding.by,
            blocked_applications=len(self._applications.names) if in_line else 0,
        )
        self._ledger_unread = ledger  # who has used what before; asked when the first interval says which month it is
        self._gate: Gate | None = None
        if in_line:
            from classifier.gateway.inline import Gate

            self._gate = Gate(rater, plan.subscribers, self.meter, self._used, say)

    def usage(self, rows: np.ndarray) -> None:
        self._gathered.add(rows)

    def flows(self, rows: np.ndarray, names: list[bytes]) -> None:
        for entry in flow_records(rows, names, self._applications.names, self.subscriber_label):
            heapq.heappush(self._waiting_flows, (entry[0], entry[1]))

    def _interval_of(self, clock_ns: int) -> tuple[int, int]:
        """The interval that holds this instant, which the meter opens now: what may pass in it is told before its first
        packet."""
        start_ns, end_ns = self._calendars(clock_ns)
        if self._gate:
            if self._ledger_unread is not None:
                from classifier.gateway.recognising import recognise

                month_ns = self._rater.periods.begins_ns("month", start_ns)
                self._keeper.meet(*recognise(self._ledger_unread, self._subscribers.find, self.meter, month_ns))
                self._ledger_unread = None
            self._gate.open(start_ns)
        return start_ns, end_ns

    def interval(self, start_ns: int, end_ns: int) -> None:
        usage = self._gathered.take()
        if self._keeper:
            self._keeper.know(usage)
        rated = self._rater.rate(usage, self._used)
        del usage  # as large as what was rated
        self._used.update(rated.used)
        if self._gate:
            self._gate.renew(distinct(rated.rows["subscriber"], self.meter.subscriber_numbers()[0])[0])
        self._tally.add(rated)
        if self._keeper:
            self._keeper.keep(start_ns, end_ns, rated, self.meter.totals())
        self._rated.append(rated.used)
        del self._rated[:-ROUNDS_KEPT]
        if self._on_interval:
            self._on_interval()

    def renew(self, plan: Plan, begin_run: Callable[[], None]) -> None:
        """Go on under another plan, between two batches: whole, or not at all, with an error that says why not.

        The interval is closed before, so that what was metered is rated under the offers before. Time zone, months, limits of
        tables and what gives addresses away have to be the same. `begin_run` writes the change down and may fail.
        """
        names = self._applications.with_those_of(plan.catalogue)
        self._tally.check_room(plan.programmes, names)
        self._subscribers.check_room(plan.subscribers, self.meter.subscriber_room())
        cut_ns = self.meter.cut()
        try:
            begin_run()
            self._go_on_under(plan, names)
        finally:
            self._calendars.turn(FIRST_NS if cut_ns is None else cut_ns, self._calendar)
            if cut_ns is not None:
                self.meter.reopen(cut_ns)

    def _go_on_under(self, plan: Plan, names: tuple[str, ...]) -> None:
        """Nothing here may fail."""
        from classifier.metering.renewal import Renewal, renumbered_lookup, renumbered_ranges

        application_number, gone, rule_of = self._applications.turn(plan.catalogue)
        subscriber_number = self._subscribers.turn(plan.subscribers, self.meter.new_subscribers)
        listed = self._subscribers.by_number()
        self._rater = Rater(plan.programmes, names, listed, plan.periods)
        self._tally.turn(self._rater.programmes, names)
        if self._keeper:
            self._keeper.turn(self._rater)
        lookup = renumbered_lookup(plan.lookup, application_number, len(names))
        ranges = renumbered_ranges(plan.subscriber_ranges, subscriber_number)
        self.meter.renew(Renewal(lookup, ranges, rule_of, gone, plan.limits))
        if self._gate:
            self._gate.turn(self._rater, listed)
        gateway = plan.configuration.gateway
        self._calendar = Calendar(gateway.zone, self._rater.edges_ns(), gateway.interval_seconds)
        self._plan = plan

    def ended_flows(self) -> Iterator[FlowRecord]:
        """Flows that can be given away in the order in which they began: all that began before them have ended too."""
        while self._waiting_flows and self._waiting_flows[0][0] == self._next_serial:
            self._next_serial += 1
            yield heapq.heappop(self._waiting_flows)[1]

    def subscriber_label(self, number: int) -> str:
        """The name of a subscriber that is listed or bound, the address or /64 of any other."""
        if number < self._first_plain:
            if number >= len(self._names):
                self._names = self._all_names()
            return self._names[number]
        place = number - self._first_plain
        if place >= len(self._plain_labels):
            entries = self.meter.subscriber_entries()
            numbers = np.arange(self._first_plain + len(self._plain_labels), len(entries))
            self._plain_labels += subscriber_labels(self._listed, entries, numbers, self._subscribers.late)
        return self._plain_labels[place]

    def _labels(self, numbers: np.ndarray) -> list[str]:
        return self._labels_now()(numbers)

    def _labels_now(self) -> Callable[[np.ndarray], list[str]]:
        """Gives the labels of an array of subscriber numbers, now and later."""
        entries, late = self.meter.subscriber_entries(), dict(self._subscribers.late)
        return partial(subscriber_labels, self._all_names(), entries, late=late)

    def _all_names(self) -> tuple[str, ...]:
        """Labels of the numbers from 0: those listed, then those that RADIUS or DHCP has named so far."""
        return (*self._listed, *self._watch.names) if self._watch else self._listed

    def glance(self, count: int) -> Glance:
        """What was rated until the last interval's end, with the `count` largest subscribers and applications."""
        from classifier.gateway.glances import Fullest, glance

        self._fullest = self._fullest or Fullest()
        for used in self._rated:
            self._fullest.add(used)
        self._rated.clear()
        labels_of, names = self._labels_now(), self._applications.names
        uses = self._fullest.uses(self._rater.programmes, labels_of, count)
        return glance(self._tally, self.meter.totals(), names, labels_of, uses, count)

    def report(self) -> UsageReport:
        """The totals so far, checked: the parts and the unmetered add up to what was observed (accounting 1.5)."""
        return self._report(self.meter.totals(), self._labels_now())

    def last_report(self) -> UsageReport:
        """The same, when nothing comes any more. The meter's tables go before it is made, as both are large: the meter and
        this session know each other, and large arrays do not make Python look for such pairs."""
        totals, labels_of = self.meter.totals(), self._labels_now()
        del self.meter
        return self._report(totals, labels_of)

    def _report(self, totals: MeterTotals, labels_of: Callable[[np.ndarray], list[str]]) -> UsageReport:
        notices = self._watch.notices() if self._watch else ()
        report = self._tally.report(totals, labels_of, notices)
        parts = (report.zero_rated, report.discounted, report.charged, report.pending)
        frames = sum(part.frames for part in parts) + sum(entry.frames for entry in report.unmetered)
        octets = sum(part.octets for part in parts) + sum(entry.octets for entry in report.unmetered)
        if (frames, octets) != (report.observed_frames, report.observed_octets):
            raise ConservationError(
                f"accounted for {frames} frames and {octets} octets "
                f"of {report.observed_frames} frames and {report.observed_octets} octets observed"
            )
        return report
