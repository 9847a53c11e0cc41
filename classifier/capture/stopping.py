"""How a loop that waits for frames is told to end, from a signal handler or another thread."""

from __future__ import annotations

import os


class Stop:
    """`asked` once somebody has; whoever polls it wakes up then. An eventfd(2), to be closed."""

    def __init__(self) -> None:
        self.asked = False
        self._event = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)

    def fileno(self) -> int:
        """For poll(2)."""
        return self._event

    def ask(self) -> None:
        """End the loop, after what has come in."""
        self.asked = True
        if self._event >= 0:
            os.eventfd_write(self._event, 1)

    def close(self) -> None:
        """The loop has ended, or never begins."""
        self.asked = True
        if self._event >= 0:
            event, self._event = self._event, -1
            os.close(event)
