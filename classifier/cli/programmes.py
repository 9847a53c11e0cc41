"""`freeflow programmes`: check the offers, list them, say in plain words what one means, and what a subscriber gets.

Rule of this file: it reads configuration, catalogue and subscribers; no kernel is needed to ask about an offer.
"""

from __future__ import annotations

import json
from argparse import Namespace
from collections.abc import Iterable, Sequence
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import NamedTuple

from classifier.cli.arguments import add_config, local, moment, new_command
from classifier.cli.output import Output, say
from classifier.errors import ConfigurationError
from classifier.reports.columns import Line

EXAMPLES = {
    "check": """\
example:
  freeflow programmes check -c freeflow.toml
      checks the programmes and the subscribers who may have them, every file in one pass""",
    "list": """\
example:
  freeflow programmes list -c freeflow.toml
      lists the programmes in the order in which they apply""",
    "show": """\
example:
  freeflow programmes show alibaba-free-flow
      says in plain words who gets what, until when and on whose bill""",
    "explain": """\
example:
  freeflow programmes explain --subscriber lin --at 2013-11-11T09:00 -c freeflow.toml
      tells what Lin gets then, what is left of it by the ledger, and why the other programmes do not apply""",
}


class Known(NamedTuple):
    """What the files say."""

    configuration: object
    catalogue: object
    subscribers: tuple


def add_command(commands) -> None:
    """Add `programmes` and what it can do to the commands."""
    parser = new_command(
        commands,
        "programmes",
        "check, list or explain the offers",
        "example:\n  freeflow programmes show yixin-telecom\n      says in plain words what the offer is",
    )
    actions = parser.add_subparsers(title="actions", metavar="ACTION", required=True)
    check = new_command(actions, "check", "find every mistake in the programmes", EXAMPLES["check"])
    check.add_argument("folders", metavar="FOLDER", nargs="*", help="signatures folders on top of the configured ones")
    check.set_defaults(execute=execute_check)
    listing = new_command(actions, "list", "list the programmes", EXAMPLES["list"])
    listing.set_defaults(execute=execute_list)
    show = new_command(actions, "show", "say in plain words what a programme means", EXAMPLES["show"])
    show.add_argument("programme", metavar="NAME")
    show.set_defaults(execute=execute_show)
    explain = new_command(actions, "explain", "tell what a subscriber gets at a moment", EXAMPLES["explain"])
    explain.add_argument(
        "--subscriber", metavar="S", required=True, help="a name in the subscriber file, or an address"
    )
    explain.add_argument(
        "--at", metavar="TIME", required=True, help="like 2013-11-11 or 2013-11-11T09:00, local unless it has an offset"
    )
    explain.add_argument(
        "--ledger", metavar="FILE", type=Path, help="what was used of allowances (default: that of the configuration)"
    )
    explain.set_defaults(execute=execute_explain)
    for action in (check, listing, show, explain):
        add_config(action)
        if action is not check:
            action.add_argument("--json", action="store_true", help="one JSON object")


def execute_check(arguments: Namespace) -> int:
    """Raise ConfigurationError with every mistake, or say how much was checked and what is most likely not meant."""
    from classifier.gateway.programme_checks import programme_warnings
    from classifier.reports.words import count_text

    configuration, catalogue, subscribers = _load(arguments.config, arguments.folders)
    for warning in programme_warnings(catalogue.programmes, subscribers, configuration.gateway.subscribers):
        say(f"warning: {warning}")
    counted = count_text(len(catalogue.programmes), "programme")
    if configuration.gateway.subscribers is not None:
        counted += f", {count_text(len(subscribers), 'subscriber')}"
    return _write([Line(f"{counted}: no mistakes")])


def execute_list(arguments: Namespace) -> int:
    """Print a line for each programme."""
    from classifier.cli import programme_pages as pages

    known = _load(arguments.config)
    programmes = pages.in_order(known.catalogue.programmes, _periods(known))
    if arguments.json:
        return _write_json({"programmes": [pages.programme_json(programme) for programme in programmes]})
    with Output(None) as output:
        output.write_lines(pages.list_lines(programmes, output.width))
    return 0


def execute_show(arguments: Namespace) -> int:
    """Print one programme's terms."""
    from classifier.cli import programme_pages as pages
    from classifier.validation import did_you_mean

    named = {programme.name: programme for programme in _load(arguments.config).catalogue.programmes}
    if arguments.programme not in named:
        near = did_you_mean(arguments.programme, list(named))
        raise ConfigurationError(f'no programme is named "{arguments.programme}"; {near}')
    programme = named[arguments.programme]
    if arguments.json:
        return _write_json(pages.programme_json(programme))
    with Output(None) as output:
        output.write_lines(pages.show_lines(programme, output.width))
    return 0


def execute_explain(arguments: Namespace) -> int:
    """Print what a subscriber gets at a moment, programme by programme."""
    from classifier.cli import programme_pages as pages
    from classifier.rating.explain import explain
    from classifier.rating.periods import instant_ns

    known = _load(arguments.config)
    periods = _periods(known)
    at_ns = instant_ns(local(moment(arguments.at, "--at"), periods.zone), periods.zone)
    number = _subscriber_number(arguments.subscriber, known)
    subscriber = known.subscribers[number - 1] if number else None
    label = subscriber.name if subscriber else _plain_label(arguments.subscriber)
    used = _used(arguments.ledger or known.configuration.ledger.path, label, number)
    explained = explain(known.catalogue.programmes, subscriber, number, at_ns, periods, used)
    answer = pages.explain_json(arguments.subscriber, subscriber, at_ns, periods, explained)
    if arguments.json:
        return _write_json(answer)
    with Output(None) as output:
        output.write_lines(pages.explain_lines(answer, output.width))
    return 0


def _used(ledger: Path | None, label: str, number: int) -> dict:
    """What the subscriber of this label has used of allowances; nothing where there is no ledger, or none yet."""
    from classifier.ledger.read import LedgerReader
    from classifier.rating.allowances import AllowanceKey

    if ledger is None or not ledger.exists():
        return {}
    with LedgerReader(ledger) as reader:
        known = reader.subscriber_number(label)
        figures = {} if known is None else reader.allowances_of(known)
    return {AllowanceKey(number, *period): octets for period, octets in figures.items()}


def _plain_label(address: str) -> str:
    """What a subscriber in no file is called: its address, or of IPv6 its /64."""
    found = ip_address(address)
    return str(found) if found.version == 4 else str(ip_network((found, 64), strict=False))


def _subscriber_number(sought: str, known: Known) -> int:
    """The place of a subscriber in the file, counted from 1; 0 for an address that is nobody's there."""
    from classifier.validation import did_you_mean

    names = [subscriber.name for subscriber in known.subscribers]
    if sought in names:
        return names.index(sought) + 1
    try:
        address = ip_address(sought)
    except ValueError:
        near = did_you_mean(sought, names) if len(names) <= 10_000 else "check the name"
        raise ConfigurationError(f'--subscriber: no subscriber is named "{sought}"; {near}') from None
    holders = [
        (prefix.prefixlen, number)
        for number, subscriber in enumerate(known.subscribers, 1)
        for prefix in subscriber.addresses
        if address.version == prefix.version and address in prefix
    ]
    return max(holders, default=(0, 0))[1]


def _periods(known: Known):
    from classifier.rating.periods import Periods

    gateway = known.configuration.gateway
    return Periods(gateway.zone, gateway.month_starts_on)


def _load(config: str | None, folders: Sequence[str] = ()) -> Known:
    """Configuration, catalogue with `folders` on top, and subscribers."""
    from classifier.catalogue.load import load_catalogue
    from classifier.configuration import load_configuration
    from classifier.gateway.programme_checks import unknown_enrolments
    from classifier.subscribers.load import load_subscribers

    configuration = load_configuration(config)
    gateway = configuration.gateway
    catalogue = load_catalogue((*gateway.signatures, *folders))
    subscribers = ()
    if gateway.subscribers is not None:
        subscribers = load_subscribers(gateway.subscribers, bound=configuration.binds_addresses)
    problems = unknown_enrolments(catalogue.programmes, subscribers, gateway.subscribers)
    if problems:
        raise ConfigurationError(problems)
    return Known(configuration, catalogue, subscribers)


def _write(lines: Iterable[Line]) -> int:
    with Output(None) as output:
        output.write_lines(lines)
    return 0


def _write_json(answer: dict) -> int:
    with Output(None) as output:
        output.write([json.dumps(answer, indent=2), "\n"])
    return 0
