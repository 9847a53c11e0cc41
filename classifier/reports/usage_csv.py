"""A usage report as CSV (RFC 4180, but with Unix line ends): a row for each subscriber and application.

Rule of this file: exact octets; the rows' sums are the report's zero-rated, discounted and charged totals.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator

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


def csv_text(report: UsageReport) -> Iterator[str]:
    """The header, then one subscriber after the other. `charged_because` is `reason=octets` pairs separated by `;`."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(HEADER)
    for subscriber in report.subscribers:
        writer.writerows(
            (
                subscriber.subscriber,
                usage.application,
                usage.uplink_octets,
                usage.downlink_octets,
                usage.packets,
                usage.zero_rated_octets,
                usage.discounted_octets,
                usage.charged_octets,
                ";".join(f"{reason}={octets}" for reason, octets in usage.charged_because),
            )
            for usage in subscriber.applications
        )
        yield buffer.getvalue()
        buffer.seek(0)
        buffer.truncate()
    yield buffer.getvalue()
