"""Whether it matters what was used first: where an allowance is followed by different offers, and nowhere else."""

from __future__ import annotations

from datetime import date
from zoneinfo import ZoneInfo

import pytest
from offer_records import programme

from classifier.catalogue.load import load_catalogue
from classifier.catalogue.records import Allowance, Eligibility
from classifier.rating.offers import make_offers
from classifier.rating.order import order_matters
from classifier.rating.periods import Periods
from classifier.subscribers.load import Subscriber

LIN = Subscriber("lin", (), "china-mobile", "guangdong", "", None, (("signed", date(2013, 11, 5)),))
HU = Subscriber("hu", (), "china-telecom", "hunan", "", None, ())
CAP = (Allowance(10, "month"),)
GROUP = programme(name="group", applications=("taobao", "alipay"), priority=1, allowances=CAP)


@pytest.mark.parametrize(
    ("follower", "expected"),
    [
        ({}, False),
        ({"applications": "*"}, False),  # it follows for both
        ({"applications": ("taobao",)}, True),
        ({"applications": ("taobao",), "priority": 0}, False),
        ({"applications": ("wechat",)}, False),
        ({"accept": "verified"}, True),
        ({"applications": ("taobao",), "eligible": (Eligibility("china-unicom", None, None),)}, False),
        ({"applications": ("taobao",), "eligible": (Eligibility("china-telecom", None, None),)}, True),
        ({"name": "signed", "applications": ("taobao",), "enrolment": "required"}, True),
        ({"name": "other", "applications": ("taobao",), "enrolment": "required"}, False),
    ],
)
def test_order_matters_where_an_allowance_is_followed_by_different_offers(follower, expected):
    offers = [GROUP, programme(**{"name": "next", "priority": 2, "allowances": CAP, **follower})]
    names = ("unknown", "alipay", "taobao", "wechat")
    found = order_matters(make_offers(offers, Periods(ZoneInfo("UTC"))), names, (None, LIN, HU))
    assert found is expected


def test_under_the_offers_that_ship_it_does_not_matter():
    catalogue = load_catalogue()
    offers = make_offers(catalogue.programmes, Periods(ZoneInfo("Asia/Shanghai")))
    assert not order_matters(offers, catalogue.application_names, (None, LIN, HU))
