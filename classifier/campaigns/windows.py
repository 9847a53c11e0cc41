"""Before, during and after an offer, in equal numbers of days.

Rules of this file: days are the operator's, half-open ranges of dates. A day on which the offer began or ended at another time
than midnight belongs to none. From a week on windows are whole weeks, as people live by weeks; `during` is the
end of the offer (or its days so far), `before` and `after` lie next to it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

_DAY = timedelta(days=1)
WEEK_DAYS = 7


@dataclass(frozen=True, slots=True)
class Window:
    """The days from `first` to before `end`."""

    first: date
    end: date

    @property
    def days(self) -> int:
        return (self.end - self.first).days

    def __contains__(self, day: date) -> bool:
        return self.first <= day < self.end


@dataclass(frozen=True, slots=True)
class Windows:
    """`campaign`: the offer's whole days in the ledger; `past` and `future`: all days before and after it there. The equal
    windows `before` and `after` are None where the ledger has too little, or the offer has not ended."""

    past: Window
    campaign: Window
    future: Window
    before: Window | None
    during: Window
    after: Window | None

    @property
    def equal(self) -> dict[str, Window]:
        """Those that there are, by name."""
        named = {"before": self.before, "during": self.during, "after": self.after}
        return {name: window for name, window in named.items() if window is not None}


def equal_windows(starts: Window, ends: Window | None, ledger: Window) -> Windows | None:
    """The windows of an offer in what a ledger holds; None where it holds no whole day of the offer.

    `starts` and `ends` are the days that belong to neither side: empty ones at the date where the offer starts or ends at
    midnight, one day otherwise. `ends` None: no end.
    """
    past = _within(Window(ledger.first, starts.first), ledger)
    campaign = _within(Window(starts.end, ledger.end if ends is None else ends.first), ledger)
    future = _within(Window(ledger.end if ends is None else ends.end, ledger.end), ledger)
    if not campaign.days:
        return None
    # A side that is short of a week would shorten the others to next to nothing: it is left out.
    least = min(campaign.days, WEEK_DAYS)
    length = min(side.days for side in (campaign, past, future) if side.days >= least)
    if length >= WEEK_DAYS:
        length -= length % WEEK_DAYS
    return Windows(
        past,
        campaign,
        future,
        before=Window(past.end - length * _DAY, past.end) if past.days >= least else None,
        during=Window(campaign.end - length * _DAY, campaign.end),
        after=Window(future.first, future.first + length * _DAY) if future.days >= least else None,
    )


def _within(window: Window, ledger: Window) -> Window:
    """The part of a window that lies in the ledger; an empty one at its edge where there is none."""
    first = min(max(window.first, ledger.first), ledger.end)
    return Window(first, max(first, min(window.end, ledger.end)))
