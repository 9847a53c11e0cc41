"""How far an estimate may be off by chance: 95 % intervals of ratios of totals, and of shares.

Rules of this file: subscribers are the units that chance draws, independent of each other; a subscriber's own days are not.
So the noise of a ratio comes from how it is spread over subscribers, by Taylor linearisation (Särndal, Swensson and Wretman,
Model Assisted Survey Sampling, 1992, 5.5; W. G. Cochran, Sampling Techniques, 1977, 6), on the logarithm, so that no interval
reaches below nothing. That of a share of people is Wilson's (E. B. Wilson, JASA 22, 1927). Neither draws random numbers: the
same ledger gives the same interval, a hundred times sooner than a bootstrap would. What happens to everyone on the same day
is not in it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

Z_95 = 1.959964  # the normal distribution has 2.5 % above it


class Estimate(NamedTuple):
    """A figure and its 95 % interval; None where it cannot be said."""

    value: float | None
    low: float | None
    high: float | None


class Ratio(NamedTuple):
    """A ratio of totals, and the variance of its logarithm; None where there is nothing to divide by, or nothing to divide."""

    value: float | None
    log_variance: float | None


UNKNOWN = Ratio(None, None)


def ratio(tops: Sequence[np.ndarray], bottoms: Sequence[np.ndarray] = (), times: float = 1.0) -> Ratio:
    """The product of the totals of `tops`, by those of `bottoms`, times a constant. Each is [n], a place a subscriber."""
    over, under = [float(top.sum()) for top in tops], [float(bottom.sum()) for bottom in bottoms]
    if not all(under):
        return UNKNOWN
    value = times * math.prod(over) / math.prod(under)
    people = len(tops[0])
    if not all(over) or people < 2:
        return Ratio(value, None)
    # Each subscriber's pull on the logarithm of the ratio.
    pull = sum(top / total for top, total in zip(tops, over, strict=True))
    pull = pull - sum(bottom / total for bottom, total in zip(bottoms, under, strict=True))
    return Ratio(value, float(np.var(pull, ddof=1)) * people)


def beyond(one: Ratio, other: Ratio) -> Ratio:
    """A ratio by another one of other subscribers."""
    if one.value is None or not other.value:
        return UNKNOWN
    if one.log_variance is None or other.log_variance is None:
        return Ratio(one.value / other.value, None)
    return Ratio(one.value / other.value, one.log_variance + other.log_variance)


def estimate(one: Ratio) -> Estimate:
    """The ratio with its interval."""
    if one.value is None or one.log_variance is None:
        return Estimate(one.value, None, None)
    factor = math.exp(Z_95 * math.sqrt(one.log_variance))
    return Estimate(one.value, one.value / factor, one.value * factor)


def share(part: int, whole: int) -> Estimate:
    """How many of `whole` people did something, as a part of 1, with Wilson's interval."""
    if not whole:
        return Estimate(None, None, None)
    value, square = part / whole, Z_95 * Z_95
    centre = (value + square / (2 * whole)) / (1 + square / whole)
    half = Z_95 * math.sqrt(value * (1 - value) / whole + square / (4 * whole * whole)) / (1 + square / whole)
    return Estimate(value, max(centre - half, 0.0), min(centre + half, 1.0))
