"""Which offers pay for a piece of usage, in which order, or why none does: accounting 3.1 and 3.3, in plain Python.

Rules of this file: pure, no clock, no state. A programme applies if it covers the application, the evidence is enough, the
moment lies in its window, and the subscriber is eligible and enrolled. Whatever fails falls to "charged", with a reason. How
much of what applies is left is the business of `allowances.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import NamedTuple

from classifier.catalogue.records import Programme
from classifier.rating.periods import FOREVER_NS, Periods, instant_ns
from classifier.subscribers.load import Subscriber

PARTS = ("zero_rated", "discounted", "charged")
PART_ZERO_RATED, PART_DISCOUNTED, PART_CHARGED = range(3)

REASONS = (
    "unknown_application",
    "no_programme",
    "contradicted",
    "evidence_not_accepted",
    "unasked",
    "after_close",
    "overflow",
    "outside_window",
    "not_eligible",
    "not_enrolled",
    "registered_too_late",
    "allowance_exhausted",
)

# `accept` of a programme: the evidence that is enough (contract, programmes).
ACCEPTED = {
    "claimed": frozenset({"verified", "address", "claimed"}),
    "verified": frozenset({"verified", "address"}),
}


class Limit(NamedTuple):
    """One allowance of a programme at a moment: the programme's `place`-th, in its period that began at `begins_ns`."""

    place: int
    octets: int
    per: str
    begins_ns: int


class Claim(NamedTuple):
    """An offer that applies. `limits` in the order in which they are taken; None: without limit."""

    programme: Programme
    limits: tuple[Limit, ...] | None

    @property
    def part(self) -> int:
        """Where goes what it pays for."""
        return PART_ZERO_RATED if self.programme.rate_percent == 0 else PART_DISCOUNTED


class Route(NamedTuple):
    """Where usage goes: to each claim as far as it holds, and the rest to the subscriber, for this reason.

    `reason` None: the last claim has no limit, and nothing is left.
    """

    claims: tuple[Claim, ...]
    reason: str | None


class Offer(NamedTuple):
    """A programme with its window as instants, [starts_ns, ends_ns)."""

    programme: Programme
    starts_ns: int
    ends_ns: int
    everything: bool
    applications: frozenset[str]

    def covers(self, application: str) -> bool:
        return self.everything or application in self.applications

    def eligible(self, subscriber: Subscriber | None) -> bool:
        """Whether the subscriber is in one of the programme's groups; no group at all means everyone."""
        groups = self.programme.eligible
        if not groups:
            return True
        return subscriber is not None and any(
            group.operator in (None, subscriber.operator)
            and group.province in (None, subscriber.province)
            and group.plan in (None, subscriber.plan)
            for group in groups
        )

    def enrolled_on(self, subscriber: Subscriber | None) -> date | None:
        """The day on which the subscriber signed up."""
        return None if subscriber is None else dict(subscriber.enrolled).get(self.programme.name)

    def limits(self, subscriber: Subscriber | None, at_ns: int, periods: Periods) -> tuple[Limit, ...] | None:
        """What the subscriber is given in the periods that hold this moment; None: as much as is used."""
        programme = self.programme
        if not programme.allowances:
            return None
        given = [
            Limit(place, allowance.octets, allowance.per, periods.begins_ns(allowance.per, at_ns))
            for place, allowance in enumerate(programme.allowances)
        ]
        if self.gives_bonus(subscriber, at_ns, periods):
            month = periods.begins_ns("month", at_ns)
            given.append(Limit(len(given), programme.bonus.octets, "month", month))
        return tuple(given)

    def gives_bonus(self, subscriber: Subscriber | None, at_ns: int, periods: Periods) -> bool:
        """Whether the bonus is added in this month: the month of joining or enrolling and those that follow it."""
        bonus = self.programme.bonus
        if bonus is None or subscriber is None:
            return False
        since = subscriber.joined if bonus.since == "joined" else self.enrolled_on(subscriber)
        if since is None or (bonus.before is not None and since >= bonus.before):
            return False
        today = periods.day(at_ns)
        return since <= today and periods.month_number(today) < periods.month_number(since) + bonus.months


def make_offers(programmes: Sequence[Programme], periods: Periods) -> tuple[Offer, ...]:
    """Programmes in the order in which they apply: by priority, then the earlier end, then the name (accounting 3.3)."""
    offers = [
        Offer(
            programme,
            instant_ns(programme.starts, periods.zone),
            FOREVER_NS if programme.ends is None else instant_ns(programme.ends, periods.zone),
            programme.applications == "*",
            frozenset(() if programme.applications == "*" else programme.applications),
        )
        for programme in programmes
    ]
    return tuple(sorted(offers, key=lambda offer: (offer.programme.priority, offer.ends_ns, offer.programme.name)))


def route(
    offers: Sequence[Offer],
    application: str,
    evidence: str,
    standing: str,
    at_ns: int,
    subscriber: Subscriber | None,
    periods: Periods,
) -> Route:
    """Who pays for usage of `application` at `at_ns`. `subscriber` None: one that no file lists.

    `standing` as in records.STANDING: what the subscriber did not ask for, sent after the close, or was counted for those
    beyond the table is never free.
    """
    if standing != "taken_part":
        return Route((), standing)
    claims: list[Claim] = []
    failures: list[str] = []
    for offer in offers:
        if not offer.covers(application):
            continue
        failed = why_not(offer, evidence, at_ns, subscriber, periods)
        if failed is None:
            claims.append(Claim(offer.programme, offer.limits(subscriber, at_ns, periods)))
            if claims[-1].limits is None:
                return Route(tuple(claims), None)
        elif not offer.everything:
            failures.append(failed)
    return Route(tuple(claims), _reason(application, evidence, claims, failures))


def _reason(application: str, evidence: str, claims: Sequence[Claim], failures: Sequence[str]) -> str:
    """Why the subscriber pays. Of several offers that fail the first one counts that names the application: an offer for
    everything, which somebody else may have, says nothing about this application."""
    if evidence == "contradicted":
        return "contradicted"
    if claims:
        return "allowance_exhausted"
    if failures:
        return failures[0]
    return "unknown_application" if application == "unknown" else "no_programme"


def why_not(offer: Offer, evidence: str, at_ns: int, subscriber: Subscriber | None, periods: Periods) -> str | None:
    """The reason why this offer does not apply, or None if it does. An offer for everything asks for no evidence."""
    if not offer.everything and evidence not in ACCEPTED[offer.programme.accept]:
        return "contradicted" if evidence == "contradicted" else "evidence_not_accepted"
    # Before the window: its dates mean nothing to whom the offer is not for.
    if not offer.eligible(subscriber):
        return "not_eligible"
    if not offer.starts_ns <= at_ns < offer.ends_ns:
        return "outside_window"
    if offer.programme.enrolment == "required":
        day, deadline = offer.enrolled_on(subscriber), offer.programme.registered_before
        # Enrolment counts from its day's midnight.
        if day is None or at_ns < instant_ns(day, periods.zone):
            return "not_enrolled"
        if deadline is not None and day >= deadline:
            return "registered_too_late"
    return None
