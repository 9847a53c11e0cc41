"""`freeflow run`: the capture loop on a network interface, until a signal."""

from __future__ import annotations

import signal
from argparse import Namespace

from classifier.cli.arguments import add_ledger, add_plan, new_command
from classifier.cli.output import Output, say
from classifier.cli.progress import CompilationNotice
from classifier.errors import ConfigurationError

EXAMPLE = """\
example:
  freeflow run -i eth1 -c freeflow.toml
      meters what passes eth1 and prints the totals at every interval, until Ctrl-C or SIGTERM; what was
      rated goes to the ledger that [ledger] path or --ledger names
  freeflow run --inline eth1 eth2 -c freeflow.toml --fail-open
      forwards between the subscribers' side and the network's, and drops what is barred or blocked"""


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
    add_plan(parser)
    add_ledger(parser)
    parser.add_argument("--json", action="store_true", help="a JSON object for each interval, one a line")
    parser.set_defaults(execute=execute)


def execute(arguments: Namespace) -> int:
    """Print the totals so far at every interval and the last ones at the end; 1 where frames were lost."""
    if arguments.fail_open and not arguments.inline:
        raise ConfigurationError("--fail-open: goes with --inline; name the two ports")
    with Output(None) as output:
        from classifier.gateway.inline import Ports
        from classifier.gateway.live import LiveRun
        from classifier.gateway.plan import load_plan
        from classifier.reports.columns import Line
        from classifier.reports.usage_json import json_line
        from classifier.reports.usage_table import usage_table

        def show(report) -> None:
            if arguments.json:
                output.write([json_line(report)])
            else:
                output.write_lines([*usage_table(report, output.width), Line("")])
            output.flush()

        plan = load_plan(arguments.config, zero_rate=arguments.zero_rate, subscriber_networks=arguments.subscribers)
        for notice in plan.notices:
            say(notice)
        where = Ports(*arguments.inline, arguments.fail_open) if arguments.inline else arguments.interface
        live = LiveRun(where, plan, arguments.ledger or plan.configuration.ledger.path, say)
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: live.stop())
        with CompilationNotice():
            outcome = live.run(show)
        for problem in outcome.problems:
            say(problem)
        show(outcome.report)
    return 1 if outcome.problems else 0
