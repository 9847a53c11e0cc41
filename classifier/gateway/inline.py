"""In line: what runs between two ports, and what it lets through.

Rules of this file: the kernels count down what may be used, so that the packet behind the one that used it up is blocked; here
they are told what there is, whenever an interval begins under other terms, and what rating says is used, when one has ended.
What there is no room for passes and is charged.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple, Protocol

import numpy as np

from classifier.metering.blocking import BARRED, FIRST_KIND, KINDS_TOLD, NOTHING, SLOTS_TOLD, Allowed
from classifier.rating.allowances import AllowancePeriod
from classifier.rating.blocking import Terms
from classifier.rating.figures import UsedColumns
from classifier.rating.rate import Rater
from classifier.subscribers.load import BARRED as STATE_BARRED
from classifier.subscribers.load import Subscriber


class Ports(NamedTuple):
    """Where an in-line gateway stands: the names of its two interfaces. `fail_open`: Linux forwards when it has ended."""

    inside: str
    outside: str
    fail_open: bool = False


class Door(Protocol):
    """The meter, as far as it is told what may pass."""

    def subscriber_numbers(self) -> tuple[int, int]: ...
    def block(self, kind_of: np.ndarray, kinds: Sequence[Allowed], since_ns: int) -> None: ...
    def tell_used(self, numbers: np.ndarray, used: np.ndarray) -> None: ...


class Gate:
    """Says to the meter what may be used, and what is.

    `subscribers` are those listed, numbered from 1; `used` is how allowances stand, now and later. `say` gets a line when
    there is no room for all.
    """

    def __init__(
        self,
        rater: Rater,
        subscribers: Sequence[Subscriber | None],
        meter: Door,
        used: UsedColumns,
        say: Callable[[str], None] = lambda line: None,
    ) -> None:
        self._meter, self._used, self._say = meter, used, say
        self._full = False
        self.turn(rater, subscribers)

    def turn(self, rater: Rater, subscribers: Sequence[Subscriber | None]) -> None:
        """Other offers and other subscribers are in force in the interval that begins next."""
        self._rater, self._listed = rater, subscribers
        self._barred = [n for n, one in enumerate(subscribers, 1) if one is not None and one.state == STATE_BARRED]
        self._moment: object = None

    def open(self, start_ns: int) -> None:
        """An interval begins: before its first packet. No terms change within one."""
        moment = self._rater.moment(start_ns)
        if moment == self._moment:
            return
        self._moment = moment
        known, places = self._meter.subscriber_numbers()
        terms, place_of = self._rater.terms(start_ns)
        slots = {name: slot for slot, name in enumerate(self._slots(terms))}
        self._limits = [
            [(slots[name], name, its) for name, its in one.limits.items() if slots[name] < SLOTS_TOLD]
            for one in terms[:KINDS_TOLD]
        ]
        kinds = [_allowed(one, slots) for one in terms[:KINDS_TOLD]]
        told = np.array([FIRST_KIND + n if n < KINDS_TOLD and one.courses else NOTHING for n, one in enumerate(terms)])
        self._kind_of = told[place_of][self._rater.profile_of(np.arange(places))].astype(np.uint16)
        self._kind_of[0] = NOTHING  # those beyond the table
        self._kind_of[self._barred] = BARRED
        self._meter.block(self._kind_of, kinds, start_ns)
        self.renew(np.arange(1, known))
        whole = [n < KINDS_TOLD and len(kinds[n].courses) == len(one.courses) for n, one in enumerate(terms)]
        self._tell_room(~np.array(whole, bool)[place_of])

    def renew(self, numbers: np.ndarray) -> None:
        """An interval was rated: what of allowances these subscribers have used."""
        kind_of = self._kind_of[numbers]
        used = np.zeros((len(numbers), SLOTS_TOLD), np.int64)
        for kind in np.flatnonzero(np.bincount(kind_of)).tolist():
            alike = np.flatnonzero(kind_of == kind)
            for slot, name, limits in self._limits[kind - FIRST_KIND] if kind >= FIRST_KIND else ():
                for one in limits:
                    stands = self._used.column(AllowancePeriod(name, one.place, one.begins_ns), numbers[alike])
                    used[alike, slot] += np.minimum(stands, one.octets)
        self._meter.tell_used(numbers, used)

    def _slots(self, terms: Sequence[Terms]) -> list[str]:
        """The programmes that are counted down, in the order in which they apply."""
        watched = {name for one in terms for name in one.limits}
        return [one.name for one in self._rater.programmes if one.name in watched]

    def _tell_room(self, left_out: np.ndarray) -> None:
        """A line where some pass once they have used everything up: `left_out` by profile."""
        listed = np.array([number for number, one in enumerate(self._listed, 1) if one is not None], np.int64)
        count = int(left_out[self._rater.profile_of(listed)].sum())
        if left_out.any() and not self._full:
            others = " and those who are not listed" if left_out[0] else ""
            self._say(
                f"{count} subscribers{others} are charged and not blocked: too many different offers apply at a time"
            )
        self._full = bool(left_out.any())


def _allowed(terms: Terms, slots: Mapping[str, int]) -> Allowed:
    """The same by slot; a course for which there are not slots enough is left out."""
    courses = {}
    for case, course in terms.courses.items():
        its = [slots[name] for name in course.programmes]
        if max(its) < SLOTS_TOLD:
            courses[case] = (its, course.blocks)
    given = {slots[name]: sum(one.octets for one in limits) for name, limits in terms.limits.items()}
    return Allowed({slot: octets for slot, octets in given.items() if slot < SLOTS_TOLD}, courses)
