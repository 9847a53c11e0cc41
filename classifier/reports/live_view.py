"""The screen of a live run: what is free, what is charged, of whom, and whether anything was lost.

Rules of this file: it is a picture of the records alone, as pieces of text with a style's name; whoever has a terminal paints
it. It fits any size from 60 by 16 on, and is as high as it is asked to be, so that nothing jumps.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from datetime import UTC, datetime

from classifier.records import EvidenceUsage
from classifier.reports.columns import cut
from classifier.reports.glance import AllowanceUse, Glance, Slice, Vitals
from classifier.reports.words import cell_width, count_text, octets_text, printable, reason_word, share_text

Row = list[tuple[str, str]]  # (text, style) from left to right

SPARKS, ASCII_SPARKS = " ▁▂▃▄▅▆▇█", " .:-=+*#@"
BAR, ASCII_BAR, TRACK, ASCII_TRACK = "█", "#", "─", "-"
HISTORY = 600  # seconds that a very wide screen shows
FIXED_ROWS = 14  # all but the two tops, with room for two allowances
LEAST_WIDTH, LEAST_HEIGHT = 60, 16
SECOND_NS = 10**9


class LiveView:
    """What has been told so far. `second` and `interval` take records in, `rows` draws."""

    def __init__(self, interface: str, ledger: str | None, ascii_only: bool = False) -> None:
        self._interface, self._ledger = interface, ledger
        self._sparks = ASCII_SPARKS if ascii_only else SPARKS
        self._bar, self._track = (ASCII_BAR, ASCII_TRACK) if ascii_only else (BAR, TRACK)
        self._rates: deque[int] = deque(maxlen=HISTORY)
        self._began: Vitals | None = None
        self._now: Vitals | None = None
        self._frame_rate = 0
        self._glance: Glance | None = None
        self._part_rates = (0, 0, 0)
        self._glance_ns = 0
        self._line = ""

    def second(self, vitals: Vitals) -> None:
        """A second has passed."""
        before, self._now = self._now, vitals
        self._began = self._began or vitals
        if before is not None and vitals.monotonic_ns > before.monotonic_ns:
            elapsed_ns = vitals.monotonic_ns - before.monotonic_ns
            self._rates.append((vitals.observed_octets - before.observed_octets) * SECOND_NS // elapsed_ns)
            self._frame_rate = (vitals.observed_frames - before.observed_frames) * SECOND_NS // elapsed_ns

    def interval(self, glance: Glance, monotonic_ns: int) -> None:
        """An interval is over."""
        before, self._glance = self._glance, glance
        elapsed_ns = monotonic_ns - self._glance_ns
        if before is not None and elapsed_ns > 0:
            now, then = _parts(glance), _parts(before)
            self._part_rates = tuple((a - b) * SECOND_NS // elapsed_ns for a, b in zip(now, then, strict=True))
        self._glance_ns = monotonic_ns

    def line(self, text: str) -> None:
        """Something that a person has to know; the latest stays on the screen."""
        self._line = printable(text)

    def rows(self, width: int, height: int) -> list[Row]:
        """`height` rows of at most `width` columns."""
        width, height = max(width, LEAST_WIDTH), max(height, LEAST_HEIGHT)
        glance = self._glance
        rows = [self._head(width), self._traffic(width), self._losses(width), []]
        if glance is None:
            rows.append([("nothing is rated yet: totals come with the first interval's end", "")])
        else:
            rows += self._totals(glance, width)
            rows.append([])
            rows += self._tops(glance, width, max(height - FIXED_ROWS - len(glance.allowances[:2]), 2))
            rows.append(_because(glance, width))
            rows.append(_evidence(glance.evidence, width))
            rows += self._allowances(glance.allowances[: max(height - len(rows) - 1, 0)], width)
        rows = rows[: height - 1]
        rows += [[] for _ in range(height - 1 - len(rows))]
        return [*rows, self._foot(width)]

    def _head(self, width: int) -> Row:
        if self._now is None or self._began is None:
            return [("freeflow", "heading"), (f"  {self._interface}", "")]
        seconds = (self._now.monotonic_ns - self._began.monotonic_ns) // SECOND_NS
        up = f"up {seconds // 3600}:{seconds // 60 % 60:02}:{seconds % 60:02}"
        at = datetime.fromtimestamp(self._now.wall_ns // SECOND_NS, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
        ledger = f"ledger {self._ledger}" if self._ledger else "no ledger"
        if self._now.waiting_entries:
            ledger += f", {count_text(self._now.waiting_entries, 'interval')} waiting"
        return [("freeflow", "heading"), (cut(f"  {self._interface}  {up}  {at}  {ledger}", width - 8), "")]

    def _traffic(self, width: int) -> Row:
        rate = self._rates[-1] if self._rates else 0
        text = f"{bits_text(rate)}  {self._frame_rate:,} frames/s  "
        room = width - len(text)
        shown = list(self._rates)[-room:]
        top = max(shown, default=0) or 1
        last = len(self._sparks) - 1
        # Whatever is there shows: only nothing at all is blank.
        spark = "".join(self._sparks[-(-rate * last // top)] for rate in shown)
        return [(text, "heading"), (spark.rjust(room), "free")]

    def _losses(self, width: int) -> Row:
        if self._now is None or not self._now.dropped:
            return [("no frame lost", "")]
        freezes = f" in {count_text(self._now.freezes, 'freeze')} of the ring" if self._now.freezes else ""
        text = f"LOST {count_text(self._now.dropped, 'frame')}{freezes}: the totals lack them"
        return [(cut(text, width), "loss")]

    def _totals(self, glance: Glance, width: int) -> list[Row]:
        parts = _parts(glance)
        whole = sum(parts) + glance.pending_octets + glance.unmetered_octets
        rows: list[Row] = [[(f"{'totals':<12}{'octets':>9}{'share':>9}{'rate':>13}", "heading")]]
        names = ("zero-rated", "discounted", "charged")
        styles = ("free", "discount", "charged")
        for name, octets, rate, style in zip(names, parts, self._part_rates, styles, strict=True):
            text = f"{name:<12}{octets_text(octets):>9}{share_text(octets, whole):>9}{bits_text(rate):>13}  "
            rows.append([(text, ""), *self._filled(octets, whole, width - len(text), style)])
        others = (("pending", glance.pending_octets), ("unmetered", glance.unmetered_octets))
        rows.append([("   ".join(f"{name} {octets_text(octets)}" for name, octets in others), "quiet")])
        return rows

    def _tops(self, glance: Glance, width: int, count: int) -> list[Row]:
        left = (width - 2) // 2
        right = width - 2 - left
        subscribers = self._top(f"{count_text(glance.subscribers, 'subscriber')}", glance.top_subscribers, left, count)
        applications = self._top("applications", glance.top_applications, right, count)
        return [[*_padded(a, left), ("  ", ""), *b] for a, b in zip(subscribers, applications, strict=True)]

    def _top(self, title: str, slices: Sequence[Slice], width: int, count: int) -> list[Row]:
        """A heading and `count` rows: name, octets, and how much of the largest that is, in the colours of who pays."""
        name_width = max(min(width - 19, 30), 8)
        bar_width = width - name_width - 11
        rows: list[Row] = [[(f"{cut(title, name_width):<{name_width}} {'octets':>9}", "heading")]]
        most = max((one.octets for one in slices), default=0)
        for one in slices[:count]:
            name = cut(printable(one.name), name_width)
            name += " " * (name_width - cell_width(name))
            rows.append([(f"{name} {octets_text(one.octets):>9} ", ""), *self._stacked(one, most, bar_width)])
        return rows + [[] for _ in range(count + 1 - len(rows))]

    def _stacked(self, one: Slice, most: int, width: int) -> Row:
        ends = [0]
        for octets in one[1:]:
            ends.append(ends[-1] + octets)
        cells = [-(-end * width // most) if end else 0 for end in ends]
        styles = ("free", "discount", "charged")
        return [
            (self._bar * (end - begin), style)
            for begin, end, style in zip(cells[:-1], cells[1:], styles, strict=True)
            if end > begin
        ]

    def _filled(self, part: int, whole: int, width: int, style: str) -> Row:
        full = part * width // whole if whole else 0
        return [(self._bar * full, style), (self._track * (width - full), "quiet")]

    def _allowances(self, uses: Sequence[AllowanceUse], width: int) -> list[Row]:
        rows = []
        for use in uses:
            who = f"{cut(printable(use.programme), 22)}: {cut(printable(use.subscriber), 18)}"
            text = f"{who:<43}{octets_text(use.used_octets):>8} of {octets_text(use.allowance_octets):>7} "
            used = min(use.used_octets, use.allowance_octets)
            style = "charged" if used == use.allowance_octets else "free"
            rows.append([(text, ""), *self._filled(used, use.allowance_octets, max(width - len(text), 0), style)])
        return rows

    def _foot(self, width: int) -> Row:
        if self._line:
            return [(cut(self._line, width), "notice")]
        fullest = sorted(self._now.fill if self._now else (), key=lambda one: -one[1] * 1000 // max(one[2], 1))
        shown = [f"{name} {used:,} ({share_text(used, places)})" for name, used, places in fullest if used]
        return [(cut("tables " + ("  ".join(shown) or "empty"), width), "quiet")]


def bits_text(octets_per_second: int) -> str:
    """A rate as links are named: bits a second, decimal units."""
    bits = 8 * octets_per_second
    for unit, scale in (("Gbit/s", 10**9), ("Mbit/s", 10**6), ("kbit/s", 10**3)):
        if bits >= scale:
            tenths = bits * 10 // scale
            return f"{tenths // 10:,}.{tenths % 10} {unit}"
    return f"{bits} bit/s"


def interval_line(glance: Glance, vitals: Vitals) -> str:
    """An interval's end as key=value for a log. Octets since the start."""
    figures = {
        "frames": vitals.observed_frames,
        "octets": vitals.observed_octets,
        "zero_rated": glance.zero_rated_octets,
        "discounted": glance.discounted_octets,
        "charged": glance.charged_octets,
        "pending": glance.pending_octets,
        "unmetered": glance.unmetered_octets,
        "subscribers": glance.subscribers,
        "flows": dict((name, used) for name, used, _ in vitals.fill)["flows"],
        "dropped": vitals.dropped,
        "freezes": vitals.freezes,
        "waiting": vitals.waiting_entries,
    }
    return "interval " + " ".join(f"{name}={value}" for name, value in figures.items())


def _parts(glance: Glance) -> tuple[int, int, int]:
    return glance.zero_rated_octets, glance.discounted_octets, glance.charged_octets


def _because(glance: Glance, width: int) -> Row:
    reasons = ((reason_word(reason), octets) for reason, octets in glance.charged_because)
    shown = "  ".join(f"{word} {share_text(octets, glance.charged_octets)}" for word, octets in reasons)
    return [("charged because ", "heading"), (cut(shown or "nothing is", width - 16), "")]


def _evidence(usages: Sequence[EvidenceUsage], width: int) -> Row:
    whole = sum(usage.octets for usage in usages)
    shown = "  ".join(f"{usage.evidence} {share_text(usage.octets, whole)}" for usage in usages if usage.octets)
    return [("evidence ", "heading"), (cut(shown or "none yet", width - 9), "")]


def _padded(row: Row, width: int) -> Row:
    return [*row, (" " * (width - sum(cell_width(text) for text, _ in row)), "")]
