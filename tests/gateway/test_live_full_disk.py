"""A live run whose disk is full goes on metering, says so once, and says when it is over. The NIC is a stand-in."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
from stand_in_ring import Ring

from classifier.gateway import live
from classifier.gateway.plan import load_plan
from classifier.ledger.read import LedgerReader
from classifier.ledger.write import LedgerWriter

PCAPS = Path(__file__).resolve().parents[2] / "pcaps"


class SmallDisk(LedgerWriter):
    """A ledger on a disk without room for another page, once the run has begun."""

    def begin_run(self, run):
        number = super().begin_run(run)
        (pages,) = self._connection.execute("PRAGMA page_count").fetchone()
        self.allow(pages)
        return number

    def allow(self, pages: int) -> None:
        self._connection.execute(f"PRAGMA max_page_count = {pages}")


@pytest.fixture
def run(monkeypatch, tmp_path):
    """A run of the bundled day on a small disk: (run, ring, warnings)."""
    with sqlite3.connect(tmp_path / "usage.db") as connection:
        connection.execute("PRAGMA page_size = 512")
        connection.execute("VACUUM")
    connection.close()
    ring, warnings = Ring(str(PCAPS / "day-in-the-life.pcap")), []
    monkeypatch.setattr(live, "open_source", lambda *_: ring)
    monkeypatch.setattr(live, "LedgerWriter", SmallDisk)
    plan = load_plan(str(PCAPS / "day-in-the-life.toml"))
    return live.LiveRun("eth1", plan, tmp_path / "usage.db", live.Watcher(line=warnings.append)), ring, warnings


def octets_in(path) -> int:
    with LedgerReader(path) as reader:
        return sum(total.uplink_octets + total.downlink_octets for total in reader.day_totals())


def test_what_waited_is_written_and_both_are_told_once(run, tmp_path):
    live_run, ring, warnings = run
    ring.on_batch = lambda number: live_run._writer.allow(100_000) if number == 11 else None
    outcome = live_run.run()
    report = outcome.report
    assert outcome.problems == ()
    assert (
        octets_in(tmp_path / "usage.db") == report.zero_rated.octets + report.discounted.octets + report.charged.octets
    )
    full, room = warnings
    assert "database or disk is full" in full
    assert "metering goes on" in full
    assert room == f"{tmp_path / 'usage.db'}: is written again, with what had waited"


def test_what_never_got_room_is_a_problem_of_the_run(run, tmp_path):
    live_run, _, warnings = run
    outcome = live_run.run()
    (problem,) = outcome.problems
    report = outcome.report
    missing = (
        report.zero_rated.octets + report.discounted.octets + report.charged.octets - octets_in(tmp_path / "usage.db")
    )
    assert missing > 0
    assert problem.endswith(f"intervals with {missing} octets are not in it")
    assert len(warnings) == 1
