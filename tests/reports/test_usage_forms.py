"""The JSON keeps the contract, the CSV adds up to it, and the table fits and says the same."""

from __future__ import annotations

import csv
import io
import json

import pytest
from report_records import application, report, subscriber, usual_report
from rich.cells import cell_len

from classifier.records import UNMETERED, UnmeteredUsage, Volume
from classifier.reports.usage_csv import csv_text
from classifier.reports.usage_json import json_line, json_text
from classifier.reports.usage_table import SUBSCRIBERS_SHOWN, usage_table

VOLUME_KEYS = ["frames", "uplink_octets", "downlink_octets", "octets"]
CONTRACT_KEYS = [
    "schema",
    "first_packet",
    "last_packet",
    "observed",
    "zero_rated",
    "discounted",
    "charged",
    "unmetered",
    "subscribers",
    "programmes",
    "evidence",
]
NASTY = 'a\x1b[2J[bold]"x",\n\u202ey'


def table_text(one, width=80):
    return [line.text for line in usage_table(one, width)]


def csv_rows(one):
    return list(csv.DictReader(io.StringIO("".join(csv_text(one)))))


def test_the_object_has_the_keys_of_the_contract_in_its_order():
    written = json.loads("".join(json_text(usual_report())))
    assert list(written)[: len(CONTRACT_KEYS)] == CONTRACT_KEYS
    assert written["schema"] == "freeflow.usage/1"
    for part in ("zero_rated", "discounted", "charged", "pending"):
        assert list(written[part]) == VOLUME_KEYS
        assert written[part]["octets"] == written[part]["uplink_octets"] + written[part]["downlink_octets"]
    assert list(written["evidence"]) == ["verified", "claimed", "address", "contradicted", "none"]
    assert written["first_packet"] == "2013-11-09T12:26:40.000000Z"
    assert written["last_packet"] == "2013-11-09T12:27:40.123456Z"


def test_the_object_in_lines_and_on_one_line_are_the_same():
    one = usual_report()
    assert json.loads("".join(json_text(one))) == json.loads(json_line(one))
    assert json_line(one).count("\n") == 1


def test_what_is_written_by_hand_is_what_the_json_module_writes():
    reasons = (("no_programme", 7), ("unasked", 5), ("after_close", 3))
    named = application(NASTY, charged=15)._replace(charged_because=reasons)
    one = report(subscriber(NASTY, named, application("dns")), subscriber("陈"), subscriber("anna", named))
    written = json.loads(json_line(one))
    assert json_line(one) == json.dumps(written) + "\n"
    lines = "".join(json_text(one)).split("\n")
    begin = lines.index('"subscribers": [') + 1
    assert lines[begin : begin + 4] == [
        *(json.dumps(written["subscribers"][place]) + "," for place in (0, 1)),
        json.dumps(written["subscribers"][2]),
        "],",
    ]
    assert written["subscribers"][0]["applications"][0] == {
        "application": NASTY,
        "uplink_octets": 3,
        "downlink_octets": 12,
        "packets": 1,
        "zero_rated_octets": 0,
        "discounted_octets": 0,
        "charged_octets": 15,
        "charged_because": dict(reasons),
    }


def test_what_is_empty_is_there_and_empty():
    empty = report(
        unmetered=(),
        programmes=(),
        evidence=(),
        notices=(),
        first_packet_ns=None,
        last_packet_ns=None,
        retransmitted_octets=0,
        after_close_octets=0,
    )
    written = json.loads("".join(json_text(empty)))
    assert written["subscribers"] == written["programmes"] == []
    assert written["first_packet"] is None
    assert written["unmetered"] == {reason: {"frames": 0, "octets": 0} for reason in ("not_ip", "transit")}
    assert written["evidence"]["none"] == {"flows": 0, "octets": 0}
    assert csv_rows(empty) == []
    assert table_text(empty)[0] == "no packets"


def test_other_reasons_are_listed_where_something_went_there():
    found = [UnmeteredUsage(reason, 1, 2) for reason in reversed(UNMETERED) if reason != "malformed"]
    written = json.loads(json_line(report(unmetered=[*found, UnmeteredUsage("malformed", 0, 0)])))
    assert list(written["unmetered"]) == [reason for reason in UNMETERED if reason != "malformed"]


def test_the_sums_of_the_csv_are_the_totals():
    one = usual_report()
    rows = csv_rows(one)
    for part in ("zero_rated", "discounted", "charged"):
        assert sum(int(row[f"{part}_octets"]) for row in rows) == getattr(one, part).octets
    reasons = [pair.split("=") for row in rows for pair in row["charged_because"].split(";") if pair]
    assert sum(int(octets) for _, octets in reasons) == one.charged.octets
    assert {reason for reason, _ in reasons} == {"no_programme", "unknown_application"}


def test_a_name_with_anything_in_it_comes_back_from_json_and_csv_and_harms_no_terminal():
    one = report(subscriber(NASTY, application("facebook", charged=5)))
    assert json.loads("".join(json_text(one)))["subscribers"][0]["subscriber"] == NASTY
    assert csv_rows(one)[0]["subscriber"] == NASTY
    shown = table_text(one, 100)
    assert all(line.isprintable() for line in shown)
    assert any("[bold]" in line for line in shown)


@pytest.mark.parametrize("width", [60, 72, 80, 100, 200])
@pytest.mark.parametrize("name", ["anna", "陈" * 40, "x" * 300])
def test_no_line_is_wider_than_the_terminal(width, name):
    huge = application("an-application-whose-name-is-as-long-as-this", 10**17, 10**17, 10**17, "not_enrolled")
    one = report(
        subscriber(name, huge),
        unmetered=[UnmeteredUsage(reason, 10**9, 10**15) for reason in UNMETERED],
        pending=Volume(10, 20, 30),
    )
    assert max(cell_len(line) for line in table_text(one, width)) <= width
    assert max(cell_len(line) for line in table_text(usual_report(), width)) <= width


def test_the_table_says_what_the_report_holds():
    shown = "\n".join(table_text(usual_report(), 120))
    for phrase in (
        "12.3 GB",
        "54.3 kB",
        "1.00 MB",
        "the application is unknown",
        "no programme covers",
        "yixin-telecom",
    ):
        assert phrase in shown
    assert shown.index("zero-rated") < shown.index("why charged") < shown.index("subscribers") < shown.index("evidence")
    assert "notice: flows evicted from a full table: 2" in shown


def test_nothing_discounted_is_not_mentioned():
    one = report(subscriber("anna", application("facebook", zero_rated=10)))
    assert "discounted" not in "\n".join(table_text(one))
    assert "discounted" in "\n".join(table_text(usual_report()))


def test_subscribers_beyond_those_shown_are_counted():
    many = [subscriber(f"10.0.0.{number}", application("dns", charged=10)) for number in range(SUBSCRIBERS_SHOWN + 2)]
    shown = table_text(report(*many))
    assert "and 2 subscribers more with 20 B: see --csv" in shown
    assert sum(line.startswith("10.0.0.") for line in shown) == SUBSCRIBERS_SHOWN
    assert len(csv_rows(report(*many))) == SUBSCRIBERS_SHOWN + 2


def test_the_same_report_gives_the_same_text():
    for form in (lambda one: "".join(json_text(one)), lambda one: "".join(csv_text(one)), table_text):
        assert form(usual_report()) == form(usual_report())
