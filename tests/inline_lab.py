"""An in-line gateway between two hosts, each in a namespace of its own, for tests.

with inline_lab() as lab:
    with freeflow_run(lab.gateway, tmp_path, "--inline", lab.inside, lab.outside, sockets=2):
        transfer(lab.client, lab.server, lab.server_address, 1_000_000)
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass

from namespaces import Namespace, namespace_pair

CLIENT_ADDRESS, SERVER_ADDRESS = "10.7.0.1", "198.51.100.2"


@dataclass(frozen=True, slots=True)
class Lab:
    """`client` and `server` have an interface each; the other ends of both are the gateway's ports."""

    client: Namespace
    server: Namespace
    gateway: Namespace
    inside: str
    outside: str
    client_address: str = CLIENT_ADDRESS
    server_address: str = SERVER_ADDRESS

    def counters(self, side: Namespace) -> tuple[int, int]:
        """(frames that came out of this host's interface, frames that it sent), by Linux."""
        folder = f"/sys/class/net/{side.interface}/statistics"
        shown = side.run(["sh", "-c", f"cat {folder}/rx_packets {folder}/tx_packets"]).stdout.split()
        return int(shown[0]), int(shown[1])


@contextlib.contextmanager
def inline_lab() -> Iterator[Lab]:
    """Two hosts that can reach each other only through the gateway, once it forwards. Skips without namespaces."""
    with namespace_pair() as near, namespace_pair() as far:
        client, gateway, server = near.left, near.right, far.right
        outside = far.left.interface
        far.left.run(["ip", "link", "set", outside, "netns", gateway.name])
        gateway.run(["ip", "link", "set", outside, "up"])
        hosts = [(client, CLIENT_ADDRESS), (server, SERVER_ADDRESS)]
        hardware = [side.run(["cat", f"/sys/class/net/{side.interface}/address"]).stdout.strip() for side, _ in hosts]
        for place, (side, own) in enumerate(hosts):
            other = hosts[1 - place][1]
            side.run(["ip", "addr", "add", f"{own}/32", "dev", side.interface])
            side.run(["ip", "route", "add", f"{other}/32", "dev", side.interface])
            side.run(["ip", "neigh", "add", other, "lladdr", hardware[1 - place], "dev", side.interface])
        yield Lab(client, server, gateway, gateway.interface, outside)
