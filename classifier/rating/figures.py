"""What allowances have lost, in columns: one of octets by subscriber for each allowance and period.

Rule of this file: it is the mapping of `AllowanceKey` to octets that its type says, and nothing else; only that what rating
and ledgers ask and tell of a hundred thousand subscribers is asked and told at once.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Protocol

import numpy as np

from classifier.rating.allowances import AllowanceKey, AllowancePeriod

_NONE = -1  # in a column: there is no figure of this subscriber


class UsedColumns(Protocol):
    """What allowances have lost so far, as `Rater.rate` asks for it."""

    def column(self, period: AllowancePeriod, subscribers: np.ndarray) -> np.ndarray: ...


class Figures(Mapping[AllowanceKey, int]):
    """Octets by subscriber, allowance and period; those of `known` to begin with."""

    def __init__(self, known: Mapping[AllowanceKey, int] | None = None) -> None:
        self._columns: dict[AllowancePeriod, np.ndarray] = {}
        for key, octets in (known or {}).items():
            self.put(key.period, np.array([key.subscriber]), np.array([octets]))

    def column(self, period: AllowancePeriod, subscribers: np.ndarray) -> np.ndarray:
        """The octets that these have used, i8[n]; 0 where there is no figure."""
        column = self._columns.get(period)
        if column is None:
            return np.zeros(len(subscribers), np.int64)
        figures = np.where(subscribers < len(column), column.take(subscribers, mode="clip"), 0)
        return np.maximum(figures, 0, out=figures)

    def put(self, period: AllowancePeriod, subscribers: np.ndarray, octets: np.ndarray) -> None:
        """New figures of these subscribers, each of whom is named once."""
        if not len(subscribers):
            return
        column = self._columns.get(period, np.zeros(0, np.int64))
        if subscribers.max() >= len(column):
            # Twice the length: who comes one by one does not have it copied each time.
            more = np.full(max(int(subscribers.max()) + 1 - len(column), len(column)), _NONE)
            column = self._columns[period] = np.concatenate([column, more])
        column[subscribers] = octets

    def columns(self) -> Iterator[tuple[AllowancePeriod, np.ndarray, np.ndarray]]:
        """(period, subscribers in ascending order, octets), in the order of periods."""
        for period, column in sorted(self._columns.items(), key=lambda item: item[0]):
            subscribers = np.flatnonzero(column != _NONE)
            yield period, subscribers, column[subscribers]

    def update(self, others: Figures) -> None:
        """Take new figures over."""
        for period, subscribers, octets in others.columns():
            self.put(period, subscribers, octets)

    def __getitem__(self, key: AllowanceKey) -> int:
        column = self._columns.get(key.period, ())
        if not 0 <= key.subscriber < len(column) or column[key.subscriber] == _NONE:
            raise KeyError(key)
        return int(column[key.subscriber])

    def __iter__(self) -> Iterator[AllowanceKey]:
        for period, subscribers, _ in self.columns():
            yield from (AllowanceKey(number, *period) for number in subscribers.tolist())

    def __len__(self) -> int:
        return sum(int((column != _NONE).sum()) for column in self._columns.values())
