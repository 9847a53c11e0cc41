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

from classifier.ledger.read import LedgerReader

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
    assert (last["dropped_frames"], last["waiting_intervals"]) == (0, 0)
    assert {key: value for key, value in last.items() if key in expected and key not in CLOCK_KEYS} == {
        key: value for key, value in expected.items() if key not in CLOCK_KEYS
    }


def _run_with_ledger(pair, tmp_path: Path, frames: list[bytes], number: signal.Signals) -> list[dict]:
    """Meter these frames, sent in three parts over some intervals, into usage.db until this signal; what was printed."""
    config = tmp_path / "freeflow.toml"
    config.write_text('[gateway]\ninterval_seconds = 1\n[ledger]\npath = "usage.db"\n')
    options = ["-i", pair.right.interface, "-c", str(config), *ARGUMENTS]
    command = pair.right.command([sys.executable, "-m", "classifier", "run", *options])
    with (tmp_path / "out").open("w") as out, subprocess.Popen(command, cwd=ROOT, stdout=out) as running:
        try:
            _wait_until(lambda: _captures(pair.right) or running.poll() is not None, "the ring did not open")
            assert running.poll() is None
            third = len(frames) // 3
            for first in (0, third, 2 * third):
                printed = len(_lines(tmp_path / "out"))
                pair.left.send(frames[first : first + third] if first < 2 * third else frames[first:])
                _wait_until(lambda before=printed: len(_lines(tmp_path / "out")) > before + 1, "no interval ended")
            running.send_signal(number)
            running.wait(PATIENCE_S)
        finally:
            running.kill()
    return [json.loads(line) for line in _lines(tmp_path / "out")]


def _lines(path: Path) -> list[str]:
    return path.read_text().splitlines()


@pytest.mark.namespaces
def test_a_live_run_keeps_its_totals_and_the_next_goes_on_after_a_kill(tmp_path: Path):
    frames = _frames(ROOT / "pcaps" / "day-in-the-life.pcap")
    with namespace_pair() as pair:
        last = _run_with_ledger(pair, tmp_path, frames, signal.SIGINT)[-1]
        with LedgerReader(tmp_path / "usage.db") as reader:
            first_entries = list(reader.entries())
            assert len(first_entries) > 3
            assert sum(entry.observed_frames for entry in first_entries) == last["observed"]["frames"] == len(frames)
            assert _parts(reader) == {part: last[part]["octets"] for part in ("zero_rated", "discounted", "charged")}
            assert reader.lost_octets() == 0
        told = _run_with_ledger(pair, tmp_path, frames, signal.SIGKILL)
    with LedgerReader(tmp_path / "usage.db") as reader:
        entries = [entry for entry in reader.entries() if entry.run == 2]
        assert list(reader.runs()) == [1, 2]
        # An interval is written before it is told of; the kill may have come between the two.
        assert len(entries) - len(told) in (0, 1)
        frames_told = [one["observed"]["frames"] for one in told]
        assert [sum(one.observed_frames for one in entries[: place + 1]) for place in range(len(told))] == frames_told


def _parts(reader: LedgerReader) -> dict[str, int]:
    outcomes, octets = reader.outcomes(), {"zero_rated": 0, "discounted": 0, "charged": 0}
    for total in reader.day_totals():
        octets[outcomes[total.outcome].part] += total.uplink_octets + total.downlink_octets
    return octets


@pytest.mark.namespaces
def test_an_interface_that_is_not_there_is_one_line_and_exit_2():
    with namespace_pair() as pair:
        done = pair.right.run(
            [sys.executable, "-m", "classifier", "run", "-i", "nowhere0"], check=False, cwd=ROOT, timeout=PATIENCE_S
        )
    assert (done.returncode, done.stdout) == (2, "")
    assert len(done.stderr.splitlines()) == 1
    assert "nowhere0" in done.stderr
