"""From a ledger to what an offer did: which usage is the offer's, who could have it, and which days are before and after.

Rules of this file: usage counts as the application's by the evidence that the offer asks for, on all days alike. Terms and
attributes are the latest that the ledger has.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta

import numpy as np

from classifier.campaigns.activity import Activity
from classifier.campaigns.measure import Campaign, measure
from classifier.campaigns.windows import Window, equal_windows
from classifier.catalogue.records import Programme
from classifier.catalogue.terms import programme_of
from classifier.errors import ConfigurationError
from classifier.gateway.ledger_sums import ledger_periods
from classifier.ledger.read import LedgerReader, OutcomeName
from classifier.rating.offers import ACCEPTED, Offer, make_offers
from classifier.rating.periods import Periods, instant_ns
from classifier.subscribers.load import Subscriber
from classifier.validation import did_you_mean


def campaign(reader: LedgerReader, name: str) -> Campaign:
    """The offer of this name. ConfigurationError where the ledger has no such offer, or nothing of its days."""
    programme = _latest_terms(reader, name)
    periods = ledger_periods(reader)
    (offer,) = make_offers([programme], periods)
    days = sorted({date.fromisoformat(total.day) for total in reader.day_totals()})
    if not days:
        raise ConfigurationError(f"{reader.path}: holds no usage yet; there is nothing to compare")
    ends = None if programme.ends is None else _edge(programme.ends, periods)
    windows = equal_windows(_edge(programme.starts, periods), ends, Window(days[0], days[-1] + timedelta(days=1)))
    if windows is None:
        dates = f"from {programme.starts}" + (f" to {programme.ends}" if programme.ends else "")
        raise ConfigurationError(
            f"{reader.path}: no whole day of {name}, which runs {dates}; its usage is from {days[0]} to {days[-1]}"
        )
    profiles, of_subscriber = reader.profiles()
    may_have = np.array([offer.eligible(Subscriber("", (), *one, None, ())) for one in profiles], bool)
    eligible = may_have[of_subscriber][1:]
    if not eligible.any():
        raise ConfigurationError(
            f"{reader.path}: none of its subscribers is eligible for {name}; rate it with their operators and plans"
        )
    activity = Activity(days, windows.equal, eligible)
    outcomes = reader.outcomes()
    covered = np.array([_is_covered(offer, one) for one in outcomes])
    takes_part = np.array([one is not None and one.standing == "taken_part" for one in outcomes])
    for piece in reader.usage():
        octets = piece.volumes[0] + piece.volumes[1]
        day = date.fromisoformat(piece.day)
        activity.add(day, piece.subscriber - 1, octets, covered[piece.outcome], takes_part[piece.outcome])
    return Campaign(programme, periods.zone.key, _enrolled(reader, programme, eligible), measure(activity, windows))


def _latest_terms(reader: LedgerReader, name: str) -> Programme:
    programmes = reader.programmes()
    versions = [number for number, (one, _, _) in programmes.items() if one == name]
    if not versions:
        near = did_you_mean(name, sorted({one for one, _, _ in programmes.values()}))
        raise ConfigurationError(f'{reader.path}: has no programme "{name}"; {near}')
    return programme_of(programmes[max(versions)][2])


def _edge(moment: date | datetime, periods: Periods) -> Window:
    """The days that are neither before nor after a moment: none at midnight, else its day."""
    at_ns = instant_ns(moment, periods.zone)
    day = periods.day(at_ns)
    whole = at_ns == instant_ns(day, periods.zone)
    return Window(day, day if whole else day + timedelta(days=1))


def _is_covered(offer: Offer, outcome: OutcomeName | None) -> bool:
    if outcome is None or not offer.covers(outcome.application):
        return False
    return offer.everything or outcome.evidence in ACCEPTED[offer.programme.accept]


def _enrolled(reader: LedgerReader, programme: Programme, eligible: np.ndarray) -> int | None:
    if programme.enrolment != "required":
        return None
    return sum(
        bool(eligible[number - 1]) and programme.name in dict(attributes.enrolled)
        for number, attributes in reader.attributes().items()
    )
