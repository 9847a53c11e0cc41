"""What a campaign did, for a terminal: a table for each question, with small bars, and the noise beside every figure."""

from __future__ import annotations

import textwrap

from classifier.campaigns.measure import Campaign
from classifier.reports import campaign_words as words
from classifier.reports.columns import Column, Line, table_lines
from classifier.reports.words import printable

BAR_COLUMNS = 7
_EIGHTHS = " ▏▎▍▌▋▊▉"
_COLUMNS = (
    Column(""),
    Column(""),
    Column("", right=True),
    Column("95 %"),
    Column("change", right=True),
    Column("95 %"),
    Column(""),
)


def campaign_lines(campaign: Campaign, width: int) -> list[Line]:
    """The page."""
    lines = [Line(printable(words.title(campaign)), "heading")]
    lines += _folded(words.dates_text(campaign), width) + _folded(words.windows_text(campaign), width)
    lines += _folded(words.groups_text(campaign), width)
    lines += [Line(warning, "notice") for warning in words.warnings(campaign)]
    for field, name, text in words.MEASURES:
        lines += [Line(""), Line(name, "heading"), *_measure_lines(campaign, field, text, width)]
    lines += _won_lines(campaign, width)
    return [*lines, Line(""), *_folded(words.MEANING, width), *_folded(words.METHOD, width)]


def bar(value: float | None, largest: float, columns: int = BAR_COLUMNS) -> str:
    """A bar that is full at `largest`, in eighths of a column."""
    if not value or largest <= 0:
        return ""
    whole, eighths = divmod(round(8 * columns * min(value / largest, 1.0)), 8)
    return "█" * whole + _EIGHTHS[eighths].strip()


def _measure_lines(campaign: Campaign, field: str, text, width: int) -> list[Line]:
    """One measure in each window of each group; the bars of both groups are of one scale."""
    groups = words.groups(campaign)
    levels = [getattr(one, field).value or 0 for _, group in groups for one in group.windows.values()]
    rows = []
    for group_name, group in groups:
        for place, (name, figures) in enumerate(group.windows.items()):
            estimate = getattr(figures, field)
            change = getattr(group.changes[name], field) if name in group.changes else None
            told = (
                (words.value_text(change, words.change_text), words.interval_text(change, words.change_text))
                if change
                else ("", "")
            )
            level = (words.value_text(estimate, text), words.interval_text(estimate, text))
            rows.append(("" if place else group_name, name, *level, *told, bar(estimate.value, max(levels))))
    lines = table_lines(_COLUMNS, rows, [""] * len(rows), width)
    effect = words.effects_text(campaign, field)
    return lines if effect is None else lines + _folded(f"effect: {effect}", width, "free")


def _won_lines(campaign: Campaign, width: int) -> list[Line]:
    """Users won, and how many of them were active in each week after it."""
    won = [(name, group.won) for name, group in words.groups(campaign) if group.won is not None]
    if not won:
        return []
    lines = [Line(""), Line("users won, and the share of them active afterwards", "heading")]
    columns: list[Column] = [Column("week from")]
    for name, _ in won:
        columns += [Column(name, right=True), Column("95 %"), Column("")]
    rows = [["won"], ["since then"]]
    for _, one in won:
        rows[0] += [f"{one.users:,}", "", ""]
        rows[1] += _share_cells(one.again)
    for place, week in enumerate(won[0][1].weeks):
        row = [week.first.isoformat()]
        for _, one in won:
            row += _share_cells(one.weeks[place].active)
        rows.append(row)
    if campaign.measured.windows.after is None:
        rows = rows[:1]
    return lines + table_lines(columns, rows, [""] * len(rows), width)


def _share_cells(estimate) -> list[str]:
    text = words.share_text
    return [words.value_text(estimate, text), words.interval_text(estimate, text), bar(estimate.value, 1.0)]


def _folded(text: str, width: int, style: str = "") -> list[Line]:
    folded = textwrap.wrap(printable(text), max(width, 40), break_long_words=False, break_on_hyphens=False)
    return [Line(line, style) for line in folded]
