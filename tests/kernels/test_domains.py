"""The domain kernel against string operations on whole rules."""

from __future__ import annotations

from fnmatch import fnmatchcase

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from classifier.catalogue.compile import compile_domains
from classifier.catalogue.patterns import parse_pattern
from classifier.kernels.domains import match_domain
from classifier.kernels.jit import kernel


@kernel
def call_match(domains, text, start, length):
    return match_domain(domains, text, start, length)


def buffer(data: bytes) -> np.ndarray:
    return np.frombuffer(data, np.uint8)


def build(*texts):
    """(domains, the rules' texts in the order of the answers)."""
    patterns = sorted(map(parse_pattern, set(texts)), key=lambda pattern: (pattern.strength, pattern.text))
    return compile_domains(patterns), [pattern.text for pattern in patterns]


def match(rules, name, before=b"", after=b""):
    domains, texts = rules
    text = name.encode("latin-1")
    answer = call_match(domains, buffer(before + text + after), len(before), len(text))
    return texts[answer] if answer >= 0 else None


def twin(texts, name):
    """Of the rules that match by `fnmatch`, label by label, the one that accounting and contract put first."""
    labels = name.split(".")
    best = None
    for text in texts:
        own = text.removeprefix("=").split(".")
        if len(own) > len(labels) or (text[0] == "=" and len(own) != len(labels)):
            continue
        if all(fnmatchcase(label, glob) for label, glob in zip(labels[-len(own) :], own, strict=True)):
            literal = len(text.replace("*", "").replace(".", "").replace("=", ""))
            rank = (len(own), text[0] == "=", "*" not in text, literal, text)
            best = max(best or rank, rank)
    return best[-1] if best else None


@pytest.mark.parametrize(
    ("name", "rule"),
    [
        ("facebook.com", "facebook.com"),
        ("m.facebook.com", "facebook.com"),
        ("notfacebook.com", None),
        ("facebook.com.evil.example", None),
        ("www.facebook.com.attacker.net", None),
        ("edge-mqtt.facebook.com", "=edge-mqtt.facebook.com"),
        ("x.edge-mqtt.facebook.com", "facebook.com"),
        ("scontent.fna.fbcdn.net", "fbcdn.net"),
        ("instagram.fblr1-3.fna.fbcdn.net", "instagram.*.fna.fbcdn.net"),
        ("x.instagram.fblr1-3.fna.fbcdn.net", "instagram.*.fna.fbcdn.net"),
        ("instagram.a.b.fna.fbcdn.net", "fbcdn.net"),
        ("fbcdn-photos-a.akamaihd.net", "fbcdn-*.akamaihd.net"),
        ("xfbcdn-photos-a.akamaihd.net", None),
        ("com", None),
        ("", None),
        (".", None),
        ("facebook.com.", None),
        ("FACEBOOK.COM", None),
    ],
)
def test_names_match_at_label_boundaries_and_the_longest_rule_wins(name, rule):
    rules = build(
        "facebook.com", "=edge-mqtt.facebook.com", "fbcdn.net", "instagram.*.fna.fbcdn.net", "fbcdn-*.akamaihd.net"
    )
    assert match(rules, name) == rule


LABELS = st.sampled_from(["a", "b", "ab", "abc", "c", "x-1", "aa", "bab"])
GLOBS = LABELS | st.sampled_from(["*", "a*", "*b", "a*b", "ab*ab", "*-1"])
RULES = st.builds(
    lambda exact, head, tail: "=" * exact + ".".join([*head, *tail]),
    st.booleans(),
    st.lists(GLOBS, max_size=3),
    st.lists(LABELS, min_size=2, max_size=3),
)
NAMES = st.lists(LABELS, min_size=1, max_size=6).map(".".join) | st.text(st.sampled_from("ab*.x-1"), max_size=12)


@settings(max_examples=400, deadline=None)
@given(st.lists(RULES, max_size=12), st.lists(NAMES, min_size=1, max_size=8))
@example(["=*.a.b", "a.a.b", "*.a.b", "=a.a.b"], ["a.a.b", "b.a.b", "c.b.a.b"])
def test_the_kernel_agrees_with_matching_every_rule(texts, names):
    rules = build(*texts)
    for name in [*names, *(text.removeprefix("=").replace("*", "b") for text in texts)]:
        assert match(rules, name) == twin(texts, name), name


@settings(max_examples=100, deadline=None)
@given(st.lists(RULES, min_size=1, max_size=6), NAMES, st.binary(max_size=6), st.binary(max_size=6))
def test_octets_around_the_name_do_not_matter(texts, name, before, after):
    rules = build(*texts)
    assert match(rules, name, before, after) == match(rules, name)


@settings(max_examples=100, deadline=None)
@given(st.lists(RULES, max_size=6), st.binary(max_size=300))
def test_octets_that_are_no_host_name_are_safe(texts, data):
    rules = build(*texts)
    name = data.decode("latin-1")
    assert match(rules, name) == twin(texts, name)


def test_every_cut_of_a_name_is_its_own_name():
    texts = ["instagram.*.fna.fbcdn.net", "=a.fbcdn.net", "fbcdn.net"]
    rules = build(*texts)
    name = "a.instagram.fblr1-3.fna.fbcdn.net"
    for first in range(len(name)):
        for last in range(first, len(name) + 1):
            assert match(rules, name[first:last]) == twin(texts, name[first:last])


def test_a_collision_of_hashes_gives_no_answer():
    domains, texts = build("facebook.com", "example.org")
    # As if every suffix had the hash of every other: all slots hold the hash that the name sought will have.
    for node in range(domains.node_suffix.shape[0]):
        slot = int(np.flatnonzero(domains.slot_node == node)[0])
        start, length = int(domains.node_offset[node]), int(domains.node_length[node])
        original = bytes(domains.pool[start : start + length])
        domains.pool[start] ^= 1  # the node now stands for another suffix, under the same hash
        assert domains.slot_hash[slot] != 0
        assert match((domains, texts), original.decode()) is None
        domains.pool[start] ^= 1
    assert match((domains, texts), "www.facebook.com") == "facebook.com"


def test_ten_thousand_rules_are_found_within_the_probe_limit():
    texts = [f"site-{number}.example-{number % 97}.com" for number in range(10_000)]
    rules = build(*texts)
    assert rules[0].probes <= 8
    for text in texts[::501]:
        assert match(rules, "www." + text) == text
    assert match(rules, "site-10000.example-1.com") is None
