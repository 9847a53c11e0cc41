"""One AF_PACKET socket on one interface: its options, its counters, and what befalls the interface under it.

Rules of this file: options without a name in Python have theirs here, from linux/if_packet.h unless said otherwise. Counters
are those of the socket's whole life, whichever interface it was bound to. What is wrong is an InterfaceError of one line.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import socket
import struct

from classifier.capture.interface import PRIVILEGE_MEND, Interface
from classifier.errors import InterfaceError

SOL_PACKET = 263  # linux/socket.h
PACKET_ADD_MEMBERSHIP, PACKET_STATISTICS = 1, 6
PACKET_VNET_HDR, PACKET_IGNORE_OUTGOING = 15, 23
PACKET_MR_PROMISC = 1
PACKET_OUTGOING = 4  # sll_pkttype
ETH_P_ALL = 0x0003  # linux/if_ether.h
SO_ATTACH_FILTER = 26  # asm-generic/socket.h
MEMBERSHIP = "iHH8x"  # struct packet_mreq
STATISTICS = "3I"  # struct tpacket_stats_v3; a socket without such a ring fills in the first two
SOCK_FILTER = "HBBI"  # linux/filter.h, struct sock_filter
KEEP_ALL, KEEP_NOTHING = 0xFFFFFFFF, 0
BPF_RETURN, BPF_LOAD, BPF_JUMP_EQUAL = 0x06, 0x20, 0x15  # RET | K, LD | W | ABS, JMP | JEQ | K
PACKET_TYPE = 0xFFFFF000 + 4  # SKF_AD_OFF + SKF_AD_PKTTYPE
REFUSE = ((BPF_RETURN, 0, 0, KEEP_NOTHING),)
OUTGOING_ALONE = (
    (BPF_LOAD, 0, 0, PACKET_TYPE),
    (BPF_JUMP_EQUAL, 0, 1, PACKET_OUTGOING),
    (BPF_RETURN, 0, 0, KEEP_ALL),
    (BPF_RETURN, 0, 0, KEEP_NOTHING),
)


class PacketSocket:
    """A packet socket that is not bound yet, so that it can be set up before anything comes in.

    `direction`: "both", "in" or "out", as the interface sees it. On the loopback interface, where each frame would come twice,
    the outgoing copy is always left out. `joined_told`: each frame comes with a virtio header, which tells how many packets
    an interface joined into it. Raises OSError.
    """

    def __init__(self, interface: Interface, direction: str, *, promiscuous: bool) -> None:
        self.interface = interface
        self.joined_told = False
        self._promiscuous = promiscuous
        self._counters = [0, 0, 0]
        self.socket: socket.socket | None = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
        try:
            if direction == "in" or interface.is_loopback:
                self.socket.setsockopt(SOL_PACKET, PACKET_IGNORE_OUTGOING, 1)
            elif direction == "out":
                self._filter(OUTGOING_ALONE)
            with contextlib.suppress(OSError):
                self.socket.setsockopt(SOL_PACKET, PACKET_VNET_HDR, 1)
                self.joined_told = True
        except OSError:
            self.socket.close()
            raise

    def fileno(self) -> int:
        return self.socket.fileno()

    def bind(self, interface: Interface) -> None:
        """Let in what passes this interface from now on. A socket that was bound before keeps what it has."""
        self.socket.bind((interface.name, ETH_P_ALL))
        if self._promiscuous:
            membership = struct.pack(MEMBERSHIP, interface.index, PACKET_MR_PROMISC, 0)
            self.socket.setsockopt(SOL_PACKET, PACKET_ADD_MEMBERSHIP, membership)
        if not interface.up:
            self.take_error()  # that it is down, which is known
        self.interface = interface

    def refuse_frames(self) -> None:
        """Let nothing more in, so that a busy link cannot make the end last."""
        self._filter(REFUSE)

    def _filter(self, instructions: tuple[tuple[int, int, int, int], ...]) -> None:
        """Attach a socket filter (classic BPF)."""
        octets = b"".join(struct.pack(SOCK_FILTER, *one) for one in instructions)
        program = ctypes.create_string_buffer(octets, len(octets))
        filter_program = struct.pack("HP", len(instructions), ctypes.addressof(program))  # struct sock_fprog
        self.socket.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, filter_program)

    def take_error(self) -> int:
        """The error that a poll told of, and forget it."""
        return self.socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)

    def statistics(self) -> tuple[int, int, int]:
        """(received, dropped, freezes) since the socket was made: frames that Linux saw for it, those of them that it had
        no room for, and how often a ring was full."""
        if self.socket is not None:
            # Linux starts again at zero with every reading.
            octets = self.socket.getsockopt(SOL_PACKET, PACKET_STATISTICS, struct.calcsize(STATISTICS))
            counters = struct.unpack(STATISTICS, octets.ljust(struct.calcsize(STATISTICS), b"\0"))
            self._counters = [total + counter for total, counter in zip(self._counters, counters, strict=True)]
        return tuple(self._counters)

    def close(self) -> None:
        """Close it; the statistics stay readable."""
        if self.socket is not None:
            with contextlib.suppress(OSError):
                self.statistics()
            self.socket.close()
            self.socket = None


def joined_told() -> bool:
    """Whether this Linux says how many packets an interface joined into a frame."""
    with contextlib.suppress(OSError), socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0) as probe:
        probe.setsockopt(SOL_PACKET, PACKET_VNET_HDR, 1)
        return True
    return False


def set_up_error(interface: Interface, error: OSError) -> InterfaceError:
    """What was wrong with a packet socket, with the mend."""
    if error.errno in (errno.EPERM, errno.EACCES):
        what = f"capturing is not permitted; {PRIVILEGE_MEND}"
    elif error.errno in (errno.ENODEV, errno.ENXIO):
        what = "is gone; see ip link"
    elif error.errno == errno.ENOPROTOOPT:
        what = "this Linux cannot leave out outgoing frames, or has no TPACKET_V3 ring; it needs Linux 4.20 or later"
    else:
        what = f"cannot be captured from: {error.strerror or os.strerror(error.errno)}"
    return InterfaceError(f"interface {interface.name}: {what}")
