"""Who was active on which day, and who used how much in which window: what estimates are made of.

Rules of this file: subscribers are places in arrays, and every sum is whole numbers. Active is who used the offer's
applications and took part in it; traffic that nobody asked for makes nobody active.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

import numpy as np

from classifier.campaigns.windows import Window


class Activity:
    """Columns of usage, added up.

    `days` are those with usage, in order, `windows` equal ones by name, `eligible` bool[subscribers]. `active`
    bool[days, subscribers]; `covered` and `all` by window i8[subscribers], octets of the offer's applications and of
    everything; `daily_covered` and `daily_all` i8[2, days], of those not eligible and of the eligible.
    """

    def __init__(self, days: Sequence[date], windows: dict[str, Window], eligible: np.ndarray) -> None:
        self.days = tuple(days)
        self.windows = windows
        self.eligible = eligible
        people = len(eligible)
        self.active = np.zeros((len(days), people), bool)
        self.covered = {name: np.zeros(people, np.int64) for name in windows}
        self.all = {name: np.zeros(people, np.int64) for name in windows}
        self.daily_covered = np.zeros((2, len(days)), np.int64)
        self.daily_all = np.zeros((2, len(days)), np.int64)
        self._place = {day: place for place, day in enumerate(days)}

    def add(
        self, day: date, subscriber: np.ndarray, octets: np.ndarray, covered: np.ndarray, takes_part: np.ndarray
    ) -> None:
        """Add usage of one day: of each row its subscriber i8[n], octets i8[n], whether it is of the offer's applications
        and whether the subscriber took part."""
        place = self._place[day]
        rows = np.flatnonzero(covered)
        self.active[place, subscriber[rows[takes_part[rows] & (octets[rows] > 0)]]] = True
        for name, window in self.windows.items():
            if day in window:
                np.add.at(self.all[name], subscriber, octets)
                np.add.at(self.covered[name], subscriber[rows], octets[rows])
        for daily, chosen in ((self.daily_all, slice(None)), (self.daily_covered, rows)):
            whole = int(octets[chosen].sum())
            theirs = int(octets[chosen][self.eligible[subscriber[chosen]]].sum())
            daily[:, place] += (whole - theirs, theirs)

    def places(self, window: Window) -> np.ndarray:
        """The places of a window's days that have usage."""
        return np.array([place for place, day in enumerate(self.days) if day in window], np.int64)

    def active_days(self, window: Window) -> np.ndarray:
        """On how many days of a window each subscriber was active: i8[subscribers]."""
        return self.active[self.places(window)].sum(axis=0, dtype=np.int64)
