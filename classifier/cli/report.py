"""`freeflow report`: what a ledger holds, in groups, over any range of time."""

from __future__ import annotations

import json
from argparse import Namespace
from pathlib import Path

from classifier.cli.arguments import add_output, local, moment, new_command
from classifier.cli.output import Output, say
from classifier.errors import ConfigurationError
from classifier.reports.words import GROUPINGS

EXAMPLE = """\
example:
  freeflow report usage.db --by programme --from 2013-11-01 --to 2013-12-01
      tells what each programme carried in November, and what was charged to the subscribers"""


def add_command(commands) -> None:
    """Add `report` to the commands."""
    parser = new_command(commands, "report", "add up what a ledger holds", EXAMPLE)
    parser.add_argument("ledger", metavar="LEDGER", type=Path)
    parser.add_argument(
        "--by", choices=GROUPINGS, default="application", help="what to group by (default: application)"
    )
    parser.add_argument(
        "--from",
        metavar="TIME",
        dest="begin",
        help="like 2013-11-01 or 2013-11-01T09:00, local unless it has an offset",
    )
    parser.add_argument("--to", metavar="TIME", dest="end", help="the first moment that does not count any more")
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="one JSON object, exact octets")
    form.add_argument("--csv", action="store_true", help="a row for each group, exact octets")
    add_output(parser)
    parser.set_defaults(execute=execute)


def execute(arguments: Namespace) -> int:
    """Print the report."""
    begin, end = (
        None if text is None else moment(text, option)
        for text, option in ((arguments.begin, "--from"), (arguments.end, "--to"))
    )
    with Output(arguments.output, (str(arguments.ledger),)) as output:
        from classifier.gateway.ledger_sums import ledger_periods, ledger_report
        from classifier.ledger.read import LedgerReader
        from classifier.reports.ledger_report import report_csv, report_json, report_lines

        with LedgerReader(arguments.ledger) as reader:
            periods = ledger_periods(reader)
            begin, end = (None if one is None else local(one, periods.zone) for one in (begin, end))
            report = ledger_report(reader, periods, arguments.by, begin, end)
            if report.begin_ns is not None and report.end_ns is not None and report.end_ns <= report.begin_ns:
                raise ConfigurationError(f"--to: {arguments.end} is not after {arguments.begin}; name a later time")
            for option, edge_ns in (("--from", report.begin_ns), ("--to", report.end_ns)):
                if edge_ns is not None and reader.cut_intervals(edge_ns):
                    say(f"{option}: lies within an interval of the ledger, which counts where it begins")
        if arguments.json:
            output.write([json.dumps(report_json(report), indent=2), "\n"])
        elif arguments.csv:
            output.write(report_csv(report))
        else:
            output.write_lines(report_lines(report, output.width))
    return 0
