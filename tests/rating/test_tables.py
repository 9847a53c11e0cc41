"""Rating of tables against the slow twin: any cut, any order of programmes, and every boundary of time and allowance."""

from __future__ import annotations

from collections import defaultdict
from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import numpy as np
import pytest
import slow_twin
from hypothesis import given, settings
from hypothesis import strategies as st
from offer_records import programme

from classifier.catalogue.records import Allowance, Bonus, Eligibility
from classifier.kernels.state import USAGE_ROW
from classifier.rating.offers import PART_CHARGED, PART_DISCOUNTED, PART_ZERO_RATED
from classifier.rating.periods import Periods
from classifier.rating.rate import Rater
from classifier.records import EVIDENCE, STANDING
from classifier.subscribers.load import Subscriber

NAMES = ("unknown", "alipay", "taobao", "wechat")
ZONES = ("Asia/Shanghai", "America/Sao_Paulo", "UTC")
LIN = Subscriber("lin", (), "china-mobile", "guangdong", "a", date(2013, 10, 1), (("gift", date(2013, 10, 30)),))
HU = Subscriber("hu", (), "china-telecom", "hunan", "b", date(2013, 9, 30), ())
LISTED = {1: LIN, 2: HU}
HOUR_NS = 3600 * 10**9


def at(year, month, day, hour=0, minute=0, zone="UTC"):
    """Nanoseconds of a local time."""
    return int(datetime(year, month, day, hour, minute, tzinfo=ZoneInfo(zone)).astimezone(UTC).timestamp()) * 10**9


def table(rows):
    """USAGE_ROW rows of (at_ns, number, application, evidence, standing, uplink, downlink); three packets an octet."""
    usage = np.zeros(len(rows), USAGE_ROW)
    for place, (at_ns, number, application, evidence, standing, uplink, downlink) in enumerate(rows):
        usage[place]["interval"] = at_ns
        usage[place]["subscriber"] = number
        usage[place]["application"] = NAMES.index(application)
        usage[place]["evidence"] = EVIDENCE.index(evidence)
        usage[place]["standing"] = STANDING.index(standing)
        usage[place]["uplink_octets"], usage[place]["downlink_octets"] = uplink, downlink
        usage[place]["uplink_packets"], usage[place]["downlink_packets"] = 3 * uplink, 3 * downlink
    return usage


class Book:
    """Rates tables one after the other, keeping totals and allowances, as a ledger would."""

    def __init__(self, programmes, zone="UTC", month_starts_on=1):
        self.rater = Rater(programmes, NAMES, (LIN, HU), Periods(ZoneInfo(zone), month_starts_on))
        self.used, self.exhausted, self.totals = {}, set(), defaultdict(int)

    def add(self, rows):
        before = dict(self.used)
        rated = self.rater.rate(table(rows), self.used)
        assert self.used == before
        self.used |= rated.used
        self.exhausted |= rated.exhausted
        for row in rated.rows:
            octets = int(row["uplink_octets"] + row["downlink_octets"])
            paying = self.rater.programmes[row["programme"]].name if row["programme"] >= 0 else None
            assert (paying is None) == (row["part"] == PART_CHARGED) == (row["reason"] >= 0)
            self.totals[int(row["subscriber"]), paying] += octets
            assert all(row[field] >= 0 for field in ("uplink_octets", "downlink_octets"))
            assert all(row[field] >= 0 for field in ("uplink_packets", "downlink_packets"))
        for field in ("uplink_octets", "downlink_octets", "uplink_packets", "downlink_packets"):
            assert rated.rows[field].sum() == table(rows)[field].sum()
        return rated

    def paid(self):
        return {key: octets for key, octets in self.totals.items() if octets}


def twin(rows, programmes, zone="UTC", month_starts_on=1):
    told = [(*row[:5], row[5] + row[6], LISTED.get(row[1])) for row in rows]
    return slow_twin.rate(told, programmes, ZoneInfo(zone), month_starts_on)


PROGRAMMES = (
    programme(
        name="wide", priority=3, allowances=(Allowance(40, "day"), Allowance(60, "month")), starts=date(2013, 10, 1)
    ),
    programme(
        name="half", applications=("wechat",), rate_percent=50, accept="verified", allowances=(Allowance(30, "once"),)
    ),
    programme(
        name="card",
        applications=("taobao",),
        priority=2,
        starts=date(2013, 10, 1),
        allowances=(Allowance(25, "month"),),
        bonus=Bonus(20, 2, "joined", date(2013, 10, 2)),
        eligible=(Eligibility("china-mobile", None, None), Eligibility(None, "hunan", None)),
    ),
    programme(
        name="gift",
        applications="*",
        priority=20,
        starts=date(2013, 10, 1),
        ends=None,
        enrolment="required",
        registered_before=date(2013, 11, 1),
        allowances=(Allowance(70, "once"),),
    ),
)
# Around the ends of months and of daylight saving in the three zones, and of the windows above.
INSTANTS = st.one_of(
    *(
        st.sampled_from([at(*day, 0, 0, zone) + step for step in (-1, 0, HOUR_NS)])
        for zone in ZONES
        for day in ((2013, 10, 1), (2013, 10, 20), (2013, 10, 30), (2013, 11, 1), (2013, 11, 15), (2013, 12, 1))
    )
)
USE = (
    st.integers(1, 3),
    st.sampled_from(NAMES),
    st.sampled_from(EVIDENCE),
    st.sampled_from(("taken_part", "taken_part", "taken_part", *STANDING)),
    st.integers(0, 50),
    st.integers(0, 50),
)
ROW = st.tuples(INSTANTS, *USE)


@settings(max_examples=60)
@given(
    st.lists(ROW, max_size=25), st.sampled_from(ZONES), st.sampled_from((1, 15, 30, 31)), st.permutations(PROGRAMMES)
)
def test_rows_in_tables_of_their_own_are_rated_as_the_twin_does_in_whatever_order_programmes_are_listed(
    rows, zone, month_starts_on, programmes
):
    book = Book(programmes, zone, month_starts_on)
    for row in rows:
        book.add([row])
    totals, used = twin(rows, PROGRAMMES, zone, month_starts_on)
    assert book.paid() == totals
    assert sorted(octets for octets in book.used.values() if octets) == sorted(used.values())


@settings(max_examples=60)
@given(st.lists(ROW, max_size=25), st.sampled_from(ZONES))
def test_a_table_is_rated_as_its_rows_by_interval_application_and_stronger_evidence(rows, zone):
    strength = ("verified", "address", "claimed", "none", "contradicted")
    book = Book(PROGRAMMES, zone)
    book.add(rows)
    in_order = sorted(rows, key=lambda row: (row[0], row[2], strength.index(row[3])))
    totals, used = twin(in_order, PROGRAMMES, zone)
    assert book.paid() == totals
    assert sorted(octets for octets in book.used.values() if octets) == sorted(used.values())


# What follows an allowance is the same here for all that it covers: then the order in time makes no difference to who pays.
CHAINED = (
    programme(name="own", applications=("taobao",), priority=1, allowances=(Allowance(20, "day"),)),
    programme(name="group", applications=("taobao", "alipay"), priority=2, allowances=(Allowance(50, "month"),)),
    programme(name="rest", applications="*", priority=3, rate_percent=40, allowances=(Allowance(30, "once"),)),
)


def cut_into_intervals(uses, cuts):
    """Tables of the uses between the cuts, what has the same key added up; no interval reaches over a day."""
    tables = []
    for place, (day, *key, uplink, downlink) in enumerate(uses):
        midnight = at(2013, 11, day)
        if not place or place in cuts or day != uses[place - 1][0]:
            tables.append({})
            start = midnight + place
        volumes = tables[-1].setdefault((start, *key), [0, 0])
        volumes[0] += uplink
        volumes[1] += downlink
    return [[(*key, *volumes) for key, volumes in rows.items()] for rows in tables]


@settings(max_examples=80)
@given(st.lists(st.tuples(st.integers(1, 4), *USE), max_size=25), st.sets(st.integers(1, 24)))
def test_any_cut_of_the_same_usage_into_intervals_gives_the_same_totals(uses, cuts):
    uses.sort(key=lambda use: use[0])
    one_by_one, cut, whole = Book(CHAINED), Book(CHAINED), Book(CHAINED)
    for book, places in ((one_by_one, range(25)), (cut, cuts), (whole, ())):
        for rows in cut_into_intervals(uses, places):
            book.add(rows)
    assert one_by_one.paid() == cut.paid() == whole.paid()
    assert without_zeros(one_by_one.used) == without_zeros(cut.used) == without_zeros(whole.used)
    assert one_by_one.exhausted == cut.exhausted == whole.exhausted


def without_zeros(figures):
    return {key: figure for key, figure in figures.items() if figure}


@pytest.mark.parametrize("octets", [-1, 0, 1])
def test_the_octet_that_crosses_the_allowance_is_split_off(octets):
    offer = programme(allowances=(Allowance(1000, "month"),))
    book = Book((offer,))
    rated = book.add([(at(2013, 11, 5), 1, "taobao", "claimed", "taken_part", 400, 600 + octets)])
    assert book.paid() == {(1, "free"): 1000 + min(octets, 0)} | ({(1, None): 1} if octets > 0 else {})
    assert len(rated.rows) == (2 if octets > 0 else 1)
    assert book.exhausted == (set() if octets < 0 else {(1, "free")})


def spent(days, zone, month_starts_on=1, per="month", octets=100):
    """Octets given at the local times `days`, each of which asks for 80 of an allowance of 100."""
    offer = programme(starts=date(2013, 1, 1), ends=None, allowances=(Allowance(octets, per),))
    book, given = Book((offer,), zone, month_starts_on), []
    for instant in days:
        before = book.totals[1, "free"]
        book.add([(instant, 1, "taobao", "claimed", "taken_part", 0, 80)])
        given.append(book.totals[1, "free"] - before)
    return given


@pytest.mark.parametrize("zone", ZONES)
def test_a_month_begins_at_local_midnight(zone):
    first = at(2013, 12, 1, zone=zone)
    assert spent([first - HOUR_NS, first - 1, first, first + 1], zone) == [80, 20, 80, 20]


@pytest.mark.parametrize(
    ("starts_on", "begins"),
    [
        (31, ((2013, 10, 31), (2013, 11, 30), (2013, 12, 31), (2014, 1, 31), (2014, 2, 28), (2014, 3, 31))),
        (29, ((2013, 10, 29), (2013, 11, 29), (2013, 12, 29), (2014, 1, 29), (2014, 2, 28), (2014, 3, 29))),
        (15, ((2013, 10, 15), (2013, 11, 15))),
    ],
)
def test_a_month_that_has_no_such_day_begins_on_its_last(starts_on, begins):
    edges = [at(*day, zone="Asia/Shanghai") for day in begins]
    around = [instant for edge in edges for instant in (edge, edge + 12 * HOUR_NS)]
    assert spent(around, "Asia/Shanghai", starts_on) == [80, 20] * len(edges)
    assert spent([edges[1] - 1, edges[1]], "Asia/Shanghai", starts_on) == [80, 80]


def test_a_day_in_sao_paulo_has_23_hours_in_spring_and_25_in_autumn():
    # 20 October 2013 began at 01:00 -02:00 (03:00 UTC) and ended at 02:00 UTC; 15 February 2014 lasted until 03:00 UTC.
    zone = "America/Sao_Paulo"
    spring = [at(2013, 10, 20, 3) - 1, at(2013, 10, 20, 3), at(2013, 10, 21, 2) - 1, at(2013, 10, 21, 2)]
    assert spent(spring, zone, per="day") == [80, 80, 20, 80]
    autumn = [at(2014, 2, 15, 2), at(2014, 2, 16, 2), at(2014, 2, 16, 3) - 1, at(2014, 2, 16, 3)]
    assert spent(autumn, zone, per="day") == [80, 20, 0, 80]


def test_what_is_given_once_does_not_come_back():
    assert spent([at(2013, 11, 5), at(2013, 12, 5), at(2014, 12, 5)], "UTC", per="once") == [80, 20, 0]


def test_usage_of_an_earlier_month_that_is_told_late_counts_there():
    october, november = at(2013, 10, 31), at(2013, 11, 1)
    assert spent([october, november, october, november], "UTC") == [80, 80, 20, 20]


def test_frames_of_split_usage_go_in_proportion_rounded_down_and_the_rest_to_the_last_part():
    # 1,000 of 1,500 octets and 7 frames: 7 * 1000 / 1500 = 4.67, so 4 are free and 3 charged.
    usage = table([(at(2013, 11, 5), 1, "taobao", "claimed", "taken_part", 300, 1200)])
    usage["uplink_packets"], usage["downlink_packets"] = 3, 4
    offer = programme(allowances=(Allowance(1000, "month"),))
    rows = Rater((offer,), NAMES, (LIN, HU), Periods(ZoneInfo("UTC"))).rate(usage, {}).rows
    assert (rows["uplink_octets"] + rows["downlink_octets"]).tolist() == [1000, 500]
    assert rows["uplink_octets"].tolist() == [200, 100]
    assert (rows["uplink_packets"] + rows["downlink_packets"]).tolist() == [4, 3]
    assert rows["part"].tolist() == [PART_ZERO_RATED, PART_CHARGED]


def test_what_is_discounted_is_told_apart_from_what_is_free():
    offers = (programme(allowances=(Allowance(10, "day"),), priority=1), programme(name="half", rate_percent=50))
    rated = Book(offers).add([(at(2013, 11, 5), 1, "taobao", "claimed", "taken_part", 0, 15)])
    assert rated.rows["part"].tolist() == [PART_ZERO_RATED, PART_DISCOUNTED]
    assert rated.rows["downlink_octets"].tolist() == [10, 5]


def test_subscribers_do_not_take_from_each_others_allowance():
    book = Book((programme(allowances=(Allowance(100, "month"),)),))
    book.add([(at(2013, 11, 5), number, "taobao", "claimed", "taken_part", 0, 90 + number) for number in range(20)])
    assert [book.totals[number, "free"] for number in range(20)] == [*range(90, 100), *[100] * 10]
    assert book.exhausted == {(number, "free") for number in range(10, 20)}


def test_an_allowance_made_smaller_than_what_was_used_gives_nothing_and_owes_nothing():
    key = next(
        iter(
            Book((programme(allowances=(Allowance(100, "month"),)),))
            .add([(at(2013, 11, 5), 1, "taobao", "claimed", "taken_part", 0, 80)])
            .used
        )
    )
    book = Book((programme(allowances=(Allowance(50, "month"),)),))
    book.used[key] = 80
    book.add([(at(2013, 11, 6), 1, "taobao", "claimed", "taken_part", 0, 10)])
    assert book.paid() == {(1, None): 10}
    assert book.used[key] == 80


def test_allowances_may_be_as_large_as_a_counter_holds():
    book = Book(
        (programme(allowances=(Allowance(5, "month"), Allowance(2**63 - 1, "month"), Allowance(2**63 - 1, "day"))),)
    )
    book.add([(at(2013, 11, 5), 1, "taobao", "claimed", "taken_part", 0, 2**40)])
    assert book.paid() == {(1, "free"): 2**40}
    assert sorted(book.used.values()) == [5, 2**40 - 5]
    assert book.exhausted == set()


def test_a_programme_is_used_up_only_when_nothing_is_left_of_any_of_its_allowances():
    # On the 7th a day's 10 have come back, though the 5 that were given once are used. WeChat's octet makes that day one in
    # which an allowance is reached, so that Taobao is looked at, too.
    tiny = programme(name="tiny", applications=("wechat",), allowances=(Allowance(1, "once"),))
    book, told = Book((programme(allowances=(Allowance(10, "day"), Allowance(5, "once"))), tiny)), []
    for day, taobao, wechat in ((5, 12, 0), (6, 13, 0), (7, 9, 1), (7, 1, 0), (7, 1, 0)):
        rows = [
            (at(2013, 11, day), 1, name, "claimed", "taken_part", 0, octets)
            for name, octets in (("taobao", taobao), ("wechat", wechat))
            if octets
        ]
        told.append(book.add(rows).exhausted)
    assert told == [set(), {(1, "free")}, {(1, "tiny")}, {(1, "free")}, {(1, "free")}]
    assert book.paid() == {(1, "free"): 12 + 13 + 10, (1, "tiny"): 1, (1, None): 1}
