"""What a live run will need later, loaded while it still may be: before frames wait, and before root is given up.

Another user may not be able to read root's cache of kernels, nor Python's own modules where root has a Python of its own.
"""

from __future__ import annotations

from importlib import import_module

import numpy as np

from classifier.detection.ciphers import CipherLibrary
from classifier.gateway.plan import Plan
from classifier.metering.meter import Meter
from classifier.metering.tables import Limits
from classifier.reports.rendering import joined

# Tables that are made for nothing may be small; their sizes are no part of what is compiled.
_SMALL = Limits(flows=1, subscribers=1, streams=1, dns_queries=1, dns_names=1, fragments=1, quic_connections=1)
# Of what is imported where it is used: what a reload, a ledger's figures and a screen ask for.
_MODULES = (
    "difflib",
    "numpy.ma",
    "pydantic_core",
    "tomllib",
    "classifier.catalogue.compile",
    "classifier.catalogue.load",
    "classifier.gateway.glances",
    "classifier.gateway.keeping",
    "classifier.gateway.recognising",
    "classifier.metering.renewal",
    "classifier.reports.usage_json",
)


class _Nobody:
    """A sink to which nothing comes."""


def prepare(plan: Plan, *, in_line: bool) -> None:
    """Import modules, and call kernels once with nothing; a source loads its own."""
    for name in _MODULES:
        import_module(name)
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
    joined((np.zeros(0, np.int64),), np.zeros(1, np.int64), "")
