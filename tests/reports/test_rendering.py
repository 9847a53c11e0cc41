"""Rows of text from columns against Python's own formatting, row by row."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from classifier.reports.rendering import Cell, joined, texts_of

TEXT = st.text(st.characters(exclude_categories=()), max_size=12)
NUMBER = st.one_of(st.integers(0, 2**63 - 1), st.sampled_from([0, 9, 10, 99, 100, 10**18 - 1, 10**18, 2**63 - 1]))
GROUPS = st.lists(st.lists(st.tuples(NUMBER, st.integers(0, 4), TEXT, NUMBER), max_size=4), max_size=6)


@given(GROUPS, st.lists(TEXT, min_size=5, max_size=5), st.lists(TEXT, min_size=6, max_size=6))
def test_rows_are_joined_in_groups_as_python_would(groups, names, pieces):
    begin, first, second, third, end, separator = pieces
    rows = [row for group in groups for row in group]
    numbers, places, own, more = ([row[cell] for row in rows] for cell in range(4))
    made = joined(
        (
            begin,
            np.array(numbers, np.int64),
            first,
            Cell(texts_of(names), np.array(places, np.int64)),
            second,
            Cell(texts_of(own)),
            np.array(more, np.int64),
            third,
            end,
        ),
        np.cumsum([0, *map(len, groups)]),
        separator,
    )
    expected = [
        separator.join(f"{begin}{a}{first}{names[b]}{second}{c}{d}{third}{end}" for a, b, c, d in group)
        for group in groups
    ]
    assert str(made) == "".join(expected)
    assert np.diff(made.ends).tolist() == [len(text.encode(errors="surrogatepass")) for text in expected]


@given(GROUPS)
def test_what_was_joined_can_be_a_cell(groups):
    inner = joined(
        ("<", np.array([row[0] for group in groups for row in group], np.int64), ">"),
        np.cumsum([0, *map(len, groups)]),
        "+",
    )
    outer = joined(("(", Cell(inner), ")"), np.array([0, len(groups)]), " ")
    assert str(outer) == " ".join(f"({'+'.join(f'<{row[0]}>' for row in group)})" for group in groups)
