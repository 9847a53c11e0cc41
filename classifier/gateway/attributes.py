"""What offers ask of a subscriber, as a ledger keeps it and as rating takes it.

Rule of this file: it needs no kernels, so that reports of a ledger start without them.
"""

from __future__ import annotations

from datetime import date

from classifier.ledger.entries import Attributes
from classifier.subscribers.load import Subscriber


def attributes_of(subscriber: Subscriber) -> Attributes:
    """A row of the subscriber file as a ledger keeps it."""
    joined = None if subscriber.joined is None else subscriber.joined.isoformat()
    enrolled = tuple((name, day.isoformat()) for name, day in subscriber.enrolled)
    return Attributes(subscriber.operator, subscriber.province, subscriber.plan, joined, enrolled)


def subscriber_of(name: str, attributes: Attributes) -> Subscriber:
    """The other way round: as rating asks for it."""
    joined = None if attributes.joined is None else date.fromisoformat(attributes.joined)
    enrolled = tuple((programme, date.fromisoformat(day)) for programme, day in attributes.enrolled)
    return Subscriber(name, (), attributes.operator, attributes.province, attributes.plan, joined, enrolled)
