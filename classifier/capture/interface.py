"""Finding a network interface and getting it ready, through netlink.

Rules of this file: pyroute2 is imported inside the functions that use it, because that takes a quarter of a second and
replaying a file needs none of it. Whatever is wrong is an InterfaceError of one line with the mend.
"""

from __future__ import annotations

import errno
import socket
from collections.abc import Callable
from contextlib import closing
from ipaddress import ip_address
from pathlib import Path
from typing import NamedTuple

from classifier.errors import InterfaceError

ARPHRD_ETHER, ARPHRD_LOOPBACK = 1, 772  # linux/if_arp.h
IFF_UP = 0x1  # linux/if.h
# Linux's name (net/ethtool/common.c, netdev_features_strings) and ethtool's; segmentation counts where one captures what
# the host itself sends.
JOINING_OFFLOADS = {
    "rx-gro": "generic-receive-offload",
    "rx-lro": "large-receive-offload",
    "tx-tcp-segmentation": "tcp-segmentation-offload",
    "tx-tcp6-segmentation": "tx-tcp6-segmentation",
    "tx-udp-segmentation": "tx-udp-segmentation",
    "tx-generic-segmentation": "generic-segmentation-offload",
}
IPV6_SETTINGS = Path("/proc/sys/net/ipv6/conf")
PRIVILEGE_MEND = "run as root, or give the process CAP_NET_RAW (systemd: AmbientCapabilities=CAP_NET_RAW)"


class Interface(NamedTuple):
    """A network interface. `link_kind` is Linux's name for what it is: "veth", "bridge", "loopback", "ethernet" …"""

    index: int
    name: str
    mtu: int
    up: bool
    link_kind: str

    @property
    def is_loopback(self) -> bool:
        return self.link_kind == "loopback"


class Links:
    """Linux's network interfaces, asked over netlink, in the network namespace of the thread that asks."""

    def __init__(self) -> None:
        from pyroute2 import IPRoute  # see the rules of this file

        self._netlink = IPRoute()

    def find(self, name: str) -> Interface:
        """The interface `name` as it is now. InterfaceError if there is none, or its frames are not Ethernet frames."""
        return _interface(self._find(name))

    def ready(self, name: str, *, bring_up: bool = False) -> Interface:
        """The same, set up; with `bring_up` it is set up where it is down, else that is an InterfaceError."""
        link = self._find(name)
        if not link["flags"] & IFF_UP:
            if not bring_up:
                raise InterfaceError(f"interface {name}: is down; bring it up (ip link set {name} up)")
            _bring_up(self._netlink, link["index"], name)
            link = self._find(name)
        return _interface(link)

    def _find(self, name: str) -> dict:
        link = _find_link(self._netlink, name)
        _require_ethernet(link, name)
        return link

    def close(self) -> None:
        self._netlink.close()


def find_interface(name: str, *, bring_up: bool = False) -> Interface:
    """The interface `name`, ready to be captured from; with `bring_up` it is set up where it is down.

    Raises InterfaceError if there is none of that name, its frames are not Ethernet frames, it is down (or may not be
    set up), or the process may not capture.
    """
    with closing(Links()) as links:
        interface = links.ready(name, bring_up=bring_up)
    require_capture_privilege()
    return interface


def find_port(name: str, say: Callable[[str], None] = lambda line: None) -> Interface:
    """The interface `name`, set up as a port of an in-line gateway: it has no addresses, and says nothing of its own, or
    `say` gets a line.

    InterfaceError also where it has an address: the host would answer to what only passes through.
    """
    from pyroute2 import IPRoute  # see the rules of this file

    interface = find_interface(name, bring_up=True)
    with IPRoute() as netlink:
        addresses = [one.get_attr("IFA_ADDRESS") for one in netlink.get_addr(index=interface.index)]
    own = [address for address in addresses if not ip_address(address).is_link_local]
    if own:
        mend = f"ports in line have none; ip addr flush dev {name}"
        raise InterfaceError(f"interface {name}: has the address {own[0]}; {mend}")
    be_quiet(name, say)
    return interface


def be_quiet(name: str, say: Callable[[str], None]) -> None:
    """Let an interface say nothing of its own: without IPv6 it announces neither itself nor the groups it listens to."""
    setting = IPV6_SETTINGS / name / "disable_ipv6"
    try:
        setting.write_text("1")
    except FileNotFoundError:
        pass  # this Linux has no IPv6
    except OSError as error:
        mend = f"sysctl -w net.ipv6.conf.{name}.disable_ipv6=1"
        say(f"interface {name}: IPv6 stays on ({error.strerror}), so that it says things of its own; {mend}")


def joining_offloads(name: str) -> tuple[str, ...]:
    """Which of the interface's offloads hand up several packets as one, as `ethtool -k` calls them."""
    from pyroute2 import Ethtool  # see the rules of this file

    with closing(Ethtool()) as ethtool:
        features = ethtool.get_features(name).features
    return tuple(
        called for feature, called in JOINING_OFFLOADS.items() if feature in features and features[feature].enable
    )


class Neighbourhood(NamedTuple):
    """What of this host shares an interface's frames: the bridge or bond that it is a port of, the ports that it has itself,
    and the VLAN interfaces over it, each by name; `routes`: IPv4 or IPv6 packets are forwarded."""

    master: str | None
    ports: tuple[str, ...]
    vlans: tuple[str, ...]
    routes: bool


def neighbourhood(name: str) -> Neighbourhood:
    """What shares the frames of the interface `name`."""
    from pyroute2 import IPRoute  # see the rules of this file

    with IPRoute() as netlink:
        links = netlink.get_links()
    names = {link["index"]: link.get_attr("IFLA_IFNAME") for link in links}
    (own,) = [link for link in links if link.get_attr("IFLA_IFNAME") == name]
    over = [
        link for link in links if link.get_attr("IFLA_LINK") == own["index"] and _interface(link).link_kind == "vlan"
    ]
    switches = (Path("/proc/sys/net/ipv4/ip_forward"), Path("/proc/sys/net/ipv6/conf/all/forwarding"))
    return Neighbourhood(
        master=names.get(own.get_attr("IFLA_MASTER")),
        ports=tuple(names[link["index"]] for link in links if link.get_attr("IFLA_MASTER") == own["index"]),
        vlans=tuple(link.get_attr("IFLA_IFNAME") for link in over),
        routes=any(switch.exists() and switch.read_text().strip() not in ("", "0") for switch in switches),
    )


def require_capture_privilege() -> None:
    """Raise InterfaceError unless this process may open a packet socket (packet(7): CAP_NET_RAW)."""
    try:
        socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0).close()
    except PermissionError:
        raise InterfaceError(f"capturing from an interface is not permitted; {PRIVILEGE_MEND}") from None
    except OSError as error:
        raise InterfaceError(
            f"capturing is not possible here: {error.strerror}; it needs Linux packet sockets"
        ) from None


def _find_link(netlink, name: str) -> dict:
    links = {link.get_attr("IFLA_IFNAME"): link for link in netlink.get_links()}
    if name not in links:
        raise InterfaceError(f"interface {name}: there is none of that name; there are {', '.join(sorted(links))}")
    return links[name]


def _require_ethernet(link, name: str) -> None:
    """The loopback interface gives its frames an Ethernet header, too."""
    if link["ifi_type"] not in (ARPHRD_ETHER, ARPHRD_LOOPBACK):
        raise InterfaceError(
            f"interface {name}: is not an Ethernet interface (ARPHRD type {link['ifi_type']}); "
            "capture on the Ethernet interface that carries it"
        )


def _bring_up(netlink, index: int, name: str) -> None:
    from pyroute2.netlink.exceptions import NetlinkError  # see the rules of this file

    try:
        netlink.link("set", index=index, state="up")
    except NetlinkError as error:
        if error.code in (errno.EPERM, errno.EACCES):
            mend = "bring it up as root, or give the process CAP_NET_ADMIN"
            raise InterfaceError(f"interface {name}: is down and may not be brought up; {mend}") from None
        reason = error.args[1] if len(error.args) > 1 else error
        raise InterfaceError(f"interface {name}: is down and cannot be brought up: {reason}; mend the link") from None


def _interface(link) -> Interface:
    info = link.get_attr("IFLA_LINKINFO")
    kind = info.get_attr("IFLA_INFO_KIND") if info else None
    if not kind:
        kind = "loopback" if link["ifi_type"] == ARPHRD_LOOPBACK else "ethernet"
    return Interface(
        index=link["index"],
        name=link.get_attr("IFLA_IFNAME"),
        mtu=link.get_attr("IFLA_MTU"),
        up=bool(link["flags"] & IFF_UP),
        link_kind=kind,
    )
