"""Six months of a made-up town, written and read back: `campaign` finds what was put in, within the noise that it states."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from benches.life import Life
from benches.make_usage import make_usage
from classifier.campaigns.measure import Campaign
from classifier.gateway.campaigning import campaign
from classifier.gateway.settling import MonthBook
from classifier.ledger.read import LedgerReader

LIFE = replace(Life(), subscribers=8_000)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """(ledger, octets by month as they were made)."""
    path = tmp_path_factory.mktemp("life") / "usage.db"
    rows: list[int] = []
    make_usage(path, LIFE, lambda day, of_day, seconds: rows.append(of_day))
    return path, sum(rows)


@pytest.fixture(scope="module")
def found(made) -> Campaign:
    with LedgerReader(made[0]) as reader:
        return campaign(reader, "facebook-zero")


def holds(estimate, truth: float, at_most: float) -> bool:
    """Whether the truth lies in the interval, and the interval is narrow enough to say anything."""
    return estimate.low <= truth <= estimate.high and estimate.high - estimate.low <= at_most


def test_activity_went_up_by_sixty_per_cent(found):
    assert holds(found.measured.effects["during"].active_a_day, 1.60, 0.16)


def test_octets_of_the_active_went_up_by_a_quarter(found):
    assert holds(found.measured.effects["during"].octets_per_active, 1.25, 0.12)


def test_three_of_four_new_users_stayed(found):
    won = found.measured.eligible.won
    assert won.users > 300
    assert holds(won.again, 0.75, 0.10)


def test_after_the_end_activity_fell_and_stayed_above_what_it_was(found):
    during, after = (found.measured.effects[name].active_a_day for name in ("during", "after"))
    assert 1 < after.low < after.high < during.low


def test_of_the_others_nothing_happened_but_what_happened_to_all(found):
    # Growth of 10 % in six months and a few who begin by themselves; without the comparison the offer would get the credit.
    change = found.measured.others.changes["during"]
    assert 1.02 < change.active_a_day.value < 1.12
    assert found.measured.eligible.changes["during"].active_a_day.low > 1.60


def test_every_octet_that_was_made_is_settled(made):
    path, rows = made
    with LedgerReader(path) as reader:
        book = MonthBook(reader)
        months = [book.settlement(month) for month in book.months]
        observed = sum(entry.observed_octets for entry in reader.entries())
    assert [one.month for one in months] == ["2013-09", "2013-10", "2013-11", "2013-12", "2014-01", "2014-02"]
    assert sum(one.octets for one in months) == sum(one.recount.octets for one in months) == observed
    assert not any(one.recount.differences for one in months)
    assert sum(one.recount.rows for one in months) >= rows  # an allowance that ends splits a row


def test_the_same_seed_makes_the_same_town():
    from benches.life import Town

    small = replace(LIFE, subscribers=1_000)
    one, other = (Town(small).usage(small.first, 0) for _ in range(2))
    assert np.array_equal(one, other)
