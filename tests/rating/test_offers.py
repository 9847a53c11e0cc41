"""Who pays: accounting 3, one rule a test; and the tables against the rule taken row by row."""

from __future__ import annotations

from datetime import UTC, date, datetime
from itertools import product
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from classifier.catalogue.records import Allowance, Eligibility, Programme
from classifier.kernels.state import USAGE_ROW
from classifier.rating.offers import REASONS, decide, instant_ns, make_offers
from classifier.rating.rate import Rater
from classifier.records import EVIDENCE, STANDING
from classifier.subscribers.load import Subscriber

SHANGHAI = ZoneInfo("Asia/Shanghai")
NOON_NS = int(datetime(2013, 11, 11, 4, tzinfo=UTC).timestamp()) * 10**9
LIN = Subscriber("lin", (), "china-mobile", "guangdong", "a", None, (("free", date(2013, 11, 5)),))
HU = Subscriber("hu", (), "china-telecom", "hunan", "b", None, ())


def programme(**changes) -> Programme:
    fields = {
        "name": "free",
        "payer": "alibaba",
        "applications": ("taobao", "alipay"),
        "starts": date(2013, 11, 1),
        "ends": date(2013, 12, 1),
        "rate_percent": 0,
        "allowance": None,
        "eligible": (),
        "enrolment": "automatic",
        "accept": "claimed",
        "priority": 10,
        "tariff": None,
        "file": "free.toml",
    }
    return Programme(**{**fields, **changes})


def outcome(
    *programmes, application="taobao", evidence="claimed", standing="taken_part", at_ns=NOON_NS, subscriber=LIN
):
    decision = decide(make_offers(programmes, SHANGHAI), application, evidence, standing, at_ns, subscriber, SHANGHAI)
    return decision.programme.name if decision.programme else decision.reason


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


def test_an_allowance_is_not_given_away_without_being_counted():
    assert outcome(programme(allowance=Allowance(2_000_000_000, "month"))) == "allowance_not_rated"


PROGRAMMES = (
    programme(eligible=(Eligibility("china-mobile", None, None),)),
    programme(name="half", applications=("wechat",), rate_percent=50, accept="verified"),
    programme(name="later", applications=("wechat", "taobao"), starts=date(2013, 11, 12), ends=None),
)
NAMES = ("unknown", "alipay", "taobao", "wechat")
INSTANTS_NS = (NOON_NS, NOON_NS + 10**14, 0)


def assert_rated_as_row_by_row(rows):
    usage = np.zeros(len(rows), USAGE_ROW)
    for place, (at_ns, number, application, evidence, standing, octets) in enumerate(rows):
        usage[place]["interval"] = at_ns
        usage[place]["subscriber"] = number
        usage[place]["application"] = application
        usage[place]["evidence"] = evidence
        usage[place]["standing"] = standing
        usage[place]["downlink_octets"] = octets
    rater = Rater(PROGRAMMES, NAMES, (LIN, HU), SHANGHAI)
    rated = rater.rate(usage)
    for row, (at_ns, number, application, evidence, standing, octets) in zip(rated, rows, strict=True):
        subscriber = {1: LIN, 2: HU}.get(number)
        expected = decide(
            make_offers(PROGRAMMES, SHANGHAI),
            NAMES[application],
            EVIDENCE[evidence],
            STANDING[standing],
            at_ns,
            subscriber,
            SHANGHAI,
        )
        paying = rater.programmes[row["programme"]] if row["programme"] >= 0 else None
        reason = REASONS[row["reason"]] if row["reason"] >= 0 else None
        assert (row["part"], paying, reason) == (expected.part, expected.programme, expected.reason)
        assert row["downlink_octets"] == octets


@settings(deadline=None, derandomize=True)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(INSTANTS_NS),
            st.integers(0, 5),
            st.integers(0, len(NAMES) - 1),
            st.integers(0, len(EVIDENCE) - 1),
            st.integers(0, len(STANDING) - 1),
            st.integers(0, 2**40),
        ),
        max_size=30,
    )
)
def test_tables_are_rated_as_row_by_row(rows):
    assert_rated_as_row_by_row(rows)


def test_no_two_cases_are_taken_for_one():
    codes = (range(6), range(len(NAMES)), range(len(EVIDENCE)), range(len(STANDING)))
    assert_rated_as_row_by_row([(*case, place) for place, case in enumerate(product(INSTANTS_NS, *codes))])
