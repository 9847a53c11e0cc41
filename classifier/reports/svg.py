"""Line plots and dot plots as SVG text (SVG 1.1), for pages that open without a network.

Rules of this file: plain shapes, colours by class name, so that the page's style decides; all foreign text is escaped. A plot
is drawn for one size and scales with the page. A library for two kinds of plot would be the largest thing installed.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape

WIDTH, HEIGHT = 760, 240
_LEFT, _RIGHT, _TOP, _BOTTOM = 64, 12, 14, 26
_TICKS = 4


@dataclass(frozen=True, slots=True)
class Series:
    """A line: `values` at places 0, 1, …; None breaks it. `style` is a class name."""

    name: str
    style: str
    values: Sequence[float | None]


@dataclass(frozen=True, slots=True)
class Dots:
    """Values with intervals (value, low, high), None where there is nothing."""

    name: str
    style: str
    values: Sequence[tuple[float, float, float] | None]


@dataclass(frozen=True, slots=True)
class Band:
    """A shaded range of places [first, end), with its name."""

    name: str
    style: str
    first: float
    end: float


class Frame:
    """The axes of one plot: places from 0 to `last` across, values from 0 to at least `largest` up."""

    def __init__(self, last: float, largest: float, text: Callable[[float], str]) -> None:
        self._last = max(last, 1)
        self._step = _nice_step(largest / _TICKS)
        self._top = self._step * max(math.ceil(largest / self._step), 1)
        self._text = text

    def x(self, place: float) -> float:
        return round(_LEFT + (WIDTH - _LEFT - _RIGHT) * place / self._last, 1)

    def y(self, value: float) -> float:
        return round(HEIGHT - _BOTTOM - (HEIGHT - _TOP - _BOTTOM) * min(value / self._top, 1), 1)

    def grid(self) -> list[str]:
        """Lines across, with their values at the left."""
        parts = []
        for number in range(round(self._top / self._step) + 1):
            value = number * self._step
            y, told = self.y(value), escape(self._text(value))
            parts.append(
                f'<line class="grid" x1="{_LEFT}" x2="{WIDTH - _RIGHT}" y1="{y}" y2="{y}"/>'
                f'<text class="tick" x="{_LEFT - 6}" y="{y + 4}" text-anchor="end">{told}</text>'
            )
        return parts

    def labels(self, labels: Sequence[tuple[float, str]]) -> list[str]:
        """Text below the axis, at places."""
        return [
            f'<text class="tick" x="{self.x(place)}" y="{HEIGHT - 8}" text-anchor="middle">{escape(text)}</text>'
            for place, text in labels
        ]

    def bands(self, bands: Sequence[Band]) -> list[str]:
        """Shaded ranges, named at their upper left."""
        return [
            f'<rect class="{band.style}" x="{self.x(band.first)}" y="{_TOP}"'
            f' width="{round(self.x(band.end) - self.x(band.first), 1)}" height="{HEIGHT - _TOP - _BOTTOM}"/>'
            f'<text class="tick" x="{self.x(band.first) + 4}" y="{_TOP + 12}">{escape(band.name)}</text>'
            for band in bands
        ]


def line_plot(
    series: Sequence[Series],
    bands: Sequence[Band],
    labels: Sequence[tuple[float, str]],
    text: Callable[[float], str],
    about: str,
) -> str:
    """Lines over days. `about` says in words what is seen, for those who do not see it."""
    values = [value for one in series for value in one.values if value is not None]
    frame = Frame(max((len(one.values) for one in series), default=1) - 1, max(values, default=1) or 1, text)
    parts = [*frame.bands(bands), *frame.grid(), *frame.labels(labels)]
    for one in series:
        parts += [
            f'<polyline class="{one.style}" points="{" ".join(points)}"><title>{escape(one.name)}</title></polyline>'
            for points in _runs(one.values, frame)
        ]
    return _svg(parts, about)


def dot_plot(
    dots: Sequence[Dots], labels: Sequence[tuple[float, str]], text: Callable[[float], str], about: str
) -> str:
    """Values with whiskers, side by side at each place."""
    places = max((len(one.values) for one in dots), default=1)
    highs = [value[2] for one in dots for value in one.values if value is not None]
    frame = Frame(places, max(highs, default=1) or 1, text)
    parts = [*frame.grid(), *frame.labels([(place + 0.5, name) for place, name in labels])]
    for number, one in enumerate(dots, 1):
        for place, value in enumerate(one.values):
            if value is None:
                continue
            x, (middle, low, high) = frame.x(place + number / (len(dots) + 1)), map(frame.y, value)
            told = f"{one.name}: {text(value[0])} ({text(value[1])} to {text(value[2])})"
            parts.append(
                f'<g class="{one.style}"><title>{escape(told)}</title>'
                f'<line x1="{x}" x2="{x}" y1="{low}" y2="{high}"/><circle cx="{x}" cy="{middle}" r="4"/></g>'
            )
    return _svg(parts, about)


def _runs(values: Sequence[float | None], frame: Frame) -> list[list[str]]:
    """The points of a line, cut where there is no value."""
    runs: list[list[str]] = [[]]
    for place, value in enumerate(values):
        if value is None:
            runs.append([])
        else:
            runs[-1].append(f"{frame.x(place)},{frame.y(value)}")
    return [run for run in runs if run]


def _nice_step(least: float) -> float:
    """The smallest of 1, 2, 2.5 and 5 times a power of ten that is not less."""
    power = 10.0 ** math.floor(math.log10(least))
    return next(step * power for step in (1, 2, 2.5, 5, 10) if step * power >= least * 0.999999)


def _svg(parts: Sequence[str], about: str) -> str:
    head = f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" xmlns="http://www.w3.org/2000/svg"><title>{escape(about)}</title>'
    return "\n".join([head, *parts, "</svg>"])
