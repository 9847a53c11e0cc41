"""The capture loop on a NIC: the ring's blocks through the same session, until somebody stops it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from classifier.gateway.inline import Ports
from classifier.gateway.keeping import run_of
from classifier.gateway.plan import Plan
from classifier.gateway.session import Outcome, Session
from classifier.gateway.sources import open_source
from classifier.ledger.backlog import Backlog
from classifier.ledger.write import LedgerWriter
from classifier.records import UsageReport


class LiveRun:
    """Meters one interface, or what passes between two ports. `stop` may be called from a signal handler; what has come in by
    then is metered first.

    `ledger`: a transaction an interval. One that fails does not stop the metering: `warn` gets a line when intervals begin to
    wait in memory, and when they are written.
    """

    def __init__(
        self,
        interface: str | Ports,
        plan: Plan,
        ledger: Path | None = None,
        warn: Callable[[str], None] = lambda line: None,
    ) -> None:
        self._on_interval: Callable[[UsageReport], None] | None = None
        self._warn = warn
        self._waited = 0
        self._writer = self._backlog = None
        self._ring = open_source(interface, plan.configuration.capture, warn)
        if ledger is not None:
            self._writer = LedgerWriter(ledger)
            self._writer.begin_run(run_of("run", plan))
            self._backlog = Backlog(self._writer)
        self._session = Session(
            plan,
            interval_seconds=plan.configuration.gateway.interval_seconds,
            ledger=self._writer,
            backlog=self._backlog,
            on_interval=self._tell,
            in_line=isinstance(interface, Ports),
            say=warn,
        )

    def stop(self) -> None:
        self._ring.stop()

    def run(self, on_interval: Callable[[UsageReport], None]) -> Outcome:
        """Until `stop`: `on_interval` gets the totals so far at the end of every interval that saw a packet or not."""
        session, ring = self._session, self._ring
        self._on_interval = on_interval
        try:
            session.meter.load()
            ring.let_in()
            for batch in ring:
                if batch is None:
                    session.meter.tick(ring.clock_ns())
                else:
                    session.meter.feed(batch.buffer, batch.frames)
            session.meter.finish()
            _, dropped, _ = ring.statistics()
        finally:
            ring.close()
            if self._writer:
                self._writer.close()
        problems = [ring.problem] if ring.problem else []
        if dropped:
            problems.append(f"{dropped} frames were dropped before freeflow saw them: the totals lack them")
        if self._backlog:
            problems += self._backlog.losses()
        return Outcome(session.report(), tuple(problems))

    def _tell(self, report: UsageReport) -> None:
        if self._backlog:
            self._tell_backlog(self._backlog)
        if self._on_interval:
            self._on_interval(report)

    def _tell_backlog(self, backlog: Backlog) -> None:
        """A line when entries begin to wait, and when they wait no more."""
        waited, self._waited = self._waited, backlog.entries
        if backlog.entries and not waited:
            self._warn(f"{backlog.problem}; metering goes on, and intervals are kept in memory until then")
        elif waited and not backlog.entries:
            self._warn(f"{backlog.path}: is written again, with what had waited")
