"""Which offers pay, in which order, and why not: accounting 3.1 and 3.3, one rule a test."""

from __future__ import annotations

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest
from offer_records import programme

from classifier.catalogue.records import Allowance, Bonus, Eligibility
from classifier.rating.offers import make_offers, route
from classifier.rating.periods import Periods, instant_ns
from classifier.subscribers.load import Subscriber

SHANGHAI = ZoneInfo("Asia/Shanghai")
PERIODS = Periods(SHANGHAI)
NOON_NS = int(datetime(2013, 11, 11, 4, tzinfo=UTC).timestamp()) * 10**9
LIN = Subscriber("lin", (), "china-mobile", "guangdong", "a", None, (("free", date(2013, 11, 5)),))
HU = Subscriber("hu", (), "china-telecom", "hunan", "b", None, ())


def outcome(
    *programmes, application="taobao", evidence="claimed", standing="taken_part", at_ns=NOON_NS, subscriber=LIN
):
    found = routed(
        *programmes, application=application, evidence=evidence, standing=standing, at_ns=at_ns, who=subscriber
    )
    return found.claims[0].programme.name if found.claims else found.reason


def routed(*programmes, application="taobao", evidence="claimed", standing="taken_part", at_ns=NOON_NS, who=LIN):
    return route(make_offers(programmes, PERIODS), application, evidence, standing, at_ns, who, PERIODS)


def test_a_programme_pays_for_the_applications_it_covers():
    assert outcome(programme()) == "free"
    assert outcome(programme(), application="wechat") == "no_programme"
    assert outcome(programme(), application="unknown", evidence="none") == "unknown_application"


@pytest.mark.parametrize(
    ("accept", "evidence", "expected"),
    [
        ("claimed", "verified", "free"),
        ("claimed", "address", "free"),
        ("claimed", "claimed", "free"),
        ("claimed", "none", "evidence_not_accepted"),
        ("claimed", "contradicted", "contradicted"),
        ("verified", "verified", "free"),
        ("verified", "address", "free"),
        ("verified", "claimed", "evidence_not_accepted"),
        ("verified", "contradicted", "contradicted"),
    ],
)
def test_evidence_has_to_be_enough(accept, evidence, expected):
    assert outcome(programme(accept=accept), evidence=evidence) == expected


@pytest.mark.parametrize("standing", ["unasked", "after_close", "overflow"])
def test_what_the_subscriber_did_not_ask_for_is_never_free(standing):
    assert outcome(programme(), programme(name="all", applications="*"), standing=standing) == standing


def test_a_window_is_half_open_at_local_midnight():
    starts = int(datetime(2013, 10, 31, 16, tzinfo=UTC).timestamp()) * 10**9
    ends = int(datetime(2013, 11, 30, 16, tzinfo=UTC).timestamp()) * 10**9
    assert outcome(programme(), at_ns=starts) == "free"
    assert outcome(programme(), at_ns=starts - 1) == "outside_window"
    assert outcome(programme(), at_ns=ends - 1) == "free"
    assert outcome(programme(), at_ns=ends) == "outside_window"


def test_midnight_that_daylight_saving_skips_is_the_first_instant_of_the_day():
    zone = ZoneInfo("America/Sao_Paulo")
    # 2013-10-20 began there at 01:00 -02:00, that is at 03:00 UTC.
    assert instant_ns(date(2013, 10, 20), zone) == int(datetime(2013, 10, 20, 3, tzinfo=UTC).timestamp()) * 10**9


def test_any_one_group_of_subscribers_is_enough():
    groups = (Eligibility("china-mobile", "guangdong", None), Eligibility("china-unicom", None, None))
    assert outcome(programme(eligible=groups)) == "free"
    assert outcome(programme(eligible=groups), subscriber=HU) == "not_eligible"
    assert outcome(programme(eligible=groups), subscriber=None) == "not_eligible"


def test_enrolment_counts_from_its_day():
    required = programme(enrolment="required")
    day = int(datetime(2013, 11, 4, 16, tzinfo=UTC).timestamp()) * 10**9
    assert outcome(required, at_ns=day) == "free"
    assert outcome(required, at_ns=day - 1) == "not_enrolled"
    assert outcome(required, subscriber=HU) == "not_enrolled"
    assert outcome(required, subscriber=None) == "not_enrolled"


def test_programmes_apply_by_priority_then_the_earlier_end_then_the_name():
    first, second = programme(name="b", priority=1), programme(name="a", priority=2)
    assert outcome(second, first) == "b"
    sooner = programme(name="z", ends=date(2013, 11, 20))
    assert outcome(programme(name="a"), programme(name="m", ends=None), sooner) == "z"
    assert outcome(programme(name="n"), programme(name="m")) == "m"


def test_an_offer_for_everything_asks_for_no_evidence():
    everything = programme(applications="*")
    assert outcome(everything, application="unknown", evidence="none") == "free"


def test_an_offer_for_everything_gives_no_reason_to_those_who_do_not_have_it():
    gift = programme(name="gift", applications="*", enrolment="required", priority=1)
    assert outcome(gift, application="unknown", evidence="none", subscriber=HU) == "unknown_application"
    assert outcome(gift, application="wechat", subscriber=HU) == "no_programme"
    assert outcome(gift, programme(enrolment="required"), subscriber=HU) == "not_enrolled"


def test_who_registers_on_the_day_of_the_deadline_is_too_late():
    for deadline, expected in ((date(2013, 11, 6), "free"), (date(2013, 11, 5), "registered_too_late")):
        assert outcome(programme(enrolment="required", registered_before=deadline)) == expected


def test_offers_with_an_allowance_are_followed_by_the_next_and_at_last_by_the_subscriber():
    capped = programme(name="capped", priority=1, allowances=(Allowance(5, "month"),))
    both = routed(programme(priority=2), capped)
    assert ([claim.programme.name for claim in both.claims], both.reason) == (["capped", "free"], None)
    alone = routed(capped)
    assert ([claim.programme.name for claim in alone.claims], alone.reason) == (["capped"], "allowance_exhausted")
    assert routed(programme(priority=0), capped).claims[0].limits is None
    assert len(routed(programme(priority=0), capped).claims) == 1


def test_allowances_stand_in_the_order_of_the_file_and_the_bonus_behind_them():
    offer = programme(allowances=(Allowance(9, "once"), Allowance(5, "day")), bonus=Bonus(7, 12, "enrolled", None))
    (claim,) = routed(offer).claims
    assert [(limit.octets, limit.per) for limit in claim.limits] == [(9, "once"), (5, "day"), (7, "month")]
    (claim,) = routed(offer, who=HU).claims
    assert [limit.octets for limit in claim.limits] == [9, 5]


def bonus_octets(day, bonus, joined, month_starts_on=1):
    """The bonus of a subscriber at the first instant of a day in Shanghai; 0 where there is none."""
    periods = Periods(SHANGHAI, month_starts_on)
    who = Subscriber("mei", (), "", "", "", joined, (("free", joined),))
    offer = programme(ends=None, starts=date(2010, 1, 1), allowances=(Allowance(1, "month"),), bonus=bonus)
    at_ns = instant_ns(day, SHANGHAI)
    (claim,) = route(make_offers((offer,), periods), "taobao", "claimed", "taken_part", at_ns, who, periods).claims
    return sum(limit.octets for limit in claim.limits[1:])


@pytest.mark.parametrize("since", ["joined", "enrolled"])
def test_a_bonus_is_given_in_the_month_of_joining_and_those_that_follow(since):
    bonus, joined = Bonus(200, 12, since, None), date(2013, 8, 8)
    days = (date(2013, 8, 7), date(2013, 8, 8), date(2013, 8, 31), date(2014, 7, 31), date(2014, 8, 1))
    assert [bonus_octets(day, bonus, joined) for day in days] == [0, 200, 200, 200, 0]
    # Where months begin on the 20th the first one ends on the 19th of August, and the twelfth on the 19th of July.
    days = (date(2013, 8, 8), date(2014, 7, 19), date(2014, 7, 20))
    assert [bonus_octets(day, bonus, joined, 20) for day in days] == [200, 200, 0]


def test_who_joins_on_the_day_of_the_deadline_has_no_bonus():
    for joined, expected in ((date(2013, 8, 10), 200), (date(2013, 8, 11), 0)):
        assert bonus_octets(date(2013, 9, 1), Bonus(200, 12, "joined", date(2013, 8, 11)), joined) == expected
