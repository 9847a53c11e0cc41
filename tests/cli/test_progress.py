"""What is shown while a command works: nothing in a pipe, nothing for what is over at once, a word on compiling."""

from __future__ import annotations

import io
import sys
import time

import pytest

from classifier.cli import progress
from classifier.kernels import jit


class Terminal(io.StringIO):
    """Standard error as a terminal."""

    def isatty(self):
        return True


def terminal(monkeypatch, after_seconds=0.0):
    """Puts a terminal in the place of standard error, for a bar that is shown after so many seconds.

    Not a fixture: pytest puts its own standard error back between a fixture and the test.
    """
    screen = Terminal()
    monkeypatch.setattr(sys, "stderr", screen)
    monkeypatch.setattr(progress, "SHOWN_AFTER_SECONDS", after_seconds)
    monkeypatch.setenv("TERM", "xterm")
    return screen


@pytest.mark.parametrize("octets_total", [1_000_000, None])
def test_a_bar_is_drawn_on_a_terminal_with_or_without_a_total(monkeypatch, octets_total):
    screen = terminal(monkeypatch)
    with progress.ProgressBar() as bar:
        bar(500_000, octets_total)
    assert "metering" in screen.getvalue()


def test_no_bar_for_what_is_over_at_once(monkeypatch):
    screen = terminal(monkeypatch, after_seconds=3600.0)
    with progress.ProgressBar() as bar:
        bar(500_000, 1_000_000)
    assert screen.getvalue() == ""


def test_no_bar_where_it_is_not_wanted(monkeypatch):
    screen = terminal(monkeypatch)
    with progress.ProgressBar(wanted=False) as bar:
        bar(500_000, 1_000_000)
    assert screen.getvalue() == ""


def test_no_bar_in_a_pipe(monkeypatch):
    terminal(monkeypatch)
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    with progress.ProgressBar() as bar:
        bar(500_000, 1_000_000)
    assert sys.stderr.getvalue() == ""


def spell(seconds):
    with progress.CompilationNotice():
        time.sleep(seconds)


def test_the_first_run_says_what_it_is_doing_and_later_ones_do_not(capfd, monkeypatch):
    monkeypatch.setattr(progress, "SHOWN_AFTER_SECONDS", 0.0)
    monkeypatch.setattr(jit, "JIT_DISABLED", False)
    monkeypatch.setattr(jit, "COMPILED_BEFORE", False)
    spell(0.2)
    assert capfd.readouterr().err == f"freeflow: {progress.COMPILING}\n"
    monkeypatch.setattr(jit, "COMPILED_BEFORE", True)
    spell(0.2)
    assert capfd.readouterr().err == ""


def test_a_mistake_that_is_found_at_once_stays_one_line(capfd, monkeypatch):
    monkeypatch.setattr(jit, "JIT_DISABLED", False)
    monkeypatch.setattr(jit, "COMPILED_BEFORE", False)
    monkeypatch.setattr(progress, "SHOWN_AFTER_SECONDS", 0.2)
    spell(0.0)
    time.sleep(0.4)
    assert capfd.readouterr().err == ""
