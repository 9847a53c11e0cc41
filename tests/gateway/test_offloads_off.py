"""`run --offloads-off`: what joins packets is off while it runs, by Linux's own word, and as it was behind it."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
from contextlib import closing

import pytest
from inline_lab import inline_lab
from live_runs import ROOT, freeflow_run
from namespaces import Namespace, namespace_pair
from pyroute2 import Ethtool

pytestmark = pytest.mark.namespaces


def features(side: Namespace, interface: str) -> dict[str, bool]:
    with side.entered(), closing(Ethtool()) as ethtool:
        return {one.name: one.enable for one in ethtool.get_features(interface).features.values()}


def joining(found: dict[str, bool]) -> set[str]:
    return {name for name, on in found.items() if on and ("segmentation" in name or "gro" in name or name == "rx-lro")}


def switch(side: Namespace, name: str, *, enable: bool) -> None:
    with side.entered(), closing(Ethtool()) as ethtool:
        all_of_them = ethtool.get_features(side.interface)
        all_of_them.features[name].enable = enable
        ethtool.set_features(side.interface, all_of_them)


def test_offloads_are_off_while_it_runs_and_then_as_they_were(tmp_path):
    with namespace_pair() as pair:
        side = pair.right
        switch(side, "rx-gro", enable=True)
        switch(side, "tx-udp-segmentation", enable=False)
        before = features(side, side.interface)
        with freeflow_run(side, tmp_path, "-i", side.interface, "--offloads-off") as run:
            during = features(side, side.interface)
            run.stop()
        (line,) = [line for line in run.said if "off until the end" in line]
        assert "tcp-segmentation-offload" in line
        assert "generic-receive-offload" in line
        assert "tx-udp-segmentation" not in line
        assert not joining(during) & {"rx-gro", "tx-tcp-segmentation", "tx-tcp6-segmentation", "tx-udp-segmentation"}
        assert features(side, side.interface) == before


def test_in_line_both_ports_are_switched_and_an_error_puts_them_back(tmp_path):
    with inline_lab() as lab:
        ports = (lab.inside, lab.outside)
        before = [features(lab.gateway, port) for port in ports]
        with freeflow_run(lab.gateway, tmp_path, "--inline", *ports, "--offloads-off", sockets=2) as run:
            assert all("tx-tcp-segmentation" not in joining(features(lab.gateway, port)) for port in ports)
            run.process.send_signal(signal.SIGTERM)
            assert run.process.wait(30) == 0
        assert [features(lab.gateway, port) for port in ports] == before
        (tmp_path / "usage.db").write_text("this is no ledger")
        command = [sys.executable, "-m", "classifier", "run", "--inline", *ports, "--offloads-off", "--ledger"]
        done = lab.gateway.run([*command, str(tmp_path / "usage.db")], check=False, cwd=ROOT, timeout=120)
        assert done.returncode == 2
        assert [features(lab.gateway, port) for port in ports] == before


@pytest.mark.skipif(shutil.which("setpriv") is None, reason="needs setpriv (util-linux)")
def test_who_may_not_switch_them_is_told_what_it_takes():
    with namespace_pair() as pair:
        command = ["setpriv", "--bounding-set=-net_admin", sys.executable, "-m", "classifier", "run", "--offloads-off"]
        done = pair.right.run([*command, "-i", pair.right.interface], check=False, cwd=ROOT, timeout=120)
    assert (done.returncode, done.stdout) == (2, "")
    (line,) = done.stderr.splitlines()
    assert "CAP_NET_ADMIN" in line


def test_who_will_be_another_user_could_not_put_them_back():
    command = [sys.executable, "-m", "classifier", "run", "-i", "lo", "--offloads-off", "--user", "nobody"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stdout) == (2, "")
    (line,) = done.stderr.splitlines()
    assert "--offloads-off: --user may not put them back" in line
