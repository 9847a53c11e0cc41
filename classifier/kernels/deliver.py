"""Where a volume of a flow ends: transit, usage, or held until the flow is decided. Every metered octet passes here once."""

from __future__ import annotations

import numpy as np

from classifier.kernels.jit import helper
from classifier.kernels.settle import hold, hold_apart, settle, standing
from classifier.kernels.state import PHASE_DECIDED
from classifier.kernels.usage import post, usage_row
from classifier.records import STANDING_AFTER_CLOSE, UNMETERED_TRANSIT


@helper
def deliver(tables, place, from_server, octets, packets, interval, after_close):
    """Account `octets` in `packets` of flow `place`, sent in `interval` by its server or its client."""
    flow = tables.flows[place]
    if from_server:
        flow.server_octets += octets
        flow.server_packets += packets
    else:
        flow.client_octets += octets
        flow.client_packets += packets
    if flow.subscriber < 0:
        tables.unmetered_frames[UNMETERED_TRANSIT] += packets
        tables.unmetered_octets[UNMETERED_TRANSIT] += octets
        return
    state = tables.state[0]
    state.metered_frames += packets
    state.metered_octets += octets
    if after_close:
        flow.after_close_octets += octets
        state.after_close_octets += octets
        if flow.phase == PHASE_DECIDED or not hold_apart(tables, place, from_server, octets, packets, interval):
            post_direct(tables, flow, from_server, octets, packets, interval, STANDING_AFTER_CLOSE)
    elif flow.settled:
        if interval == state.interval:
            post_cached(tables, flow, from_server, octets, packets)
        else:
            post_direct(tables, flow, from_server, octets, packets, interval, standing(flow))
    else:
        hold(tables, place, from_server, octets, packets, interval)
        if flow.phase == PHASE_DECIDED and flow.took_part:
            settle(tables, place)


@helper
def take_part(tables, place, from_server):
    """Note that the subscriber's own end sent something (accounting 1.7)."""
    flow = tables.flows[place]
    if from_server != flow.subscriber_is_client:
        flow.took_part = 1


@helper
def post_direct(tables, flow, from_server, octets, packets, interval, how):
    """Post one volume of one direction."""
    if from_server:
        post(tables, flow, how, interval, 0, octets, 0, packets)
    else:
        post(tables, flow, how, interval, octets, 0, packets, 0)


@helper
def post_cached(tables, flow, from_server, octets, packets):
    """Post to the row that the flow used last, as nearly every packet does."""
    state = tables.state[0]
    if flow.usage_epoch != state.epoch:
        flow.usage_row = usage_row(
            tables,
            state.interval,
            np.int64(flow.subscriber),
            np.int64(flow.application),
            np.int64(flow.evidence),
            standing(flow),
        )
        flow.usage_epoch = state.epoch
    row = tables.usage[flow.usage_row]
    if from_server == flow.subscriber_is_client:
        row.downlink_octets += octets
        row.downlink_packets += packets
    else:
        row.uplink_octets += octets
        row.uplink_packets += packets
