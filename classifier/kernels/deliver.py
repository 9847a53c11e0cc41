"""Where a volume of a flow ends: transit, usage, or held until the flow is decided. Every metered octet passes here once."""

from __future__ import annotations

from classifier.kernels.allowed import is_counted_down
from classifier.kernels.jit import helper, hot
from classifier.kernels.settle import (
    count_held,
    count_posted,
    hold_apart,
    post_open,
    settle,
    turn_interval,
)
from classifier.kernels.state import PHASE_DECIDED
from classifier.kernels.usage import post
from classifier.records import STANDING_AFTER_CLOSE, UNMETERED_TRANSIT


@hot
def deliver(tables, place, from_server, octets, packets, interval, after_close):
    """Account `octets` in `packets` of flow `place`, sent in `interval` by its server or its client.

    What a flow has is its counts; what of them is posted shows in its other counts. So a packet in the middle of a flow
    touches no usage: the difference is posted when the interval or the flow ends.
    """
    flow = tables.flows[place]
    state = tables.state[0]
    if flow.subscriber < 0:
        count(flow, from_server, octets, packets)
        tables.unmetered_frames[UNMETERED_TRANSIT] += packets
        tables.unmetered_octets[UNMETERED_TRANSIT] += octets
        return
    state.metered_frames += packets
    state.metered_octets += octets
    if after_close:
        flow.after_close_octets += octets
        state.after_close_octets += octets
        if flow.phase == PHASE_DECIDED or not hold_apart(tables, place, from_server, octets, packets, interval):
            post_direct(tables, flow, from_server, octets, packets, interval, STANDING_AFTER_CLOSE)
        count(flow, from_server, octets, packets)
        count_posted(flow, from_server, octets, packets)
        return
    if flow.interval != interval:
        turn_interval(tables, place, interval)
    count(flow, from_server, octets, packets)
    count_held(tables, flow, from_server, octets, packets)
    if not flow.settled and flow.phase == PHASE_DECIDED and flow.took_part:
        settle(tables, place)
    if not flow.settled:
        return
    # The posting at the interval's end looks only at flows active in it.
    if flow.last_ns < state.interval_clock_ns or interval != state.interval or is_counted_down(tables, flow.subscriber):
        post_open(tables, place)


@hot
def count(flow, from_server, octets, packets):
    """Add to the flow's own counts. No branch, as no processor could foretell which end sent."""
    flow.server_octets += octets * from_server
    flow.server_packets += packets * from_server
    flow.client_octets += octets * (1 - from_server)
    flow.client_packets += packets * (1 - from_server)


@hot
def take_part(flow, from_server):
    """Note that the subscriber's own end sent something (accounting 1.7). Refusals (RST, ICMP errors) do not come here."""
    flow.took_part |= from_server ^ flow.subscriber_is_client


@helper
def post_direct(tables, flow, from_server, octets, packets, interval, how):
    """Post one volume of one direction."""
    if from_server:
        post(tables, flow, how, interval, 0, octets, 0, packets)
    else:
        post(tables, flow, how, interval, octets, 0, packets, 0)
