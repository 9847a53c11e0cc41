"""`subscribers.csv` -> subscribers, or every mistake in it.

Rules of this file: one row gives one address or prefix; a subscriber with several has a row for each, and its other
columns agree in all of them. Where RADIUS or DHCP tells the addresses, a row may leave its own empty: the subscriber's
name is then the identity that they carry. A problem is one line, `file:line: column: what; mend`.
"""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import NamedTuple

from classifier.errors import ConfigurationError
from classifier.validation import Network, did_you_mean, network

COLUMNS = ("subscriber", "address", "operator", "province", "plan", "joined", "enrolled", "state")
ACTIVE, BARRED = STATES = ("active", "barred")  # barred: an in-line gateway carries nothing of theirs
_NEEDED = COLUMNS[:2]
_ATTRIBUTES = COLUMNS[2:]


class Subscriber(NamedTuple):
    """One subscriber. An attribute that the file leaves empty is "" (None for `joined`).

    `addresses` may be empty: RADIUS or DHCP tells them. `enrolled`: (programme, day of enrolment), in the file's order.
    """

    name: str
    addresses: tuple[Network, ...]
    operator: str
    province: str
    plan: str
    joined: date | None
    enrolled: tuple[tuple[str, date], ...]
    state: str = ACTIVE


@dataclass(slots=True)
class _Draft:
    line: int
    attributes: dict[str, object]
    addresses: list[Network] = field(default_factory=list)


class _Reader:
    """The rows of one file, with what was found wrong so far."""

    def __init__(self, path: Path, bound: bool) -> None:
        self.path = path
        self.bound = bound
        self.problems: list[str] = []
        self.drafts: dict[str, _Draft] = {}
        self.address_line: dict[Network, int] = {}

    def complain(self, line: int, what: str) -> None:
        self.problems.append(f"{self.path}:{line}: {what}")

    def read(self, text: str) -> None:
        rows = csv.reader(io.StringIO(text), strict=True)
        columns: list[str] | None = None
        while True:
            try:
                cells = [cell.strip() for cell in next(rows)]
            except StopIteration:
                break
            except csv.Error as error:
                self.complain(rows.line_num, f"not CSV ({error}); mend the quotes on this line")
                return
            if not any(cells):
                continue
            if columns is None:
                columns = cells
                if not self.check_header(rows.line_num, columns):
                    return
            elif len(cells) != len(columns):
                self.complain(
                    rows.line_num, f"{len(cells)} columns where the header has {len(columns)}; give each its own comma"
                )
            else:
                self.add(rows.line_num, dict(zip(columns, cells, strict=True)))
        if columns is None:
            self.complain(1, f"no header; begin with {','.join(COLUMNS)}")

    def check_header(self, line: int, columns: list[str]) -> bool:
        """Whether the rows below can be read at all."""
        missing = [name for name in _NEEDED if name not in columns]
        if missing and not set(columns) & set(COLUMNS):
            self.complain(line, f"no header; begin with {','.join(COLUMNS)}")
            return False
        for name in missing:
            self.complain(line, f"{name}: column is missing; add it")
        for place, name in enumerate(columns):
            if name not in COLUMNS:
                self.complain(line, f"{name}: unknown column; {did_you_mean(name, COLUMNS)}")
            elif name in columns[:place]:
                self.complain(line, f"{name}: column stands there twice; take one away")
        return not missing

    def add(self, line: int, row: dict[str, str]) -> None:
        name = row["subscriber"]
        if not name:
            self.complain(line, "subscriber: is empty; name the subscriber")
            return
        attributes = self.attributes(line, row)
        draft = self.drafts.setdefault(name, _Draft(line, attributes))
        for column in _ATTRIBUTES:
            if attributes[column] is not _WRONG and draft.attributes[column] is not _WRONG:
                if attributes[column] != draft.attributes[column]:
                    self.complain(line, f'{column}: "{name}" has another on line {draft.line}; make them agree')
        if not row["address"]:
            if not self.bound:
                self.complain(line, "address: is empty; write one, or configure [radius] or [dhcp], which tell it")
            return
        try:
            address = network(row["address"])
        except ValueError as error:
            self.complain(line, f"address: {error}")
            return
        first = self.address_line.setdefault(address, line)
        if first != line:
            self.complain(line, f"address: {row['address']} is given on line {first} too; keep one of them")
            return
        draft.addresses.append(address)

    def attributes(self, line: int, row: dict[str, str]) -> dict[str, object]:
        found: dict[str, object] = {column: row.get(column, "") for column in _ATTRIBUTES}
        for column, convert in (("joined", _joined), ("enrolled", _enrolled), ("state", _state)):
            try:
                found[column] = convert(row.get(column, ""))
            except ValueError as error:
                self.complain(line, f"{column}: {error}")
                found[column] = _WRONG
        joined, enrolled = found["joined"], found["enrolled"]
        if isinstance(joined, date) and isinstance(enrolled, tuple):
            for programme, day in enrolled:
                if day < joined:
                    self.complain(line, f"enrolled: {programme}={day} is before joined ({joined}); mend one of them")
        return found


_WRONG = object()  # an attribute that was complained of: agrees with anything


def load_subscribers(path: Path, *, bound: bool = False) -> tuple[Subscriber, ...]:
    """The subscribers in the order in which the file first names them.

    `bound`: RADIUS or DHCP tells addresses, so that a row needs none. Raises ConfigurationError with one line per mistake.
    """
    try:
        text = Path(path).read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise ConfigurationError(f"{path}: no such file; check the name") from None
    except UnicodeDecodeError as error:
        raise ConfigurationError(f"{path}: octet {error.start + 1} is not UTF-8; save the file as UTF-8") from None
    except OSError as error:
        raise ConfigurationError(f"{path}: cannot be read ({error.strerror}); check name and permissions") from None
    reader = _Reader(Path(path), bound)
    reader.read(text)
    if reader.problems:
        raise ConfigurationError(reader.problems)
    return tuple(
        Subscriber(name=name, addresses=tuple(draft.addresses), **draft.attributes)
        for name, draft in reader.drafts.items()
    )


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise ValueError(f'"{text}" is not a date; write it like 2013-11-01') from None


def _joined(text: str) -> date | None:
    return _day(text) if text else None


def _state(text: str) -> str:
    if text and text not in STATES:
        raise ValueError(f'"{text}" is neither {ACTIVE} nor {BARRED}; write one of them, or nothing for {ACTIVE}')
    return text or ACTIVE


def _enrolled(text: str) -> tuple[tuple[str, date], ...]:
    pairs: dict[str, date] = {}
    for pair in filter(None, (part.strip() for part in text.split(";"))):
        programme, equals, day = (part.strip() for part in pair.partition("="))
        if not equals or not programme:
            raise ValueError(f'"{pair}" is not programme=date; write it like alibaba-free-flow=2013-11-05')
        if programme in pairs:
            raise ValueError(f'"{programme}" stands there twice; keep one date')
        pairs[programme] = _day(day)
    return tuple(pairs.items())
