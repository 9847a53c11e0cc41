"""The capture loop on a NIC: the ring's blocks through the same session, until somebody stops it.

Rules of this file: signals only set flags; the loop looks at them between two batches, where the tables are at rest. Nothing
that a reload, a full disk or a reader of reports does keeps frames waiting for longer than it takes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from classifier.capture.clock import LiveClock
from classifier.capture.notify import Notifier
from classifier.catalogue.terms import catalogue_digest
from classifier.errors import FreeflowError, LedgerError
from classifier.gateway.inline import Ports
from classifier.gateway.keeping import run_of
from classifier.gateway.plan import Plan
from classifier.gateway.preparing import prepare
from classifier.gateway.reloading import Reloading, held_back, refusal
from classifier.gateway.session import Outcome, Session
from classifier.gateway.sources import open_source
from classifier.ledger.backlog import Backlog
from classifier.ledger.entries import CutRun
from classifier.ledger.write import LedgerWriter
from classifier.records import UsageReport
from classifier.reports.glance import Glance, Vitals

SECOND_NS = 10**9
DROPPED = "frames dropped before freeflow saw them: the totals lack them"


@dataclass(frozen=True, slots=True)
class Watcher:
    """Who looks on. `interval` is told when one is over, `second` about once a second, `line` of what a person has to know."""

    interval: Callable[[], None] = lambda: None
    second: Callable[[], None] = lambda: None
    line: Callable[[str], None] = lambda text: None


class LiveRun:
    """Meters one interface, or what passes between two ports. `stop`, `reload` and `tell_tables` may be called from signal
    handlers.

    `ledger`: a transaction an interval. One that fails does not stop the metering: a line says when intervals begin to wait
    in memory, and when they are written. One whose figures of allowances cannot be read any more ends the run, as nothing can
    be rated without them. `load_again` reads the plan anew. `ready_to_drop` is called once the sockets are open and before any
    file is. `notifier` tells systemd.
    """

    def __init__(
        self,
        where: str | Ports,
        plan: Plan,
        ledger: Path | None = None,
        watcher: Watcher | None = None,
        *,
        load_again: Callable[[], Plan] | None = None,
        ready_to_drop: Callable[[], None] = lambda: None,
        notifier: Notifier | None = None,
    ) -> None:
        self._watcher = watcher or Watcher()
        self._plan, self._ledger = plan, ledger
        self._notifier = notifier or Notifier({})
        self._reloading = Reloading(load_again or (lambda: plan))
        self._reload_asked = self._tables_asked = False
        self._waited = 0
        self._in_line = isinstance(where, Ports)
        self._ring = open_source(where, plan.configuration.capture, self._watcher.line)
        self._writer: LedgerWriter | None = None
        try:
            prepare(plan, in_line=self._in_line)
            self._ring.prepare()
            ready_to_drop()
            self._writer, self._backlog = self._open_ledger()
            self._session = self._new_session()
            if self._writer:
                self._first_run = self._writer.begin_run(run_of("run", plan))
        except BaseException:
            self._ring.close()
            if self._writer:
                self._writer.close()
            raise
        self._clock = LiveClock(self._ring.clock_ns)
        self._next_second_ns = 0

    def _open_ledger(self) -> tuple[LedgerWriter | None, Backlog | None]:
        if self._ledger is None:
            return None, None
        writer = LedgerWriter(self._ledger)
        cut = writer.cut_run()
        if cut is not None:
            self._watcher.line(f"{self._ledger}: {missing_text(cut)}")
        return writer, Backlog(writer)

    def _new_session(self) -> Session:
        return Session(
            self._plan,
            interval_seconds=self._plan.configuration.gateway.interval_seconds,
            ledger=self._writer,
            backlog=self._backlog,
            on_interval=self._interval_over,
            in_line=self._in_line,
            say=self._watcher.line,
        )

    def stop(self) -> None:
        """End the run, after what has come in."""
        self._ring.stop()

    def reload(self) -> None:
        """Read configuration, signatures, programmes and subscribers again, and go on under them."""
        self._reload_asked = True

    def tell_tables(self) -> None:
        """Tell how full the tables are."""
        self._tables_asked = True

    def run(self) -> Outcome:
        """Until `stop`; then what the ring still holds is metered, and the last interval is closed and written."""
        session, ring = self._session, self._ring
        problems: list[str] = []
        try:
            ring.let_in()
            self._notifier.ready(self.status())
            for batch in ring:
                if batch is None:
                    session.meter.tick(self._clock.now_ns())
                else:
                    session.meter.feed(batch.buffer, batch.listed, batch.count)
                self._between_batches()
            self._notifier.stopping()
            session.meter.finish()
            problems += self._end_ledger()
        finally:
            ring.close()
            if self._writer:
                self._writer.close()
        if ring.problem:
            problems.insert(0, ring.problem)
        dropped = ring.statistics()[1]
        if dropped:
            problems.append(f"{dropped} {DROPPED}")
        return Outcome(self.report(), tuple(problems))

    def report(self) -> UsageReport:
        """The totals so far; what the ring dropped is a notice in it."""
        report = self._session.report()
        dropped = self._ring.statistics()[1]
        return report._replace(notices=((DROPPED, dropped), *report.notices)) if dropped else report

    def glance(self, count: int) -> Glance:
        """What was rated until the last interval's end."""
        return self._session.glance(count)

    def vitals(self) -> Vitals:
        """How the run is."""
        totals = self._session.meter.totals()
        _, dropped, freezes = self._ring.statistics()
        return Vitals(
            monotonic_ns=self._clock.monotonic_ns(),
            wall_ns=self._clock.now_ns(),
            observed_frames=totals.observed_frames,
            observed_octets=totals.observed_octets,
            dropped=dropped,
            freezes=freezes,
            fill=self._session.meter.fill(),
            waiting_entries=self._backlog.entries if self._backlog else 0,
        )

    def status(self) -> str:
        """A line for `systemctl status`."""
        totals = self._session.meter.totals()
        dropped = self._ring.statistics()[1]
        return f"{totals.observed_frames} frames, {totals.observed_octets} octets, {dropped} frames dropped"

    def _between_batches(self) -> None:
        self._notifier.alive()
        if self._clock.ahead_ns:
            # Frames are stamped by a clock that was set back: they cannot end the interval.
            self._session.meter.tick(self._clock.now_ns())
        if self._tables_asked:
            self._tables_asked = False
            for line in self._table_lines():
                self._watcher.line(line)
        if self._reload_asked and not self._reloading.runs:
            self._reload_asked = False
            self._notifier.reloading()
            self._reloading.begin()
        if self._reloading.runs and (found := self._reloading.result()):
            self._go_on_under(found)
        now_ns = self._clock.monotonic_ns()
        if now_ns >= self._next_second_ns:
            self._next_second_ns = now_ns + SECOND_NS
            self._clock.now_ns()
            if news := self._clock.news():
                self._watcher.line(news)
            self._watcher.second()

    def _go_on_under(self, found: Plan | FreeflowError) -> None:
        """Put a plan in force, or tell why not."""
        held: tuple[str, ...] = ()
        try:
            if isinstance(found, FreeflowError):
                raise found
            plan, held = held_back(found, self._plan)
            self._session.renew(plan, lambda: self._begin_run(plan))
            self._plan = plan
        except FreeflowError as error:
            self._watcher.line(refusal(error))
        else:
            for line in (*plan.notices, *held):
                self._watcher.line(line)
            digest = catalogue_digest(plan.catalogue)[:12]
            self._watcher.line(f"reloaded: {plan.counted}, catalogue {digest}")
        self._notifier.ready(self.status())

    def _begin_run(self, plan: Plan) -> None:
        """Write down what is in force from now on; what waits for the ledger was rated under what was before."""
        if self._writer is None or self._backlog is None:
            return
        self._backlog.flush()
        if self._backlog.entries:
            raise LedgerError(f"{self._backlog.problem}; reload when the intervals that wait are written")
        self._writer.begin_run(run_of("run", plan, self._first_run))

    def _end_ledger(self) -> list[str]:
        if self._writer is None or self._backlog is None:
            return []
        losses = self._backlog.losses()
        if not self._backlog.entries:
            try:
                self._writer.end_run()
            except LedgerError as error:
                losses.append(str(error))
        return losses

    def _interval_over(self) -> None:
        if self._backlog:
            self._tell_backlog(self._backlog)
        if self._notifier.listens:
            self._notifier.status(self.status())
        self._watcher.interval()

    def _tell_backlog(self, backlog: Backlog) -> None:
        """A line when entries begin to wait, and when they wait no more."""
        waited, self._waited = self._waited, backlog.entries
        if backlog.entries and not waited:
            self._watcher.line(f"{backlog.problem}; metering goes on, and intervals are kept in memory until then")
        elif waited and not backlog.entries:
            self._watcher.line(f"{backlog.path}: is written again, with what had waited")

    def _table_lines(self) -> list[str]:
        lines = [f"table={name} used={used} capacity={places}" for name, used, places in self._session.meter.fill()]
        over = [f'over="{text}" count={count}' for text, count in self._session.meter.overflows()]
        received, dropped, freezes = self._ring.statistics()
        return [*lines, *over, f"ring_received={received} ring_dropped={dropped} ring_freezes={freezes}"]


def missing_text(cut: CutRun) -> str:
    """What is missing of a run that was killed."""
    if cut.ends_ns is None:
        return "the last run was cut off in its first interval: nothing of it is here"
    end = datetime.fromtimestamp(cut.ends_ns // SECOND_NS, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    pending = f", and {cut.pending_octets} octets that flows had not been decided for" if cut.pending_octets else ""
    return f"the last run was cut off: what it metered after {end} is missing, the interval that was open{pending}"
