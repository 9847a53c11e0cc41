"""The catalogue as the arrays that kernels read.

Rules of this file: a pure function of the catalogue and the resolvers; rows and rules come in a fixed order, so that
the same catalogue gives the same arrays. Applications are numbers from here on, in the order of `application_names`.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from classifier.catalogue.patterns import Pattern
from classifier.catalogue.records import Catalogue
from classifier.catalogue.rules import AddressRule, address_rules, domain_rules
from classifier.kernels.domains import FNV_BASIS, FNV_PRIME, Domains
from classifier.kernels.ranges import Ranges, flatten
from classifier.kernels.signatures import RELATION_LISTED, RELATION_OWN, SERVICE_TCP, SERVICE_UDP, Lookup
from classifier.validation import Network, network

_PROBES_MAX = 8  # a seed is sought until no search looks at more slots than this
_SEEDS_PER_SIZE = 16
_64_BITS = 2**64 - 1


def compile_catalogue(catalogue: Catalogue, trusted_resolvers: Iterable[object] = ()) -> Lookup:
    """The arrays for a catalogue that `load_catalogue` found right.

    `trusted_resolvers`: addresses or prefixes, as text or from `ipaddress`.
    """
    names = catalogue.application_names
    number = {name: index for index, name in enumerate(names)}
    rules = domain_rules(catalogue)
    ranges, owner, relation = _compile_addresses(address_rules(catalogue), number)
    services = np.zeros((2, 65536), np.uint16)
    for application in catalogue.applications:
        for protocol, port in application.services:
            services[SERVICE_TCP if protocol == "tcp" else SERVICE_UDP, port] = number[application.name]
    return Lookup(
        domains=compile_domains([rule.pattern for rule in rules]),
        rule_application=np.array([number[rule.application] for rule in rules], np.int16),
        rule_anywhere=np.array([rule.anywhere for rule in rules], np.uint8),
        ranges=ranges,
        owner=owner,
        relation=relation,
        complete=np.array([0, *(application.addresses_complete for application in catalogue.applications)], np.uint8),
        service_application=services,
        trusted=flatten(_numbers(network(str(resolver)), 0) for resolver in trusted_resolvers),
    )


def _compile_addresses(rules: list[AddressRule], number: dict[str, int]) -> tuple[Ranges, np.ndarray, np.ndarray]:
    """Ranges -> row, and for each row the owner and every application's relation. Equal rows are kept once."""
    by_prefix: dict[Network, list[AddressRule]] = {}
    for rule in rules:
        by_prefix.setdefault(rule.prefix, []).append(rule)
    # From the shortest prefix on: what a prefix says of an address is what the one around it says, and more.
    around: list[tuple[Network, bytes]] = []
    rows: dict[tuple[int, bytes], int] = {}
    flat = []
    for prefix in sorted(by_prefix, key=lambda prefix: (prefix.version, prefix.network_address, prefix.prefixlen)):
        while around and not (around[-1][0].version == prefix.version and prefix.subnet_of(around[-1][0])):
            around.pop()
        relation = bytearray(around[-1][1] if around else bytes(len(number)))
        for rule in by_prefix[prefix]:
            relation[number[rule.application]] = RELATION_LISTED
        listed = bytes(relation)
        owner = number[by_prefix[prefix][0].application] if by_prefix[prefix][0].own else 0
        if owner:
            relation[owner] = RELATION_OWN
        around.append((prefix, listed))
        flat.append(_numbers(prefix, rows.setdefault((owner, bytes(relation)), len(rows))))
    relations = np.frombuffer(b"".join(relation for _, relation in rows), np.uint8).reshape(len(rows), len(number))
    return flatten(flat), np.array([owner for owner, _ in rows], np.int16), relations.copy()


def _numbers(prefix: Network, value: int) -> tuple[int, int, int, int]:
    return prefix.version, int(prefix.network_address), prefix.prefixlen, value


def compile_domains(patterns: list[Pattern]) -> Domains:
    """The hash table for `patterns`, weakest first: a pattern's place is the rule that `match_domain` answers."""
    tree = _Tree()
    for rule, pattern in enumerate(patterns):
        tree.add(rule, pattern)
    seed, probes, slot_hash, slot_node = _hash_table(tree.texts)
    heads = [head for node in tree.heads for head in reversed(node)]  # strongest first
    ends = np.cumsum([len(node) for node in tree.heads], dtype=np.int64)
    pool = bytearray()
    offsets = []
    for text in [*tree.texts, *(text for text, _, _ in heads)]:
        offsets.append(len(pool))
        pool += text
    nodes = len(tree.texts)
    return Domains(
        seed=np.uint64(seed),
        probes=probes,
        slot_hash=slot_hash,
        slot_node=slot_node,
        node_offset=np.array(offsets[:nodes], np.int32),
        node_length=np.array([len(text) for text in tree.texts], np.int32),
        node_suffix=np.array(tree.suffix, np.int32),
        node_exact=np.array(tree.exact, np.int32),
        node_first=np.array([end - len(node) for end, node in zip(ends, tree.heads, strict=True)], np.int32),
        node_end=np.array(ends, np.int32),
        head_offset=np.array(offsets[nodes:], np.int32),
        head_length=np.array([len(text) for text, _, _ in heads], np.int32),
        head_rule=np.array([rule for _, rule, _ in heads], np.int32),
        head_exact=np.array([exact for _, _, exact in heads], np.uint8),
        pool=np.frombuffer(bytes(pool), np.uint8).copy(),
    )


class _Tree:
    """Suffixes of patterns as numbered nodes, with the rules that hang on each."""

    def __init__(self) -> None:
        self.number: dict[bytes, int] = {}
        self.texts: list[bytes] = []
        self.suffix: list[int] = []
        self.exact: list[int] = []
        self.heads: list[list[tuple[bytes, int, bool]]] = []

    def add(self, rule: int, pattern: Pattern) -> None:
        tail = pattern.tail
        for first in reversed(range(len(tail))):
            node = self._node(".".join(tail[first:]).encode())
        head = pattern.labels[: len(pattern.labels) - len(tail)]
        if head:
            self.heads[node].append((".".join(head).encode(), rule, pattern.exact))
        elif pattern.exact:
            self.exact[node] = rule
        else:
            self.suffix[node] = rule

    def _node(self, text: bytes) -> int:
        if text not in self.number:
            self.number[text] = len(self.texts)
            self.texts.append(text)
            self.suffix.append(-1)
            self.exact.append(-1)
            self.heads.append([])
        return self.number[text]


def _hash_table(texts: list[bytes]) -> tuple[int, int, np.ndarray, np.ndarray]:
    """(seed, probes, slot hashes, slot nodes): the first seed with which no node lies far from its place."""
    slots = 16
    while slots < 2 * len(texts):
        slots *= 2
    while True:
        for attempt in range(_SEEDS_PER_SIZE):
            seed = (int(FNV_BASIS) + attempt * 0x9E3779B97F4A7C15) & _64_BITS  # golden ratio: spreads the attempts
            slot_hash, slot_node = [0] * slots, [-1] * slots
            probes = 1
            for node, text in enumerate(texts):
                hashed = _hash(seed, text)
                slot = (hashed ^ hashed >> 32) & (slots - 1)
                distance = 1
                while slot_node[slot] >= 0:
                    slot = (slot + 1) & (slots - 1)
                    distance += 1
                slot_hash[slot], slot_node[slot] = hashed, node
                probes = max(probes, distance)
            if probes <= _PROBES_MAX:
                return seed, probes, np.array(slot_hash, np.uint64), np.array(slot_node, np.int32)
        slots *= 2


def _hash(seed: int, text: bytes) -> int:
    """What `match_domain` has at the first octet of `text`: FNV-1a from the last octet to the first."""
    hashed = seed
    for octet in reversed(text):
        hashed = (hashed ^ octet) * int(FNV_PRIME) & _64_BITS
    return hashed
