"""What was rated so far, added up, and the report made of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

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
        columns = _unpack(self._key)
        octets = self._volumes[:, 0] + self._volumes[:, 1]
        charged_octets = np.where(columns["part"] == PART_CHARGED, octets, 0)
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
            charged_because=_reasons(columns["reason"], charged_octets),
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
        """Most octets first, then by name; the sorted keys keep a subscriber's rows together."""
        usages = []
        subscriber = columns["subscriber"]
        for first, last in _runs(subscriber):
            rows = slice(first, last)
            applications = self._applications({name: column[rows] for name, column in columns.items()}, rows)
            parts = columns["part"][rows]
            usages.append(
                SubscriberUsage(
                    subscriber_label(int(subscriber[first])),
                    *(int(octets[rows][parts == part].sum()) for part in range(3)),
                    applications,
                )
            )
        return tuple(sorted(usages, key=lambda usage: (-usage.octets, usage.subscriber)))

    def _applications(self, columns: dict[str, np.ndarray], rows: slice) -> tuple[ApplicationUsage, ...]:
        usages = []
        volumes = self._volumes[rows]
        for first, last in _runs(columns["application"]):
            uplink, downlink, up_packets, down_packets = (int(value) for value in volumes[first:last].sum(axis=0))
            octets = volumes[first:last, 0] + volumes[first:last, 1]
            parts = columns["part"][first:last]
            usages.append(
                ApplicationUsage(
                    self._application_names[columns["application"][first]],
                    uplink,
                    downlink,
                    up_packets + down_packets,
                    *(int(octets[parts == part].sum()) for part in range(3)),
                    _reasons(columns["reason"][first:last], octets),
                )
            )
        return tuple(
            sorted(usages, key=lambda usage: (-usage.uplink_octets - usage.downlink_octets, usage.application))
        )


def _runs(column: np.ndarray) -> list[tuple[int, int]]:
    """(first, end) of each run of equal values."""
    if not column.size:
        return []
    edges = np.flatnonzero(column[1:] != column[:-1]) + 1
    return list(zip([0, *edges.tolist()], [*edges.tolist(), column.size], strict=True))


def _reasons(reason: np.ndarray, octets: np.ndarray) -> tuple[tuple[str, int], ...]:
    """(reason, octets) of what is charged, most octets first."""
    sums = [(REASONS[place], int(octets[reason == place].sum())) for place in np.unique(reason[reason >= 0])]
    return tuple(sorted(sums, key=lambda entry: (-entry[1], entry[0])))
