"""Late identity: a flow's octets are held until it is decided and its subscriber has taken part, then posted.

They belong to the interval in which they were seen, and to the application decided later (accounting 2.3): never charged
first and refunded after. Whatever the interval's length, the sums per interval are therefore the same.

So evidence changes here, too: what was counted before is posted first, with the evidence that it had. It falls, never rises.
"""

from __future__ import annotations

import numpy as np

from classifier.kernels.accounts import SUBSCRIBERS_BEYOND
from classifier.kernels.connections import contradict_connection
from classifier.kernels.jit import helper, hot
from classifier.kernels.signatures import APPLICATION_UNKNOWN
from classifier.kernels.state import PHASE_DECIDED, PHASE_NAMED, RULE_NO_MATCH, TCP_FOLLOWED
from classifier.kernels.streams import stream_close
from classifier.kernels.usage import held_free, held_take, post
from classifier.kernels.verdict import decide
from classifier.records import (
    EVIDENCE_CONTRADICTED,
    STANDING_AFTER_CLOSE,
    STANDING_OVERFLOW,
    STANDING_TAKEN_PART,
    STANDING_UNASKED,
)


@helper
def turn_interval(tables, place, interval):
    """The flow's next volume is of another interval: post the open one, or keep it until the flow is decided.

    Where no room is left to keep it, the flow is decided now.
    """
    flow = tables.flows[place]
    if flow.settled:
        post_open(tables, place)
    elif not push_held(tables, flow):
        if flow.phase != PHASE_DECIDED:
            decide_early(tables, place)
        settle(tables, place)
        post_open(tables, place)
        flow.settled = 0
    flow.interval = interval


@helper
def hold_apart(tables, place, from_server, octets, packets, interval):
    """Hold a volume that came after the close of an undecided flow; 0 where no room is left and it is decided now."""
    flow = tables.flows[place]
    number = np.int64(flow.held)
    if number < 0 or not tables.held[number].after_close or tables.held[number].interval != interval:
        number = held_take(tables, interval, number)
        if number < 0:
            decide_early(tables, place)
            return 0
        tables.held[number].after_close = 1
        flow.held = number
    volume = tables.held[number]
    count_held(tables, flow, from_server, octets, packets)
    if from_server:
        volume.server_octets += octets
        volume.server_packets += packets
    else:
        volume.client_octets += octets
        volume.client_packets += packets
    return 1


@helper
def decide_early(tables, place):
    """Decide with what there is; a name that nobody has answered yet does not count."""
    flow = tables.flows[place]
    if flow.phase == PHASE_NAMED:
        flow.rule = RULE_NO_MATCH
    stream_close(tables, place)
    decide(tables, place)


@helper
def contradict(tables, place):
    """What the flow says of itself is not to be believed: it is charged from here on, and for good; what was posted stays.

    Nothing of it is read any more, as no request behind could lift the contradiction.
    """
    flow = tables.flows[place]
    flow.contradicted = 1
    if flow.phase != PHASE_DECIDED:
        return
    if flow.tcp_state & TCP_FOLLOWED:
        stop_following(tables, place)
    if flow.application != APPLICATION_UNKNOWN:
        change_evidence(tables, place, EVIDENCE_CONTRADICTED)
        contradict_connection(tables, flow)


@helper
def change_evidence(tables, place, evidence):
    """Another evidence for what follows; what was counted so far keeps its own."""
    flow = tables.flows[place]
    if flow.settled:
        post_open(tables, place)
    flow.evidence = evidence


@helper
def stop_following(tables, place):
    """A followed flow is contradicted or closed: its requests are not read any more."""
    tables.flows[place].tcp_state &= 0xFFFF - TCP_FOLLOWED
    stream_close(tables, place)


@hot
def count_held(tables, flow, from_server, octets, packets):
    """Keep the account of what is not posted yet; negative volumes take away."""
    state = tables.state[0]
    state.held_frames += packets
    if from_server == flow.subscriber_is_client:
        state.held_downlink_octets += octets
    else:
        state.held_uplink_octets += octets


@helper
def count_posted(flow, from_server, octets, packets):
    """Add to what is posted of the flow."""
    if from_server:
        flow.posted_server_octets += octets
        flow.posted_server_packets += packets
    else:
        flow.posted_client_octets += octets
        flow.posted_client_packets += packets


@helper
def all_posted(flow):
    """Nothing of the flow's interval is left to post."""
    flow.posted_client_octets = flow.client_octets
    flow.posted_server_octets = flow.server_octets
    flow.posted_client_packets = flow.client_packets
    flow.posted_server_packets = flow.server_packets


@helper
def open_packets(flow):
    """Packets of the flow's interval that are not posted."""
    return (flow.client_packets - flow.posted_client_packets) + (flow.server_packets - flow.posted_server_packets)


@helper
def push_held(tables, flow):
    """Chain the volume of the flow's interval, to be posted when it is decided. 0 where no place is free."""
    if open_packets(flow) > 0:
        number = held_take(tables, np.int64(flow.interval), np.int64(flow.held))
        if number < 0:
            return 0
        volume = tables.held[number]
        volume.client_octets = flow.client_octets - flow.posted_client_octets
        volume.server_octets = flow.server_octets - flow.posted_server_octets
        volume.client_packets = flow.client_packets - flow.posted_client_packets
        volume.server_packets = flow.server_packets - flow.posted_server_packets
        flow.held = number
        all_posted(flow)
    return 1


@helper
def settle(tables, place):
    """The flow has been decided: post what it holds of earlier intervals; its open volume follows with its interval."""
    flow = tables.flows[place]
    if flow.subscriber < 0 or flow.settled:
        flow.settled = 1
        return
    how = standing(flow)
    number = np.int64(flow.held)
    while number >= 0:
        volume = tables.held[number]
        post_held(
            tables,
            flow,
            STANDING_AFTER_CLOSE if volume.after_close else how,
            np.int64(volume.interval),
            np.int64(volume.client_octets),
            np.int64(volume.server_octets),
            np.int64(volume.client_packets),
            np.int64(volume.server_packets),
        )
        number = held_free(tables, number)
    flow.held = -1
    flow.settled = 1


@helper
def post_open(tables, place):
    """Post the volume of the flow's interval. The flow is settled."""
    flow = tables.flows[place]
    if flow.subscriber < 0 or open_packets(flow) == 0:
        return
    post_held(
        tables,
        flow,
        standing(flow),
        np.int64(flow.interval),
        np.int64(flow.client_octets - flow.posted_client_octets),
        np.int64(flow.server_octets - flow.posted_server_octets),
        np.int64(flow.client_packets - flow.posted_client_packets),
        np.int64(flow.server_packets - flow.posted_server_packets),
    )
    all_posted(flow)


@helper
def post_held(tables, flow, how, interval, client_octets, server_octets, client_packets, server_packets):
    """Post a volume and take it off the account of what is not."""
    count_held(tables, flow, 0, -client_octets, -client_packets)
    count_held(tables, flow, 1, -server_octets, -server_packets)
    post(tables, flow, how, interval, client_octets, server_octets, client_packets, server_packets)


@helper
def standing(flow):
    """How the flow's octets stand towards offers."""
    if flow.subscriber == SUBSCRIBERS_BEYOND:
        return STANDING_OVERFLOW
    return STANDING_TAKEN_PART if flow.took_part else STANDING_UNASKED
