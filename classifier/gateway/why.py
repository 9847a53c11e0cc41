"""Why a flow is what it is, in a sentence: the rule of which file matched, what backs it, what contradicts it.

Rules of this file: it reads what was decided and decides nothing; what it says is looked up in the catalogue again, by the
catalogue's own Python (`signatures lookup`), so a sentence that does not fit would show a mistake in one of the two.
"""

from __future__ import annotations

import re
from functools import lru_cache
from ipaddress import ip_address

from classifier.catalogue.patterns import fold_name
from classifier.catalogue.records import Catalogue
from classifier.catalogue.rules import AddressRule, DomainRule, address_rules, domain_rules
from classifier.records import FlowRecord

HOST_LABEL = re.compile("[a-z0-9_-]{1,63}")
LOOKED_UP = 4096  # names and addresses that are kept with their rules
SOURCES = {"tls_sni": "TLS SNI", "quic_sni": "QUIC SNI", "http_host": "HTTP Host"}


class Why:
    """Explains flows under one catalogue."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._complete = {application.name for application in catalogue.applications if application.addresses_complete}
        names, addresses = domain_rules(catalogue)[::-1], address_rules(catalogue)
        self._name_rules = lru_cache(LOOKED_UP)(lambda name: _matching(names, name))
        self._address_rules = lru_cache(LOOKED_UP)(lambda address: _around(addresses, address))

    def __call__(self, flow: FlowRecord) -> str:
        """One sentence, without a full stop."""
        if flow.name is None:
            return f"no name{_instead_of_a_name(flow) or ', ' + self._by_address(flow)}"
        if not _is_host_name(flow.name):
            return f"{flow.name} is no host name, {self._by_address(flow)}"
        seen = f"{flow.name} ({SOURCES.get(flow.source, 'name')})"
        rules = self._name_rules(flow.name)
        if not rules:
            return f"{seen} matches no rule, and a name that matches none decides for unknown, whatever its address"
        matched = f"{seen} matches {_domain(rules[0])}"
        if flow.evidence == "contradicted":
            return f"{matched}, but {self._contradiction(flow, rules[0])}: charged"
        if flow.application != rules[0].application:
            return f"{matched}, but the name was not answered, or the server wrote it: it proves nothing"
        return f"{matched}, {self._backing(flow, rules[0])}"

    def _contradiction(self, flow: FlowRecord, rule: DomainRule) -> str:
        if flow.other_name is not None and flow.other_name != flow.name:
            return f"{flow.other_name} was seen on the same flow"
        listed, _ = self._listed(flow.server, rule.application)
        if listed is None and rule.application in self._complete and not rule.anywhere:
            return f"{flow.server} is none of the addresses of {rule.application}, whose list is complete"
        return "another copy of its octets, or what came with it, says something else"

    def _backing(self, flow: FlowRecord, rule: DomainRule) -> str:
        listed, own = self._listed(flow.server, rule.application)
        if flow.evidence == "verified":
            if own:
                return f"and {flow.server} is in {listed.prefix}, which is its own"
            return f"and an unexpired DNS answer gave {flow.server} for that name to this subscriber"
        if listed is not None:
            return f"and {flow.server} is in {listed.prefix}, which others use, too: the name alone"
        if rule.anywhere:
            return "which may answer from any address: the name alone"
        return f"and {rule.application} publishes no complete list of addresses: the name alone"

    def _by_address(self, flow: FlowRecord) -> str:
        far = flow.server if flow.subscriber_is_client else flow.client
        rules = self._address_rules(far)
        if flow.evidence == "address" and rules and rules[0].own:
            return f"but {far} is in {_prefix(rules[0])}, which {rules[0].application} alone uses"
        if flow.application != "unknown":
            backed = ", and a trusted resolver" if flow.evidence == "address" else ""
            return f"but the service at port {flow.server_port}{backed}"
        if rules and not rules[0].own:
            return f"and {far} is in {_prefix(rules[0])}, which is shared and never evidence alone"
        return f"and {far} is in nobody's list"

    def _listed(self, address: str, application: str) -> tuple[AddressRule | None, bool]:
        """The application's longest prefix over the address, and whether the address is its alone."""
        rules = self._address_rules(address)
        for place, rule in enumerate(rules):
            if rule.application == application:
                return rule, rule.own and place == 0
        return None, False


def _matching(rules: list[DomainRule], name: str) -> tuple[DomainRule, ...]:
    labels = fold_name(name)
    return tuple(rule for rule in rules if rule.pattern.matches(labels)) if all(labels) else ()


def _is_host_name(name: str) -> bool:
    """What accounting 2.5 calls one, as `kernels.names.fold_name` has it: labels of letters, digits, - and _, no address."""
    labels = fold_name(name)
    return all(HOST_LABEL.fullmatch(label) for label in labels) and not labels[-1].isdecimal()


def _around(rules: list[AddressRule], address: str) -> tuple[AddressRule, ...]:
    sought = ip_address(address)
    return tuple(rule for rule in rules if sought in rule.prefix)


def _instead_of_a_name(flow: FlowRecord) -> str:
    """What stands for a name that was seen elsewhere."""
    if flow.source == "dns":
        far = flow.server if flow.subscriber_is_client else flow.client
        return f" on the wire, but DNS answers gave {far} to this subscriber for names of {flow.application}"
    if flow.source == "quic_sni":
        return f", but it goes on with a QUIC connection of {flow.application} that was seen on another port"
    return ""


def _domain(rule: DomainRule) -> str:
    return f"{rule.pattern.text} of {rule.application} ({rule.file})"


def _prefix(rule: AddressRule) -> str:
    return f"{rule.prefix} ({rule.file})"
