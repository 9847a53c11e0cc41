"""Which number is which application and which subscriber, for as long as a meter lives, whatever is reloaded meanwhile.

Rules of this file: a number is given to a name once and never to another. What is gone keeps its number and its name, since
sums were made under it; what comes back has it again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from classifier.catalogue.records import Catalogue
from classifier.errors import ConfigurationError
from classifier.gateway.labels import BEYOND_LABEL
from classifier.gateway.watching import AddressWatch
from classifier.subscribers.load import Subscriber


class ApplicationNumbers:
    """`names` by number, 0 is "unknown"; only grows."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue  # its rules are asked for at a reload, and a replay has none: 20 ms
        self.names = catalogue.application_names

    def with_those_of(self, catalogue: Catalogue) -> tuple[str, ...]:
        """The names as they would be with this catalogue."""
        return (*self.names, *(name for name in catalogue.application_names if name not in set(self.names)))

    def turn(self, catalogue: Catalogue) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Another catalogue is in force: (its applications' numbers, 1 for each number that it does not have, and for each of
        the former rules its place among the new ones, -1 where it is gone)."""
        self.names = self.with_those_of(catalogue)
        place = {name: number for number, name in enumerate(self.names)}
        number_of = np.array([place[name] for name in catalogue.application_names], np.int64)
        gone = np.ones(len(self.names), np.uint8)
        gone[number_of] = 0
        # A pattern that is another application's now is that one's, as a name that is read from now on would be.
        former, self._catalogue = _rule_texts(self._catalogue), catalogue
        rules = {text: number for number, text in enumerate(_rule_texts(catalogue))}
        rule_of = np.array([rules.get(text, -1) for text in former], np.int32)
        return number_of, gone, rule_of


def _rule_texts(catalogue: Catalogue) -> list[str]:
    from classifier.catalogue.rules import domain_rules

    return [rule.pattern.text for rule in domain_rules(catalogue)]


class SubscriberNumbers:
    """Those of the subscriber file, by number: from 1 on those of the start, others that came later where there was room.

    `names` has the names of the first numbers, `late` those of the later ones.
    """

    def __init__(self, listed: Sequence[Subscriber], watch: AddressWatch | None) -> None:
        self.names = (BEYOND_LABEL, *(one.name for one in listed))
        self.late: dict[int, str] = {}
        self._number_of = {name: number for number, name in enumerate(self.names) if number}
        self._listed: dict[int, Subscriber] = dict(enumerate(listed, 1))
        self._watch = watch

    def check_room(self, listed: Sequence[Subscriber], room: int) -> None:
        """ConfigurationError where there are more new names among these than `room` numbers."""
        missing = sum(not self.find(one.name) for one in listed)
        if missing > room:
            raise ConfigurationError(f"{missing} more subscribers do not fit beside those seen; restart freeflow")

    def turn(self, listed: Sequence[Subscriber], reserve: Callable[[int], int]) -> np.ndarray:
        """Another file is in force: the numbers of its subscribers, behind a 0. `reserve` gives the first of many new ones."""
        found = [self.find(one.name) for one in listed]
        fresh = reserve(found.count(0))
        for place, one in enumerate(listed):
            if not found[place]:
                found[place] = self._number_of[one.name] = fresh
                self.late[fresh] = one.name
                fresh += 1
        self._listed = dict(zip(found, listed, strict=True))
        if self._watch:
            self._watch.relist({one.name: number for number, one in self._listed.items()})
        return np.array([0, *found], np.int64)

    def by_number(self) -> list[Subscriber | None]:
        """The subscribers that are listed now, from number 1 on; None where a number is somebody else's."""
        return [self._listed.get(number) for number in range(1, 1 + max(self._listed, default=0))]

    def find(self, name: str) -> int:
        """The number of a name that was listed, or bound by RADIUS or DHCP, before; 0 where it is new."""
        return self._number_of.get(name) or (self._watch.number_of(name) if self._watch else 0)
