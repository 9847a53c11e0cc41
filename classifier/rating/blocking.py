"""What an in-line gateway may carry no further: usage whose offers have nothing left, the last of which says so.

Rules of this file: pure. What one offer leaves goes to the next (accounting 3.3), so the last one that applies decides: with
`on_exhausted = "block"` there is nobody left who would pay. What no offer applies to is charged, never blocked.
"""

from __future__ import annotations

from collections.abc import Sequence

from classifier.catalogue.records import BLOCK
from classifier.rating.allowances import Used, key_of
from classifier.rating.offers import Offer, Route, route
from classifier.rating.periods import Periods
from classifier.records import EVIDENCE, STANDING, STANDING_TAKEN_PART
from classifier.subscribers.load import Subscriber

Case = tuple[int, int]  # an application and an evidence, by number


def blocking_routes(
    offers: Sequence[Offer],
    application_names: Sequence[str],
    subscriber: Subscriber | None,
    at_ns: int,
    periods: Periods,
) -> dict[Case, Route]:
    """The cases that end in a block once their offers have nothing left, for subscribers like this one at this moment."""
    found = {}
    for application, name in enumerate(application_names):
        for evidence, kind in enumerate(EVIDENCE):
            one = route(offers, name, kind, STANDING[STANDING_TAKEN_PART], at_ns, subscriber, periods)
            if one.claims and one.reason is not None and one.claims[-1].programme.on_exhausted == BLOCK:
                found[application, evidence] = one
    return found


def used_up(one: Route, number: int, used: Used) -> bool:
    """Whether none of the offers on this route has anything left for the subscriber of this number."""
    return all(
        used.get(key_of(number, claim, limit), 0) >= limit.octets
        for claim in one.claims
        for limit in claim.limits or ()
    )
