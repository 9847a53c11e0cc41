"""`freeflow replay`: meter capture files and report whose octets were free, whose were charged, and why."""

from __future__ import annotations

from argparse import Namespace

from classifier.cli.arguments import add_captures, add_ledger, add_output, add_plan, check_inputs, new_command
from classifier.cli.output import Output, say
from classifier.cli.progress import CompilationNotice, ProgressBar
from classifier.errors import ConfigurationError

EXAMPLE = """\
example:
  freeflow replay morning.pcap noon.pcapng.gz --zero-rate facebook,wechat
      meters both files as one input, with Facebook and WeChat free for everyone
  freeflow replay november.pcap -c freeflow.toml --ledger usage.db
      also keeps what was rated, and goes on with the allowances that usage.db knows; a ledger
      that the configuration names is for freeflow run, and not written by a replay"""


def add_command(commands) -> None:
    """Add `replay` to the commands."""
    parser = new_command(commands, "replay", "meter capture files", EXAMPLE)
    add_captures(parser)
    add_plan(parser)
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="one JSON object, exact octets")
    form.add_argument("--csv", action="store_true", help="a row for each subscriber and application, exact octets")
    add_output(parser)
    add_ledger(parser)
    parser.add_argument(
        "--append-anyway", action="store_true", help="count a capture that the ledger has already once more"
    )
    parser.set_defaults(execute=execute)


def execute(arguments: Namespace) -> int:
    """Meter the files and write the report; 1 where one of them could not be read to its end."""
    check_inputs(arguments.files)
    if arguments.append_anyway and arguments.ledger is None:
        raise ConfigurationError("--append-anyway: is about a ledger; name it with --ledger")
    with Output(arguments.output, arguments.files) as output:
        from classifier.gateway.plan import load_plan
        from classifier.gateway.replay import replay

        plan = load_plan(arguments.config, zero_rate=arguments.zero_rate, subscriber_networks=arguments.subscribers)
        with CompilationNotice(), ProgressBar() as progress:
            outcome = replay(
                arguments.files,
                plan,
                batch_frames=arguments.batch_frames,
                workers=arguments.workers,
                progress=progress,
                ledger=arguments.ledger,
                append_anyway=arguments.append_anyway,
            )
        for line in (*plan.notices, *outcome.problems):
            say(line)
        _write(outcome.report, arguments, output)
    return 1 if outcome.problems else 0


def _write(report, arguments: Namespace, output: Output) -> None:
    if arguments.json:
        from classifier.reports.usage_json import json_text

        output.write(json_text(report))
    elif arguments.csv:
        from classifier.reports.usage_csv import csv_text

        output.write(csv_text(report))
    else:
        from classifier.reports.usage_table import usage_table

        output.write_lines(usage_table(report, output.width))
