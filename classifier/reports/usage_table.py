"""A usage report as a person reads it: totals, why the rest is charged, who pays, subscribers, evidence, notices.

Rules of this file: nothing in it is a number that the report does not hold; every section is left out where it would be
empty. A table too wide for the terminal loses its least needed columns first, and then cells are cut.
"""

from __future__ import annotations

from collections.abc import Sequence

from classifier.records import ApplicationUsage, SubscriberUsage, UsageReport, Volume
from classifier.reports.columns import Column, Line, natural_widths, table_lines, total_width
from classifier.reports.words import (
    UNMETERED_BECAUSE,
    count_text,
    octets_text,
    reason_text,
    reason_word,
    share_text,
    time_text,
)

# More subscribers than this are only counted: nobody reads on, and the CSV holds them all.
SUBSCRIBERS_SHOWN = 50
_NOTHING = "-"
_EVIDENCE = {
    "verified": "name, and address or DNS agree",
    "claimed": "name alone",
    "address": "address range alone",
    "contradicted": "name at odds with address or name",
    "none": "neither name nor address",
}


def usage_table(report: UsageReport, width: int) -> list[Line]:
    """The report in lines of at most `width` columns (from 60 on)."""
    sections = (
        _totals(report, width),
        _because(report, width),
        _programmes(report, width),
        _subscribers(report, width),
        _evidence(report, width),
        _notices(report),
    )
    lines = [_period(report)]
    for section in sections:
        if section:
            lines += [Line(""), *section]
    return lines


def _period(report: UsageReport) -> Line:
    if report.first_packet_ns is None or report.last_packet_ns is None:
        return Line("no packets")
    first, last = (
        time_text(moment_ns)[:19].replace("T", " ") for moment_ns in (report.first_packet_ns, report.last_packet_ns)
    )
    return Line(f"{first} to {last} UTC")


def _totals(report: UsageReport, width: int) -> list[Line]:
    columns = (
        Column("totals", least=18),
        Column("frames", right=True),
        Column("uplink", right=True),
        Column("downlink", right=True),
        Column("octets", right=True),
        Column("share", right=True),
    )
    observed = report.observed_octets
    rows = [("observed", f"{report.observed_frames:,}", "", "", octets_text(observed), "")]
    styles = [""]

    def add(label: str, volume: Volume, style: str = "") -> None:
        rows.append(
            (
                label,
                f"{volume.frames:,}",
                _octets(volume.uplink_octets),
                _octets(volume.downlink_octets),
                octets_text(volume.octets),
                share_text(volume.octets, observed),
            )
        )
        styles.append(style)

    add("zero-rated", report.zero_rated, "free")
    if report.discounted.frames:
        add("discounted", report.discounted)
    add("charged", report.charged)
    if report.pending.frames:
        add("pending, not decided yet", report.pending)
    for usage in report.unmetered:
        if usage.frames:
            label = f"unmetered: {UNMETERED_BECAUSE.get(usage.reason, usage.reason)}"
            shown = octets_text(usage.octets), share_text(usage.octets, observed)
            rows.append((label, f"{usage.frames:,}", "", "", *shown))
            styles.append("")
    return _fitting(columns, rows, styles, width, drop=(2, 3))


def _because(report: UsageReport, width: int) -> list[Line]:
    columns = (Column("why charged", least=20), Column("octets", right=True), Column("share", right=True))
    rows = [
        (reason_text(reason), octets_text(octets), share_text(octets, report.charged.octets))
        for reason, octets in report.charged_because
    ]
    return _fitting(columns, rows, [""] * len(rows), width)


def _programmes(report: UsageReport, width: int) -> list[Line]:
    columns = (
        Column("programme", least=12),
        Column("paid by", least=8),
        Column("octets", right=True),
        Column("subscribers", right=True),
        Column("used up by", right=True),
    )
    rows = [
        (
            programme.programme,
            programme.payer,
            octets_text(programme.octets),
            f"{programme.subscribers:,}",
            f"{programme.exhausted_subscribers:,}" if programme.exhausted_subscribers else _NOTHING,
        )
        for programme in report.programmes
        if programme.octets
    ]
    if all(row[4] == _NOTHING for row in rows):
        columns, rows = columns[:4], [row[:4] for row in rows]
    return _fitting(columns, rows, ["free"] * len(rows), width)


def _subscribers(report: UsageReport, width: int) -> list[Line]:
    columns = (
        Column("subscribers", least=18),
        Column("octets", right=True),
        Column("zero-rated", right=True),
        Column("discounted", right=True),
        Column("charged", right=True),
        Column("mostly because", least=0),
    )
    rows: list[tuple[str, ...]] = []
    styles: list[str] = []
    shown = report.subscribers[:SUBSCRIBERS_SHOWN]
    for subscriber in shown:
        rows.append((subscriber.subscriber, *_parts(subscriber, subscriber.octets), ""))
        styles.append("subscriber")
        for usage in subscriber.applications:
            octets = usage.uplink_octets + usage.downlink_octets
            because = reason_word(usage.charged_because[0][0]) if usage.charged_because else ""
            rows.append((f"  {usage.application}", *_parts(usage, octets), because))
            styles.append("")
    unused = () if report.discounted.frames else (3,)
    columns, rows = _without(columns, rows, unused)
    lines = _fitting(columns, rows, styles, width, drop=(len(columns) - 1,))
    more = len(report.subscribers) - len(shown)
    if more:
        # What is metered is some subscriber's: so the records of those that are not shown need not be made.
        metered = report.zero_rated.octets + report.discounted.octets + report.charged.octets
        octets = metered - sum(subscriber.octets for subscriber in shown)
        lines.append(Line(f"and {count_text(more, 'subscriber')} more with {octets_text(octets)}: see --csv"))
    return lines


def _parts(usage: SubscriberUsage | ApplicationUsage, octets: int) -> tuple[str, ...]:
    return (
        octets_text(octets),
        _octets(usage.zero_rated_octets),
        _octets(usage.discounted_octets),
        _octets(usage.charged_octets),
    )


def _evidence(report: UsageReport, width: int) -> list[Line]:
    columns = (
        Column("evidence"),
        Column("flows", right=True),
        Column("octets", right=True),
        Column("share", right=True),
        Column("meaning", least=20),
    )
    metered = sum(usage.octets for usage in report.evidence)
    rows = [
        (
            usage.evidence,
            f"{usage.flows:,}",
            octets_text(usage.octets),
            share_text(usage.octets, metered),
            _EVIDENCE.get(usage.evidence, ""),
        )
        for usage in report.evidence
        if usage.flows or usage.octets
    ]
    lines = _fitting(columns, rows, [""] * len(rows), width)
    if report.retransmitted_octets or report.after_close_octets:
        lines.append(
            Line(
                f"of these {octets_text(report.retransmitted_octets)} retransmitted, "
                f"{octets_text(report.after_close_octets)} after the close"
            )
        )
    return lines


def _notices(report: UsageReport) -> list[Line]:
    return [Line(f"notice: {name.replace('_', ' ')}: {count:,}", "notice") for name, count in report.notices]


def _octets(octets: int) -> str:
    return octets_text(octets) if octets else _NOTHING


def _fitting(
    columns: Sequence[Column],
    rows: Sequence[tuple[str, ...]],
    styles: Sequence[str],
    width: int,
    drop: Sequence[int] = (),
) -> list[Line]:
    """The table, without the columns in `drop` where it would be too wide with them; nothing where it has no row."""
    if not rows:
        return []
    if drop and total_width(natural_widths(columns, rows)) > width:
        columns, rows = _without(columns, rows, drop)
    return table_lines(columns, rows, styles, width)


def _without(
    columns: Sequence[Column], rows: Sequence[tuple[str, ...]], places: Sequence[int]
) -> tuple[tuple[Column, ...], list[tuple[str, ...]]]:
    kept = [place for place in range(len(columns)) if place not in places]
    return tuple(columns[place] for place in kept), [tuple(row[place] for place in kept) for row in rows]
