"""Where the lab's servers stand, by `ipaddress` and the signatures' own files, read without the catalogue."""

from __future__ import annotations

import tomllib
from ipaddress import ip_address, ip_network
from pathlib import Path

import pytest

from classifier.catalogue.load import load_catalogue
from classifier.lab import topology
from classifier.lab.topology import MEMBERS, PAID, RESOLVERS, SUBSCRIBER_NETWORKS, UNKNOWN, server_addresses, sites

ROOT = Path(__file__).resolve().parents[2]
FILES = {path.stem: tomllib.loads(path.read_text()) for path in (ROOT / "signatures" / "apps").glob("*.toml")}
DOCUMENTATION = [ip_network(text) for text in ("198.51.100.0/24", "203.0.113.0/24", "2001:db8::/32")]
SITES = sites(load_catalogue())


def _prefixes(name: str, *keys: str):
    return [ip_network(text) for key in keys for text in FILES[name].get(key, ())]


def _inside(address, prefixes) -> bool:
    return any(address in prefix for prefix in prefixes)


def _suffix_octets(name: str, host: str) -> int:
    """How much of the host name is a plain domain of the application, stars left out."""
    plain = [text.removeprefix("=") for text in FILES[name].get("domains", ()) if "*" not in text]
    return max((len(text) for text in plain if host == text or host.endswith(f".{text}")), default=0)


def test_every_application_with_a_domain_has_a_site():
    assert {site.application for site in SITES} - {UNKNOWN} == {name for name in FILES if FILES[name].get("domains")}


@pytest.mark.parametrize("site", [site for site in SITES if site.application != UNKNOWN], ids=lambda site: site.name)
def test_a_site_has_its_applications_name_and_a_published_address(site):
    own = _suffix_octets(site.application, site.name)
    assert own > 0
    assert own == max(_suffix_octets(name, site.name) for name in FILES)
    published = _prefixes(site.application, "addresses") or _prefixes(site.application, "shared_addresses")
    assert all(_inside(address, published or DOCUMENTATION) for address in site.addresses)
    assert len({address.version for address in site.addresses}) == len(site.addresses) >= 1


def test_what_no_application_has_lies_in_nobodys_range():
    strangers = [site for site in SITES if site.application == UNKNOWN]
    assert PAID in [site.name for site in strangers]
    for site in strangers:
        assert [address.version for address in site.addresses] == [4, 6]
        for address in site.addresses:
            assert _inside(address, DOCUMENTATION)
            assert not any(_inside(address, _prefixes(name, "addresses", "shared_addresses")) for name in FILES)
        assert not any(_suffix_octets(name, site.name) for name in FILES)


def test_no_two_servers_share_an_address_and_none_is_a_subscribers():
    listed = server_addresses(SITES)
    assert len(listed) == sum(len(site.addresses) for site in SITES) + len(RESOLVERS) == len(set(listed))
    networks = [ip_network(text) for text in SUBSCRIBER_NETWORKS]
    assert not any(_inside(ip_address(text), networks) for text in listed)


def test_subscribers_are_of_two_operators_and_have_addresses_of_their_own():
    assert len({member.operator for member in MEMBERS}) == 2
    networks = [ip_network(text) for text in SUBSCRIBER_NETWORKS]
    for member in MEMBERS:
        assert _inside(ip_address(member.address), networks)
        assert ip_network(member.prefix).subnet_of(networks[1])
        assert ip_address(member.address6) in ip_network(member.prefix)
    assert len({one for member in MEMBERS for one in (member.address, member.prefix)}) == 2 * len(MEMBERS)
    assert any(member.borrows for member in MEMBERS)


def test_an_interfaces_name_fits_the_kernel():
    """IFNAMSIZ, linux/if.h: 16 with the zero at the end. The gateway's interfaces are called like the subscribers."""
    names = [*(member.name for member in MEMBERS), topology.UPSTREAM]
    assert len(set(names)) == len(names)
    assert all(len(name) < 16 for name in names)
