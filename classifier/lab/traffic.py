"""Who asks for what, when and how: the lab's traffic as a plan, before a packet of it is sent. Pure.

Rules of this file: a plan follows from seed, mix, seconds and sites alone, and each subscriber draws from a stream of its own,
so that one more subscriber changes nobody else's day.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from classifier.errors import LabError
from classifier.lab.topology import UNKNOWN, Member, Site, paid_site
from classifier.validation import did_you_mean

TLS, CURL, HTTP, QUIC = "tls", "curl", "http", "quic"
_WAYS = {TLS: 5, CURL: 1, HTTP: 2, QUIC: 3}  # how often each is drawn; curl starts a process each time
DEFAULT_MIX = {
    "facebook": 4,
    "taobao": 3,
    "tmall": 1,
    "yixin": 3,
    "wechat": 1,
    "youtube": 2,
    "wikipedia": 1,
    UNKNOWN: 2,
}
BORROWED_NAME_OF = "facebook"
_PAUSE_S = 0.6  # between two transfers of a subscriber, on average
_BORROWED_EVERY_S = 4.0
_DOWNLINK_OCTETS = (2_000, 120_000)
_UPLINK_OCTETS = (500, 20_000)
_UPLOADS_IN_TEN = 2
_FONDNESS = 4
_WEIGHT_MAX = 1000


@dataclass(frozen=True, slots=True)
class Transfer:
    """One request. `address`: where the name is looked up for nothing and this is asked instead; None: as DNS says.

    `family` is 4 or 6, `octets` those of the body, which goes up if `upload`.
    """

    at_ms: int
    way: str
    name: str
    family: int
    octets: int
    upload: bool = False
    address: str | None = None


Plan = dict[str, tuple[Transfer, ...]]


def make_plan(
    seed: int, mix: Mapping[str, int], seconds: int, members: Sequence[Member], all_sites: Sequence[Site]
) -> Plan:
    """Each subscriber's transfers, in the order of time. LabError where the mix names what the lab does not have."""
    at_home = {
        site.application: [one for one in all_sites if one.application == site.application] for site in all_sites
    }
    for name in mix:
        if name not in at_home:
            raise LabError(f'--mix: no server of the lab is of "{name}"; {did_you_mean(name, sorted(at_home))}')
    plan = {}
    for member in members:
        chance = random.Random(f"{seed} {member.name}")
        own_mix = {name: weight * (_FONDNESS if name in member.fond_of else 1) for name, weight in mix.items()}
        transfers = list(_day(chance, own_mix, seconds, at_home))
        if member.borrows:
            transfers += _borrowed(chance, seconds, at_home, paid_site(tuple(all_sites)))
        plan[member.name] = tuple(sorted(transfers, key=lambda one: one.at_ms))
    return plan


def parse_mix(text: str) -> dict[str, int]:
    """`facebook=3,yixin=1`, a weight of 1 may be left out. LabError says what is wrong with it."""
    mix: dict[str, int] = {}
    for part in text.split(","):
        name, _, weight = (word.strip() for word in part.partition("="))
        if not name or name in mix:
            raise LabError(f'--mix: "{text}" has an empty place or a name twice; write it like facebook=3,yixin=1')
        if weight and not (weight.isdecimal() and weight.isascii() and 1 <= int(weight) <= _WEIGHT_MAX):
            raise LabError(f'--mix: "{part}" has no weight from 1 to {_WEIGHT_MAX}; write it like facebook=3')
        mix[name] = int(weight or 1)
    return mix


def _day(chance: random.Random, mix: Mapping[str, int], seconds: int, at_home: Mapping[str, Sequence[Site]]):
    at = chance.uniform(0, _PAUSE_S)
    while at < seconds:
        application = chance.choices(list(mix), list(mix.values()))[0]
        site = chance.choice(at_home[application])
        way = chance.choices(list(_WAYS), list(_WAYS.values()))[0]
        yield _transfer(chance, at, way, site.name, site)
        at += chance.uniform(_PAUSE_S / 2, _PAUSE_S * 3 / 2)


def _borrowed(chance: random.Random, seconds: int, at_home: Mapping[str, Sequence[Site]], paid: Site):
    """The free name on the paid address, at least once, by TLS, QUIC and plain HTTP in turn."""
    name = at_home[BORROWED_NAME_OF][0].name
    ways, at = (TLS, QUIC, HTTP), 0.5 * min(1, seconds)
    number = 0
    while at < seconds:
        sent = _transfer(chance, at, ways[number % len(ways)], name, paid)
        address = next(str(one) for one in paid.addresses if one.version == sent.family)
        yield Transfer(sent.at_ms, sent.way, name, sent.family, sent.octets, sent.upload, address)
        at += _BORROWED_EVERY_S
        number += 1


def _transfer(chance: random.Random, at: float, way: str, name: str, site: Site) -> Transfer:
    family = chance.choice([address.version for address in site.addresses])
    upload = way != CURL and chance.randrange(10) < _UPLOADS_IN_TEN
    octets = chance.randint(*(_UPLINK_OCTETS if upload else _DOWNLINK_OCTETS))
    return Transfer(int(at * 1000), way, name, family, octets, upload)
