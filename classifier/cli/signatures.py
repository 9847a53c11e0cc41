"""`freeflow signatures`: check the catalogue, list it, show one application, look a name or an address up.

Rule of this file: it reads the catalogue alone; neither kernels nor subscribers are needed to ask about a rule.
"""

from __future__ import annotations

import json
from argparse import Namespace
from collections.abc import Iterable, Sequence

from classifier.cli.arguments import add_config, new_command
from classifier.cli.output import Output
from classifier.errors import ConfigurationError
from classifier.reports.columns import Line

EXAMPLES = {
    "check": """\
example:
  freeflow signatures check signatures
      checks the folder signatures on top of what ships with freeflow, every file in one pass""",
    "list": """\
example:
  freeflow signatures list -c freeflow.toml
      lists the applications and programmes that this configuration knows""",
    "show": """\
example:
  freeflow signatures show facebook
      prints what Facebook is recognised by, and from which file""",
    "lookup": """\
example:
  freeflow signatures lookup m.facebook.com
      tells which application has this name, by which rule of which file""",
}


def add_command(commands) -> None:
    """Add `signatures` and what it can do to the commands."""
    parser = new_command(
        commands,
        "signatures",
        "check, list or search the applications and programmes",
        "example:\n  freeflow signatures lookup 157.240.1.35\n      tells whose address it is",
    )
    actions = parser.add_subparsers(title="actions", metavar="ACTION", required=True)
    check = new_command(actions, "check", "find every mistake in the signatures", EXAMPLES["check"])
    check.add_argument("folders", metavar="FOLDER", nargs="*", help="folders on top of the configured ones")
    add_config(check)
    check.set_defaults(execute=execute_check)

    listing = new_command(actions, "list", "list the applications and programmes", EXAMPLES["list"])
    listing.set_defaults(execute=execute_list)
    show = new_command(actions, "show", "print all that is known of an application", EXAMPLES["show"])
    show.add_argument("application", metavar="APP")
    show.set_defaults(execute=execute_show)
    lookup = new_command(actions, "lookup", "tell whose a name or an address is", EXAMPLES["lookup"])
    lookup.add_argument("sought", metavar="NAME_OR_ADDRESS")
    lookup.set_defaults(execute=execute_lookup)
    for action in (listing, show, lookup):
        add_config(action)
        action.add_argument("--json", action="store_true", help="one JSON object")


def execute_check(arguments: Namespace) -> int:
    """Raise ConfigurationError with every mistake, or say how much was checked."""
    from classifier.reports.words import count_text

    catalogue = _load(arguments.config, arguments.folders)
    applications = count_text(len(catalogue.applications), "application")
    programmes = count_text(len(catalogue.programmes), "programme")
    return _write([Line(f"{applications}, {programmes}: no mistakes")])


def execute_list(arguments: Namespace) -> int:
    """Print a line for each application and programme."""
    from classifier.cli import signature_pages as pages

    catalogue = _load(arguments.config)
    if arguments.json:
        return _write_json(pages.list_json(catalogue))
    with Output(None) as output:
        output.write_lines(pages.list_lines(catalogue, output.width))
    return 0


def execute_show(arguments: Namespace) -> int:
    """Print one application's file."""
    from classifier.cli import signature_pages as pages
    from classifier.validation import did_you_mean

    catalogue = _load(arguments.config)
    named = {application.name: application for application in catalogue.applications}
    if arguments.application not in named:
        near = did_you_mean(arguments.application, list(named))
        raise ConfigurationError(f'no application is named "{arguments.application}"; {near}')
    application = named[arguments.application]
    if arguments.json:
        return _write_json(pages.show_json(application, catalogue))
    with Output(None) as output:
        output.write_lines(pages.show_lines(application, catalogue, output.width))
    return 0


def execute_lookup(arguments: Namespace) -> int:
    """Print whose a name or an address is; that nobody knows it is an answer, too."""
    from classifier.cli import signature_pages as pages

    answer = pages.lookup_json(_load(arguments.config), arguments.sought)
    return _write_json(answer) if arguments.json else _write(pages.lookup_lines(answer))


def _load(config: str | None, folders: Sequence[str] = ()):
    """The catalogue in force, with `folders` on top of it."""
    from classifier.catalogue.load import load_catalogue
    from classifier.configuration import load_configuration

    return load_catalogue((*load_configuration(config).gateway.signatures, *folders))


def _write(lines: Iterable[Line]) -> int:
    with Output(None) as output:
        output.write_lines(lines)
    return 0


def _write_json(answer: dict) -> int:
    with Output(None) as output:
        output.write([json.dumps(answer, indent=2), "\n"])
    return 0
