"""What `freeflow programmes` prints, as objects for JSON and in plain words for a person.

Rules of this file: nothing of a programme's terms is left out of its page; volumes are exact octets in JSON, and exact in
words wherever decimal units can say them.
"""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

from classifier.catalogue.records import BLOCK, OPERATOR, Eligibility, Programme, Step, Tariff
from classifier.rating.explain import Explained
from classifier.rating.offers import make_offers
from classifier.rating.periods import Periods
from classifier.reports.columns import Column, Line, table_lines
from classifier.reports.words import printable, time_text
from classifier.subscribers.load import Subscriber

_LABEL_COLUMNS = 14
_UNITS = ((10**12, "TB"), (10**9, "GB"), (10**6, "MB"), (10**3, "kB"))  # decimal, IEC 80000-13
_PER = {"day": "a day", "month": "a month", "once": "once"}


def in_order(programmes: Sequence[Programme], periods: Periods) -> list[Programme]:
    """The programmes in the order in which they apply."""
    return [offer.programme for offer in make_offers(programmes, periods)]


def programme_json(programme: Programme) -> dict:
    """All terms, as the file has them; prices are text, so that they stay exact."""
    bonus = programme.bonus
    return {
        "name": programme.name,
        "payer": programme.payer,
        "applications": _listed(programme.applications),
        "starts": programme.starts.isoformat(),
        "ends": None if programme.ends is None else programme.ends.isoformat(),
        "rate_percent": programme.rate_percent,
        "allowances": [{"octets": one.octets, "per": one.per} for one in programme.allowances],
        "bonus": bonus
        and {"octets": bonus.octets, "months": bonus.months, "since": bonus.since, "before": _day(bonus.before)},
        "eligible": [
            {"operator": group.operator, "province": group.province, "plan": group.plan} for group in programme.eligible
        ],
        "enrolment": programme.enrolment,
        "registered_before": _day(programme.registered_before),
        "accept": programme.accept,
        "priority": programme.priority,
        "on_exhausted": programme.on_exhausted,
        "tariff": programme.tariff and _tariff_json(programme.tariff),
        "file": programme.file,
    }


def list_lines(programmes: Sequence[Programme], width: int) -> list[Line]:
    """A line for each programme."""
    columns = (
        Column("programme"),
        Column("paid by", least=7),
        Column("starts"),
        Column("ends"),
        Column("gives", least=8),
        Column("applications", least=8),
    )
    rows = [
        (
            programme.name,
            programme.payer,
            programme.starts.isoformat(),
            "-" if programme.ends is None else programme.ends.isoformat(),
            ", ".join(_allowance_texts(programme)) or "no limit",
            "all" if programme.applications == "*" else ", ".join(programme.applications),
        )
        for programme in programmes
    ]
    return table_lines(columns, rows, [""] * len(rows), width)


def show_lines(programme: Programme, width: int) -> list[Line]:
    """The programme in plain words, a paragraph for each question."""
    lines = [Line(programme.name, "heading")]
    for label, text in (
        ("covers", "every application" if programme.applications == "*" else ", ".join(programme.applications)),
        ("costs", _rate_text(programme.rate_percent)),
        ("gives", _gives_text(programme)),
        ("used up", _used_up_text(programme)),
        ("for", _eligible_text(programme.eligible)),
        ("enrolment", _enrolment_text(programme)),
        ("dates", _dates_text(programme)),
        ("evidence", _evidence_text(programme)),
        ("paid by", _payer_text(programme)),
        ("priority", f"{programme.priority}; lower numbers come first, then what ends earlier, then by name"),
        ("file", programme.file),
    ):
        lines += _paragraph(label, text, width)
    return lines


def _used_up_text(programme: Programme) -> str:
    if not programme.allowances:
        return "never"
    if programme.on_exhausted == BLOCK:
        return "offers after it pay; where there is none, an in-line gateway blocks what is left, else it is charged"
    return "offers after it pay, then the subscriber"


def explain_json(
    sought: str, subscriber: Subscriber | None, at_ns: int, periods: Periods, explained: Sequence[Explained]
) -> dict:
    """What the subscriber gets at that moment, programme by programme in the order in which they apply."""
    return {
        "subscriber": subscriber.name if subscriber else sought,
        "listed": subscriber is not None,
        "at": time_text(at_ns),
        "day": periods.day(at_ns).isoformat(),
        "month": periods.month_name(at_ns),
        "programmes": [
            {
                "programme": one.programme.name,
                "applies": one.failed is None,
                "reason": one.failed,
                "because": _because(one, subscriber),
                "rate_percent": one.programme.rate_percent,
                "applications": _listed(one.programme.applications),
                "payer": one.programme.payer,
                "allowances": [
                    {"octets": limit.octets, "per": limit.per, "left_octets": left} for limit, left in one.limits or ()
                ],
            }
            for one in explained
        ],
    }


def explain_lines(answer: dict, width: int) -> list[Line]:
    """The same in words: what applies, then what does not and why."""
    listed = "" if answer["listed"] else " (in no subscriber file)"
    moment = f"{answer['at'][:19].replace('T', ' ')} UTC"
    lines = [
        Line(
            f"{printable(answer['subscriber'])}{listed} at {moment}: day {answer['day']}, month {answer['month']}",
            "heading",
        )
    ]
    applying = [one for one in answer["programmes"] if one["applies"]]
    for one in applying:
        lines += [Line(""), Line(one["programme"], "free")]
        names = one["applications"]
        covered = "every application" if names == "*" else ", ".join(names)
        lines += _paragraph("gets", f"{covered}: {_rate_text(one['rate_percent'])}, paid by {one['payer']}", width)
        left = [
            f"{volume_text(limit['left_octets'])} of {volume_text(limit['octets'])} {_PER[limit['per']]}"
            for limit in one["allowances"]
        ]
        lines += _paragraph("left", ", then ".join(left) or "no limit", width)
    if not applying:
        lines += [Line(""), Line("no programme applies: everything is charged")]
    for number, one in enumerate(one for one in answer["programmes"] if not one["applies"]):
        lines += [] if number else [Line("")]
        lines += [Line(f"not {one['programme']}"), *_paragraph("", one["because"], width)]
    return lines


def volume_text(octets: int) -> str:
    """Octets in a unit that says them exactly with at most three digits on each side of the point, else as they are."""
    for scale, unit in _UNITS:
        if scale <= octets < 1000 * scale and octets * 1000 % scale == 0:
            whole, rest = divmod(octets * 1000 // scale, 1000)
            return f"{whole}{f'.{rest:03}'.rstrip('0') if rest else ''} {unit}"
    return f"{octets:,} B"


def _because(one: Explained, subscriber: Subscriber | None) -> str | None:
    programme = one.programme
    if one.failed == "outside_window":
        return f"its dates: {_dates_text(programme)}"
    if one.failed == "not_eligible":
        mine = "is in no subscriber file"
        if subscriber is not None:
            attributes = ("operator", "province", "plan")
            mine = "has " + ", ".join(f"{name} {getattr(subscriber, name) or 'unknown'}" for name in attributes)
        return f"it is for {_eligible_text(programme.eligible)}; this subscriber {mine}"
    if one.failed == "not_enrolled":
        day = None if subscriber is None else dict(subscriber.enrolled).get(programme.name)
        return f"enrolled only from {day} on" if day else "it asks for enrolment, and the subscriber has not enrolled"
    if one.failed == "registered_too_late":
        day = dict(subscriber.enrolled)[programme.name] if subscriber else None
        return f"enrolled on {day}, which had to be before {programme.registered_before}"
    return None


def _rate_text(rate_percent: int) -> str:
    return (
        "free" if rate_percent == 0 else f"discounted: the subscriber is charged {rate_percent} % of the octets' price"
    )


def _allowance_texts(programme: Programme) -> list[str]:
    return [f"{volume_text(one.octets)} {_PER[one.per]}" for one in programme.allowances]


def _gives_text(programme: Programme) -> str:
    if not programme.allowances:
        return "as much as is used"
    text = ", then ".join(_allowance_texts(programme))
    text += " to each subscriber"
    if len(programme.applications) > 1:
        text += ", for all that it covers together"
    bonus = programme.bonus
    if bonus:
        did = "joined" if bonus.since == "joined" else "enrolled"
        text += (
            f"; then a bonus of {volume_text(bonus.octets)} a month for {bonus.months} months, counted from the month"
        )
        text += f" in which the subscriber {did}"
        text += f", to those who {did} before {bonus.before}" if bonus.before else ""
    return text


def _eligible_text(groups: Sequence[Eligibility]) -> str:
    if not groups:
        return "everyone"
    texts = []
    for group in groups:
        text = f"subscribers of {group.operator}" if group.operator else "subscribers"
        text += f" in {group.province}" if group.province else ""
        text += f" with the plan {group.plan}" if group.plan else ""
        texts.append(text)
    return "; ".join(texts)


def _enrolment_text(programme: Programme) -> str:
    if programme.enrolment == "automatic":
        return "nobody has to sign up"
    text = "the subscriber has to sign up; it counts from that day on"
    return text + (f", and has to be before {programme.registered_before}" if programme.registered_before else "")


def _dates_text(programme: Programme) -> str:
    text = f"from {programme.starts.isoformat()}"
    if programme.ends is None:
        return f"{text}, no end"
    return f"{text} until {programme.ends.isoformat()}, which is no part of it"


def _evidence_text(programme: Programme) -> str:
    if programme.applications == "*":
        return "none is asked for"
    if programme.accept == "verified":
        return "the server's address has to agree"
    return "the name on the wire is enough, as long as nothing contradicts it"


def _payer_text(programme: Programme) -> str:
    tariff = programme.tariff
    if programme.payer == OPERATOR:
        return "the operator, who owes nobody"
    if tariff is None:
        return f"{programme.payer}; no price is known"
    prices = [_steps_text(tariff.currency, tariff.steps)] if tariff.steps else []
    prices += [f"to {name} {_steps_text(tariff.currency, steps)}" for name, steps in tariff.by_operator]
    return f"{programme.payer}, who owes the operator " + "; ".join(prices) + " (1 MB is 1,000,000 octets)"


def _steps_text(currency: str, steps: Sequence[Step]) -> str:
    texts = []
    for step in steps:
        until = "" if step.up_to_megabytes is None else f" up to {step.up_to_megabytes:,} MB a month"
        texts.append(f"{currency} {step.per_megabyte} a MB{until}")
    return ", then ".join(texts)


def _tariff_json(tariff: Tariff) -> dict:
    def listed(steps: Sequence[Step]) -> list[dict]:
        return [{"up_to_megabytes": one.up_to_megabytes, "per_megabyte": str(one.per_megabyte)} for one in steps]

    others = {name: listed(steps) for name, steps in tariff.by_operator}
    return {"currency": tariff.currency, "steps": listed(tariff.steps), "by_operator": others}


def _listed(applications: Sequence[str] | str) -> str | list[str]:
    return applications if isinstance(applications, str) else list(applications)


def _day(value) -> str | None:
    return None if value is None else value.isoformat()


def _paragraph(label: str, text: str, width: int) -> list[Line]:
    room = max(width - _LABEL_COLUMNS, 20)
    folded = textwrap.wrap(printable(text), room, break_long_words=False, break_on_hyphens=False)
    labels = [f"  {label}:" if label else "", *[""] * (len(folded) - 1)]
    return [Line(f"{name:<{_LABEL_COLUMNS}}{line}") for name, line in zip(labels, folded, strict=True)]
