"""The door for packets: which of them may speak about addresses, and what changes because of them.

Rules of this file: only configured servers are believed. DHCP has no seal, so there the server's address has to do.
An Accounting-Request is sealed with the shared secret: where the secret is known it is checked, and the request counts at
once. Where it is not, the request counts when the server has answered it: the server checked the seal, and stays silent
if it is wrong (RFC 2866, 3), so that no subscriber can bind addresses with a packet of its own. An answer is not asked
for besides the secret, as it proves no more and may take another way.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import replace

from classifier.iana import (
    PORT_DHCP_CLIENT,
    PORT_DHCP_SERVER,
    PORT_DHCPV6_CLIENT,
    PORT_DHCPV6_SERVER,
    PORT_RADIUS_ACCOUNTING,
    PORT_RADIUS_ACCOUNTING_OLD,
)
from classifier.subscribers import dhcp, dhcpv6, radius
from classifier.subscribers.bindings import Bindings, Change
from classifier.subscribers.events import Event, Refusal
from classifier.validation import Network

RADIUS_PORTS = (PORT_RADIUS_ACCOUNTING, PORT_RADIUS_ACCOUNTING_OLD)
DHCP_PORTS = (PORT_DHCP_SERVER, PORT_DHCP_CLIENT)
DHCPV6_PORTS = (PORT_DHCPV6_SERVER, PORT_DHCPV6_CLIENT)
WATCHED_PORTS = frozenset(RADIUS_PORTS + DHCP_PORTS + DHCPV6_PORTS)
ALL_DHCP_RELAYS_AND_SERVERS = 0xFF02_0000_0000_0000_0000_0000_0001_0002  # RFC 8415, 7.1
WAITING_MAX = 4096
# A client repeats a request with a new identifier, or gives up, before that (RFC 5080, 2.2.1: MRD is 30 s).
ANSWER_NS = 30 * 10**9

_Exchange = tuple[int, int, int, int, int, int]  # version, client, server, their ports, identifier
_NOTICES = {
    "prefixes_over": "addresses not bound, the table being full",
    "names_over": "subscribers named by RADIUS or DHCP beyond the table",
    "unnamed": "bindings without a name that is asked for",
    "stale": "bindings that came too late",
}


class Servers:
    """Configured addresses and prefixes, asked for each packet on a watched port."""

    def __init__(self, networks: Iterable[Network]) -> None:
        self._hosts: set[tuple[int, int]] = set()
        self._networks: list[tuple[int, int, int]] = []
        for network in networks:
            first, host_bits = int(network.network_address), network.max_prefixlen - network.prefixlen
            if host_bits:
                self._networks.append((network.version, first >> host_bits, host_bits))
            else:
                self._hosts.add((network.version, first))

    def __bool__(self) -> bool:
        return bool(self._hosts or self._networks)

    def hold(self, version: int, address: int) -> bool:
        return (version, address) in self._hosts or any(
            version == of and address >> host_bits == first for of, first, host_bits in self._networks
        )


class Watch:
    """Packets on WATCHED_PORTS to changes of bindings. Server networks that are empty turn their protocol off."""

    def __init__(
        self,
        bindings: Bindings,
        *,
        radius_servers: Iterable[Network] = (),
        dhcp_servers: Iterable[Network] = (),
        secret: bytes | None = None,
    ) -> None:
        self.bindings = bindings
        self._radius_servers = Servers(radius_servers)
        self._dhcp_servers = Servers(dhcp_servers)
        self._secret = secret
        self._waiting: OrderedDict[_Exchange, tuple[int, tuple[Event, ...]]] = OrderedDict()
        self._unanswered = 0
        self._refused = dict.fromkeys((Refusal.MALFORMED, Refusal.AUTHENTICATOR), 0)

    def observe(
        self,
        time_ns: int,
        version: int,
        source: int,
        destination: int,
        source_port: int,
        destination_port: int,
        payload: bytes,
    ) -> list[Change]:
        """What changes because of a UDP datagram at this packet time; addresses are numbers, `payload` follows UDP."""
        ports = (source_port, destination_port)
        if any(port in RADIUS_PORTS for port in ports):
            servers = self._radius_servers
            if servers.hold(version, source) or servers.hold(version, destination):
                return self._accounting(time_ns, (version, source, destination, *ports), payload)
        elif version == 4 and destination_port in DHCP_PORTS:
            return self._dhcp(time_ns, source, destination, destination_port, payload)
        elif version == 6 and destination_port in DHCPV6_PORTS:
            return self._dhcpv6(time_ns, source, destination, destination_port, payload)
        return []

    def notices(self) -> tuple[tuple[str, int], ...]:
        """(what, how many) of all that was not believed or went over a bound, without zeros."""
        counts = {f"{refusal.value} of RADIUS or DHCP": count for refusal, count in self._refused.items()}
        counts["accounting requests that no server answered"] = self._unanswered
        counts |= {text: getattr(self.bindings, field) for field, text in _NOTICES.items()}
        return tuple((text, count) for text, count in counts.items() if count)

    def _accounting(self, time_ns: int, ends: tuple[int, int, int, int, int], payload: bytes) -> list[Change]:
        version, source, destination, source_port, destination_port = ends
        self._give_up(time_ns)
        identifier = radius.read_response(payload)
        if identifier is not None:
            exchange = (version, destination, source, destination_port, source_port, identifier)
            return self._answered(time_ns, *self._waiting.pop(exchange, (time_ns, ())))
        if destination_port not in RADIUS_PORTS:
            return []
        events = self._believed(radius.read_accounting(payload, self._secret))
        if self._secret is not None:
            return self._apply(time_ns, events)
        if events:
            exchange = (*ends, payload[1])
            self._waiting.pop(exchange, None)
            self._waiting[exchange] = (time_ns, events)
            if len(self._waiting) > WAITING_MAX:
                self._waiting.popitem(last=False)
                self._unanswered += 1
        return []

    def _answered(self, time_ns: int, asked_ns: int, events: tuple[Event, ...]) -> list[Change]:
        """The events of a request, which are older now by the time that the answer took."""
        waited_ns = max(time_ns - asked_ns, 0)
        return self._apply(time_ns, [replace(event, age_ns=event.age_ns + waited_ns) for event in events])

    def _give_up(self, time_ns: int) -> None:
        """Requests that waited too long: identifiers come again after 256 of them."""
        while self._waiting:
            exchange, (asked_ns, _) = next(iter(self._waiting.items()))
            if time_ns - asked_ns <= ANSWER_NS:
                return
            del self._waiting[exchange]
            self._unanswered += 1

    def _dhcp(self, time_ns: int, source: int, destination: int, port: int, payload: bytes) -> list[Change]:
        """Acknowledgements from a server; releases to one from the address itself, or by way of a relay that is listed."""
        from_server = self._dhcp_servers.hold(4, source)
        operation = payload[:1]
        if operation == dhcp.REPLY and from_server:
            return self._apply(time_ns, self._believed(dhcp.read_ack(payload)))
        if operation == dhcp.REQUEST and port == PORT_DHCP_SERVER and self._dhcp_servers.hold(4, destination):
            events = self._believed(dhcp.read_release(payload))
            return self._apply(time_ns, [event for event in events if from_server or _speaks_for_itself(event, source)])
        return []

    def _dhcpv6(self, time_ns: int, source: int, destination: int, port: int, payload: bytes) -> list[Change]:
        """Replies from a server; releases to one, or to all that are on the link."""
        servers, kind = self._dhcp_servers, payload[:1]
        if kind in dhcpv6.FROM_SERVERS and servers.hold(6, source):
            return self._apply(time_ns, self._believed(dhcpv6.read_reply(payload)))
        to_server = destination == ALL_DHCP_RELAYS_AND_SERVERS or servers.hold(6, destination)
        if kind in dhcpv6.FROM_CLIENTS and port == PORT_DHCPV6_SERVER and to_server and servers:
            return self._apply(time_ns, self._believed(dhcpv6.read_release(payload)))
        return []

    def _believed(self, read: tuple[Event, ...] | Refusal) -> tuple[Event, ...]:
        if isinstance(read, Refusal):
            if read in self._refused:
                self._refused[read] += 1
            return ()
        return read

    def _apply(self, time_ns: int, events: Iterable[Event]) -> list[Change]:
        return [change for event in events for change in self.bindings.apply(event, time_ns)]


def _speaks_for_itself(event: Event, source: int) -> bool:
    """RFC 2131, 4.4.6: a client releases its address from that address. A neighbour may not do it."""
    return event.prefixes[0].first == source
