"""Where intervals begin and end: at local midnight, at a programme's edge, and for a live source every few seconds.

Rating asks in which window, on which day and in which month an octet was seen, so no interval reaches over such an edge; a
month begins at a local midnight, whatever the day it starts on. How long an interval is otherwise changes no total.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from classifier.rating.periods import instant_ns

SECOND_NS = 10**9
FIRST_NS, LAST_NS = -(2**63), 2**63 - 1
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Calendars:
    """One calendar after the other: each holds until the next is put in force, which cuts the interval there."""

    def __init__(self, first: Calendar) -> None:
        self._begins_ns = [FIRST_NS]
        self._calendars = [first]

    def turn(self, at_ns: int, calendar: Calendar) -> None:
        """From this instant on, later than any before, `calendar` says where intervals begin and end."""
        self._begins_ns.append(at_ns)
        self._calendars.append(calendar)

    def __call__(self, clock_ns: int) -> tuple[int, int]:
        place = bisect_right(self._begins_ns, clock_ns)
        start, end = self._calendars[place - 1](clock_ns)
        return max(start, self._begins_ns[place - 1]), min([end, *self._begins_ns[place : place + 1]])


class Calendar:
    """Gives the interval [start, end) in nanoseconds that holds an instant."""

    def __init__(self, zone: ZoneInfo, edges_ns: Sequence[int], interval_seconds: int | None = None) -> None:
        self._zone = zone
        self._edges_ns = sorted(edges_ns)
        self._interval_ns = None if interval_seconds is None else interval_seconds * SECOND_NS

    def __call__(self, clock_ns: int) -> tuple[int, int]:
        today = (_EPOCH + timedelta(seconds=clock_ns // SECOND_NS)).astimezone(self._zone).date()
        start = instant_ns(today, self._zone)
        end = instant_ns(today + timedelta(days=1), self._zone)
        place = bisect_right(self._edges_ns, clock_ns)
        if place > 0:
            start = max(start, self._edges_ns[place - 1])
        if place < len(self._edges_ns):
            end = min(end, self._edges_ns[place])
        if self._interval_ns is not None:
            slot = clock_ns // self._interval_ns * self._interval_ns
            start = max(start, slot)
            end = min(end, slot + self._interval_ns)
        return max(start, FIRST_NS), min(end, LAST_NS)
