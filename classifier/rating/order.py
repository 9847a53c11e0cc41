"""Whether it matters to the totals which application was used first.

Rule of this file: it asks about offers, never about usage. Where an allowance is followed by the same offers for all that it
covers, sums fill it like their parts do, in whatever order. Where it is not (a package of A and B, and behind it an offer for
A alone), rule 3.3 itself makes the totals depend on what was used first: B then A leaves A to the second offer, A then B
leaves B to the subscriber. No rule that charges at once and corrects nothing later could do else. Such offers are rated in
short intervals everywhere, so that a replay agrees with a live run.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import product

from classifier.rating.offers import ACCEPTED, Offer
from classifier.records import EVIDENCE
from classifier.subscribers.load import Subscriber


def order_matters(
    offers: Sequence[Offer], application_names: Sequence[str], subscribers: Iterable[Subscriber | None]
) -> bool:
    """Whether any of these subscribers could have an allowance that different offers follow. `offers` in their order; when
    they apply, and whether a day or a month is over, is left aside."""
    if not _parts_ways(offers, application_names, stop_at_no_limit=False):
        return False
    open_to = {tuple(offer.programme.name for offer in offers if _may_have(offer, one)) for one in subscribers}
    return any(
        _parts_ways(
            [offer for offer in offers if offer.programme.name in names], application_names, stop_at_no_limit=True
        )
        for names in open_to
    )


def _parts_ways(offers: Sequence[Offer], application_names: Sequence[str], *, stop_at_no_limit: bool) -> bool:
    """Whether an offer with an allowance is followed by others for one kind of usage than for another.

    Without `stop_at_no_limit` the answer holds for any part of the offers, too, if it is no.
    """
    followers: dict[str, tuple[str, ...]] = {}
    for application, evidence in product(application_names, EVIDENCE):
        chain = [
            offer
            for offer in offers
            if offer.everything or (application in offer.applications and evidence in ACCEPTED[offer.programme.accept])
        ]
        if stop_at_no_limit:
            unlimited = [place for place, offer in enumerate(chain) if not offer.programme.allowances]
            chain = chain[: unlimited[0] + 1] if unlimited else chain
        names = tuple(offer.programme.name for offer in chain)
        for place, offer in enumerate(chain):
            if (
                offer.programme.allowances
                and followers.setdefault(names[place], names[place + 1 :]) != names[place + 1 :]
            ):
                return True
    return False


def _may_have(offer: Offer, subscriber: Subscriber | None) -> bool:
    enrolled = offer.programme.enrolment == "automatic" or offer.enrolled_on(subscriber) is not None
    return enrolled and offer.eligible(subscriber)
