"""Flows as JSON Lines and as columns: the contract's keys, one line each, and widths that fit."""

from __future__ import annotations

import json

import pytest
from report_records import flow
from rich.cells import cell_len

from classifier.reports.flow_lines import SAMPLE_FLOWS, flow_json_lines, flow_table

CONTRACT_KEYS = [
    *("subscriber", "client", "client_port", "server", "server_port", "protocol", "application", "evidence", "source"),
    *("name", "first_packet", "last_packet", "uplink_octets", "downlink_octets", "uplink_packets", "downlink_packets"),
]
LONG = flow(
    client="2001:db8:1000:4321:1234:5678:9abc:def0",
    server="2a03:2880:f10c:83:face:b00c:1234:25de",
    subscriber="a subscriber with a long name",
    application="wechat-mini-programs",
    evidence="contradicted",
    name="a" * 200 + ".example.org",
)


def lines(flows, width=None):
    return [line.text for line in flow_table(flows, width)]


def test_a_flow_is_one_object_with_the_keys_of_the_contract():
    (line,) = flow_json_lines([flow(name=None, subscriber=None)])
    written = json.loads(line)
    assert list(written)[: len(CONTRACT_KEYS)] == CONTRACT_KEYS
    assert written["name"] is None
    assert written["subscriber"] is None
    assert written["first_packet"] == "2013-11-09T12:26:40.000000Z"
    assert (line[-1], line.count("\n")) == ("\n", 1)


@pytest.mark.parametrize("width", [60, 80, 100, 140, 300])
def test_on_a_terminal_no_line_is_wider_than_it(width):
    shown = lines([flow(), LONG, flow(protocol="icmp")], width)
    assert len(shown) == 4
    assert max(map(cell_len, shown)) <= width


def test_at_100_columns_the_usual_flow_is_whole_and_the_end_of_a_long_name_is_seen():
    _, usual, long = lines([flow(), LONG], 100)
    for part in ("10.0.0.7", "157.240.1.35:443", "tcp", "facebook", "verified", "1.23 kB", "56.8 kB"):
        assert part in usual
    assert long.endswith("xample.org")


def test_in_a_pipe_nothing_is_cut_wherever_it_comes():
    shown = lines([flow() for _ in range(SAMPLE_FLOWS)] + [LONG])
    assert LONG.name in shown[-1]
    assert f"[{LONG.server}]:443" in shown[-1]
    assert LONG.subscriber in shown[-1]


def test_flows_are_given_before_the_last_is_there():
    def endless():
        while True:
            yield flow()

    shown = flow_table(endless(), 80)
    assert next(shown).text.startswith("subscriber")
    assert next(shown).text.startswith("10.0.0.7")


def test_a_flow_without_ports_shows_none_and_a_second_name_is_shown():
    _, ping, two = lines([flow(protocol="icmp", client_port=0, server_port=0), flow(other_name="evil.example")])
    assert "157.240.1.35 " in ping
    assert two.endswith("www.facebook.com / evil.example")
