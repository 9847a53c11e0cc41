"""What a packet came with besides its address: the sender's MAC address, the outermost VLAN, the tunnel.

Rule of this file: only what is asked for is noted (`packet.link_by`), so that it costs nothing where link binding is off.
A MAC address further inside takes the place of one further out; the tunnel that was opened last counts.
"""

from __future__ import annotations

from classifier.kernels.jit import helper
from classifier.kernels.octets import u16, u32
from classifier.records import LINK_BY_MAC, LINK_BY_TEID, LINK_BY_VLAN

MAC_SOURCE = 6  # in an Ethernet header; in a Linux cooked one as well (tcpdump.org, LINUX_SLL)
MAC_SOURCE_SLL2 = 12  # tcpdump.org, LINUX_SLL2
MAC_OCTETS = 6


@helper
def note_mac(frame, packet, start):
    """Note the sender's MAC address, which stands at `start`."""
    if packet.link_by == LINK_BY_MAC and packet.captured_end - start >= MAC_OCTETS:
        packet.link_identity = u16(frame, start) << 32 | u32(frame, start + 2)


@helper
def note_vlan(frame, packet):
    """Note the identifier of the tag at `position`, unless there was one before (IEEE 802.1Q, 9.6: the low 12 bits)."""
    if packet.link_by == LINK_BY_VLAN and packet.link_identity == 0:
        packet.link_identity = u16(frame, packet.position) & 0xFFF


@helper
def note_tunnel(frame, packet, start):
    """Note the TEID of the GTP-U header at `start` (3GPP TS 29.281, 5.1)."""
    if packet.link_by == LINK_BY_TEID:
        packet.link_identity = u32(frame, start + 4)
