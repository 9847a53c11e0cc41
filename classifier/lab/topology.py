"""Who is in the lab and where: subscribers, links, names and their addresses. Pure data, from the catalogue alone.

Rules of this file: the same catalogue gives the same lab. A server's address lies in a range that its application
publishes; where it publishes none, in one kept for documentation (RFC 5737, RFC 3849), and so do names that nobody has.
"""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

from classifier.catalogue.records import Application, Catalogue
from classifier.catalogue.rules import AddressRule, DomainRule, address_rules, domain_rules
from classifier.validation import Network

Address = IPv4Address | IPv6Address

SUBSCRIBER_NETWORKS = ("10.0.0.0/8", "2001:db8:1000::/36")
GATEWAY, INTERNET = "gateway", "internet"  # the two namespaces that are no subscriber's
UPSTREAM = "internet"  # the gateway's interface that everything passes
NEAR_ADDRESS, FAR_ADDRESS, LINK_PREFIX = "192.0.2.1", "192.0.2.2", 30  # of that link: the gateway's, the internet's
SUBSCRIBERS_GATEWAY = "10.0.0.1"
NEAR_LINK_LOCAL, FAR_LINK_LOCAL = "fe80::1", "fe80::2"
RESOLVERS = ("192.0.2.53", "2001:db8:53::53")

UNKNOWN = "unknown"  # what freeflow calls a name that no application has
STRANGERS = ("www.news.example", "www.shop.example", "www.forum.example")
PAID = "www.tunnel.example"  # whoever runs it answers to any name
STRANGERS_NETWORKS: tuple[Network, ...] = (ip_network("203.0.113.0/24"), ip_network("2001:db8:f000::/48"))
UNLISTED_NETWORKS: tuple[Network, ...] = (ip_network("198.51.100.0/24"), ip_network("2001:db8:f001::/48"))
_FIRST_HOST = 10


@dataclass(frozen=True, slots=True)
class Member:
    """A subscriber: its namespace's name, its address and /64, and the columns of `subscribers.csv`.

    `fond_of`: applications that it asks for more often than the others do. `borrows`: writes a free name on a paid server's
    address, which is what freeflow must not fall for.
    """

    name: str
    address: str
    prefix: str
    operator: str
    province: str
    plan: str
    enrolled: str = ""
    fond_of: tuple[str, ...] = ()
    borrows: bool = False

    @property
    def address6(self) -> str:
        """The IPv6 address: the first of its /64."""
        return str(ip_network(self.prefix)[1])


MEMBERS = (
    Member(
        "chen",
        "10.1.0.11",
        "2001:db8:1001:b::/64",
        "china-mobile",
        "guangdong",
        "3g-58",
        enrolled="alibaba-free-flow",
        fond_of=("taobao", "tmall"),
    ),
    Member("huang", "10.1.0.12", "2001:db8:1001:c::/64", "china-mobile", "guangdong", "3g-58"),
    Member("liang", "10.1.0.13", "2001:db8:1001:d::/64", "china-mobile", "hunan", "3g-88", borrows=True),
    Member("shen", "10.2.0.21", "2001:db8:1002:15::/64", "china-telecom", "jiangsu", "e-surfing-49"),
    Member("wang", "10.2.0.22", "2001:db8:1002:16::/64", "china-telecom", "jiangsu", "e-surfing-49"),
    Member("xu", "10.2.0.23", "2001:db8:1002:17::/64", "china-telecom", "shanghai", "student"),
)


@dataclass(frozen=True, slots=True)
class Site:
    """A name that the lab's internet answers for, whose it is, and where it answers: at most one address of each family."""

    name: str
    application: str
    addresses: tuple[Address, ...]


def sites(catalogue: Catalogue) -> tuple[Site, ...]:
    """A site of each application that has names, in the order of the catalogue; then the strangers, the paid one last."""
    names, prefixes = domain_rules(catalogue), address_rules(catalogue)
    found = []
    for place, application in enumerate(catalogue.applications):
        name = _name(application, names)
        if name is not None:
            found.append(Site(name, application.name, _addresses(application, place, prefixes)))
    for place, name in enumerate((*STRANGERS, PAID)):
        found.append(Site(name, UNKNOWN, tuple(net[_FIRST_HOST + place] for net in STRANGERS_NETWORKS)))
    return tuple(found)


def paid_site(all_sites: tuple[Site, ...]) -> Site:
    """The one whose addresses a borrowed name is written on."""
    return next(site for site in all_sites if site.name == PAID)


def server_addresses(all_sites: tuple[Site, ...]) -> tuple[str, ...]:
    """Every address of the lab's internet, the resolvers' included, each once."""
    listed = [str(address) for site in all_sites for address in site.addresses]
    return tuple(dict.fromkeys([*RESOLVERS, *listed]))


def is_version_4(address: str) -> bool:
    return ip_address(address).version == 4


def _name(application: Application, rules: list[DomainRule]) -> str | None:
    """A host name of the application, preferably one that only its own addresses may answer for; None: it has none."""
    best = None
    for text in application.domains:
        exact = text.startswith("=")
        name = text.removeprefix("=").replace("*", "1")
        name = name if exact or "*" in text else f"www.{name}"
        labels = tuple(name.split("."))
        rule = next(rule for rule in reversed(rules) if rule.pattern.matches(labels))
        if rule.application == application.name and (best is None or not rule.anywhere):
            best = name
            if not rule.anywhere:
                break
    return best


def _addresses(application: Application, place: int, rules: list[AddressRule]) -> tuple[Address, ...]:
    """One address of each family that the application publishes; documentation's where it publishes nothing."""
    published = application.addresses or application.shared_addresses
    networks = published or UNLISTED_NETWORKS
    found = []
    for version in (4, 6):
        for network in networks:
            if network.version == version:
                address = network[(_FIRST_HOST + place) % network.num_addresses]
                first = next((rule for rule in rules if address in rule.prefix), None)
                if not application.addresses or (first is not None and first.application == application.name):
                    found.append(address)
                    break
    return tuple(found)
