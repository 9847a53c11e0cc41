"""What the lab configures freeflow with has no mistakes, and says what the demo shows."""

from __future__ import annotations

import csv
import tomllib

from classifier.gateway.plan import load_plan
from classifier.lab.files import PROGRAMMES, write_files
from classifier.lab.topology import MEMBERS, RESOLVERS, SUBSCRIBER_NETWORKS


def test_freeflow_reads_it_without_a_complaint(tmp_path):
    path = write_files(tmp_path)
    plan = load_plan(str(path), zero_rate=[], subscriber_networks=[])
    assert plan.notices == ()
    assert {programme.name for programme in plan.catalogue.programmes} >= set(PROGRAMMES)
    gateway = tomllib.loads(path.read_text())["gateway"]
    assert gateway["subscriber_networks"] == list(SUBSCRIBER_NETWORKS)
    assert gateway["trusted_resolvers"] == list(RESOLVERS)


def test_every_subscriber_has_a_row_for_each_address(tmp_path):
    write_files(tmp_path)
    with (tmp_path / "subscribers.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [(row["subscriber"], row["address"], row["operator"]) for row in rows] == [
        (member.name, address, member.operator) for member in MEMBERS for address in (member.address, member.prefix)
    ]
    assert {row["subscriber"]: row["enrolled"] for row in rows if row["enrolled"]} == {
        "chen": "alibaba-free-flow=2013-11-01"
    }


def test_the_offers_are_what_the_demo_tells_of(tmp_path):
    write_files(tmp_path)
    offers = {path.stem: tomllib.loads(path.read_text()) for path in (tmp_path / "signatures/programmes").iterdir()}
    operators = {member.operator for member in MEMBERS}
    free, sponsored = offers["yixin-telecom"], offers["yixin-mobile-unicom"]
    assert (free["payer"], sponsored["payer"]) == ("operator", "yixin")
    assert {one["operator"] for one in (*free["eligible"], *sponsored["eligible"])} == operators
    assert offers["facebook-zero"]["payer"] == "operator"
    assert offers["alibaba-free-flow"]["payer"] == "alibaba"
    assert offers["alibaba-free-flow"]["allowance"] == {"octets": 250_000, "per": "month"}
