"""A usage report as JSON, schema `freeflow.usage/1`.

Rules of this file: volumes are integers; keys stand in a fixed order; lists that are empty are there and empty. What is
there beside the schema's keys stands behind them.
"""

from __future__ import annotations

import json
from collections.abc import Iterator

from classifier.records import UNMETERED, SubscriberUsage, UsageReport, Volume
from classifier.reports.words import time_text

SCHEMA = "freeflow.usage/1"
EVIDENCE_ORDER = ("verified", "claimed", "address", "contradicted", "none")
ALWAYS_UNMETERED = ("not_ip", "transit")


def json_report(report: UsageReport) -> dict:
    """The report as `json` takes it. Times are UTC with microseconds, None where no frame was seen."""
    return {
        "schema": SCHEMA,
        "first_packet": time_text(report.first_packet_ns),
        "last_packet": time_text(report.last_packet_ns),
        "observed": {"frames": report.observed_frames, "octets": report.observed_octets},
        "zero_rated": _volume(report.zero_rated),
        "discounted": _volume(report.discounted),
        "charged": _volume(report.charged),
        "unmetered": _unmetered(report),
        "subscribers": [_subscriber(subscriber) for subscriber in report.subscribers],
        "programmes": [
            {
                "programme": programme.programme,
                "payer": programme.payer,
                "octets": programme.octets,
                "subscribers": programme.subscribers,
                "exhausted_subscribers": programme.exhausted_subscribers,
            }
            for programme in report.programmes
        ],
        "evidence": _evidence(report),
        "charged_because": dict(report.charged_because),
        "pending": _volume(report.pending),
        "flows": report.flows,
        "retransmitted_octets": report.retransmitted_octets,
        "after_close_octets": report.after_close_octets,
        "notices": dict(report.notices),
    }


def json_text(report: UsageReport) -> Iterator[str]:
    """The report as one object in pieces: a line for each key, and one for each entry of a list.

    So it is made at the speed of the C encoder, and two reports can be compared line by line.
    """
    separator = "{\n"
    for key, value in json_report(report).items():
        yield f'{separator}"{key}": '
        if isinstance(value, list) and value:
            yield "[\n" + ",\n".join(map(json.dumps, value)) + "\n]"
        else:
            yield json.dumps(value)
        separator = ",\n"
    yield "\n}\n"


def json_line(report: UsageReport) -> str:
    """The report as one object on one line."""
    return json.dumps(json_report(report)) + "\n"


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


def _subscriber(subscriber: SubscriberUsage) -> dict:
    return {
        "subscriber": subscriber.subscriber,
        "zero_rated_octets": subscriber.zero_rated_octets,
        "discounted_octets": subscriber.discounted_octets,
        "charged_octets": subscriber.charged_octets,
        "applications": [
            {
                "application": usage.application,
                "uplink_octets": usage.uplink_octets,
                "downlink_octets": usage.downlink_octets,
                "packets": usage.packets,
                "zero_rated_octets": usage.zero_rated_octets,
                "discounted_octets": usage.discounted_octets,
                "charged_octets": usage.charged_octets,
                "charged_because": dict(usage.charged_because),
            }
            for usage in subscriber.applications
        ],
    }


def _evidence(report: UsageReport) -> dict:
    found = {usage.evidence: {"flows": usage.flows, "octets": usage.octets} for usage in report.evidence}
    return {name: found.get(name, {"flows": 0, "octets": 0}) for name in EVIDENCE_ORDER}
