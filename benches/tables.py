"""Figures as they stand in the report: medians with their spread, packets a second, Markdown tables."""

from __future__ import annotations

import statistics
from collections.abc import Sequence


def spread(seconds: list[float]) -> str:
    """Median and the two ends."""
    if len(seconds) == 1:
        return f"{seconds[0]:.2f} s"
    return f"{statistics.median(seconds):.3f} s ({min(seconds):.3f} to {max(seconds):.3f}, {len(seconds)} runs)"


def speed(packets: int, seconds: list[float]) -> float:
    """Packets a second of the median run."""
    return packets / statistics.median(seconds)


def millions(a_second: float) -> str:
    """Packets a second."""
    return f"{a_second / 1e6:.{2 if a_second >= 1e5 else 3}f} M"


def megabytes(octets: int) -> str:
    """Memory."""
    return f"{octets / 1e6:.0f} MB"


def table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    """A Markdown table."""
    lines = [head, ("---",) * len(head), *rows]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)
