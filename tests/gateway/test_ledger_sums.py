"""Sums of a ledger in every grouping: by hand, and those by day against those of the usage itself."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from ledgers import FREE, LIN, RUN, Used, at_ns, make_ledger

from classifier.gateway.ledger_sums import ledger_periods, ledger_report
from classifier.ledger.entries import Entry
from classifier.ledger.read import LedgerReader
from classifier.ledger.write import LedgerWriter
from classifier.rating.periods import Periods
from classifier.reports.words import GROUPINGS

PERIODS = Periods(ZoneInfo("UTC"))
HALF = ("half", "operator", '{"name":"half"}')
HOURS = [
    (
        at_ns(2013, 11, 5, 9),
        [
            Used("lin", "taobao", 100, 2000, None, attributes=LIN),
            Used("10.0.0.9", "wechat", 7, 70, None, HALF, part="discounted"),
        ],
    ),
    (at_ns(2013, 11, 5, 21), [Used("lin", "taobao", 30, 300, attributes=LIN)]),
    (at_ns(2013, 12, 1), [Used("lin", "wechat", 5, 50, attributes=LIN), Used("mei", "taobao", 1, 9, None)]),
]


@pytest.fixture(scope="module")
def ledger(tmp_path_factory):
    return make_ledger(tmp_path_factory.mktemp("sums") / "usage.db", HOURS)


def groups(ledger, by, begin=None, end=None):
    """(zero-rated, discounted, charged) octets by name."""
    with LedgerReader(ledger) as reader:
        report = ledger_report(reader, PERIODS, by, begin, end)
        for group in report.groups:
            assert group.octets == group.zero_rated_octets + group.discounted_octets + group.charged_octets
        return {group.name: group[5:8] for group in report.groups}


@pytest.mark.parametrize(
    ("by", "expected"),
    [
        ("subscriber", {"lin": (2100, 0, 330 + 55), "10.0.0.9": (0, 77, 0), "mei": (10, 0, 0)}),
        ("application", {"taobao": (2110, 0, 330), "wechat": (0, 77, 55)}),
        ("programme", {"free": (2110, 0, 0), "half": (0, 77, 0), None: (0, 0, 385)}),
        ("payer", {"alibaba": (2110, 0, 0), "operator": (0, 77, 0), None: (0, 0, 385)}),
        ("day", {"2013-11-05": (2100, 77, 330), "2013-12-01": (10, 0, 55)}),
        ("month", {"2013-11": (2100, 77, 330), "2013-12": (10, 0, 55)}),
    ],
)
def test_usage_is_added_up_by(ledger, by, expected):
    assert groups(ledger, by) == expected


def test_days_come_in_their_order_and_other_groups_with_most_octets_first(ledger):
    assert list(groups(ledger, "day")) == ["2013-11-05", "2013-12-01"]
    assert list(groups(ledger, "programme")) == ["free", None, "half"]


def test_a_range_holds_what_began_in_it(ledger):
    nine, ten = datetime(2013, 11, 5, 9, tzinfo=UTC), datetime(2013, 11, 5, 10, tzinfo=UTC)
    assert groups(ledger, "application", nine, ten) == {"taobao": (2100, 0, 0), "wechat": (0, 77, 0)}
    assert groups(ledger, "subscriber", ten) == {"lin": (0, 0, 385), "mei": (10, 0, 0)}
    assert groups(ledger, "month", nine.date(), datetime(2013, 12, 1).date()) == {"2013-11": (2100, 77, 330)}
    assert groups(ledger, "payer", datetime(2014, 1, 1).date()) == {}


@pytest.mark.parametrize("by", [by for by in GROUPINGS if by != "subscriber"])
def test_sums_by_day_and_sums_of_usage_are_the_same(ledger, by):
    midnight = datetime(2013, 11, 1, tzinfo=UTC)
    for days in (0, 4, 5, 40):
        begin = midnight + timedelta(days)
        with LedgerReader(ledger) as reader:
            of_days = ledger_report(reader, PERIODS, by, begin.date())
            of_usage = ledger_report(reader, PERIODS, by, begin)
        assert of_days == of_usage


def test_what_a_run_that_was_cut_short_had_not_decided_is_told(tmp_path):
    with LedgerWriter(tmp_path / "usage.db") as writer:
        for pending in ((3, 500), (2, 70)):
            writer.begin_run(RUN)
            writer.write(Entry(0, 10, (9, 900), (1, 20), (), (), ()))
            writer.write(Entry(10, 20, (9, 900), pending, (), (), ()))
    with LedgerReader(tmp_path / "usage.db") as reader:
        assert ledger_report(reader, PERIODS, "day").lost_octets == 570


def test_what_was_not_decided_at_a_reload_goes_on_and_is_not_lost(tmp_path):
    with LedgerWriter(tmp_path / "usage.db") as writer:
        for continues, pending in ((None, (3, 500)), (1, (2, 70)), (1, None)):
            writer.begin_run(RUN._replace(continues=continues))
            if pending:
                writer.write(Entry(0, 10, (9, 900), pending, (), (), ()))
    with LedgerReader(tmp_path / "usage.db") as reader:
        assert reader.lost_octets() == 70


def test_days_and_months_are_those_of_the_latest_run(tmp_path):
    path = make_ledger(tmp_path / "usage.db", [])
    with LedgerReader(path) as reader:
        assert ledger_periods(reader) == PERIODS
    assert FREE in RUN.programmes
