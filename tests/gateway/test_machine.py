"""What doctor says of a machine, by what that machine says of itself."""

from __future__ import annotations

import os

import pytest

from classifier.gateway.findings import OK, WARNING
from classifier.gateway.machine import capability_findings, ledger_access_findings, linux_findings, machine_findings


@pytest.mark.parametrize(
    ("system", "release", "state"),
    [
        ("Linux", "6.1.0-18-amd64", OK),
        ("Linux", "4.20.0", OK),
        ("Linux", "4.19.300", WARNING),
        ("Linux", "3.1.10", WARNING),
        ("Linux", "strange", WARNING),
        ("Darwin", "23.4.0", WARNING),
    ],
)
def test_which_linux_is_enough(system, release, state):
    (finding,) = linux_findings(system, release)
    assert finding.state == state
    assert release in finding.text


@pytest.mark.parametrize(
    ("effective", "state", "told"),
    [
        ("000001ffffffffff", OK, "CAP_NET_RAW and CAP_NET_ADMIN"),
        ("0000000000002000", OK, "has to be up before"),
        ("0000000000001000", WARNING, "AmbientCapabilities"),
        ("0000000000000000", WARNING, "AmbientCapabilities"),
    ],
)
def test_which_capabilities_are_enough(effective, state, told):
    (finding,) = capability_findings(f"Name:\tpython\nCapPrm:\tffff\nCapEff:\t{effective}\nCapBnd:\t0\n")
    assert finding.state == state
    assert told in finding.text


def test_this_machine_is_looked_at_without_a_fault():
    assert (
        {"python", "system", "capabilities"} >= {finding.what for finding in machine_findings()} >= {"python", "system"}
    )


def test_a_ledger_that_cannot_be_written_is_warned_of(tmp_path, monkeypatch):
    path = tmp_path / "usage.db"
    path.touch()
    assert list(ledger_access_findings(path)) == []
    monkeypatch.setattr(os, "access", lambda place, mode: place != path)
    (finding,) = ledger_access_findings(path)
    assert (finding.state, finding.what) == (WARNING, "ledger")
