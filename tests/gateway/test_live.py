"""`freeflow run` on one end of a veth pair gives the totals that `freeflow replay` gives for the frames sent on the other."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import dpkt
import pytest
from namespaces import Namespace, namespace_pair

ROOT = Path(__file__).resolve().parents[2]
PATIENCE_S = 300  # the kernels may have to be compiled first
ARGUMENTS = ["--zero-rate", "facebook,taobao,yixin,wikipedia", "--json"]
CLOCK_KEYS = ("first_packet", "last_packet")


def _frames(capture: Path) -> list[bytes]:
    with capture.open("rb") as file:
        return [bytes(frame) for _, frame in dpkt.pcap.Reader(file)]


def _replay(capture: Path) -> dict:
    command = [sys.executable, "-m", "classifier", "replay", str(capture), *ARGUMENTS]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE_S, check=True)
    return json.loads(done.stdout)


def _wait_until(condition, what: str) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.05)


def _captures(side: Namespace) -> bool:
    """Whether a packet socket in the namespace is bound to an interface: its number is the fifth column."""
    sockets = side.run(["cat", "/proc/net/packet"]).stdout.splitlines()[1:]
    return any(line.split()[4] != "0" for line in sockets)


@pytest.mark.namespaces
@pytest.mark.parametrize("name", ["day-in-the-life", "http-host", "tls-hello-segments-reversed"])
def test_a_nic_and_a_file_give_the_same_totals(name: str, tmp_path: Path):
    capture = ROOT / "pcaps" / f"{name}.pcap"
    expected = _replay(capture)
    with namespace_pair() as pair:
        command = pair.right.command(
            [sys.executable, "-m", "classifier", "run", "-i", pair.right.interface, *ARGUMENTS]
        )
        with (tmp_path / "out").open("w") as out, subprocess.Popen(command, cwd=ROOT, stdout=out) as running:
            try:
                _wait_until(lambda: _captures(pair.right) or running.poll() is not None, "the ring did not open")
                assert running.poll() is None
                pair.left.send(_frames(capture))
                running.send_signal(signal.SIGINT)
                assert running.wait(PATIENCE_S) == 0
            finally:
                running.kill()
    last = json.loads((tmp_path / "out").read_text().splitlines()[-1])
    assert {key: value for key, value in last.items() if key not in CLOCK_KEYS} == {
        key: value for key, value in expected.items() if key not in CLOCK_KEYS
    }


@pytest.mark.namespaces
def test_an_interface_that_is_not_there_is_one_line_and_exit_2():
    with namespace_pair() as pair:
        done = pair.right.run(
            [sys.executable, "-m", "classifier", "run", "-i", "nowhere0"], check=False, cwd=ROOT, timeout=PATIENCE_S
        )
    assert (done.returncode, done.stdout) == (2, "")
    assert len(done.stderr.splitlines()) == 1
    assert "nowhere0" in done.stderr
