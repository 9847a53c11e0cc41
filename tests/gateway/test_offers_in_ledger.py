"""The five offers, from packets, through the ledger: month by month, and allowances that go on from one replay to the next.

A visit counts as many octets as it says. All figures are worked out by hand in the tests' text.
"""

from __future__ import annotations

import pytest
from offer_captures import Visit, paid_of, parts, parts_of, replayed, used_of

from classifier.errors import LedgerError

FACEBOOK, WECHAT, YIXIN = "www.facebook.com", "short.weixin.qq.com", "www.yixin.im"
TAOBAO, ALIPAY, ELSEWHERE = "h5.m.taobao.com", "mobilegw.alipay.com", "www.example.org"


def test_facebook_is_free_up_to_the_last_second_of_its_window(tmp_path):
    # Ann's 3,000 are of the last second, her 4,000 of the first one after it. Bob's operator is no partner.
    ledger = tmp_path / "usage.db"
    replayed(
        tmp_path,
        "ann,10.0.0.1,facebook-partner,,,,\nbob,10.0.0.2,other,,,,\n",
        [
            Visit("2013-05-17 23:59:59", "10.0.0.1", FACEBOOK, 3000),
            Visit("2013-05-17 23:59:59", "10.0.0.2", FACEBOOK, 700),
            Visit("2013-05-18 00:00:00", "10.0.0.1", FACEBOOK, 4000),
        ],
        ledger=ledger,
    )
    assert parts_of(ledger) == {"ann": (3000, 0, 4000), "bob": (0, 0, 700)}
    assert paid_of(ledger) == {("2013-05", "facebook-zero", "facebook-partner"): 3000}
    assert used_of(ledger) == {}


def test_the_wechat_cards_two_allowances_go_on_in_a_replay_of_the_next_capture(tmp_path):
    # Mei bought on 9 August: 300,000,000, then the bonus of 200,000,000. First capture: 290,000,000. Second capture, the
    # same month: 220,000,000, of which 210,000,000 are left. September: 400,000,000, of which 300 + 100 million.
    ledger = tmp_path / "usage.db"
    mei = "mei,10.0.0.1,china-unicom,guangdong,wechat-card-66,2013-08-09,wechat-card=2013-08-09\n"
    replayed(tmp_path, mei, [Visit("2013-08-10 10:00:00", "10.0.0.1", WECHAT, 290_000_000)], ledger=ledger)
    second = [
        Visit("2013-08-31 23:59:59", "10.0.0.1", WECHAT, 220_000_000),
        Visit("2013-09-01 00:00:00", "10.0.0.1", WECHAT, 400_000_000),
    ]
    report = replayed(tmp_path, mei, second, ledger=ledger)
    # Of the second capture alone: 210,000,000 + 400,000,000 discounted, 10,000,000 charged.
    assert parts(report) == {"mei": (0, 610_000_000, 10_000_000)}
    assert parts_of(ledger) == {"mei": (0, 900_000_000, 10_000_000)}
    assert paid_of(ledger) == {
        ("2013-08", "wechat-card", "china-unicom"): 500_000_000,
        ("2013-09", "wechat-card", "china-unicom"): 400_000_000,
    }
    assert used_of(ledger) == {
        ("mei", "wechat-card", 0, "2013-08-01 00:00"): 300_000_000,
        ("mei", "wechat-card", 1, "2013-08-01 00:00"): 200_000_000,
        ("mei", "wechat-card", 0, "2013-09-01 00:00"): 300_000_000,
        ("mei", "wechat-card", 1, "2013-09-01 00:00"): 100_000_000,
    }


def test_yixins_gift_is_given_once_whatever_is_replayed_when(tmp_path):
    # Tan may use 300,000,000 of anything: 250,000,000 in December, 50,000,000 of 60,000,000 in February. Yixin is free, too.
    ledger = tmp_path / "usage.db"
    tan = "tan,10.0.0.1,china-telecom,hunan,,,yixin-registration-gift=2013-12-31\n"
    december = [
        Visit("2013-12-31 00:00:00", "10.0.0.1", ELSEWHERE, 250_000_000),
        Visit("2013-12-31 00:00:00", "10.0.0.1", YIXIN, 5000),
    ]
    replayed(tmp_path, tan, december, ledger=ledger)
    replayed(tmp_path, tan, [Visit("2014-02-01 12:00:00", "10.0.0.1", ELSEWHERE, 60_000_000)], ledger=ledger)
    assert parts_of(ledger) == {"tan": (300_005_000, 0, 10_000_000)}
    assert paid_of(ledger) == {
        ("2013-12", "yixin-registration-gift", "china-telecom"): 250_000_000,
        ("2013-12", "yixin-telecom", "china-telecom"): 5000,
        ("2014-02", "yixin-registration-gift", "china-telecom"): 50_000_000,
    }
    assert used_of(ledger) == {("tan", "yixin-registration-gift", 0, "once"): 300_000_000}


def test_alibabas_2_gb_are_shared_by_its_applications_and_whole_again_each_month(tmp_path):
    # Lin: 1,200,000,000 of Taobao and 800,000,000 of 800,000,001 of Alipay in November, 900 in December; before enrolling 400.
    # Qian of Jiangsu uses exactly 2 GB and Sun of Zhejiang an octet less; China Mobile's Hunan is no part of it.
    ledger = tmp_path / "usage.db"
    subscribers = (
        "lin,10.0.0.1,china-mobile,guangdong,,,alibaba-free-flow=2013-11-05\n"
        "qian,10.0.0.2,china-unicom,jiangsu,,,alibaba-free-flow=2013-11-01\n"
        "sun,10.0.0.3,china-unicom,zhejiang,,,alibaba-free-flow=2013-11-01\n"
        "wu,10.0.0.4,china-mobile,hunan,,,alibaba-free-flow=2013-11-01\n"
    )
    visits = [
        Visit("2013-11-04 23:59:59", "10.0.0.1", TAOBAO, 400),
        Visit("2013-11-05 00:00:00", "10.0.0.1", TAOBAO, 1_200_000_000),
        Visit("2013-11-10 12:00:00", "10.0.0.2", ALIPAY, 2_000_000_000),
        Visit("2013-11-10 12:00:00", "10.0.0.3", TAOBAO, 1_999_999_999),
        Visit("2013-11-11 12:00:00", "10.0.0.4", TAOBAO, 1500),
        Visit("2013-11-30 23:59:59", "10.0.0.1", ALIPAY, 800_000_001),
        Visit("2013-12-01 00:00:00", "10.0.0.1", ALIPAY, 900),
    ]
    replayed(tmp_path, subscribers, visits, ledger=ledger)
    assert parts_of(ledger) == {
        "lin": (2_000_000_900, 0, 401),
        "qian": (2_000_000_000, 0, 0),
        "sun": (1_999_999_999, 0, 0),
        "wu": (0, 0, 1500),
    }
    assert paid_of(ledger) == {
        ("2013-11", "alibaba-free-flow", "china-mobile"): 2_000_000_000,
        ("2013-11", "alibaba-free-flow", "china-unicom"): 3_999_999_999,
        ("2013-12", "alibaba-free-flow", "china-mobile"): 900,
    }
    assert used_of(ledger) == {
        ("lin", "alibaba-free-flow", 0, "2013-11-01 00:00"): 2_000_000_000,
        ("qian", "alibaba-free-flow", 0, "2013-11-01 00:00"): 2_000_000_000,
        ("sun", "alibaba-free-flow", 0, "2013-11-01 00:00"): 1_999_999_999,
        ("lin", "alibaba-free-flow", 0, "2013-12-01 00:00"): 900,
    }


def test_yixin_changes_payers_by_operator_on_the_eighth_of_november(tmp_path):
    # China Telecom's 1,000 and 4,000 are its own; China Mobile's 2,000 are charged, its 5,000 are on Yixin.
    ledger = tmp_path / "usage.db"
    replayed(
        tmp_path,
        "tan,10.0.0.1,china-telecom,,,,\nlin,10.0.0.2,china-mobile,,,,\n",
        [
            Visit("2013-11-07 23:59:59", "10.0.0.1", YIXIN, 1000),
            Visit("2013-11-07 23:59:59", "10.0.0.2", YIXIN, 2000),
            Visit("2013-11-08 00:00:00", "10.0.0.1", YIXIN, 4000),
            Visit("2013-11-08 00:00:00", "10.0.0.2", YIXIN, 5000),
        ],
        ledger=ledger,
    )
    assert parts_of(ledger) == {"tan": (5000, 0, 0), "lin": (5000, 0, 2000)}
    assert paid_of(ledger) == {
        ("2013-11", "yixin-telecom", "china-telecom"): 5000,
        ("2013-11", "yixin-mobile-unicom", "china-mobile"): 5000,
    }


@pytest.mark.parametrize("seconds", [1, 60, 3600, 86400])
def test_what_is_paid_does_not_depend_on_the_interval(tmp_path, seconds):
    # Lin, in one day: 1,500,000,000 of Taobao, 400,000,000 of Alipay, 300,000,000 of Taobao: 200,000,000 are charged. Mei, in
    # one hour: 290 + 220 MB of WeChat, of which 300 + 200 are discounted.
    ledger = tmp_path / "usage.db"
    replayed(
        tmp_path,
        "lin,10.0.0.1,china-mobile,guangdong,,,alibaba-free-flow=2013-11-05\n"
        "mei,10.0.0.2,china-unicom,guangdong,wechat-card-66,2013-08-09,wechat-card=2013-08-09\n",
        [
            Visit("2013-11-10 09:00:00", "10.0.0.1", TAOBAO, 1_500_000_000),
            Visit("2013-11-10 09:00:30", "10.0.0.1", ALIPAY, 400_000_000),
            Visit("2013-11-10 21:00:00", "10.0.0.1", TAOBAO, 300_000_000),
            Visit("2013-11-10 21:00:01", "10.0.0.2", WECHAT, 290_000_000),
            Visit("2013-11-10 21:40:00", "10.0.0.2", WECHAT, 220_000_000),
        ],
        ledger=ledger,
        interval_seconds=seconds,
    )
    assert parts_of(ledger) == {"lin": (2_000_000_000, 0, 200_000_000), "mei": (0, 500_000_000, 10_000_000)}
    assert set(used_of(ledger).values()) == {2_000_000_000, 300_000_000, 200_000_000}
    assert paid_of(ledger) == {
        ("2013-11", "alibaba-free-flow", "china-mobile"): 2_000_000_000,
        ("2013-11", "wechat-card", "china-unicom"): 500_000_000,
    }


def test_the_same_capture_is_counted_once(tmp_path):
    ledger = tmp_path / "usage.db"
    visits = [Visit("2013-11-10 12:00:00", "10.0.0.1", TAOBAO, 1000)]
    subscribers = "lin,10.0.0.1,china-mobile,guangdong,,,alibaba-free-flow=2013-11-05\n"
    replayed(tmp_path, subscribers, visits, ledger=ledger)
    with pytest.raises(
        LedgerError, match=r'is in .*usage.db already, as ".*visits.pcap" in run 1; nothing was written'
    ):
        replayed(tmp_path, subscribers, visits, ledger=ledger)
    assert parts_of(ledger) == {"lin": (1000, 0, 0)}
