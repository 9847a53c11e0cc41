"""`freeflow lab`: what is refused is one line with the mend, and each subcommand's help shows how."""

from __future__ import annotations

import importlib.util
import os

import pytest
from command import mistakes, run

from classifier.lab import namespaces, state

ACTIONS = ("up", "traffic", "demo", "down")


@pytest.fixture(autouse=True)
def nothing_of_the_machine(monkeypatch, tmp_path):
    """Root by what the command is told, a folder of the test's own, and no namespace is looked for."""
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(state, "RUN", tmp_path)
    monkeypatch.setattr(namespaces, "NETNS", tmp_path / "netns")


@pytest.mark.parametrize("action", ["", *ACTIONS])
def test_help_has_a_worked_example(capfd, action):
    ran = run(capfd, "lab", *filter(None, [action]), "--help")
    assert ran.status == 0
    assert f"example:\n  freeflow lab {action or 'demo'}" in ran.out


@pytest.mark.parametrize("action", ACTIONS)
def test_who_is_not_root_is_told(capfd, monkeypatch, action):
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    (line,) = mistakes(run(capfd, "lab", action))
    assert line == "the lab makes network namespaces, which needs root; run it with sudo"


@pytest.mark.parametrize("action", ["up", "traffic", "demo"])
def test_an_extra_that_is_not_installed_is_named(capfd, monkeypatch, action):
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "dnslib" else find(name))
    (line,) = mistakes(run(capfd, "lab", action))
    assert line == "the lab needs dnslib; install the extra (pip install 'freeflow[lab]')"


def test_traffic_needs_a_lab_that_is_up(capfd):
    assert mistakes(run(capfd, "lab", "traffic")) == ["the lab is not up; bring it up (freeflow lab up)"]


@pytest.mark.parametrize("left", ["freeflow-lab", "netns/freeflow-lab-xu"])
@pytest.mark.parametrize("action", ["up", "demo"])
def test_a_lab_that_is_up_is_not_built_again_and_not_touched(capfd, tmp_path, action, left):
    (tmp_path / left).mkdir(parents=True)
    line = run(capfd, "lab", action).err.splitlines()[-1]
    assert line.startswith("freeflow: the lab is up already, or was left half way (")
    assert line.endswith("; take it down (freeflow lab down)")
    assert (tmp_path / left).is_dir()


@pytest.mark.parametrize(("text", "what"), [(None, "was left half way"), ('{"server": 0}', "servers are gone")])
def test_traffic_on_a_lab_that_broke_says_how_to_get_a_whole_one(capfd, tmp_path, text, what):
    folder = tmp_path / "freeflow-lab-2"
    folder.mkdir()
    if text:
        (folder / "state.json").write_text(text)
    (line,) = mistakes(run(capfd, "lab", "traffic", "--prefix", "freeflow-lab-2"))
    assert what in line
    assert line.endswith("; take it down (freeflow lab down --prefix freeflow-lab-2) and up again")


@pytest.mark.parametrize(
    ("arguments", "names"),
    [
        (("--mix", "fcebook"), '"fcebook"; did you mean "facebook"?'),
        (("--mix", "facebook=0"), '"facebook=0" has no weight'),
        (("--seconds", "0"), '"0" is not a number from 1 to 3600'),
        (("--seed", "-1"), "--seed"),
        (("--prefix", "../x"), '"../x" is none'),
    ],
)
@pytest.mark.parametrize("action", ["traffic", "demo"])
def test_arguments_that_cannot_be_are_refused_before_anything_is_built(capfd, tmp_path, action, arguments, names):
    (line,) = mistakes(run(capfd, "lab", action, *arguments))
    assert names in line
    assert list(tmp_path.iterdir()) == []
