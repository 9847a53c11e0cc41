"""Whether the interface that is captured from is there and up, and what is said of it when that changes.

Rules of this file: an interface that is down or away is waited for, not an error. One that is made again under the same name
is bound to and set up as at the start; one that somebody set down stays down until somebody sets it up.
"""

from __future__ import annotations

from collections.abc import Callable

from classifier.capture.interface import Interface, Links
from classifier.errors import InterfaceError

UP, DOWN, AWAY = "up", "down", "away"


class Presence:
    """Follows one interface by its name. `bind` is called with the new interface where another one took the name, and may
    raise OSError if that has gone again; `say` gets a line at each change."""

    def __init__(
        self, interface: Interface, bind: Callable[[Interface], None], say: Callable[[str], None] = lambda line: None
    ) -> None:
        self._interface = interface
        self._bind = bind
        self._say = say
        self._links = Links()
        self._state = UP

    @property
    def is_up(self) -> bool:
        return self._state == UP

    def lose(self) -> None:
        """A packet socket said that the interface is not up any more."""
        if self._state == UP:
            self._change(DOWN, "went down; waiting until it is up again")

    def look(self) -> None:
        """Where it was lost, see whether it is back."""
        if self._state == UP:
            return
        name, found = self._interface.name, self._find()
        if found is None:
            if self._state == DOWN:
                self._change(AWAY, "is gone; waiting for one of that name")
            return
        is_new = found.index != self._interface.index
        if is_new:
            try:
                self._bind(found)
                self._interface = found
                found = self._links.ready(name, bring_up=True)
            except (InterfaceError, OSError):
                return  # it has gone again, or is not what can be captured from
        if found.up:
            why = ", a new one under this name: what passed it before now was not seen" if is_new else ""
            self._change(UP, f"is up again{why}")

    def _find(self) -> Interface | None:
        try:
            return self._links.find(self._interface.name)
        except InterfaceError:
            return None

    def _change(self, state: str, what: str) -> None:
        self._state = state
        self._say(f"interface {self._interface.name}: {what}")

    def close(self) -> None:
        self._links.close()
