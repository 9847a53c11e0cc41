"""Reports and flows that tests of the reports are made from."""

from __future__ import annotations

import numpy as np

from classifier.records import (
    EVIDENCE,
    ApplicationUsage,
    EvidenceUsage,
    FlowRecord,
    ProgrammeUsage,
    SubscriberUsage,
    UnmeteredUsage,
    UsageColumns,
    UsageReport,
    Volume,
)

SECOND_NS = 10**9
TRANSIT = (UnmeteredUsage("transit", 3, 300),)


def application(name: str, zero_rated: int = 0, discounted: int = 0, charged: int = 0, because: str = "no_programme"):
    """An application's usage, a quarter of it uplink."""
    octets = zero_rated + discounted + charged
    return ApplicationUsage(
        application=name,
        uplink_octets=octets // 4,
        downlink_octets=octets - octets // 4,
        packets=octets // 100 + 1,
        zero_rated_octets=zero_rated,
        discounted_octets=discounted,
        charged_octets=charged,
        charged_because=((because, charged),) if charged else (),
    )


def subscriber(name: str, *applications: ApplicationUsage) -> SubscriberUsage:
    """A subscriber's usage: the sums of the applications'."""
    return SubscriberUsage(
        name,
        sum(usage.zero_rated_octets for usage in applications),
        sum(usage.discounted_octets for usage in applications),
        sum(usage.charged_octets for usage in applications),
        applications,
    )


def volume(usages: list[ApplicationUsage], part: str) -> Volume:
    """The octets of one part, and some frames."""
    octets = sum(getattr(usage, part) for usage in usages)
    return Volume(octets // 100 + bool(octets), octets // 4, octets - octets // 4)


class Listed(tuple):
    """Subscribers' usage in any order, with columns as a report has them: two subscribers at a time."""

    def columns(self):
        for first in range(0, len(self), 2):
            yield columns_of(self[first : first + 2])


def columns_of(subscribers: tuple[SubscriberUsage, ...]) -> UsageColumns:
    """What these use, a row after the other."""
    applications = [usage for one in subscribers for usage in one.applications]
    because = [entry for usage in applications for entry in usage.charged_because]
    names, reasons = (
        {name: None for name in all_names}
        for all_names in ((usage.application for usage in applications), (reason for reason, _ in because))
    )
    return UsageColumns(
        labels=[one.subscriber for one in subscribers],
        parts=np.array([one[1:4] for one in subscribers], np.int64).T,
        first_application=np.cumsum([0, *(len(one.applications) for one in subscribers)]),
        application=np.array([list(names).index(usage.application) for usage in applications], np.int64),
        application_names=list(names),
        figures=np.array([usage[1:7] for usage in applications], np.int64).reshape(-1, 6).T,
        first_reason=np.cumsum([0, *(len(usage.charged_because) for usage in applications)]),
        reason=np.array([list(reasons).index(reason) for reason, _ in because], np.int64),
        reasons=list(reasons),
        reason_octets=np.array([octets for _, octets in because], np.int64),
    )


def report(*subscribers: SubscriberUsage, unmetered=TRANSIT, **changes) -> UsageReport:
    """A report in which everything adds up."""
    usages = [usage for one in subscribers for usage in one.applications]
    parts = [volume(usages, part) for part in ("zero_rated_octets", "discounted_octets", "charged_octets")]
    because: dict[str, int] = {}
    for usage in usages:
        for reason, octets in usage.charged_because:
            because[reason] = because.get(reason, 0) + octets
    metered = sum(part.octets for part in parts)
    values = {
        "first_packet_ns": 1_384_000_000 * SECOND_NS,
        "last_packet_ns": 1_384_000_060 * SECOND_NS + 123_456_789,
        "observed_frames": sum(part.frames for part in parts) + sum(one.frames for one in unmetered),
        "observed_octets": metered + sum(one.octets for one in unmetered),
        "zero_rated": parts[0],
        "discounted": parts[1],
        "charged": parts[2],
        "pending": Volume(),
        "charged_because": tuple(because.items()),
        "unmetered": tuple(unmetered),
        "subscribers": Listed(subscribers),
        "programmes": (ProgrammeUsage("yixin-telecom", "netease", parts[0].octets, 1, 0),),
        "evidence": tuple(EvidenceUsage(name, 1, metered if name == "claimed" else 0) for name in EVIDENCE),
        "flows": 5,
        "retransmitted_octets": 120,
        "after_close_octets": 52,
        "notices": (("flows evicted from a full table", 2),),
    }
    return UsageReport(**(values | changes))


def usual_report(**changes) -> UsageReport:
    """Two subscribers, every part, and figures of every size."""
    return report(
        subscriber(
            "anna", application("facebook", zero_rated=12_345_678_901, charged=999), application("dns", 0, 0, 77)
        ),
        subscriber(
            "2001:db8:1000:4321::/64",
            application("alibaba-free-flow-with-a-long-name", discounted=1_000_000),
            application("unknown", charged=54_321, because="unknown_application"),
        ),
        **changes,
    )


def flow(**changes) -> FlowRecord:
    """An ordinary flow."""
    values = {
        "subscriber": "10.0.0.7",
        "subscriber_is_client": True,
        "client": "10.0.0.7",
        "client_port": 50001,
        "server": "157.240.1.35",
        "server_port": 443,
        "protocol": "tcp",
        "application": "facebook",
        "evidence": "verified",
        "source": "tls_sni",
        "name": "www.facebook.com",
        "other_name": None,
        "first_packet_ns": 1_384_000_000 * SECOND_NS,
        "last_packet_ns": 1_384_000_001 * SECOND_NS,
        "uplink_octets": 1_234,
        "downlink_octets": 56_789,
        "uplink_packets": 10,
        "downlink_packets": 20,
        "retransmitted_octets": 0,
        "after_close_octets": 0,
        "ended": "fin",
    }
    return FlowRecord(**(values | changes))
