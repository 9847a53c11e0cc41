"""A live run whose disk is full goes on metering, says so once, and says when it is over. The NIC is a stand-in."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from classifier.capture.files import open_capture
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


class Ring:
    """The frames of a capture, a few at a time; `on_batch` is told how many batches went before."""

    problem = None

    def __init__(self, capture: str) -> None:
        self._capture = capture
        self.on_batch = lambda number: None

    def __iter__(self):
        with open_capture(self._capture, batch_frames=50) as capture:
            for number, batch in enumerate(capture):
                self.on_batch(number)
                yield batch

    def statistics(self):
        return 0, 0, 0

    def let_in(self):
        pass

    def close(self):
        pass


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
    return live.LiveRun("eth1", plan, tmp_path / "usage.db", warnings.append), ring, warnings


def octets_in(path) -> int:
    with LedgerReader(path) as reader:
        return sum(total.uplink_octets + total.downlink_octets for total in reader.day_totals())


def test_what_waited_is_written_and_both_are_told_once(run, tmp_path):
    live_run, ring, warnings = run
    ring.on_batch = lambda number: live_run._writer.allow(100_000) if number == 11 else None
    reports = []
    outcome = live_run.run(reports.append)
    report = outcome.report
    assert outcome.problems == ()
    assert reports[-1] == report
    assert (
        octets_in(tmp_path / "usage.db") == report.zero_rated.octets + report.discounted.octets + report.charged.octets
    )
    full, room = warnings
    assert "database or disk is full" in full
    assert "metering goes on" in full
    assert room == f"{tmp_path / 'usage.db'}: is written again, with what had waited"


def test_what_never_got_room_is_a_problem_of_the_run(run, tmp_path):
    live_run, _, warnings = run
    outcome = live_run.run(lambda report: None)
    (problem,) = outcome.problems
    report = outcome.report
    missing = (
        report.zero_rated.octets + report.discounted.octets + report.charged.octets - octets_in(tmp_path / "usage.db")
    )
    assert missing > 0
    assert problem.endswith(f"intervals with {missing} octets are not in it")
    assert len(warnings) == 1
