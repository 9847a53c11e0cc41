"""Intervals and the operator's days and months: no interval reaches over an edge of an allowance's period."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st

from classifier.gateway.calendar import Calendar
from classifier.rating.periods import Periods

ZONES = ("Asia/Shanghai", "America/Sao_Paulo", "UTC", "Pacific/Apia", "Africa/Cairo")
FIRST_NS, LAST_NS = (int(datetime(year, 1, 1, tzinfo=UTC).timestamp()) * 10**9 for year in (2008, 2016))
CLOCK_NS = st.integers(FIRST_NS, LAST_NS)


def edges(zone):
    """The instants at which a local day begins, by walking through the half hours of two years."""
    step_ns = 1800 * 10**9
    begin = int(datetime(2011, 1, 1, tzinfo=UTC).timestamp()) * 10**9
    days = [
        (at_ns, datetime.fromtimestamp(at_ns // 10**9, UTC).astimezone(ZoneInfo(zone)).date())
        for at_ns in range(begin, begin + 2 * 366 * 48 * step_ns, step_ns)
    ]
    return [at_ns for (at_ns, day), (_, before) in zip(days[1:], days, strict=False) if day != before]


def test_intervals_begin_where_local_days_do():
    for zone in ZONES:
        calendar = Calendar(ZoneInfo(zone), ())
        for at_ns in edges(zone):
            assert calendar(at_ns)[0] == at_ns, (zone, at_ns)
            assert calendar(at_ns - 1)[1] == at_ns, (zone, at_ns)


@given(CLOCK_NS, st.sampled_from(ZONES), st.integers(1, 31), st.sampled_from((None, 10, 3600, 86400)))
def test_no_interval_reaches_over_the_end_of_a_day_or_a_month(clock_ns, zone, month_starts_on, interval_seconds):
    periods = Periods(ZoneInfo(zone), month_starts_on)
    start, end = Calendar(ZoneInfo(zone), (), interval_seconds)(clock_ns)
    assert start <= clock_ns < end
    for per in ("day", "month", "once"):
        assert periods.begins_ns(per, start) == periods.begins_ns(per, end - 1) <= start
