"""What an in-line gateway may carry no further: usage whose offers have nothing left, the last of which says so.

Rules of this file: pure. What one offer leaves goes to the next (accounting 3.3), so the last one that applies decides: with
`on_exhausted = "block"` there is nobody left who would pay. What no offer applies to is charged, never blocked.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from classifier.catalogue.records import BLOCK
from classifier.rating.offers import Limit, Offer, Route, route, why_not
from classifier.rating.periods import Periods
from classifier.records import EVIDENCE, STANDING, STANDING_TAKEN_PART
from classifier.subscribers.load import Subscriber

Case = tuple[int, int]  # an application and an evidence, by number
Kind = tuple[tuple[Limit, ...] | None, ...]


class Course(NamedTuple):
    """The programmes with an allowance that usage takes from, in their order. `blocks`: once they are used up, none passes."""

    programmes: tuple[str, ...]
    blocks: bool


class Terms(NamedTuple):
    """What decides over blocks for subscribers who are alike, at a moment: what each programme gives, and the course of each
    case that ends in a block, or takes from a programme that such a case takes from, too."""

    limits: Mapping[str, tuple[Limit, ...]]
    courses: Mapping[Case, Course]


def kind_of(offers: Sequence[Offer], subscriber: Subscriber | None, at_ns: int, periods: Periods) -> Kind:
    """What of this subscriber offers can tell: of each whether it applies, and what it gives. Who has the same, has the same
    terms."""
    return tuple(
        None
        if why_not(offer, "verified", at_ns, subscriber, periods)
        else offer.limits(subscriber, at_ns, periods) or ()
        for offer in offers
    )


def terms_of(
    offers: Sequence[Offer],
    application_names: Sequence[str],
    subscriber: Subscriber | None,
    at_ns: int,
    periods: Periods,
) -> Terms:
    """The terms of subscribers like this one at this moment."""
    known: dict[tuple, Route] = {}
    routes: dict[Case, Route] = {}
    for application, name in enumerate(application_names):
        covered = tuple(offer.covers(name) for offer in offers)
        for evidence, kind in enumerate(EVIDENCE):
            if (covered, kind) not in known:
                known[covered, kind] = route(
                    offers, name, kind, STANDING[STANDING_TAKEN_PART], at_ns, subscriber, periods
                )
            routes[application, evidence] = known[covered, kind]
    watched = {name for one in known.values() if _ends_in_block(one) for name in _limited(one)}
    # What else takes from these takes from others before or behind, which have to be known, too.
    while more := {name for one in known.values() if watched & {*_limited(one)} for name in _limited(one)} - watched:
        watched |= more
    limits = {
        claim.programme.name: claim.limits
        for one in known.values()
        for claim in one.claims
        if claim.programme.name in watched and claim.limits is not None
    }
    courses = {
        case: Course(_limited(one), _ends_in_block(one)) for case, one in routes.items() if watched & {*_limited(one)}
    }
    return Terms(limits, courses)


def _limited(one: Route) -> tuple[str, ...]:
    return tuple(claim.programme.name for claim in one.claims if claim.limits is not None)


def _ends_in_block(one: Route) -> bool:
    return bool(one.claims) and one.reason is not None and one.claims[-1].programme.on_exhausted == BLOCK
