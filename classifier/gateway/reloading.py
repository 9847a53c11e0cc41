"""Another plan for a run that goes on: read beside the metering, and held back where only a start can change something."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace

from classifier.configuration import Configuration
from classifier.errors import ConfigurationError, FreeflowError
from classifier.gateway.plan import Plan

# (section, key or None for the whole section): tables have their size from the start, a ledger its days, and who tells
# addresses is asked from the first packet on.
FIXED = (
    ("gateway", "timezone"),
    ("gateway", "month_starts_on"),
    ("ledger", "path"),
    ("flows", "capacity"),
    ("capture", None),
    ("radius", None),
    ("dhcp", None),
    ("bindings", None),
    ("link_binding", None),
)


def held_back(plan: Plan, before: Plan) -> tuple[Plan, tuple[str, ...]]:
    """The plan with what only a start can change as it was `before`, and a line for that, if there is any."""
    configuration, found = plan.configuration, []
    for section, key in FIXED:
        now, then = getattr(configuration, section), getattr(before.configuration, section)
        if key is None and now != then:
            configuration = configuration._replace(**{section: then})
            found.append(f"[{section}]")
        elif key is not None and getattr(now, key) != getattr(then, key):
            configuration = configuration._replace(**{section: now._replace(**{key: getattr(then, key)})})
            found.append(f"[{section}] {key}")
    lines = (f"{', '.join(found)}: takes a restart, and stays what it was",) if found else ()
    return _with(plan, before, configuration), lines


def _with(plan: Plan, before: Plan, configuration: Configuration) -> Plan:
    limits = plan.limits._replace(flows=before.limits.flows)
    return replace(plan, configuration=configuration, limits=limits, secret=before.secret)


class Reloading:
    """Reads a plan with `load` in a thread of its own, so that frames are metered meanwhile."""

    def __init__(self, load: Callable[[], Plan]) -> None:
        self._load = load
        self._thread: threading.Thread | None = None
        self._found: Plan | FreeflowError | None = None

    @property
    def runs(self) -> bool:
        """Whether one has begun that `result` has not given yet."""
        return self._thread is not None

    def begin(self) -> None:
        """Read the files as they are from now on."""
        self._thread = threading.Thread(target=self._read, name="reload", daemon=True)
        self._thread.start()

    def result(self) -> Plan | FreeflowError | None:
        """The plan, or what is wrong with it, once; None as long as it is read."""
        if self._thread is None or self._thread.is_alive():
            return None
        found, self._thread, self._found = self._found, None, None
        return found

    def _read(self) -> None:
        try:
            self._found = self._load()
        except FreeflowError as error:
            self._found = error
        except Exception as error:  # a thread's exception would reach nobody, and the former plan is in force
            self._found = FreeflowError(f"{type(error).__name__}: {error}")


def refusal(error: FreeflowError) -> str:
    """One line: what is wrong first, and how much more there is."""
    problems = error.problems if isinstance(error, ConfigurationError) else (str(error),)
    more = f" (and {len(problems) - 1} more: freeflow doctor -c tells all)" if len(problems) > 1 else ""
    return f"nothing was reloaded, what was in force stays: {problems[0]}{more}"
