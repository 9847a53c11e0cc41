"""What payers owe: every amount worked out by hand in the test's text."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st
from offer_records import programme

from classifier.catalogue.records import Step, Tariff
from classifier.rating.settlement import Carried, priced, rounded, settle

TEN_FEN = (Step(None, Decimal("0.10")),)
STEPS = (Step(1000, Decimal("0.10")), Step(5000, Decimal("0.06")), Step(None, Decimal("0.025")))


def test_a_tariff_by_the_megabyte_is_octets_times_price():
    # 1,234,567,890 octets are 1,234.567890 MB; at 0.10 that is 123.4567890, so 123.46.
    (debt,) = settle(
        [Carried("free", "china-mobile", "2013-11", 1_234_567_890)], [programme(tariff=Tariff("CNY", TEN_FEN, ()))]
    )
    assert (debt.payer, debt.operator, debt.currency, debt.amount) == (
        "alibaba",
        "china-mobile",
        "CNY",
        Decimal("123.46"),
    )
    assert [part.amount for part in debt.steps] == [Decimal("123.4567890")]


@pytest.mark.parametrize(
    ("octets", "amounts"),
    [
        (0, []),
        (1_000_000_000, ["100"]),
        (1_000_000_001, ["100", "0.00000006"]),
        # 1,000 MB at 0.10, 4,000 MB at 0.06, 500 MB at 0.025.
        (5_500_000_000, ["100", "240", "12.5"]),
    ],
)
def test_volume_steps_price_what_falls_into_each(octets, amounts):
    parts = priced(octets, STEPS)
    assert [part.amount for part in parts] == [Decimal(amount) for amount in amounts]
    assert sum(part.octets for part in parts) == octets


def test_each_operator_has_its_own_price_and_its_own_steps():
    tariff = Tariff("CNY", TEN_FEN, (("china-unicom", STEPS),))
    carried = [
        Carried("free", "china-unicom", "2013-11", 600_000_000),
        Carried("free", "china-mobile", "2013-11", 600_000_000),
        Carried("free", "china-unicom", "2013-11", 600_000_000),
        Carried("free", "china-unicom", "2013-12", 600_000_000),
    ]
    debts = settle(carried, [programme(tariff=tariff)])
    # Unicom in November: 1,000 MB at 0.10 and 200 MB at 0.06 are 112; its December begins at the first step again.
    told = [(debt.operator, debt.month, debt.octets, debt.amount) for debt in debts]
    assert told == [
        ("china-mobile", "2013-11", 600_000_000, Decimal("60.00")),
        ("china-unicom", "2013-11", 1_200_000_000, Decimal("112.00")),
        ("china-unicom", "2013-12", 600_000_000, Decimal("60.00")),
    ]


def test_an_operator_that_pays_itself_and_one_without_a_price_are_owed_nothing():
    own = programme(payer="operator", tariff=Tariff("CNY", TEN_FEN, ()))
    (debt,) = settle([Carried("free", "china-mobile", "2013-11", 10**9)], [own])
    assert (debt.amount, debt.currency, debt.octets) == (None, None, 10**9)
    elsewhere = programme(tariff=Tariff("CNY", (), (("china-unicom", TEN_FEN),)))
    (debt,) = settle([Carried("free", "china-mobile", "2013-11", 10**9)], [elsewhere])
    assert debt.amount is None


@pytest.mark.parametrize(
    ("amount", "currency", "expected"),
    [("0.005", "CNY", "0.01"), ("0.0049999", "CNY", "0.00"), ("0.5", "JPY", "1"), ("0.0005", "KWD", "0.001")],
)
def test_amounts_are_rounded_half_up_to_the_minor_unit(amount, currency, expected):
    assert str(rounded(Decimal(amount), currency)) == expected


@given(st.integers(0, 2**63 - 1), st.decimals(0, 10**6, places=9), st.decimals(0, 10**6, places=9))
def test_no_price_is_lost_before_the_rounding(octets, first, second):
    parts = priced(octets, (Step(7, first), Step(None, second)))
    below = min(octets, 7_000_000)
    exact = Fraction(first) * below / 10**6 + Fraction(second) * (octets - below) / 10**6
    assert sum(Fraction(part.amount) for part in parts) == exact
