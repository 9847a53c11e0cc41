"""RADIUS and DHCP for one meter: which packets it has to show, who a number is, what a person is told of it.

Rule of this file: `subscribers.watch` is imported only where a server is configured; with dpkt it takes 0.12 s.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from classifier.configuration import Configuration
from classifier.kernels.ranges import flatten
from classifier.metering.tables import Watched
from classifier.subscribers.load import Subscriber

if TYPE_CHECKING:
    from classifier.subscribers.bindings import Change

_SECOND_NS = 10**9


def read_secret(path: Path | None) -> bytes | None:
    """The secret that seals RADIUS accounting, None where none is configured. Raises ConfigurationError."""
    if path is None:
        return None
    from classifier.subscribers.radius import load_secret

    return load_secret(path)


class AddressWatch:
    """What the meter shows its packets to (`metering.bindings.Watcher`), under a configuration that names a server."""

    def __init__(self, configuration: Configuration, subscribers: Sequence[Subscriber], secret: bytes | None) -> None:
        from classifier.subscribers.bindings import Bindings
        from classifier.subscribers.watch import ALL_DHCP_RELAYS_AND_SERVERS, WATCHED_PORTS, Watch

        radius, dhcp = configuration.radius, configuration.dhcp
        self._bindings = Bindings(
            [subscriber.name for subscriber in subscribers],
            radius_identities=radius.identity,
            dhcp_identities=dhcp.identity,
            capacity=configuration.bindings.capacity,
            idle_ns=None if radius.idle_seconds is None else radius.idle_seconds * _SECOND_NS,
        )
        watch = Watch(self._bindings, radius_servers=radius.servers, dhcp_servers=dhcp.servers, secret=secret)
        self.observe = watch.observe
        self.notices = watch.notices
        servers = [
            (net.version, int(net.network_address), net.prefixlen, 0) for net in (*radius.servers, *dhcp.servers)
        ]
        if dhcp.servers:
            servers.append((6, ALL_DHCP_RELAYS_AND_SERVERS, 128, 0))
        self.watched = Watched(
            ports=tuple(sorted(WATCHED_PORTS)),
            servers=flatten(servers),
            capacity=configuration.bindings.capacity,
            last_number=self._bindings.last_number,
        )

    def number_of(self, name: str) -> int:
        """The number that a message has given to this name, 0 where none has."""
        return self._bindings.number_of(name)

    def relist(self, numbers: Mapping[str, int]) -> None:
        """The subscriber file has these names now, under these numbers."""
        self._bindings.relist(numbers)

    @property
    def next_expiry_ns(self) -> int:
        return self._bindings.next_expiry_ns

    def advance(self, time_ns: int) -> list[Change]:
        return self._bindings.advance(time_ns)

    @property
    def names(self) -> list[str]:
        """Names that the subscriber file does not have, in the order of their numbers; they only become more."""
        return self._bindings.names
