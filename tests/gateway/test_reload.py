"""A run that is told to read its files again: what was metered before is rated as before, what comes after as after.

The NIC is a stand-in that gives a capture; what is expected is a replay of the same frames under one offer or the other.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from stand_in_ring import Ring

from classifier.gateway import live
from classifier.gateway.plan import load_plan
from classifier.gateway.replay import replay
from classifier.ledger.check import ledger_problems
from classifier.ledger.read import LedgerReader

PCAPS = Path(__file__).resolve().parents[2] / "pcaps"
DAY = str(PCAPS / "day-in-the-life.pcap")
BATCHES = 14  # of 50 frames, in the day
CHANGE_AT = 6
PARTS = ("zero_rated", "discounted", "charged")


class Run:
    """A live run of the bundled day under a copy of its configuration, in which files may be changed at a batch."""

    def __init__(self, folder: Path, monkeypatch, ledger: bool = True) -> None:
        for name in ("day-in-the-life.toml", "day-in-the-life-subscribers.csv"):
            shutil.copy(PCAPS / name, folder)
        shutil.copytree(PCAPS / "day-in-the-life", folder / "day-in-the-life")
        self.folder, self.config = folder, folder / "day-in-the-life.toml"
        self.programmes = folder / "day-in-the-life" / "programmes"
        self.lines: list[str] = []
        self.ring = Ring(DAY)
        monkeypatch.setattr(live, "open_source", lambda *_: self.ring)
        self.ledger = folder / "usage.db" if ledger else None
        self.run = live.LiveRun(
            "eth1",
            self.plan(),
            self.ledger,
            live.Watcher(line=self.lines.append, interval=self._interval),
            load_again=self.plan,
        )
        self.reports = []

    def plan(self):
        return load_plan(str(self.config))

    def _interval(self) -> None:
        self.reports.append(self.run.report())

    def reload_at(self, batch: int, change) -> None:
        """Before this batch, `change` the files and go on under them; the batch waits for it."""

        def on_batch(number: int) -> None:
            if number == batch:
                change()
                self.run._reloading.begin()
                self.run._reloading._thread.join()
                self.before = self.run.report()
                self.run._between_batches()

        self.ring.on_batch = on_batch


@pytest.fixture
def run(tmp_path, monkeypatch):
    return Run(tmp_path, monkeypatch)


def octets(report) -> dict[str, int]:
    return {part: getattr(report, part).octets for part in PARTS}


def subscribers(report) -> dict:
    """(subscriber, application) -> octets."""
    return {
        (one.subscriber, use.application): use.uplink_octets + use.downlink_octets
        for one in report.subscribers
        for use in one.applications
    }


def stop_all_offers(run: Run) -> None:
    for file in run.programmes.glob("*.toml"):
        file.unlink()
    text = run.config.read_text().replace('"builtin", ', "")
    apps = run.folder / "day-in-the-life" / "apps"
    apps.mkdir(exist_ok=True)
    for file in (PCAPS.parent / "signatures" / "apps").glob("*.toml"):
        if not (apps / file.name).exists():
            shutil.copy(file, apps)
    run.config.write_text(text)
    people = run.folder / "day-in-the-life-subscribers.csv"
    rows = [line.split(",") for line in people.read_text().splitlines()]
    people.write_text("\n".join(",".join([*row[:6], "enrolled" if not n else ""]) for n, row in enumerate(rows)))


def test_what_is_not_changed_changes_nothing(run):
    whole = replay([DAY], run.plan()).report
    run.reload_at(CHANGE_AT, lambda: None)
    outcome = run.run.run()
    assert outcome.problems == ()
    assert outcome.report._replace(subscribers=()) == whole._replace(subscribers=())
    assert list(outcome.report.subscribers) == list(whole.subscribers)
    assert any(line.startswith("reloaded: ") for line in run.lines)
    assert ledger_problems(run.ledger) == []


def test_octets_before_are_rated_as_before_and_those_after_as_after(run):
    whole = replay([DAY], run.plan()).report
    run.reload_at(CHANGE_AT, lambda: stop_all_offers(run))
    outcome = run.run.run()
    (ended,) = [one for one in run.reports if one.observed_frames == run.before.observed_frames][:1]
    report = outcome.report
    assert 0 < ended.zero_rated.octets < whole.zero_rated.octets
    # Nothing is free after; what was free before stays so, and every octet is of the same subscriber and application.
    assert report.zero_rated == ended.zero_rated
    assert sum(octets(report).values()) == sum(octets(whole).values())
    assert subscribers(report) == subscribers(whole)
    assert (report.flows, report.observed_frames) == (whole.flows, whole.observed_frames)
    assert [one.programme for one in report.programmes] == [one.programme for one in ended.programmes]
    with LedgerReader(run.ledger) as reader:
        first, second = reader.runs().values()
        assert (first.continues, second.continues) == (None, 1)
        assert first.catalogue != second.catalogue
        assert first.programmes
        assert second.programmes == ()
        assert {entry.run for entry in reader.entries()} == {1, 2}
        assert sum(entry.observed_octets for entry in reader.entries()) == report.observed_octets
        assert reader.lost_octets() == 0
        kept = dict.fromkeys(PARTS, 0)
        for total in reader.day_totals():
            kept[reader.outcomes()[total.outcome].part] += total.uplink_octets + total.downlink_octets
        assert kept == octets(report)
    assert ledger_problems(run.ledger) == []


def test_a_new_application_moves_the_numbers_and_no_octet(run):
    whole = replay([DAY], run.plan()).report

    def add_applications() -> None:
        apps = run.folder / "day-in-the-life" / "apps"
        apps.mkdir(exist_ok=True)
        for name in ("aaa", "mmm", "zzz"):
            (apps / f"{name}.toml").write_text(
                f'name = "{name}"\ntitle = "{name}"\ndomains = ["{name}.example"]\nsource = "a test"\nupdated = 2026-11-01\n'
            )

    run.reload_at(CHANGE_AT, add_applications)
    report = run.run.run().report
    assert subscribers(report) == subscribers(whole)
    assert octets(report) == octets(whole)


@pytest.mark.parametrize("batch", range(1, BATCHES))
def test_an_application_that_is_gone_leaves_unknown_and_what_was_posted_stays(run, batch):
    whole = replay([DAY], run.plan()).report

    def drop_facebook() -> None:
        stop_all_offers(run)
        (run.folder / "day-in-the-life" / "apps" / "facebook.toml").unlink()

    run.reload_at(batch, drop_facebook)
    report = run.run.run().report
    (ended,) = [one for one in run.reports if one.observed_frames == run.before.observed_frames][:1] or [None]

    def total(of, application):
        return sum(octets for (_, its), octets in subscribers(of).items() if its == application) if of else 0

    assert total(report, "facebook") == total(ended, "facebook")
    assert sum(subscribers(report).values()) == sum(subscribers(whole).values())
    moved = total(whole, "facebook") - total(report, "facebook")
    assert total(report, "unknown") == total(whole, "unknown") + moved


def test_subscribers_are_who_they_were_by_name_whatever_their_place(run):
    whole = replay([DAY], run.plan()).report
    people = run.folder / "day-in-the-life-subscribers.csv"

    def turn_around() -> None:
        header, *rows = people.read_text().splitlines()
        people.write_text("\n".join([header, "aaa,10.77.0.1,,,,,", *reversed(rows), "zzz,10.77.0.2,,,,,"]))

    run.reload_at(CHANGE_AT, turn_around)
    report = run.run.run().report
    assert subscribers(report) == subscribers(whole)
    assert octets(report) == octets(whole)


def test_a_subscriber_who_is_listed_later_has_his_name_and_his_offers_from_then_on(run):
    people = run.folder / "day-in-the-life-subscribers.csv"
    text = people.read_text()
    whole = replay([DAY], run.plan()).report
    name = next(one.subscriber for one in whole.subscribers if one.zero_rated_octets and f"\n{one.subscriber}," in text)
    people.write_text("\n".join(line for line in text.splitlines() if not line.startswith(f"{name},")))
    run.run._session.renew(run.plan(), lambda: None)
    run.reload_at(CHANGE_AT, lambda: people.write_text(text))
    report = run.run.run().report
    found = {one.subscriber: one.octets for one in report.subscribers}
    expected = {one.subscriber: one.octets for one in whole.subscribers}
    assert 0 < found[name] <= expected[name]
    assert sum(found.values()) == sum(expected.values())


def test_a_mistake_leaves_everything_as_it_was_and_is_one_line(run):
    whole = replay([DAY], run.plan()).report
    file = next(run.programmes.glob("*.toml"))

    def break_files() -> None:
        file.write_text("name = 7\n")

    run.reload_at(CHANGE_AT, break_files)
    outcome = run.run.run()
    (line,) = run.lines
    assert line.startswith("nothing was reloaded, what was in force stays: ")
    assert file.name in line
    assert octets(outcome.report) == octets(whole)
    assert list(outcome.report.subscribers) == list(whole.subscribers)
    with LedgerReader(run.ledger) as reader:
        assert list(reader.runs()) == [1]


def test_what_takes_a_restart_is_said_and_stays(run):
    def change() -> None:
        text = run.config.read_text().replace("Asia/Shanghai", "Asia/Tokyo")
        run.config.write_text(f"{text}\n[flows]\ncapacity = 77\ntcp_idle_seconds = 60\n")

    run.reload_at(CHANGE_AT, change)
    run.run.run()
    assert "[gateway] timezone, [flows] capacity: takes a restart, and stays what it was" in run.lines
    assert run.run._plan.configuration.gateway.timezone == "Asia/Shanghai"
    assert run.run._plan.limits.flows == 1 << 20
    assert run.run._plan.limits.tcp_idle_seconds == 60


def test_a_ledger_that_cannot_be_written_refuses_the_reload(run, monkeypatch):
    whole = replay([DAY], run.plan()).report

    def fail(_run):
        from classifier.errors import LedgerError

        raise LedgerError("usage.db: cannot be written (database or disk is full); make room or mend the disk")

    def change() -> None:
        stop_all_offers(run)
        monkeypatch.setattr(run.run._writer, "begin_run", fail)

    run.reload_at(CHANGE_AT, change)
    report = run.run.run().report
    assert [line for line in run.lines if "disk is full" in line and line.startswith("nothing was reloaded")]
    assert octets(report) == octets(whole)
