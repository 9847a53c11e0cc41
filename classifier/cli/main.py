"""The command `freeflow`: which command it is, and what becomes of whatever goes wrong in it.

Rules of this file: it imports nothing heavy, so that `--help` is quick; a command's own imports wait until it runs.
Nobody sees a traceback who did not ask for one. Exit status (contract): 0 done, 1 something was wrong with the data,
2 the operator's mistake; and what a shell gives for a signal: 130 interrupted, 141 nobody reads the output any more.
"""

from __future__ import annotations

import atexit
import gc
import os
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import TextIO

import classifier
from classifier.cli.arguments import Parser
from classifier.cli.output import say
from classifier.errors import ConfigurationError, FreeflowError

# Each is a module here, and stands in --help in this order.
COMMANDS = (
    "replay",
    "flows",
    "run",
    "report",
    "settle",
    "campaign",
    "rate",
    "signatures",
    "programmes",
    "doctor",
    "lab",
)
COLLECTED_FROM_OBJECTS = 100_000
EXIT_INTERRUPTED = 128 + 2  # SIGINT
EXIT_BROKEN_PIPE = 128 + 13  # SIGPIPE
EXIT_DEFECT = 70  # sysexits.h: EX_SOFTWARE
DEBUG_VARIABLE = "FREEFLOW_DEBUG"


def command() -> int:
    """`main` in a process of its own, which ends with it.

    Linux takes a process's memory back in 6 ms. Python would first take all that is in it apart, in 60 to 80: here it has
    nothing more to do once its threads have ended, exit handlers have run (of these the first registered is the last to run)
    and what was printed is out.
    """
    status = None

    def end() -> None:
        if status is not None and _is_out(sys.stdout) and _is_out(sys.stderr):
            os._exit(status)

    atexit.register(end)
    # NumPy's BLAS begins a thread for each further processor, which spins for 0.1 s; nothing here multiplies matrices.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    # A start makes 50,000 objects that stay; to look through them for garbage 76 times takes 14 ms.
    gc.set_threshold(COLLECTED_FROM_OBJECTS)
    status = main()
    return status


def _is_out(stream: TextIO | None) -> bool:
    try:
        if stream is not None:
            stream.flush()
    except (OSError, ValueError):
        return False  # Python has its own words and exit status for that
    return True


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status. Never raises, but a defect's traceback with FREEFLOW_DEBUG=1."""
    try:
        argv = sys.argv[1:] if argv is None else argv
        # All parsers take 15 ms to be made: who names a command waits for that one alone.
        arguments = make_parser(argv[:1] if argv and argv[0] in COMMANDS else COMMANDS).parse_args(argv)
        status = arguments.execute(arguments)
        if sys.stdout is not None:
            sys.stdout.flush()
    except SystemExit as leaving:  # argparse: 0 after --help and --version, 2 after a mistake
        return leaving.code if isinstance(leaving.code, int) else 2
    except FreeflowError as error:
        lines = error.problems if isinstance(error, ConfigurationError) else (str(error),)
        for line in lines:
            say(line)
        return error.exit_status
    except BrokenPipeError:
        _abandon_output()
        return EXIT_BROKEN_PIPE
    except KeyboardInterrupt:
        say("interrupted: nothing is reported")
        return EXIT_INTERRUPTED
    except OSError as error:
        _abandon_output()
        if os.environ.get(DEBUG_VARIABLE):
            raise
        say(f"{error.filename or 'reading or writing'}: {error.strerror or error}; check the disk and the permissions")
        return FreeflowError.exit_status
    except Exception as error:
        if os.environ.get(DEBUG_VARIABLE):
            raise
        what = f"{type(error).__name__}: {error}".strip().splitlines()[0]
        say(f"a defect of freeflow, not of your input: {what}; please report it with what {DEBUG_VARIABLE}=1 prints")
        return EXIT_DEFECT
    return status


def make_parser(names: Sequence[str] = COMMANDS) -> Parser:
    """These commands and their options."""
    parser = Parser(
        prog="freeflow",
        description="Which octets are free, for whom, until when and on whose bill.",
        epilog="freeflow COMMAND --help gives an example of each.",
    )
    parser.add_argument("--version", action="version", version=f"freeflow {classifier.__version__}")
    # Without `prog` argparse would write the whole usage to find it.
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True, prog=parser.prog)
    for name in names:
        import_module(f"classifier.cli.{name}").add_command(commands)
    return parser


def _abandon_output() -> None:
    """Let the interpreter flush what is left of standard output into nothing (Python's library/signal, SIGPIPE)."""
    try:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)
    except (OSError, ValueError, AttributeError):
        pass
