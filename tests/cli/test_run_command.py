"""`freeflow run`: totals at every interval and at the end, and a signal ends it cleanly. The NIC is a stand-in."""

from __future__ import annotations

import json
import os
import signal

import pytest
from command import run

from classifier.gateway import live
from classifier.gateway.session import Outcome, Session


class StandIn:
    """A live run over two empty intervals; in the second the process gets a signal, and only `stop` ends it."""

    number = signal.SIGINT
    problems = ()

    def __init__(self, interface, plan, ledger=None, warn=None):
        self.interface, self.report, self.stopped = interface, Session(plan).report(), False

    def stop(self):
        self.stopped = True

    def run(self, on_interval):
        on_interval(self.report)
        os.kill(os.getpid(), self.number)
        on_interval(self.report)
        assert self.stopped
        return Outcome(self.report, self.problems)


@pytest.fixture(autouse=True)
def stand_in(monkeypatch):
    """Takes the NIC's place; puts the signal handlers back."""
    before = [(number, signal.getsignal(number)) for number in (signal.SIGINT, signal.SIGTERM)]
    monkeypatch.setattr(live, "LiveRun", StandIn)
    yield
    for number, handler in before:
        signal.signal(number, handler)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_with_the_last_totals(capfd, monkeypatch, number):
    monkeypatch.setattr(StandIn, "number", number)
    ran = run(capfd, "run", "-i", "eth1", "--json")
    assert (ran.status, ran.err) == (0, "")
    assert [json.loads(line)["schema"] for line in ran.out.splitlines()] == ["freeflow.usage/1"] * 3


def test_a_table_is_printed_at_every_interval_and_at_the_end(capfd):
    assert run(capfd, "run", "-i", "eth1").out.count("observed") == 3


def test_frames_that_were_lost_are_said_and_end_with_status_1(capfd, monkeypatch):
    monkeypatch.setattr(StandIn, "problems", ("7 frames were dropped",))
    ran = run(capfd, "run", "-i", "eth1")
    assert (ran.status, ran.err) == (1, "freeflow: 7 frames were dropped\n")
    assert ran.out.count("observed") == 3
