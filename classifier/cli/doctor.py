"""`freeflow doctor`: what would stop or skew a run here, and the mend."""

from __future__ import annotations

import json
from argparse import Namespace
from datetime import date
from pathlib import Path

from classifier.cli.arguments import add_config, new_command
from classifier.cli.output import Output

EXAMPLE = """\
example:
  freeflow doctor -c freeflow.toml -i eth0
      looks at this machine, the configuration with its ledger, and the interface; exit status 1 where a
      run would not work"""
STYLES = {"ok": "", "warning": "notice", "fault": "notice"}
STATE_WIDTH, WHAT_WIDTH = 9, 15


def add_command(commands) -> None:
    """Add `doctor` to the commands."""
    parser = new_command(commands, "doctor", "tell what would stop or skew a run here", EXAMPLE)
    add_config(parser)
    parser.add_argument("-i", "--interface", metavar="IFACE", help="also look at this interface")
    parser.add_argument("--ledger", metavar="FILE", type=Path, help="a ledger (default: that of the configuration)")
    parser.add_argument("--json", action="store_true", help="one JSON object")
    parser.set_defaults(execute=execute)


def execute(arguments: Namespace) -> int:
    """Print what was found; 1 where there is a fault."""
    from classifier.gateway.doctor import FAULT, examine
    from classifier.reports.columns import Line

    with Output(None) as output:
        found = examine(arguments.config, arguments.ledger, arguments.interface, date.today())
        if arguments.json:
            output.write([json.dumps({"findings": [one._asdict() for one in found]}, indent=2), "\n"])
        else:
            output.write_lines(
                Line(f"{one.state:<{STATE_WIDTH}}{one.what:<{WHAT_WIDTH}}{one.text}", STYLES[one.state])
                for one in found
            )
    return 1 if any(one.state == FAULT for one in found) else 0
