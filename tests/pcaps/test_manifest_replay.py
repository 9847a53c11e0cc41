"""Each bundled capture, replayed by the command, gives the totals and flows of the manifest.

The manifest was added up while the captures were built; it knows nothing of the classifier.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from classifier.cli.main import main

PCAPS = Path(__file__).resolve().parents[2] / "pcaps"
MANIFEST = json.loads((PCAPS / "manifest.json").read_text(encoding="utf-8"))["captures"]
CAPTURES = sorted(MANIFEST)
VOLUME_KEYS = ("frames", "uplink_octets", "downlink_octets", "octets")
APPLICATION_KEYS = ("uplink_octets", "downlink_octets", "packets", "zero_rated_octets", "charged_octets")


def run(capfd, *arguments: str) -> str:
    """What the command prints; it must end with status 0."""
    capfd.readouterr()
    try:
        status = main(list(arguments))
    except SystemExit as leaving:
        status = leaving.code
    printed = capfd.readouterr()
    assert not status, printed.err
    return printed.out


@pytest.fixture(autouse=True)
def in_the_captures_folder(monkeypatch):
    """The manifest's arguments name files beside it."""
    monkeypatch.chdir(PCAPS)


@pytest.mark.parametrize("name", CAPTURES)
def test_replay_prints_the_totals_of_the_manifest(name, capfd):
    expected = MANIFEST[name]["expected"]
    usage = json.loads(run(capfd, "replay", name, *MANIFEST[name]["replay"], "--json"))
    assert usage["schema"] == "freeflow.usage/1"
    assert usage["observed"] == expected["observed"]
    for part in ("zero_rated", "charged"):
        assert {key: usage[part][key] for key in VOLUME_KEYS} == expected[part], part
    assert usage["discounted"]["frames"] == usage["discounted"]["octets"] == 0
    assert {reason: part for reason, part in usage["unmetered"].items() if part["frames"]} == expected["unmetered"]
    for moment in ("first_packet", "last_packet"):
        if moment in expected:
            assert usage[moment] == expected[moment]


@pytest.mark.parametrize("name", CAPTURES)
def test_replay_gives_each_subscriber_the_octets_of_the_manifest(name, capfd):
    expected = {
        (row["subscriber"], used["application"]): {key: used[key] for key in APPLICATION_KEYS}
        for row in MANIFEST[name]["expected"]["subscribers"]
        for used in row["applications"]
    }
    usage = json.loads(run(capfd, "replay", name, *MANIFEST[name]["replay"], "--json"))
    metered = {
        (row["subscriber"], used["application"]): {key: used[key] for key in APPLICATION_KEYS}
        for row in usage["subscribers"]
        for used in row["applications"]
    }
    assert metered == expected


@pytest.mark.parametrize("name", [name for name in CAPTURES if MANIFEST[name]["expected"]["programmes"]])
def test_programmes_pay_what_the_manifest_says(name, capfd):
    usage = json.loads(run(capfd, "replay", name, *MANIFEST[name]["replay"], "--json"))
    paid = [
        {key: row[key] for key in ("programme", "octets", "subscribers")}
        for row in sorted(usage["programmes"], key=lambda row: row["programme"])
        if row["octets"]
    ]
    assert paid == MANIFEST[name]["expected"]["programmes"]


@pytest.mark.parametrize("name", CAPTURES)
def test_flows_are_those_of_the_manifest(name, capfd):
    lines = run(capfd, "flows", name, *MANIFEST[name]["flows"], "--json").splitlines()
    listed = [flow for flow in map(json.loads, lines) if flow["subscriber"] is not None]
    for expected in MANIFEST[name]["expected_flows"]:
        # The manifest says nothing of a flow's times, nor of the ports where there are none.
        found = next((flow for flow in listed if expected.items() <= flow.items()), None)
        alike = [
            flow for flow in listed if (flow["client"], flow["server"]) == (expected["client"], expected["server"])
        ]
        assert found is not None, f"{expected}\nis not among\n{alike}"
        listed.remove(found)
    assert listed == []
