"""`freeflow run`: what is shown at every interval and at the end, and a signal ends it cleanly. The NIC is a stand-in."""

from __future__ import annotations

import json
import os
import signal

import pytest
from command import run

from classifier.cli import main
from classifier.cli.output import Output
from classifier.gateway import live
from classifier.gateway.session import Outcome, Session
from classifier.reports.glance import Vitals


class StandIn:
    """A live run over two empty intervals; in the second the process gets a signal, and only `stop` ends it."""

    number = signal.SIGINT
    problems = ()
    asked = ()

    def __init__(self, interface, plan, ledger, watcher, *, load_again, ready_to_drop, notifier):
        self.watcher, self.session, self.stopped = watcher, Session(plan), False
        ready_to_drop()

    def stop(self):
        self.stopped = True

    def reload(self):
        StandIn.asked += ("reload",)

    def tell_tables(self):
        StandIn.asked += ("tables",)

    def report(self):
        return self.session.report()

    def glance(self, count):
        return self.session.glance(count)

    def vitals(self):
        return Vitals(0, 0, 0, 0, 3, 1, self.session.meter.fill(), 0)

    def run(self):
        self.watcher.interval()
        self.watcher.second()
        os.kill(os.getpid(), self.number)
        self.watcher.interval()
        assert self.stopped or self.number not in (signal.SIGINT, signal.SIGTERM)
        return Outcome(self.report(), self.problems)


@pytest.fixture(autouse=True)
def stand_in(monkeypatch):
    """Takes the NIC's place."""
    monkeypatch.setattr(live, "LiveRun", StandIn)
    monkeypatch.setattr(StandIn, "asked", ())
    monkeypatch.delenv("JOURNAL_STREAM", raising=False)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_with_the_last_totals(capfd, monkeypatch, number):
    monkeypatch.setattr(StandIn, "number", number)
    before = signal.getsignal(number)
    ran = run(capfd, "run", "-i", "eth1", "--json")
    assert (ran.status, ran.err) == (0, "")
    told = [json.loads(line) for line in ran.out.splitlines()]
    assert [one["schema"] for one in told] == ["freeflow.usage/1"] * 3
    assert [(one["dropped_frames"], one["freezes"]) for one in told] == [(3, 1)] * 3
    assert told[0]["tables"]["flows"] == {"used": 0, "capacity": 1 << 20}
    assert signal.getsignal(number) is before


@pytest.mark.parametrize(("number", "asked"), [(signal.SIGHUP, "reload"), (signal.SIGUSR1, "tables")])
def test_other_signals_ask_the_run_for_something(capfd, monkeypatch, number, asked):
    monkeypatch.setattr(StandIn, "number", number)
    assert run(capfd, "run", "-i", "eth1").status == 0
    assert StandIn.asked == (asked,)


def test_a_line_for_each_interval_and_the_table_at_the_end(capfd):
    ran = run(capfd, "run", "-i", "eth1")
    assert ran.out.count("observed") == 1
    assert len(ran.err.splitlines()) == 2
    line = ran.err.splitlines()[0].removeprefix("freeflow: interval ")
    figures = dict(pair.split("=") for pair in line.split())
    assert (figures["frames"], figures["dropped"], figures["freezes"]) == ("0", "3", "1")


def test_where_nobody_reads_any_more_the_run_ends_as_by_a_signal(capfd, monkeypatch):
    def run_on(self):
        self.watcher.interval()
        assert self.stopped
        self.watcher.interval()
        return Outcome(self.report(), ())

    def refuse(self, pieces):
        raise BrokenPipeError

    monkeypatch.setattr(StandIn, "run", run_on)
    monkeypatch.setattr(Output, "write", refuse)
    monkeypatch.setattr(main, "_abandon_output", lambda: None)
    assert run(capfd, "run", "-i", "eth1", "--json").status == main.EXIT_BROKEN_PIPE


def test_the_journal_gets_a_priority_and_no_name(capfd, monkeypatch):
    stream = os.fstat(2)
    monkeypatch.setenv("JOURNAL_STREAM", f"{stream.st_dev}:{stream.st_ino}")
    lines = run(capfd, "run", "-i", "eth1").err.splitlines()
    assert [line.split("=")[0] for line in lines] == ["<6>interval frames"] * 2


def test_a_terminal_in_a_session_of_systemd_is_not_the_journal(capfd, monkeypatch):
    monkeypatch.setenv("JOURNAL_STREAM", "8:1")
    lines = run(capfd, "run", "-i", "eth1").err.splitlines()
    assert [line.split("=")[0] for line in lines] == ["freeflow: interval frames"] * 2


def test_frames_that_were_lost_are_said_and_end_with_status_1(capfd, monkeypatch):
    monkeypatch.setattr(StandIn, "problems", ("7 frames were dropped",))
    ran = run(capfd, "run", "-i", "eth1", "--json")
    assert (ran.status, ran.err) == (1, "freeflow: 7 frames were dropped\n")


def test_a_user_who_is_not_there_is_one_line_with_the_mend(capfd):
    ran = run(capfd, "run", "-i", "eth1", "--user", "nobody-of-this-name")
    assert (ran.status, ran.out) == (2, "")
    assert "useradd --system nobody-of-this-name" in ran.err
