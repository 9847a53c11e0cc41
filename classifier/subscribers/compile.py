"""Subscriber networks and listed subscribers as ranges that kernels search.

Rule of this file: what the subscriber file lists comes before the networks: a listed address is that subscriber's,
inside the networks or outside.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from classifier.kernels.ranges import Ranges, flatten
from classifier.subscribers.load import Subscriber
from classifier.validation import Network

NOT_A_SUBSCRIBER = -1
NOT_LISTED = 0


def compile_subscribers(networks: Iterable[Network], subscribers: Sequence[Subscriber]) -> Ranges:
    """Address -> NOT_A_SUBSCRIBER; NOT_LISTED, a dynamic subscriber (one IPv4 address or one IPv6 /64); or n >= 1, the
    subscriber at place n - 1 of `subscribers`. The longest listed prefix wins.
    """
    listed = {prefix: number for number, one in enumerate(subscribers, 1) for prefix in one.addresses}
    # A network inside a listed prefix would be the longer one and take its addresses away from the subscriber.
    prefixes = {prefix: NOT_LISTED for prefix in networks if not _inside(prefix, listed)}
    prefixes |= listed
    return flatten(
        (prefix.version, int(prefix.network_address), prefix.prefixlen, value) for prefix, value in prefixes.items()
    )


def _inside(prefix: Network, listed: dict[Network, int]) -> bool:
    return any(prefix.supernet(new_prefix=length) in listed for length in range(prefix.prefixlen + 1))
