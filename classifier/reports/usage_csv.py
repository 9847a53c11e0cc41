"""A usage report as CSV (RFC 4180, but with Unix line ends): a row for each subscriber and application.

Rule of this file: exact octets; the rows' sums are the report's zero-rated, discounted and charged totals.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Sequence

import numpy as np

from classifier.records import UsageColumns, UsageReport
from classifier.reports.rendering import Cell, Texts, joined, texts_of

HEADER = (
    "subscriber",
    "application",
    "uplink_octets",
    "downlink_octets",
    "packets",
    "zero_rated_octets",
    "discounted_octets",
    "charged_octets",
    "charged_because",
)

_PLAIN = re.compile(r"[\w.:/-]+", re.ASCII)  # what no CSV quotes: most labels and names


def csv_text(report: UsageReport) -> Iterator[str]:
    """The header and the rows, in pieces. `charged_because` is `reason=octets` pairs separated by `;`."""
    yield ",".join(HEADER) + "\n"
    for columns in report.subscribers.columns():
        yield str(_rows(columns))


def _rows(columns: UsageColumns) -> Texts:
    reasons = Cell(_quoted(columns.reasons), columns.reason)
    because = joined((reasons, "=", columns.reason_octets), columns.first_reason, ";")
    owner = np.repeat(np.arange(len(columns.labels)), np.diff(columns.first_application))
    row = [
        Cell(_quoted(columns.labels), owner),
        Cell(_quoted(columns.application_names), columns.application),
        *columns.figures,
        Cell(because),
    ]
    separated = [part for cell in row for part in (",", cell)]
    return joined((*separated[1:], "\n"), np.array([0, len(owner)]), "")


def _quoted(texts: Sequence[str]) -> Texts:
    """Texts as the cells of a row, quoted where they have to be."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    cells = []
    for text in texts:
        if not _PLAIN.fullmatch(text):
            buffer.seek(0)
            buffer.truncate()
            writer.writerow((text, ""))
            text = buffer.getvalue()[: -len(",\n")]
        cells.append(text)
    return texts_of(cells)
