"""`replay --ledger`, `report` and `rate` as a person uses them: forms, ranges, and mistakes in one line each."""

from __future__ import annotations

import csv
import io
import json
from datetime import UTC, datetime

import pytest
from command import DAY, DAY_CONFIG, ROOT, SMALL, mistakes, run

from classifier.cli.main import main
from classifier.ledger.read import LedgerReader


@pytest.fixture(scope="module")
def ledger(tmp_path_factory):
    """The bundled day."""
    path = tmp_path_factory.mktemp("ledger") / "usage.db"
    report = path.with_name("usage.json")
    assert main(["replay", str(DAY), "-c", str(DAY_CONFIG), "--ledger", str(path), "--json", "-o", str(report)]) == 0
    return path


def test_a_ledger_changes_nothing_about_the_report(capfd, ledger):
    assert ledger.with_name("usage.json").read_text() == run(capfd, "replay", DAY, "-c", DAY_CONFIG, "--json").out


@pytest.mark.parametrize("by", ["subscriber", "application", "programme", "payer", "day", "month"])
def test_each_grouping_has_the_replays_totals_in_every_form(capfd, ledger, by):
    usage = json.loads(ledger.with_name("usage.json").read_text())
    report = json.loads(run(capfd, "report", ledger, "--by", by, "--json").out)
    rows = list(csv.DictReader(io.StringIO(run(capfd, "report", ledger, "--by", by, "--csv").out)))
    for part in ("zero_rated", "discounted", "charged"):
        expected = usage[part]["octets"]
        assert report[f"{part}_octets"] == expected
        assert sum(row[f"{part}_octets"] for row in report["rows"]) == expected
        assert sum(int(row[f"{part}_octets"]) for row in rows) == expected
    assert [row[by] or None for row in rows] == [row[by] for row in report["rows"]]
    table = run(capfd, "report", ledger, "--by", by).out
    assert all(row[by] in table for row in report["rows"] if row[by])


def test_subscribers_and_programmes_have_what_the_replay_gave_them(capfd, ledger):
    usage = json.loads(ledger.with_name("usage.json").read_text())
    of_subscriber = json.loads(run(capfd, "report", ledger, "--by", "subscriber", "--json").out)["rows"]
    assert {row["subscriber"]: row["charged_octets"] for row in of_subscriber} == {
        one["subscriber"]: one["charged_octets"] for one in usage["subscribers"]
    }
    of_programme = json.loads(run(capfd, "report", ledger, "--by", "programme", "--json").out)["rows"]
    assert {row["programme"]: (row["payer"], row["zero_rated_octets"]) for row in of_programme if row["programme"]} == {
        one["programme"]: (one["payer"], one["octets"]) for one in usage["programmes"]
    }


def test_the_parts_of_a_day_are_the_day(capfd, ledger):
    def octets(*span):
        report = json.loads(run(capfd, "report", ledger, "--json", *span).out)
        return [report[f"{part}_octets"] for part in ("zero_rated", "discounted", "charged")]

    noon = "2013-11-11T12:00"
    morning, evening = octets("--to", noon), octets("--from", noon)
    assert all(sum(part) > 0 for part in (morning, evening))
    assert [one + other for one, other in zip(morning, evening, strict=True)] == octets()
    assert octets("--from", "2013-11-11", "--to", "2013-11-12") == octets()
    assert octets("--from", "2013-11-11T12:00:00+08:00") == evening


def test_an_edge_within_an_interval_is_told(capfd, ledger):
    assert run(capfd, "report", ledger, "--from", "2013-11-11T12:00").err == ""
    with LedgerReader(ledger) as reader:
        begins_ns = next(reader.usage()).begins_ns
    within = datetime.fromtimestamp(begins_ns // 10**9 + 5, UTC)
    ran = run(capfd, "report", ledger, "--from", within.isoformat())
    assert "--from: lies within an interval of the ledger, which counts where it begins" in ran.err


def test_a_capture_twice_is_refused_and_counted_twice_only_on_demand(capfd, tmp_path):
    path = tmp_path / "usage.db"
    assert run(capfd, "replay", SMALL, "--ledger", path).status == 0
    before = run(capfd, "report", path, "--csv").out
    (line,) = mistakes(run(capfd, "replay", SMALL, "--ledger", path))
    assert line.startswith(f"{SMALL}: is in {path} already")
    (line,) = mistakes(run(capfd, "replay", DAY, SMALL, "--ledger", path))
    assert "nothing was written" in line
    assert run(capfd, "report", path, "--csv").out == before
    assert run(capfd, "replay", SMALL, "--ledger", path, "--append-anyway").status == 0
    once, twice = (
        list(csv.DictReader(io.StringIO(text))) for text in (before, run(capfd, "report", path, "--csv").out)
    )
    assert [2 * int(row["charged_octets"]) for row in once] == [int(row["charged_octets"]) for row in twice]


def test_a_file_named_twice_in_one_replay_is_a_capture_twice(capfd, tmp_path):
    (line,) = mistakes(run(capfd, "replay", SMALL, SMALL, "--ledger", tmp_path / "usage.db"))
    assert "nothing was written" in line


def test_a_replay_that_cannot_begin_makes_no_ledger(capfd, tmp_path):
    (line,) = mistakes(run(capfd, "replay", tmp_path / "none.pcap", "--ledger", tmp_path / "usage.db"))
    assert "no such file" in line
    assert list(tmp_path.iterdir()) == []


def test_rating_again_under_the_same_offers_changes_nothing(capfd, ledger, tmp_path):
    ran = run(capfd, "rate", ledger, "-o", tmp_path / "again.db", "--json")
    assert (ran.status, ran.err) == (0, "")
    answer = json.loads(ran.out)
    assert all(answer[key]["before"] == answer[key]["after"] for key in answer if key.endswith("_octets"))
    for by in ("subscriber", "programme"):
        reports = [run(capfd, "report", path, "--by", by, "--csv").out for path in (ledger, tmp_path / "again.db")]
        assert reports[0] == reports[1]


def test_other_offers_are_rated_alone_and_what_they_lack_is_told(capfd, ledger):
    ran = run(capfd, "rate", ledger, "--programmes", ROOT / "signatures", "--json")
    assert "facebook-on-china-mobile carried usage" in ran.err
    (facebook,) = (one for one in json.loads(ran.out)["programmes"] if one["programme"] == "facebook-on-china-mobile")
    assert facebook["octets"]["before"] > 0 == facebook["octets"]["after"]
    assert "facebook-on-china-mobile" in run(capfd, "rate", ledger, "--programmes", ROOT / "signatures").out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("report", "{folder}/none.db"), "no such ledger"),
        (("report", DAY), "is not a ledger"),
        (("report", "{ledger}", "--from", "yesterday"), '--from: "yesterday" is not a time'),
        (("report", "{ledger}", "--from", "2013-11-12", "--to", "2013-11-12"), "is not after 2013-11-12"),
        (("report", "{ledger}", "-o", "{ledger}"), "is both read and written"),
        (("rate", "{ledger}", "--programmes", "{folder}"), "no programmes in it"),
        (("rate", "{ledger}", "-o", "{ledger}"), "is there already"),
        (("rate", "{folder}/none.db"), "no such ledger"),
        (("replay", SMALL, "--ledger", DAY), "is not a ledger"),
        (("replay", SMALL, "--ledger", "{folder}/nowhere/usage.db"), "cannot be opened as a ledger"),
        (("replay", SMALL, "--append-anyway"), "--append-anyway: is about a ledger"),
    ],
)
def test_a_mistake_is_one_line(capfd, ledger, tmp_path, arguments, said):
    ran = run(capfd, *(str(one).format(ledger=ledger, folder=tmp_path) for one in arguments))
    (line,) = mistakes(ran)
    assert said in line


def test_every_mistake_in_the_offers_is_told(capfd, ledger, tmp_path):
    (tmp_path / "bad.toml").write_text(
        'name = "bad"\npayer = "operator"\napplications = ["nobodys"]\nstarts = 2013-11-01\n'
    )
    (tmp_path / "worse.toml").write_text('name = "worse"\n')
    lines = mistakes(run(capfd, "rate", ledger, "--programmes", tmp_path))
    assert len(lines) > 1
    assert any("worse.toml" in line for line in lines)
