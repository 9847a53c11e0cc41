"""Offers under which it matters what was used first: a replay follows time, and agrees with the live loop's intervals."""

from __future__ import annotations

from offer_captures import Visit, paid, parts, replayed

TERMS = 'payer = "operator"\nstarts = 2013-01-01\nrate_percent = 0\n'
PACKAGE = f'name = "package"\napplications = ["taobao", "wechat"]\npriority = 1\n{TERMS}'
PACKAGE += 'allowance = { octets = 10_000, per = "month" }\n'
TAOBAO_ALONE = f'name = "taobao-alone"\napplications = ["taobao"]\npriority = 2\n{TERMS}'


def test_what_was_used_first_takes_the_allowance_that_others_do_not_follow(tmp_path):
    # WeChat uses the package up; Taobao, a minute later, has an offer of its own. In the order of names, as within one
    # interval, Taobao would have taken 5,000 of the package, and 5,000 of WeChat's 10,000 would be charged.
    visits = [
        Visit("2013-11-11 10:00:00", "10.0.0.1", "short.weixin.qq.com", 10_000),
        Visit("2013-11-11 10:01:00", "10.0.0.1", "h5.m.taobao.com", 5000),
    ]
    report = replayed(tmp_path, "lin,10.0.0.1,,,,,\n", visits, {"package": PACKAGE, "taobao-alone": TAOBAO_ALONE})
    assert parts(report) == {"lin": (15_000, 0, 0)}
    assert paid(report) == {"package": (10_000, 1, 1), "taobao-alone": (5000, 1, 0)}
