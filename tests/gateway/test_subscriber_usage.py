"""Usage by subscriber against the same rows rated one by one and added up in dictionaries; and what is made of it when."""

from __future__ import annotations

from collections import defaultdict
from datetime import UTC, date, datetime
from ipaddress import IPv4Address, IPv6Network
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from classifier.catalogue.records import Programme
from classifier.gateway import subscriber_usage
from classifier.gateway.labels import BEYOND_LABEL, subscriber_labels
from classifier.gateway.tally import Tally
from classifier.kernels.state import SUBSCRIBER, USAGE_ROW
from classifier.metering.meter import MeterTotals
from classifier.rating.offers import PART_CHARGED, PARTS, make_offers, route
from classifier.rating.periods import Periods
from classifier.rating.rate import VOLUMES, Rater
from classifier.records import EVIDENCE, STANDING, ApplicationUsage, SubscriberUsage

UTC_PERIODS = Periods(ZoneInfo("UTC"))
# Not in the order of the alphabet, as numbers stand for nothing.
NAMES = ("unknown", "wechat", "facebook", "alipay")
LABELS = (BEYOND_LABEL, "zoë", "anna", "10.0.0.9", "10.0.0.10", "2001:db8::/64")
NOON_NS = int(datetime(2013, 11, 11, 12, tzinfo=UTC).timestamp()) * 10**9
DAY_NS = 86_400 * 10**9


def programme(name: str, application: str, rate_percent: int, accept: str) -> Programme:
    return Programme(
        name=name,
        payer="alibaba",
        applications=(application,),
        starts=date(2013, 11, 1),
        ends=date(2013, 11, 12),
        rate_percent=rate_percent,
        allowances=(),
        bonus=None,
        eligible=(),
        enrolment="automatic",
        registered_before=None,
        accept=accept,
        priority=10,
        tariff=None,
        file="offers.toml",
    )


PROGRAMMES = (programme("free", "wechat", 0, "claimed"), programme("half", "facebook", 50, "verified"))
TOTALS = MeterTotals(
    first_packet_ns=None,
    last_packet_ns=None,
    observed_frames=0,
    observed_octets=0,
    metered_frames=0,
    metered_octets=0,
    pending_frames=0,
    pending_uplink_octets=0,
    pending_downlink_octets=0,
    unmetered=(),
    flows=0,
    evidence_flows=tuple((name, 0) for name in EVIDENCE),
    retransmitted_octets=0,
    after_close_octets=0,
    overflows=(),
)
# Few values, so that many subscribers, applications and reasons are equal in octets; one that no float can hold.
OCTETS = st.sampled_from((0, 40, 41, 2**53 + 1))
ROW = st.tuples(
    st.sampled_from((NOON_NS, NOON_NS + DAY_NS)),
    st.integers(0, len(LABELS) - 1),
    st.integers(0, len(NAMES) - 1),
    st.integers(0, len(EVIDENCE) - 1),
    st.integers(0, len(STANDING) - 1),
    st.tuples(OCTETS, OCTETS, st.integers(0, 3), st.integers(0, 3)),
)


def report_of(*tables, labels_of=None):
    """The report of tables of rows as ROW draws them, added one after the other."""
    rater = Rater(PROGRAMMES, NAMES, (), UTC_PERIODS)
    tally = Tally(rater.programmes, NAMES)
    for rows in tables:
        usage = np.zeros(len(rows), USAGE_ROW)
        for place, (interval, subscriber, application, evidence, standing, volumes) in enumerate(rows):
            usage[place] = (interval, subscriber, application, evidence, standing, 0, *volumes)
        tally.add(rater.rate(usage, {}))
    return tally.report(TOTALS, labels_of or (lambda numbers: [LABELS[number] for number in numbers]))


def twin_of(rows) -> tuple[SubscriberUsage, ...]:
    """The same by the rules alone, a row at a time."""
    offers = make_offers(PROGRAMMES, UTC_PERIODS)
    volumes = defaultdict(lambda: [0] * len(VOLUMES))
    parts = defaultdict(lambda: [0] * len(PARTS))
    because = defaultdict(lambda: defaultdict(int))
    for interval, subscriber, application, evidence, standing, counted in rows:
        key = (LABELS[subscriber], NAMES[application])
        found = route(offers, key[1], EVIDENCE[evidence], STANDING[standing], interval, None, UTC_PERIODS)
        part = found.claims[0].part if found.claims else PART_CHARGED
        volumes[key] = [old + new for old, new in zip(volumes[key], counted, strict=True)]
        parts[key][part] += counted[0] + counted[1]
        if found.reason is not None:
            because[key][found.reason] += counted[0] + counted[1]
    usages = []
    for label in {label for label, _ in volumes}:
        applications = []
        for key in volumes:
            if key[0] == label:
                uplink, downlink, up_packets, down_packets = volumes[key]
                reasons = tuple(sorted(because[key].items(), key=lambda pair: (-pair[1], pair[0])))
                figures = (uplink, downlink, up_packets + down_packets, *parts[key])
                applications.append(ApplicationUsage(key[1], *figures, reasons))
        applications.sort(key=lambda usage: (-usage.uplink_octets - usage.downlink_octets, usage.application))
        sums = [sum(parts[label, usage.application][part] for usage in applications) for part in range(len(PARTS))]
        usages.append(SubscriberUsage(label, *sums, tuple(applications)))
    return tuple(sorted(usages, key=lambda usage: (-usage.octets, usage.subscriber)))


@given(st.lists(ROW, max_size=40), st.integers(0, 40))
def test_usage_by_subscriber_is_that_of_rows_added_up_one_by_one_however_they_are_cut_into_tables(rows, cut):
    report = report_of(rows[:cut], rows[cut:])
    twin = twin_of(rows)
    assert tuple(report.subscribers) == twin
    assert report.subscribers == twin
    assert len(report.subscribers) == len(twin)
    for part, volume in enumerate((report.zero_rated, report.discounted, report.charged)):
        assert volume.octets == sum(usage[1 + part] for usage in twin)
    because = defaultdict(int)
    for usage in twin:
        for application in usage.applications:
            for reason, octets in application.charged_because:
                because[reason] += octets
    assert report.charged_because == tuple(sorted(because.items(), key=lambda pair: (-pair[1], pair[0])))


@given(st.lists(ROW, min_size=1, max_size=40), st.slices(7), st.slices(7), st.integers(-8, 7))
def test_any_place_and_slice_is_what_a_tuple_gives_in_whatever_order_they_are_asked_for(rows, first, second, place):
    usages, twin = report_of(rows).subscribers, twin_of(rows)
    assert usages[first] == twin[first]
    if -len(twin) <= place < len(twin):
        assert usages[place] == twin[place]
    else:
        with pytest.raises(IndexError):
            usages[place]
    assert usages[second] == twin[second]
    assert tuple(usages) == twin


def test_usages_of_other_octets_or_of_another_number_are_not_equal():
    row = (NOON_NS, 1, 1, 0, 0, (40, 0, 1, 0))
    usages = report_of([row]).subscribers
    assert usages == report_of([row]).subscribers
    assert hash(usages) == hash(report_of([row]).subscribers)
    assert usages != report_of([(*row[:5], (41, 0, 1, 0))]).subscribers
    assert usages != report_of([row, (NOON_NS, 2, *row[2:])]).subscribers
    assert usages != ()
    assert report_of().subscribers == ()


def test_more_subscribers_than_are_made_at_a_time_come_in_the_same_order(monkeypatch):
    # All of the same octets, so that the order is that of the labels alone: 1, 10, 100, 11 and so on.
    rows = [(NOON_NS, number, 1, 0, 0, (40, 0, 1, 0)) for number in range(1, 101)]
    report = report_of(rows, labels_of=lambda numbers: [str(number) for number in numbers])
    monkeypatch.setattr(subscriber_usage, "BATCH_SUBSCRIBERS", 7)
    assert [label for its in report.subscribers.columns() for label in its.labels] == sorted(
        str(number) for number in range(1, 101)
    )


@pytest.mark.parametrize("at_a_time", [1, 7, 100, 4096])
def test_columns_have_what_the_records_have(monkeypatch, at_a_time):
    chance = np.random.default_rng(at_a_time)
    rows = [
        (
            NOON_NS,
            number,
            int(chance.integers(4)),
            int(chance.integers(len(EVIDENCE))),
            0,
            (*chance.integers(0, 3, 2), 1, 1),
        )
        for number in range(1, 101)
        for _ in range(number % 4)
    ]
    report = report_of(rows, labels_of=lambda numbers: [f"s{number}" for number in numbers])
    monkeypatch.setattr(subscriber_usage, "BATCH_SUBSCRIBERS", at_a_time)
    records = []
    for its in report.subscribers.columns():
        for place, label in enumerate(its.labels):
            applications = []
            for row in range(its.first_application[place], its.first_application[place + 1]):
                entries = slice(its.first_reason[row], its.first_reason[row + 1])
                reasons = [its.reasons[reason] for reason in its.reason[entries]]
                because = tuple(zip(reasons, its.reason_octets[entries].tolist(), strict=True))
                name = its.application_names[its.application[row]]
                applications.append(ApplicationUsage(name, *its.figures[:, row].tolist(), because))
            records.append(SubscriberUsage(label, *its.parts[:, place].tolist(), tuple(applications)))
    assert len(records) == 75
    assert tuple(records) == tuple(report.subscribers)


def test_labels_are_made_once_and_only_of_those_shown_and_of_their_equals():
    # 10 to 19 used most; of each ten all used the same.
    rows = [(NOON_NS, number, 1, 0, 0, (1000 - number // 10, 0, 1, 0)) for number in range(10, 100)]
    asked = []

    def labels_of(numbers):
        asked.append(sorted(numbers.tolist()))
        return [str(number) for number in numbers]

    usages = report_of(rows, labels_of=labels_of).subscribers
    assert len(usages) == 90
    assert asked == []
    assert [usage.subscriber for usage in usages[:3]] == ["10", "11", "12"]
    assert usages[9].subscriber == "19"
    assert asked == [list(range(10, 20))]
    assert usages[10].subscriber == "20"
    assert asked == [list(range(10, 20)), list(range(20, 30))]


@given(st.lists(st.one_of(st.integers(0, 2**32 - 1), st.integers(2**120, 2**128 - 1)), max_size=20), st.data())
def test_subscribers_are_called_by_their_name_their_address_or_their_prefix(addresses, data):
    listed = (BEYOND_LABEL, "anna", "zoë")
    entries = np.zeros(len(listed) + len(addresses), SUBSCRIBER)
    texts = list(listed)
    for place, address in enumerate(addresses, len(listed)):
        version = 4 if address < 2**32 else 6
        low = address if version == 4 else 0
        entries[place] = (0 if version == 4 else address >> 64, low, version, -1)
        texts.append(str(IPv4Address(address)) if version == 4 else str(IPv6Network((address >> 64 << 64, 64))))
    numbers = data.draw(st.lists(st.integers(0, len(texts) - 1), max_size=30))
    assert subscriber_labels(listed, entries, np.array(numbers, np.int64)) == [texts[number] for number in numbers]
