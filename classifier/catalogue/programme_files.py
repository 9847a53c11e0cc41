"""One file under `programmes/` -> one programme, with every mistake that the file alone can show.

Rules of this file: as in `files.py`. Prices and volumes are exact: whole numbers, and `Decimal` out of text.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path

from classifier.catalogue.files import check_name, check_twice, day_alone, record_name
from classifier.catalogue.records import BLOCK, CHARGE, OPERATOR, Allowance, Bonus, Eligibility, Programme, Step, Tariff
from classifier.validation import DATE, TEXT, Checker, checked, many, one_of, read_toml, table, table_of, whole_number

DEFAULT_PRIORITY = 100  # programmes that name none come after those that do
_OCTETS_MAX = 2**63 - 1  # what a signed 64-bit counter and SQLite's INTEGER hold
_MEGABYTES_MAX = _OCTETS_MAX // 10**6
_MONTHS_MAX = 1200
_DIGITS_MAX = 18  # of a price, before and after the point together


def _applications(value: object) -> tuple[str, ...] | str:
    if value == "*":
        return "*"
    if not isinstance(value, list) or not value or not all(isinstance(name, str) and name for name in value):
        raise ValueError('must be names of applications or all of them; write ["facebook", "messenger"] or "*"')
    if "*" in value:
        raise ValueError('"*" stands for all applications; write it alone, without [ ]')
    return tuple(value)


def _instant(value: object) -> object:
    if isinstance(value, datetime) and value.tzinfo is None:
        raise ValueError(f"{value} has no offset; write the date alone or add an offset like +08:00")
    return value


def _currency(text: str) -> str:
    if not re.fullmatch("[A-Z]{3}", text):
        raise ValueError(f'"{text}" is not an ISO 4217 code; write three capitals, like "CNY"')
    return text


def _price(text: str) -> Decimal:
    if not re.fullmatch(r"\d+(\.\d+)?", text, re.ASCII) or len(text) > _DIGITS_MAX:
        raise ValueError(f'"{text}" is not a price of up to {_DIGITS_MAX - 1} digits; write it like "0.10"')
    return Decimal(text)


_DAY = checked(day_alone, DATE)
_OCTETS = whole_number(1, _OCTETS_MAX)
_ALLOWANCE = table({"octets": _OCTETS, "per": one_of("day", "month", "once")}, {})
_BONUS = table(
    {"octets": _OCTETS, "months": whole_number(1, _MONTHS_MAX)},
    {"per": one_of("month"), "joined_before": _DAY, "enrolled_before": _DAY},
)
_PRICES = {
    "per_megabyte": checked(_price),
    "steps": many(
        table({"per_megabyte": checked(_price)}, {"up_to_megabytes": whole_number(1, _MEGABYTES_MAX)}), least=1
    ),
}
_GROUP = table({}, {"operator": TEXT, "province": TEXT, "plan": TEXT})
_PROGRAMME = Checker(
    table(
        {
            "name": checked(record_name),
            "payer": TEXT,
            "applications": checked(_applications, {"type": "any"}),
            "starts": checked(_instant, DATE),
            "rate_percent": whole_number(0, 99),
        },
        {
            "ends": checked(_instant, DATE),
            "allowance": _ALLOWANCE,
            "allowances": many(_ALLOWANCE, least=1),
            "bonus": _BONUS,
            "eligible": many(_GROUP),
            "enrolment": one_of("automatic", "required"),
            "registered_before": _DAY,
            "accept": one_of("claimed", "verified"),
            "priority": whole_number(0, 1_000_000),
            "on_exhausted": one_of(CHARGE, BLOCK),
            "tariff": table({"currency": checked(_currency)}, {**_PRICES, "by_operator": table_of(table({}, _PRICES))}),
        },
    )
)


def read_programme(file: Path, problems: list[str]) -> Programme | None:
    """The programme that `file` describes; its mistakes are added to `problems`. None where nothing can be read."""
    content = read_toml(file, problems)
    # What stands in for a missing key is never used: the file has a problem then.
    fill = {
        "name": file.stem,
        "payer": OPERATOR,
        "applications": "*",
        "starts": datetime.min.date(),
        "rate_percent": 0,
    }
    found = None if content is None else _PROGRAMME.check(file, content, problems, fill)
    if found is None:
        return None
    check_name(file, found["name"], problems)
    if found["applications"] != "*":
        check_twice(file, "applications", found["applications"], problems)
    groups = tuple(
        Eligibility(group.get("operator"), group.get("province"), group.get("plan"))
        for group in found.get("eligible", ())
    )
    problems += [f"{file}: {what}" for what in _terms_at_odds(found, groups)]
    return Programme(
        name=found["name"],
        payer=found["payer"],
        applications=found["applications"],
        starts=found["starts"],
        ends=found.get("ends"),
        rate_percent=found["rate_percent"],
        allowances=_allowances(found),
        bonus=_bonus(found),
        eligible=groups,
        enrolment=found.get("enrolment", "automatic"),
        registered_before=found.get("registered_before"),
        accept=found.get("accept", "claimed"),
        priority=found.get("priority", DEFAULT_PRIORITY),
        tariff=_tariff(found["tariff"]) if "tariff" in found else None,
        file=str(file),
        on_exhausted=found.get("on_exhausted", CHARGE),
    )


def _allowances(found: dict) -> tuple[Allowance, ...]:
    listed = found.get("allowances", [found["allowance"]] if "allowance" in found else [])
    return tuple(Allowance(**allowance) for allowance in listed)


def _bonus(found: dict) -> Bonus | None:
    if "bonus" not in found:
        return None
    bonus = found["bonus"]
    for since in ("joined", "enrolled"):
        if f"{since}_before" in bonus:
            return Bonus(bonus["octets"], bonus["months"], since, bonus[f"{since}_before"])
    since = "enrolled" if found.get("enrolment") == "required" else "joined"
    return Bonus(bonus["octets"], bonus["months"], since, None)


def _tariff(found: dict) -> Tariff:
    others = found.get("by_operator", {})
    return Tariff(found["currency"], _steps(found), tuple((name, _steps(prices)) for name, prices in others.items()))


def _steps(prices: dict) -> tuple[Step, ...]:
    if "per_megabyte" in prices:
        return (Step(None, prices["per_megabyte"]),)
    return tuple(Step(step.get("up_to_megabytes"), step["per_megabyte"]) for step in prices.get("steps", ()))


def _terms_at_odds(found: dict, groups: Sequence[Eligibility]) -> list[str]:
    """Keys that cannot stand together, each as `key: what; mend`."""
    wrong = [
        f"eligible[{number}]: asks for nothing; name an operator, province or plan"
        for number, group in enumerate(groups, 1)
        if group == Eligibility(None, None, None)
    ]
    ends = found.get("ends")
    if ends is not None and not _in_order(found["starts"], ends):
        wrong.append(f"ends: {ends} is not after starts ({found['starts']}); mend one of them")
    if "allowance" in found and "allowances" in found:
        wrong.append("allowances: allowance stands there too; put it into the list and take it away")
    if "registered_before" in found and found.get("enrolment") != "required":
        wrong.append('registered_before: nobody registers here; write enrolment = "required" or take it away')
    if "on_exhausted" in found and "allowance" not in found and "allowances" not in found:
        wrong.append("on_exhausted: nothing is ever exhausted here; add an allowance or take it away")
    bonus = found.get("bonus", {})
    if bonus and "allowance" not in found and "allowances" not in found:
        wrong.append("bonus: everything is given without limit already; add an allowance or take the bonus away")
    if "joined_before" in bonus and "enrolled_before" in bonus:
        wrong.append("bonus: joined_before and enrolled_before: its months count from one day; keep one of them")
    return wrong + (_tariff_at_odds(found["tariff"], groups) if "tariff" in found else [])


def _tariff_at_odds(tariff: dict, groups: Sequence[Eligibility]) -> list[str]:
    others = tariff.get("by_operator", {})
    wrong = _prices_at_odds("tariff", tariff)
    for name, prices in others.items():
        wrong += _prices_at_odds(f"tariff.by_operator.{name}", prices)
        if not prices.keys() & _PRICES.keys():
            wrong.append(f"tariff.by_operator.{name}: has no price; add per_megabyte or steps")
        if groups and all(group.operator not in (None, name) for group in groups):
            wrong.append(f"tariff.by_operator.{name}: no group of eligible has this operator; take it away or mend it")
    if tariff.keys() & _PRICES.keys():
        return wrong
    if not others:
        wrong.append("tariff: has no price; add per_megabyte, steps or by_operator")
    elif not groups or any(group.operator is None for group in groups):
        wrong.append("tariff: operators beside by_operator have no price; add per_megabyte or steps for them")
    else:
        unpriced = sorted({str(group.operator) for group in groups} - others.keys())
        wrong += [
            f'tariff.by_operator: no price for the operator "{name}"; add one, or per_megabyte for all others'
            for name in unpriced
        ]
    return wrong


def _prices_at_odds(key: str, prices: dict) -> list[str]:
    wrong = []
    if "per_megabyte" in prices and "steps" in prices:
        wrong.append(f"{key}.steps: per_megabyte stands there too; keep one of them")
    steps = prices.get("steps", ())
    before = 0
    for number, step in enumerate(steps, 1):
        until = step.get("up_to_megabytes")
        if until is None:
            if number < len(steps):
                wrong.append(f"{key}.steps[{number}]: has no end, and more steps follow; add up_to_megabytes")
            continue
        if number == len(steps):
            wrong.append(f"{key}.steps[{number}]: nothing is priced beyond its end; take away its up_to_megabytes")
        if until <= before:
            wrong.append(
                f"{key}.steps[{number}].up_to_megabytes: {until} is not above the step before ({before}); "
                "put the steps in order"
            )
        before = max(before, until)
    return wrong


def _in_order(starts: date, ends: date) -> bool:
    """Whether a window is not empty. A date's midnight lies in a time zone not known here: against an instant it may
    be out by less than a day, and is believed."""
    try:
        distance = _utc(ends) - _utc(starts)
    except OverflowError:  # an offset at the first or last day of the calendar
        return starts.year < ends.year
    mixed = isinstance(starts, datetime) != isinstance(ends, datetime)
    return distance > (-timedelta(days=1) if mixed else timedelta(0))


def _utc(value: date) -> datetime:
    if isinstance(value, datetime):
        return value.replace(tzinfo=None) - (value.utcoffset() or timedelta(0))
    return datetime.combine(value, time.min)
