"""What is written to a ledger is what is read from it: usage, totals, allowances, attributes and what was unmetered."""

from __future__ import annotations

import sqlite3
from collections import Counter
from contextlib import suppress

import numpy as np
import pytest
from ledgers import HOUR_NS, LIN, RUN, Used, at_ns, entry, make_ledger, month_period, posting

from classifier.errors import LedgerError
from classifier.ledger.entries import NO_ATTRIBUTES, Attributes
from classifier.ledger.read import LedgerReader, Profile
from classifier.ledger.write import LedgerWriter, narrowed, widened

MORNING, EVENING = at_ns(2013, 11, 5, 9), at_ns(2013, 11, 5, 21)
NEXT_MONTH = at_ns(2013, 12, 1, 0)
HOURS = [
    (MORNING, [Used("lin", "taobao", 100, 2000, None, attributes=LIN), Used("10.0.0.9", "wechat", 7, 70)]),
    (EVENING, [Used("lin", "taobao", 1, 2, None, attributes=LIN), Used("lin", "taobao", 30, 300, attributes=LIN)]),
    (NEXT_MONTH, [Used("lin", "wechat", 5, 2**40, attributes=LIN)]),
]


def rows_of(reader: LedgerReader, *span) -> Counter:
    """Octets by (hour, subscriber, application, who pays)."""
    names, outcomes, found = reader.subscribers(), reader.outcomes(), Counter()
    for piece in reader.usage(*span):
        for subscriber, outcome, volumes in zip(piece.subscriber, piece.outcome, piece.volumes.T, strict=True):
            what = outcomes[outcome]
            found[piece.begins_ns, names[subscriber], what.application, what.programme] += int(volumes[0] + volumes[1])
    return found


def test_usage_is_read_as_it_was_written(tmp_path):
    with LedgerReader(make_ledger(tmp_path / "usage.db", HOURS)) as reader:
        assert rows_of(reader) == {
            (MORNING, "lin", "taobao", "free"): 2100,
            (MORNING, "10.0.0.9", "wechat", None): 77,
            (EVENING, "lin", "taobao", "free"): 3,
            (EVENING, "lin", "taobao", None): 330,
            (NEXT_MONTH, "lin", "wechat", None): 5 + 2**40,
        }
        assert set(rows_of(reader, MORNING + 1, NEXT_MONTH)) == {
            (EVENING, "lin", "taobao", "free"),
            (EVENING, "lin", "taobao", None),
        }
        assert [(one.observed_octets, one.observed_frames) for one in reader.entries()] == [
            (2177 + 120, 107 + 2 * 2070 + 3),
            (333 + 120, 31 + 2 * 302 + 3),
            (5 + 2**40 + 120, 5 + 2 * 2**40 + 3),
        ]
        assert reader.unmetered(EVENING) == {"transit": (6, 240)}
        assert reader.span_ns() == (MORNING, NEXT_MONTH + HOUR_NS)


def test_totals_by_day_are_the_sums_of_usage(tmp_path):
    with LedgerReader(make_ledger(tmp_path / "usage.db", HOURS)) as reader:
        outcomes = reader.outcomes()
        found = {
            (one.day, one.month, one.profile, outcomes[one.outcome].application, outcomes[one.outcome].payer): one[4:]
            for one in reader.day_totals()
        }
        mobile, nobody = Profile(*LIN[:3]), Profile("", "", "")
        assert found == {
            ("2013-11-05", "2013-11", mobile, "taobao", "alibaba"): (101, 2002, 101, 4004),
            ("2013-11-05", "2013-11", nobody, "wechat", None): (7, 70, 7, 140),
            ("2013-11-05", "2013-11", mobile, "taobao", None): (30, 300, 30, 600),
            ("2013-12-01", "2013-12", mobile, "wechat", None): (5, 2**40, 5, 2**41),
        }
        assert [one.day for one in reader.day_totals("2013-11-06", "2013-12-02")] == ["2013-12-01"]
        assert [one.day for one in reader.day_totals(end_day="2013-11-05")] == []


def test_late_usage_counts_on_the_day_on_which_it_passed(tmp_path):
    with LedgerWriter(tmp_path / "usage.db") as writer:
        writer.begin_run(RUN)
        writer.write(entry(writer, MORNING, HOURS[0][1]))
        writer.write(
            entry(writer, NEXT_MONTH, [], posting(writer, MORNING, [Used("lin", "taobao", 4, 5, attributes=LIN)]))
        )
    with LedgerReader(tmp_path / "usage.db") as reader:
        assert rows_of(reader)[MORNING, "lin", "taobao", None] == 9
        assert {one.day for one in reader.day_totals()} == {"2013-11-05"}
        assert [piece.entry for piece in reader.usage(by_entry=True)] == [1, 2]


def test_an_allowance_keeps_its_latest_figure(tmp_path):
    november, december = month_period(at_ns(2013, 11, 1)), month_period(NEXT_MONTH)
    periods = {
        MORNING: [(november, {"lin": 2100})],
        EVENING: [(november, {"lin": 2103, "10.0.0.9": 8})],
        NEXT_MONTH: [(december, {"lin": 1})],
    }
    make_ledger(tmp_path / "usage.db", HOURS, periods=periods)
    with LedgerReader(tmp_path / "usage.db") as reader:
        lin = reader.subscriber_number("lin")
        assert reader.allowances() == {november: {lin: 2103, lin + 1: 8}, december: {lin: 1}}
        assert reader.allowances_of(lin) == {november: 2103, december: 1}
    with LedgerWriter(tmp_path / "usage.db") as writer:
        assert writer.used(november) == {lin: 2103, lin + 1: 8}
        assert writer.used(month_period(0)) == {}


def test_attributes_hold_from_the_run_in_which_they_changed(tmp_path):
    moved = Attributes("china-unicom", "jiangsu", "", None, ())
    path = make_ledger(tmp_path / "usage.db", HOURS[:1])
    make_ledger(path, [(EVENING, [Used("lin", "taobao", 1, 1, attributes=moved), Used("10.0.0.9", "taobao", 1, 1)])])
    make_ledger(path, [(NEXT_MONTH, [Used("lin", "taobao", 1, 1)])])
    with LedgerReader(path) as reader:
        lin = reader.subscriber_number("lin")
        assert [reader.attributes(run).get(lin) for run in (1, 2, 3, None)] == [
            LIN,
            moved,
            NO_ATTRIBUTES,
            NO_ATTRIBUTES,
        ]
        profiles, of_subscriber = reader.profiles(2)
        assert profiles[of_subscriber[lin]] == Profile("china-unicom", "jiangsu", "")
        assert profiles[of_subscriber[reader.subscriber_number("10.0.0.9")]] == Profile("", "", "")
        assert [one.profile.operator for one in reader.day_totals()] == ["", "", "china-mobile", "china-unicom", ""]


def test_runs_tell_under_what_they_were_rated(tmp_path):
    path = make_ledger(tmp_path / "usage.db", HOURS)
    other = RUN._replace(
        kind="run", timezone="Asia/Shanghai", month_starts_on=29, programmes=(("x", "operator", "{}"),)
    )
    make_ledger(path, [], run=other)
    with LedgerReader(path) as reader:
        assert reader.runs() == {1: RUN, 2: other}
        assert set(reader.programmes().values()) == {*RUN.programmes, *other.programmes}


def test_numbers_stay_the_same_from_one_writer_to_the_next(tmp_path):
    path = make_ledger(tmp_path / "usage.db", HOURS)
    with LedgerReader(path) as reader:
        before = reader.subscribers(), reader.outcomes()
    make_ledger(path, HOURS)
    with LedgerReader(path) as reader:
        assert (reader.subscribers(), reader.outcomes()) == before
        assert [one.entry for one in reader.entries()] == [1, 2, 3, 4, 5, 6]
        assert rows_of(reader)[MORNING, "lin", "taobao", "free"] == 4200


def test_a_reader_sees_one_state_while_another_writes(tmp_path):
    path = make_ledger(tmp_path / "usage.db", HOURS[:1])
    with LedgerReader(path) as reader:
        assert len(list(reader.entries())) == 1
        make_ledger(path, HOURS[1:])
        assert len(list(reader.entries())) == 1
        assert set(rows_of(reader)) == {(MORNING, "lin", "taobao", "free"), (MORNING, "10.0.0.9", "wechat", None)}


def test_nothing_of_a_transaction_that_fails_is_there(tmp_path):
    with LedgerWriter(tmp_path / "usage.db") as writer, suppress(ZeroDivisionError), writer.transaction():
        writer.begin_run(RUN)
        writer.write(entry(writer, MORNING, HOURS[0][1]))
        raise ZeroDivisionError
    with LedgerReader(tmp_path / "usage.db") as reader:
        assert (reader.runs(), list(reader.entries()), reader.subscribers()) == ({}, [], [""])


def test_an_entry_that_did_not_fit_on_the_disk_is_written_once_there_is_room(tmp_path):
    with LedgerWriter(tmp_path / "usage.db") as writer:
        writer.begin_run(RUN)
        (pages,) = writer._connection.execute("PRAGMA page_count").fetchone()
        writer._connection.execute(f"PRAGMA max_page_count = {pages}")
        large = entry(
            writer, MORNING, [Used(f"subscriber {number}", "taobao", 1, 1, attributes=LIN) for number in range(999)]
        )
        with pytest.raises(LedgerError, match=r"usage.db: cannot be written \(database or disk is full\)"):
            writer.write(large)
        writer._connection.execute("PRAGMA max_page_count = 100000")
        writer.write(large)
        writer.write(entry(writer, EVENING, HOURS[1][1]))
    with LedgerReader(tmp_path / "usage.db") as reader:
        assert len(rows_of(reader)) == 999 + 2
        assert sum(one.downlink_octets for one in reader.day_totals()) == 999 + 302
        assert len(reader.attributes()) == 1000


@pytest.mark.parametrize("numbers", [[], [0], [255, 0], [256], [65535], [65536], [2**32 - 1], [2**32], [2**63 - 1, 1]])
def test_columns_are_as_wide_as_their_largest_number(numbers):
    column = np.array(numbers, np.int64)
    blob = narrowed(column)
    assert widened(blob, len(numbers)).tolist() == numbers
    assert len(blob) == len(numbers) * next(width for width in (1, 2, 4, 8) if max(numbers, default=0) < 256**width)


def test_sums_of_totals_are_exact_beyond_what_a_double_holds(tmp_path):
    rows = [Used(name, "taobao", 2**53 - number, 1) for number, name in enumerate(("a", "b", "c"))]
    with LedgerReader(make_ledger(tmp_path / "usage.db", [(MORNING, rows)])) as reader:
        assert [one.uplink_octets for one in reader.day_totals()] == [3 * 2**53 - 3]


def test_the_ledger_is_sound_for_sqlite(tmp_path):
    with sqlite3.connect(make_ledger(tmp_path / "usage.db", HOURS)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)


@pytest.mark.parametrize("count", [99, 100, 101, 250])
def test_subscribers_in_whatever_number_are_written_each_once(tmp_path, count):
    names = [f"s{number}" for number in range(count)]
    attributes = [LIN if number % 2 else NO_ATTRIBUTES for number in range(count)]
    november = month_period(at_ns(2013, 11, 1))
    with LedgerWriter(tmp_path / "usage.db") as writer:
        writer.begin_run(RUN)
        numbers = writer.subscribers(names, attributes)
        assert numbers == list(range(1, count + 1))
        assert writer.subscribers([*names[::-1], "another"], [*attributes[::-1], LIN]) == [*numbers[::-1], count + 1]
        for factor in (2, 3):
            figures = ((november, np.array(numbers[::-1]), np.array(numbers[::-1]) * factor),)
            writer.write(entry(writer, at_ns(2013, 11, 5), [])._replace(allowances=figures))
    with LedgerReader(tmp_path / "usage.db") as reader:
        assert reader.subscribers() == ["", *names, "another"]
        assert reader.attributes() == {number: LIN for number in [*numbers[1::2], count + 1]}
        assert reader.allowances() == {november: {number: 3 * number for number in numbers}}
        assert not reader.integrity()
