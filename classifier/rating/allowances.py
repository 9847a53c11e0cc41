"""Usage against allowances, octet by octet: accounting 3.3.

Rules of this file: whole numbers and dictionaries, no arrays. What an allowance has lost already comes in and what it has
lost afterwards goes out; nothing is kept here.
"""

from __future__ import annotations

from collections.abc import MutableMapping, Sequence
from typing import NamedTuple, Protocol

from classifier.rating.offers import PART_CHARGED, Claim, Limit, Route


class AllowancePeriod(NamedTuple):
    """One allowance in one period, of whomever.

    `place` is that in the programme's list, the bonus behind the last; `begins_ns` the period's first instant.
    """

    programme: str
    place: int
    begins_ns: int


class AllowanceKey(NamedTuple):
    """One allowance of one subscriber in one period: what a ledger keeps, with the octets used of it."""

    subscriber: int
    programme: str
    place: int
    begins_ns: int

    @property
    def period(self) -> AllowancePeriod:
        return AllowancePeriod(*self[1:])


class Used(Protocol):
    """What allowances have lost so far: a dictionary, or what answers like one."""

    def get(self, key: AllowanceKey, default: int, /) -> int: ...


class Share(NamedTuple):
    """Some octets of a piece of usage, and where they go. `programme` None: the subscriber pays, for this `reason`."""

    octets: int
    part: int
    programme: str | None
    reason: str | None


class Volumes(NamedTuple):
    """A row's four counts, in the order of the fields of usage."""

    uplink_octets: int
    downlink_octets: int
    uplink_packets: int
    downlink_packets: int


def period_of(claim: Claim, limit: Limit) -> AllowancePeriod:
    """This limit, of whomever."""
    return AllowancePeriod(claim.programme.name, limit.place, limit.begins_ns)


def key_of(subscriber: int, claim: Claim, limit: Limit) -> AllowanceKey:
    """The key under which this limit's use is kept."""
    return AllowanceKey(subscriber, claim.programme.name, limit.place, limit.begins_ns)


class Taken(NamedTuple):
    """Where a piece of usage goes, and the programmes of which it found or left nothing."""

    shares: list[Share]
    exhausted: list[str]


def take(
    octets: int,
    route: Route,
    subscriber: int,
    used: Used,
    changed: MutableMapping[AllowanceKey, int],
) -> Taken:
    """Share `octets` out along the route: each claim takes what it still holds, the rest goes to the next, at last to the
    subscriber. `used` is how allowances stood before; what has changed since stands in `changed`, and is kept up there.
    """
    shares: list[Share] = []
    exhausted: list[str] = []
    for claim in route.claims:
        paid, left = octets, True
        if claim.limits is not None:
            paid, left = _take_in_order(octets, claim, claim.limits, subscriber, used, changed)
        if not left:
            exhausted.append(claim.programme.name)
        if paid or left:
            shares.append(Share(paid, claim.part, claim.programme.name, None))
            octets -= paid
            if not octets:
                return Taken(shares, exhausted)
    return Taken([*shares, Share(octets, PART_CHARGED, None, route.reason)], exhausted)


def _take_in_order(
    octets: int,
    claim: Claim,
    limits: Sequence[Limit],
    subscriber: int,
    used: Used,
    changed: MutableMapping[AllowanceKey, int],
) -> tuple[int, bool]:
    """Take up to `octets` out of a claim's limits, one after the other: what they gave, and whether anything is left."""
    paid, left = 0, False
    for limit in limits:
        key = key_of(subscriber, claim, limit)
        before = changed.get(key)
        if before is None:
            before = used.get(key, 0)
        held = max(limit.octets - before, 0)
        taken = min(octets - paid, held)
        if taken:
            changed[key] = before + taken
            paid += taken
        left = left or held > taken
    return paid, left


def split(volumes: Volumes, shares: Sequence[Share]) -> list[Volumes]:
    """The row's counts for each share: octets exactly as shared, uplink and downlink in proportion; frames in proportion,
    rounded down, and the rest to the last (contract)."""
    if len(shares) == 1:
        return [volumes]
    total = sum(share.octets for share in shares)
    octets_left = list(volumes[:2])
    frames_left = list(volumes[2:])
    parts = []
    for share in shares[:-1]:
        frames = (volumes.uplink_packets + volumes.downlink_packets) * share.octets // total
        parts.append(
            Volumes(
                *_two_ways(share.octets, volumes.uplink_octets * share.octets // total, octets_left),
                *_two_ways(frames, volumes.uplink_packets * share.octets // total, frames_left),
            )
        )
    return [*parts, Volumes(*octets_left, *frames_left)]


def _two_ways(amount: int, uplink: int, left: list[int]) -> tuple[int, int]:
    """`amount` as uplink, about so much, and downlink; never more than is left of either, which becomes less."""
    uplink = min(max(uplink, amount - left[1]), left[0])
    left[0] -= uplink
    left[1] -= amount - uplink
    return uplink, amount - uplink
