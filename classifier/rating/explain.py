"""What one subscriber is given at one moment by each programme, and why not by another: `offers.why_not`, told apart.

Rule of this file: it decides nothing. The evidence is taken for verified, as the question is about the subscriber.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from classifier.catalogue.records import Programme
from classifier.rating.allowances import Used, key_of
from classifier.rating.offers import Claim, Limit, make_offers, why_not
from classifier.rating.periods import Periods
from classifier.subscribers.load import Subscriber


@dataclass(frozen=True, slots=True)
class Explained:
    """One programme for one subscriber. `failed`: the reason why it does not apply, None if it does.

    `limits`: the allowances in order, each with the octets left of it; None: no limit, or it does not apply.
    """

    programme: Programme
    failed: str | None
    limits: tuple[tuple[Limit, int], ...] | None


def explain(
    programmes: Sequence[Programme],
    subscriber: Subscriber | None,
    number: int,
    at_ns: int,
    periods: Periods,
    used: Used,
) -> tuple[Explained, ...]:
    """All programmes in the order in which they apply. `subscriber` None: one that no file lists; `number`: as in `used`."""
    explained = []
    for offer in make_offers(programmes, periods):
        failed = why_not(offer, "verified", at_ns, subscriber, periods)
        given = None if failed else offer.limits(subscriber, at_ns, periods)
        if given is None:
            explained.append(Explained(offer.programme, failed, None))
            continue
        claim = Claim(offer.programme, given)
        left = [max(limit.octets - used.get(key_of(number, claim, limit), 0), 0) for limit in given]
        explained.append(Explained(offer.programme, None, tuple(zip(given, left, strict=True))))
    return tuple(explained)
