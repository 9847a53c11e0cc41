"""Flows, one line each: JSON Lines, and columns for a person.

Rules of this file: flows come one by one and leave one by one, however many there are. Column widths come from the
first of them, so that nobody waits for the last; what is wider later is cut on a terminal and pushes along in a pipe.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Iterator
from itertools import chain, islice

from classifier.records import FlowRecord
from classifier.reports.columns import (
    GAP,
    Column,
    Line,
    cut,
    fit_widths,
    heading_text,
    natural_widths,
    row_text,
    total_width,
)
from classifier.reports.words import octets_text, time_text

# What explains a flow in a sentence.
Why = Callable[[FlowRecord], str]
# How many flows are looked at before the first is printed.
SAMPLE_FLOWS = 500
COLUMNS = (
    Column("subscriber", least=10),
    Column("client", least=15),
    Column("server", least=18, keep_end=True),
    Column("prot", least=4),
    Column("application", least=11),
    Column("evidence", least=8),
    Column("up", right=True),
    Column("down", right=True),
    Column("name", least=12, keep_end=True),
)
_CLIENT = 1
_WITHOUT_CUTS = tuple(column._replace(least=None) for column in COLUMNS)
_NARROW_GAP = " "
_WITH_PORTS = frozenset({"tcp", "udp", "udplite", "sctp"})


def flow_json(flow: FlowRecord) -> dict:
    """The flow as `json` takes it; the keys behind `downlink_packets` are beside the contract's."""
    return {
        "subscriber": flow.subscriber,
        "client": flow.client,
        "client_port": flow.client_port,
        "server": flow.server,
        "server_port": flow.server_port,
        "protocol": flow.protocol,
        "application": flow.application,
        "evidence": flow.evidence,
        "source": flow.source,
        "name": flow.name,
        "first_packet": time_text(flow.first_packet_ns),
        "last_packet": time_text(flow.last_packet_ns),
        "uplink_octets": flow.uplink_octets,
        "downlink_octets": flow.downlink_octets,
        "uplink_packets": flow.uplink_packets,
        "downlink_packets": flow.downlink_packets,
        "other_name": flow.other_name,
        "retransmitted_octets": flow.retransmitted_octets,
        "after_close_octets": flow.after_close_octets,
        "ended": flow.ended,
    }


def flow_json_lines(flows: Iterable[FlowRecord], why: Why | None = None) -> Iterator[str]:
    """One object a line; with `why`, its sentence is the last key."""
    for flow in flows:
        fields = flow_json(flow)
        if why is not None:
            fields["why"] = why(flow)
        yield json.dumps(fields) + "\n"


def flow_table(flows: Iterable[FlowRecord], width: int | None, why: Why | None = None) -> Iterator[Line]:
    """Headings, then a line for each flow: in `width` columns of a terminal, or uncut where it is None.

    With `why`, its sentence follows on a line of its own, never cut.

    A terminal that is too narrow for all of it does without the clients' ports first; below 100 columns the ends of the
    lines are cut off.
    """
    flows = iter(flows)
    sample = list(islice(flows, SAMPLE_FLOWS))
    cells, columns, gap = _cells, _WITHOUT_CUTS, GAP
    widths = natural_widths(columns, map(cells, sample))
    if width is not None:
        columns = COLUMNS
        if total_width(widths) > width:
            cells, gap = _narrow_cells, _NARROW_GAP
            widths = fit_widths(columns, natural_widths(columns, map(cells, sample)), width, gap)
    line_width = sys.maxsize if width is None else width
    yield Line(cut(heading_text(columns, widths, gap), line_width), "heading")
    for flow in chain(sample, flows):
        yield Line(cut(row_text(columns, widths, cells(flow), gap), line_width))
        if why is not None:
            yield Line(f"  {why(flow)}")


def _cells(flow: FlowRecord) -> list[str]:
    names = [name for name in (flow.name, flow.other_name) if name is not None]
    return [
        flow.subscriber or "-",
        _end(flow.client, flow.client_port, flow.protocol),
        _end(flow.server, flow.server_port, flow.protocol),
        flow.protocol,
        flow.application,
        flow.evidence,
        octets_text(flow.uplink_octets),
        octets_text(flow.downlink_octets),
        " / ".join(names) or "-",
    ]


def _narrow_cells(flow: FlowRecord) -> list[str]:
    cells = _cells(flow)
    cells[_CLIENT] = flow.client
    return cells


def _end(address: str, port: int, protocol: str) -> str:
    if protocol not in _WITH_PORTS:
        return address
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"
