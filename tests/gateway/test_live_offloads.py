"""Octets and packets of real transfers are those of the wire, with offloads on and off.

What they are compared with is Linux's own: the counters of a queueing discipline on each end, which count a frame of several
packets as these packets with their headers (net/core/dev.c, qdisc_pkt_len_init). Addresses are known beforehand, so that
nothing but IP passes, and the link-layer headers can be taken off.
"""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest
from live_runs import freeflow_run, transfer
from namespaces import Namespace, NamespacePair, namespace_pair
from pyroute2 import Ethtool, IPRoute

from classifier.capture.interface import JOINING_OFFLOADS

pytestmark = pytest.mark.namespaces
ETHERNET_OCTETS = 14
ADDRESSES = {4: ("10.7.0.1", "10.7.0.2"), 6: ("2001:db8:7::1", "2001:db8:7::2")}
PREFIX = {4: "24", 6: "64"}


def set_up(pair: NamespacePair, version: int, *, offloads: bool) -> None:
    """Addresses, neighbours, a queueing discipline with counters on both ends, and offloads on or off."""
    sides = (pair.left, pair.right)
    hardware = [side.run(["cat", f"/sys/class/net/{side.interface}/address"]).stdout.strip() for side in sides]
    for number, side in enumerate(sides):
        own, other = ADDRESSES[version][number], ADDRESSES[version][1 - number]
        if version == 6:
            # Without an address of its own making (addr_gen_mode 1, none) it asks for no router while the transfer runs. What
            # it says of its multicast groups (MLD) it says at once, not within a second.
            quiet = "addr_gen_mode=1", "router_solicitations=0", "accept_dad=0", "mldv2_unsolicited_report_interval=1"
            for setting in (*quiet, "disable_ipv6=0"):
                side.run(["sysctl", "-qw", f"net.ipv6.conf.{side.interface}.{setting}"])
        no_check = ("nodad",) if version == 6 else ()
        side.run(["ip", "addr", "add", f"{own}/{PREFIX[version]}", "dev", side.interface, *no_check])
        side.run(["ip", "neigh", "add", other, "lladdr", hardware[1 - number], "dev", side.interface])
        with side.entered(), IPRoute() as netlink, closing(Ethtool()) as ethtool:
            netlink.tc("add", "pfifo", netlink.link_lookup(ifname=side.interface)[0], 0x10000, limit=10_000)
            features = ethtool.get_features(side.interface)
            for feature in JOINING_OFFLOADS:
                features.features[feature].enable = offloads and feature != "rx-lro"
            ethtool.set_features(side.interface, features)


def on_the_wire(side: Namespace) -> tuple[int, int]:
    """(packets, IP octets) that the queueing discipline of this end has sent."""
    with side.entered(), IPRoute() as netlink:
        index = netlink.link_lookup(ifname=side.interface)[0]
        (queue,) = [one for one in netlink.get_qdiscs(index=index) if one.get_attr("TCA_KIND") == "pfifo"]
        basic = queue.get_attr("TCA_STATS2").get_attr("TCA_STATS_BASIC")
    return basic["packets"], basic["bytes"] - ETHERNET_OCTETS * basic["packets"]


@pytest.mark.parametrize("version", [4, 6])
@pytest.mark.parametrize("offloads", [True, False])
@pytest.mark.parametrize(
    ("kind", "octets", "options"), [("tcp", 8_000_000, ()), ("udp", 400_000, ("1200",)), ("udp", 300_000, ())]
)
def test_a_transfer_counts_as_on_the_wire(tmp_path: Path, version, offloads, kind, octets, options):
    with namespace_pair() as pair:
        set_up(pair, version, offloads=offloads)
        with freeflow_run(pair.right, tmp_path, "-i", pair.right.interface) as run:
            before = [on_the_wire(side) for side in (pair.left, pair.right)]
            transfer(pair.right, pair.left, ADDRESSES[version][0], octets, kind, *options)
            ends = [on_the_wire(side) for side in (pair.left, pair.right)]
            last = run.stop()
        frames_seen = int(
            pair.right.run(["cat", f"/sys/class/net/{pair.right.interface}/statistics/rx_packets"]).stdout
        )
    # What IPv6 says of itself when it gets its address may have passed before.
    packets, ip_octets = (
        sum(after) - sum(first) for after, first in zip(zip(*ends, strict=True), zip(*before, strict=True), strict=True)
    )
    assert ip_octets > octets
    assert (last["observed"]["frames"], last["observed"]["octets"]) == (packets, ip_octets)
    if offloads and kind == "tcp":
        assert frames_seen < ends[0][0] / 4  # what the ring saw were not the packets of the wire
