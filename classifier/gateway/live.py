"""The capture loop on a NIC: the ring's blocks through the same session, until somebody stops it."""

from __future__ import annotations

from collections.abc import Callable

from classifier.capture.interface import find_interface
from classifier.capture.ring import RingSource
from classifier.gateway.plan import Plan
from classifier.gateway.session import Outcome, Session
from classifier.records import UsageReport


class LiveRun:
    """Meters one interface. `stop` may be called from a signal handler; what the ring still holds is metered first."""

    def __init__(self, interface: str, plan: Plan) -> None:
        self._session = Session(plan, interval_seconds=plan.configuration.gateway.interval_seconds)
        self._ring = RingSource(find_interface(interface, bring_up=True))

    def stop(self) -> None:
        self._ring.stop()

    def run(self, on_interval: Callable[[UsageReport], None]) -> Outcome:
        """Until `stop`: `on_interval` gets the totals so far at the end of every interval that saw a packet or not."""
        session, ring = self._session, self._ring
        told = 0
        try:
            for batch in ring:
                if batch is None:
                    session.meter.tick(ring.clock_ns())
                else:
                    session.meter.feed(batch.buffer, batch.frames)
                if session.intervals_closed > told:
                    told = session.intervals_closed
                    on_interval(session.report())
            session.meter.finish()
            _, dropped, _ = ring.statistics()
        finally:
            ring.close()
        problems = [ring.problem] if ring.problem else []
        if dropped:
            problems.append(f"{dropped} frames were dropped before freeflow saw them: the totals lack them")
        return Outcome(session.report(), tuple(problems))
