"""`freeflow run`: the capture loop on a network interface, until a signal."""

from __future__ import annotations

import os
import signal
import sys
from argparse import Namespace
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

from classifier.cli.arguments import add_ledger, add_plan, new_command
from classifier.cli.output import Output, say
from classifier.cli.progress import CompilationNotice
from classifier.errors import ConfigurationError
from classifier.reports.words import printable

if TYPE_CHECKING:
    from classifier.gateway.live import LiveRun

EXAMPLE = """\
example:
  freeflow run -i eth1 -c freeflow.toml
      meters what passes eth1 until Ctrl-C or SIGTERM: a screen on a terminal, else a line a log can keep for
      each interval; the totals come at the end. What was rated goes to the ledger that [ledger] path or
      --ledger names
  freeflow run --inline eth1 eth2 -c freeflow.toml --fail-open
      forwards between the subscribers' side and the network's, and drops what is barred or blocked
  kill -HUP PID
      reads configuration, signatures, programmes and subscribers again, without losing a frame or a flow;
      with a mistake in them, all stays as it was. kill -USR1 PID tells how full the tables are"""
TOP = 40  # as many as the highest screen may show
JOURNAL_NOTICE = "<5>"  # sd-daemon(3): the priority of a line for the journal
JOURNAL_INFORMATION = "<6>"


def add_command(commands) -> None:
    """Add `run` to the commands."""
    parser = new_command(commands, "run", "meter a network interface until SIGINT or SIGTERM", EXAMPLE)
    where = parser.add_mutually_exclusive_group(required=True)
    where.add_argument("-i", "--interface", metavar="IFACE", help="the interface to capture from")
    where.add_argument(
        "--inline",
        metavar=("INSIDE", "OUTSIDE"),
        nargs=2,
        help="forward between two ports, the subscribers' first, and drop what is barred or used up",
    )
    parser.add_argument(
        "--fail-open", action="store_true", help="with --inline: Linux forwards once freeflow has ended"
    )
    parser.add_argument(
        "--offloads-off",
        action="store_true",
        help="switch off what joins packets on the interfaces until the run ends (takes CAP_NET_ADMIN)",
    )
    add_plan(parser)
    add_ledger(parser)
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="a JSON object for each interval, one a line")
    form.add_argument("--no-screen", action="store_true", help="lines for a log, also on a terminal")
    parser.add_argument("--user", metavar="NAME", help="become this user once the interface is open (from root)")
    parser.set_defaults(execute=execute)


def execute(arguments: Namespace) -> int:
    """Show the run, and the totals at the end; 1 where frames were lost."""
    if arguments.fail_open and not arguments.inline:
        raise ConfigurationError("--fail-open: goes with --inline; name the two ports")
    if arguments.offloads_off and arguments.user:
        raise ConfigurationError(
            "--offloads-off: --user may not put them back; switch them off with ethtool -K instead"
        )
    with Output(None) as output, _signals() as asked, ExitStack() as at_the_end:
        from classifier.capture.notify import Notifier
        from classifier.cli.privileges import dropper, find_user
        from classifier.gateway.inline import Ports
        from classifier.gateway.live import LiveRun
        from classifier.gateway.plan import load_plan

        def load():
            return load_plan(arguments.config, zero_rate=arguments.zero_rate, subscriber_networks=arguments.subscribers)

        plan = load()
        for notice in plan.notices:
            say(notice)
        ledger = arguments.ledger or plan.configuration.ledger.path
        drop = dropper(find_user(arguments.user), ledger) if arguments.user else lambda: None
        shown = _Shown(arguments, output, None if ledger is None else str(ledger))
        where = Ports(*arguments.inline, arguments.fail_open) if arguments.inline else arguments.interface
        if arguments.offloads_off:
            from classifier.capture.offloads import offloads_off

            names = arguments.inline or [arguments.interface]
            at_the_end.enter_context(offloads_off(names, shown.line))
        with CompilationNotice():
            live = LiveRun(
                where,
                plan,
                ledger,
                shown.watcher(),
                load_again=load,
                ready_to_drop=drop,
                notifier=Notifier(),
            )
        asked.go_to(live)
        with shown.of(live):
            outcome = live.run()
        for problem in outcome.problems:
            say(problem)
        shown.end(outcome.report)
    return 1 if outcome.problems else 0


class _Asked:
    """What signals ask for: kept until there is a run that can be asked."""

    def __init__(self) -> None:
        self._live: LiveRun | None = None
        self._waiting: list[int] = []

    def __call__(self, number: int, _frame: object) -> None:
        if self._live is None:
            if number in (signal.SIGINT, signal.SIGTERM):
                raise KeyboardInterrupt
            self._waiting.append(number)
        else:
            self._ask(self._live, number)

    def go_to(self, live: LiveRun) -> None:
        self._live = live
        for number in self._waiting:
            self._ask(live, number)

    def _ask(self, live: LiveRun, number: int) -> None:
        if number == signal.SIGHUP:
            live.reload()
        elif number == signal.SIGUSR1:
            live.tell_tables()
        else:
            live.stop()


@contextmanager
def _signals() -> Iterator[_Asked]:
    asked = _Asked()
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1)
    before = [signal.signal(number, asked) for number in numbers]
    try:
        yield asked
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)


class _Shown:
    """What a person, a log or a program sees of the run."""

    def __init__(self, arguments: Namespace, output: Output, ledger: str | None) -> None:
        self._json, self._output = arguments.json, output
        self._interface = arguments.interface or " and ".join(arguments.inline)
        self._ledger = ledger
        self._on_screen = not (arguments.json or arguments.no_screen) and output.is_terminal and _can_move_cursor()
        self._view = self._screen = None
        self._live: LiveRun | None = None
        self._kept: list[str] = []
        self._failed: OSError | None = None

    def watcher(self):
        from classifier.gateway.live import Watcher

        return Watcher(
            interval=lambda: self._guarded(self._interval),
            second=lambda: self._guarded(self._second),
            line=lambda text: self._guarded(lambda: self.line(text)),
        )

    def _guarded(self, show: Callable[[], None]) -> None:
        """Nobody reads any more, or the terminal is gone: the run ends as by a signal, with all that was metered written."""
        if self._failed is not None:
            return
        try:
            show()
        except OSError as error:
            self._failed = error
            if self._live is not None:
                self._live.stop()

    @contextmanager
    def of(self, live: LiveRun) -> Iterator[None]:
        self._live = live
        if not self._on_screen:
            yield
            return
        from rich.console import Console

        from classifier.cli.live_screen import LiveScreen
        from classifier.reports.live_view import LiveView

        console = Console(highlight=False)
        self._view = LiveView(self._interface, self._ledger, console.options.ascii_only)
        for line in self._kept[-1:]:
            self._view.line(line)
        with ExitStack() as stack:
            self._screen = stack.enter_context(LiveScreen(self._view, console))
            yield
        self._screen = None
        for line in self._kept:
            say(line)

    def end(self, report) -> None:
        """The totals at the end. Raises what kept them from being shown before."""
        if self._failed is not None:
            raise self._failed
        from classifier.reports.usage_table import usage_table

        if self._json:
            self._write_json(report)
        else:
            self._output.write_lines(usage_table(report, self._output.width))
        self._output.flush()

    def _interval(self) -> None:
        if self._live is None:
            return
        if self._json:
            self._write_json(self._live.report())
        elif self._screen is not None:
            self._view.interval(self._live.glance(TOP), self._live.vitals().monotonic_ns)
        else:
            from classifier.reports.live_view import interval_line

            _log(JOURNAL_INFORMATION, interval_line(self._live.glance(0), self._live.vitals()))

    def _second(self) -> None:
        if self._screen is not None and self._live is not None:
            self._view.second(self._live.vitals())
            self._screen.refresh()

    def line(self, text: str) -> None:
        """What a person has to know."""
        if self._on_screen:
            self._kept.append(text)
            if self._view is not None:
                self._view.line(text)
        else:
            _log(JOURNAL_NOTICE, text)

    def _write_json(self, report) -> None:
        from classifier.reports.usage_json import json_line, live_entries

        self._output.write([json_line(report, live_entries(self._live.vitals()))])
        self._output.flush()


def _can_move_cursor() -> bool:
    return os.environ.get("TERM", "dumb") not in ("", "dumb")


def _log(priority: str, text: str) -> None:
    """A line on standard error; with a priority only where that is the journal."""
    if _is_journal():
        print(f"{priority}{printable(text)}", file=sys.stderr, flush=True)
    else:
        say(text)


def _is_journal() -> bool:
    """Whether standard error is what systemd connected to the journal: systemd.exec(5), $JOURNAL_STREAM."""
    try:
        stream = os.fstat(2)
    except OSError:
        return False
    return os.environ.get("JOURNAL_STREAM") == f"{stream.st_dev}:{stream.st_ino}" and sys.stderr is not None
