"""What was rated so far, added up, and the report made of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence

import numpy as np

from classifier.catalogue.records import Programme
from classifier.distinct import distinct
from classifier.errors import ConfigurationError
from classifier.gateway.subscriber_usage import SubscriberUsages, sums_by_key
from classifier.metering.meter import MeterTotals
from classifier.rating.offers import PART_CHARGED, PART_DISCOUNTED, PART_ZERO_RATED, REASONS
from classifier.rating.rate import VOLUMES, Rated
from classifier.records import (
    EVIDENCE,
    EVIDENCE_SHOWN,
    EvidenceUsage,
    ProgrammeUsage,
    UnmeteredUsage,
    UsageReport,
    Volume,
)

# A row's key in one int64: subscriber 26 bits, application 14, evidence 3, part 2, programme + 1 12, reason + 1 5.
KEY_BITS = (("subscriber", 26), ("application", 14), ("evidence", 3), ("part", 2), ("programme", 12), ("reason", 5))
_SHIFTED = {"programme": 1, "reason": 1}


def _pack(rated: np.ndarray, place_of: np.ndarray) -> np.ndarray:
    key = np.zeros(len(rated), np.int64)
    for field, bits in KEY_BITS:
        column = place_of[rated[field]] if field == "programme" else rated[field]
        key = key << bits | (column.astype(np.int64) + _SHIFTED.get(field, 0))
    return key


def _unpack(key: np.ndarray) -> dict[str, np.ndarray]:
    columns = {}
    for field, bits in reversed(KEY_BITS):
        columns[field] = (key & (1 << bits) - 1) - _SHIFTED.get(field, 0)
        key = key >> bits
    return columns


def _woven(column: np.ndarray, more: np.ndarray, places: np.ndarray) -> np.ndarray:
    """A column with `more` at these places of it."""
    woven = np.empty(len(column) + len(more), column.dtype)
    others = np.ones(len(woven), bool)
    others[places] = False
    woven[others], woven[places] = column, more
    return woven


class Tally:
    """Sums of rated usage by subscriber, application, evidence and what became of it. Memory goes with the keys seen."""

    def __init__(self, programmes: Sequence[Programme], application_names: Sequence[str]) -> None:
        self._programmes_by_place: list[Programme] = []
        self.check_room(programmes, application_names)
        self.turn(programmes, application_names)
        self._exhausted: set[tuple[int, int]] = set()  # subscribers, and places of programmes
        self._key = np.zeros(0, np.int64)
        self._volumes = [np.zeros(0, np.int64) for _ in VOLUMES]

    def check_room(self, programmes: Sequence[Programme], application_names: Sequence[str]) -> None:
        """ConfigurationError where these would be too many, together with those that went before."""
        known = {(one.name, one.payer) for one in (*self._programmes_by_place, *programmes)}
        if len(application_names) >= 1 << 14 or len(known) >= (1 << 12) - 1:
            raise ConfigurationError("signatures: more than 16,383 applications or 4,094 programmes; leave some out")

    def turn(self, programmes: Sequence[Programme], application_names: Sequence[str]) -> None:
        """What is added from now on was rated under these programmes. Application numbers mean what they did."""
        place = {(one.name, one.payer): number for number, one in enumerate(self._programmes_by_place)}
        for one in programmes:
            if place.setdefault((one.name, one.payer), len(place)) == len(self._programmes_by_place):
                self._programmes_by_place.append(one)
        self._place_by_name = {one.name: place[one.name, one.payer] for one in programmes}
        self._place_of = np.array([*self._place_by_name.values(), -1], np.int32)
        self._application_names = application_names

    def add(self, rated: Rated) -> None:
        """Add what was rated under these programmes."""
        self._exhausted |= {(number, self._place_by_name[name]) for number, name in rated.exhausted}
        key, volumes = sums_by_key(
            _pack(rated.rows, self._place_of), np.stack([rated.rows[field] for field in VOLUMES])
        )
        # Both are in order: what is known is added where it stands, and only what is new moves the rest.
        place = np.searchsorted(self._key, key)
        known = self._key.take(place, mode="clip") == key if self._key.size else np.zeros(len(key), bool)
        old, new = np.flatnonzero(known), np.flatnonzero(~known)
        at = place[old]
        for mine, its in zip(self._volumes, volumes, strict=True):
            mine[at] += its[old]
        if new.size:
            at = place[new] + np.arange(len(new))
            self._key = _woven(self._key, key[new], at)
            self._volumes = [_woven(mine, its[new], at) for mine, its in zip(self._volumes, volumes, strict=True)]

    def columns(self) -> tuple[dict[str, np.ndarray], np.ndarray]:
        """(columns of KEY_BITS, octets) of all sums."""
        return _unpack(self._key), self._volumes[0] + self._volumes[1]

    def report(
        self,
        totals: MeterTotals,
        labels_of: Callable[[np.ndarray], list[str]],
        notices: Sequence[tuple[str, int]] = (),
    ) -> UsageReport:
        """The report: `totals` are the meter's own accounts, which these sums have to meet.

        `labels_of` gives the labels of an array of subscriber numbers, now and later; `notices` come behind the meter's.
        """
        columns, volumes = _unpack(self._key), np.stack(self._volumes)
        octets = volumes[0] + volumes[1]
        flows = dict(totals.evidence_flows)
        return UsageReport(
            first_packet_ns=totals.first_packet_ns,
            last_packet_ns=totals.last_packet_ns,
            observed_frames=totals.observed_frames,
            observed_octets=totals.observed_octets,
            zero_rated=_part(columns, volumes, PART_ZERO_RATED),
            discounted=_part(columns, volumes, PART_DISCOUNTED),
            charged=_part(columns, volumes, PART_CHARGED),
            pending=Volume(totals.pending_frames, totals.pending_uplink_octets, totals.pending_downlink_octets),
            charged_because=octets_by_reason(columns["reason"], octets),
            unmetered=tuple(UnmeteredUsage(*entry) for entry in totals.unmetered),
            subscribers=SubscriberUsages(columns, volumes, self._application_names, labels_of),
            programmes=self._programmes(columns, octets),
            evidence=tuple(
                EvidenceUsage(name, flows[name], int(octets[columns["evidence"] == EVIDENCE.index(name)].sum()))
                for name in EVIDENCE_SHOWN
            ),
            flows=totals.flows,
            retransmitted_octets=totals.retransmitted_octets,
            after_close_octets=totals.after_close_octets,
            notices=(*totals.overflows, *notices),
        )

    def _programmes(self, columns: dict[str, np.ndarray], octets: np.ndarray) -> tuple[ProgrammeUsage, ...]:
        """The programmes that paid for something, by name."""
        used = []
        exhausted = Counter(place for _, place in self._exhausted)
        paying = columns["programme"][columns["programme"] >= 0]
        for place in distinct(paying, len(self._programmes_by_place))[0]:
            rows = columns["programme"] == place
            programme = self._programmes_by_place[place]
            subscribers = 1 + int(np.count_nonzero(np.diff(columns["subscriber"][rows])))  # the key begins with them
            paid = int(octets[rows].sum())
            used_up = exhausted[place]
            used.append(ProgrammeUsage(programme.name, programme.payer, paid, subscribers, used_up))
        return tuple(sorted(used, key=lambda usage: usage.programme))


def _part(columns: dict[str, np.ndarray], volumes: np.ndarray, part: int) -> Volume:
    uplink, downlink, up_frames, down_frames = volumes[:, columns["part"] == part].sum(axis=1).tolist()
    return Volume(up_frames + down_frames, uplink, downlink)


def octets_by_reason(reason: np.ndarray, octets: np.ndarray) -> tuple[tuple[str, int], ...]:
    """(reason, octets) of what is charged, most octets first; `reason` are places in REASONS or -1."""
    found = distinct(reason[reason >= 0], len(REASONS))[0].tolist()
    sums = [(REASONS[place], int(octets[reason == place].sum())) for place in found]
    return tuple(sorted(sums, key=lambda entry: (-entry[1], entry[0])))
