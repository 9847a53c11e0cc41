"""Usage by subscriber in columns: a sequence of records that makes each only when it is asked for.

Rules of this file: all sums and orders are NumPy's, over whole columns; text and records are made for what is asked, so that
a report of many subscribers of which few are shown costs next to nothing: a record of each of 24,000 took 0.2 to 0.4 s, and
who of them has most 0.02 s. What was made once is never another the next time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cached_property, partial
from itertools import pairwise
from typing import TypeVar, overload

import numpy as np

from classifier.rating.offers import PARTS, REASONS
from classifier.records import ApplicationUsage, SubscriberUsage, UsageColumns

# Columns are made so many subscribers at a time: enough to pay, few enough for their text, some MB, to stay in the cache.
BATCH_SUBSCRIBERS = 4096
_Record = TypeVar("_Record", SubscriberUsage, ApplicationUsage)


class _Columns:
    """Subscribers as they are numbered, and the applications of each, most octets first; of `rows` and `volumes` as below."""

    def __init__(self, rows: Mapping[str, np.ndarray], volumes: np.ndarray, application_names: Sequence[str]) -> None:
        subscriber, application, octets = rows["subscriber"], rows["application"], volumes[0] + volumes[1]
        run, starts = _runs(subscriber, application)
        owner, first = _runs(subscriber[starts])
        parts = np.zeros((len(PARTS), len(octets)), np.int64)
        parts[rows["part"], np.arange(len(octets))] = octets
        up, down, up_packets, down_packets = _sums(volumes, starts)
        figures = np.stack([up, down, up_packets + down_packets, *_sums(parts, starts)])
        number = application[starts]
        by_octets = _most_first(owner, up + down, _ranks(application_names)[number])
        self.application, self.figures = number[by_octets], figures[:, by_octets]
        place = np.empty_like(by_octets)
        place[by_octets] = np.arange(len(by_octets))
        self.first_reason, self.reason, self.reason_octets = _because(place[run], rows["reason"], octets)
        self.subscriber = subscriber[starts][first]
        self.first_application = np.append(first, len(starts))
        self.parts = _sums(self.figures[-len(PARTS) :], first)
        # Places of subscribers, most octets first. Those of equal octets are in order as far as there are labels.
        descending = -self.parts.sum(axis=0)
        self.order = np.argsort(descending, kind="stable")
        self.descending = descending[self.order]


class SubscriberUsages(Sequence[SubscriberUsage]):
    """Subscribers, most octets first, then by label; immutable, and equal to any sequence of the same records.

    `rows` are columns of one length by name: `subscriber`, `application`, `part` (a place in PARTS) and `reason` (a place in
    REASONS, -1 where it is free), sorted by subscriber, then application; `volumes` is i8[4, rows]: octets uplink and
    downlink, packets uplink and downlink. `application_names` and `labels_of` (of an array of subscriber numbers) name them.
    """

    def __init__(
        self,
        rows: Mapping[str, np.ndarray],
        volumes: np.ndarray,
        application_names: Sequence[str],
        labels_of: Callable[[np.ndarray], list[str]],
    ) -> None:
        self._given = rows, volumes
        self._application_names, self._labels_of = application_names, labels_of
        self._labels: list[str] = []

    @cached_property
    def _columns(self) -> _Columns:
        columns = _Columns(*self._given, self._application_names)
        del self._given
        return columns

    def __len__(self) -> int:
        return len(self._columns.order)

    @overload
    def __getitem__(self, place: int) -> SubscriberUsage: ...
    @overload
    def __getitem__(self, place: slice) -> tuple[SubscriberUsage, ...]: ...
    def __getitem__(self, place):
        if isinstance(place, slice):
            return tuple(self._records(range(len(self))[place]))
        found = range(len(self))[place]
        return next(self._records(range(found, found + 1)))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Sequence):
            return NotImplemented
        return len(self) == len(other) and all(mine == its for mine, its in zip(self, other, strict=True))

    def __hash__(self) -> int:
        return hash(tuple(self))

    def columns(self) -> Iterator[UsageColumns]:
        """All of them in columns, BATCH_SUBSCRIBERS at a time."""
        its = self._columns
        for first in range(0, len(self), BATCH_SUBSCRIBERS):
            end = min(first + BATCH_SUBSCRIBERS, len(self))
            self._settle(end)
            subscribers = its.order[first:end]
            chosen, first_application = _members(its.first_application, subscribers)
            entries, first_reason = _members(its.first_reason, chosen)
            yield UsageColumns(
                labels=self._labels[first:end],
                parts=its.parts[:, subscribers],
                first_application=first_application,
                application=its.application[chosen],
                application_names=self._application_names,
                figures=its.figures[:, chosen],
                first_reason=first_reason,
                reason=its.reason[entries],
                reasons=REASONS,
                reason_octets=its.reason_octets[entries],
            )

    def _records(self, places: range) -> Iterator[SubscriberUsage]:
        """The records at these places of the sequence."""
        if places:
            self._settle(max(places[0], places[-1]) + 1)
        subscribers = self._columns.order[np.arange(places.start, places.stop, places.step)]
        chosen, firsts = _members(self._columns.first_application, subscribers)
        made = self._applications(chosen)
        applications = [made[start:end] for start, end in pairwise(firsts.tolist())]
        labels = map(self._labels.__getitem__, places)
        return _made(SubscriberUsage, labels, self._columns.parts[:, subscribers], applications)

    def _applications(self, chosen: np.ndarray) -> tuple[ApplicationUsage, ...]:
        entries, firsts = _members(self._columns.first_reason, chosen)
        reasons = map(REASONS.__getitem__, self._columns.reason[entries].tolist())
        pairs = tuple(zip(reasons, self._columns.reason_octets[entries].tolist(), strict=True))
        names = map(self._application_names.__getitem__, self._columns.application[chosen].tolist())
        because = [pairs[start:end] for start, end in pairwise(firsts.tolist())]
        return tuple(_made(ApplicationUsage, names, self._columns.figures[:, chosen], because))

    def _settle(self, end: int) -> None:
        """Put the first `end` subscribers in order where octets are equal: all that need a label for it, and no others."""
        begin = len(self._labels)
        if end <= begin:
            return
        end = int(np.searchsorted(self._columns.descending, self._columns.descending[end - 1], side="right"))
        subscribers = self._columns.order[begin:end]
        labels = self._labels_of(self._columns.subscriber[subscribers])
        rank, order = _runs(self._columns.descending[begin:end])[0], np.arange(len(labels))
        tied = np.flatnonzero(np.bincount(rank)[rank] > 1)
        by_label = sorted(tied.tolist(), key=labels.__getitem__)
        order[tied] = np.array(by_label, np.int64)[np.argsort(rank[by_label], kind="stable")]
        self._columns.order[begin:end] = subscribers[order]
        self._labels += map(labels.__getitem__, order.tolist())


def sums_by_key(key: np.ndarray, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The distinct values of `key` [n] in order, and for each the sums of its columns of `values` [columns, n]."""
    if (key[1:] > key[:-1]).all():
        return key, values
    order = np.argsort(key)
    key = key[order]
    _, starts = _runs(key)
    return key[starts], _sums(values[:, order], starts)


def _sums(values: np.ndarray, starts: np.ndarray) -> np.ndarray:
    """Sums of the runs that begin at `starts`, the first of them at 0, of i8[columns, n], a column at a time as they may be
    large. As `np.add.reduceat`, which takes longer where most runs are short."""
    lasts = np.append(starts, values.shape[1])[1:] - 1
    sums = np.empty((len(values), len(lasts)), np.int64)
    for column, its in zip(values, sums, strict=True):
        its[:] = np.diff(column.cumsum()[lasts], prepend=0)
    return sums


def _runs(*columns: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Runs of rows that are equal in all columns: the number of each row's run, and the first row of each run."""
    first = np.zeros(len(columns[0]), bool)
    first[:1] = True
    for column in columns:
        first[1:] |= column[1:] != column[:-1]
    return np.cumsum(first) - 1, np.flatnonzero(first)


def _most_first(owner: np.ndarray, octets: np.ndarray, rank: np.ndarray) -> np.ndarray:
    """An order in which those of one owner stand with most octets first, then by rank. `owner` is sorted.

    Most have one: only the others are compared, which takes a tenth of sorting all.
    """
    order = np.arange(len(owner))
    again = owner[1:] == owner[:-1]
    several = np.flatnonzero(np.append(again, False) | np.insert(again, 0, False))
    order[several] = several[np.lexsort((rank[several], -octets[several], owner[several]))]
    return order


def _ranks(names: Sequence[str]) -> np.ndarray:
    """Each name's place in their order."""
    ranks = np.empty(len(names), np.int64)
    ranks[sorted(range(len(names)), key=names.__getitem__)] = np.arange(len(names))
    return ranks


def _because(place: np.ndarray, reason: np.ndarray, octets: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Why octets are charged, by the place they go to: (first entry of each place and the end, reason, octets)."""
    charged = np.flatnonzero(reason >= 0)
    key, (sums,) = sums_by_key(place[charged] * len(REASONS) + reason[charged], octets[np.newaxis, charged])
    places, reasons = np.divmod(key, len(REASONS))
    order = _most_first(places, sums, _ranks(REASONS)[reasons])
    first = np.searchsorted(places, np.arange(place.max(initial=-1) + 2))
    return first, reasons[order], sums[order]


def _members(first: np.ndarray, chosen: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The members of the chosen groups, one group after the other, and the first of each and the end; `first` as by
    `_because`."""
    counts = first[chosen + 1] - first[chosen]
    firsts = np.cumsum(np.append(0, counts))
    members = np.repeat(first[chosen] - firsts[:-1], counts) + np.arange(firsts[-1])
    return members, firsts


def _made(kind: type[_Record], names: Iterable[str], figures: np.ndarray, last: Iterable[tuple]) -> Iterator[_Record]:
    """Records of this kind from columns: what `kind._make` does, without a call of Python's own for each."""
    return map(partial(tuple.__new__, kind), zip(names, *figures.tolist(), last, strict=True))
