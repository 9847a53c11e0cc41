"""The operator's days and months as instants: accounting 3.4.

Rules of this file: days and months are those of the operator's time zone, half-open, and begin at local midnight, or where
daylight saving skips it at the first instant of the day. A month has the name of the calendar month that it begins in.
"""

from __future__ import annotations

from calendar import monthrange
from datetime import UTC, date, datetime, time, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
ALWAYS_NS = -(2**63)  # when the period of an allowance "once" began
FOREVER_NS = 2**63 - 1


def instant_ns(value: date | datetime, zone: ZoneInfo) -> int:
    """Nanoseconds since 1970 UTC. A date is its local midnight."""
    if not isinstance(value, datetime):
        value = datetime.combine(value, time(), zone)
    return (value - _EPOCH) // timedelta(microseconds=1) * 1000


class Periods(NamedTuple):
    """Which day and month an instant lies in. `month_starts_on` 29 to 31: the month's last day where it has no such day."""

    zone: ZoneInfo
    month_starts_on: int = 1

    def day(self, at_ns: int) -> date:
        """The local date."""
        return (_EPOCH + timedelta(seconds=at_ns // 10**9)).astimezone(self.zone).date()

    def month_number(self, day: date) -> int:
        """Months since year 0, so that their differences count months."""
        number = day.year * 12 + day.month - 1
        return number if day >= self.first_day(number) else number - 1

    def first_day(self, month_number: int) -> date:
        """The day on which this month begins."""
        year, month = divmod(month_number, 12)
        month += 1
        return date(year, month, min(self.month_starts_on, monthrange(year, month)[1]))

    def month_name(self, at_ns: int) -> str:
        """The month as `2013-11`."""
        return f"{self.first_day(self.month_number(self.day(at_ns))):%Y-%m}"

    def begins_ns(self, per: str, at_ns: int) -> int:
        """When the day, the month or the one period of `per` ("day", "month", "once") began that holds this instant."""
        if per == "once":
            return ALWAYS_NS
        day = self.day(at_ns)
        return instant_ns(day if per == "day" else self.first_day(self.month_number(day)), self.zone)
