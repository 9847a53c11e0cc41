"""Numbers for what comes again and again: subscribers, applications, terms, outcomes, profiles, days, periods.

Rules of this file: a number is given out in memory, at once, and written with the entry that uses it first; what was given
out for an entry that could not be written is written with the next. A number never means anything else.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from itertools import count
from typing import Generic, TypeVar

from classifier.ledger.entries import Outcome, Period
from classifier.ledger.store import insert

Key = TypeVar("Key", bound=tuple)


class Numbered(Generic[Key]):
    """The rows of one table by their columns: those in the ledger, and those that wait for the next entry."""

    def __init__(self, connection: sqlite3.Connection, table: str, columns: tuple[str, ...]) -> None:
        known = connection.execute(f"SELECT {', '.join(columns)}, id FROM {table}")
        self._ids: dict[tuple, int] = {tuple(key): number for *key, number in known}
        self._last = max(self._ids.values(), default=0)
        self._into = (table, (*columns, "id"))
        self._waiting: list[tuple] = []

    def __call__(self, key: Key) -> int:
        """The number of this key, a new one if it has none."""
        number = self._ids.get(key)
        return self.all((key,))[0] if number is None else number

    def all(self, keys: Iterable[Key]) -> list[int]:
        """The numbers of these keys, in their order."""
        keys = list(keys)
        new = [key for key in dict.fromkeys(keys) if key not in self._ids]
        self._ids.update(zip(new, count(self._last + 1)))
        self._waiting += [(*key, number) for key, number in zip(new, count(self._last + 1))]
        self._last += len(new)
        return list(map(self._ids.__getitem__, keys))

    @property
    def last(self) -> int:
        """The highest number there is; they begin at 1."""
        return self._last

    def write(self, connection: sqlite3.Connection) -> None:
        """Write those that wait. They go on waiting until `written`, when the transaction is through."""
        insert(connection, *self._into, self._waiting)

    def written(self) -> None:
        self._waiting.clear()


class Names:
    """All of a ledger's numbers, in the order in which they refer to each other."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self.application: Numbered[tuple[str]] = Numbered(connection, "application", ("name",))
        self.programme: Numbered[tuple[str, str, str]] = Numbered(connection, "programme", ("name", "payer", "terms"))
        self.outcome: Numbered[Outcome] = Numbered(connection, "outcome", Outcome._fields)
        self.subscriber: Numbered[tuple[str]] = Numbered(connection, "subscriber", ("name",))
        self.profile: Numbered[tuple[str, str, str]] = Numbered(connection, "profile", ("operator", "province", "plan"))
        self.day: Numbered[tuple[str, str]] = Numbered(connection, "day", ("day", "month"))
        self.period: Numbered[Period] = Numbered(connection, "period", Period._fields)
        self._all = (
            self.application, self.programme, self.outcome, self.subscriber, self.profile, self.day, self.period
        )  # fmt: skip

    def write(self, connection: sqlite3.Connection) -> None:
        """Write all that wait."""
        for numbered in self._all:
            numbered.write(connection)

    def written(self) -> None:
        """What waited is in the ledger."""
        for numbered in self._all:
            numbered.written()
