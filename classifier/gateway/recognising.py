"""Who has used something of allowances before this run, in the meter's numbers: what they have used up is blocked from the
first packet on.

Rule of this file: who is not recognised is met with the first interval that has usage of him, as in any run.
"""

from __future__ import annotations

from collections.abc import Callable
from ipaddress import IPv4Address, IPv6Network

import numpy as np

from classifier.ledger.write import LedgerWriter
from classifier.metering.meter import Meter
from classifier.rating.periods import ALWAYS_NS


def recognise(
    writer: LedgerWriter, number_of: Callable[[str], int], meter: Meter, since_ns: int
) -> tuple[np.ndarray, np.ndarray]:
    """(the meter's numbers, the ledger's) of those who have used something of a period that began at `since_ns` or later, or
    never begins anew. `number_of` gives the number of a name, 0 where it is nobody's.

    Addresses that are not listed are given numbers before they are seen, as long as half of the table is left to others.
    """
    found: list[tuple[int, int]] = []
    addresses: list[tuple[int, int, int]] = []
    theirs: list[int] = []
    given, places = meter.subscriber_numbers()
    for name, ledgers in writer.users(since_ns, ALWAYS_NS):
        if number := number_of(name):
            found.append((number, ledgers))
        elif len(addresses) < places // 2 - given and (address := _address(name)):
            addresses.append(address)
            theirs.append(ledgers)
    if addresses:
        first = meter.know(addresses)
        found += zip(range(first, first + len(theirs)), theirs, strict=True)
    columns = np.array(found, np.int64).reshape(-1, 2)
    return columns[:, 0], columns[:, 1]


def _address(name: str) -> tuple[int, int, int] | None:
    """(version, high, low) of a subscriber who is called by his address or /64 (`labels`)."""
    try:
        if name.endswith("/64"):
            return 6, int(IPv6Network(name).network_address) >> 64, 0
        return 4, 0, int(IPv4Address(name))
    except ValueError:
        return None
