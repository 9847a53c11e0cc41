"""`freeflow.toml` -> the configuration, or every mistake in it.

Rules of this file: a key that is not named gets the default that stands here; paths in the file are relative to it.
What the paths lead to is read by the rooms that own it.
"""

from __future__ import annotations

from ipaddress import ip_network
from pathlib import Path
from typing import NamedTuple
from zoneinfo import ZoneInfo, available_timezones

from classifier.errors import ConfigurationError
from classifier.records import DHCP_IDENTITIES, LINKS, RADIUS_IDENTITIES
from classifier.validation import (
    FLAG,
    TEXT,
    Checker,
    Network,
    checked,
    did_you_mean,
    many,
    network,
    one_of,
    read_toml,
    table,
)
from classifier.validation import whole_number as whole

# RFC 1918, RFC 6598, RFC 4193, RFC 4291: the subscriber networks where none are configured (accounting 1.4).
DEFAULT_SUBSCRIBER_NETWORKS: tuple[Network, ...] = tuple(
    ip_network(text)
    for text in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "fc00::/7", "fe80::/10")
)
BUILTIN_SIGNATURES = "builtin"
_SECONDS_MAX = 7 * 86400
DIRECTIONS = ("both", "in", "out")
# A block has to hold a frame of 64 KiB, as offloads make them, and to be whole pages; these are 4 to 64 KiB.
BLOCK_OCTETS_LEAST, BLOCK_OCTETS_STEP = 1 << 17, 1 << 16
DEFAULT_DHCP_IDENTITY = ("mac", "duid")  # what servers always send back


class Gateway(NamedTuple):
    """`[gateway]`. `trusted_resolvers` empty: any server that answers the subscriber's own query.

    `dns_grace_seconds`: how long a DNS answer counts after its time to live, as clients keep what they have once looked up.
    """

    name: str = "freeflow"
    timezone: str = "UTC"
    subscriber_networks: tuple[Network, ...] = DEFAULT_SUBSCRIBER_NETWORKS
    trusted_resolvers: tuple[Network, ...] = ()
    subscribers: Path | None = None
    signatures: tuple[Path | str, ...] = (BUILTIN_SIGNATURES,)
    interval_seconds: int = 10
    dns_grace_seconds: int = 300
    month_starts_on: int = 1

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.timezone)


class Ledger(NamedTuple):
    """`[ledger]`. No path: nothing is kept."""

    path: Path | None = None


class Flows(NamedTuple):
    """`[flows]`: the flow table and how long a flow may be silent."""

    capacity: int = 1 << 20
    tcp_idle_seconds: int = 7440  # RFC 5382, REQ-5: not less than 2 hours and 4 minutes
    tcp_transitory_seconds: int = 240  # RFC 5382, REQ-5: half-open and closing, not less than 4 minutes
    udp_idle_seconds: int = 300  # RFC 4787, REQ-5: five minutes or more is recommended
    other_idle_seconds: int = 60  # RFC 5508, REQ-2 for ICMP queries: not less than 60 seconds
    closed_seconds: int = 120  # RFC 9293, 3.4.2: the longest a late segment lives (MSL)


class Radius(NamedTuple):
    """`[radius]`: whose accounting says which subscriber has an address. No servers: off.

    `secret_file` None: a request counts when the server has answered it. `identity`: the first that a request has is the
    subscriber's name. `idle_seconds` None: a session lasts until it is ended or its address given away.
    """

    servers: tuple[Network, ...] = ()
    secret_file: Path | None = None
    identity: tuple[str, ...] = RADIUS_IDENTITIES
    idle_seconds: int | None = None


class Dhcp(NamedTuple):
    """`[dhcp]`: whose leases, of IPv4 and IPv6, say it. No servers: off."""

    servers: tuple[Network, ...] = ()
    identity: tuple[str, ...] = DEFAULT_DHCP_IDENTITY


class Bindings(NamedTuple):
    """`[bindings]`: `capacity` addresses at a time, and as many names that the subscriber file does not have."""

    capacity: int = 1 << 18


class LinkBinding(NamedTuple):
    """`[link_binding]`: what a subscriber's packets have to come with besides the address. None: off."""

    by: str | None = None


class Capture(NamedTuple):
    """`[capture]`: the ring of `run`, `ring_blocks` times `block_octets`, and what of an interface is let into it.

    A block is metered when it is full or `block_timeout_ms` old. `direction`: one of DIRECTIONS, as the interface sees it.
    """

    ring_blocks: int = 64
    block_octets: int = 1 << 20
    block_timeout_ms: int = 100
    promiscuous: bool = True
    direction: str = "both"


class Configuration(NamedTuple):
    """Everything that `freeflow.toml` says. `file` is None where none was given."""

    gateway: Gateway = Gateway()
    ledger: Ledger = Ledger()
    flows: Flows = Flows()
    radius: Radius = Radius()
    dhcp: Dhcp = Dhcp()
    bindings: Bindings = Bindings()
    link_binding: LinkBinding = LinkBinding()
    capture: Capture = Capture()
    file: Path | None = None

    @property
    def binds_addresses(self) -> bool:
        """Whether RADIUS or DHCP tells who has an address."""
        return bool(self.radius.servers or self.dhcp.servers)


def _timezone(text: str) -> str:
    try:
        ZoneInfo(text)
    except (ValueError, OSError, LookupError):
        near = did_you_mean(text, sorted(available_timezones()))
        mend = near if near.startswith("did") else "write it like Asia/Shanghai"
        raise ValueError(f'"{text}" is no time zone of the IANA database; {mend}') from None
    return text


def _block_octets(octets: int) -> int:
    if octets % BLOCK_OCTETS_STEP:
        raise ValueError(
            f"{octets} is not a multiple of {BLOCK_OCTETS_STEP}; write {octets - octets % BLOCK_OCTETS_STEP}"
        )
    return octets


_SECONDS = whole(1, _SECONDS_MAX)
_LISTS = (
    ("gateway", "subscriber_networks"),
    ("gateway", "trusted_resolvers"),
    ("radius", "servers"),
    ("radius", "identity"),
    ("dhcp", "servers"),
    ("dhcp", "identity"),
)
_FILE = Checker(
    table(
        {},
        {
            "gateway": table(
                {},
                {
                    "name": TEXT,
                    "timezone": checked(_timezone),
                    "subscriber_networks": many(checked(network), 1),
                    "trusted_resolvers": many(checked(network)),
                    "subscribers": TEXT,
                    "signatures": many(TEXT, 1),
                    "interval_seconds": whole(1, 86400),
                    "dns_grace_seconds": whole(0, 86400),
                    "month_starts_on": whole(1, 31),
                },
            ),
            "ledger": table({}, {"path": TEXT}),
            "flows": table(
                {},
                {
                    "capacity": whole(1, 1 << 24),
                    "tcp_idle_seconds": _SECONDS,
                    "tcp_transitory_seconds": _SECONDS,
                    "udp_idle_seconds": _SECONDS,
                    "other_idle_seconds": _SECONDS,
                    "closed_seconds": _SECONDS,
                },
            ),
            "radius": table(
                {},
                {
                    "servers": many(checked(network)),
                    "secret_file": TEXT,
                    "identity": many(one_of(*RADIUS_IDENTITIES), 1),
                    "idle_seconds": _SECONDS,
                },
            ),
            "dhcp": table({}, {"servers": many(checked(network)), "identity": many(one_of(*DHCP_IDENTITIES), 1)}),
            "bindings": table({}, {"capacity": whole(1, 1 << 24)}),
            "link_binding": table({"by": one_of(*LINKS)}, {}),
            "capture": table(
                {},
                {
                    "ring_blocks": whole(2, 1 << 14),
                    "block_octets": checked(_block_octets, whole(BLOCK_OCTETS_LEAST, 1 << 24)),
                    "block_timeout_ms": whole(1, 1000),
                    "promiscuous": FLAG,
                    "direction": one_of(*DIRECTIONS),
                },
            ),
        },
    )
)


def load_configuration(path: Path | str | None = None) -> Configuration:
    """The configuration in a file, or the defaults. Raises ConfigurationError with one line per mistake."""
    if path is None:
        return Configuration()
    path = Path(path)
    problems: list[str] = []
    content = read_toml(path, problems)
    found = None if content is None else _FILE.check(path, content, problems)
    if problems or found is None:
        raise ConfigurationError(problems)
    gateway, ledger, radius = (found.get(section, {}) for section in ("gateway", "ledger", "radius"))
    for section, key in _LISTS:
        if key in found.get(section, {}):
            found[section][key] = tuple(found[section][key])
    for section, key in ((gateway, "subscribers"), (ledger, "path"), (radius, "secret_file")):
        if key in section:
            section[key] = path.parent / section[key]
    if "signatures" in gateway:
        gateway["signatures"] = tuple(
            folder if folder == BUILTIN_SIGNATURES else path.parent / folder for folder in gateway["signatures"]
        )
    return Configuration(
        gateway=Gateway(**gateway),
        ledger=Ledger(**ledger),
        flows=Flows(**found.get("flows", {})),
        radius=Radius(**radius),
        dhcp=Dhcp(**found.get("dhcp", {})),
        bindings=Bindings(**found.get("bindings", {})),
        link_binding=LinkBinding(**found.get("link_binding", {})),
        capture=Capture(**found.get("capture", {})),
        file=path,
    )
