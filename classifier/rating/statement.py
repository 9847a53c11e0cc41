"""What one subscriber used in a month, on whose bill, and what is left of what was given: the page to send.

Rules of this file: volumes are integers; every octet stands in one line. What a charged octet costs is the plan's business,
which nobody here knows.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from classifier.catalogue.records import Allowance, Programme

ONCE, MONTH = "once", "month"


@dataclass(frozen=True, slots=True)
class StatementLine:
    """Usage of one application that went one way. `reason` is None where a programme paid, the next three where none did."""

    application: str
    part: str
    programme: str | None
    payer: str | None
    rate_percent: int | None
    reason: str | None
    uplink_octets: int
    downlink_octets: int
    packets: int

    @property
    def octets(self) -> int:
        return self.uplink_octets + self.downlink_octets


@dataclass(frozen=True, slots=True)
class Given:
    """An allowance and what was used of it. `per` "day": `used_octets` and `periods` are of all the month's days on which it
    was touched, `exhausted` how many of those used it up; else there is one period."""

    programme: str
    octets: int
    per: str
    used_octets: int
    periods: int
    exhausted: int


@dataclass(frozen=True, slots=True)
class Statement:
    """One subscriber's month. `lines` are sorted by application, most octets first, and within it likewise."""

    subscriber: str
    operator: str
    province: str
    plan: str
    month: str
    timezone: str
    covered_until_ns: int
    ends_ns: int
    lines: tuple[StatementLine, ...]
    given: tuple[Given, ...]

    def octets(self, part: str | None = None) -> int:
        """The octets of a part, or of all."""
        return sum(line.octets for line in self.lines if part in (None, line.part))


def in_order(lines: Iterable[StatementLine]) -> tuple[StatementLine, ...]:
    """The lines as a statement has them."""
    lines = list(lines)
    whole: dict[str, int] = {}
    for line in lines:
        whole[line.application] = whole.get(line.application, 0) + line.octets
    return tuple(
        sorted(
            lines,
            key=lambda one: (
                -whole[one.application], one.application, -one.octets, one.part, one.programme or "", one.reason or "",
            ),
        )
    )  # fmt: skip


def given(
    programme: Programme, used: Mapping[tuple[int, int], int], once_ns: int, month: tuple[int, int]
) -> tuple[Given, ...]:
    """The allowances of a programme that were touched in a month, in their order.

    `used`: octets by (place of the allowance, when its period began); `once_ns`: when that of an allowance "once" does;
    `month`: the instants [begins_ns, ends_ns).
    """
    begins_ns, ends_ns = month
    found = []
    for place, allowance in enumerate(_allowances(programme)):
        of_place = {period_ns: octets for (one, period_ns), octets in used.items() if one == place}
        if allowance.per == ONCE:
            figures = [of_place[once_ns]] if once_ns in of_place else []
        else:
            figures = [octets for period_ns, octets in of_place.items() if begins_ns <= period_ns < ends_ns]
        if figures:
            exhausted = sum(octets >= allowance.octets for octets in figures)
            found.append(Given(programme.name, allowance.octets, allowance.per, sum(figures), len(figures), exhausted))
    return tuple(found)


def _allowances(programme: Programme) -> tuple[Allowance, ...]:
    """All of them, the bonus last."""
    bonus = programme.bonus
    return programme.allowances if bonus is None else (*programme.allowances, Allowance(bonus.octets, MONTH))
