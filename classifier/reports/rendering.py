"""Text of many rows at once, out of columns: joined in groups, which may be cells of other rows.

Rule of this file: it knows no report and no format; what has to be quoted comes quoted.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np

from classifier.kernels.rows import DIGITS_MAX, Rows, write_rows

_ANYTHING = "surrogatepass"  # Python's own text may have what no text should: it comes back as it was


class Texts(NamedTuple):
    """Many texts in UTF-8: `octets` u1, one behind the other, and `ends` i8[n + 1]: text i goes from `ends[i]` to
    `ends[i + 1]`."""

    octets: np.ndarray
    ends: np.ndarray

    def __str__(self) -> str:
        """All of them, one behind the other."""
        return self.octets.tobytes().decode(errors=_ANYTHING)


class Cell(NamedTuple):
    """One of `texts` in each row: that at `places` i8[rows], or the row's own where it is None."""

    texts: Texts
    places: np.ndarray | None = None


def texts_of(strings: Sequence[str]) -> Texts:
    """Strings as texts."""
    together = "".join(strings)
    lengths = map(len, strings if together.isascii() else [_encoded(string) for string in strings])
    return Texts(_octets(_encoded(together)), _bounds(lengths))


def joined(row: Sequence[str | np.ndarray | Cell], firsts: np.ndarray, separator: str) -> Texts:
    """A text for each group of rows, which are those from `firsts[g]` to `firsts[g + 1]` (i8[groups + 1]), with `separator`
    between them.

    `row`: text that stands in each row, numbers i8[rows] that are not negative, and Cells; there is at least one cell.
    """
    pieces, cells = [""], []
    for part in row:
        if isinstance(part, str):
            pieces[-1] += part
        else:
            cells.append(part)
            pieces.append("")
    tables, values, begins, size = [], [], 0, 0
    for cell in cells:
        if not isinstance(cell, Cell):
            values.append(cell)
            size += DIGITS_MAX * len(cell)
            continue
        places = np.arange(len(cell.texts.ends) - 1) if cell.places is None else cell.places
        size += int(np.diff(cell.texts.ends)[places].sum())
        values.append(places + begins)
        tables.append(cell.texts)
        begins += len(cell.texts.ends)  # an empty text stands between two tables
    octets = [texts.octets for texts in tables]
    before = np.cumsum([0, *map(len, octets)])
    rows = Rows(
        pieces=_octets("".join(pieces).encode()),
        piece_ends=_bounds(len(piece.encode()) for piece in pieces)[1:],
        is_text=np.array([isinstance(cell, Cell) for cell in cells], np.uint8),
        values=np.ascontiguousarray(np.stack(values, axis=1).astype(np.int64, copy=False)),
        texts=np.concatenate([*octets, np.zeros(0, np.uint8)]),
        text_ends=np.concatenate(
            [*(one.ends + at for one, at in zip(tables, before, strict=False)), np.zeros(1, np.int64)]
        ),
    )
    size += (len(rows.pieces) + len(separator.encode())) * len(rows.values)
    out, ends = np.empty(size, np.uint8), np.zeros(len(firsts), np.int64)
    written = write_rows(rows, _octets(separator.encode()), firsts, out, ends[1:])
    return Texts(out[:written], ends)


def _encoded(string: str) -> bytes:
    return string.encode(errors=_ANYTHING)


def _octets(content: bytes) -> np.ndarray:
    return np.array(bytearray(content), np.uint8)


def _bounds(lengths: Iterable[int]) -> np.ndarray:
    """Where each of some texts ends, behind a 0."""
    return np.cumsum(np.fromiter((0, *lengths), np.int64))
