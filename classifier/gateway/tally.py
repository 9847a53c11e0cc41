"""What was rated so far, added up, and the report made of it."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager

import numpy as np

from classifier.errors import ConfigurationError
from classifier.metering.meter import MeterTotals
from classifier.rating.offers import PART_CHARGED, PART_DISCOUNTED, PART_ZERO_RATED, REASONS
from classifier.rating.rate import VOLUMES, Rater
from classifier.records import (
    EVIDENCE,
    ApplicationUsage,
    EvidenceUsage,
    ProgrammeUsage,
    SubscriberUsage,
    UnmeteredUsage,
    UsageReport,
    Volume,
)

# A row's key in one int64: subscriber 24 bits, application 14, evidence 3, part 2, programme + 1 12, reason + 1 5.
KEY_BITS = (("subscriber", 24), ("application", 14), ("evidence", 3), ("part", 2), ("programme", 12), ("reason", 5))
_SHIFTED = {"programme": 1, "reason": 1}


def _pack(rated: np.ndarray) -> np.ndarray:
    key = np.zeros(len(rated), np.int64)
    for field, bits in KEY_BITS:
        key = key << bits | (rated[field].astype(np.int64) + _SHIFTED.get(field, 0))
    return key


def _unpack(key: np.ndarray) -> dict[str, np.ndarray]:
    columns = {}
    for field, bits in reversed(KEY_BITS):
        columns[field] = (key & (1 << bits) - 1) - _SHIFTED.get(field, 0)
        key = key >> bits
    return columns


class Tally:
    """Sums of rated usage by subscriber, application, evidence and what became of it. Memory goes with the keys seen."""

    def __init__(self, rater: Rater, application_names: Sequence[str]) -> None:
        if len(application_names) >= 1 << 14 or len(rater.programmes) >= (1 << 12) - 1:
            raise ConfigurationError("signatures: more than 16,383 applications or 4,094 programmes; leave some out")
        self._rater = rater
        self._application_names = application_names
        self._key = np.zeros(0, np.int64)
        self._volumes = np.zeros((0, len(VOLUMES)), np.int64)

    def add(self, usage: np.ndarray) -> None:
        """Rate and add USAGE_ROW rows."""
        rated = self._rater.rate(usage)
        key = np.concatenate([self._key, _pack(rated)])
        volumes = np.concatenate([self._volumes, np.stack([rated[field] for field in VOLUMES], axis=1)])
        order = np.argsort(key, kind="stable")
        key = key[order]
        first = np.flatnonzero(np.concatenate([[True], key[1:] != key[:-1]]))
        self._key = key[first]
        self._volumes = np.add.reduceat(volumes[order], first, axis=0)

    def report(self, totals: MeterTotals, subscriber_label: Callable[[int], str]) -> UsageReport:
        """The report: `totals` are the meter's own accounts, which these sums have to meet."""
        with collection_paused():
            return self._report(totals, subscriber_label)

    def _report(self, totals: MeterTotals, subscriber_label: Callable[[int], str]) -> UsageReport:
        columns = _unpack(self._key)
        octets = self._volumes[:, 0] + self._volumes[:, 1]
        flows = dict(totals.evidence_flows)
        return UsageReport(
            first_packet_ns=totals.first_packet_ns,
            last_packet_ns=totals.last_packet_ns,
            observed_frames=totals.observed_frames,
            observed_octets=totals.observed_octets,
            zero_rated=self._part(columns, PART_ZERO_RATED),
            discounted=self._part(columns, PART_DISCOUNTED),
            charged=self._part(columns, PART_CHARGED),
            pending=Volume(totals.pending_frames, totals.pending_uplink_octets, totals.pending_downlink_octets),
            charged_because=_reasons(zip(columns["reason"].tolist(), octets.tolist(), strict=True)),
            unmetered=tuple(UnmeteredUsage(*entry) for entry in totals.unmetered),
            subscribers=self._subscribers(columns, octets, subscriber_label),
            programmes=self._programmes(columns, octets),
            evidence=tuple(
                EvidenceUsage(name, flows[name], int(octets[columns["evidence"] == EVIDENCE.index(name)].sum()))
                for name in ("verified", "claimed", "address", "contradicted", "none")
            ),
            flows=totals.flows,
            retransmitted_octets=totals.retransmitted_octets,
            after_close_octets=totals.after_close_octets,
            notices=totals.overflows,
        )

    def _part(self, columns: dict[str, np.ndarray], part: int) -> Volume:
        uplink, downlink, up_frames, down_frames = self._volumes[columns["part"] == part].sum(axis=0)
        return Volume(int(up_frames + down_frames), int(uplink), int(downlink))

    def _programmes(self, columns: dict[str, np.ndarray], octets: np.ndarray) -> tuple[ProgrammeUsage, ...]:
        """The programmes that paid for something, by name."""
        used = []
        for place in np.unique(columns["programme"][columns["programme"] >= 0]):
            rows = columns["programme"] == place
            programme = self._rater.programmes[place]
            subscribers = np.unique(columns["subscriber"][rows]).size
            used.append(ProgrammeUsage(programme.name, programme.payer, int(octets[rows].sum()), subscribers, 0))
        return tuple(sorted(used, key=lambda usage: usage.programme))

    def _subscribers(
        self, columns: dict[str, np.ndarray], octets: np.ndarray, subscriber_label: Callable[[int], str]
    ) -> tuple[SubscriberUsage, ...]:
        """Most octets first, then by name. The sorted keys keep a subscriber's rows together, and an application's in it."""
        if not self._key.size:
            return ()
        subscriber, application = columns["subscriber"], columns["application"]
        edges = _edges(_changes(subscriber))
        usages = [
            (subscriber_label(number), parts, applications)
            for number, parts, applications in zip(
                subscriber[edges].tolist(),
                _parts(columns["part"], octets, edges),
                self._applications(columns, octets, edges, _edges(_changes(subscriber) | _changes(application))),
                strict=True,
            )
        ]
        usages.sort(key=lambda usage: (-usage[1][0] - usage[1][1] - usage[1][2], usage[0]))
        return tuple(SubscriberUsage(label, *parts, applications) for label, parts, applications in usages)

    def _applications(
        self, columns: dict[str, np.ndarray], octets: np.ndarray, subscribers: np.ndarray, edges: np.ndarray
    ) -> list[tuple[ApplicationUsage, ...]]:
        """Each subscriber's applications, most octets first; `subscribers` and `edges` are the first rows of their runs."""
        volumes = np.add.reduceat(self._volumes, edges, axis=0).tolist()
        parts = _parts(columns["part"], octets, edges)
        names = [self._application_names[number] for number in columns["application"][edges].tolist()]
        ends = [*edges[1:].tolist(), len(octets)]
        reason, octets_of = columns["reason"].tolist(), octets.tolist()
        lists: list[list[ApplicationUsage]] = []
        starts = set(subscribers.tolist())
        for place, (first, end) in enumerate(zip(edges.tolist(), ends, strict=True)):
            if first in starts:
                lists.append([])
            uplink, downlink, up_packets, down_packets = volumes[place]
            lists[-1].append(
                ApplicationUsage(
                    names[place],
                    uplink,
                    downlink,
                    up_packets + down_packets,
                    *parts[place],
                    _reason(reason[first], octets_of[first])
                    if end - first == 1
                    else _reasons(zip(reason[first:end], octets_of[first:end], strict=True)),
                )
            )
        for usages in lists:
            if len(usages) > 1:
                usages.sort(key=lambda usage: (-usage.uplink_octets - usage.downlink_octets, usage.application))
        return [tuple(usages) for usages in lists]


@contextmanager
def collection_paused() -> Iterator[None]:
    """No search for cycles while many small records are made that have none: half of the time for 24,000 subscribers."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def _changes(column: np.ndarray) -> np.ndarray:
    return column[1:] != column[:-1]


def _edges(changes: np.ndarray) -> np.ndarray:
    """The first row of each run, where `changes` says which rows differ from the one before."""
    return np.concatenate([[0], np.flatnonzero(changes) + 1])


def _parts(part: np.ndarray, octets: np.ndarray, edges: np.ndarray) -> list[tuple[int, ...]]:
    """Octets zero-rated, discounted and charged, of each run."""
    columns = np.zeros((len(part), 3), np.int64)
    columns[np.arange(len(part)), part] = octets
    return [tuple(sums) for sums in np.add.reduceat(columns, edges, axis=0).tolist()]


def _reason(reason: int, octets: int) -> tuple[tuple[str, int], ...]:
    """The same of one row, as most applications have."""
    return ((REASONS[reason], octets),) if reason >= 0 else ()


def _reasons(rows: Iterable[tuple[int, int]]) -> tuple[tuple[str, int], ...]:
    """(reason, octets) of what is charged, most octets first, from (place in REASONS or -1, octets)."""
    sums: dict[int, int] = {}
    for reason, octets in rows:
        if reason >= 0:
            sums[reason] = sums.get(reason, 0) + octets
    named = ((REASONS[reason], octets) for reason, octets in sums.items())
    return tuple(sorted(named, key=lambda entry: (-entry[1], entry[0])))
