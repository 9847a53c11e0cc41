"""`freeflow campaign`: what an offer did: before, during and after it, beside those who could not have it."""

from __future__ import annotations

import json
from argparse import Namespace
from pathlib import Path

from classifier.cli.arguments import add_output, new_command
from classifier.cli.output import Output

EXAMPLE = """\
example:
  freeflow campaign usage.db facebook-zero
      active subscribers, octets and share of traffic before, during and after the offer, and who stayed
  freeflow campaign usage.db facebook-zero --html -o facebook-zero.html
      the same with plots, in one file that needs no network"""


def add_command(commands) -> None:
    """Add `campaign` to the commands."""
    parser = new_command(commands, "campaign", "say what an offer did, with the noise of it", EXAMPLE)
    parser.add_argument("ledger", metavar="LEDGER", type=Path)
    parser.add_argument("programme", metavar="PROGRAMME")
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="one JSON object, with every day")
    form.add_argument("--html", action="store_true", help="one HTML file with plots")
    add_output(parser)
    parser.set_defaults(execute=execute)


def execute(arguments: Namespace) -> int:
    """Print what the offer did."""
    with Output(arguments.output, (str(arguments.ledger),)) as output:
        from classifier.gateway.campaigning import campaign
        from classifier.ledger.read import LedgerReader

        with LedgerReader(arguments.ledger) as reader:
            found = campaign(reader, arguments.programme)
        if arguments.json:
            from classifier.reports.campaign_json import campaign_json

            output.write([json.dumps(campaign_json(found), indent=2), "\n"])
        elif arguments.html:
            from classifier.reports.campaign_html import campaign_html

            output.write([campaign_html(found)])
        else:
            from classifier.reports.campaign_page import campaign_lines

            output.write_lines(campaign_lines(found, output.width))
    return 0
