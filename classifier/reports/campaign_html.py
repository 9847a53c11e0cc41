"""What a campaign did as one HTML file that opens without a network: the figures of the page, with plots beside them.

Rules of this file: no script, nothing from elsewhere; every text from a ledger is escaped. Colours are of two groups only, and
differ in lightness too.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

from classifier.campaigns.measure import Campaign, Group
from classifier.campaigns.windows import Window
from classifier.reports import campaign_words as words
from classifier.reports.svg import Band, Dots, Series, dot_plot, line_plot

_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; color: #222; background: #fff }
body { max-width: 52rem; margin: 2rem auto; padding: 0 1rem }
h1 { font-size: 1.5rem } h2 { font-size: 1.1rem; margin-top: 2.2rem }
table { border-collapse: collapse; width: 100%; margin: .6rem 0 } th { text-align: left; font-weight: 600 }
td, th { padding: .15rem .6rem .15rem 0; border-bottom: 1px solid #e4e4e4 } .n { text-align: right; white-space: nowrap }
svg { width: 100%; height: auto } .tick { font-size: 11px; fill: #666 } .grid { stroke: #e4e4e4 }
.eligible { stroke: #0b5cad; fill: none; stroke-width: 2 } .others { stroke: #d98a1f; fill: none; stroke-width: 2 }
.eligible circle { fill: #0b5cad } .others circle { fill: #d98a1f }
.key { display: inline-block; width: 1.4em; height: .3em; vertical-align: middle; margin: 0 .3em 0 1em }
.key.eligible { background: #0b5cad } .key.others { background: #d98a1f }
.band { fill: #f3f5f8 } .offer { fill: #e2edf8 } .effect { font-weight: 600 } .notice { color: #8a5a00 } small { color: #555 }
"""
_STYLES = {"eligible": "eligible", words.OTHERS: "others"}
_LABELS = 8  # dates below a plot


def campaign_html(campaign: Campaign) -> str:
    """The whole file."""
    title = escape(words.title(campaign))
    about = (words.dates_text(campaign), words.windows_text(campaign), words.groups_text(campaign))
    parts = [
        "<!doctype html>",
        f'<html lang="en"><head><meta charset="utf-8"><title>{title}</title><style>{_STYLE}</style></head><body>',
        f"<h1>{title}</h1>",
        *(f"<p>{escape(text)}</p>" for text in about),
        *(f'<p class="notice">{escape(text)}</p>' for text in words.warnings(campaign)),
    ]
    for field, name, text in words.MEASURES:
        parts += [f"<h2>{escape(name[:1].upper() + name[1:])}</h2>", *_plot(campaign, field, name)]
        parts += _measure_table(campaign, field, text)
    parts += [
        *_won(campaign),
        f"<p><small>{escape(words.MEANING)} {escape(words.METHOD)}</small></p>",
        "</body></html>",
    ]
    return "\n".join(parts) + "\n"


def _plot(campaign: Campaign, field: str, name: str) -> list[str]:
    """The measure day by day, the offer shaded; groups of other sizes are seen beside each other as what they were before."""
    measured = campaign.measured
    of_groups = [(group_name, _daily(group, field)) for group_name, group in words.groups(campaign)]
    before = measured.windows.before
    places = [] if before is None else [place for place, day in enumerate(measured.days) if day in before]
    text = words.share_text
    if field != "share":
        text = _hundred if places else words.active_text
        of_groups = [(one, _indexed(values, places)) for one, values in of_groups]
        name += ", the mean before it as 100" if places else ""
    series = [Series(one, _STYLES[one], values) for one, values in of_groups]
    step = max(len(measured.days) // _LABELS, 1)
    labels = [(place, measured.days[place].isoformat()) for place in range(step // 2, len(measured.days), step)]
    return [_key(campaign, name), line_plot(series, _bands(campaign), labels, text, f"{name}, by day")]


def _daily(group: Group, field: str) -> list[float | None]:
    if field == "active_a_day":
        return [float(one) for one in group.daily_active]
    below = group.daily_active if field == "octets_per_active" else group.daily_octets
    pairs = zip(group.daily_covered_octets, below, strict=True)
    return [octets / whole if whole else None for octets, whole in pairs]


def _indexed(values: Sequence[float | None], places: Sequence[int]) -> list[float | None]:
    known = [values[place] for place in places if values[place] is not None]
    mean = sum(known) / len(known) if known else 0
    return [None if value is None else 100 * value / mean for value in values] if mean else list(values)


def _bands(campaign: Campaign) -> list[Band]:
    """The offer, and the windows before and after it."""
    windows, days = campaign.measured.windows, campaign.measured.days

    def band(name: str, style: str, window: Window) -> Band:
        first = sum(day < window.first for day in days)
        return Band(name, style, first, max(sum(day < window.end for day in days) - 1, first))

    named = [band("the offer", "offer", windows.campaign)]
    for name, window in (("before", windows.before), ("after", windows.after)):
        if window is not None:
            named.append(band(name, "band", window))
    return named


def _measure_table(campaign: Campaign, field: str, text) -> list[str]:
    rows = []
    for group_name, group in words.groups(campaign):
        for name, figures in group.windows.items():
            estimate, change = getattr(figures, field), group.changes.get(name)
            cells = [group_name, name, words.value_text(estimate, text), words.interval_text(estimate, text)]
            cells.append("" if change is None else words.both_text(getattr(change, field), words.change_text))
            rows.append(cells)
    effect = words.effects_text(campaign, field)
    told = [] if effect is None else [f'<p class="effect">Effect of the offer: {escape(effect)}</p>']
    return [*_table(("", "", "value", "95 %", "change (95 %)"), rows), *told]


def _won(campaign: Campaign) -> list[str]:
    """Users won, and how many of them were active in each week after it."""
    won = [(name, group.won) for name, group in words.groups(campaign) if group.won is not None]
    if not won:
        return []
    text = words.share_text
    rows = [["users won", *(f"{one.users:,}" for _, one in won)]]
    parts = ["<h2>Users won, and the share of them active afterwards</h2>"]
    if campaign.measured.windows.after is not None:
        rows.append(["active at all since", *(words.both_text(one.again, text) for _, one in won)])
        weeks = [week.first for week in won[0][1].weeks]
        for place, first in enumerate(weeks):
            rows.append([f"week of {first}", *(words.both_text(one.weeks[place].active, text) for _, one in won)])
        dots = [
            Dots(name, _STYLES[name], [None if week.active.value is None else week.active for week in one.weeks])
            for name, one in won
        ]
        step = max(len(weeks) // _LABELS, 1)
        labels = [(place, weeks[place].isoformat()) for place in range(0, len(weeks), step)]
        name = "share active in each week after the offer, with 95 % intervals"
        parts += [_key(campaign, name), dot_plot(dots, labels, text, name)] if weeks else []
    return [*parts, *_table(("", *(name for name, _ in won)), rows)]


def _key(campaign: Campaign, name: str) -> str:
    keys = [f'<span class="key {_STYLES[one]}"></span>{escape(one)}' for one, _ in words.groups(campaign)]
    return f"<p><small>{escape(name)}{''.join(keys)}</small></p>"


def _table(heads: Iterable[str], rows: Iterable[Sequence[str]]) -> list[str]:
    head = "".join(f"<th>{escape(one)}</th>" for one in heads)
    lines = ["".join(f"<td>{escape(cell)}</td>" for cell in row) for row in rows]
    return ["<table>", f"<tr>{head}</tr>", *(f"<tr>{line}</tr>" for line in lines), "</table>"]


def _hundred(value: float) -> str:
    return f"{value:.0f}"
