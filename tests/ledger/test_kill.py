"""Kill -9 at any moment: the ledger opens, holds exactly what was acknowledged, and the next writer goes on.

The one entry that may be there beyond the acknowledged ones is the one whose commit was through when its writer had no more
time to say so.
"""

from __future__ import annotations

import random
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from killed_writer import NOVEMBER, SUBSCRIBERS, begins_ns, usage
from ledgers import RUN

from classifier.ledger.entries import CutRun, Entry
from classifier.ledger.read import LedgerReader
from classifier.ledger.write import LedgerWriter

ROOT = Path(__file__).resolve().parents[2]
LEDGERS, KILLS_EACH = 10, 24
LONGEST_S = 0.02


@pytest.fixture(scope="module")
def killer():
    """Forks a writer of this ledger, kills it so long after so many entries, and says which it had acknowledged."""
    command = [sys.executable, Path(__file__).with_name("killed_writer.py")]
    with subprocess.Popen(
        command, cwd=ROOT, env={"PYTHONPATH": str(ROOT)}, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:

        def kill(path, entries, seconds):
            process.stdin.write(f"{path} {entries} {seconds}\n")
            process.stdin.flush()
            return [int(word) for word in process.stdout.readline().split()]

        yield kill
        process.stdin.close()
        assert process.wait(60) == 0


def entries_in(path) -> int:
    """How many entries there are, once all that should be in them is."""
    with LedgerReader(path) as reader:
        numbers = [one.entry for one in reader.entries()]
        assert numbers == list(range(1, len(numbers) + 1))
        names, outcomes = reader.subscribers(), reader.outcomes()
        pieces = list(reader.usage(by_entry=True))
        assert [piece.entry for piece in pieces] == numbers
        for piece in pieces:
            assert piece.begins_ns == begins_ns(piece.entry)
            told = {
                (names[number], outcomes[outcome].application): (up, down)
                for number, outcome, up, down in zip(
                    piece.subscriber.tolist(), piece.outcome.tolist(), *piece.volumes[:2].tolist(), strict=True
                )
            }
            assert told == {
                (row.subscriber, row.application): (row.uplink_octets, row.downlink_octets)
                for row in usage(piece.entry)
            }
        free = {f"s{place}": sum(101 * number + place for number in numbers) for place in range(SUBSCRIBERS)}
        figures = reader.allowances().get(NOVEMBER, {})
        assert {names[number]: octets for number, octets in figures.items()} == (free if numbers else {})
        octets = sum(one.uplink_octets + one.downlink_octets for one in reader.day_totals())
        assert octets == sum(free.values()) + sum(1 + number for number in numbers)
        assert len(names) == 1 + (SUBSCRIBERS + len(numbers) if numbers else 0)
        return len(numbers)


def test_whatever_moment_a_writer_is_killed_at(killer, tmp_path):
    chance = random.Random(20131101)
    for ledger in range(LEDGERS):
        path, before = tmp_path / f"{ledger}.db", 0
        for kill in range(KILLS_EACH):
            # The first ones while the ledger is being made, every fourth before the first entry.
            awaited = 0 if kill < 3 else kill % 4
            acknowledged = killer(path, awaited, chance.uniform(0, LONGEST_S))
            if kill < 3:
                LedgerWriter(path).close()  # the tables may not be there yet
            after = entries_in(path)
            assert len(acknowledged) >= awaited
            assert acknowledged == list(range(before + 1, before + 1 + len(acknowledged)))
            assert after - before - len(acknowledged) in (0, 1)
            before = after
        with sqlite3.connect(path) as connection:
            assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        connection.close()


def test_only_a_live_run_that_did_not_come_to_its_end_is_told_of(tmp_path):
    live = RUN._replace(kind="run")
    path = tmp_path / "usage.db"

    def begin(run, *entries, ends=False):
        with LedgerWriter(path) as writer:
            found = writer.cut_run()
            number = writer.begin_run(run)
            for entry in entries:
                writer.write(entry)
            if ends:
                writer.end_run()
            return found, number

    assert begin(live) == (None, 1)
    assert begin(live, Entry(0, 10, (9, 900), (3, 500), (), (), ())) == (CutRun(None, 0), 2)
    # A reload that had no interval yet: what counts is the last one of the process.
    with LedgerWriter(path) as writer:
        writer.begin_run(live._replace(continues=2))
    assert begin(live, Entry(10, 20, (9, 900), (0, 0), (), (), ()), ends=True) == (CutRun(10, 500), 4)
    assert begin(RUN, Entry(20, 30, (9, 900), (3, 7), (), (), ())) == (None, 5)
    assert begin(live) == (None, 6)
