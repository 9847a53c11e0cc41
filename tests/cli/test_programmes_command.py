"""`freeflow programmes`: mistakes and doubts with their places, terms in plain words, and what a subscriber gets."""

from __future__ import annotations

import json

import pytest
from command import mistakes, run
from ledgers import at_ns, make_ledger

from classifier.ledger.entries import Period

OFFERS = {
    "package": """applications = ["taobao", "alipay"]
payer = "alibaba"
starts = 2013-11-01
ends = 2014-02-01
rate_percent = 0
allowances = [{ octets = 2_000_000_000, per = "month" }, { octets = 1_500_001, per = "day" }]
bonus = { octets = 200_000_000, months = 2, joined_before = 2013-11-02 }
eligible = [{ operator = "china-mobile", province = "guangdong" }]
enrolment = "required"
registered_before = 2013-12-01
priority = 5
tariff = { currency = "CNY", steps = [{ up_to_megabytes = 1000, per_megabyte = "0.10" }, { per_megabyte = "0.06" }] }
""",
    "half-price": """applications = "*"
payer = "operator"
starts = 2013-11-01
rate_percent = 50
eligible = [{ plan = "student" }]
""",
}
SUBSCRIBERS = """subscriber,address,operator,province,plan,joined,enrolled
lin,10.0.0.1,china-mobile,guangdong,student,2013-11-01,package=2013-11-05
hu,10.0.0.2,china-mobile,guangdong,standard,2013-11-02,package=2013-12-01
mei,10.0.0.3,china-mobile,guangdong,student,2013-10-01,
"""


@pytest.fixture
def config(tmp_path):
    (tmp_path / "own" / "programmes").mkdir(parents=True)
    for name, text in OFFERS.items():
        write(tmp_path, name, text)
    (tmp_path / "subscribers.csv").write_text(SUBSCRIBERS)
    file = tmp_path / "freeflow.toml"
    file.write_text(
        '[gateway]\ntimezone = "Asia/Shanghai"\nmonth_starts_on = 20\nsubscribers = "subscribers.csv"\n'
        'signatures = ["builtin", "own"]\n'
    )
    return file


def write(tmp_path, name, text):
    (tmp_path / "own" / "programmes" / f"{name}.toml").write_text(f'name = "{name}"\n{text}')


def explained(capfd, config, subscriber, at):
    ran = run(capfd, "programmes", "explain", "--subscriber", subscriber, "--at", at, "-c", config, "--json")
    assert (ran.status, ran.err) == (0, "")
    answer = json.loads(ran.out)
    return answer | {"programmes": {one["programme"]: one for one in answer["programmes"]}}


def test_check_counts_what_it_read(capfd, config):
    ran = run(capfd, "programmes", "check", "-c", config)
    assert (ran.status, ran.out) == (0, "8 programmes, 3 subscribers: no mistakes\n")
    assert run(capfd, "programmes", "check").out == "6 programmes: no mistakes\n"


def test_check_names_every_mistake_of_programmes_and_of_subscribers(capfd, config, tmp_path):
    write(tmp_path, "package", OFFERS["package"].replace("2014-02-01", "2013-11-01").replace("1_500_001", "-1"))
    lines = mistakes(run(capfd, "programmes", "check", "-c", config))
    assert any(
        "package.toml: ends: 2013-11-01 is not after starts (2013-11-01); mend one of them" in line for line in lines
    )
    assert any("package.toml: allowances[2].octets: -1 is too small" in line for line in lines)
    write(tmp_path, "package", OFFERS["package"])
    (tmp_path / "subscribers.csv").write_text(SUBSCRIBERS.replace("2013-11-05", "2013-10-31"))
    (line,) = mistakes(run(capfd, "programmes", "check", "-c", config))
    assert "subscribers.csv:2: enrolled: package=2013-10-31 is before joined (2013-11-01); mend one of them" in line
    (tmp_path / "subscribers.csv").write_text(SUBSCRIBERS.replace("package=", "pakage="))
    (line,) = mistakes(run(capfd, "programmes", "check", "-c", config))
    assert 'no programme is named "pakage"; did you mean "package"?' in line


def test_two_offers_with_one_name_are_a_mistake(capfd, config, tmp_path):
    (tmp_path / "own" / "programmes" / "zweite.toml").write_text(f'name = "package"\n{OFFERS["package"]}')
    lines = mistakes(run(capfd, "programmes", "check", "-c", config))
    assert any('zweite.toml: name: "package" is the name in' in line for line in lines)


def test_check_doubts_a_group_that_nobody_is_in_and_a_tariff_that_nobody_owes(capfd, config, tmp_path):
    write(tmp_path, "package", OFFERS["package"].replace('"guangdong"', '"guandong"').replace("alibaba", "operator"))
    ran = run(capfd, "programmes", "check", "-c", config)
    assert ran.status == 0
    own = [line for line in ran.err.splitlines() if "package.toml" in line]
    assert len(own) == 2
    assert "eligible[1].province: no subscriber in" in own[0]
    assert own[0].endswith('has "guandong"; did you mean "guangdong"?')
    assert 'tariff: the payer is "operator", who owes nobody' in own[1]


def test_list_stands_in_the_order_in_which_programmes_apply(capfd, config):
    ran = run(capfd, "programmes", "list", "-c", config, "--json")
    listed = json.loads(ran.out)["programmes"]
    # By priority: 5, 10, 20, three times 50 of which one ends, 60, and 100 where a file names none.
    assert [one["name"] for one in listed] == [
        "package",
        "alibaba-free-flow",
        "wechat-card",
        "facebook-zero",
        "yixin-mobile-unicom",
        "yixin-telecom",
        "yixin-registration-gift",
        "half-price",
    ]
    shown = run(capfd, "programmes", "list", "-c", config).out.splitlines()
    assert [line.split()[0] for line in shown[1:]] == [one["name"] for one in listed]
    assert max(map(len, shown)) <= 80


def test_show_says_every_term(capfd, config):
    page = " ".join(run(capfd, "programmes", "show", "package", "-c", config).out.split())
    for words in (
        "taobao, alipay",
        "costs: free",
        "2 GB a month, then 1,500,001 B a day to each subscriber, for all that it covers together",
        "a bonus of 200 MB a month for 2 months, counted from the month in which the subscriber joined",
        "to those who joined before 2013-11-02",
        "subscribers of china-mobile in guangdong",
        "before 2013-12-01",
        "from 2013-11-01 until 2014-02-01, which is no part of it",
        "alibaba, who owes the operator CNY 0.10 a MB up to 1,000 MB a month, then CNY 0.06 a MB",
        "own/programmes/package.toml",
    ):
        assert words in page, words
    (line,) = mistakes(run(capfd, "programmes", "show", "pakage", "-c", config))
    assert 'no programme is named "pakage"; did you mean "package"?' in line


def test_explain_tells_what_a_subscriber_gets_and_what_is_left(capfd, config):
    # The month that holds 19 December began on 20 November, and is Lin's second: she joined in that of 20 October.
    answer = explained(capfd, config, "lin", "2013-12-19T23:59")
    assert (answer["at"], answer["month"]) == ("2013-12-19T15:59:00.000000Z", "2013-11")
    package = answer["programmes"]["package"]
    assert package["applies"]
    assert [(one["left_octets"], one["octets"], one["per"]) for one in package["allowances"]] == [
        (2_000_000_000, 2_000_000_000, "month"),
        (1_500_001, 1_500_001, "day"),
        (200_000_000, 200_000_000, "month"),
    ]
    assert len(explained(capfd, config, "lin", "2013-12-20")["programmes"]["package"]["allowances"]) == 2
    assert answer["programmes"]["half-price"]["rate_percent"] == 50
    assert explained(capfd, config, "10.0.0.1", "2013-12-19")["subscriber"] == "lin"


@pytest.mark.parametrize(
    ("subscriber", "at", "programme", "reason", "because"),
    [
        ("lin", "2013-11-04T23:59:59", "package", "not_enrolled", "enrolled only from 2013-11-05 on"),
        ("lin", "2014-02-01", "package", "outside_window", "until 2014-02-01, which is no part of it"),
        ("hu", "2013-12-24", "package", "registered_too_late", "2013-12-01, which had to be before 2013-12-01"),
        ("mei", "2013-12-24", "package", "not_enrolled", "has not enrolled"),
        ("hu", "2013-12-24", "half-price", "not_eligible", "plan standard"),
        ("10.9.9.9", "2013-12-24", "package", "not_eligible", "in no subscriber file"),
    ],
)
def test_explain_tells_why_a_programme_does_not_apply(capfd, config, subscriber, at, programme, reason, because):
    found = explained(capfd, config, subscriber, at)["programmes"][programme]
    assert (found["applies"], found["reason"]) == (False, reason)
    assert because in found["because"]
    shown = " ".join(
        run(capfd, "programmes", "explain", "--subscriber", subscriber, "--at", at, "-c", config).out.split()
    )
    assert f"not {programme} {found['because']}" in shown


def test_a_time_with_an_offset_is_that_instant(capfd, config):
    assert explained(capfd, config, "lin", "2013-11-05T00:00:00Z")["at"] == "2013-11-05T00:00:00.000000Z"
    assert explained(capfd, config, "lin", "2013-11-05")["at"] == "2013-11-04T16:00:00.000000Z"


@pytest.mark.parametrize(
    ("subscriber", "at", "told"),
    [
        ("linn", "2013-11-11", 'no subscriber is named "linn"; did you mean "lin"?'),
        ("lin", "noon", '"noon" is not a time'),
        ("lin", "0001-01-01", "out of range"),
    ],
)
def test_what_cannot_be_explained_is_told_in_one_line(capfd, config, subscriber, at, told):
    (line,) = mistakes(run(capfd, "programmes", "explain", "--subscriber", subscriber, "--at", at, "-c", config))
    assert told in line


def test_explain_takes_what_was_used_from_the_ledger(capfd, config):
    # The month of 20 November began at 16:00 UTC of the 19th. Of an earlier month, or by another, nothing is taken away.
    begins_ns = at_ns(2013, 11, 19, 16)
    periods = {
        begins_ns: [
            (Period("package", 0, begins_ns), {"lin": 1_999_999_990, "hu": 5}),
            (Period("package", 0, at_ns(2013, 10, 19, 16)), {"lin": 7}),
        ]
    }
    path = make_ledger(config.with_name("usage.db"), [(begins_ns, [])], periods=periods)
    asked = ("programmes", "explain", "--subscriber", "lin", "--at", "2013-12-19T23:59", "-c", config, "--json")

    def left(*more):
        answer = json.loads(run(capfd, *asked, *more).out)
        (package,) = (one for one in answer["programmes"] if one["programme"] == "package")
        return [one["left_octets"] for one in package["allowances"]]

    assert left() == [2_000_000_000, 1_500_001, 200_000_000]
    assert left("--ledger", path) == [10, 1_500_001, 200_000_000]
    config.write_text(config.read_text() + '[ledger]\npath = "usage.db"\n')
    assert left() == [10, 1_500_001, 200_000_000]
