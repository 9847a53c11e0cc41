"""Subscribers bound to their VLAN on a live link, where Linux takes the tags off the frames before anybody sees them."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest
from frames import ip_packet, udp_datagram
from live_runs import freeflow_run
from namespaces import namespace_pair

SUBSCRIBER, SERVER, UDP = "10.0.0.9", "198.51.100.7", 17


def tagged(vlan: int | None, octets: int) -> bytes:
    tag = b"" if vlan is None else struct.pack(">HH", 0x8100, vlan)
    packet = ip_packet(SUBSCRIBER, SERVER, UDP, udp_datagram(5000, 6000, bytes(octets)))
    return bytes.fromhex("020000000001 020000000002") + tag + b"\x08\x00" + packet


@pytest.mark.namespaces
def test_what_comes_over_another_vlan_is_spoofed(tmp_path: Path):
    (tmp_path / "freeflow.toml").write_text('[link_binding]\nby = "vlan"\n')
    with (
        namespace_pair() as pair,
        freeflow_run(pair.right, tmp_path, "-i", pair.right.interface, "-c", str(tmp_path / "freeflow.toml")) as run,
    ):
        pair.left.send([tagged(5, 100), tagged(5, 200), tagged(6, 300), tagged(None, 400), tagged(5, 500)])
        last = run.stop()
    assert last["unmetered"]["spoofed"] == {"frames": 2, "octets": 28 + 300 + 28 + 400}
    assert last["charged"]["octets"] == 3 * 28 + 100 + 200 + 500
