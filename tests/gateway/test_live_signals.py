"""A real process on a veth pair: reload, state of the tables, what systemd is told, and what a kill leaves behind."""

from __future__ import annotations

import contextlib
import json
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import dpkt
import pytest
from namespaces import namespace_pair

from classifier.ledger.read import LedgerReader

ROOT = Path(__file__).resolve().parents[2]
PATIENCE_S = 300  # the kernels may have to be compiled first
PARTS = ("zero_rated", "discounted", "charged")

pytestmark = pytest.mark.namespaces


def wait_until(condition, what: str) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.05)


def frames() -> list[bytes]:
    with (ROOT / "pcaps" / "day-in-the-life.pcap").open("rb") as file:
        return [bytes(frame) for _, frame in dpkt.pcap.Reader(file)]


class Systemd:
    """A socket that is told how the service is, each state with the lines that came with it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.told: list[dict[str, str]] = []
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(path))
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        while text := self._socket.recv(4096).decode():
            self.told.append(dict(line.split("=", 1) for line in text.splitlines()))

    def count(self, key: str) -> int:
        return sum(key in state for state in self.told)


class Running:
    """`freeflow run` on the right end, with the day's configuration in a folder of its own."""

    def __init__(self, pair, folder: Path, *options: str) -> None:
        self.pair, self.folder, self.config = pair, folder, folder / "freeflow.toml"
        if not self.config.exists():
            shutil.copy(ROOT / "pcaps" / "day-in-the-life-subscribers.csv", folder)
            shutil.copytree(ROOT / "pcaps" / "day-in-the-life", folder / "day-in-the-life")
            text = (ROOT / "pcaps" / "day-in-the-life.toml").read_text()
            self.config.write_text(f'{text}interval_seconds = 1\n[ledger]\npath = "usage.db"\n')
        self.systemd = Systemd(folder / f"notify-{len(list(folder.iterdir()))}")
        environment = f"NOTIFY_SOCKET={self.systemd.path}", "WATCHDOG_USEC=2000000"
        program = ["env", *environment, sys.executable, "-m", "classifier", "run"]
        self._out, self._err = (folder / "out").open("w"), (folder / "err").open("w")
        self.process = subprocess.Popen(
            pair.right.command([*program, "-i", pair.right.interface, "-c", str(self.config), *options]),
            cwd=ROOT,
            stdout=self._out,
            stderr=self._err,
        )
        wait_until(lambda: self.systemd.count("READY") or self.process.poll() is not None, "it was never ready")
        assert self.process.poll() is None, self.errors()

    def errors(self) -> list[str]:
        return (self.folder / "err").read_text().splitlines()

    def last(self) -> dict:
        return json.loads((self.folder / "out").read_text().splitlines()[-1])

    def send(self, some: list[bytes]) -> None:
        """Send these, and wait until they are in the totals."""
        before = sum(len(line) > 0 for line in (self.folder / "out").read_text().splitlines())
        self.pair.left.send(some)
        wait_until(
            lambda: sum(len(line) > 0 for line in (self.folder / "out").read_text().splitlines()) > before + 1,
            "no interval ended",
        )

    def signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)


@contextlib.contextmanager
def running(pair, folder: Path, *options: str):
    made = Running(pair, folder, *options)
    try:
        yield made
    finally:
        made.process.kill()
        made.process.wait()
        made._out.close()
        made._err.close()


def end(run: Running, number: signal.Signals) -> None:
    run.signal(number)
    assert run.process.wait(PATIENCE_S) == 0, run.errors()


def stop(run: Running, number: signal.Signals = signal.SIGTERM) -> dict:
    end(run, number)
    return run.last()


def test_a_reload_loses_no_frame_and_what_came_before_is_rated_as_before(tmp_path):
    day = frames()
    half = len(day) // 2
    with namespace_pair() as pair, running(pair, tmp_path, "--json", "--zero-rate", "facebook,wikipedia") as run:
        run.send(day[:half])
        before = run.last()
        ready = run.systemd.count("READY")
        (tmp_path / "day-in-the-life" / "programmes" / "everything.toml").write_text(
            'name = "everything"\npayer = "operator"\napplications = "*"\nstarts = 2013-01-01\nrate_percent = 0\n'
            'accept = "claimed"\nenrolment = "automatic"\npriority = 0\n'
        )
        run.signal(signal.SIGHUP)
        pair.left.send(day[half : half + 20])
        wait_until(lambda: run.systemd.count("READY") > ready, "the reload never ended")
        run.send(day[half + 20 :])
        after = stop(run)
        assert any("reloaded: " in line for line in run.errors()), run.errors()
    assert before["observed"]["frames"] == half
    assert after["observed"]["frames"] == len(day)
    assert after["dropped_frames"] == 0
    assert (
        sum(after[part]["octets"] for part in PARTS) + sum(one["octets"] for one in after["unmetered"].values())
        == (after["observed"]["octets"])
    )
    paid = {one["programme"]: one["octets"] for one in after["programmes"]}
    assert paid["everything"] > 0
    assert after["charged"]["octets"] >= before["charged"]["octets"] > 0
    states = [next(iter(state)) for state in run.systemd.told]
    assert states.index("RELOADING") > states.index("READY")
    assert states[-1] == "STOPPING" or "STOPPING" in states
    assert run.systemd.count("WATCHDOG") > 1
    with LedgerReader(tmp_path / "usage.db") as reader:
        runs = reader.runs()
        assert [one.continues for one in runs.values()] == [None, 1]
        assert runs[1].catalogue != runs[2].catalogue
        assert sum(entry.observed_frames for entry in reader.entries()) == len(day)
        assert reader.lost_octets() == 0


def test_a_broken_file_is_told_and_changes_nothing(tmp_path):
    with namespace_pair() as pair, running(pair, tmp_path, "--json") as run:
        (tmp_path / "freeflow.toml").write_text("[gateway]\nintervall_seconds = 1\n")
        run.signal(signal.SIGHUP)
        wait_until(lambda: any("nothing was reloaded" in line for line in run.errors()), "nothing was said")
        run.send(frames())
        assert stop(run)["observed"]["frames"] == len(frames())
        (line,) = [line for line in run.errors() if "reloaded" in line]
        assert "intervall_seconds" in line


def test_tables_are_told_and_an_interval_ends_by_the_clock_without_a_packet(tmp_path):
    with namespace_pair() as pair, running(pair, tmp_path) as run:
        wait_until(lambda: sum("interval frames=0 " in line for line in run.errors()) > 1, "none before any packet")
        pair.left.send(frames())
        silent = f"interval frames={len(frames())} "
        wait_until(lambda: sum(silent in line for line in run.errors()) > 2, "no interval without packets")
        run.signal(signal.SIGUSR1)
        wait_until(lambda: any("table=flows" in line for line in run.errors()), "no tables")
        end(run, signal.SIGINT)
        told = "\n".join(run.errors())
        assert "table=flows used=" in told
        assert 'over="flows evicted from a full table" count=0' in told
        assert "ring_received=" in told
        assert (tmp_path / "out").read_text().count("observed") == 1


def test_a_kill_in_traffic_is_told_at_the_next_start(tmp_path):
    day = frames()
    with namespace_pair() as pair:
        with running(pair, tmp_path, "--json") as run:
            run.send(day[:300])
            pair.left.send(day[300:])
            run.signal(signal.SIGKILL)
            run.process.wait()
        with running(pair, tmp_path, "--json") as run:
            (line,) = run.errors()
            assert "usage.db: the last run was cut off: what it metered after 20" in line
            stop(run)
        with running(pair, tmp_path, "--json") as run:
            assert run.errors() == []
            stop(run)
    with LedgerReader(tmp_path / "usage.db") as reader:
        assert list(reader.runs()) == [1, 2, 3]


def test_as_another_user_it_keeps_no_privilege_and_writes_that_users_ledger(nobodys_folder):
    tmp_path, nobody = nobodys_folder
    with namespace_pair() as pair, running(pair, tmp_path, "--json", "--user", "nobody") as run:
        status = dict(
            line.split(":\t", 1)
            for line in Path(f"/proc/{run.process.pid}/status").read_text().splitlines()
            if ":\t" in line
        )
        assert set(status["Uid"].split()) == {str(nobody.pw_uid)}
        assert set(status["Gid"].split()) == {str(nobody.pw_gid)}
        assert {int(status[name], 16) for name in ("CapEff", "CapPrm", "CapAmb")} == {0}
        # A reload reads, checks and compiles; root's own Python and cache may be closed to this user.
        (tmp_path / "day-in-the-life" / "apps").mkdir()
        (tmp_path / "day-in-the-life" / "apps" / "more.toml").write_text('name = "more"\ndomains = ["more.example"]\n')
        run.signal(signal.SIGHUP)
        wait_until(lambda: any("reloaded" in line for line in run.errors()), "nothing was said of the reload")
        (line,) = [line for line in run.errors() if "reloaded" in line]
        assert "nothing was reloaded" not in line
        run.send(frames())
        assert stop(run)["observed"]["frames"] == len(frames())
    assert (tmp_path / "usage.db").owner() == "nobody"


def test_a_ledger_that_the_user_cannot_write_is_one_line(tmp_path):
    with namespace_pair() as pair:
        options = ["-i", pair.right.interface, "--ledger", str(tmp_path / "usage.db"), "--user", "nobody"]
        done = pair.right.run(
            [sys.executable, "-m", "classifier", "run", *options], check=False, cwd=ROOT, timeout=PATIENCE_S
        )
    assert (done.returncode, done.stdout) == (2, "")
    (line,) = done.stderr.splitlines()
    assert "nobody cannot write it; chown nobody" in line
