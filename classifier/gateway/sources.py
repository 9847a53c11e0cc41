"""Where live frames come from, as the configuration has it."""

from __future__ import annotations

from collections.abc import Callable

from classifier.capture.inline import InlineSource
from classifier.capture.interface import find_interface, find_port
from classifier.capture.ring import RingSource
from classifier.configuration import Capture
from classifier.gateway.inline import Ports


def open_source(where: str | Ports, capture: Capture, say: Callable[[str], None]) -> RingSource | InlineSource:
    """The ring of one interface, or two ports in line; what is down is set up, and nothing comes in before `let_in`.

    `say` gets a line when an interface goes down or away, and when it is back.
    """
    if isinstance(where, Ports):
        ports = find_port(where.inside, say), find_port(where.outside, say)
        return InlineSource(*ports, fail_open=where.fail_open, let_in=False, say=say)
    return RingSource(
        find_interface(where, bring_up=True),
        blocks=capture.ring_blocks,
        block_octets=capture.block_octets,
        block_timeout_ms=capture.block_timeout_ms,
        promiscuous=capture.promiscuous,
        direction=capture.direction,
        let_in=False,
        say=say,
    )
