"""Who counts as active, and whose octets are whose."""

from __future__ import annotations

from datetime import date

import numpy as np

from classifier.campaigns.activity import Activity
from classifier.campaigns.windows import Window

FIRST, SECOND = date(2013, 11, 1), date(2013, 11, 2)
WINDOW = Window(SECOND, date(2013, 11, 3))


def made() -> Activity:
    """Subscribers 0 and 1 are eligible, 2 is not; rows are (subscriber, octets, covered, takes part)."""
    activity = Activity([FIRST, SECOND], {"during": WINDOW}, np.array([True, True, False]))
    for day, rows in (
        (FIRST, [(0, 10, True, True)]),
        (SECOND, [(0, 5, True, True), (1, 7, True, False), (2, 40, False, True)]),
        # Another interval of the same day, in which one of them is seen again, and one with packets but no octets.
        (SECOND, [(0, 3, True, True), (2, 0, True, True)]),
    ):
        subscriber, octets, covered, takes_part = (np.array(column) for column in zip(*rows, strict=True))
        activity.add(day, subscriber, octets, covered, takes_part)
    return activity


def test_a_day_of_several_intervals_counts_once_and_what_nobody_asked_for_makes_nobody_active():
    activity = made()
    assert activity.active.tolist() == [[True, False, False], [True, False, False]]
    assert activity.active_days(WINDOW).tolist() == [1, 0, 0]
    assert activity.active_days(Window(FIRST, WINDOW.end)).tolist() == [2, 0, 0]


def test_octets_are_summed_by_subscriber_in_windows_and_by_group_each_day():
    activity = made()
    assert activity.covered["during"].tolist() == [8, 7, 0]
    assert activity.all["during"].tolist() == [8, 7, 40]
    # Of those not eligible, then of the eligible.
    assert activity.daily_covered.tolist() == [[0, 0], [10, 15]]
    assert activity.daily_all.tolist() == [[0, 40], [10, 15]]
