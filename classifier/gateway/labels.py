"""What subscribers are called: one that is listed or bound by its name, any other by its address or, of IPv6, by its /64.

Rule of this file: many at a time, and only when somebody reads them; to write addresses takes longer than to add them up.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

import numpy as np

from classifier.reports.rendering import joined

BEYOND_LABEL = "(beyond the subscriber table)"
NO_NAMES: Mapping[int, str] = MappingProxyType({})


def subscriber_labels(
    names: Sequence[str], entries: np.ndarray, numbers: np.ndarray, late: Mapping[int, str] = NO_NAMES
) -> list[str]:
    """Labels of the subscribers with these `numbers`. `names` has those of the first numbers, `late` those of some others;
    `entries` are SUBSCRIBER[n]."""
    labels = np.empty(len(numbers), object)
    named = numbers < len(names)
    labels[named] = [names[number] for number in numbers[named].tolist()]
    version = np.where(named, 0, entries["version"][numbers])
    for wanted, texts in ((4, _ipv4_texts), (6, _ipv6_texts)):
        places = np.flatnonzero(version == wanted)
        labels[places] = texts(entries[numbers[places]])
    if late:
        for place in np.flatnonzero(~named & (version == 0)).tolist():
            labels[place] = late[int(numbers[place])]
    return labels.tolist()


def _ipv4_texts(entries: np.ndarray) -> list[str]:
    first, second, third, fourth = entries["low"].astype(">u4").view(np.uint8).reshape(-1, 4).T
    lines = joined((first, ".", second, ".", third, ".", fourth, "\n"), np.array([0, len(entries)]), "")
    return str(lines).splitlines()


def _ipv6_texts(entries: np.ndarray) -> list[str]:
    """By RFC 5952: the groups behind the prefix, all zero, are the longest such run, with those that end the prefix."""
    texts = []
    for high in entries["high"].tolist():
        groups = f"{high >> 48:x}:{high >> 32 & 0xFFFF:x}:{high >> 16 & 0xFFFF:x}:{high & 0xFFFF:x}"
        while groups.endswith(":0"):
            groups = groups[:-2]
        texts.append("::/64" if groups == "0" else f"{groups}::/64")
    return texts
