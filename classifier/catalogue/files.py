"""One file of a signatures folder -> one record, with every mistake that the file alone can show.

Rules of this file: nothing here looks at a second file. A file with mistakes still gives a record of what is right in
it, so that the comparison with the others finds the rest in the same pass.
"""

from __future__ import annotations

import re
from datetime import date, datetime, time, timedelta
from decimal import Decimal, InvalidOperation
from pathlib import Path

from classifier.catalogue.patterns import parse_pattern
from classifier.catalogue.records import Allowance, Application, Eligibility, Programme, Tariff
from classifier.validation import (
    DATE,
    FLAG,
    TEXT,
    Checker,
    checked,
    many,
    network,
    one_of,
    read_toml,
    table,
    whole_number,
)

DEFAULT_PRIORITY = 100  # programmes that name none come after those that do
_OCTETS_MAX = 2**63 - 1  # what a signed 64-bit counter and SQLite's INTEGER hold
_NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_RESERVED = ("unknown", "builtin")


def _name(text: str) -> str:
    if not _NAME.fullmatch(text):
        mend = re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-") or "my-name"
        raise ValueError(f'"{text}" is not small letters, digits and single hyphens; write "{mend}"')
    if text in _RESERVED:
        raise ValueError(f'"{text}" has a meaning of its own; choose another name')
    return text


def _pattern(text: str) -> str:
    return parse_pattern(text).text


def _service(text: str) -> tuple[str, int]:
    protocol, _, port = text.partition("/")
    if protocol not in ("tcp", "udp") or not port.isdecimal() or not 0 < int(port) < 65536:
        raise ValueError(f'"{text}" is not a protocol and a port; write it like "udp/53"')
    return protocol, int(port)


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


def _day(value: object) -> object:
    if isinstance(value, datetime):
        raise ValueError(f"{value} has a time of day; write the date alone")
    return value


def _currency(text: str) -> str:
    if not re.fullmatch("[A-Z]{3}", text):
        raise ValueError(f'"{text}" is not an ISO 4217 code; write three capitals, like "CNY"')
    return text


def _price(text: str) -> Decimal:
    try:
        price = Decimal(text)
    except InvalidOperation:
        price = Decimal("NaN")
    if not price.is_finite() or price < 0:
        raise ValueError(f'"{text}" is not a price; write it like "0.10"')
    return price


_PREFIXES = many(checked(network))
_DOMAINS = many(checked(_pattern))
_APPLICATION = Checker(
    table(
        {"name": checked(_name)},
        {
            "title": TEXT,
            "domains": _DOMAINS,
            "addresses": _PREFIXES,
            "shared_addresses": _PREFIXES,
            "addresses_complete": FLAG,
            "domains_anywhere": _DOMAINS,
            "services": many(checked(_service)),
            "source": TEXT,
            "updated": checked(_day, DATE),
        },
    )
)
_GROUP = table({}, {"operator": TEXT, "province": TEXT, "plan": TEXT})
_PROGRAMME = Checker(
    table(
        {
            "name": checked(_name),
            "payer": TEXT,
            "applications": checked(_applications, {"type": "any"}),
            "starts": checked(_instant, DATE),
            "rate_percent": whole_number(0, 99),
        },
        {
            "ends": checked(_instant, DATE),
            "allowance": table(
                {"octets": whole_number(1, _OCTETS_MAX), "per": one_of("day", "month", "once")},
                {},
            ),
            "eligible": many(_GROUP),
            "enrolment": one_of("automatic", "required"),
            "accept": one_of("claimed", "verified"),
            "priority": whole_number(0, 1_000_000),
            "tariff": table({"currency": checked(_currency), "per_megabyte": checked(_price)}, {}),
        },
    )
)


def read_application(file: Path, problems: list[str]) -> Application | None:
    """The application that `file` describes; its mistakes are added to `problems`. None where nothing can be read."""
    content = read_toml(file, problems)
    found = None if content is None else _APPLICATION.check(file, content, problems, {"name": file.stem})
    if found is None:
        return None
    _check_name(file, found["name"], problems)
    for key in ("domains", "domains_anywhere", "addresses", "shared_addresses", "services"):
        _check_twice(file, key, found.get(key, ()), problems)
    own, shared = found.get("addresses", ()), found.get("shared_addresses", ())
    for prefix in sorted(set(own) & set(shared), key=str):
        problems.append(f"{file}: shared_addresses: {prefix} is under addresses too; keep it in one of them")
    if not any(content.get(key) for key in ("domains", "addresses", "shared_addresses", "services")):
        problems.append(f"{file}: domains: nothing to recognise it by; add domains, addresses or services")
    if found.get("addresses_complete") and not content.get("addresses") and not content.get("shared_addresses"):
        problems.append(f"{file}: addresses_complete: true without addresses; list them or take the key away")
    return Application(
        name=found["name"],
        title=found.get("title", found["name"]),
        domains=tuple(found.get("domains", ())),
        addresses=tuple(own),
        shared_addresses=tuple(shared),
        addresses_complete=found.get("addresses_complete", False),
        domains_anywhere=tuple(found.get("domains_anywhere", ())),
        services=tuple(found.get("services", ())),
        source=found.get("source", ""),
        updated=found.get("updated"),
        file=str(file),
    )


def read_programme(file: Path, problems: list[str]) -> Programme | None:
    """The programme that `file` describes; its mistakes are added to `problems`. None where nothing can be read."""
    content = read_toml(file, problems)
    # What stands in for a missing key is never used: the file has a problem then.
    fill = {
        "name": file.stem,
        "payer": "operator",
        "applications": "*",
        "starts": datetime.min.date(),
        "rate_percent": 0,
    }
    found = None if content is None else _PROGRAMME.check(file, content, problems, fill)
    if found is None:
        return None
    _check_name(file, found["name"], problems)
    if found["applications"] != "*":
        _check_twice(file, "applications", found["applications"], problems)
    for number, group in enumerate(found.get("eligible", ()), 1):
        if not group:
            problems.append(f"{file}: eligible[{number}]: asks for nothing; name an operator, province or plan")
    ends = found.get("ends")
    if ends is not None and not _in_order(found["starts"], ends):
        problems.append(f"{file}: ends: {ends} is not after starts ({found['starts']}); mend one of them")
    return Programme(
        name=found["name"],
        payer=found["payer"],
        applications=found["applications"],
        starts=found["starts"],
        ends=ends,
        rate_percent=found["rate_percent"],
        allowance=Allowance(**found["allowance"]) if "allowance" in found else None,
        eligible=tuple(
            Eligibility(group.get("operator"), group.get("province"), group.get("plan"))
            for group in found.get("eligible", ())
        ),
        enrolment=found.get("enrolment", "automatic"),
        accept=found.get("accept", "claimed"),
        priority=found.get("priority", DEFAULT_PRIORITY),
        tariff=Tariff(**found["tariff"]) if "tariff" in found else None,
        file=str(file),
    )


def _check_name(file: Path, name: str, problems: list[str]) -> None:
    if name != file.stem:
        problems.append(f'{file}: name: "{name}" is not the file\'s name; write "{file.stem}" or call it {name}.toml')


def _check_twice(file: Path, key: str, values: list | tuple, problems: list[str]) -> None:
    seen = set()
    for value in values:
        if value in seen:
            shown = "/".join(map(str, value)) if isinstance(value, tuple) else value
            problems.append(f'{file}: {key}: "{shown}" stands there twice; take one away')
        seen.add(value)


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
