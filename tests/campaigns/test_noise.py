"""The noise of estimates: against published intervals, another method, and what chance does when it is let."""

from __future__ import annotations

import math

import numpy as np
import pytest

from classifier.campaigns.noise import Z_95, Ratio, beyond, estimate, ratio, share


@pytest.mark.parametrize(
    ("part", "whole", "low", "high"),
    # R. G. Newcombe, Two-sided confidence intervals for the single proportion, Statistics in Medicine 17 (1998), table I, 3.
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0000, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_a_share_has_the_published_interval(part, whole, low, high):
    found = share(part, whole)
    assert (found.value, round(found.low, 4), round(found.high, 4)) == (part / whole, low, high)


def test_a_share_of_nobody_is_unknown():
    assert share(0, 0) == (None, None, None)


def drawn(rng, people: int) -> tuple[np.ndarray, np.ndarray]:
    """Days active in a window and in the one before, of people with habits: half as many again in expectation."""
    habit = rng.uniform(0.05, 0.6, people) * (rng.random(people) < 0.5)
    return rng.binomial(28, habit * 1.5), rng.binomial(28, habit)


def test_a_ratio_is_as_uncertain_as_leaving_out_each_subscriber_in_turn_says():
    over, under = drawn(np.random.default_rng(1), 400)
    found = ratio([over], [under])
    without = np.log((over.sum() - over) / (under.sum() - under))
    jackknife = (len(over) - 1) / len(over) * ((without - without.mean()) ** 2).sum()
    assert found.value == over.sum() / under.sum()
    assert found.log_variance == pytest.approx(jackknife, rel=0.02)


def test_nineteen_of_twenty_intervals_hold_the_truth():
    rng = np.random.default_rng(2)
    held = 0
    for _ in range(1000):
        one, other = (ratio([over], [under]) for over, under in (drawn(rng, 300), drawn(rng, 300)))
        found = estimate(beyond(one, other))  # both are 1.5 in expectation, so one beyond the other is 1
        held += found.low <= 1 <= found.high
    # 950 expected, with a standard deviation of 7.
    assert 925 <= held <= 975


def test_two_groups_add_their_variances():
    found = beyond(Ratio(3.0, 0.01), Ratio(2.0, 0.03))
    assert found == Ratio(1.5, 0.04)
    assert estimate(found).high == pytest.approx(1.5 * math.exp(Z_95 * 0.2))


def test_what_cannot_be_divided_is_unknown_and_nothing_has_no_interval():
    nothing, some = np.zeros(3), np.array([1.0, 2.0, 0.0])
    assert ratio([some], [nothing]) == Ratio(None, None)
    assert estimate(ratio([nothing], [some])) == (0.0, None, None)
    assert beyond(Ratio(1.0, 0.1), ratio([nothing], [some])) == Ratio(None, None)
    assert ratio([some[:1]], [some[:1]]) == Ratio(1.0, None)
