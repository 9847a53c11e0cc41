"""Which rule of which file decides on a name or an address: in order for the kernels, in plain Python for a person.

Rules of this file: the order here is the whole decision. The arrays only make it fast.
"""

from __future__ import annotations

from ipaddress import ip_address
from typing import NamedTuple

from classifier.catalogue.patterns import Pattern, fold_name, parse_pattern
from classifier.catalogue.records import Catalogue
from classifier.validation import Network


class DomainRule(NamedTuple):
    """One pattern of one application. `anywhere`: names that it decides may answer from any address."""

    pattern: Pattern
    application: str
    anywhere: bool
    file: str


class AddressRule(NamedTuple):
    """One prefix of one application's list; `own`: nobody else serves from it."""

    prefix: Network
    application: str
    own: bool
    file: str


def domain_rules(catalogue: Catalogue) -> list[DomainRule]:
    """Every pattern, weakest first: a rule's place is its rank. What stands under `domains_anywhere` is a rule too."""
    rules = []
    for application in catalogue.applications:
        anywhere = [parse_pattern(text) for text in application.domains_anywhere]
        for text in sorted({*application.domains, *application.domains_anywhere}):
            pattern = parse_pattern(text)
            free = any(wide.covers(pattern) for wide in anywhere)
            rules.append(DomainRule(pattern, application.name, free, application.file))
    return sorted(rules, key=lambda rule: (rule.pattern.strength, rule.pattern.text))


def address_rules(catalogue: Catalogue) -> list[AddressRule]:
    """Every prefix of every list, the longest first, own before shared: of those over an address the first decides."""
    rules = [
        AddressRule(prefix, application.name, own, application.file)
        for application in catalogue.applications
        for own, prefixes in ((True, application.addresses), (False, application.shared_addresses))
        for prefix in prefixes
    ]
    return sorted(rules, key=lambda rule: (-rule.prefix.prefixlen, not rule.own, rule.application))


def explain_name(catalogue: Catalogue, name: str) -> tuple[DomainRule, ...]:
    """Every rule that matches a host name, the one that decides first. Case, port and trailing dot do not matter."""
    labels = fold_name(name)
    return tuple(rule for rule in reversed(domain_rules(catalogue)) if rule.pattern.matches(labels))


def explain_address(catalogue: Catalogue, address: str) -> tuple[AddressRule, ...]:
    """Every listed prefix over an address, the one that decides first: its application has the address if it is `own`.

    Raises ValueError where `address` is none.
    """
    sought = ip_address(address)
    return tuple(rule for rule in address_rules(catalogue) if sought in rule.prefix)
