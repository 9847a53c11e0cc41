"""One port of an in-line gateway: frames come in by recvmmsg(2) and go out by sendmmsg(2), many at a call.

A ring would hand a frame over only with its block, a millisecond later or more; here it is there at once. Rules of this file:
the order of frames is kept; a frame that cannot be sent is counted, and never holds up those behind it for longer than a
full queue takes to have room again.
"""

from __future__ import annotations

import ctypes
import errno
import os
import select
import socket
from collections.abc import Callable

import numpy as np

from classifier.capture.batch import Batch, frame_list
from classifier.capture.interface import Interface
from classifier.capture.packet_socket import SOL_PACKET, PacketSocket
from classifier.capture.presence import Presence
from classifier.errors import InterfaceError
from classifier.iana import LINK_ETHERNET
from classifier.kernels.forward_index import (
    CONTROL_OCTETS,
    HEAD_OCTETS,
    MESSAGE,
    PACKET_AUXDATA,
    VECTOR,
    list_received,
    list_to_send,
)
from classifier.kernels.segments import VNET_OCTETS

SLOTS = 256
SLOT_OCTETS = 66 << 10  # the longest frame that offloads make, a tag, and what stands before it
SO_TIMESTAMPNS, SO_SNDBUFFORCE, SO_RCVBUFFORCE = 35, 32, 33  # asm-generic/socket.h
QUEUE_OCTETS = 64 << 20  # what may wait to be metered, and to be sent
FULL_QUEUE_MS = 10  # how long a full queue is waited for
_libc = ctypes.CDLL(None, use_errno=True)


class Port:
    """One end. `say` gets a line when the interface goes down or away and when it is back. Raises InterfaceError."""

    def __init__(self, interface: Interface, say: Callable[[str], None]) -> None:
        self.unsent_frames = 0
        self.unsent_because: str | None = None
        self._frames = frame_list(SLOTS)
        self._buffer = np.zeros(SLOTS * SLOT_OCTETS, np.uint8)
        self._shown = self._buffer.view()
        self._shown.flags.writeable = False
        self._controls = np.zeros((SLOTS, CONTROL_OCTETS), np.uint8)
        self._vectors, self._received = _messages()
        self._out_vectors, self._sent = _messages()
        # What is asked of an array in Python takes microseconds, so it is asked once.
        self._address = self._buffer.ctypes.data
        self._received_at = ctypes.c_void_p(self._received.ctypes.data)
        self._sent_at = self._sent.ctypes.data
        self._control_room = self._received.view(np.ndarray)["control_octets"]
        first = self._address + HEAD_OCTETS - VNET_OCTETS
        self._vectors["address"] = first + np.arange(SLOTS, dtype=np.uint64) * SLOT_OCTETS
        self._vectors["octets"] = SLOT_OCTETS - HEAD_OCTETS
        self._received["control"] = self._controls.ctypes.data + np.arange(SLOTS, dtype=np.uint64) * CONTROL_OCTETS
        self._socket = PacketSocket(interface, "in", promiscuous=True)
        try:
            self._set_up(interface)
            self.presence = Presence(interface, self._socket.bind, say)
        except BaseException:
            self._socket.close()
            raise

    def _set_up(self, interface: Interface) -> None:
        if not self._socket.joined_told:
            raise InterfaceError(f"interface {interface.name}: this Linux has no virtio headers (PACKET_VNET_HDR)")
        try:
            for level, option, value in (
                (SOL_PACKET, PACKET_AUXDATA, 1),
                (socket.SOL_SOCKET, SO_TIMESTAMPNS, 1),
                (socket.SOL_SOCKET, SO_RCVBUFFORCE, QUEUE_OCTETS),
                (socket.SOL_SOCKET, SO_SNDBUFFORCE, QUEUE_OCTETS),
            ):
                self._socket.socket.setsockopt(level, option, value)
        except PermissionError:
            mend = "run as root, or give the process CAP_NET_ADMIN beside CAP_NET_RAW"
            raise InterfaceError(f"interface {interface.name}: may not be a port in line; {mend}") from None

    @property
    def name(self) -> str:
        return self._socket.interface.name

    def fileno(self) -> int:
        return self._socket.fileno()

    def load(self) -> None:
        """Have the kernels compiled or loaded."""
        list_received(self._buffer, self._received, self._controls, 0, SLOT_OCTETS, LINK_ETHERNET, self._frames)
        list_to_send(self._buffer, self._address, self._frames, 0, self._out_vectors)

    def bind(self) -> None:
        """Let frames in from now on."""
        self._socket.bind(self._socket.interface)

    def receive(self) -> Batch | None:
        """What has come in, in order, at most SLOTS frames; None where nothing has. Valid until the next call."""
        self._control_room[:] = CONTROL_OCTETS
        count = _libc.recvmmsg(self.fileno(), self._received_at, SLOTS, socket.MSG_DONTWAIT, None)
        if count < 0:
            error = ctypes.get_errno()
            if error == errno.ENETDOWN:
                self.presence.lose()
            elif error not in (errno.EAGAIN, errno.EINTR):
                raise InterfaceError(f"interface {self.name}: {os.strerror(error)} while frames were received")
            return None
        if count == 0:
            return None
        list_received(self._buffer, self._received, self._controls, count, SLOT_OCTETS, LINK_ETHERNET, self._frames)
        return Batch(self._shown, self._frames, count)

    def forward(self, batch: Batch, other: Port) -> int:
        """Send a batch of this port's, less what may not pass, out of the other; how many frames went."""
        count, cut = list_to_send(self._buffer, self._address, batch.listed, batch.count, self._out_vectors)
        if cut:
            other.count_unsent(cut, f"they are longer than {SLOT_OCTETS - HEAD_OCTETS} octets")
        return other.send(self._sent_at, count) if count else 0

    def send(self, address: int, count: int) -> int:
        """Send `count` messages (MESSAGE) from this address on, in their order; how many went."""
        first = went = 0
        while first < count:
            left = count - first
            place = ctypes.c_void_p(address + first * MESSAGE.itemsize)
            done = _libc.sendmmsg(self.fileno(), place, left, socket.MSG_DONTWAIT)
            if done > 0:
                first += done
                went += done
                continue
            error = ctypes.get_errno()
            if error == errno.EINTR or (error == errno.EAGAIN and self._has_room()):
                continue
            if error in (errno.ENETDOWN, errno.ENXIO, errno.ENODEV):
                self.presence.lose()
                self.count_unsent(left, "it was down")
                return went
            self.count_unsent(1, "its queue was full" if error in (errno.EAGAIN, errno.ENOBUFS) else os.strerror(error))
            first += 1
        return went

    def _has_room(self) -> bool:
        poll = select.poll()
        poll.register(self.fileno(), select.POLLOUT)
        return bool(poll.poll(FULL_QUEUE_MS))

    def count_unsent(self, frames: int, because: str) -> None:
        self.unsent_frames += frames
        self.unsent_because = because

    def take_error(self) -> None:
        """What a poll told of: the interface went down, or something that the next call tells again."""
        if self._socket.take_error() == errno.ENETDOWN:
            self.presence.lose()

    def refuse_frames(self) -> None:
        self._socket.refuse_frames()

    def statistics(self) -> tuple[int, int, int]:
        return self._socket.statistics()

    def close(self) -> None:
        self._socket.close()
        self.presence.close()


def _messages() -> tuple[np.ndarray, np.ndarray]:
    """Messages with a vector each: (VECTOR[SLOTS], MESSAGE[SLOTS])."""
    vectors, messages = np.zeros(SLOTS, VECTOR).view(np.recarray), np.zeros(SLOTS, MESSAGE).view(np.recarray)
    messages["vector"] = vectors.ctypes.data + np.arange(SLOTS, dtype=np.uint64) * VECTOR.itemsize
    messages["vectors"] = 1
    return vectors, messages
