"""Letting Linux forward between two ports when an in-line gateway has ended, however it ended.

A bridge joins the ports all the time. While the gateway lives it is kept from forwarding by an nftables table that drops what
comes in on the ports, behind the gateway's own sockets. The table belongs to the process (NFT_TABLE_F_OWNER), so Linux removes
it with it, after a kill, too. Rules of this file: nothing is forwarded twice, so the table comes before the bridge; what was
put in place is known by its name, and nobody else's bridge or table is touched.
"""

from __future__ import annotations

from collections.abc import Callable

from classifier.capture.interface import Interface, be_quiet
from classifier.errors import InterfaceError

BRIDGE = "ffopen"  # and the index of the port inside
OWNER = 0x2  # NFT_TABLE_F_OWNER, linux/netfilter/nf_tables.h; Linux 5.12
NETDEV_FAMILY = 5  # NFPROTO_NETDEV, linux/netfilter.h
INGRESS = 0  # NF_NETDEV_INGRESS
DROP = 0  # NF_DROP
GROUPS_PASSED_ON = 0xFFF8  # group_fwd_mask: all but BR_GROUPFWD_RESTRICTED, net/bridge/br_private.h


class FailOpen:
    """A muted bridge between two ports. `release` lets it forward, `remove` takes it away. Raises InterfaceError."""

    def __init__(self, inside: Interface, outside: Interface, say: Callable[[str], None]) -> None:
        from pyroute2.nftables.main import NFTables  # pyroute2 takes a quarter of a second to import

        self._ports, self._say = (inside, outside), say
        self._tables = NFTables(nfgen_family=NETDEV_FAMILY)
        try:
            self._mute()
            self._join()
        except InterfaceError:
            self.remove()
            raise

    def _mute(self) -> None:
        from pyroute2.netlink.exceptions import NetlinkError

        table = f"freeflow-{self._ports[0].index}"
        try:
            self._tables.table("add", kwarg={"name": table, "flags": OWNER})
            for port in self._ports:
                hook = [("NFTA_HOOK_HOOKNUM", INGRESS), ("NFTA_HOOK_PRIORITY", 0), ("NFTA_HOOK_DEV", port.name)]
                chain = {"table": table, "name": port.name, "hook": {"attrs": hook}, "policy": DROP, "type": "filter"}
                self._tables.chain("add", kwarg=chain)
        except NetlinkError as error:
            raise InterfaceError(
                f"--fail-open: nftables refused a table of its own ({error}); it needs Linux 5.12 with "
                "CONFIG_NF_TABLES_NETDEV and CAP_NET_ADMIN"
            ) from None

    def _join(self) -> None:
        from pyroute2 import IPRoute
        from pyroute2.netlink.exceptions import NetlinkError

        name = f"{BRIDGE}{self._ports[0].index}"
        settings = {"br_stp_state": 0, "br_mcast_snooping": 0, "br_group_fwd_mask": GROUPS_PASSED_ON}
        with IPRoute() as netlink:
            try:
                netlink.link("add", ifname=name, kind="bridge", **settings)
                bridge = netlink.link_lookup(ifname=name)[0]
                be_quiet(name, self._say)
                for port in self._ports:
                    netlink.link("set", index=port.index, master=bridge)
                netlink.link("set", index=bridge, state="up")
            except NetlinkError as error:
                raise InterfaceError(
                    f"--fail-open: the bridge {name} could not be made ({error}); it needs CONFIG_BRIDGE and CAP_NET_ADMIN"
                ) from None

    def release(self) -> None:
        """Let the bridge forward: what the process's end does by itself."""
        self._tables.close()

    def remove(self) -> None:
        """Take everything away."""
        take_bridge_away(*self._ports)
        self._tables.close()


def take_bridge_away(inside: Interface, outside: Interface) -> None:
    """Remove the bridge that an earlier gateway left between these ports. InterfaceError where a port is in another's."""
    from pyroute2 import IPRoute
    from pyroute2.netlink.exceptions import NetlinkError

    with IPRoute() as netlink:
        for port in (inside, outside):
            (link,) = netlink.get_links(port.index)
            master = link.get_attr("IFLA_MASTER")
            if master is None:
                continue
            (bridge,) = netlink.get_links(master)
            name = bridge.get_attr("IFLA_IFNAME")
            if not name.startswith(BRIDGE):
                mend = f"take it out (ip link set {port.name} nomaster)"
                raise InterfaceError(f"interface {port.name}: is in {name}, so every frame would pass twice; {mend}")
            try:
                netlink.link("del", index=master)
            except NetlinkError as error:
                mend = "it takes CAP_NET_ADMIN"
                raise InterfaceError(
                    f"interface {port.name}: the bridge {name} could not be removed ({error}); {mend}"
                ) from None
