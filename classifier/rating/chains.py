"""Usage laid along a chain of allowances, for many subscribers at a time: accounting 3.3 in columns.

The allowances that a subscriber's usage may take, one after the other, are a ruler in octets: the first reaches from 0 to
what it still holds, the next goes on from there, and what lies beyond the last is for an offer without limit or for the
subscriber. Usage, in its order, is laid along the ruler end to end; what each row lies on is where it goes, and a row that
lies across an edge is cut there. So it is what `allowances.take` does row by row, and the tests compare them.

Rule of this file: arrays of whole numbers, and nothing about why a chain is what it is.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from classifier.rating.allowances import Share
from classifier.rating.offers import PART_CHARGED, Claim, Limit, Route


@dataclass(frozen=True, slots=True)
class Chain:
    """The claims of a route, those with limits first, and for whom the rest is: an offer without limit, or the subscriber."""

    claims: tuple[Claim, ...]
    rest: Share

    @property
    def limits(self) -> list[tuple[Claim, Limit]]:
        """All limits in the order in which they are taken."""
        return [(claim, limit) for claim in self.claims for limit in claim.limits or ()]

    def share(self, segment: int, octets: int) -> Share:
        """Octets that lie on a claim's segment of the ruler, or beyond the last."""
        if segment == len(self.claims):
            return self.rest._replace(octets=octets)
        claim = self.claims[segment]
        return Share(octets, claim.part, claim.programme.name, None)


@dataclass(frozen=True, slots=True)
class Laid:
    """Rows on the ruler, [n], and what was taken, [subscribers, limits]. A row of no octets lies where it begins.

    `start`, `end`: octets from the ruler's beginning. `first`, `last`: the segments in which a row begins and ends.
    `edges` [subscribers, claims]: where each claim's segment ends. `full` [subscribers, claims]: whether a claim that usage
    came to has nothing left.
    """

    start: np.ndarray
    end: np.ndarray
    first: np.ndarray
    last: np.ndarray
    edges: np.ndarray
    taken: np.ndarray
    full: np.ndarray

    def pieces(self, rows: np.ndarray, subscriber: np.ndarray) -> Iterator[list[tuple[int, int]]]:
        """(segment, octets) of what these rows lie on; `subscriber` are theirs."""
        ends = zip(*(column[rows].tolist() for column in (self.start, self.end, self.first, self.last)), strict=True)
        for (begin, end, first, last), edges in zip(ends, self.edges[subscriber].tolist(), strict=True):
            cuts = [begin, *(min(edge, end) for edge in [*edges, end][first : last + 1])]
            lengths = [after - before for before, after in pairwise(cuts)]
            yield [(first + place, octets) for place, octets in enumerate(lengths) if octets]


def chain_of(route: Route) -> Chain | None:
    """The chain of a route whose first claim has a limit; None for other routes."""
    if not route.claims or route.claims[0].limits is None:
        return None
    last = route.claims[-1]
    if last.limits is None:
        return Chain(route.claims[:-1], Share(0, last.part, last.programme.name, None))
    return Chain(route.claims, Share(0, PART_CHARGED, None, route.reason))


def lay(octets: np.ndarray, subscriber: np.ndarray, held: np.ndarray, limits_of_claims: Sequence[int]) -> Laid:
    """Lay rows of `octets` i8[n] along the ruler of their `subscriber` i8[n], numbers from 0 in ascending order.

    `held` i8[subscribers, limits]: what each limit still holds; `limits_of_claims`: how many of them belong to each claim.
    """
    end = np.cumsum(octets)
    start = end - octets
    ends_of_subscribers = np.append(np.flatnonzero(np.diff(subscriber)), len(octets) - 1)
    used = np.diff(end[ends_of_subscribers], prepend=0)
    # An allowance may be all that 64 bits hold: more than is used of it does not matter, and would not add up.
    held = np.minimum(held, used[:, None] + 1)
    ends = np.cumsum(held, axis=1)
    edges = ends[:, np.cumsum(limits_of_claims) - 1]
    offset = (end[ends_of_subscribers] - used)[subscriber]
    start, end = start - offset, end - offset
    row_edges = edges[subscriber]
    first = (row_edges <= start[:, None]).sum(axis=1)
    last = np.maximum(first, (row_edges < end[:, None]).sum(axis=1))
    taken = np.clip(used[:, None] - (ends - held), 0, held)
    came_to = np.concatenate([np.ones((len(used), 1), bool), used[:, None] > edges[:, :-1]], axis=1)
    return Laid(start, end, first, last, edges, taken, came_to & (used[:, None] >= edges))
