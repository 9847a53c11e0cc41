"""A ledger's usage in groups: as a table, as JSON (schema `freeflow.report/1`) and as CSV.

Rules of this file: the groups' sums are the totals. What no programme and no payer has is the subscribers' own: a group
without a name, shown as such. Octets are exact in JSON and CSV.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from typing import NamedTuple

from classifier.reports.columns import Column, Line, table_lines
from classifier.reports.words import UNMETERED_BECAUSE, count_text, octets_text, share_text, time_text

SCHEMA = "freeflow.report/1"
ROWS_SHOWN = 50  # as in the table of a replay
NOBODY = {"programme": "(none: charged)", "payer": "(the subscribers)"}


class Group(NamedTuple):
    """One group's usage. `name` None: what no programme or payer has. `payer` and `exhausted_subscribers`,
    how many used all that they are given, are told where groups are programmes."""

    name: str | None
    payer: str | None
    uplink_octets: int
    downlink_octets: int
    packets: int
    zero_rated_octets: int
    discounted_octets: int
    charged_octets: int
    exhausted_subscribers: int = 0

    @property
    def octets(self) -> int:
        return self.uplink_octets + self.downlink_octets


class LedgerReport(NamedTuple):
    """Groups by `by`, one of GROUPINGS, in the order in which they are shown.

    `begin_ns`, `end_ns`: the range asked for, None where it is open. `unmetered` (frames, octets) by reason. `lost_octets`:
    what flows held undecided when a run was cut short.
    """

    by: str
    begin_ns: int | None
    end_ns: int | None
    groups: tuple[Group, ...]
    unmetered: dict[str, tuple[int, int]]
    lost_octets: int

    def total(self, field: str) -> int:
        return sum(getattr(group, field) for group in self.groups)


def report_lines(report: LedgerReport, width: int) -> list[Line]:
    """A table of the groups, with their sum, and what was unmetered."""
    discounted = report.total("discounted_octets") > 0
    figures = ("octets", "zero_rated_octets", *(("discounted_octets",) if discounted else ()), "charged_octets")
    labels = {
        "octets": "octets",
        "zero_rated_octets": "zero-rated",
        "discounted_octets": "discounted",
        "charged_octets": "charged",
    }
    columns = [Column(report.by, least=12), *(Column(labels[name], right=True) for name in figures)]
    columns.append(Column("share", right=True))
    shown = report.groups if report.by in ("day", "month") else report.groups[:ROWS_SHOWN]
    whole = report.total("octets")
    rows = [
        (
            NOBODY[report.by] if group.name is None else group.name,
            *(octets_text(getattr(group, name)) for name in figures),
            share_text(group.octets, whole),
        )
        for group in shown
    ]
    rows.append(("total", *(octets_text(report.total(name)) for name in figures), ""))
    if report.by == "programme":
        columns.insert(1, Column("paid by", least=8))
        payers = [*(group.payer or "" for group in shown), ""]
        rows = [(row[0], payer, *row[1:]) for row, payer in zip(rows, payers, strict=True)]
        if report.total("exhausted_subscribers"):
            columns.append(Column("used up by", right=True))
            counts = [group.exhausted_subscribers for group in shown]
            used_up = [*(f"{count:,}" if count else "-" for count in counts), ""]
            rows = [(*row, one) for row, one in zip(rows, used_up, strict=True)]
    lines = table_lines(columns, rows, [""] * len(shown) + ["heading"], width) if shown else [Line("no usage")]
    if len(report.groups) > len(shown):
        lines.append(Line(f"and {count_text(len(report.groups) - len(shown), report.by)} more: see --csv"))
    for reason, (frames, octets) in report.unmetered.items():
        what = UNMETERED_BECAUSE.get(reason, reason.replace("_", " "))
        lines.append(Line(f"unmetered: {what}: {count_text(frames, 'frame')}, {octets_text(octets)}"))
    if report.lost_octets:
        lost = octets_text(report.lost_octets)
        lines.append(Line(f"notice: {lost} were not decided when a run was cut short, and are in no sum", "notice"))
    return lines


def report_json(report: LedgerReport) -> dict:
    """One object."""
    return {
        "schema": SCHEMA,
        "by": report.by,
        "from": time_text(report.begin_ns),
        "to": time_text(report.end_ns),
        "zero_rated_octets": report.total("zero_rated_octets"),
        "discounted_octets": report.total("discounted_octets"),
        "charged_octets": report.total("charged_octets"),
        "unmetered": {
            name: {"frames": frames, "octets": octets} for name, (frames, octets) in report.unmetered.items()
        },
        "lost_octets": report.lost_octets,
        "rows": [dict(zip(_keys(report.by), _values(report.by, group), strict=True)) for group in report.groups],
    }


def report_csv(report: LedgerReport) -> Iterator[str]:
    """A header and a row for each group; the group that has no name has an empty one."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(_keys(report.by))
    writer.writerows(_values(report.by, group) for group in report.groups)
    yield buffer.getvalue()


def _keys(by: str) -> tuple[str, ...]:
    return (by, *(Group._fields[1:] if by == "programme" else Group._fields[2:-1]))


def _values(by: str, group: Group) -> tuple:
    return (group.name, *(group[1:] if by == "programme" else group[2:-1]))
