"""`freeflow rate`: what a ledger's usage would come to under other offers."""

from __future__ import annotations

import json
from argparse import Namespace
from pathlib import Path

from classifier.cli.arguments import new_command
from classifier.cli.output import Output, say

EXAMPLE = """\
example:
  freeflow rate usage.db --programmes what-if -o what-if.db
      rates all usage in usage.db under the offers in what-if/ alone, and shows what each carries and costs
      before and after; what-if.db is a ledger of the result, for report and the like"""


def add_command(commands) -> None:
    """Add `rate` to the commands."""
    parser = new_command(commands, "rate", "rate a ledger's usage again, under other offers", EXAMPLE)
    parser.add_argument("ledger", metavar="LEDGER", type=Path)
    parser.add_argument(
        "--programmes",
        metavar="DIR",
        help="the offers, and no others; a signatures folder or one of their files (default: those of the ledger)",
    )
    parser.add_argument("-o", "--output", metavar="NEW", type=Path, help="a new ledger for the result")
    parser.add_argument("--json", action="store_true", help="one JSON object, exact octets")
    parser.set_defaults(execute=execute)


def execute(arguments: Namespace) -> int:
    """Print the accounts before and after."""
    from classifier.catalogue.load import load_catalogue, load_programmes
    from classifier.gateway.rerating import rerate
    from classifier.ledger.read import LedgerReader
    from classifier.ledger.write import new_ledger
    from classifier.reports.rerated import rerated_json, rerated_lines

    with Output(None) as output, LedgerReader(arguments.ledger) as reader:
        programmes = None
        if arguments.programmes is not None:
            known = {outcome.application for outcome in reader.outcomes() if outcome is not None}
            programmes = load_programmes(arguments.programmes, known | set(load_catalogue().application_names))
        if arguments.output is None:
            result = rerate(reader, programmes)
        else:
            with new_ledger(arguments.output) as writer:
                result = rerate(reader, programmes, writer)
        for name in result.gone:
            say(f"{name} carried usage in {arguments.ledger} and is not in {arguments.programmes}: rated without it")
        if arguments.json:
            output.write([json.dumps(rerated_json(result), indent=2), "\n"])
        else:
            output.write_lines(rerated_lines(result, output.width))
    return 0
