"""What a campaign did as one JSON object, `freeflow.campaign/1`.

Rules of this file: an estimate is an object of `value`, `low` and `high`, the 95 % interval, null where unknown; changes and
effects are ratios (1.6 is 60 % more). Estimates are rounded to six digits, as nothing of them is exact beyond.
"""

from __future__ import annotations

from classifier.campaigns.measure import Campaign, Figures, Group
from classifier.campaigns.noise import Estimate
from classifier.campaigns.windows import Window
from classifier.reports.campaign_words import METHOD, last_day

SCHEMA = "freeflow.campaign/1"


def campaign_json(campaign: Campaign) -> dict:
    """The object. Days are the operator's; `last` is a window's last day."""
    programme, measured = campaign.programme, campaign.measured
    return {
        "schema": SCHEMA,
        "programme": programme.name,
        "payer": programme.payer,
        "applications": programme.applications if programme.applications == "*" else list(programme.applications),
        "starts": programme.starts.isoformat(),
        "ends": None if programme.ends is None else programme.ends.isoformat(),
        "timezone": campaign.timezone,
        "windows": {
            name: {**_window(window), "days_with_usage": measured.counted_days[name]}
            for name, window in measured.windows.equal.items()
        },
        "method": METHOD,
        "enrolled": campaign.enrolled,
        "eligible": _group(measured.eligible),
        "not_eligible": None if measured.others is None else _group(measured.others),
        "effects": {name: _figures(figures) for name, figures in measured.effects.items()},
        "days": [
            {
                "day": day.isoformat(),
                "eligible": _day(measured.eligible, place),
                "not_eligible": None if measured.others is None else _day(measured.others, place),
            }
            for place, day in enumerate(measured.days)
        ],
    }


def _window(window: Window) -> dict:
    return {"first": window.first.isoformat(), "last": last_day(window).isoformat(), "days": window.days}


def _group(group: Group) -> dict:
    won = group.won
    return {
        "subscribers": group.subscribers,
        "windows": {name: _figures(figures) for name, figures in group.windows.items()},
        "changes": {name: _figures(figures) for name, figures in group.changes.items()},
        "won": won
        and {
            "users": won.users,
            "active_since": _estimate(won.again),
            "weeks": [{"first": week.first.isoformat(), "active": _estimate(week.active)} for week in won.weeks],
        },
    }


def _day(group: Group, place: int) -> dict:
    return {
        "active_subscribers": group.daily_active[place],
        "application_octets": group.daily_covered_octets[place],
        "octets": group.daily_octets[place],
    }


def _figures(figures: Figures) -> dict:
    return {name: _estimate(estimate) for name, estimate in figures._asdict().items()}


def _estimate(estimate: Estimate) -> dict:
    return {name: None if value is None else float(f"{value:.6g}") for name, value in estimate._asdict().items()}
