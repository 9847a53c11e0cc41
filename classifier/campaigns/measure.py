"""What an offer did, in figures with their noise: the eligible, the others as the comparison, and one beyond the other.

Rules of this file: pure. Eligible is who could have the offer, whether or not they signed up or used it: those who choose to
are not like the rest. An effect is how much more the eligible changed than the others did in the same days, as a ratio of
ratios (difference in differences of logarithms), so that what happened to everyone, such as a holiday, is not the offer's.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import NamedTuple

import numpy as np

from classifier.campaigns.activity import Activity
from classifier.campaigns.noise import UNKNOWN, Estimate, Ratio, beyond, estimate, ratio, share
from classifier.campaigns.windows import WEEK_DAYS, Window, Windows
from classifier.catalogue.records import Programme

OTHERS, ELIGIBLE = 0, 1  # the sides of `Activity`'s daily sums


class Figures(NamedTuple):
    """Active subscribers a day; the applications' octets per active subscriber and day; their share of all traffic.

    As a change or an effect each is a ratio: 1.6 is 60 % more.
    """

    active_a_day: Estimate
    octets_per_active: Estimate
    share: Estimate


class Week(NamedTuple):
    """The share of the users won who were active in the seven days from `first` on."""

    first: date
    active: Estimate


@dataclass(frozen=True, slots=True)
class Won:
    """Users won: active during the offer, and on no earlier day that the ledger has.

    `again`: the share active after it at all; `weeks`: in each whole week after it.
    """

    users: int
    again: Estimate
    weeks: tuple[Week, ...]


@dataclass(frozen=True, slots=True)
class Group:
    """The eligible or the others. `windows` by name; `changes` of "during" and "after" against "before".

    `won` is None where the ledger has no day before the offer. Daily series have a place for each day of the report.
    """

    subscribers: int
    windows: dict[str, Figures]
    changes: dict[str, Figures]
    won: Won | None
    daily_active: tuple[int, ...]
    daily_covered_octets: tuple[int, ...]
    daily_octets: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Measured:
    """What was measured. `others` is None where everyone could have the offer; then there are no `effects`, which else are of
    "during" and "after". `counted_days`: of each window, the days with usage.
    """

    windows: Windows
    counted_days: dict[str, int]
    days: tuple[date, ...]
    eligible: Group
    others: Group | None
    effects: dict[str, Figures]


@dataclass(frozen=True, slots=True)
class Campaign:
    """An offer and what it did. `enrolled`: how many of the eligible signed up, None where nobody has to."""

    programme: Programme
    timezone: str
    enrolled: int | None
    measured: Measured


def measure(activity: Activity, windows: Windows) -> Measured:
    """All figures of an offer."""
    eligible, changes = _group(activity, windows, ELIGIBLE)
    others, effects = None, {}
    if not activity.eligible.all():
        others, their_changes = _group(activity, windows, OTHERS)
        effects = {
            name: Figures(*(estimate(beyond(*pair)) for pair in zip(changes[name], their_changes[name], strict=True)))
            for name in changes
        }
    counted = {name: len(activity.places(window)) for name, window in windows.equal.items()}
    return Measured(windows, counted, activity.days, eligible, others, effects)


class _Totals(NamedTuple):
    """Of each subscriber of a group in a window: days active, octets of the applications, octets of all."""

    active: np.ndarray
    covered: np.ndarray
    all: np.ndarray
    days: int


def _group(activity: Activity, windows: Windows, side: int) -> tuple[Group, dict[str, tuple[Ratio, ...]]]:
    members = activity.eligible == bool(side)
    totals = {
        name: _Totals(
            activity.active_days(window)[members],
            activity.covered[name][members],
            activity.all[name][members],
            len(activity.places(window)),
        )
        for name, window in windows.equal.items()
    }
    changes = {
        name: _change(totals[name], totals["before"])
        for name in ("during", "after")
        if name in totals and "before" in totals
    }
    group = Group(
        subscribers=int(members.sum()),
        windows={name: Figures(*map(estimate, _levels(one))) for name, one in totals.items()},
        changes={name: Figures(*map(estimate, one)) for name, one in changes.items()},
        won=_won(activity, windows, members),
        daily_active=tuple(activity.active[:, members].sum(axis=1).tolist()),
        daily_covered_octets=tuple(activity.daily_covered[side].tolist()),
        daily_octets=tuple(activity.daily_all[side].tolist()),
    )
    return group, changes


def _levels(one: _Totals) -> tuple[Ratio, Ratio, Ratio]:
    return (
        ratio([one.active], times=1 / one.days) if one.days else UNKNOWN,
        ratio([one.covered], [one.active]),
        ratio([one.covered], [one.all]),
    )


def _change(one: _Totals, before: _Totals) -> tuple[Ratio, Ratio, Ratio]:
    """The same subscribers later: that they are the same is part of the noise."""
    if not one.days:
        return UNKNOWN, UNKNOWN, UNKNOWN
    return (
        ratio([one.active], [before.active], times=before.days / one.days),
        ratio([one.covered, before.active], [one.active, before.covered]),
        ratio([one.covered, before.all], [one.all, before.covered]),
    )


def _won(activity: Activity, windows: Windows, members: np.ndarray) -> Won | None:
    if not activity.places(windows.past).size:
        return None
    new = members & (activity.active_days(windows.campaign) > 0) & (activity.active_days(windows.past) == 0)
    users = int(new.sum())

    def still(window: Window) -> Estimate:
        return share(int((activity.active_days(window)[new] > 0).sum()), users if window.days else 0)

    # A week of which the ledger lacks a day says nothing of who stayed.
    first, weeks = windows.future.first, windows.future.days // WEEK_DAYS
    spans = [_week(first, number) for number in range(weeks)]
    whole = [span for span in spans if activity.places(span).size == WEEK_DAYS]
    return Won(users, still(windows.future), tuple(Week(span.first, still(span)) for span in whole))


def _week(first: date, number: int) -> Window:
    begins = first + timedelta(days=WEEK_DAYS * number)
    return Window(begins, begins + timedelta(days=WEEK_DAYS))
