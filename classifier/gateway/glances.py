"""A session at a glance, from columns: no record is made of any subscriber but the few that are shown."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from classifier.catalogue.records import Programme
from classifier.gateway.tally import Tally, octets_by_reason
from classifier.metering.meter import MeterTotals
from classifier.rating.figures import Figures
from classifier.rating.offers import PARTS
from classifier.records import EVIDENCE, EVIDENCE_SHOWN, EvidenceUsage
from classifier.reports.glance import AllowanceUse, Glance, Slice


class Fullest:
    """Of each allowance, who has used most of it in the latest period."""

    def __init__(self) -> None:
        self._found: dict[tuple[str, int], tuple[int, int, int]] = {}

    def add(self, used: Figures) -> None:
        """New figures, as rating gives them."""
        for (programme, place, begins_ns), subscribers, octets in used.columns():
            if not octets.size:
                continue
            most = np.flatnonzero(octets == octets.max())[-1]
            found = (begins_ns, int(octets[most]), int(subscribers[most]))
            if found > self._found.get((programme, place), (-(2**63), -1, -1)):
                self._found[programme, place] = found

    def uses(
        self, programmes: Sequence[Programme], labels_of: Callable[[np.ndarray], list[str]], count: int
    ) -> tuple[AllowanceUse, ...]:
        """The `count` that are used up most, first."""
        size = {
            (one.name, place): limit.octets
            for one in programmes
            for place, limit in enumerate((*one.allowances, *([one.bonus] if one.bonus else [])))
        }
        kept = [(key, octets, subscriber) for key, (_, octets, subscriber) in self._found.items() if size.get(key)]
        kept.sort(key=lambda one: (-one[1] * 1000 // size[one[0]], one[0]))
        kept = kept[:count]
        labels = labels_of(np.array([subscriber for _, _, subscriber in kept], np.int64))
        return tuple(
            AllowanceUse(key[0], label, octets, size[key]) for (key, octets, _), label in zip(kept, labels, strict=True)
        )


def glance(
    tally: Tally,
    totals: MeterTotals,
    application_names: Sequence[str],
    labels_of: Callable[[np.ndarray], list[str]],
    allowances: tuple[AllowanceUse, ...],
    count: int,
) -> Glance:
    """What is rated so far, with the `count` largest subscribers and applications."""
    columns, octets = tally.columns()
    flows = dict(totals.evidence_flows)
    of_part, of_evidence = np.zeros(len(PARTS), np.int64), np.zeros(len(EVIDENCE), np.int64)
    np.add.at(of_part, columns["part"], octets)
    np.add.at(of_evidence, columns["evidence"], octets)
    subscribers, top_subscribers = _top(columns["subscriber"], columns["part"], octets, count)
    _, top_applications = _top(columns["application"], columns["part"], octets, count)
    labels = labels_of(np.array([number for number, _ in top_subscribers], np.int64))
    return Glance(
        **{f"{part}_octets": int(of_part[place]) for place, part in enumerate(PARTS)},
        pending_octets=totals.pending_uplink_octets + totals.pending_downlink_octets,
        unmetered_octets=sum(octets for _, _, octets in totals.unmetered),
        charged_because=octets_by_reason(columns["reason"], octets),
        subscribers=subscribers,
        top_subscribers=tuple(Slice(label, *parts) for label, (_, parts) in zip(labels, top_subscribers, strict=True)),
        top_applications=tuple(Slice(application_names[number], *parts) for number, parts in top_applications),
        evidence=tuple(
            EvidenceUsage(name, flows[name], int(of_evidence[EVIDENCE.index(name)])) for name in EVIDENCE_SHOWN
        ),
        allowances=allowances,
    )


def _top(key: np.ndarray, part: np.ndarray, octets: np.ndarray, count: int) -> tuple[int, list[tuple[int, list[int]]]]:
    """(distinct keys, the `count` keys with the most octets, and their octets by PARTS)."""
    sums = np.zeros((int(key.max(initial=-1)) + 1, len(PARTS)), np.int64)
    np.add.at(sums, (key, part), octets)
    total = sums.sum(axis=1)
    first = np.argpartition(-total, count)[:count] if len(total) > count else np.arange(len(total))
    first = first[np.lexsort((first, -total[first]))]
    return int((total > 0).sum()), [(int(number), sums[number].tolist()) for number in first if total[number]]
