"""benches/figures.svg: packets a second of each tool on each file, on a logarithmic scale.

`python -m benches.picture JSON`, with {file: {tool: packets a second}}; the same figures give the same octets.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import matplotlib
from matplotlib.figure import Figure

from benches.side_by_side import ONE_WORKER, REPORTED, RUNNING, SOURCE, WALK, WHOLE

TARGET = Path(__file__).resolve().with_name("figures.svg")
# freeflow is filled, others are outlined; what runs already is round.
OWN = {
    WALK: ("o", "none", "#888888"),
    ONE_WORKER: ("o", "none", "#c0392b"),
    RUNNING: ("o", "#c0392b", "#c0392b"),
    WHOLE: ("s", "#c0392b", "#c0392b"),
}
OTHERS = ("#1f77b4", "#2ca02c", "#ff7f0e", "#9467bd", "#8c564b", "#17becf", "#7f7f7f")
LEFT_OUT = (SOURCE, REPORTED)


def draw(speeds: dict[str, dict[str, float]]) -> Figure:
    """A column for each file, a place in it for each tool."""
    tools = list(dict.fromkeys(tool for found in speeds.values() for tool in found if tool not in LEFT_OUT))
    colours = iter(OTHERS)
    figure = Figure(figsize=(9, 4.5), layout="constrained")
    axes = figure.add_subplot()
    for place, tool in enumerate(tools):
        marker, face, edge = OWN.get(tool) or ("s", "none", next(colours))
        points = [
            (file + (place + 1) / (len(tools) + 1), found[tool])
            for file, found in enumerate(speeds.values())
            if tool in found
        ]
        axes.plot(*zip(*points, strict=True), marker, markerfacecolor=face, markeredgecolor=edge, label=tool.strip("`"))
    axes.set_yscale("log")
    axes.set_ylabel("packets a second")
    axes.set_xlim(0, len(speeds))
    axes.set_xticks([file + 0.5 for file in range(len(speeds))], list(speeds))
    axes.tick_params(axis="x", length=0)
    for file in range(1, len(speeds)):
        axes.axvline(file, color="#cccccc", linewidth=0.8)
    axes.grid(axis="y", color="#e4e4e4")
    figure.legend(loc="outside right center", frameon=False, title="round: running\nsquare: whole process")
    return figure


def main() -> int:
    matplotlib.rcParams.update({"svg.fonttype": "none", "svg.hashsalt": "freeflow", "font.family": "sans-serif"})
    draw(json.loads(sys.argv[1])).savefig(TARGET, metadata={"Date": None})
    return 0


if __name__ == "__main__":
    sys.exit(main())
