"""Which offer pays for a piece of usage, or why none does: accounting 3, in plain Python.

Rules of this file: pure, no clock, no state. A programme applies if it covers the application, the moment lies in its window,
the subscriber is eligible and enrolled, and the evidence is enough. Whatever fails falls to "charged", with a reason.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from classifier.catalogue.records import Programme
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
    "allowance_not_rated",
)

# `accept` of a programme: the evidence that is enough (contract, programmes).
ACCEPTED = {
    "claimed": frozenset({"verified", "address", "claimed"}),
    "verified": frozenset({"verified", "address"}),
}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FOREVER_NS = 2**63 - 1


def instant_ns(value: date | datetime, zone: ZoneInfo) -> int:
    """Nanoseconds since 1970 UTC. A date is its local midnight (accounting 3.4)."""
    if not isinstance(value, datetime):
        value = datetime.combine(value, time(), zone)
    return (value - _EPOCH) // timedelta(microseconds=1) * 1000


@dataclass(frozen=True, slots=True)
class Offer:
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

    def enrolled(self, subscriber: Subscriber | None, at_ns: int, zone: ZoneInfo) -> bool:
        """Whether the subscriber had signed up by then; enrolment counts from that day's midnight."""
        if self.programme.enrolment == "automatic":
            return True
        return subscriber is not None and any(
            name == self.programme.name and instant_ns(day, zone) <= at_ns for name, day in subscriber.enrolled
        )


@dataclass(frozen=True, slots=True)
class Decision:
    """Where usage goes: the part, and the programme that pays or the reason why none does."""

    part: int
    programme: Programme | None
    reason: str | None


def charged(reason: str) -> Decision:
    """The subscriber pays."""
    return Decision(PART_CHARGED, None, reason)


def make_offers(programmes: Sequence[Programme], zone: ZoneInfo) -> tuple[Offer, ...]:
    """Programmes in the order in which they apply: by priority, then the earlier end, then the name (accounting 3.3)."""
    offers = [
        Offer(
            programme,
            instant_ns(programme.starts, zone),
            _FOREVER_NS if programme.ends is None else instant_ns(programme.ends, zone),
            programme.applications == "*",
            frozenset(() if programme.applications == "*" else programme.applications),
        )
        for programme in programmes
    ]
    return tuple(sorted(offers, key=lambda offer: (offer.programme.priority, offer.ends_ns, offer.programme.name)))


def decide(
    offers: Sequence[Offer],
    application: str,
    evidence: str,
    standing: str,
    at_ns: int,
    subscriber: Subscriber | None,
    zone: ZoneInfo,
) -> Decision:
    """Who pays for usage of `application` at `at_ns`. `subscriber` None: one that no file lists.

    `standing` as in records.STANDING: what the subscriber did not ask for, sent after the close, or was counted for those
    beyond the table is never free. The reason given is the first programme's, in their order, that covers the application.
    """
    if standing != "taken_part":
        return charged(standing)
    reason = None
    for offer in offers:
        if not offer.covers(application):
            continue
        failed = why_not(offer, evidence, at_ns, subscriber, zone)
        if failed is None:
            part = PART_ZERO_RATED if offer.programme.rate_percent == 0 else PART_DISCOUNTED
            return Decision(part, offer.programme, None)
        reason = reason or failed
    if reason is None:
        reason = "unknown_application" if application == "unknown" else "no_programme"
    if evidence == "contradicted":
        reason = "contradicted"
    return charged(reason)


def why_not(offer: Offer, evidence: str, at_ns: int, subscriber: Subscriber | None, zone: ZoneInfo) -> str | None:
    """The reason why this offer does not pay, or None if it does. An offer for everything asks for no evidence."""
    if not offer.everything and evidence not in ACCEPTED[offer.programme.accept]:
        return "contradicted" if evidence == "contradicted" else "evidence_not_accepted"
    if not offer.starts_ns <= at_ns < offer.ends_ns:
        return "outside_window"
    if not offer.eligible(subscriber):
        return "not_eligible"
    if not offer.enrolled(subscriber, at_ns, zone):
        return "not_enrolled"
    if offer.programme.allowance is not None:
        return "allowance_not_rated"
    return None
