"""Rows of text in columns that fit a width: the one place that knows how wide anything is.

Rules of this file: plain characters only, no frames and no colour; a line carries a style by name, and whoever has a
terminal may paint it. Cells are escaped here, so that nothing from the wire reaches a terminal as it came.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from classifier.reports.words import cell_width, printable

GAP = "  "
MARK = ".."  # stands for what was cut out of a cell


class Line(NamedTuple):
    """A line without its end; `style` is "", "heading", "subscriber", "free" or "notice"."""

    text: str
    style: str = ""


class Column(NamedTuple):
    """`least` is the width to which it may be cut (None: never cut); `keep_end` cuts at the left."""

    heading: str
    right: bool = False
    least: int | None = None
    keep_end: bool = False


def natural_widths(columns: Sequence[Column], rows: Iterable[Sequence[str]]) -> list[int]:
    """The widths at which nothing is cut."""
    widths = [cell_width(column.heading) for column in columns]
    for row in rows:
        widths = [max(width, cell_width(printable(cell))) for width, cell in zip(widths, row, strict=True)]
    return widths


def total_width(widths: Sequence[int], gap: str = GAP) -> int:
    """What a line of these columns takes."""
    return sum(widths) + len(gap) * (len(widths) - 1)


def fit_widths(columns: Sequence[Column], widths: Sequence[int], width: int, gap: str = GAP) -> list[int]:
    """`widths` with the columns that may be cut made narrower, the widest first, until a line fits `width`."""
    fitted = list(widths)
    for _ in range(total_width(widths, gap) - width):
        cuttable = [
            place for place, column in enumerate(columns) if column.least is not None and fitted[place] > column.least
        ]
        if not cuttable:
            break
        fitted[max(cuttable, key=lambda place: fitted[place])] -= 1
    return fitted


def row_text(columns: Sequence[Column], widths: Sequence[int], cells: Sequence[str], gap: str = GAP) -> str:
    """One row. A cell that is wider than its column is cut if the column may be cut, else it pushes the rest along."""
    shown = []
    for column, width, cell in zip(columns, widths, cells, strict=True):
        text = printable(cell)
        if column.least is not None:
            text = cut(text, width, column.keep_end)
        padding = " " * (width - cell_width(text))
        shown.append(padding + text if column.right else text + padding)
    return gap.join(shown).rstrip()


def heading_text(columns: Sequence[Column], widths: Sequence[int], gap: str = GAP) -> str:
    """The headings over these columns."""
    return row_text(columns, widths, [column.heading for column in columns], gap)


def table_lines(
    columns: Sequence[Column], rows: Sequence[Sequence[str]], styles: Sequence[str], width: int
) -> list[Line]:
    """Heading and rows in at most `width` columns, as far as `least` allows."""
    widths = fit_widths(columns, natural_widths(columns, rows), width)
    lines = [Line(heading_text(columns, widths), "heading")]
    lines += [Line(row_text(columns, widths, row), style) for row, style in zip(rows, styles, strict=True)]
    return lines


def cut(text: str, width: int, keep_end: bool = False) -> str:
    """`text` in at most `width` columns, with a mark where something is missing."""
    if cell_width(text) <= width:
        return text
    room = width - len(MARK)
    if room < 1:
        return MARK[:width]
    kept: list[str] = []
    for character in reversed(text) if keep_end else text:
        room -= cell_width(character)
        if room < 0:
            break
        kept.append(character)
    return MARK + "".join(reversed(kept)) if keep_end else "".join(kept) + MARK
