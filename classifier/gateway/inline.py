"""In line: what runs between two ports, and what it lets through.

Rules of this file: a block begins and ends with an interval, as that is when usage is rated, so what is carried before is at
most an interval's; it is charged, and what is dropped is in no usage. Who is not known to be used up passes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from classifier.metering.blocking import Cases
from classifier.rating.figures import UsedColumns
from classifier.rating.rate import Rater
from classifier.subscribers.load import BARRED, Subscriber


@dataclass(frozen=True, slots=True)
class Ports:
    """Where an in-line gateway stands: the names of its two interfaces. `fail_open`: Linux forwards when it has ended."""

    inside: str
    outside: str
    fail_open: bool = False


class Gate:
    """Says to the meter what is blocked, from the start and at the end of every interval.

    `block` is the meter's; `subscribers` those listed, numbered from 1. `say` gets a line when there is no room for all.
    """

    def __init__(
        self,
        rater: Rater,
        subscribers: Sequence[Subscriber | None],
        block: Callable[[Mapping[int, Cases]], int],
        say: Callable[[str], None] = lambda line: None,
    ) -> None:
        self._rater = rater
        self._block = block
        self._say = say
        self._barred = _barred(subscribers)
        self._blocked: dict[int, Cases] = {}  # of those who have used something up
        self._full = False
        self._set()

    def renew(self, exhausted: Iterable[tuple[int, str]], used: UsedColumns, at_ns: int) -> None:
        """An interval was rated: `exhausted` as in `Rated`, `used` how allowances stand, and the next begins at `at_ns`."""
        asked = {*self._blocked, *(number for number, _ in exhausted if number > 0)}
        blocked = self._rater.blocked(asked, used, at_ns) if asked else {}
        if blocked != self._blocked:
            self._blocked = blocked
            self._set()

    def turn(self, rater: Rater, subscribers: Sequence[Subscriber | None], used: UsedColumns, at_ns: int) -> None:
        """Other offers and other subscribers are in force from this moment on."""
        self._rater, self._barred = rater, _barred(subscribers)
        self._blocked = rater.blocked(self._blocked, used, at_ns)
        self._set()

    def _set(self) -> None:
        left_out = self._block({**self._blocked, **self._barred})
        if left_out and not self._full:
            self._say(
                f"{left_out} subscribers are charged and not blocked: too many different things are used up at a time"
            )
        self._full = bool(left_out)


def _barred(subscribers: Sequence[Subscriber | None]) -> dict[int, Cases]:
    return {number: None for number, one in enumerate(subscribers, 1) if one is not None and one.state == BARRED}
