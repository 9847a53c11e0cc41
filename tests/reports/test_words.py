"""Humane numbers against Decimal and Fraction, times against NumPy's calendar, and text that would harm a terminal."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Context, Decimal
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from rich.cells import cell_len

from classifier.rating.offers import REASONS
from classifier.records import UNMETERED
from classifier.reports.words import (
    UNMETERED_BECAUSE,
    cell_width,
    octets_text,
    printable,
    reason_text,
    reason_word,
    share_text,
    time_text,
)

_THREE_DIGITS = Context(prec=3, rounding=ROUND_HALF_UP)
_POWERS = {"B": 0, "kB": 3, "MB": 6, "GB": 9, "TB": 12, "PB": 15, "EB": 18}


@given(st.integers(0, 2**63 - 1))
@example(999)
@example(1000)
@example(999_499)
@example(999_500)
@example(9_995)
@example(999_999_999)
def test_octets_are_rounded_half_up_to_three_digits(octets):
    number, unit = octets_text(octets).split(" ")
    shown = Decimal(number) * 10 ** _POWERS[unit]
    assert shown == (octets if octets < 1000 else _THREE_DIGITS.create_decimal(octets))
    assert Decimal(number) < 1000
    assert unit == "B" or len(number.replace(".", "")) == 3


@given(st.integers(0, 10**15), st.integers(1, 10**15))
@example(1, 10**9)
@example(10**9 - 1, 10**9)
def test_a_share_is_right_to_a_tenth_and_never_reads_as_nothing_or_everything(part, whole):
    part = min(part, whole)
    text = share_text(part, whole)
    exact = Fraction(part * 100, whole)
    if text.startswith("<"):
        assert 0 < exact < Fraction(1, 10)
    elif text.startswith(">"):
        assert Fraction(999, 10) < exact < 100
    else:
        assert abs(Fraction(text.removesuffix(" %")) - exact) <= Fraction(1, 20)
        assert (text == "0.0 %") == (part == 0)
        assert (text == "100.0 %") == (part == whole)


def test_a_share_of_nothing_is_no_number():
    assert share_text(0, 0) == "-"


@given(st.integers(-(2**63) + 1, 2**63 - 1))
@example(-1)
@example(1_383_642_000_000_000_000)
def test_times_are_those_of_numpys_calendar(time_ns):
    assert time_text(time_ns) == f"{np.datetime64(time_ns // 1000, 'us')}Z"


def test_the_first_and_the_last_instant_of_64_bits_have_a_date():
    assert time_text(-(2**63)).startswith("1677-09-21T00:12:43.")
    assert time_text(2**63 - 1).startswith("2262-04-11T23:47:16.")
    assert time_text(None) is None


@given(st.text())
def test_printable_text_cannot_move_a_cursor_or_turn_a_line(text):
    shown = printable(text)
    assert shown.isprintable()
    assert shown == text or not text.isprintable()


@pytest.mark.parametrize("text", ["\x1b[31m", "a\nb", "a\rb", "\u202egnp.exe", "\x9b2J", "\ud800"])
def test_what_would_harm_a_terminal_is_escaped(text):
    assert "\\" in printable(text)
    assert printable(text).isascii()


@pytest.mark.parametrize("text", ["anna", "陈伟", "\uff21", "e\u0301", "Größe", "한국"])
def test_widths_are_those_that_rich_finds(text):
    assert cell_width(text) == cell_len(text)


def test_every_reason_of_rating_has_words_of_its_own():
    assert len({reason_text(reason) for reason in REASONS}) == len(REASONS)
    assert all(len(reason_word(reason)) <= 14 and "_" not in reason_text(reason) for reason in REASONS)
    assert set(UNMETERED) == set(UNMETERED_BECAUSE)
