"""`freeflow run --inline` between two hosts: real transfers pass and are metered, what is used up or barred does not pass."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest
from inline_lab import CLIENT_ADDRESS, Lab, inline_lab
from live_runs import CLIENT, ROOT, SERVER, Running, freeflow_run, transfer, wait_until
from namespaces import Namespace
from pyroute2 import Ethtool

from classifier.capture.interface import JOINING_OFFLOADS
from classifier.ledger.read import LedgerReader

pytestmark = pytest.mark.namespaces
CONFIG = f"""
[gateway]
subscriber_networks = ["{CLIENT_ADDRESS}/32"]
subscribers = "subscribers.csv"
signatures = ["signatures"]
interval_seconds = 1
[ledger]
path = "usage.db"
"""
APPLICATION = """
name = "films"
title = "films"
domains = ["films.example"]
addresses = ["198.51.100.0/24"]
addresses_complete = true
source = "made up for the tests"
updated = 2026-11-01
"""
PROGRAMME = """
name = "some-films"
payer = "operator"
applications = ["films"]
starts = 2020-01-01
rate_percent = 0
allowance = {{ octets = {octets}, per = "once" }}
on_exhausted = "{on_exhausted}"
"""


def configure(folder: Path, *, octets: int = 1 << 40, on_exhausted: str = "block", state: str = "active") -> str:
    for kind, name, text in (
        ("apps", "films", APPLICATION),
        ("programmes", "some-films", PROGRAMME.format(octets=octets, on_exhausted=on_exhausted)),
    ):
        (folder / "signatures" / kind).mkdir(parents=True)
        (folder / "signatures" / kind / f"{name}.toml").write_text(text)
    (folder / "subscribers.csv").write_text(f"subscriber,address,state\nlin,{CLIENT_ADDRESS},{state}\n")
    (folder / "freeflow.toml").write_text(CONFIG)
    return str(folder / "freeflow.toml")


def switch_offloads(side: Namespace, enable: bool) -> None:
    with side.entered(), closing(Ethtool()) as ethtool:
        features = ethtool.get_features(side.interface)
        for feature in JOINING_OFFLOADS:
            features.features[feature].enable = enable and feature != "rx-lro"
        ethtool.set_features(side.interface, features)


def in_line(lab: Lab, folder: Path, *options: str):
    return freeflow_run(lab.gateway, folder, "--inline", lab.inside, lab.outside, *options, sockets=2)


def ip_octets(side: Namespace) -> int:
    """What this host's IP layer received and sent, by Linux (RFC 4293: InOctets and OutOctets, headers of all packets)."""
    lines = side.run(["cat", "/proc/net/netstat"]).stdout.splitlines()
    names, values = (line.split()[1:] for line in lines if line.startswith("IpExt:"))
    counters = dict(zip(names, map(int, values), strict=True))
    return counters["InOctets"] + counters["OutOctets"]


@pytest.mark.parametrize("offloads", [True, False])
def test_transfers_pass_and_both_sides_agree_on_what_passed(tmp_path, offloads):
    with inline_lab() as lab:
        for side in (lab.client, lab.server):
            switch_offloads(side, offloads)
        with in_line(lab, tmp_path, "--subscribers", f"{CLIENT_ADDRESS}/32") as run:
            transfer(lab.client, lab.server, lab.server_address, 6_000_000)
            last = run.stop()
        assert last["observed"]["octets"] > 6_000_000
        assert last["observed"]["octets"] == last["charged"]["octets"]
        if not offloads:
            # The client got each packet by itself; Linux cuts the server's only behind its IP layer.
            frames = sum(lab.counters(lab.client))
            assert frames == sum(lab.counters(lab.server)) == last["observed"]["frames"]
            assert ip_octets(lab.client) == last["observed"]["octets"]


def fetch(lab: Lab, octets: int, patience_s: float) -> bool:
    """Whether the client gets so many octets from the server in time."""
    arguments = [lab.server_address, "8000", str(octets), "tcp"]
    listening = lab.server.command([sys.executable, "-c", SERVER, *arguments])
    serving = subprocess.Popen(listening, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    assert serving.stdout.readline() == "ready\n"
    asking = subprocess.Popen(lab.client.command([sys.executable, "-c", CLIENT, *arguments]), stderr=subprocess.DEVNULL)
    try:
        return asking.wait(patience_s) == 0
    except subprocess.TimeoutExpired:
        return False
    finally:
        for process in (serving, asking):
            process.kill()
            process.wait()
        serving.stdout.close()


def exhausted(run: Running) -> bool:
    """Whether an interval has ended, and so been rated, with nothing left; it is told of when the block is in place."""
    return any(one["exhausted_subscribers"] for last in run.intervals[-1:] for one in last["programmes"])


@pytest.mark.parametrize("on_exhausted", ["block", "charge"])
def test_what_is_used_up_is_blocked_or_charged(tmp_path, on_exhausted):
    config = configure(tmp_path, octets=1_000_000, on_exhausted=on_exhausted)
    with inline_lab() as lab, in_line(lab, tmp_path, "-c", config) as run:
        for side in (lab.client, lab.server):
            switch_offloads(side, False)
        blocks = on_exhausted == "block"
        assert fetch(lab, 2_000_000, 3 if blocks else 20) != blocks
        wait_until(lambda: exhausted(run), "the allowance was not used up")
        if blocks:
            assert run.intervals[-1]["charged"]["octets"] < 1500  # what the packet that used it up had too much
        # A connection without a name passes until nothing more can be expected to name it.
        assert fetch(lab, 6_000_000, 3) == (on_exhausted == "charge")
        # Before the end: connections that were cut off go on trying.
        before, after = lab.counters(lab.client), lab.counters(lab.server)
        last = run.stop()
    assert last["zero_rated"]["octets"] == 1_000_000
    assert last["programmes"][0]["exhausted_subscribers"] == 1
    dropped = last["unmetered"].get("blocked", {"frames": 0, "octets": 0})
    assert (dropped["octets"] > 0) == (on_exhausted == "block")
    parts = last["zero_rated"]["octets"] + last["charged"]["octets"] + dropped["octets"]
    assert parts == last["observed"]["octets"]
    # What one host sent and the other did not get is what was dropped, frame by frame.
    lost = before[1] - after[0] + after[1] - before[0]
    assert lost <= dropped["frames"]
    assert (lost > 0) == (on_exhausted == "block")
    with LedgerReader(tmp_path / "usage.db") as reader:
        assert reader.unmetered().get("blocked", (0, 0)) == (dropped["frames"], dropped["octets"])


def test_nothing_of_a_barred_subscriber_passes(tmp_path):
    config = configure(tmp_path, state="barred")
    with inline_lab() as lab, in_line(lab, tmp_path, "-c", config) as run:
        assert not fetch(lab, 1000, 2)
        last = run.stop()
        assert lab.counters(lab.server)[0] == 0
    assert last["unmetered"]["blocked"]["octets"] == last["observed"]["octets"] > 0


def counters_at_rest(lab):
    """(frames the client sent, frames the server received), once the last of a connection's packets have passed."""
    seen = []

    def at_rest():
        seen.append((lab.counters(lab.client)[1], lab.counters(lab.server)[0]))
        time.sleep(0.2)
        return len(seen) > 3 and len(set(seen[-4:])) == 1

    wait_until(at_rest, "the link does not come to rest", 20)
    return seen[-1]


def test_fail_open_forwards_after_a_kill_and_not_beside_the_next_run(tmp_path):
    config = configure(tmp_path)
    with inline_lab() as lab:
        with in_line(lab, tmp_path, "-c", config, "--fail-open") as run:
            assert fetch(lab, 100_000, 20)
            run.process.send_signal(signal.SIGKILL)
            run.process.wait()
        assert fetch(lab, 100_000, 20)  # by the bridge
        sent, received = counters_at_rest(lab)
        for options in ((), ("--fail-open",)):
            with in_line(lab, tmp_path, "-c", config, *options) as run:
                lab.client.send([bytes(12) + b"\x88\xb5" + bytes(60)] * 50)
                wait_until(lambda all=received + 50: lab.counters(lab.server)[0] >= all, "frames did not pass", 20)
                run.stop()
            assert lab.counters(lab.client)[1] == sent + 50
            assert lab.counters(lab.server)[0] == received + 50
            sent, received = sent + 50, received + 50


def test_without_fail_open_the_link_is_silent_when_the_process_has_ended(tmp_path):
    with inline_lab() as lab:
        with in_line(lab, tmp_path) as run:
            assert fetch(lab, 1000, 20)
            run.stop()
        assert not fetch(lab, 1000, 1)


@pytest.mark.skipif(shutil.which("setpriv") is None, reason="needs setpriv (util-linux)")
def test_a_process_that_may_capture_but_not_forward_is_told_what_it_lacks():
    with inline_lab() as lab:
        command = ["setpriv", "--bounding-set=-net_admin", sys.executable, "-m", "classifier", "run"]
        done = lab.gateway.run([*command, "--inline", lab.inside, lab.outside], check=False, cwd=ROOT, timeout=120)
    assert (done.returncode, done.stdout) == (2, "")
    (line,) = done.stderr.splitlines()
    assert "CAP_NET_ADMIN" in line


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (("--inline", "lo"), "--inline: expected 2 arguments"),
        (("-i", "lo", "--fail-open"), "--fail-open: goes with --inline"),
        (("--inline", "lo", "lo", "-i", "lo"), "not allowed with argument"),
        (("--inline", "lo", "lo"), "lo"),
    ],
)
def test_options_that_do_not_go_together_are_refused(options, told):
    command = [sys.executable, "-m", "classifier", "run", *options]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stdout) == (2, "")
    assert told in done.stderr.splitlines()[-1]


def test_as_another_user_it_forwards_and_leaves_the_bridge_that_it_made_as_root(nobodys_folder):
    folder, nobody = nobodys_folder
    config = configure(folder)
    for one in (folder, *folder.rglob("*")):
        os.chown(one, nobody.pw_uid, nobody.pw_gid)
    with inline_lab() as lab:
        for _ in range(2):  # the second time there is a bridge to be taken away
            with in_line(lab, folder, "-c", config, "--fail-open", "--user", "nobody") as run:
                status = Path(f"/proc/{run.process.pid}/status").read_text()
                assert f"Uid:\t{nobody.pw_uid}\t{nobody.pw_uid}\t" in status
                assert fetch(lab, 100_000, 20)
                assert run.stop()["observed"]["octets"] > 100_000
            assert fetch(lab, 100_000, 20)  # by the bridge
