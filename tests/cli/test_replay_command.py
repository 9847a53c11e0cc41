"""`freeflow replay` and `freeflow flows`: one result in several forms, to one place, whatever the batches."""

from __future__ import annotations

import csv
import io
import json
import os
import shutil
import stat

import pytest
from command import DAY, DAY_CONFIG, SMALL, mistakes, run

from classifier.capture.batch import BATCH_FRAMES
from classifier.cli import arguments as options
from classifier.errors import CaptureError


def test_table_csv_and_json_say_the_same(capfd):
    usage = json.loads(run(capfd, "replay", DAY, "-c", DAY_CONFIG, "--json").out)
    rows = list(csv.DictReader(io.StringIO(run(capfd, "replay", DAY, "-c", DAY_CONFIG, "--csv").out)))
    table = run(capfd, "replay", DAY, "-c", DAY_CONFIG).out
    assert {(row["subscriber"], row["application"]): int(row["zero_rated_octets"]) for row in rows} == {
        (one["subscriber"], used["application"]): used["zero_rated_octets"]
        for one in usage["subscribers"]
        for used in one["applications"]
    }
    assert sum(int(row["charged_octets"]) for row in rows) == usage["charged"]["octets"]
    assert sum(usage["charged_because"].values()) == usage["charged"]["octets"]
    assert f"{usage['observed']['frames']:,}" in table
    assert all(one["subscriber"] in table for one in usage["subscribers"])


def test_flows_hold_the_octets_of_replay(capfd):
    usage = json.loads(run(capfd, "replay", DAY, "-c", DAY_CONFIG, "--json").out)
    flows = [json.loads(line) for line in run(capfd, "flows", DAY, "-c", DAY_CONFIG, "--json").out.splitlines()]
    metered = [flow for flow in flows if flow["subscriber"] is not None]
    parts = [usage[part] for part in ("zero_rated", "discounted", "charged")]
    for direction in ("uplink_octets", "downlink_octets"):
        assert sum(flow[direction] for flow in metered) == sum(part[direction] for part in parts)
    assert len(run(capfd, "flows", DAY, "-c", DAY_CONFIG).out.splitlines()) == len(flows) + 1


@pytest.mark.parametrize("form", ["--json", "--csv", None])
def test_the_same_input_gives_the_same_output_whatever_the_batches(capfd, form):
    arguments = ["replay", DAY, "-c", DAY_CONFIG, *([form] if form else [])]
    outputs = {run(capfd, *arguments, "--batch-frames", frames).out for frames in (1, 7, 4096, 4096)}
    assert len(outputs) == 1


@pytest.mark.parametrize("command", ["replay", "flows"])
@pytest.mark.parametrize("form", ["--json", None])
def test_the_same_input_gives_the_same_output_whatever_the_workers(capfd, command, form):
    arguments = [command, DAY, "-c", DAY_CONFIG, *([form] if form else [])]
    default, one, two = (run(capfd, *arguments, *more) for more in ((), ("--workers", 1), ("--workers", 2)))
    assert default == one == two
    assert default.status == 0


def test_there_is_work_for_two_at_most(capfd):
    assert mistakes(run(capfd, "replay", DAY, "--workers", 3)) == [
        "argument --workers: invalid choice: 3 (choose from 1, 2); freeflow replay --help shows how"
    ]


def test_batches_are_as_long_as_those_of_a_capture():
    assert options.BATCH_FRAMES == BATCH_FRAMES


def test_zero_rating_on_the_command_line_frees_octets_that_were_charged(capfd):
    before = json.loads(run(capfd, "replay", SMALL, "--json").out)
    names = [used["application"] for one in before["subscribers"] for used in one["applications"]]
    name = next(name for name in names if name != "unknown")
    after = json.loads(run(capfd, "replay", SMALL, "--json", "--zero-rate", name).out)
    assert before["zero_rated"]["octets"] == 0
    assert after["zero_rated"]["octets"] > 0
    assert before["charged"]["octets"] == after["zero_rated"]["octets"] + after["charged"]["octets"]


def test_subscriber_networks_on_the_command_line_take_the_place_of_the_others(capfd):
    usage = json.loads(run(capfd, "replay", SMALL, "--json", "--subscribers", "203.0.113.250/32").out)
    assert usage["subscribers"] == []
    assert usage["unmetered"]["transit"]["frames"] == usage["observed"]["frames"]


def test_several_files_are_one_input(capfd):
    once = json.loads(run(capfd, "replay", SMALL, "--json").out)
    twice = json.loads(run(capfd, "replay", SMALL, SMALL, "--json").out)
    assert twice["observed"]["frames"] == 2 * once["observed"]["frames"]


def test_an_output_file_holds_what_standard_output_would(capfd, tmp_path):
    out = tmp_path / "usage.json"
    ran = run(capfd, "replay", SMALL, "--json", "-o", out)
    assert (ran.status, ran.out, ran.err) == (0, "", "")
    assert out.read_text() == run(capfd, "replay", SMALL, "--json").out
    assert os.listdir(tmp_path) == ["usage.json"]


def test_an_output_file_is_replaced_and_keeps_its_permissions(capfd, tmp_path):
    out = tmp_path / "usage.csv"
    out.write_text("old\n" * 10_000)
    out.chmod(0o640)
    run(capfd, "replay", SMALL, "--csv", "-o", out)
    assert out.read_text() == run(capfd, "replay", SMALL, "--csv").out
    assert stat.S_IMODE(out.stat().st_mode) == 0o640


def test_an_output_that_is_a_device_is_written_in_place(capfd):
    assert run(capfd, "replay", SMALL, "-o", "/dev/null").status == 0
    assert not os.path.isfile("/dev/null")


def test_a_file_that_ends_inside_a_record_is_metered_up_to_there_and_reported(capfd, tmp_path):
    cut = tmp_path / "cut.pcap"
    cut.write_bytes(SMALL.read_bytes()[:-5])
    whole = json.loads(run(capfd, "replay", SMALL, "--json").out)
    for command in ("replay", "flows"):
        ran = run(capfd, command, cut, "--json")
        assert ran.status == 1
        assert str(cut) in ran.err
        assert len(ran.err.splitlines()) == 1
        assert ran.out
    ran = run(capfd, "replay", cut, "--json")
    assert json.loads(ran.out)["observed"]["frames"] == whole["observed"]["frames"] - 1


def test_a_configuration_in_the_working_directory_is_not_picked_up(capfd, tmp_path, monkeypatch):
    (tmp_path / "freeflow.toml").write_text("not TOML at all")
    shutil.copy(SMALL, tmp_path / "a.pcap")
    monkeypatch.chdir(tmp_path)
    assert run(capfd, "replay", "a.pcap").status == 0


def test_what_a_plan_warns_of_goes_to_standard_error(capfd, tmp_path):
    (tmp_path / "mine" / "programmes").mkdir(parents=True)
    (tmp_path / "mine" / "programmes" / "gift.toml").write_text(
        'name = "gift"\npayer = "operator"\napplications = ["dns"]\nstarts = 2013-11-01\nrate_percent = 0\n'
        'eligible = [{ operator = "china-mobil" }]\n'
    )
    (tmp_path / "subscribers.csv").write_text("subscriber,address,operator\nlin,10.0.0.7,china-mobile\n")
    config = tmp_path / "freeflow.toml"
    config.write_text('[gateway]\nsignatures = ["builtin", "mine"]\nsubscribers = "subscribers.csv"\n')
    ran = run(capfd, "replay", SMALL, "-c", config, "--json")
    assert ran.status == 0
    (line,) = ran.err.splitlines()
    assert "gift.toml: eligible[1].operator: no subscriber in" in line
    assert line.endswith('has "china-mobil"; did you mean "china-mobile"?')
    json.loads(ran.out)


def test_an_interrupted_replay_says_so_in_one_line(capfd, monkeypatch):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("classifier.gateway.replay.replay", interrupted)
    ran = run(capfd, "replay", SMALL)
    assert (ran.status, ran.out, len(ran.err.splitlines())) == (130, "", 1)


def test_a_defect_is_one_line_and_a_traceback_only_where_asked_for(capfd, monkeypatch):
    def broken(*_, **__):
        raise ZeroDivisionError("by design\nsecond line")

    monkeypatch.setattr("classifier.gateway.replay.replay", broken)
    monkeypatch.delenv("FREEFLOW_DEBUG", raising=False)
    ran = run(capfd, "replay", SMALL)
    assert (ran.status, ran.out, len(ran.err.splitlines())) == (70, "", 1)
    assert "ZeroDivisionError: by design" in ran.err
    assert "report" in ran.err
    monkeypatch.setenv("FREEFLOW_DEBUG", "1")
    with pytest.raises(ZeroDivisionError):
        run(capfd, "replay", SMALL)


def test_an_error_while_flows_are_listed_leaves_no_file(capfd, tmp_path, monkeypatch):
    class Listing:
        problems = ()

        def __iter__(self):
            raise CaptureError("x.pcap: broke; mend it")

    monkeypatch.setattr("classifier.gateway.replay.list_flows", lambda *_, **__: Listing())
    assert mistakes(run(capfd, "flows", SMALL, "-o", tmp_path / "flows.txt")) == ["x.pcap: broke; mend it"]
    assert os.listdir(tmp_path) == []
