"""A usage report as CSV (RFC 4180, but with Unix line ends): a row for each subscriber and application.

Rule of this file: exact octets; the rows' sums are the report's zero-rated, discounted and charged totals.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from itertools import islice

from classifier.records import UsageReport

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


# Pieces of so many rows: large enough for the writer to be fast, small beside the report.
PIECE_ROWS = 1000


def csv_text(report: UsageReport) -> Iterator[str]:
    """The header and the rows, in pieces. `charged_because` is `reason=octets` pairs separated by `;`."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(HEADER)
    rows = _rows(report)
    while piece := list(islice(rows, PIECE_ROWS)):
        writer.writerows(piece)
        yield buffer.getvalue()
        buffer.seek(0)
        buffer.truncate()
    yield buffer.getvalue()


def _rows(report: UsageReport) -> Iterator[tuple[object, ...]]:
    for subscriber in report.subscribers:
        for *figures, reasons in subscriber.applications:
            yield (subscriber.subscriber, *figures, ";".join([f"{reason}={octets}" for reason, octets in reasons]))
