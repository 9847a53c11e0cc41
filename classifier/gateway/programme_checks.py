"""What programmes and subscribers say of each other: enrolments for nothing, and what is allowed and most likely not meant.

Rules of this file: one line each, `file: key: what; mend`. What one file shows alone is found by the room that reads it. No
kernel is needed to ask.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from classifier.catalogue.records import OPERATOR, Programme
from classifier.subscribers.load import Subscriber
from classifier.validation import did_you_mean

_ATTRIBUTES = ("operator", "province", "plan")


def programme_warnings(
    programmes: Sequence[Programme], subscribers: Sequence[Subscriber], subscriber_file: Path | None
) -> Iterator[str]:
    """Eligible attributes that no subscriber has, and tariffs that nobody owes. Without a file there is nothing to compare."""
    known = {name: sorted({getattr(one, name) for one in subscribers} - {""}) for name in _ATTRIBUTES}
    for programme in programmes:
        if subscriber_file is not None:
            yield from _unknown_attributes(programme, known, subscriber_file)
        if programme.tariff is not None and programme.payer == OPERATOR:
            yield f'{programme.file}: tariff: the payer is "{OPERATOR}", who owes nobody; name the payer or take it away'


def unknown_enrolments(
    programmes: Sequence[Programme], subscribers: Sequence[Subscriber], subscriber_file: Path | None
) -> list[str]:
    """Mistakes: enrolments in programmes that are not there."""
    known = [programme.name for programme in programmes]
    wanted = {name: subscriber.name for subscriber in reversed(subscribers) for name, _ in subscriber.enrolled}
    return [
        f'{subscriber_file}: enrolled: subscriber "{subscriber}": no programme is named "{name}"; '
        + did_you_mean(name, known)
        for name, subscriber in sorted(wanted.items())
        if name not in known
    ]


def _unknown_attributes(programme: Programme, known: dict[str, list[str]], subscriber_file: Path) -> Iterator[str]:
    told = set()
    for number, group in enumerate(programme.eligible, 1):
        for name in _ATTRIBUTES:
            value = getattr(group, name)
            if value is None or value in known[name] or (name, value) in told:
                continue
            told.add((name, value))
            mend = did_you_mean(value, known[name])
            yield f'{programme.file}: eligible[{number}].{name}: no subscriber in {subscriber_file} has "{value}"; {mend}'
