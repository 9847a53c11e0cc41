"""A session and its ledger agree, in intervals of any length, and while the disk is full."""

from __future__ import annotations

import sqlite3
from collections import Counter
from pathlib import Path

import pytest

from classifier.capture.files import open_capture
from classifier.errors import LedgerError
from classifier.gateway.keeping import run_of
from classifier.gateway.plan import load_plan
from classifier.gateway.session import Session
from classifier.ledger.backlog import UNRECORDED, Backlog
from classifier.ledger.read import LedgerReader
from classifier.ledger.write import LedgerWriter

PCAPS = Path(__file__).resolve().parents[2] / "pcaps"
DAY = str(PCAPS / "day-in-the-life.pcap")


@pytest.fixture(scope="module")
def plan():
    return load_plan(str(PCAPS / "day-in-the-life.toml"))


def metered(session: Session):
    """The report of the day."""
    with open_capture(DAY) as capture:
        for batch in capture:
            session.meter.feed(batch.buffer, batch.frames)
    session.meter.finish()
    return session.report()


def kept(path) -> Counter:
    """Octets up and down by subscriber, application and part, as the ledger's usage has them."""
    found = Counter()
    with LedgerReader(path) as reader:
        names, outcomes = reader.subscribers(), reader.outcomes()
        for piece in reader.usage():
            for number, outcome, volumes in zip(piece.subscriber, piece.outcome, piece.volumes.T, strict=True):
                what = outcomes[outcome]
                found[names[number], what.application, what.part] += int(volumes[0] + volumes[1])
    return found


def reported(report) -> Counter:
    """The same out of a report."""
    return Counter(
        {
            (one.subscriber, used.application, part): octets
            for one in report.subscribers
            for used in one.applications
            for part, octets in zip(("zero_rated", "discounted", "charged"), used[4:7], strict=True)
            if octets
        }
    )


@pytest.mark.parametrize("seconds", [1, 10, 3600, 86400])
def test_the_ledger_holds_the_reports_octets_whatever_the_interval(plan, tmp_path, seconds):
    path = tmp_path / "usage.db"
    with LedgerWriter(path) as writer:
        writer.begin_run(run_of("replay", plan))
        report = metered(Session(plan, interval_seconds=seconds, ledger=writer))
    assert kept(path) == reported(report) == reported(metered(Session(plan)))
    with LedgerReader(path) as reader:
        entries = list(reader.entries())
        assert sum(entry.observed_octets for entry in entries) == report.observed_octets
        assert sum(entry.observed_frames for entry in entries) == report.observed_frames
        assert (entries[-1].pending_frames, entries[-1].pending_octets) == (0, 0)
        totals = list(reader.day_totals())
        unmetered = reader.unmetered()
        octets = sum(total.uplink_octets + total.downlink_octets for total in totals)
        frames = sum(total.uplink_packets + total.downlink_packets for total in totals)
        assert octets + sum(octets for _, octets in unmetered.values()) == report.observed_octets
        assert frames + sum(frames for frames, _ in unmetered.values()) == report.observed_frames
        assert unmetered == {one.reason: (one.frames, one.octets) for one in report.unmetered if one.frames}


def test_every_entry_is_balanced_with_what_it_left_pending(plan, tmp_path):
    with LedgerWriter(tmp_path / "usage.db") as writer:
        writer.begin_run(run_of("replay", plan))
        metered(Session(plan, interval_seconds=1, ledger=writer))
    with LedgerReader(tmp_path / "usage.db") as reader:
        rated = Counter()
        for piece in reader.usage():
            rated[piece.entry] += int(piece.volumes[:2].sum())
        before = 0
        for entry in reader.entries():
            unmetered = sum(octets for _, octets in reader.unmetered(entry.begins_ns, entry.begins_ns + 1).values())
            assert entry.observed_octets == rated[entry.entry] + unmetered + entry.pending_octets - before
            before = entry.pending_octets


def test_the_totals_at_the_end_of_an_interval_are_balanced_in_the_middle_of_a_batch(plan):
    told = []
    session = Session(plan, interval_seconds=600, on_interval=lambda: told.append(session.report()))
    report = metered(session)
    assert len(told) > 10
    assert told[-1] == report
    assert [one.observed_frames for one in told] == sorted(one.observed_frames for one in told)


def new_file(path):
    """A file for a ledger with the smallest pages there are, so that a few entries need another."""
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA page_size = 512")
        connection.execute("VACUUM")
    connection.close()
    return path


def allow_pages(writer: LedgerWriter, pages: int) -> None:
    """A disk with room for so many more pages."""
    (count,) = writer._connection.execute("PRAGMA page_count").fetchone()
    writer._connection.execute(f"PRAGMA max_page_count = {count + pages}")


def run_on_full_disk(plan, path, rows_max: int, room_after: int):
    """The day with a disk that is full for the first entries, and how many waited at the end of each."""
    waited = []
    with LedgerWriter(new_file(path)) as writer:
        writer.begin_run(run_of("run", plan))
        allow_pages(writer, 0)
        backlog = Backlog(writer, rows_max)

        def tell():
            waited.append(backlog.entries)
            if len(waited) == room_after:
                allow_pages(writer, 10_000)

        report = metered(Session(plan, interval_seconds=60, ledger=writer, backlog=backlog, on_interval=tell))
    return report, waited, backlog


def test_a_full_disk_stops_nothing_and_what_waited_is_written_once_there_is_room(plan, tmp_path):
    report, waited, backlog = run_on_full_disk(plan, tmp_path / "usage.db", 1 << 20, room_after=20)
    assert max(waited) > 5
    assert waited[-1] == 0
    assert (backlog.problem, backlog.losses()) == (None, [])
    assert kept(tmp_path / "usage.db") == reported(report)


def test_beyond_what_memory_is_for_the_oldest_usage_is_given_up_and_told(plan, tmp_path):
    report, _, backlog = run_on_full_disk(plan, tmp_path / "usage.db", 20, room_after=25)
    entries, octets = backlog.given_up
    assert entries > 0
    missing = reported(report) - kept(tmp_path / "usage.db")
    assert sum(missing.values()) == octets
    (line,) = backlog.losses()
    assert f"{entries} intervals with {octets} octets" in line
    with LedgerReader(tmp_path / "usage.db") as reader:
        assert reader.unmetered()[UNRECORDED][1] == octets
        assert sum(entry.observed_octets for entry in reader.entries()) == report.observed_octets


def test_what_still_waits_at_the_end_is_told(plan, tmp_path):
    report, waited, backlog = run_on_full_disk(plan, tmp_path / "usage.db", 1 << 20, room_after=10**6)
    missing = sum((reported(report) - kept(tmp_path / "usage.db")).values())
    (line,) = backlog.losses()
    assert "cannot be written (database or disk is full)" in line
    assert line.endswith(f"{waited[-1]} intervals with {missing} octets are not in it")


def test_without_a_backlog_an_entry_that_cannot_be_written_is_the_operators_to_mend(plan, tmp_path):
    with LedgerWriter(new_file(tmp_path / "usage.db")) as writer:
        writer.begin_run(run_of("replay", plan))
        allow_pages(writer, 0)
        with pytest.raises(LedgerError, match="disk is full"):
            metered(Session(plan, interval_seconds=60, ledger=writer))
