"""The command as a process of its own: what only pipes, terminals and a fresh interpreter show."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys

import pytest
from command import DAY, DAY_CONFIG, ROOT, SMALL

FREEFLOW = [sys.executable, "-m", "classifier"]


@pytest.fixture
def environment():
    """This environment, with the package on the path."""
    kept = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "NO_COLOR", "FORCE_COLOR")}
    return kept | {"PYTHONPATH": str(ROOT), "TERM": "xterm-256color"}


def on_a_terminal(arguments, environment, columns):
    """What the command prints on a terminal of that width."""
    ours, theirs = pty.openpty()
    ran = subprocess.Popen(
        [*FREEFLOW, *map(str, arguments)], stdout=theirs, stdin=theirs, env=environment | {"COLUMNS": str(columns)}
    )
    os.close(theirs)
    printed = b""
    while True:
        try:
            piece = os.read(ours, 65536)
        except OSError:  # Linux says EIO when the last writer has gone
            break
        if not piece:
            break
        printed += piece
    os.close(ours)
    assert ran.wait() == 0
    return printed.decode()


def test_help_does_not_wait_for_numba(environment):
    code = (
        "import sys; from classifier.cli.main import main; status = main(['replay', '--help']); "
        "heavy = {'numba', 'numpy', 'rich', 'pydantic', 'pydantic_core', 'pyroute2'} & set(sys.modules); "
        "sys.exit(f'{status} {heavy}' if status or heavy else 0)"
    )
    subprocess.run([sys.executable, "-c", code], env=environment, check=True, stdout=subprocess.DEVNULL)


def test_replaying_to_a_pipe_does_not_wait_for_rich_pydantic_or_pyroute2(environment):
    code = (
        "import sys; from classifier.cli.main import main; status = main(sys.argv[1:]); "
        "heavy = {'rich', 'pydantic', 'pyroute2', 'cryptography', 'dpkt'} & set(sys.modules); "
        "sys.exit(f'{status} {heavy}' if status or heavy else 0)"
    )
    subprocess.run([sys.executable, "-c", code, "replay", SMALL], env=environment, check=True, stdout=subprocess.PIPE)


def test_a_replay_that_was_done_before_does_not_wait_for_what_checks_files_and_keeps_ledgers(environment):
    code = (
        "import sys; from classifier.cli.main import main; status = main(sys.argv[1:]); "
        "heavy = {'pydantic_core', 'tomllib', 'sqlite3', 'numpy.ma'} & set(sys.modules); "
        "sys.exit(f'{status} {heavy}' if status or heavy else 0)"
    )
    arguments = [sys.executable, "-c", code, "replay", SMALL, "--json"]
    subprocess.run([*FREEFLOW, *arguments[3:]], env=environment, check=True, stdout=subprocess.PIPE)
    subprocess.run(arguments, env=environment, check=True, stdout=subprocess.PIPE)


def test_the_process_ends_when_its_work_is_out_and_its_exit_handlers_have_run(environment, tmp_path):
    program = tmp_path / "ending.py"
    program.write_text(
        "import atexit, sys, threading, time\n"
        "from classifier.cli import main\n"
        "class Torn:\n"
        "    def __del__(self): print('taken apart', file=sys.stderr)\n"
        "kept = Torn()\n"
        "def work():\n"
        "    threading.Thread(target=lambda: (time.sleep(0.2), print('a thread'))).start()\n"
        "    atexit.register(print, 'a handler')\n"
        "    print('work')\n"
        "    return int(sys.argv[1])\n"
        "main.main = work\n"
        "sys.exit(main.command())\n"
    )
    for status in (0, 1, 130):
        ran = subprocess.run(
            [sys.executable, program, str(status)], env=environment, capture_output=True, text=True, check=False
        )
        assert (ran.returncode, ran.stdout, ran.stderr) == (status, "work\na thread\na handler\n", "")


@pytest.mark.parametrize("command", [["replay"], ["flows"], ["run"], ["signatures", "lookup"], ["signatures", "check"]])
def test_every_help_has_an_example(environment, command):
    ran = subprocess.run([*FREEFLOW, *command, "--help"], env=environment, capture_output=True, text=True, check=True)
    assert f"\n  freeflow {' '.join(command)} " in ran.stdout.partition("example:")[2]


def test_a_capture_may_come_through_a_pipe(environment):
    ran = subprocess.run(
        [*FREEFLOW, "replay", "-", "--json"], input=SMALL.read_bytes(), env=environment, capture_output=True, check=True
    )
    named = subprocess.run([*FREEFLOW, "replay", SMALL, "--json"], env=environment, capture_output=True, check=True)
    assert ran.stdout == named.stdout
    assert json.loads(ran.stdout)["observed"]["frames"] > 0


def test_nobody_reading_on_is_no_error(environment):
    ran = subprocess.Popen([*FREEFLOW, "flows", DAY], env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    ran.stdout.close()
    told = ran.stderr.read()
    ran.stderr.close()
    assert (ran.wait(), told) == (141, b"")


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
def test_a_full_disk_is_one_line(environment):
    with open("/dev/full", "wb") as full:
        ran = subprocess.run(
            [*FREEFLOW, "replay", SMALL], env=environment, stdout=full, stderr=subprocess.PIPE, text=True
        )
    assert ran.returncode == 2
    assert len(ran.stderr.splitlines()) == 1
    assert "No space left" in ran.stderr


def test_no_colour_in_a_pipe_and_some_on_a_terminal_and_lines_fit_it(environment):
    arguments = ["replay", DAY, "-c", DAY_CONFIG]
    piped = subprocess.run([*FREEFLOW, *arguments], env=environment, capture_output=True, text=True, check=True)
    assert "\x1b" not in piped.stdout
    assert max(map(len, piped.stdout.splitlines())) <= 80
    shown = on_a_terminal(arguments, environment, 60)
    assert "\x1b[1m" in shown
    plain = on_a_terminal(arguments, environment | {"TERM": "dumb"}, 60)
    assert "\x1b" not in plain
    assert max(map(len, plain.splitlines())) <= 60


def test_messages_in_another_character_set_do_not_break_the_output(environment, tmp_path):
    (tmp_path / "subscribers.csv").write_text("subscriber,address\n陈伟,10.0.0.0/8\n", encoding="utf-8")
    (tmp_path / "freeflow.toml").write_text('[gateway]\nsubscribers = "subscribers.csv"\n')
    ran = subprocess.run(
        [*FREEFLOW, "replay", SMALL, "-c", tmp_path / "freeflow.toml"],
        env=environment | {"PYTHONIOENCODING": "ascii"},
        capture_output=True,
        check=True,
    )
    assert b"\\u9648\\u4f1f" in ran.stdout
