"""A usage report as JSON, schema `freeflow.usage/1`.

Rules of this file: volumes are integers; keys stand in a fixed order; lists that are empty are there and empty. What is
there beside the schema's keys stands behind them.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from json.encoder import encode_basestring_ascii
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np

from classifier.records import EVIDENCE_SHOWN, UNMETERED, UsageBySubscriber, UsageColumns, UsageReport, Volume
from classifier.reports.rendering import Cell, Texts, joined, texts_of
from classifier.reports.words import time_text

if TYPE_CHECKING:
    from classifier.reports.glance import Vitals

SCHEMA = "freeflow.usage/1"
ALWAYS_UNMETERED = ("not_ip", "transit")
NOTHING: Mapping[str, object] = MappingProxyType({})
_encode = json.JSONEncoder().encode


def json_text(report: UsageReport) -> Iterator[str]:
    """The report as one object in pieces: a line for each key, and one for each entry of a list.

    So two reports can be compared line by line.
    """
    return _pieces(report, "{\n", ",\n", "[\n", "\n]", "\n}\n")


def json_line(report: UsageReport, further: Mapping[str, object] = NOTHING) -> str:
    """The report as one object on one line; `further` entries come last."""
    return "".join(_pieces(report, "{", ", ", "[", "]", "}\n", further))


def live_entries(vitals: Vitals) -> dict[str, object]:
    """What a live run has besides: what the ring lost, how full the tables are, how many intervals wait for the ledger."""
    return {
        "dropped_frames": vitals.dropped,
        "freezes": vitals.freezes,
        "waiting_intervals": vitals.waiting_entries,
        "tables": {name: {"used": used, "capacity": places} for name, used, places in vitals.fill},
    }


def _pieces(
    report: UsageReport,
    begin: str,
    separator: str,
    begin_list: str,
    end_list: str,
    end: str,
    further: Mapping[str, object] = NOTHING,
) -> Iterator[str]:
    before = begin
    for key, value in {**_entries(report, separator), **further}.items():
        yield f'{before}"{key}": '
        before = separator
        if not isinstance(value, Iterator):
            yield _encode(value)
        elif first := next(value, ""):
            # Not joined: a report of many subscribers has hundreds of megabytes, which are written as they are made.
            yield from (begin_list, first)
            yield from map(separator.__add__, value)
            yield end_list
        else:
            yield "[]"
    yield end


def _entries(report: UsageReport, separator: str) -> dict[str, object]:
    """The values by key as `json` takes them, but lists as iterators of their entries' text, or of that of several with
    `separator` between them."""
    return {
        "schema": SCHEMA,
        "first_packet": time_text(report.first_packet_ns),
        "last_packet": time_text(report.last_packet_ns),
        "observed": {"frames": report.observed_frames, "octets": report.observed_octets},
        "zero_rated": _volume(report.zero_rated),
        "discounted": _volume(report.discounted),
        "charged": _volume(report.charged),
        "unmetered": _unmetered(report),
        "subscribers": _subscriber_texts(report.subscribers, separator),
        "programmes": (
            _encode(
                {
                    "programme": programme.programme,
                    "payer": programme.payer,
                    "octets": programme.octets,
                    "subscribers": programme.subscribers,
                    "exhausted_subscribers": programme.exhausted_subscribers,
                }
            )
            for programme in report.programmes
        ),
        "evidence": _evidence(report),
        "charged_because": dict(report.charged_because),
        "pending": _volume(report.pending),
        "flows": report.flows,
        "retransmitted_octets": report.retransmitted_octets,
        "after_close_octets": report.after_close_octets,
        "notices": dict(report.notices),
    }


def _volume(volume: Volume) -> dict:
    return {
        "frames": volume.frames,
        "uplink_octets": volume.uplink_octets,
        "downlink_octets": volume.downlink_octets,
        "octets": volume.octets,
    }


def _unmetered(report: UsageReport) -> dict:
    """By reason, in the order of the reasons' numbers: the first two always, the others where there is something."""
    found = {usage.reason: {"frames": usage.frames, "octets": usage.octets} for usage in report.unmetered}
    return {
        reason: found.get(reason, {"frames": 0, "octets": 0})
        for reason in dict.fromkeys((*UNMETERED, *found))
        if reason in ALWAYS_UNMETERED or found.get(reason, {}).get("frames")
    }


def _subscriber_texts(subscribers: UsageBySubscriber, separator: str) -> Iterator[str]:
    """Each as `json` would write it, some thousands at a time with `separator` between them, in a fifth of its time."""
    for columns in subscribers.columns():
        yield str(_subscribers(columns, separator))


def _subscribers(columns: UsageColumns, separator: str) -> Texts:
    reasons = Cell(_quoted(columns.reasons), columns.reason)
    because = joined((reasons, ": ", columns.reason_octets), columns.first_reason, ", ")
    uplink, downlink, packets, *parts = columns.figures
    applications = joined(
        (
            '{"application": ',
            Cell(_quoted(columns.application_names), columns.application),
            ', "uplink_octets": ',
            uplink,
            ', "downlink_octets": ',
            downlink,
            ', "packets": ',
            packets,
            *_parts(parts),
            ', "charged_because": {',
            Cell(because),
            "}}",
        ),
        columns.first_application,
        ", ",
    )
    return joined(
        (
            '{"subscriber": ',
            Cell(_quoted(columns.labels)),
            *_parts(columns.parts),
            ', "applications": [',
            Cell(applications),
            "]}",
        ),
        np.array([0, len(columns.labels)]),
        separator,
    )


def _parts(octets: Iterable[np.ndarray]) -> tuple[str | np.ndarray, ...]:
    """What became of octets, as it stands in a row."""
    zero_rated, discounted, charged = octets
    return ', "zero_rated_octets": ', zero_rated, ', "discounted_octets": ', discounted, ', "charged_octets": ', charged


def _quoted(texts: Sequence[str]) -> Texts:
    return texts_of([*map(encode_basestring_ascii, texts)])


def _evidence(report: UsageReport) -> dict:
    found = {usage.evidence: {"flows": usage.flows, "octets": usage.octets} for usage in report.evidence}
    return {name: found.get(name, {"flows": 0, "octets": 0}) for name in EVIDENCE_SHOWN}
