"""The operator's mistakes: one line that says which and how to mend it, exit status 2, nothing half written."""

from __future__ import annotations

import os
import shutil

import pytest
from command import DAY_CONFIG, SMALL, mistakes, run

from classifier.catalogue.folders import builtin_folder


def refusal(capfd, *arguments):
    """The one line of a refused command."""
    (line,) = mistakes(run(capfd, *arguments))
    return line


@pytest.mark.parametrize("command", ["replay", "flows"])
def test_a_missing_file_is_named(capfd, tmp_path, command):
    line = refusal(capfd, command, tmp_path / "gone.pcap")
    assert str(tmp_path / "gone.pcap") in line
    assert "no such file" in line


@pytest.mark.parametrize("command", ["replay", "flows"])
def test_a_mistake_in_the_last_file_is_found_before_anything_is_printed(capfd, tmp_path, command):
    assert "gone.pcap" in refusal(capfd, command, SMALL, tmp_path / "gone.pcap")


def test_a_directory_is_no_capture(capfd, tmp_path):
    assert "directory" in refusal(capfd, "replay", tmp_path)


def test_an_empty_file_is_no_capture(capfd, tmp_path):
    (tmp_path / "empty.pcap").touch()
    assert "empty" in refusal(capfd, "replay", tmp_path / "empty.pcap")


def test_a_file_of_another_kind_is_no_capture(capfd):
    assert str(DAY_CONFIG) in refusal(capfd, "replay", DAY_CONFIG)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[gateway\n", "line 1, column 9"),
        ('[gateway]\nnames = "x"\n', 'gateway.names: unknown key; did you mean "name"?'),
        ('[gateway]\nsubscriber_networks = ["10.0.0.1/8"]\n', 'host bits set; write "10.0.0.0/8"'),
        ('[gateway]\nsubscribers = "gone.csv"\n', "gone.csv: no such file"),
        ('[gateway]\nsignatures = ["gone"]\n', "gone: no such folder"),
    ],
)
def test_a_mistake_in_the_configuration_names_the_key_or_the_line(capfd, tmp_path, text, told):
    config = tmp_path / "freeflow.toml"
    config.write_text(text)
    line = refusal(capfd, "replay", SMALL, "-c", config)
    assert told in line
    assert str(tmp_path) in line


def test_a_missing_configuration_is_named(capfd, tmp_path):
    assert "gone.toml: no such file" in refusal(capfd, "replay", SMALL, "-c", tmp_path / "gone.toml")


def test_a_programme_that_names_an_unknown_application_is_refused(capfd, tmp_path):
    (tmp_path / "mine" / "programmes").mkdir(parents=True)
    (tmp_path / "mine" / "programmes" / "gift.toml").write_text(
        'name = "gift"\npayer = "operator"\napplications = ["facebok"]\nstarts = 2013-11-01\nrate_percent = 0\n'
    )
    config = tmp_path / "freeflow.toml"
    config.write_text('[gateway]\nsignatures = ["builtin", "mine"]\n')
    line = refusal(capfd, "replay", SMALL, "-c", config)
    assert "gift.toml" in line
    assert 'did you mean "facebook"?' in line


def test_a_subscriber_address_given_twice_is_refused(capfd, tmp_path):
    (tmp_path / "subscribers.csv").write_text("subscriber,address\nanna,10.0.0.7\nben,10.0.0.7\n")
    config = tmp_path / "freeflow.toml"
    config.write_text('[gateway]\nsubscribers = "subscribers.csv"\n')
    line = refusal(capfd, "replay", SMALL, "-c", config)
    assert "subscribers.csv:3" in line
    assert "10.0.0.7" in line


def test_an_unknown_application_on_the_command_line_is_answered_with_the_nearest(capfd):
    assert 'did you mean "facebook"?' in refusal(capfd, "replay", SMALL, "--zero-rate", "dns,facebok")


def test_a_subscriber_network_with_host_bits_is_refused(capfd):
    assert 'write "10.0.0.0/8"' in refusal(capfd, "replay", SMALL, "--subscribers", "10.1.0.0/8")


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("replays",),
        ("replay",),
        ("replay", SMALL, "--jso"),
        ("replay", SMALL, "--json", "--csv"),
        ("replay", SMALL, "--zero-rate", "dns,,ntp"),
        ("replay", SMALL, "--batch-frames", "0"),
        ("replay", "-", "-"),
        ("run",),
        ("signatures", "lookup"),
        ("signatures", "lookup", "two words"),
        ("signatures", "show", "facebok"),
    ],
)
def test_wrong_arguments_are_one_line(capfd, arguments):
    refusal(capfd, *arguments)


def test_an_interface_that_is_not_there_is_named(capfd):
    assert "nosuch0" in refusal(capfd, "run", "-i", "nosuch0")


def test_a_name_that_would_harm_the_terminal_is_escaped_in_messages(capfd, tmp_path):
    assert "\\x1b[2J\\n.pcap" in refusal(capfd, "replay", tmp_path / "\x1b[2J\n.pcap")


@pytest.mark.parametrize("place", ["no/such/folder/out.json", ""])
def test_an_output_that_cannot_be_written_is_found_before_metering(capfd, tmp_path, place, monkeypatch):
    monkeypatch.setattr("classifier.gateway.replay.replay", lambda *_, **__: pytest.fail("metered first"))
    line = refusal(capfd, "replay", SMALL, "-o", tmp_path / place)
    assert str(tmp_path) in line
    assert "-o" in line


def test_an_output_over_its_own_input_is_refused(capfd, tmp_path):
    capture = shutil.copy(SMALL, tmp_path / "mine.pcap")
    before = capture.read_bytes()
    assert "both read and written" in refusal(capfd, "replay", capture, "-o", tmp_path / "." / "mine.pcap")
    assert capture.read_bytes() == before


def test_after_a_mistake_an_output_is_as_it_was(capfd, tmp_path):
    (tmp_path / "old.json").write_text("old")
    for name in ("old.json", "new.json"):
        refusal(capfd, "replay", tmp_path / "gone.pcap", "-o", tmp_path / name)
    assert os.listdir(tmp_path) == ["old.json"]
    assert (tmp_path / "old.json").read_text() == "old"


def test_every_mistake_of_the_signatures_is_found_in_one_pass(capfd, tmp_path):
    apps, programmes = tmp_path / "apps", tmp_path / "programmes"
    apps.mkdir()
    programmes.mkdir()
    (apps / "one.toml").write_text('name = "one"\ndomain = ["one.example"]\naddresses = ["192.0.2.1/24"]\n')
    (apps / "two.toml").write_text('name = "two"\ndomains = ["facebook.com"]\n')
    (programmes / "three.toml").write_text("name = \n")
    lines = mistakes(run(capfd, "signatures", "check", tmp_path))
    assert all(line.startswith((f"{tmp_path}", f"{builtin_folder()}")) for line in lines)
    told = "\n".join(lines)
    for phrase in (
        "one.toml: domain: unknown key",
        'write "192.0.2.0/24"',
        '"facebook.com" is in',
        "three.toml: line 1",
    ):
        assert phrase in told
