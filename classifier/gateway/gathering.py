"""Usage of an interval as it leaves the meter, in several tables, put together: each key once, in the order of keys.

So an interval is rated once and as a whole, and its result does not depend on how full the meter's table was.
"""

from __future__ import annotations

import numpy as np

from classifier.distinct import distinct_times
from classifier.gateway.subscriber_usage import sums_by_key
from classifier.kernels.state import USAGE_ROW
from classifier.rating.rate import VOLUMES

# Put together when there is more to be added than was there before, and this many rows at the least: 100 MB of them.
LEAST_ROWS = 1 << 21


class Gathered:
    """USAGE_ROW rows of one interval, and of earlier ones for what was held."""

    def __init__(self) -> None:
        self._tables: list[np.ndarray] = []
        self._rows = self._sum_rows = 0

    def add(self, rows: np.ndarray) -> None:
        """Rows with each key at most once."""
        self._tables.append(rows)
        self._rows += len(rows)
        if self._rows > 2 * self._sum_rows + LEAST_ROWS:
            self._tables = [put_together(self._tables)]
            self._rows = self._sum_rows = len(self._tables[0])

    def take(self) -> np.ndarray:
        """All rows, by interval, subscriber, application, evidence and standing; then there are none."""
        rows = put_together(self._tables)
        self._tables, self._rows, self._sum_rows = [], 0, 0
        return rows


def put_together(tables: list[np.ndarray]) -> np.ndarray:
    """One USAGE_ROW table with the sums of all, each key once. `tables` is emptied, as they and their columns are large."""
    intervals, interval_of = distinct_times(_column(tables, "interval"))
    # Subscriber 26 bits, application 14, evidence 3, standing 2: that leaves 18 for intervals, of which few are open.
    key = interval_of << 45
    for field, bits in (("subscriber", 19), ("application", 5), ("evidence", 2), ("standing", 0)):
        key |= _column(tables, field).astype(np.int64) << bits
    volumes = np.empty((len(VOLUMES), len(key)), np.int64)
    for field, column in zip(VOLUMES, volumes, strict=True):
        column[:] = _column(tables, field)
    tables.clear()
    key, volumes = sums_by_key(key, volumes)
    together = np.zeros(len(key), USAGE_ROW)
    together["interval"] = intervals[key >> 45]
    together["subscriber"], together["application"] = key >> 19 & (1 << 26) - 1, key >> 5 & (1 << 14) - 1
    together["evidence"], together["standing"] = key >> 2 & 7, key & 3
    for field, column in zip(VOLUMES, volumes, strict=True):
        together[field] = column
    return together


def _column(tables: list[np.ndarray], field: str) -> np.ndarray:
    return np.concatenate([np.zeros(0, USAGE_ROW)[field], *(rows[field] for rows in tables)])
