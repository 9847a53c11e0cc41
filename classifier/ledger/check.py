"""Whether a ledger is whole: what SQLite says of its pages and keys, and whether its sums are those of its usage."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

import numpy as np

from classifier.ledger.read import LedgerReader

COMPLAINTS = 3  # of a damaged file there may be thousands


def ledger_problems(path: Path) -> list[str]:
    """What is wrong with the ledger, a line each; none if it is whole. LedgerError if it cannot be read at all."""
    with LedgerReader(path) as reader:
        problems = reader.integrity()[:COMPLAINTS]
        return problems or _wrong_sums(reader)


def _wrong_sums(reader: LedgerReader) -> list[str]:
    """Days whose sums are not those of the usage: octets and packets, up and down."""
    usage: dict[str, np.ndarray] = defaultdict(lambda: np.zeros(4, np.int64))
    for piece in reader.usage():
        usage[piece.day] += piece.volumes.sum(axis=1)
    totals: dict[str, np.ndarray] = defaultdict(lambda: np.zeros(4, np.int64))
    for total in reader.day_totals():
        totals[total.day] += np.array(total[-4:], np.int64)
    wrong = [day for day in sorted(usage.keys() | totals.keys()) if (usage[day] != totals[day]).any()]
    return [f"the sums of {day} are not those of its usage" for day in wrong[:COMPLAINTS]]
