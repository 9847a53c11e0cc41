"""From what programmes carried in a month to what their payers owe each operator: accounting 3.5.

Rules of this file: volumes are integers, money is `Decimal` and exact, but for one place: `rounded`, where the amount of one
programme, operator and month becomes one that can be paid. Sums are made of rounded amounts, so that they can be checked by
hand. The price counts for every octet that the programme carried, whatever rate the subscriber pays.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Context, Decimal, Inexact

from classifier.catalogue.records import OPERATOR, Programme, Step

MEGABYTE_OCTETS = 10**6
# A price has at most 17 digits, a volume 19, and 10^6 moves the point: nothing exact needs more.
_EXACT = Context(prec=60, traps=[Inexact])
_ROUNDING = Context(prec=60)
# ISO 4217:2015, list one: digits of the minor unit where they are not two.
_NO_MINOR = ("BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG", "RWF", "UGX", "UYI", "VND", "VUV")
_THOUSANDTHS = ("BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND")
_MINOR_DIGITS = {
    **dict.fromkeys((*_NO_MINOR, "XAF", "XOF", "XPF"), 0),
    **dict.fromkeys(_THOUSANDTHS, 3),
    **dict.fromkeys(("CLF", "UYW"), 4),
}


@dataclass(frozen=True, slots=True)
class Carried:
    """What a programme carried for the subscribers of one operator in one month (`2013-11`)."""

    programme: str
    operator: str
    month: str
    octets: int


@dataclass(frozen=True, slots=True)
class PricedStep:
    """The octets that fell into one step of the tariff, and their price, exact."""

    step: Step
    octets: int
    amount: Decimal


@dataclass(frozen=True, slots=True)
class Debt:
    """What a payer owes an operator for one programme and month.

    `amount` is rounded to the currency's minor unit. None, with no currency and no steps, where nothing is owed: the payer is
    the operator, or no price was agreed with it.
    """

    payer: str
    operator: str
    programme: str
    month: str
    octets: int
    currency: str | None
    steps: tuple[PricedStep, ...]
    amount: Decimal | None


@dataclass(frozen=True, slots=True)
class Charged:
    """What no programme paid for: the octets of one operator's subscribers that are their own."""

    operator: str
    octets: int


@dataclass(frozen=True, slots=True)
class Recount:
    """The same month counted a second time, row by row: `intervals` of usage, its `rows` and their octets.

    `differences`: (operator, programme or reason, octets settled, octets recounted) wherever the two are not the same.
    """

    intervals: int
    rows: int
    octets: int
    differences: tuple[tuple[str, str, int, int], ...]


@dataclass(frozen=True, slots=True)
class Settlement:
    """One month. `octets` are all of its usage: where no `payer` is named, those of `debts` and `charged` together, else only
    this payer's debts are there.

    The month is [begins_ns, ends_ns); `covered_until_ns`: where the ledger ends, or the month if that is earlier.
    `unrecorded_octets` could not be written when they were rated, `lost_octets` were held undecided when a run was cut short:
    both stand in no line.
    """

    month: str
    timezone: str
    begins_ns: int
    ends_ns: int
    covered_until_ns: int
    payer: str | None
    debts: tuple[Debt, ...]
    charged: tuple[Charged, ...]
    octets: int
    recount: Recount
    unrecorded_octets: int
    lost_octets: int


def settle(carried: Iterable[Carried], programmes: Sequence[Programme]) -> tuple[Debt, ...]:
    """A debt for each programme, operator and month, sorted by payer, operator, programme and month.

    Volumes of the same programme, operator and month are added up before they are priced. KeyError for a programme that is
    not among `programmes`.
    """
    named = {programme.name: programme for programme in programmes}
    volumes: dict[tuple[str, str, str], int] = defaultdict(int)
    for entry in carried:
        volumes[entry.programme, entry.operator, entry.month] += entry.octets
    debts = [_debt(named[name], operator, month, octets) for (name, operator, month), octets in volumes.items()]
    return tuple(sorted(debts, key=_order))


def settle_terms(carried: Mapping[tuple[Programme, str, str], int]) -> tuple[Debt, ...]:
    """The same for octets by (programme under its terms of the time, operator, month).

    Terms that changed in something else than tariff and payer are one programme still, whose volume goes through the steps
    once; where one of these two changed there is a debt under each.
    """
    of_price: dict[tuple, tuple[Programme, list[Carried]]] = {}
    for (programme, operator, month), octets in carried.items():
        key = (programme.name, programme.payer, programme.tariff)
        _, volumes = of_price.setdefault(key, (programme, []))
        volumes.append(Carried(programme.name, operator, month, octets))
    debts = [debt for programme, volumes in of_price.values() for debt in settle(volumes, [programme])]
    return tuple(sorted(debts, key=_order))


def priced(octets: int, steps: Sequence[Step]) -> tuple[PricedStep, ...]:
    """A month's octets cut at the ends of the steps; steps that are not reached are left out."""
    found, begins = [], 0
    for step in steps:
        ends = octets if step.up_to_megabytes is None else min(octets, step.up_to_megabytes * MEGABYTE_OCTETS)
        if ends > begins:
            amount = _EXACT.multiply(Decimal(ends - begins), step.per_megabyte)
            found.append(PricedStep(step, ends - begins, _EXACT.divide(amount, Decimal(MEGABYTE_OCTETS))))
            begins = ends
    return tuple(found)


def rounded(amount: Decimal, currency: str) -> Decimal:
    """The one place where money is rounded: to the currency's minor unit, half up, as invoices are."""
    return amount.quantize(Decimal(1).scaleb(-_MINOR_DIGITS.get(currency, 2)), ROUND_HALF_UP, _ROUNDING)


def _order(debt: Debt) -> tuple:
    return debt.payer, debt.operator, debt.programme, debt.month, debt.currency or "", debt.octets


def _debt(programme: Programme, operator: str, month: str, octets: int) -> Debt:
    tariff = programme.tariff
    steps = () if tariff is None or programme.payer == OPERATOR else tariff.steps_of(operator)
    if tariff is None or not steps:
        return Debt(programme.payer, operator, programme.name, month, octets, None, (), None)
    parts = priced(octets, steps)
    total = Decimal(0)
    for part in parts:
        total = _EXACT.add(total, part.amount)
    amount = rounded(total, tariff.currency)
    return Debt(programme.payer, operator, programme.name, month, octets, tariff.currency, parts, amount)
