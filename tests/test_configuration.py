"""`freeflow.toml`: the contract's example, the defaults, and every mistake in one pass."""

from __future__ import annotations

from ipaddress import ip_address, ip_network

import pytest

from classifier.configuration import load_configuration
from classifier.errors import ConfigurationError

EXAMPLE = """
[gateway]
name = "lab-gw-1"
timezone = "Asia/Shanghai"
subscriber_networks = ["10.0.0.0/8", "2001:db8:1000::/36"]
trusted_resolvers = ["10.0.0.1", "2001:db8::53"]
subscribers = "subscribers.csv"
signatures = ["builtin", "signatures"]
interval_seconds = 10
dns_grace_seconds = 0
month_starts_on = 1

[ledger]
path = "usage.db"

[flows]
capacity = 16777216
udp_idle_seconds = 30
"""


def problems(tmp_path, text):
    path = tmp_path / "freeflow.toml"
    path.write_text(text)
    with pytest.raises(ConfigurationError) as refused:
        load_configuration(path)
    assert all(problem.startswith(f"{path}: ") and "\n" not in problem for problem in refused.value.problems)
    return refused.value.problems


def test_the_contracts_example_is_read_with_paths_relative_to_it(tmp_path):
    path = tmp_path / "freeflow.toml"
    path.write_text(EXAMPLE)
    found = load_configuration(path)
    assert (found.gateway.name, found.gateway.timezone, found.gateway.zone.key) == ("lab-gw-1", *["Asia/Shanghai"] * 2)
    assert found.gateway.subscriber_networks == (ip_network("10.0.0.0/8"), ip_network("2001:db8:1000::/36"))
    assert found.gateway.trusted_resolvers == (ip_network("10.0.0.1"), ip_network("2001:db8::53"))
    assert found.gateway.subscribers == tmp_path / "subscribers.csv"
    assert found.gateway.signatures == ("builtin", tmp_path / "signatures")
    assert (found.gateway.dns_grace_seconds, load_configuration(None).gateway.dns_grace_seconds) == (0, 300)
    assert found.ledger.path == tmp_path / "usage.db"
    assert (found.flows.capacity, found.flows.udp_idle_seconds, found.flows.tcp_idle_seconds) == (1 << 24, 30, 7440)


def test_without_a_file_the_private_ranges_are_subscribers(tmp_path):
    found = load_configuration(None)
    for text in ("10.1.2.3", "172.31.0.1", "192.168.1.1", "100.64.0.1", "fd00::1", "fe80::1"):
        assert any(ip_address(text) in network for network in found.gateway.subscriber_networks), text
    for text in ("172.32.0.1", "100.128.0.1", "8.8.8.8", "2001:db8::1", "127.0.0.1"):
        assert not any(ip_address(text) in network for network in found.gateway.subscriber_networks), text
    assert found.flows.capacity == 1 << 20
    assert found.ledger.path is None
    empty = tmp_path / "empty.toml"
    empty.write_text("")
    assert load_configuration(empty).gateway == found.gateway


BOUND = """
[radius]
servers = ["10.0.0.2", "10.1.0.0/28"]
secret_file = "radius.secret"
identity = ["calling_station_id", "imsi"]
idle_seconds = 7200

[dhcp]
servers = ["10.0.0.1", "2001:db8::1"]
identity = ["client_id", "mac"]

[bindings]
capacity = 1000

[link_binding]
by = "mac"
"""


def test_who_tells_addresses_and_by_which_names_is_read(tmp_path):
    path = tmp_path / "freeflow.toml"
    path.write_text(BOUND)
    found = load_configuration(path)
    assert found.radius.servers == (ip_network("10.0.0.2/32"), ip_network("10.1.0.0/28"))
    assert found.radius.secret_file == tmp_path / "radius.secret"
    assert found.radius.identity == ("calling_station_id", "imsi")
    assert found.radius.idle_seconds == 7200
    assert found.dhcp.servers == (ip_network("10.0.0.1/32"), ip_network("2001:db8::1/128"))
    assert found.dhcp.identity == ("client_id", "mac")
    assert (found.bindings.capacity, found.link_binding.by) == (1000, "mac")
    assert found.binds_addresses


def test_without_servers_nobody_tells_addresses(tmp_path):
    path = tmp_path / "freeflow.toml"
    for text in ("", "[radius]\nservers = []\n[dhcp]\nidentity = ['duid']"):
        path.write_text(text)
        found = load_configuration(path)
        assert not found.binds_addresses
        assert (found.radius.secret_file, found.radius.idle_seconds, found.link_binding.by) == (None, None, None)
        assert found.radius.identity == ("imsi", "calling_station_id", "user_name")
    path.write_text("[dhcp]\nservers = ['10.0.0.1']")
    assert load_configuration(path).binds_addresses


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[radious]", 'radious: unknown key; did you mean "radius"?'),
        ("[radius]\nserver = ['10.0.0.2']", 'radius.server: unknown key; did you mean "servers"?'),
        ("[radius]\nservers = ['radius.example']", 'radius.servers[1]: "radius.example" is not an address or prefix'),
        ("[radius]\nservers = '10.0.0.2'", "radius.servers: must be a list"),
        ("[radius]\nidentity = ['imsi', 'msisdn']", "radius.identity[2]: must be 'imsi', 'calling_station_id' or"),
        ("[radius]\nidentity = []", "radius.identity: is an empty list"),
        ("[radius]\nidle_seconds = 0", "radius.idle_seconds: 0 is too small; the least is 1"),
        ("[dhcp]\nidentity = ['imsi']", "dhcp.identity[1]: must be 'circuit_id'"),
        ("[bindings]\ncapacity = 0", "bindings.capacity: 0 is too small; the least is 1"),
        ("[link_binding]", "link_binding.by: is missing; add it"),
        (
            "[link_binding]\nby = 'ip'",
            "link_binding.by: must be 'mac', 'vlan' or 'teid', not \"ip\"; choose one of these",
        ),
        ("[gatway]", 'gatway: unknown key; did you mean "gateway"?'),
        ("[gateway]\ntimezon = 'UTC'", 'gateway.timezon: unknown key; did you mean "timezone"?'),
        ("[gateway]\ntimezone = 'Asia/Shangai'", 'gateway.timezone: "Asia/Shangai" is no time zone'),
        ("[gateway]\ntimezone = 'Asia/Shangai'", 'did you mean "Asia/Shanghai"?'),
        ("[gateway]\ntimezone = '../../etc/passwd'", "is no time zone"),
        ("[gateway]\ntimezone = 'Asia'", "is no time zone"),
        (
            "[gateway]\nsubscriber_networks = ['10.0.0.7/8']",
            'subscriber_networks[1]: "10.0.0.7/8" has host bits set; write "10',
        ),
        ("[gateway]\nname 'x'", "line 2, column 6: not TOML"),
        ("[gateway]\nsubscriber_networks = []", "subscriber_networks: is an empty list"),
        ("[gateway]\ntrusted_resolvers = ['dns.example']", "trusted_resolvers[1]: "),
        ("[gateway]\ninterval_seconds = 0", "interval_seconds: 0 is too small; the least is 1"),
        ("[gateway]\ndns_grace_seconds = -1", "dns_grace_seconds: -1 is too small; the least is 0"),
        ("[gateway]\ninterval_seconds = '10'", "interval_seconds: must be a whole number"),
        ("[gateway]\nmonth_starts_on = 32", "month_starts_on: 32 is too large; the most is 31"),
        ("[flows]\ncapacity = 16777217", "flows.capacity: 16777217 is too large; the most is 16777216"),
        ("[flows]\ncapacity = true", "flows.capacity: must be a whole number, not true"),
        ("gateway = 3", "gateway: must be a table, not 3"),
        ("[gateway", "its end: not TOML"),
        ('[gateway]\nname = "', "its end"),
    ],
)
def test_a_mistake_is_named_with_its_key_and_the_mend(tmp_path, text, told):
    assert any(told in problem for problem in problems(tmp_path, text))


def test_all_mistakes_are_told_in_one_pass(tmp_path):
    text = "[gateway]\nnme = 'x'\ntimezone = 'Mars'\n[ledger]\npth = 'x'\n[flows]\ncapacity = 0\n"
    assert len(problems(tmp_path, text)) == 4


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(ConfigurationError, match="no such file"):
        load_configuration(tmp_path / "freeflow.toml")
    with pytest.raises(ConfigurationError, match="cannot be read"):
        load_configuration(tmp_path)


def test_the_ring_is_configured_and_its_mistakes_are_told_with_the_mend(tmp_path):
    path = tmp_path / "freeflow.toml"
    path.write_text('[capture]\nring_blocks = 8\nblock_octets = 196608\ndirection = "in"\npromiscuous = false\n')
    found = load_configuration(path).capture
    assert (found.ring_blocks, found.block_octets, found.direction, found.promiscuous) == (8, 196608, "in", False)
    assert (load_configuration(None).capture.direction, load_configuration(None).capture.promiscuous) == ("both", True)
    told = problems(
        tmp_path,
        "[capture]\nring_blocks = 1\nblock_octets = 200000\nblock_timeout_ms = 0\n"
        'promiscuous = 1\ndirection = "inn"\nrings = 2\n',
    )
    assert len(told) == 6
    assert any("block_octets" in line and "write 196608" in line for line in told)
    assert len(problems(tmp_path, "[capture]\nblock_octets = 65536\n")) == 1
