"""Rows cut into pieces where an allowance ends: `allowances.split` for many rows at a time.

Rule of this file: the counts of a row's pieces add up to the row's, to the octet and the packet.
"""

from __future__ import annotations

import numpy as np

from classifier.rating.allowances import Share, Volumes, split

_LARGEST = (1 << 31) - 1  # the product of two such counts is a number of 64 bits; larger ones are split one by one


def split_rows(volumes: np.ndarray, shares: np.ndarray) -> np.ndarray:
    """The counts of each row's part of each share: i8[4, n, shares].

    `volumes` i8[4, n] as in Volumes; `shares` i8[n, shares]: the octets of each, 0 where the row has none.
    """
    parts = np.zeros((*volumes.shape, shares.shape[1]), np.int64)
    large = (volumes[0] + volumes[1] > _LARGEST) | (volumes[2] + volumes[3] > _LARGEST)
    small = ~large
    parts[:, small] = _in_proportion(volumes[:, small], shares[small])
    for row in np.flatnonzero(large).tolist():
        places = np.flatnonzero(shares[row])
        pieces = [Share(octets, 0, None, None) for octets in shares[row, places].tolist()]
        parts[:, row, places] = np.array(split(Volumes(*volumes[:, row].tolist()), pieces)).T
    return parts


def _in_proportion(volumes: np.ndarray, shares: np.ndarray) -> np.ndarray:
    """Octets exactly as shared, uplink and downlink in proportion; packets in proportion, rounded down, and the rest to the
    last."""
    parts = np.zeros((*volumes.shape, shares.shape[1]), np.int64)
    total, left = np.maximum(shares.sum(axis=1), 1), volumes.copy()
    for place, octets in enumerate(shares.T):
        packets = (volumes[2] + volumes[3]) * octets // total
        part = np.concatenate(
            [
                _two_ways(octets, volumes[0] * octets // total, left[:2]),
                _two_ways(packets, volumes[2] * octets // total, left[2:]),
            ]
        )
        parts[..., place] = part
        left -= part
    last = shares.shape[1] - 1 - np.argmax(shares[:, ::-1] > 0, axis=1)
    parts[:, np.arange(len(last)), last] += left
    return parts


def _two_ways(amount: np.ndarray, uplink: np.ndarray, left: np.ndarray) -> np.ndarray:
    """`amount` as uplink, about so much, and downlink; never more than is left of either."""
    uplink = np.minimum(np.maximum(uplink, amount - left[1]), left[0])
    return np.stack([uplink, amount - uplink])
