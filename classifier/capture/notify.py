"""Tells systemd how a service is (sd_notify(3)): one datagram of lines to the socket that $NOTIFY_SOCKET names.

Rule of this file: nothing that goes wrong here stops the metering; without a socket nothing is sent.
"""

from __future__ import annotations

import contextlib
import os
import socket
import time
from collections.abc import Mapping


class Notifier:
    """`watchdog_s`: how often systemd wants to hear of the loop, None: not at all (sd_watchdog_enabled(3))."""

    def __init__(self, environment: Mapping[str, str] = os.environ) -> None:
        self._socket: socket.socket | None = None
        self.watchdog_s: float | None = None
        self._next_s = 0.0
        path = environment.get("NOTIFY_SOCKET", "")
        if path[:1] not in ("/", "@"):
            return
        with contextlib.suppress(OSError):
            self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
            self._socket.connect("\0" + path[1:] if path[0] == "@" else path)
            self._socket.setblocking(False)
        microseconds, process = environment.get("WATCHDOG_USEC", ""), environment.get("WATCHDOG_PID", "")
        if microseconds.isdecimal() and int(microseconds) and process in ("", str(os.getpid())):
            self.watchdog_s = int(microseconds) / 1e6

    @property
    def listens(self) -> bool:
        """Whether anybody is told anything."""
        return self._socket is not None

    def ready(self, status: str) -> None:
        """The service is up, or has reloaded."""
        self._send(f"READY=1\nSTATUS={status}")

    def reloading(self) -> None:
        """A reload has begun; `ready` ends it."""
        self._send(f"RELOADING=1\nMONOTONIC_USEC={time.monotonic_ns() // 1000}")

    def stopping(self) -> None:
        """The service is on its way down."""
        self._send("STOPPING=1\nSTATUS=metering what the ring still holds")

    def status(self, text: str) -> None:
        """What `systemctl status` shows."""
        self._send(f"STATUS={text}")

    def alive(self) -> None:
        """To be called from the loop as often as it turns; told to systemd at half of its time."""
        if self.watchdog_s is None:
            return
        now_s = time.monotonic()
        if now_s >= self._next_s:
            self._next_s = now_s + self.watchdog_s / 2
            self._send("WATCHDOG=1")

    def _send(self, text: str) -> None:
        if self._socket is not None:
            with contextlib.suppress(OSError):
                self._socket.send(text.encode())
