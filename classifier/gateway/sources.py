"""Where live frames come from, as the configuration has it."""

from __future__ import annotations

from collections.abc import Callable

from classifier.capture.interface import find_interface
from classifier.capture.ring import RingSource
from classifier.configuration import Capture


def open_source(interface: str, capture: Capture, say: Callable[[str], None]) -> RingSource:
    """The ring of one interface, which is set up where it is down; `say` gets a line when it goes down or away, and back."""
    return RingSource(
        find_interface(interface, bring_up=True),
        blocks=capture.ring_blocks,
        block_octets=capture.block_octets,
        block_timeout_ms=capture.block_timeout_ms,
        promiscuous=capture.promiscuous,
        direction=capture.direction,
        say=say,
    )
