"""The time of a live run: the wall clock's, but never back."""

from __future__ import annotations

import time
from collections.abc import Callable

# What clocks are set back by in passing (NTP steps from 128 ms on: RFC 5905, 11.3, STEPT) is not worth a line.
TOLD_FROM_NS = 10**9


class LiveClock:
    """`wall` and `monotonic` give nanoseconds.

    When the wall clock is set back, time goes on from where it was at the pace of the monotonic clock, until the wall clock
    has caught up: an interval neither begins anew nor lasts for as long as the clock was set back.
    """

    def __init__(
        self, wall: Callable[[], int] = time.time_ns, monotonic: Callable[[], int] = time.monotonic_ns
    ) -> None:
        self._wall, self._monotonic = wall, monotonic
        self._last_ns, self._last_monotonic_ns = wall(), monotonic()
        self._told_ns = 0
        self.ahead_ns = 0

    def now_ns(self) -> int:
        """Nanoseconds since 1970. Afterwards `ahead_ns` is how far that is ahead of the wall clock."""
        wall_ns, monotonic_ns = self._wall(), self._monotonic()
        if wall_ns < self._last_ns:
            now_ns = max(wall_ns, self._last_ns + monotonic_ns - self._last_monotonic_ns)
        else:
            now_ns = wall_ns
        self.ahead_ns = now_ns - wall_ns
        self._last_ns, self._last_monotonic_ns = now_ns, monotonic_ns
        return now_ns

    def monotonic_ns(self) -> int:
        """For durations."""
        return self._monotonic()

    def news(self) -> str | None:
        """A line, once, when the clock was set back; another one when it has caught up."""
        if self.ahead_ns < TOLD_FROM_NS and self._told_ns:
            self._told_ns = 0
            return "the clock has caught up: intervals follow it again"
        if self.ahead_ns > self._told_ns + TOLD_FROM_NS:
            self._told_ns = self.ahead_ns
            return (
                f"the clock was set back by {self.ahead_ns / 1e9:.1f} s: time goes on from where it was, and packets count in"
                " the interval that is open; restart to follow the clock at once"
            )
        return None
