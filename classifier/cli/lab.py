"""`freeflow lab`: a gateway to try freeflow on, in network namespaces: up, traffic, demo, down.

Rule of this file: what the lab does is the lab's; here is what a person says and sees.
"""

from __future__ import annotations

import argparse
import signal
import sys
from argparse import Namespace

from classifier.cli.arguments import Parser, new_command
from classifier.cli.output import Output, say
from classifier.lab import DEFAULT_PREFIX, DEFAULT_SECONDS, SECONDS_MAX

EXAMPLES = {
    "lab": """\
example:
  freeflow lab demo
      shows freeflow at work on made-up subscribers, and leaves nothing behind""",
    "up": """\
example:
  freeflow lab up
      builds six subscribers, a gateway and an internet, and says how to run freeflow on the gateway""",
    "traffic": """\
example:
  freeflow lab traffic --seed 7 --mix facebook=3,taobao=1,unknown=2 --seconds 30
      half of what the subscribers ask for in these 30 seconds is Facebook, a third of no known application""",
    "demo": """\
example:
  freeflow lab demo --seconds 30
      builds the lab, meters 30 seconds of its traffic with freeflow run, and takes the lab down""",
    "down": """\
example:
  freeflow lab down
      removes every trace of the lab, also after a crash; does nothing where there is none""",
}
WHAT_TO_LOOK_AT = (
    "Look at liang: some of his www.facebook.com came from a server that is not Facebook's: contradicted, so he is charged. "
    "And at chen: Alibaba pays for his first 250 kB, and no more."
)
EXIT_INTERRUPTED = 128 + 2  # SIGINT, as in main
_SEED_MAX = 1 << 63


def add_command(commands) -> None:
    """Add `lab` and what it can do to the commands."""
    parser = new_command(commands, "lab", "try freeflow on a gateway in network namespaces", EXAMPLES["lab"])
    actions = parser.add_subparsers(title="actions", metavar="ACTION", required=True)
    for name, summary, execute in (
        ("up", "build subscribers, a gateway and an internet", execute_up),
        ("traffic", "have the subscribers use the internet", execute_traffic),
        ("demo", "do all of it, with freeflow run on the gateway", execute_demo),
        ("down", "remove every trace of the lab", execute_down),
    ):
        action = new_command(actions, name, summary, EXAMPLES[name])
        if name in ("traffic", "demo"):
            _add_traffic(action)
        action.add_argument(
            "--prefix",
            metavar="PREFIX",
            default=DEFAULT_PREFIX,
            help=f"what its namespaces and its folder are called, for a lab beside another (default: {DEFAULT_PREFIX})",
        )
        action.set_defaults(execute=execute)


def _add_traffic(parser: Parser) -> None:
    parser.add_argument(
        "--seed",
        metavar="N",
        type=_number(0, _SEED_MAX),
        default=1,
        help="the same number asks for the same (default: 1)",
    )
    parser.add_argument(
        "--mix",
        metavar="APP=N,...",
        help="how often each application is asked for, beside the others; unknown is one (default: some of each)",
    )
    parser.add_argument(
        "--seconds",
        metavar="S",
        type=_number(1, SECONDS_MAX),
        default=DEFAULT_SECONDS,
        help=f"for how long, up to {SECONDS_MAX} (default: {DEFAULT_SECONDS})",
    )


def execute_up(arguments: Namespace) -> int:
    """Build the lab and say how to go on."""
    from classifier.lab import life, namespaces
    from classifier.lab.topology import GATEWAY, UPSTREAM

    prefix = _prepare(arguments)
    path = life.up(prefix)
    gateway = namespaces.namespace(prefix, GATEWAY)
    option = "" if prefix == DEFAULT_PREFIX else f" --prefix {prefix}"
    with Output(None) as output:
        output.write(
            [
                f"the lab is up; its namespaces are {', '.join(namespaces.existing(prefix))}\n",
                f"  ip netns exec {gateway} freeflow run -i {UPSTREAM} -c {path}\n",
                f"  freeflow lab traffic{option}        (in another terminal)\n",
                f"  freeflow lab down{option}\n",
            ]
        )
    return 0


def execute_traffic(arguments: Namespace) -> int:
    """Drive the traffic; 1 where a transfer failed."""
    from classifier.lab import life

    prefix = _prepare(arguments)
    driven = life.drive(prefix, _plan(arguments, arguments.seconds))
    with Output(None) as output:
        output.write([_driven_text(driven, arguments) + "\n"])
    return _tell_problems(driven)


def execute_demo(arguments: Namespace) -> int:
    """All of it; freeflow's exit status, or 1 where a transfer failed."""
    from classifier.lab.demo import demonstrate

    prefix, plan = _prepare(arguments), _plan(arguments, arguments.seconds)
    try:
        status, driven = demonstrate(prefix, plan, say)
    except KeyboardInterrupt:
        say("interrupted: the lab is taken down")
        return EXIT_INTERRUPTED
    if driven is None:
        return status
    with Output(None) as output:
        output.write([_driven_text(driven, arguments) + "\n", WHAT_TO_LOOK_AT + "\n"])
    return status or _tell_problems(driven)


def execute_down(arguments: Namespace) -> int:
    """Remove what there is."""
    from classifier.lab import life, state

    prefix = state.check_prefix(arguments.prefix)
    life.require(extra=False)
    there = state.remove(prefix)
    with Output(None) as output:
        output.write(["the lab is down\n" if there else "there is no lab to take down\n"])
    return 0


def _prepare(arguments: Namespace) -> str:
    """The prefix, once everything is there that a lab needs. What ends this process lets it clean up first, as Ctrl-C does."""
    from classifier.lab import life, state

    prefix = state.check_prefix(arguments.prefix)
    life.require()
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda which, _: sys.exit(128 + which))
    return prefix


def _plan(arguments: Namespace, seconds: int):
    from classifier.lab.life import plan_traffic
    from classifier.lab.traffic import DEFAULT_MIX, parse_mix

    mix = parse_mix(arguments.mix) if arguments.mix is not None else DEFAULT_MIX
    return plan_traffic(arguments.seed, mix, seconds)


def _driven_text(driven, arguments: Namespace) -> str:
    from classifier.reports.words import octets_text

    ways = ", ".join(f"{number} by {way}" for way, number in driven.ways.items())
    return (
        f"seed {arguments.seed}: {driven.transfers} transfers ({ways}) of {octets_text(driven.octets)} in their bodies"
    )


def _tell_problems(driven) -> int:
    for problem in driven.problems:
        say(problem)
    return 1 if driven.problems else 0


def _number(least: int, most: int):
    def parse(text: str) -> int:
        if not (text.isdecimal() and text.isascii()) or not least <= int(text) <= most:
            raise argparse.ArgumentTypeError(f'"{text}" is not a number from {least} to {most}')
        return int(text)

    return parse
