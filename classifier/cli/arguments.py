"""Options that several commands share, and a parser whose complaints are one line with a hint.

Rule of this file: an option means the same in every command that has it.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from datetime import date, datetime, tzinfo
from pathlib import Path
from typing import NoReturn

from classifier.cli.output import say
from classifier.errors import CaptureError, ConfigurationError

STANDARD_INPUT = "-"
BATCH_FRAMES = 12288  # capture.batch.BATCH_FRAMES, which comes with NumPy; a test compares
BATCH_FRAMES_MAX = 1 << 20


class Parser(argparse.ArgumentParser):
    """argparse with whole option names only, examples printed as they stand, and one line for a mistake."""

    def __init__(self, **options) -> None:
        super().__init__(**{"allow_abbrev": False, "formatter_class": argparse.RawDescriptionHelpFormatter, **options})

    def error(self, message: str) -> NoReturn:
        """One line on standard error, exit status 2."""
        say(f"{message.rstrip('.')}; {self.prog} --help shows how")
        self.exit(2)


def new_command(commands, name: str, summary: str, example: str) -> Parser:
    """A command's parser; `example` is a command line and what it does."""
    return commands.add_parser(name, help=summary, description=summary[:1].upper() + summary[1:] + ".", epilog=example)


def add_config(parser: argparse.ArgumentParser) -> None:
    """`-c`."""
    parser.add_argument("-c", "--config", metavar="TOML", help="configuration file; none is read unless named here")


def add_plan(parser: argparse.ArgumentParser) -> None:
    """What decides who pays: `-c`, `--zero-rate`, `--subscribers`."""
    add_config(parser)
    parser.add_argument(
        "--zero-rate",
        metavar="APP,...",
        type=comma_list,
        action="extend",
        default=[],
        help="applications that are free for everyone, without limit",
    )
    parser.add_argument(
        "--subscribers",
        metavar="NET,...",
        type=comma_list,
        action="extend",
        default=[],
        help="subscriber networks, in place of the configured ones (default: the private ranges)",
    )


def add_captures(parser: argparse.ArgumentParser) -> None:
    """Capture files, how many frames go to the kernels at once, and how many threads share the work."""
    parser.add_argument("files", metavar="FILE", nargs="+", help="pcap or pcapng, gzip or not; - is standard input")
    parser.add_argument(
        "--batch-frames",
        metavar="N",
        type=_batch_frames,
        default=BATCH_FRAMES,
        help=f"frames listed at a time; for diagnosis, results do not depend on it (default: {BATCH_FRAMES})",
    )
    parser.add_argument(
        "--workers",
        metavar="N",
        type=int,
        choices=(1, 2),
        help="1 does all in one thread; of 2 one reads and decodes, one meters; results do not depend on it "
        "(default: 2 for a file of 1 MiB and more where there are two processors)",
    )


def add_output(parser: argparse.ArgumentParser) -> None:
    """`-o`."""
    parser.add_argument(
        "-o", "--output", metavar="OUT", help="write to this file, once complete (default: standard output)"
    )


def add_ledger(parser: argparse.ArgumentParser) -> None:
    """`--ledger`."""
    parser.add_argument(
        "--ledger", metavar="FILE", type=Path, help="keep what is rated in this ledger, and take allowances up from it"
    )


def comma_list(text: str) -> list[str]:
    """The words between commas."""
    words = [word.strip() for word in text.split(",")]
    if not all(words):
        raise argparse.ArgumentTypeError(f'"{text}" has an empty place in its list')
    return words


def moment(text: str, option: str) -> date | datetime:
    """A day or a time out of an option's text. ConfigurationError if it is neither."""
    try:
        found = date.fromisoformat(text) if len(text) == len("2013-11-11") else datetime.fromisoformat(text)
    except ValueError:
        mend = "write it like 2013-11-11 or 2013-11-11T09:00+08:00"
        raise ConfigurationError(f'{option}: "{text}" is not a time; {mend}') from None
    if not 1678 <= found.year <= 2261:  # what nanoseconds in 64 bits hold
        raise ConfigurationError(f'{option}: "{text}" is out of range; name a year from 1678 to 2261')
    return found


def local(found: date | datetime, zone: tzinfo) -> date | datetime:
    """A time without an offset is one in `zone`."""
    return found.replace(tzinfo=zone) if isinstance(found, datetime) and found.tzinfo is None else found


def _batch_frames(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= BATCH_FRAMES_MAX:
        raise argparse.ArgumentTypeError(f'"{text}" is not a number from 1 to {BATCH_FRAMES_MAX}')
    return int(text)


def check_inputs(files: Sequence[str]) -> None:
    """Raise CaptureError where standard input is named, but nothing can come from it."""
    if files.count(STANDARD_INPUT) > 1:
        raise CaptureError("-: standard input can be read only once; name it once")
    if STANDARD_INPUT in files and (sys.stdin is None or sys.stdin.isatty()):
        raise CaptureError("-: standard input holds no capture; pipe one in, like: tcpdump -w - | freeflow replay -")
