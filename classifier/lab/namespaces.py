"""Network namespaces through netlink: make them with their links and routes, enter one, remove them.

Rules of this file: every interface is made inside the lab's namespaces, both ends at once, so the host never sees one. The
gateway's default route ends in the lab's internet, which has none: nothing leads out. pyroute2 is imported in the functions
that use it, as it takes a quarter of a second. A kernel option is only written in a namespace of the lab (proc(5): what a
thread sees under /proc/sys/net is its own namespace's). `/run/netns` stays, as it does with `ip netns`.
"""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Iterator, Sequence
from pathlib import Path

from classifier.errors import LabError
from classifier.lab.topology import (
    FAR_ADDRESS,
    FAR_LINK_LOCAL,
    GATEWAY,
    INTERNET,
    LINK_PREFIX,
    MEMBERS,
    NEAR_ADDRESS,
    NEAR_LINK_LOCAL,
    SUBSCRIBER_NETWORKS,
    SUBSCRIBERS_GATEWAY,
    UPSTREAM,
    Member,
    is_version_4,
)

NETNS = Path("/run/netns")  # where ip-netns(8) has them, too
IFA_F_NODAD = 0x02  # linux/if_addr.h: the address is usable at once
RT_SCOPE_LINK = 253  # linux/rtnetlink.h
DOWNLINK = "eth0"  # the only interface of a subscriber, and of the internet
# What would hand on several packets as one (net/ethtool/common.c, netdev_features_strings); headers count as on a wire.
JOINING_OFFLOADS = (
    "tx-tcp-segmentation",
    "tx-tcp6-segmentation",
    "tx-udp-segmentation",
    "tx-generic-segmentation",
    "rx-gro",
)
# Nobody announces or solicits anything by itself, so that what passes is the clients' traffic.
QUIET = {"accept_dad": 0, "accept_ra": 0, "router_solicitations": 0, "disable_ipv6": 0}
_SYSCTL = Path("/proc/sys/net")


def roles() -> tuple[str, ...]:
    """What the lab's namespaces are called behind the prefix."""
    return (GATEWAY, INTERNET, *(member.name for member in MEMBERS))


def namespace(prefix: str, role: str) -> str:
    return f"{prefix}-{role}"


def existing(prefix: str) -> list[str]:
    """The names of this lab's namespaces that are there."""
    return [name for name in (namespace(prefix, role) for role in roles()) if (NETNS / name).exists()]


def make(prefix: str, server_addresses: Sequence[str]) -> None:
    """All namespaces, joined and routed, the servers' addresses with the internet. LabError where that is not permitted."""
    if not (_SYSCTL / "ipv6").exists():
        raise LabError("the lab needs IPv6, which is off on this machine; boot it without ipv6.disable=1")
    for role in roles():
        _create(namespace(prefix, role))
    try:
        _connect(prefix, server_addresses)
    except _netlink_error() as error:
        raise LabError(
            f"the lab's links cannot be made here ({_reason(error)}); load the module (modprobe veth)"
        ) from None


def _connect(prefix: str, server_addresses: Sequence[str]) -> None:
    """Links, addresses and routes."""
    with entered(namespace(prefix, GATEWAY)), _netlink() as link:
        _forward()
        _join(link, UPSTREAM, namespace(prefix, INTERNET))
        _address(link, UPSTREAM, NEAR_ADDRESS, LINK_PREFIX)
        _address(link, UPSTREAM, NEAR_LINK_LOCAL, 64)
        _default_route(link, UPSTREAM, FAR_ADDRESS, FAR_LINK_LOCAL)
        for member in MEMBERS:
            _join(link, member.name, namespace(prefix, member.name))
            _address(link, member.name, SUBSCRIBERS_GATEWAY, 32)
            _address(link, member.name, NEAR_LINK_LOCAL, 64)
            for destination in (f"{member.address}/32", member.prefix):
                _route(link, member.name, destination)
    for member in MEMBERS:
        with entered(namespace(prefix, member.name)), _netlink() as link:
            _set_up_member(link, member)
    with entered(namespace(prefix, INTERNET)), _netlink() as link:
        _forward()  # what nobody has is unreachable, as a router says, instead of lost
        _address(link, DOWNLINK, FAR_ADDRESS, LINK_PREFIX)
        _address(link, DOWNLINK, FAR_LINK_LOCAL, 64)
        for destination in SUBSCRIBER_NETWORKS:
            via = NEAR_ADDRESS if is_version_4(destination.partition("/")[0]) else NEAR_LINK_LOCAL
            _route(link, DOWNLINK, destination, via)
        for address in server_addresses:
            _address(link, "lo", address, 32 if is_version_4(address) else 128)


def remove(prefix: str) -> list[str]:
    """Remove what is there of this lab's namespaces, links first; the names of those that were there."""
    from pyroute2 import netns  # see the rules of this file

    found = existing(prefix)
    for name in found:
        with contextlib.suppress(OSError, LabError), entered(name), _netlink() as link:
            # Somebody's own shell may keep the namespace itself alive; the veths go all the same.
            for one in link.get_links():
                if one.get_attr("IFLA_LINKINFO") is not None:
                    with contextlib.suppress(_netlink_error()):
                        link.link("del", index=one["index"])
        netns.remove(name)
    return found


@contextlib.contextmanager
def entered(name: str) -> Iterator[None]:
    """This thread inside the namespace; sockets opened and processes started here stay in it. LabError if it is not there."""
    from pyroute2 import netns  # see the rules of this file

    if not (NETNS / name).exists():
        raise LabError(f"namespace {name}: is not there; take the lab down and up again (freeflow lab down)")
    try:
        netns.pushns(name)
    except OSError:
        netns.dropns()  # else the next `popns` would lead to where this one should have
        raise
    try:
        yield
    finally:
        netns.popns()


def enter(name: str) -> None:
    """This process inside the namespace, for good."""
    from pyroute2 import netns  # see the rules of this file

    netns.setns(name, flags=0)


def _create(name: str) -> None:
    from pyroute2 import netns  # see the rules of this file

    try:
        netns.create(name)
        with entered(name), _netlink() as link:
            for option, value in QUIET.items():
                _set(f"ipv6/conf/default/{option}", value)
            link.link("set", index=_index(link, "lo"), state="up")
    except (OSError, _netlink_error()) as error:
        mend = "run as root with CAP_SYS_ADMIN and CAP_NET_ADMIN; in a container, start it privileged"
        raise LabError(f"network namespaces are not permitted here ({_reason(error)}); {mend}") from None


def _set_up_member(link, member: Member) -> None:
    _address(link, DOWNLINK, member.address, 32)
    _address(link, DOWNLINK, member.address6, 64)
    link.route("add", dst=f"{SUBSCRIBERS_GATEWAY}/32", oif=_index(link, DOWNLINK), scope=RT_SCOPE_LINK)
    _default_route(link, DOWNLINK, SUBSCRIBERS_GATEWAY, NEAR_LINK_LOCAL)


def _join(link, interface: str, other: str) -> None:
    """A veth pair: `interface` here, `eth0` in the namespace `other`, both up."""
    descriptor = os.open(NETNS / other, os.O_RDONLY)
    try:
        link.link("add", ifname=interface, kind="veth", peer={"ifname": DOWNLINK, "net_ns_fd": descriptor})
    finally:
        os.close(descriptor)
    _ready(link, interface)
    with entered(other), _netlink() as far:
        _ready(far, DOWNLINK)


def _ready(link, interface: str) -> None:
    """Up, without what joins packets."""
    from pyroute2 import Ethtool  # see the rules of this file

    with contextlib.closing(Ethtool()) as ethtool:
        offered = ethtool.get_features(interface)
        for name in JOINING_OFFLOADS:
            if name in offered.features:
                offered.features[name].enable = False
        ethtool.set_features(interface, offered)
    link.link("set", index=_index(link, interface), state="up")


def _address(link, interface: str, address: str, prefix: int) -> None:
    flags = {} if is_version_4(address) else {"flags": IFA_F_NODAD}
    link.addr("add", index=_index(link, interface), address=address, prefixlen=prefix, **flags)


def _route(link, interface: str, destination: str, via: str | None = None) -> None:
    options = {"gateway": via} if via else {"scope": RT_SCOPE_LINK}
    link.route("add", dst=destination, oif=_index(link, interface), **options)


def _default_route(link, interface: str, via: str, via6: str) -> None:
    index = _index(link, interface)
    link.route("add", dst="0.0.0.0/0", oif=index, gateway=via)
    link.route("add", dst="default", family=socket.AF_INET6, oif=index, gateway=via6)


def _index(link, interface: str) -> int:
    return link.link_lookup(ifname=interface)[0]


def _forward() -> None:
    _set("ipv4/ip_forward", 1)
    _set("ipv6/conf/all/forwarding", 1)


def _set(option: str, value: int) -> None:
    (_SYSCTL / option).write_text(str(value))


def _reason(error: Exception) -> object:
    """What the system says: NetlinkError has it where OSError has it."""
    return error.args[1] if len(error.args) > 1 else error


def _netlink():
    from pyroute2 import IPRoute  # see the rules of this file

    return IPRoute()


def _netlink_error() -> type[Exception]:
    from pyroute2.netlink.exceptions import NetlinkError  # see the rules of this file

    return NetlinkError
