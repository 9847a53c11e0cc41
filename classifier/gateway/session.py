"""One meter with everything that takes what leaves it. Replay and the live loop differ only in their source and clock."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np

from classifier.detection.ciphers import CipherLibrary
from classifier.detection.flows import flow_records
from classifier.errors import ConservationError
from classifier.gateway.calendar import Calendar
from classifier.gateway.gathering import Gathered
from classifier.gateway.inline import Gate
from classifier.gateway.keeping import Keeper, LedgerAllowances
from classifier.gateway.labels import BEYOND_LABEL, subscriber_labels
from classifier.gateway.plan import Plan
from classifier.gateway.tally import Tally
from classifier.ledger.backlog import Backlog
from classifier.ledger.write import LedgerWriter
from classifier.metering.meter import Meter
from classifier.rating.figures import Figures
from classifier.records import FlowRecord, UsageReport


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a run gives: its totals, and one line for each thing that was wrong with its input (exit status 1)."""

    report: UsageReport
    problems: tuple[str, ...]


class Session:
    """A meter under a plan. Also the meter's sink: usage is rated at the end of its interval, flows are put into their order.

    `interval_seconds` None: intervals are as long as can be, which changes no total; but with a ledger, and under offers to
    which the order of usage matters, they are the configured ones. `ledger`: where what was rated is kept, and where
    allowances go on from; `backlog`: keeps what the ledger does not take at once. `on_interval` gets the totals so far
    whenever an interval is over and written. `in_line`: what is used up or barred is marked as dropped (`inline.Gate`).
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
        on_interval: Callable[[UsageReport], None] | None = None,
        in_line: bool = False,
        say: Callable[[str], None] = lambda line: None,
    ) -> None:
        self._plan = plan
        self._rater = rater = plan.rater()
        if interval_seconds is None and (ledger is not None or rater.order_matters()):
            interval_seconds = plan.configuration.gateway.interval_seconds
        self._application_names = plan.catalogue.application_names
        self._tally = Tally(rater.programmes, self._application_names)
        self._gathered = Gathered()
        self._on_interval = on_interval
        self._listed = (BEYOND_LABEL, *(subscriber.name for subscriber in plan.subscribers))
        self._watch = plan.watch()
        self._names = self._listed
        self._first_plain = 1 + self._watch.watched.last_number if self._watch else len(self._listed)
        self._plain_labels: list[str] = []
        self._waiting_flows: list[tuple[int, FlowRecord]] = []
        self._next_serial = 1
        calendar = Calendar(plan.configuration.gateway.zone, rater.edges_ns(), interval_seconds)
        self._keeper: Keeper | None = None
        if ledger is not None:
            self._keeper = Keeper(
                ledger,
                rater,
                self._labels,
                calendar,
                backlog,
            )
        self._used: Figures | LedgerAllowances = self._keeper.allowances if self._keeper else Figures()
        self.meter = Meter(
            plan.lookup,
            plan.subscriber_ranges,
            calendar,
            self,
            CipherLibrary(),
            listed_subscribers=len(plan.subscribers),
            limits=plan.limits,
            log_flows=log_flows,
            seed=seed,
            watcher=self._watch,
            link_binding=plan.configuration.link_binding.by,
            blocked_applications=len(self._application_names) if in_line else 0,
        )
        self._gate = Gate(rater, plan.subscribers, self.meter.block, say) if in_line else None

    def usage(self, rows: np.ndarray) -> None:
        self._gathered.add(rows)

    def flows(self, rows: np.ndarray, names: list[bytes]) -> None:
        for entry in flow_records(rows, names, self._application_names, self.subscriber_label):
            heapq.heappush(self._waiting_flows, (entry[0], entry[1]))

    def interval(self, start_ns: int, end_ns: int) -> None:
        usage = self._gathered.take()
        if self._keeper:
            self._keeper.know(usage)
        rated = self._rater.rate(usage, self._used)
        self._used.update(rated.used)
        if self._gate:
            self._gate.renew(rated.exhausted, self._used, end_ns)
        self._tally.add(rated)
        if self._keeper:
            self._keeper.keep(start_ns, end_ns, rated, self.meter.totals())
        if self._on_interval:
            self._on_interval(self.report())

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
            self._plain_labels += subscriber_labels(self._listed, entries, numbers)
        return self._plain_labels[place]

    def _labels(self, numbers: np.ndarray) -> list[str]:
        return subscriber_labels(self._all_names(), self.meter.subscriber_entries(), numbers)

    def _all_names(self) -> tuple[str, ...]:
        """Labels of the numbers from 0: those listed, then those that RADIUS or DHCP has named so far."""
        return (*self._listed, *self._watch.names) if self._watch else self._listed

    def report(self) -> UsageReport:
        """The totals so far, checked: the parts and the unmetered add up to what was observed (accounting 1.5)."""
        labels_of = partial(subscriber_labels, self._all_names(), self.meter.subscriber_entries())
        notices = self._watch.notices() if self._watch else ()
        report = self._tally.report(self.meter.totals(), labels_of, notices)
        parts = (report.zero_rated, report.discounted, report.charged, report.pending)
        frames = sum(part.frames for part in parts) + sum(entry.frames for entry in report.unmetered)
        octets = sum(part.octets for part in parts) + sum(entry.octets for entry in report.unmetered)
        if (frames, octets) != (report.observed_frames, report.observed_octets):
            raise ConservationError(
                f"accounted for {frames} frames and {octets} octets "
                f"of {report.observed_frames} frames and {report.observed_octets} octets observed"
            )
        return report
