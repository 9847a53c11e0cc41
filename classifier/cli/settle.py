"""`freeflow settle`: what each payer owes each operator for a month, and what a subscriber is told of it."""

from __future__ import annotations

import argparse
import json
import re
from argparse import Namespace
from pathlib import Path

from classifier.cli.arguments import add_output, new_command
from classifier.cli.output import Output, say
from classifier.errors import ConfigurationError
from classifier.reports.columns import Line

EXAMPLE = """\
example:
  freeflow settle usage.db --month 2013-11 --payer alibaba
      what Alibaba owes each operator for November, by programme and step of the tariff
  freeflow settle usage.db --month 2013-11 --subscriber lin
      what Lin used in November, what was free and by whom, what is left of it, why the rest is charged"""


def add_command(commands) -> None:
    """Add `settle` to the commands."""
    parser = new_command(commands, "settle", "say who owes whom for a month, or what a subscriber used", EXAMPLE)
    parser.add_argument("ledger", metavar="LEDGER", type=Path)
    parser.add_argument("--month", metavar="YYYY-MM", type=_month, help="the month (default: all that have usage)")
    whose = parser.add_mutually_exclusive_group()
    whose.add_argument("--payer", metavar="P", help="only what this payer owes")
    whose.add_argument("--subscriber", metavar="S", help="the statement of this subscriber; needs --month")
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="one JSON object, exact octets, money as text")
    form.add_argument("--csv", action="store_true", help="a row for each debt, step and charge")
    add_output(parser)
    parser.set_defaults(execute=execute)


def execute(arguments: Namespace) -> int:
    """Print settlement or statement; 1 where the ledger's own sums do not agree."""
    if arguments.subscriber is not None and arguments.month is None:
        raise ConfigurationError("--subscriber: a statement is of one month; name it with --month")
    with Output(arguments.output, [str(arguments.ledger)]) as output:
        from classifier.gateway.settling import MonthBook
        from classifier.ledger.read import LedgerReader

        with LedgerReader(arguments.ledger) as reader:
            book = MonthBook(reader)
            book.check(arguments.month, arguments.payer)
            if arguments.subscriber is not None:
                _write_statement(book.statement(arguments.month, arguments.subscriber), arguments, output)
                return 0
            months = book.months if arguments.month is None else [arguments.month]
            settlements = [book.settlement(month, arguments.payer) for month in months]
        return _write_settlements(settlements, arguments, output)


def _write_settlements(settlements: list, arguments: Namespace, output: Output) -> int:
    from classifier.reports import settlement_forms as forms

    if arguments.json:
        output.write([json.dumps(forms.settlement_json(settlements), indent=2), "\n"])
    elif arguments.csv:
        output.write([forms.settlement_csv(settlements)])
    else:
        for place, settlement in enumerate(settlements):
            output.write_lines([Line("")] if place else [])
            output.write_lines(forms.settlement_lines(settlement, output.width))
    differences = [text for settlement in settlements for text in forms.difference_texts(settlement)]
    for text in differences:
        say(f"{arguments.ledger}: {text}; do not settle by it, restore the ledger from a copy")
    return 1 if differences else 0


def _write_statement(statement, arguments: Namespace, output: Output) -> None:
    from classifier.reports import statement_forms as forms

    if arguments.json:
        output.write([json.dumps(forms.statement_json(statement), indent=2), "\n"])
    elif arguments.csv:
        output.write([forms.statement_csv(statement)])
    else:
        output.write_lines(forms.statement_lines(statement, output.width))


def _month(text: str) -> str:
    if not re.fullmatch(r"\d{4}-(0[1-9]|1[0-2])", text):
        raise argparse.ArgumentTypeError(f'"{text}" is not a month; write it like 2013-11')
    return text
