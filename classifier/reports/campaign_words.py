"""What a campaign did, in the words that its page and its picture share.

Rules of this file: a figure never stands without its 95 % interval, unless there is none; a change is said in per cent of what
was before.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta

from classifier.campaigns.measure import Campaign, Figures
from classifier.campaigns.noise import Estimate
from classifier.campaigns.windows import Window
from classifier.reports.words import count_text, octets_text

NONE = "-"
OTHERS = "others"
METHOD = (
    "The intervals are of 95 %: those of sums and changes by Taylor linearisation over subscribers, those of shares of users"
    " by Wilson. What happens to everyone on the same day is not in them; the comparison takes it out of the effect."
)
MEANING = (
    "Eligible is who could have the offer, signed up or not. An effect is how much more they changed than those who could not"
    " have it. Users won were active while it ran and on no earlier day in the ledger."
)


def active_text(value: float) -> str:
    """Subscribers a day: a mean, so small ones have a tenth."""
    return f"{value:,.0f}" if value >= 100 else f"{value:,.1f}"


def share_text(value: float) -> str:
    """A part of 1 in per cent."""
    return f"{100 * value:.1f} %"


def change_text(value: float) -> str:
    """A ratio as what it adds or takes away."""
    return f"{100 * (value - 1):+.1f} %"


# Each measure's field, name and the way to write one figure.
MEASURES: tuple[tuple[str, str, Callable[[float], str]], ...] = (
    ("active_a_day", "active subscribers a day", active_text),
    ("octets_per_active", "octets per active subscriber and day", lambda value: octets_text(round(value))),
    ("share", "the applications' share of all traffic", share_text),
)


def value_text(estimate: Estimate, text: Callable[[float], str]) -> str:
    """The figure alone."""
    return NONE if estimate.value is None else text(estimate.value)


def interval_text(estimate: Estimate, text: Callable[[float], str]) -> str:
    """The interval alone."""
    if estimate.low is None or estimate.high is None:
        return NONE
    low, high = text(estimate.low), text(estimate.high)
    figure, _, unit = low.partition(" ")
    return f"{figure if high.endswith(f' {unit}') else low} to {high}"


def both_text(estimate: Estimate, text: Callable[[float], str]) -> str:
    """The figure, its interval in brackets."""
    interval = interval_text(estimate, text)
    return value_text(estimate, text) + ("" if interval == NONE else f" ({interval})")


def title(campaign: Campaign) -> str:
    return f"{campaign.programme.name}: what it did"


def dates_text(campaign: Campaign) -> str:
    """When it ran, for whom, and who paid."""
    programme = campaign.programme
    until = "no end" if programme.ends is None else f"until {programme.ends}"
    applications = "every application" if programme.applications == "*" else ", ".join(programme.applications)
    return f"{applications}; from {programme.starts}, {until} ({campaign.timezone}); paid by {programme.payer}"


def windows_text(campaign: Campaign) -> str:
    """The equal windows, and how many of their days have usage where some have not."""
    measured = campaign.measured
    told = []
    for name, window in measured.windows.equal.items():
        counted = measured.counted_days[name]
        lacking = "" if counted == window.days else f" ({counted} of them with usage)"
        told.append(f"{name} {window.first} to {last_day(window)}{lacking}")
    return f"{', '.join(told)}: {count_text(measured.windows.during.days, 'day')} each"


def groups_text(campaign: Campaign) -> str:
    """How many could have it, signed up, and could not."""
    measured = campaign.measured
    told = f"{measured.eligible.subscribers:,} eligible subscribers"
    if campaign.enrolled is not None:
        told += f", {campaign.enrolled:,} of them enrolled"
    return told + ("" if measured.others is None else f"; {measured.others.subscribers:,} {OTHERS}, not eligible")


def warnings(campaign: Campaign) -> list[str]:
    """What the ledger is too short for, or has nobody for."""
    measured = campaign.measured
    found = []
    if measured.windows.before is None:
        found.append("the ledger has less than a week before the offer: there is nothing to compare with")
    if measured.windows.after is None:
        ends = campaign.programme.ends
        ended = "the offer has no end" if ends is None else "the ledger has less than a week after the offer"
        found.append(f"{ended}: nothing is known of afterwards")
    if measured.others is None:
        found.append("everyone could have the offer: what happened to all cannot be told from what it did")
    return found


def effects_text(campaign: Campaign, field: str) -> str | None:
    """The effect on one measure, during and after; None where there is no comparison."""
    effects: dict[str, Figures] = campaign.measured.effects
    if not effects:
        return None
    return ", ".join(f"{name} {both_text(getattr(one, field), change_text)}" for name, one in effects.items())


def groups(campaign: Campaign) -> list[tuple[str, object]]:
    """The groups that there are, with their names."""
    measured = campaign.measured
    named = [("eligible", measured.eligible)]
    return named if measured.others is None else [*named, (OTHERS, measured.others)]


def last_day(window: Window) -> date:
    return window.end - timedelta(days=1)
