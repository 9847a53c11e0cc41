"""A reload of a gateway in line that keeps a ledger: who had used everything up stays blocked, and intervals do not overlap.

What is expected is the same run without a ledger, and the ledger's own bounds of intervals.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from itertools import pairwise
from pathlib import Path

import pytest

from classifier.capture.files import open_capture
from classifier.gateway.keeping import run_of
from classifier.gateway.plan import load_plan
from classifier.gateway.session import Session
from classifier.ledger.backlog import Backlog
from classifier.ledger.write import LedgerWriter

DAY = str(Path(__file__).resolve().parents[2] / "pcaps" / "day-in-the-life.pcap")
CONFIG = """
[gateway]
timezone = "Asia/Shanghai"
subscriber_networks = ["10.0.0.0/8"]
signatures = ["builtin", "signatures"]
interval_seconds = 3600
"""
OFFER = """
name = "all"
payer = "operator"
applications = "*"
starts = 2010-01-01
rate_percent = 0
allowance = { octets = 2000, per = "month" }
on_exhausted = "block"
"""
RELOAD_AFTER = 6


@pytest.fixture
def config(tmp_path) -> str:
    (tmp_path / "signatures" / "programmes").mkdir(parents=True)
    (tmp_path / "signatures" / "apps").mkdir()
    (tmp_path / "signatures" / "programmes" / "all.toml").write_text(OFFER)
    (tmp_path / "freeflow.toml").write_text(CONFIG)
    return str(tmp_path / "freeflow.toml")


def dropped(config: str, ledger: Path | None) -> list[list[int]]:
    """Of each batch of the day which frames are marked as dropped, with a reload in the midst of it."""
    plan = load_plan(config)
    writer = backlog = None
    if ledger is not None:
        writer = LedgerWriter(ledger)
        writer.begin_run(run_of("run", plan))
        backlog = Backlog(writer)
    session = Session(plan, interval_seconds=3600, ledger=writer, backlog=backlog, in_line=True)
    found = []
    with open_capture(DAY, batch_frames=50) as capture:
        for number, batch in enumerate(capture):
            session.meter.feed(batch.buffer, batch.frames)
            found.append(batch.frames["dropped"].tolist())
            if number == RELOAD_AFTER:
                session.renew(load_plan(config), lambda: None)
    session.meter.finish()
    if writer is not None:
        writer.close()
    return found


def test_who_has_used_everything_up_stays_blocked(config, tmp_path):
    with_ledger, without = dropped(config, tmp_path / "usage.db"), dropped(config, None)
    assert sum(map(sum, without[RELOAD_AFTER + 1 :])) > 0
    assert with_ledger == without


def test_no_usage_of_an_interval_that_was_cut_reaches_into_the_next(config, tmp_path):
    dropped(config, tmp_path / "usage.db")
    with closing(sqlite3.connect(tmp_path / "usage.db")) as ledger:
        entries = ledger.execute("SELECT id, begins_ns, ends_ns FROM entry ORDER BY id").fetchall()
        ends = ledger.execute(
            "SELECT usage.ends_ns, entry.ends_ns FROM usage JOIN entry ON entry.id = entry"
        ).fetchall()
    assert len(entries) > RELOAD_AFTER
    assert all(before[2] <= after[1] for before, after in pairwise(entries))
    assert ends
    assert all(usage_ends_ns <= entry_ends_ns for usage_ends_ns, entry_ends_ns in ends)
