"""`freeflow settle`: debts and statements of small ledgers, every figure worked out by hand in the test's text."""

from __future__ import annotations

import csv
import io
import json
import sqlite3
from datetime import date
from decimal import Decimal

import pytest
from command import mistakes, run
from ledgers import RUN, Used, at_ns, entry, make_ledger, posting

from classifier.catalogue.records import Allowance, Programme, Step, Tariff
from classifier.catalogue.terms import terms_text
from classifier.ledger.entries import Attributes, Period
from classifier.ledger.write import LedgerWriter

LAB = RUN._replace(programmes=())
TEN_FEN = (Step(None, Decimal("0.10")),)
STEPS = (Step(1_000, Decimal("0.08")), Step(None, Decimal("0.05")))
MOBILE = Attributes("china-mobile", "guangdong", "standard", "2013-10-01", ())
UNICOM = Attributes("china-unicom", "jiangsu", "standard", None, ())


def offer(name: str = "package", payer: str = "alibaba", tariff: Tariff | None = None, **changes) -> tuple:
    """(name, payer, terms) of a programme as a ledger keeps it."""
    fields = {
        "applications": ("taobao",), "starts": date(2013, 11, 1), "ends": None, "rate_percent": 0, "allowances": (),
        "bonus": None, "eligible": (), "enrolment": "automatic", "registered_before": None, "accept": "claimed",
        "priority": 10, "file": "",
    }  # fmt: skip
    programme = Programme(name=name, payer=payer, tariff=tariff, **{**fields, **changes})
    return name, payer, terms_text(programme)


PACKAGE = offer(
    tariff=Tariff("CNY", TEN_FEN, (("china-unicom", STEPS),)), allowances=(Allowance(2_000_000_000, "month"),)
)
CARD = offer("card", "operator", rate_percent=11, applications=("wechat",))


def free(subscriber: str, octets: int, attributes: Attributes, programme=PACKAGE, application="taobao", **more) -> Used:
    """Downlink only."""
    return Used(subscriber, application, 0, octets, None, programme, attributes, **more)


def november(path):
    """Lin and Mei on China Mobile, Wu on China Unicom, Xu in no file; one hour in October, two in November."""
    return make_ledger(
        path,
        [
            (at_ns(2013, 10, 31, 23), [free("lin", 999, MOBILE)]),
            (
                at_ns(2013, 11, 1),
                [
                    free("lin", 1_234_567_890, MOBILE),
                    free("mei", 100_000_000, MOBILE, CARD, "wechat", part="discounted"),
                    Used("xu", "taobao", 7, 70, "not_eligible"),
                ],
            ),
            (
                at_ns(2013, 11, 30, 23),
                [
                    free("wu", 1_500_000_000, UNICOM),
                    Used("lin", "netflix", 1_000, 40_000, "no_programme", attributes=MOBILE),
                ],
            ),
        ],
        LAB,
        periods={at_ns(2013, 11, 1): [(Period("package", 0, at_ns(2013, 11, 1)), {"lin": 1_234_567_890})]},
    )


@pytest.fixture
def ledger(tmp_path):
    return november(tmp_path / "usage.db")


def test_each_payer_owes_each_operator_its_volume_by_the_steps_of_its_tariff(capfd, ledger):
    ran = run(capfd, "settle", ledger, "--month", "2013-11", "--json")
    assert (ran.status, ran.err) == (0, "")
    (month,) = json.loads(ran.out)["months"]
    told = [
        (one["payer"], one["operator"], one["programme"], one["octets"], one["currency"], one["amount"])
        for one in month["owed"]
    ]
    # Mobile: 1,234.567890 MB at 0.10 are 123.456789. Unicom: 1,000 MB at 0.08 and 500 MB at 0.05 are 80 + 25.
    assert told == [
        ("alibaba", "china-mobile", "package", 1_234_567_890, "CNY", "123.46"),
        ("alibaba", "china-unicom", "package", 1_500_000_000, "CNY", "105.00"),
        ("operator", "china-mobile", "card", 100_000_000, None, None),
    ]
    steps = [(one["from_megabytes"], one["octets"], one["amount"]) for one in month["owed"][1]["steps"]]
    assert steps == [(0, 1_000_000_000, "80.00"), (1_000, 500_000_000, "25.00")]
    assert month["owed"][0]["steps"][0]["amount"] == "123.456789"
    assert month["charged"] == [{"operator": None, "octets": 77}, {"operator": "china-mobile", "octets": 41_000}]


def test_the_octets_of_debts_and_charges_are_those_of_the_ledger_and_it_says_so(capfd, ledger):
    page = " ".join(run(capfd, "settle", ledger, "--month", "2013-11").out.split())
    # 1,234,567,890 + 100,000,000 + 77 + 1,500,000,000 + 41,000, from five rows in two intervals.
    assert "counted again from 5 rows of usage in 2 intervals: 2,834,608,967 octets, the same to the octet" in page
    rows = list(csv.DictReader(io.StringIO(run(capfd, "settle", ledger, "--month", "2013-11", "--csv").out)))
    assert sum(int(row["octets"]) for row in rows if row["row"] != "step") == 2_834_608_967
    owed = [row["amount"] for row in rows if row["row"] == "owed"]
    assert owed == ["123.46", "105.00", ""]


def test_a_page_shows_who_owes_whom_step_by_step(capfd, ledger):
    lines = [" ".join(line.split()) for line in run(capfd, "settle", ledger, "--month", "2013-11").out.splitlines()]
    for line in (
        "alibaba owes china-mobile 1,234,567,890 CNY 123.46",
        "every MB 1,234,567,890 0.10 a MB 123.456789",
        "alibaba owes china-unicom 1,500,000,000 CNY 105.00",
        "to 1,000 MB 1,000,000,000 0.08 a MB 80.00",
        "beyond 1,000 MB 500,000,000 0.05 a MB 25.00",
        "china-mobile bears itself 100,000,000",
        "charged: no operator 77",
        "all usage of the month 2,834,608,967",
    ):
        assert line in lines


def test_without_a_month_every_month_is_settled_by_itself(capfd, ledger):
    months = json.loads(run(capfd, "settle", ledger, "--json").out)["months"]
    assert [(one["month"], one["octets"]) for one in months] == [("2013-10", 999), ("2013-11", 2_834_608_967)]


def test_one_payer_is_shown_alone_and_the_whole_month_is_counted_again(capfd, ledger):
    ran = run(capfd, "settle", ledger, "--month", "2013-11", "--payer", "operator", "--json")
    (month,) = json.loads(ran.out)["months"]
    assert [one["programme"] for one in month["owed"]] == ["card"]
    assert month["charged"] == []
    assert month["octets"] == month["recounted"]["octets"] == 2_834_608_967


def test_a_tariff_that_changed_within_the_month_is_settled_under_each(capfd, tmp_path):
    # The eligible groups alone changed from `first` to `grown`: one line, whose volume goes through the steps once.
    first = offer(tariff=Tariff("CNY", STEPS, ()))
    grown = offer(tariff=Tariff("CNY", STEPS, ()), priority=11)
    dearer = offer(tariff=Tariff("CNY", TEN_FEN, ()))
    hours = [
        (at_ns(2013, 11, day), [free("lin", 800_000_000, MOBILE, terms)])
        for day, terms in ((1, first), (2, grown), (3, dearer))
    ]
    ran = run(capfd, "settle", make_ledger(tmp_path / "usage.db", hours, LAB), "--json")
    owed = [(one["octets"], one["amount"]) for one in json.loads(ran.out)["months"][0]["owed"]]
    # 1,000 MB at 0.08 and 600 MB at 0.05 are 110; 800 MB at 0.10 are 80.
    assert sorted(owed) == [(800_000_000, "80.00"), (1_600_000_000, "110.00")]


def test_a_month_that_starts_on_another_day_in_another_zone_is_settled_whole(capfd, tmp_path):
    shanghai = LAB._replace(timezone="Asia/Shanghai")
    path = make_ledger(tmp_path / "usage.db", [(at_ns(2013, 11, 5), [free("lin", 5, MOBILE)])], shanghai)
    (month,) = json.loads(run(capfd, "settle", path, "--json").out)["months"]
    assert (month["begins"], month["ends"]) == ("2013-10-31T16:00:00.000000Z", "2013-11-30T16:00:00.000000Z")
    assert "so far: the ledger ends 2013-11-05 01:00:00 UTC" in run(capfd, "settle", path).out


def test_who_changes_the_operator_is_settled_with_each_by_when_it_was(capfd, tmp_path):
    path = tmp_path / "usage.db"
    make_ledger(path, [(at_ns(2013, 11, 1), [free("lin", 600_000_000, MOBILE)])], LAB)
    make_ledger(path, [(at_ns(2013, 11, 2), [free("lin", 700_000_000, UNICOM)])], LAB)
    ran = run(capfd, "settle", path, "--json")
    (month,) = json.loads(ran.out)["months"]
    assert [(one["operator"], one["octets"]) for one in month["owed"]] == [
        ("china-mobile", 600_000_000),
        ("china-unicom", 700_000_000),
    ]
    assert (ran.status, month["recounted"]["equal"]) == (0, True)


def test_usage_that_is_decided_in_the_next_month_is_settled_in_its_own(capfd, tmp_path):
    path = tmp_path / "usage.db"
    with LedgerWriter(path) as writer:
        writer.begin_run(LAB)
        held = posting(writer, at_ns(2013, 11, 30, 23), [free("lin", 600_000_000, MOBILE)])
        writer.write(entry(writer, at_ns(2013, 12, 1), [free("lin", 5, MOBILE)], held))
    months = json.loads(run(capfd, "settle", path, "--json").out)["months"]
    assert [(one["month"], one["octets"], one["recounted"]["octets"]) for one in months] == [
        ("2013-11", 600_000_000, 600_000_000),
        ("2013-12", 5, 5),
    ]


def test_what_a_run_held_when_it_was_cut_short_is_told_of_in_its_month_only(capfd, ledger):
    with sqlite3.connect(ledger) as connection:
        connection.execute("UPDATE entry SET pending_octets = 77 WHERE id = (SELECT max(id) FROM entry)")
    connection.close()
    settled = json.loads(run(capfd, "settle", ledger, "--json").out)["months"]
    assert [(one["month"], one["lost_octets"]) for one in settled] == [("2013-10", 0), ("2013-11", 77)]
    assert "77 octets were not decided" in run(capfd, "settle", ledger, "--month", "2013-11").out


def test_sums_that_are_not_those_of_the_usage_are_found_and_the_exit_says_so(capfd, ledger):
    with sqlite3.connect(ledger) as connection:
        connection.execute("UPDATE total SET downlink_octets = downlink_octets + 1 WHERE downlink_octets = 1234567890")
    ran = run(capfd, "settle", ledger, "--month", "2013-11")
    assert ran.status == 1
    assert "2013-11: china-mobile, package: 1,234,567,891 octets by the sums, 1,234,567,890 by the usage" in ran.err
    assert "not the same; do not send this" in " ".join(ran.out.split())


def test_a_statement_has_every_octet_once_with_its_payer_or_its_reason(capfd, ledger):
    ran = run(capfd, "settle", ledger, "--month", "2013-11", "--subscriber", "lin", "--json")
    statement = json.loads(ran.out)
    told = [(one["application"], one["part"], one["payer"], one["reason"], one["octets"]) for one in statement["usage"]]
    assert told == [
        ("taobao", "zero_rated", "alibaba", None, 1_234_567_890),
        ("netflix", "charged", None, "no_programme", 41_000),
    ]
    assert (statement["zero_rated_octets"], statement["charged_octets"]) == (1_234_567_890, 41_000)
    assert statement["allowances"] == [
        {
            "programme": "package", "octets": 2_000_000_000, "per": "month", "used_octets": 1_234_567_890,
            "periods": 1, "exhausted_periods": 0,
        }
    ]  # fmt: skip
    page = run(capfd, "settle", ledger, "--month", "2013-11", "--subscriber", "lin").out
    # 2,000,000,000 less 1,234,567,890 are 765,432,110.
    assert "of 2.00 GB a month: used 1.23 GB, 765 MB left" in page
    assert "1.23 GB free by package, on the account of alibaba" in page
    assert "41.0 kB charged: no programme covers the application" in page
    assert "1,234,608,890 octets, each in one place: 1,234,567,890 free, 0 discounted, 41,000 charged." in page


def test_a_statement_tells_a_discounted_price_and_an_empty_month(capfd, ledger):
    page = run(capfd, "settle", ledger, "--month", "2013-11", "--subscriber", "mei").out
    assert "100 MB at 11 % of the price by card, on the account of your operator" in page
    assert "Nothing was used." in run(capfd, "settle", ledger, "--month", "2013-10", "--subscriber", "mei").out


def test_a_statement_tells_on_how_many_days_a_daily_allowance_was_used_up(capfd, tmp_path):
    daily = offer(allowances=(Allowance(100, "day"), Allowance(1_000, "once")))
    hours, periods = [], {}
    for day, octets in ((1, 100), (2, 40), (3, 350)):
        hours.append((at_ns(2013, 11, day), [free("lin", octets, MOBILE, daily)]))
        figures = [(Period("package", 0, at_ns(2013, 11, day)), {"lin": min(octets, 100)})]
        periods[at_ns(2013, 11, day)] = figures
    periods[at_ns(2013, 11, 3)].append((Period("package", 1, -(2**63)), {"lin": 250}))
    path = make_ledger(tmp_path / "usage.db", hours, LAB, periods)
    page = run(capfd, "settle", path, "--month", "2013-11", "--subscriber", "lin").out
    assert "of 100 B a day: used 240 B on 3 days, all of a day's on 2" in page
    assert "of 1.00 kB once, to this day: used 250 B, 750 B left" in page


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (("--month", "2013-13"), '"2013-13" is not a month; write it like 2013-11'),
        (("--month", "2013-12"), "has no usage of 2013-12; it has usage from 2013-10 to 2013-11"),
        (("--payer", "alibab"), 'is paid by "alibab"; did you mean "alibaba"?'),
        (("--month", "2013-11", "--subscriber", "lina"), 'knows no subscriber "lina"; did you mean "lin"?'),
        (("--subscriber", "lin"), "name it with --month"),
        (("--month", "2013-11", "--subscriber", "lin", "--payer", "alibaba"), "not allowed with"),
    ],
)
def test_a_mistake_is_one_line_that_says_how_to_mend_it(capfd, ledger, options, told):
    (line,) = mistakes(run(capfd, "settle", ledger, *options))
    assert told in line


def test_a_file_that_is_no_ledger_an_empty_ledger_and_a_missing_one_are_refused(capfd, tmp_path):
    (tmp_path / "notes.txt").write_text("no ledger")
    (line,) = mistakes(run(capfd, "settle", tmp_path / "notes.txt"))
    assert "is not a ledger" in line
    (line,) = mistakes(run(capfd, "settle", make_ledger(tmp_path / "empty.db", [], LAB)))
    assert "holds no usage yet" in line
    (line,) = mistakes(run(capfd, "settle", tmp_path / "gone.db"))
    assert "no such ledger" in line
