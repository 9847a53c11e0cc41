"""Kernels of a live run, compiled or loaded while it still may: before frames wait, and before root is given up."""

from __future__ import annotations

from classifier.detection.ciphers import CipherLibrary
from classifier.gateway.plan import Plan
from classifier.metering.meter import Meter
from classifier.metering.tables import Limits

# Tables that are made for nothing may be small; their sizes are no part of what is compiled.
_SMALL = Limits(flows=1, subscribers=1, streams=1, dns_queries=1, dns_names=1, fragments=1, quic_connections=1)


class _Nobody:
    """A sink to which nothing comes."""


def load_kernels(plan: Plan, *, in_line: bool) -> None:
    """Call those of the meter once with nothing; a source loads its own."""
    meter = Meter(
        plan.lookup,
        plan.subscriber_ranges,
        lambda clock_ns: (clock_ns, clock_ns + 1),
        _Nobody(),
        CipherLibrary(),
        listed_subscribers=len(plan.subscribers),
        limits=_SMALL,
    )
    meter.load()
    if in_line:
        meter.know(())
