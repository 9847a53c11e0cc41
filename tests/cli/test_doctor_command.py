"""`freeflow doctor`: what it finds, in what state, and the exit status."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from datetime import date
from pathlib import Path

import pytest
from command import run
from ledgers import Used, at_ns, make_ledger
from namespaces import namespace_pair
from pyroute2 import Ethtool

from classifier.capture.interface import JOINING_OFFLOADS, Neighbourhood
from classifier.detection import ciphers
from classifier.gateway import doctor
from classifier.gateway.doctor import FAULT, OK, WARNING, examine

HOURS = [(at_ns(2013, 11, day), [Used("lin", "taobao", 10, 90, None), Used("xu", "qq", 5, 5)]) for day in (4, 5)]


@pytest.fixture
def ledger(tmp_path: Path) -> Path:
    return make_ledger(tmp_path / "usage.db", HOURS)


def states(*arguments, what: str) -> list[str]:
    """The states of all findings about `what`."""
    return [one.state for one in examine(*arguments) if one.what == what]


def spoil(path: Path, statement: str) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute(statement)
    connection.close()


def test_a_machine_that_can_run_gives_exit_status_0_and_says_so(capfd, ledger):
    done = run(capfd, "doctor", "--ledger", ledger)
    assert (done.status, done.err) == (0, "")
    assert [line.split()[0] for line in done.out.splitlines() if " ledger " in line] == ["ok"]
    assert "fault" not in done.out


def test_the_same_findings_as_json(capfd, ledger):
    findings = json.loads(run(capfd, "doctor", "--ledger", ledger, "--json").out)["findings"]
    assert {one["what"] for one in findings} >= {"python", "kernels", "ciphers", "configuration", "time zone", "ledger"}
    assert {one["state"] for one in findings} <= {OK, WARNING, FAULT}


@pytest.mark.parametrize(
    ("statement", "told"),
    [
        ("UPDATE total SET uplink_octets = uplink_octets + 1 WHERE day = 2", "2013-11-05"),
        ("DELETE FROM entry WHERE id = 1", "entry"),
    ],
)
def test_a_ledger_whose_sums_or_references_are_wrong_is_a_fault(ledger, statement, told):
    spoil(ledger, statement)
    faults = [one.text for one in examine(None, ledger, None, date(2026, 1, 1)) if one.state == FAULT]
    assert faults
    assert all(told in fault and "restore" in fault for fault in faults)


def test_a_page_overwritten_is_a_fault(capfd, ledger):
    with sqlite3.connect(ledger) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        (pages,) = connection.execute("PRAGMA page_count").fetchone()
        (octets,) = connection.execute("PRAGMA page_size").fetchone()
    connection.close()
    content = bytearray(ledger.read_bytes())
    for page in range(2, pages):
        content[page * octets : page * octets + 64] = b"\xff" * 64
    ledger.write_bytes(content)
    assert run(capfd, "doctor", "--ledger", ledger).status == 1


def test_what_is_no_ledger_or_has_no_folder_is_a_fault(tmp_path):
    text = tmp_path / "notes.txt"
    text.write_text("not a ledger")
    for path in (text, tmp_path / "none" / "usage.db"):
        assert FAULT in states(None, path, None, date(2026, 1, 1), what="ledger")
    assert states(None, tmp_path / "new.db", None, date(2026, 1, 1), what="ledger") == [OK]


def test_every_mistake_of_a_configuration_is_a_fault_and_the_rest_is_looked_at(capfd, tmp_path):
    config = tmp_path / "freeflow.toml"
    config.write_text('[gateway]\ntimezone = "Asia/Shangai"\n[flows]\ncapacity = -1\n')
    done = run(capfd, "doctor", "-c", config, "-i", "no-such-interface")
    faults = [line for line in done.out.splitlines() if line.startswith("fault")]
    assert done.status == 1
    assert sum("configuration" in line for line in faults) == 2
    assert sum("interface" in line for line in faults) == 1


def test_address_lists_age_with_the_day():
    """The newest list of the built-in catalogue is of 2024 or later, none is of the future."""
    assert states(None, None, None, date(2040, 1, 1), what="addresses") == [WARNING]
    texts = [one.text for one in examine(None, None, None, date(2024, 11, 1)) if one.what == "addresses"]
    assert "13 of 13" not in texts[0]


def test_a_python_that_hides_openssl_is_warned_of(monkeypatch):
    monkeypatch.setattr(ciphers, "_openssl", lambda: None)
    assert states(None, None, None, date(2026, 1, 1), what="ciphers") == [WARNING]


def findings(name: str, what: str, config: str | None = None) -> list[tuple[str, str]]:
    return [(one.state, one.text) for one in examine(config, None, name, date(2026, 1, 1)) if one.what == what]


@pytest.mark.namespaces
def test_an_interface_that_joins_packets_is_warned_of_where_linux_does_not_tell_how_many(monkeypatch):
    with namespace_pair() as pair, pair.left.entered():
        name = pair.left.interface
        assert [state for state, _ in findings(name, "interface")] == [OK]
        assert [state for state, _ in findings(name, "offloads")] == [OK]
        monkeypatch.setattr(doctor, "joined_told", lambda: False)
        ((state, text),) = findings(name, "offloads")
        assert state == WARNING
        assert f"ethtool -K {name} generic-receive-offload off" in text or "tcp-segmentation-offload off" in text
        with closing(Ethtool()) as ethtool:
            features = ethtool.get_features(name)
            for feature in JOINING_OFFLOADS:
                features.features[feature].enable = False
            ethtool.set_features(name, features)
        assert findings(name, "offloads") == []


@pytest.mark.namespaces
def test_frames_that_are_seen_twice_are_warned_of():
    with namespace_pair() as pair, pair.left.entered():
        name = pair.left.interface
        assert findings(name, "seen twice") == []
        for arguments in (
            ["link", "add", "br7", "type", "bridge"],
            ["link", "set", "br7", "up"],
            ["link", "set", name, "master", "br7"],
        ):
            pair.left.run(["ip", *arguments])
        ((state, text),) = findings(name, "seen twice")
        assert (state, "a port of br7" in text) == (WARNING, True)
        ((state, text),) = findings("br7", "seen twice")
        assert (state, name in text) == (WARNING, True)


@pytest.mark.namespaces
def test_routing_between_vlans_is_seen_twice_unless_one_direction_is_captured(monkeypatch, tmp_path):
    around = Neighbourhood(master=None, ports=(), vlans=("eth0.5", "eth0.6"), routes=True)
    monkeypatch.setattr(doctor, "neighbourhood", lambda name: around)
    (tmp_path / "freeflow.toml").write_text('[capture]\ndirection = "in"\n')
    with namespace_pair() as pair, pair.left.entered():
        ((state, text),) = findings(pair.left.interface, "seen twice")
        assert state == WARNING
        assert 'direction = "in"' in text
        assert findings(pair.left.interface, "seen twice", str(tmp_path / "freeflow.toml")) == []


@pytest.mark.namespaces
def test_a_ring_that_does_not_fit_is_a_fault(monkeypatch):
    with namespace_pair() as pair, pair.left.entered():
        assert [state for state, _ in findings(pair.left.interface, "ring")] == [OK]
        monkeypatch.setattr(doctor, "available_octets", lambda: 100 << 20)
        ((state, text),) = findings(pair.left.interface, "ring")
        assert state == FAULT
        assert "64 MiB" in text
        assert "[capture] ring_blocks" in text
