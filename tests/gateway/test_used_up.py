"""How many subscribers used up what a programme gives: by hand, and in every form of the report."""

from __future__ import annotations

import csv
import json
from datetime import date
from zoneinfo import ZoneInfo

import pytest
from ledgers import LIN, RUN, Used, at_ns, entry, make_ledger

from classifier.catalogue.records import Allowance, Bonus, Programme
from classifier.catalogue.terms import terms_text
from classifier.gateway.ledger_sums import ledger_report
from classifier.ledger.entries import Period
from classifier.ledger.read import LedgerReader
from classifier.ledger.write import LedgerWriter
from classifier.rating.periods import ALWAYS_NS, Periods
from classifier.reports.ledger_report import report_csv, report_json, report_lines

PERIODS = Periods(ZoneInfo("UTC"))
NOVEMBER, DECEMBER = at_ns(2013, 11, 1), at_ns(2013, 12, 1)


def offer(name, *allowances, bonus=None):
    """A programme as a run keeps it: name, payer, terms."""
    programme = Programme(
        name=name, payer="alibaba", applications=("taobao",), starts=date(2013, 10, 1), ends=None, rate_percent=0,
        allowances=allowances, bonus=bonus, eligible=(), enrolment="automatic", registered_before=None,
        accept="claimed", priority=1, tariff=None, file="",
    )  # fmt: skip
    return name, "alibaba", terms_text(programme)


WIDE = offer("wide", Allowance(100, "day"), Allowance(1000, "month"))
# Lin joined in October: the bonus is hers in October and November.
CARD = offer("card", Allowance(300, "month"), bonus=Bonus(200, 2, "joined", None))
GIFT = offer("gift", Allowance(50, "once"))
PLAIN = offer("plain")


@pytest.fixture(scope="module")
def ledger(tmp_path_factory):
    rows = [
        Used("lin", "taobao", 1, 1, None, WIDE, LIN),
        *(Used(name, "taobao", 1, 1, None, one) for name, one in (("mei", CARD), ("hu", GIFT), ("hu", PLAIN))),
    ]
    november = [
        (Period("wide", 0, at_ns(2013, 11, 5)), {"hu": 100, "lin": 100}),  # of hu a month's 1,000 are left
        (Period("wide", 1, NOVEMBER), {"lin": 1000, "mei": 999}),
        (Period("card", 0, NOVEMBER), {"lin": 300, "mei": 300}),
        (Period("card", 1, NOVEMBER), {"lin": 199}),  # an octet of her bonus is left
        (Period("gift", 0, ALWAYS_NS), {"hu": 50, "lin": 49}),
    ]
    december = [
        (Period("wide", 1, DECEMBER), {"lin": 7, "mei": 1000}),
        (Period("card", 0, DECEMBER), {"lin": 300, "mei": 300}),  # nobody has a bonus any more; mei is counted once
    ]
    hours = [(at_ns(2013, 11, 5, 9), rows), (at_ns(2013, 12, 7, 9), rows)]
    path = tmp_path_factory.mktemp("used") / "usage.db"
    return make_ledger(path, hours, RUN, {hours[0][0]: november, hours[1][0]: december})


def report(ledger, *between):
    with LedgerReader(ledger) as reader:
        return ledger_report(reader, PERIODS, "programme", *between)


@pytest.mark.parametrize(
    ("between", "expected"),
    [
        ((), {"wide": 2, "card": 2, "gift": 1, "plain": 0}),
        ((date(2013, 11, 1), date(2013, 12, 1)), {"wide": 1, "card": 1, "gift": 0, "plain": 0}),
        ((date(2013, 12, 1), None), {"wide": 1, "card": 2, "gift": 0, "plain": 0}),
        ((None, date(2013, 12, 1)), {"wide": 1, "card": 1, "gift": 1, "plain": 0}),
    ],
)
def test_who_used_up_the_last_allowance_is_counted_in_the_period_that_began_in_the_range(ledger, between, expected):
    assert {group.name: group.exhausted_subscribers for group in report(ledger, *between).groups} == expected


def test_every_form_of_the_report_tells_it(ledger):
    whole = report(ledger)
    lines = [line.text.split() for line in report_lines(whole, 100)]
    assert lines[0][-3:] == ["used", "up", "by"]
    assert {line[0]: line[-1] for line in lines[1:] if line[0] in ("wide", "gift", "plain")} == {
        "wide": "2", "gift": "1", "plain": "-",
    }  # fmt: skip
    rows = json.loads(json.dumps(report_json(whole)))["rows"]
    assert {row["programme"]: row["exhausted_subscribers"] for row in rows} == {
        "wide": 2, "card": 2, "gift": 1, "plain": 0,
    }  # fmt: skip
    table = list(csv.DictReader("".join(report_csv(whole)).splitlines()))
    assert {row["programme"]: row["exhausted_subscribers"] for row in table} == {
        "wide": "2", "card": "2", "gift": "1", "plain": "0",
    }  # fmt: skip


def test_other_groups_do_not_have_it(ledger):
    with LedgerReader(ledger) as reader:
        by_day = ledger_report(reader, PERIODS, "day")
    assert "exhausted_subscribers" not in report_json(by_day)["rows"][0]
    assert "exhausted" not in "".join(report_csv(by_day))
    assert not any("used up" in line.text for line in report_lines(by_day, 100))


def test_a_period_counts_by_the_terms_of_the_latest_run_in_it(tmp_path):
    path = tmp_path / "usage.db"
    with LedgerWriter(path) as writer:
        for octets, day in ((250, (2013, 11, 5)), (300, (2013, 11, 20)), (400, (2013, 12, 5))):
            terms = offer("card", Allowance(octets, "month"))
            writer.begin_run(RUN._replace(programmes=(terms,)))
            figures = [(Period("card", 0, at_ns(*day[:2], 1)), {"lin": 300, "mei": 270})]
            rows = [Used("lin", "taobao", 1, 1, None, terms)]
            writer.write(entry(writer, at_ns(*day), rows, allowances=figures))
    # November ended with 300, which lin has used and mei has not, though it had been 250; December has 400.
    assert [group.exhausted_subscribers for group in report(path, date(2013, 11, 1)).groups] == [1]
    assert [group.exhausted_subscribers for group in report(path, date(2013, 12, 1)).groups] == [0]
