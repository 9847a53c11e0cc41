"""A settlement as a page, as JSON and as CSV.

Rules of this file: octets are exact in all three, and money is text, so that no reader makes a float of it. Amounts of steps
are exact; only what is owed is rounded.
"""

from __future__ import annotations

import csv
import io
import textwrap
from collections.abc import Iterable, Sequence
from decimal import Decimal
from itertools import groupby

from classifier.rating.settlement import Debt, PricedStep, Settlement
from classifier.reports.columns import Column, Line, table_lines
from classifier.reports.words import printable, time_text

_COLUMNS = (
    Column("who owes whom, and for what", least=20),
    Column("octets", right=True),
    Column("tariff", right=True, least=8),
    Column("amount", right=True),
)
_NOBODY = "no operator"
CSV_HEADER = (
    "row",
    "month",
    "payer",
    "operator",
    "programme",
    "octets",
    "currency",
    "step_from_megabytes",
    "step_up_to_megabytes",
    "per_megabyte",
    "amount",
)


def settlement_lines(settlement: Settlement, width: int) -> list[Line]:
    """The page of one month."""
    rows: list[tuple[str, str, str, str]] = []
    styles: list[str] = []

    def add(style: str, what: str, octets: int, tariff: str = "", amount: str = "") -> None:
        rows.append((what, f"{octets:,}", tariff, amount))
        styles.append(style)

    for (payer, operator), group in groupby(settlement.debts, key=lambda debt: (debt.payer, debt.operator)):
        debts = list(group)
        octets = sum(debt.octets for debt in debts)
        add("subscriber", _who(payer, operator), octets, amount=_amounts(debts))
        for debt in debts:
            why = "" if debt.amount is not None or payer == "operator" else "no price agreed"
            add("", f"  {debt.programme}", debt.octets, why, _amount(debt.currency, debt.amount))
            for begins, step in _with_begins(debt.steps):
                add(
                    "",
                    f"    {_step(begins, step)}",
                    step.octets,
                    f"{step.step.per_megabyte} a MB",
                    _grouped(step.amount),
                )
    for charged in settlement.charged:
        add("subscriber", f"charged: {charged.operator or _NOBODY}", charged.octets)
    if settlement.payer is None:
        add("heading", "all usage of the month", settlement.octets)
    lines = [Line(f"settlement of {settlement.month}, {settlement.timezone}", "heading")]
    if not rows:
        lines.append(Line(printable(f"{settlement.payer}: no programme of theirs carried anything in this month")))
    else:
        lines += table_lines(_COLUMNS, rows, styles, width)
    lines.append(Line(""))
    for text, loud in _remarks(settlement):
        lines += [Line(one, "notice" if loud else "") for one in textwrap.wrap(printable(text), max(width, 40))]
    return lines


def settlement_json(settlements: Sequence[Settlement]) -> dict:
    """All months as one object, `freeflow.settlement/1`."""
    return {"schema": "freeflow.settlement/1", "months": [_month_json(one) for one in settlements]}


def settlement_csv(settlements: Iterable[Settlement]) -> str:
    """A row `owed` for each debt and `charged` for each operator, whose octets are all of the month's; and a row `step` for
    each step of a tariff, which says how an amount came about and is no further usage."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(CSV_HEADER)
    for settlement in settlements:
        month = settlement.month
        for debt in settlement.debts:
            head = (month, debt.payer, debt.operator, debt.programme)
            amount = "" if debt.amount is None else str(debt.amount)
            writer.writerow(("owed", *head, debt.octets, debt.currency or "", "", "", "", amount))
            for begins, one in _with_begins(debt.steps):
                until = "" if one.step.up_to_megabytes is None else one.step.up_to_megabytes
                price = (begins, until, one.step.per_megabyte, plain(one.amount))
                writer.writerow(("step", *head, one.octets, debt.currency, *price))
        for charged in settlement.charged:
            writer.writerow(("charged", month, "", charged.operator, "", charged.octets, *[""] * 5))
    return buffer.getvalue()


def plain(amount: Decimal) -> str:
    """An exact amount without an exponent or zeros at its end, with two digits at least."""
    text = f"{amount:f}"
    whole, _, rest = text.partition(".")
    return f"{whole}.{rest.rstrip('0'):0<2}"


def _grouped(amount: Decimal) -> str:
    whole, _, rest = plain(amount).partition(".")
    return f"{int(whole):,}.{rest}"


def difference_texts(settlement: Settlement) -> list[str]:
    """A line for each sum that is not the same when it is counted again."""
    return [
        f"{settlement.month}: {operator or _NOBODY}, {what}: {settled:,} octets by the sums, {counted:,} by the usage"
        for operator, what, settled, counted in settlement.recount.differences
    ]


def _month_json(settlement: Settlement) -> dict:
    recount = settlement.recount
    return {
        "month": settlement.month,
        "timezone": settlement.timezone,
        "begins": time_text(settlement.begins_ns),
        "ends": time_text(settlement.ends_ns),
        "covered_until": time_text(settlement.covered_until_ns),
        "payer": settlement.payer,
        "owed": [
            {
                "payer": debt.payer,
                "operator": debt.operator or None,
                "programme": debt.programme,
                "octets": debt.octets,
                "currency": debt.currency,
                "amount": None if debt.amount is None else str(debt.amount),
                "steps": [
                    {
                        "from_megabytes": begins,
                        "up_to_megabytes": one.step.up_to_megabytes,
                        "per_megabyte": str(one.step.per_megabyte),
                        "octets": one.octets,
                        "amount": plain(one.amount),
                    }
                    for begins, one in _with_begins(debt.steps)
                ],
            }
            for debt in settlement.debts
        ],
        "charged": [{"operator": one.operator or None, "octets": one.octets} for one in settlement.charged],
        "octets": settlement.octets,
        "recounted": {
            "intervals": recount.intervals,
            "rows": recount.rows,
            "octets": recount.octets,
            "equal": not recount.differences,
        },
        "unrecorded_octets": settlement.unrecorded_octets,
        "lost_octets": settlement.lost_octets,
    }


def _remarks(settlement: Settlement) -> Iterable[tuple[str, bool]]:
    """(line, whether it is a warning) below the table."""
    recount = settlement.recount
    counted = f"counted again from {recount.rows:,} rows of usage in {recount.intervals:,} intervals"
    if recount.differences:
        yield f"{counted}: {recount.octets:,} octets, not the same; do not send this", True
    else:
        owed = sum(debt.octets for debt in settlement.debts)
        of_all = "" if settlement.payer is None else f", of which {settlement.payer}'s programmes carried {owed:,}"
        yield f"{counted}: {recount.octets:,} octets{of_all}, the same to the octet in every line", False
    yield "1 MB is 1,000,000 octets; steps are exact, and what is owed for a programme is rounded once", False
    if settlement.covered_until_ns < settlement.ends_ns:
        until = time_text(settlement.covered_until_ns)[:19].replace("T", " ")
        yield f"so far: the ledger ends {until} UTC, before the month does", True
    if settlement.unrecorded_octets:
        yield (
            f"{settlement.unrecorded_octets:,} octets could not be recorded when they passed, and are in no line",
            True,
        )
    if settlement.lost_octets:
        yield f"{settlement.lost_octets:,} octets were not decided when a run was cut short, and are in no line", True


def _who(payer: str, operator: str) -> str:
    if payer == "operator":
        return f"{operator or _NOBODY} bears itself"
    return f"{payer} owes {operator or _NOBODY}"


def _amounts(debts: Sequence[Debt]) -> str:
    """What is owed together, currency by currency; amounts are rounded, so their sum is exact."""
    sums: dict[str, Decimal] = {}
    for debt in debts:
        if debt.currency is not None and debt.amount is not None:
            sums[debt.currency] = sums.get(debt.currency, Decimal(0)) + debt.amount
    return ", ".join(_amount(currency, amount) for currency, amount in sums.items())


def _amount(currency: str | None, amount: Decimal | None) -> str:
    return "" if amount is None else f"{currency} {amount:,f}"


def _step(begins: int, one: PricedStep) -> str:
    until = one.step.up_to_megabytes
    if until is None:
        return f"beyond {begins:,} MB" if begins else "every MB"
    return f"to {until:,} MB"


def _with_begins(steps: Sequence[PricedStep]) -> list[tuple[int, PricedStep]]:
    """Each step with the megabytes at which it begins."""
    if not steps:
        return []
    return list(zip([0, *(one.step.up_to_megabytes for one in steps[:-1])], steps, strict=True))
