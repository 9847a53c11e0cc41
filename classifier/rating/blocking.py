"""What an in-line gateway may carry no further: usage whose offers have nothing left, the last of which says so.

Rules of this file: pure. What one offer leaves goes to the next (accounting 3.3), so the last one that applies decides: with
`on_exhausted = "block"` there is nobody left who would pay. What no offer applies to is charged, never blocked.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from classifier.catalogue.records import BLOCK
from classifier.rating.allowances import period_of
from classifier.rating.figures import UsedColumns
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


def used_up(one: Route, numbers: np.ndarray, used: UsedColumns) -> np.ndarray:
    """Of each of these subscribers, by number, whether none of the offers on this route has anything left; bool[n]."""
    nothing = np.ones(len(numbers), bool)
    for claim in one.claims:
        for limit in claim.limits or ():
            nothing &= used.column(period_of(claim, limit), numbers) >= limit.octets
    return nothing
