"""What one subscriber is told of a month: as a page that could be sent, as JSON and as CSV.

Rule of this file: what is free is told first, then what it was free by, and every charged octet has its reason.
"""

from __future__ import annotations

import csv
import io
from collections import defaultdict
from itertools import groupby

from classifier.rating.statement import ONCE, Given, Statement
from classifier.reports.columns import Column, Line, table_lines
from classifier.reports.words import count_text, octets_text, printable, reason_text, time_text

PARTS = ("zero_rated", "discounted", "charged")
_COLUMNS = (
    Column("application", least=12),
    *(Column(heading, right=True) for heading in ("sent", "received", "free", "discounted", "charged")),
)
CSV_HEADER = (
    "subscriber", "month", "application", "part", "programme", "payer", "rate_percent", "reason", "uplink_octets",
    "downlink_octets", "packets",
)  # fmt: skip


def statement_lines(statement: Statement, width: int) -> list[Line]:
    """The page."""
    known = ", ".join(one for one in (statement.operator, statement.province, statement.plan) if one)
    head = f"{statement.subscriber}{f' ({known})' if known else ''}: your usage in {statement.month}"
    lines = [Line(printable(head), "heading")]
    if statement.covered_until_ns < statement.ends_ns:
        until = time_text(statement.covered_until_ns)[:19].replace("T", " ")
        lines.append(Line(f"until {until} UTC", "notice"))
    if not statement.lines:
        return [*lines, Line(""), Line("Nothing was used.")]
    rows = []
    for application, group in groupby(statement.lines, key=lambda line: line.application):
        of_it = list(group)
        parts = [sum(line.octets for line in of_it if line.part == part) for part in PARTS]
        sent, received = sum(line.uplink_octets for line in of_it), sum(line.downlink_octets for line in of_it)
        rows.append((application, *(_volume(one) for one in (sent, received, *parts))))
    sums = [statement.octets(part) for part in PARTS]
    sent = sum(line.uplink_octets for line in statement.lines)
    rows.append(("together", *(_volume(one) for one in (sent, statement.octets() - sent, *sums))))
    lines += [Line(""), *table_lines(_COLUMNS, rows, [*[""] * (len(rows) - 1), "heading"], width)]
    lines += [Line(""), *_paid_lines(statement)]
    exact = ", ".join(
        f"{octets:,} {name}" for octets, name in zip(sums, ("free", "discounted", "charged"), strict=True)
    )
    return [*lines, Line(""), Line(f"{statement.octets():,} octets, each in one place: {exact}.")]


def statement_json(statement: Statement) -> dict:
    """`freeflow.statement/1`."""
    return {
        "schema": "freeflow.statement/1",
        "subscriber": statement.subscriber,
        "operator": statement.operator or None,
        "province": statement.province or None,
        "plan": statement.plan or None,
        "month": statement.month,
        "timezone": statement.timezone,
        "covered_until": time_text(statement.covered_until_ns),
        "octets": statement.octets(),
        **{f"{part}_octets": statement.octets(part) for part in PARTS},
        "usage": [
            {
                "application": line.application,
                "part": line.part,
                "programme": line.programme,
                "payer": line.payer,
                "rate_percent": line.rate_percent,
                "reason": line.reason,
                "uplink_octets": line.uplink_octets,
                "downlink_octets": line.downlink_octets,
                "octets": line.octets,
                "packets": line.packets,
            }
            for line in statement.lines
        ],
        "allowances": [
            {
                "programme": one.programme,
                "octets": one.octets,
                "per": one.per,
                "used_octets": one.used_octets,
                "periods": one.periods,
                "exhausted_periods": one.exhausted,
            }
            for one in statement.given
        ],
    }


def statement_csv(statement: Statement) -> str:
    """A row for each application, programme and reason; their octets are all of the month's."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(CSV_HEADER)
    for line in statement.lines:
        what = (line.application, line.part, line.programme or "", line.payer or "")
        why = ("" if line.rate_percent is None else line.rate_percent, line.reason or "")
        volumes = (line.uplink_octets, line.downlink_octets, line.packets)
        writer.writerow((statement.subscriber, statement.month, *what, *why, *volumes))
    return buffer.getvalue()


def _paid_lines(statement: Statement) -> list[Line]:
    """Who paid for what was free or discounted, what is left of it, and why the rest is charged."""
    paid: dict[tuple, int] = defaultdict(int)
    charged: dict[str, int] = defaultdict(int)
    for line in statement.lines:
        if line.reason is None:
            paid[line.programme, line.payer, line.rate_percent] += line.octets
        else:
            charged[line.reason] += line.octets
    lines = []
    for (programme, payer, rate), octets in sorted(paid.items(), key=lambda item: (-item[1], item[0])):
        whose = "your operator" if payer == "operator" else payer
        cost = "free" if rate == 0 else f"at {rate} % of the price"
        told = f"{octets_text(octets)} {cost} by {programme}, on the account of {whose}"
        lines.append(Line(printable(told), "free"))
        lines += [Line(f"    {_given_text(one)}") for one in statement.given if one.programme == programme]
    for reason, octets in sorted(charged.items(), key=lambda item: (-item[1], item[0])):
        lines.append(Line(f"{octets_text(octets)} charged: {reason_text(reason)}"))
    return lines


def _given_text(one: Given) -> str:
    if one.per == "day":
        used = f"used {octets_text(one.used_octets)} on {count_text(one.periods, 'day')}"
        return f"of {octets_text(one.octets)} a day: {used}, all of a day's on {one.exhausted}"
    per = "once, to this day" if one.per == ONCE else "a month"
    left = max(one.octets - one.used_octets, 0)
    return f"of {octets_text(one.octets)} {per}: used {octets_text(one.used_octets)}, {octets_text(left)} left"


def _volume(octets: int) -> str:
    return octets_text(octets) if octets else "-"
