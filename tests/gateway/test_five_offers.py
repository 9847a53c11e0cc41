"""The five offers of 2010 to 2013, from packets: who pays for each octet, worked out by hand in the tests' text.

A visit counts as many octets as it says. 300 MB are 300,000,000 octets, 2 GB are 2,000,000,000.
"""

from __future__ import annotations

from decimal import Decimal

from offer_captures import Visit, paid, parts, replayed, with_tariff

from classifier.catalogue.load import load_catalogue
from classifier.rating.settlement import Carried, settle

FACEBOOK, WECHAT, YIXIN = "www.facebook.com", "short.weixin.qq.com", "www.yixin.im"
TAOBAO, ALIPAY, ELSEWHERE = "h5.m.taobao.com", "mobilegw.alipay.com", "www.example.org"


def test_facebook_is_free_with_partner_operators_from_its_first_day_to_the_last(tmp_path):
    # Ann's operator is a partner: 2,000 and 3,000 lie in [18 May 2010, 18 May 2013), 1,000 before it and 4,000 at its end.
    # Bob's is not.
    report = replayed(
        tmp_path,
        "ann,10.0.0.1,facebook-partner,,,,\nbob,10.0.0.2,other,,,,\n",
        [
            Visit("2010-05-17 23:59:59", "10.0.0.1", FACEBOOK, 1000),
            Visit("2010-05-18 00:00:00", "10.0.0.1", FACEBOOK, 2000),
            Visit("2012-01-01 12:00:00", "10.0.0.2", FACEBOOK, 700),
            Visit("2013-05-17 23:59:59", "10.0.0.1", FACEBOOK, 3000),
            Visit("2013-05-18 00:00:00", "10.0.0.1", FACEBOOK, 4000),
        ],
    )
    assert parts(report) == {"ann": (5000, 0, 5000), "bob": (0, 0, 700)}
    assert paid(report) == {"facebook-zero": (5000, 1, 0)}
    assert dict(report.charged_because) == {"outside_window": 5000, "not_eligible": 700}


def test_the_wechat_card_discounts_300_mb_and_200_more_for_twelve_months_to_early_buyers(tmp_path):
    # Mei bought on 9 August: 500 MB a month until July 2014, then 300. Lu bought on the 12th: 300. Hua has another plan.
    # August: Mei 500,000,000 of 510,000,000, Lu 300,000,000 of 300,000,001.
    # 31 July 2014: Mei all 400,000,000. From midnight on: 300,000,000 of 300,000,500.
    # Mei 1,200,000,000 discounted, 10,000,500 charged; Lu 300,000,000 and 1; Mei's Taobao and Hua's WeChat are charged.
    report = replayed(
        tmp_path,
        "mei,10.0.0.1,china-unicom,guangdong,wechat-card-66,2013-08-09,wechat-card=2013-08-09\n"
        "lu,10.0.0.2,china-unicom,guangdong,wechat-card-96,2013-08-12,wechat-card=2013-08-12\n"
        "hua,10.0.0.3,china-unicom,guangdong,standard,2013-08-09,wechat-card=2013-08-09\n",
        [
            Visit("2013-08-09 10:00:00", "10.0.0.1", WECHAT, 200_000_000),
            Visit("2013-08-10 10:00:00", "10.0.0.3", WECHAT, 900),
            Visit("2013-08-20 10:00:00", "10.0.0.1", TAOBAO, 800),
            Visit("2013-08-20 10:00:00", "10.0.0.2", WECHAT, 300_000_001),
            Visit("2013-08-31 23:59:59", "10.0.0.1", WECHAT, 310_000_000),
            Visit("2014-07-31 23:59:59", "10.0.0.1", WECHAT, 400_000_000),
            Visit("2014-08-01 00:00:00", "10.0.0.1", WECHAT, 300_000_500),
        ],
    )
    assert parts(report) == {
        "mei": (0, 1_200_000_000, 10_000_500 + 800),
        "lu": (0, 300_000_000, 1),
        "hua": (0, 0, 900),
    }
    assert paid(report) == {"wechat-card": (1_500_000_000, 2, 2)}
    # Mei's Taobao: that package is not for Unicom in Guangdong.
    assert dict(report.charged_because) == {"allowance_exhausted": 10_000_501, "not_eligible": 900 + 800}


def test_yixin_is_free_on_china_telecom_and_registration_in_2013_gives_300_mb_of_anything(tmp_path):
    # Tan registered on the last day: 300,000,000 of his 300,000,001 elsewhere; Yixin does not count against it. Yao
    # registered a day later and has Yixin alone. Zhou is with China Mobile, where Yixin was not free before 8 November.
    report = replayed(
        tmp_path,
        "tan,10.0.0.1,china-telecom,hunan,,,yixin-registration-gift=2013-12-31\n"
        "yao,10.0.0.2,china-telecom,hunan,,,yixin-registration-gift=2014-01-01\n"
        "zhou,10.0.0.3,china-mobile,hunan,,,\n",
        [
            Visit("2013-08-18 23:59:59", "10.0.0.1", YIXIN, 600),
            Visit("2013-08-19 00:00:00", "10.0.0.1", YIXIN, 5000),
            Visit("2013-09-01 12:00:00", "10.0.0.3", YIXIN, 650),
            Visit("2013-12-30 23:59:59", "10.0.0.1", ELSEWHERE, 500),
            Visit("2013-12-31 00:00:00", "10.0.0.1", ELSEWHERE, 100_000_000),
            Visit("2014-01-02 12:00:00", "10.0.0.2", YIXIN, 1000),
            Visit("2014-01-02 12:00:00", "10.0.0.2", ELSEWHERE, 700),
            Visit("2014-02-01 12:00:00", "10.0.0.1", YIXIN, 7000),
            Visit("2014-02-01 12:00:01", "10.0.0.1", ELSEWHERE, 200_000_001),
        ],
    )
    assert parts(report) == {
        "tan": (5000 + 7000 + 300_000_000, 0, 600 + 500 + 1),
        "yao": (1000, 0, 700),
        "zhou": (0, 0, 650),
    }
    assert paid(report) == {"yixin-telecom": (13_000, 2, 0), "yixin-registration-gift": (300_000_000, 1, 1)}
    assert {one.programme: one.payer for one in report.programmes} == {
        "yixin-telecom": "operator",
        "yixin-registration-gift": "operator",
    }


def test_alibaba_pays_for_2_gb_a_month_of_five_applications_together(tmp_path):
    # Lin enrolled on 5 November: before it 400 charged; then 1,200,000,000 of Taobao and 800,000,000 of 800,000,001 of Alipay.
    # In December 900 more are free. Qian uses exactly 2 GB, Sun one octet less. Wu enrolled, but China Mobile's Hunan
    # is no part of it; Lin's WeChat is not covered.
    subscribers = (
        "lin,10.0.0.1,china-mobile,guangdong,,,alibaba-free-flow=2013-11-05\n"
        "qian,10.0.0.2,china-unicom,jiangsu,,,alibaba-free-flow=2013-11-01\n"
        "sun,10.0.0.3,china-unicom,zhejiang,,,alibaba-free-flow=2013-11-01\n"
        "wu,10.0.0.4,china-mobile,hunan,,,alibaba-free-flow=2013-11-01\n"
    )
    november = [
        Visit("2013-11-04 23:59:59", "10.0.0.1", TAOBAO, 400),
        Visit("2013-11-05 00:00:00", "10.0.0.1", TAOBAO, 1_200_000_000),
        Visit("2013-11-10 12:00:00", "10.0.0.2", ALIPAY, 2_000_000_000),
        Visit("2013-11-10 12:00:00", "10.0.0.3", TAOBAO, 1_999_999_999),
        Visit("2013-11-11 12:00:00", "10.0.0.4", TAOBAO, 1500),
        Visit("2013-11-11 12:00:00", "10.0.0.1", WECHAT, 2500),
        Visit("2013-11-30 23:59:59", "10.0.0.1", ALIPAY, 800_000_001),
    ]
    december = [Visit("2013-12-01 00:00:00", "10.0.0.1", ALIPAY, 900)]
    report = replayed(tmp_path, subscribers, november + december, {"alibaba-free-flow": with_tariff()})
    assert parts(report) == {
        "lin": (2_000_000_900, 0, 400 + 1 + 2500),
        "qian": (2_000_000_000, 0, 0),
        "sun": (1_999_999_999, 0, 0),
        "wu": (0, 0, 1500),
    }
    assert paid(report) == {"alibaba-free-flow": (6_000_000_899, 3, 2)}
    # WeChat is covered by the WeChat card alone, for which Lin is not eligible.
    assert dict(report.charged_because) == {"not_enrolled": 400, "allowance_exhausted": 1, "not_eligible": 1500 + 2500}

    # The invoice of November. China Mobile: 2,000 MB at 0.10 = 200.00. China Unicom: 2,000,000,000 + 1,999,999,999 octets are
    # 3,999.999999 MB; 1,000 at 0.10 and 2,999.999999 at 0.08 = 100 + 239.99999992 = 339.99999992, rounded 340.00.
    octets = {name: figures[0] for name, figures in parts(report).items()}
    carried = [
        Carried("alibaba-free-flow", "china-mobile", "2013-11", octets["lin"] - 900),
        Carried("alibaba-free-flow", "china-unicom", "2013-11", octets["qian"]),
        Carried("alibaba-free-flow", "china-unicom", "2013-11", octets["sun"]),
    ]
    debts = settle(carried, load_catalogue(["builtin", tmp_path / "own"]).programmes)
    assert [(debt.payer, debt.operator, debt.currency, debt.amount) for debt in debts] == [
        ("alibaba", "china-mobile", "CNY", Decimal("200.00")),
        ("alibaba", "china-unicom", "CNY", Decimal("340.00")),
    ]
    assert [part.amount for part in debts[1].steps] == [Decimal(100), Decimal("239.99999992")]


def test_yixin_has_two_payers_from_the_eighth_of_november(tmp_path):
    # China Telecom's Yixin costs nobody anything, before and after; on the others Yixin pays from midnight on.
    report = replayed(
        tmp_path,
        "tan,10.0.0.1,china-telecom,,,,\nlin,10.0.0.2,china-mobile,,,,\nqian,10.0.0.3,china-unicom,,,,\n",
        [
            Visit("2013-11-07 23:59:59", "10.0.0.1", YIXIN, 1000),
            Visit("2013-11-07 23:59:59", "10.0.0.2", YIXIN, 2000),
            Visit("2013-11-07 23:59:59", "10.0.0.3", YIXIN, 3000),
            Visit("2013-11-08 00:00:00", "10.0.0.1", YIXIN, 4000),
            Visit("2013-11-08 00:00:00", "10.0.0.2", YIXIN, 5000),
            Visit("2013-11-08 00:00:00", "10.0.0.3", YIXIN, 6000),
            Visit("2013-11-08 00:00:01", "10.0.0.9", YIXIN, 7000),
        ],
    )
    assert parts(report) == {
        "tan": (5000, 0, 0),
        "lin": (5000, 0, 2000),
        "qian": (6000, 0, 3000),
        "10.0.0.9": (0, 0, 7000),
    }
    assert paid(report) == {"yixin-telecom": (5000, 1, 0), "yixin-mobile-unicom": (11_000, 2, 0)}
    assert {one.programme: one.payer for one in report.programmes}["yixin-mobile-unicom"] == "yixin"
