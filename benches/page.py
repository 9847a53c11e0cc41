"""The figures in benches/README.md: put there, and read there again."""

from __future__ import annotations

from pathlib import Path

README = Path(__file__).resolve().with_name("README.md")
BEGIN, END = "<!-- figures: begin -->", "<!-- figures: end -->"


def write(text: str) -> None:
    """Put the report between the markers."""
    page = README.read_text(encoding="utf-8")
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    README.write_text(f"{before}{BEGIN}\n\n{text}\n{END}{after}", encoding="utf-8")


def measured(goal: str) -> str:
    """What the page says was measured for this goal; "-" where it does not."""
    for line in README.read_text(encoding="utf-8").splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if cells[0] == goal:
            return cells[2]
    return "-"
