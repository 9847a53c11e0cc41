"""A wall clock that is set back, at a test's hand."""

from __future__ import annotations

from classifier.capture.clock import LiveClock

SECOND = 10**9


class Hands:
    def __init__(self) -> None:
        self.wall, self.monotonic = 1000 * SECOND, 5 * SECOND
        self.clock = LiveClock(lambda: self.wall, lambda: self.monotonic)

    def after(self, seconds: float, set_by: float = 0) -> int:
        """The time after these seconds, in which the wall clock was set by that much."""
        self.monotonic += int(seconds * SECOND)
        self.wall += int((seconds + set_by) * SECOND)
        return self.clock.now_ns()


def test_time_is_the_wall_clocks_as_long_as_that_goes_on():
    hands = Hands()
    assert hands.after(1) == 1001 * SECOND
    assert hands.after(1, set_by=50) == 1052 * SECOND
    assert hands.clock.ahead_ns == 0
    assert hands.clock.news() is None


def test_set_back_time_goes_on_from_where_it_was_until_the_clock_has_caught_up():
    hands = Hands()
    assert hands.after(10) == 1010 * SECOND
    assert hands.after(1, set_by=-3600) == 1011 * SECOND
    assert hands.clock.ahead_ns == 3600 * SECOND
    assert "set back by 3600.0 s" in hands.clock.news()
    assert hands.clock.news() is None
    assert hands.after(5) == 1016 * SECOND
    assert hands.after(1, set_by=3600) == 1017 * SECOND
    assert hands.clock.ahead_ns == 0
    assert "caught up" in hands.clock.news()
    assert hands.clock.news() is None


def test_what_ntp_sets_in_passing_is_not_worth_a_line():
    hands = Hands()
    times = [hands.after(1, set_by=-0.2) for _ in range(4)]
    assert times == sorted(times)
    assert hands.clock.news() is None
