"""The plan: the same for the same seed, in the mix that was asked for, always with a borrowed name in it."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from collections import Counter
from dataclasses import replace
from ipaddress import ip_address, ip_network
from pathlib import Path

import pytest

from classifier.catalogue.load import load_catalogue
from classifier.errors import LabError
from classifier.lab import DEFAULT_SECONDS
from classifier.lab.files import ALLOWANCE_OCTETS
from classifier.lab.http import BODY_OCTETS_MAX
from classifier.lab.topology import MEMBERS, sites
from classifier.lab.traffic import DEFAULT_MIX, make_plan, parse_mix

ROOT = Path(__file__).resolve().parents[2]
SITES = sites(load_catalogue())
SITE = {site.name: site for site in SITES}
BORROWER = next(member.name for member in MEMBERS if member.borrows)
PROGRAM = """
from classifier.lab.life import plan_traffic
from classifier.lab.traffic import DEFAULT_MIX
print(plan_traffic(7, DEFAULT_MIX, 5))
"""


def _plan(seed=1, mix=DEFAULT_MIX, seconds=DEFAULT_SECONDS, members=MEMBERS):
    return make_plan(seed, mix, seconds, members, SITES)


def _by_application(transfers) -> Counter:
    return Counter(SITE[one.name].application for one in transfers if one.address is None)


def test_the_same_seed_gives_the_same_plan_in_any_process():
    printed = []
    for hash_seed in ("1", "2"):
        environment = {"PYTHONHASHSEED": hash_seed, "PYTHONPATH": str(ROOT)}
        command = [sys.executable, "-c", PROGRAM]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=True)
        printed.append(done.stdout.strip())
    assert printed == [str(_plan(7, seconds=5))] * 2
    assert _plan(7) != _plan(8)


def test_another_subscriber_changes_nobody_elses_day():
    whole, alone = _plan(), _plan(members=MEMBERS[2:3])
    assert alone[MEMBERS[2].name] == whole[MEMBERS[2].name]


def test_the_mix_is_kept():
    members = [replace(MEMBERS[0], name=f"m{number}", fond_of=()) for number in range(40)]
    found = Counter()
    for transfers in _plan(mix={"facebook": 3, "unknown": 1}, members=members).values():
        found += _by_application(transfers)
    assert set(found) == {"facebook", "unknown"}
    assert 2.5 < found["facebook"] / found["unknown"] < 3.6


@pytest.mark.parametrize("seconds", [1, 5, 20])
@pytest.mark.parametrize("mix", [DEFAULT_MIX, {"wikipedia": 1}])
def test_somebody_always_writes_a_free_name_on_an_address_that_is_not_its_own(seconds, mix):
    facebook = tomllib.loads((ROOT / "signatures" / "apps" / "facebook.toml").read_text())
    prefixes = [ip_network(text) for text in facebook["addresses"]]
    plan = _plan(mix=mix, seconds=seconds)
    for name, transfers in plan.items():
        borrowed = [one for one in transfers if one.address is not None]
        assert bool(borrowed) == (name == BORROWER)
        for one in borrowed:
            assert one.name.endswith("facebook.com")
            assert ip_address(one.address).version == one.family
            assert not any(ip_address(one.address) in prefix for prefix in prefixes)


def test_times_sizes_and_families_can_be_had():
    for transfers in _plan(seed=3).values():
        assert [one.at_ms for one in transfers] == sorted(one.at_ms for one in transfers)
        for one in transfers:
            assert 0 <= one.at_ms < DEFAULT_SECONDS * 1000
            assert 0 < one.octets <= BODY_OCTETS_MAX
            assert one.address or one.family in [address.version for address in SITE[one.name].addresses]


@pytest.mark.parametrize("seed", range(20))
def test_the_allowance_is_used_up_before_a_demo_ends(seed):
    (enrolled,) = (member for member in MEMBERS if member.enrolled)
    shops = [one for one in _plan(seed)[enrolled.name] if SITE[one.name].application in enrolled.fond_of]
    assert sum(one.octets for one in shops) > ALLOWANCE_OCTETS


def test_a_mix_is_read():
    assert parse_mix("facebook=3, yixin ,unknown=10") == {"facebook": 3, "yixin": 1, "unknown": 10}


@pytest.mark.parametrize("text", ["", "facebook=3,", "facebook=0", "facebook=x", "facebook=1001", "a,a", "=3", "a=²"])
def test_a_mix_that_is_none_is_refused_with_the_mend(text):
    with pytest.raises(LabError, match=r"^--mix: .*; write it like facebook=3"):
        parse_mix(text)


def test_a_mix_of_what_the_lab_does_not_have_names_the_nearest():
    with pytest.raises(LabError, match='"fcebook"; did you mean "facebook"'):
        _plan(mix={"fcebook": 1})
