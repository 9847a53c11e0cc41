"""Usage per subscriber, application, evidence, standing, interval; and volumes held until their flow is decided.

Rule: octets enter here once, by `post`, when an interval or a flow ends, and leave when the meter takes the rows. The meter
takes them when the table is half full, and all volumes held together fit into the other half: so a row can always be had and
nothing is lost.
"""

from __future__ import annotations

import numpy as np

from classifier.kernels.allowed import count_down, is_counted_down
from classifier.kernels.hashing import low_bits, mix
from classifier.kernels.jit import helper
from classifier.kernels.octets import prefetch_record
from classifier.records import STANDING_TAKEN_PART

SHIFT_SUBSCRIBER = np.uint64(32)
SHIFT_APPLICATION = np.uint64(16)
SHIFT_EVIDENCE = np.uint64(8)


@helper
def usage_home(tables, interval, subscriber, application, evidence, standing):
    """Where the chain of this key begins in the index."""
    key = mix(np.uint64(interval) << SHIFT_SUBSCRIBER | np.uint64(subscriber))
    key = mix(
        key
        ^ (np.uint64(application) << SHIFT_APPLICATION | np.uint64(evidence) << SHIFT_EVIDENCE | np.uint64(standing))
        ^ tables.state[0].seed
    )
    return low_bits(key) & (tables.usage_index.shape[0] - 1)


@helper
def fetch_usage(tables, flow, standing):
    """Have the entry of the index fetched, and the row behind it, that the flow is going to be posted to."""
    home = usage_home(
        tables,
        np.int64(flow.interval),
        np.int64(flow.subscriber),
        np.int64(flow.application),
        np.int64(flow.evidence),
        standing,
    )
    prefetch_record(tables.usage, max(np.int64(tables.usage_index[home]), 0))


@helper
def usage_row(tables, interval, subscriber, application, evidence, standing):
    """Place of the row for this key, made where there is none."""
    state = tables.state[0]
    home = usage_home(tables, interval, subscriber, application, evidence, standing)
    place = np.int64(tables.usage_index[home])
    while place >= 0:
        row = tables.usage[place]
        if (
            row.subscriber == subscriber
            and row.application == application
            and row.interval == interval
            and row.evidence == evidence
            and row.standing == standing
        ):
            return place
        place = np.int64(row.hash_next)
    place = state.usage_count
    state.usage_count += 1
    row = tables.usage[place]
    row.interval = interval
    row.subscriber = subscriber
    row.application = application
    row.evidence = evidence
    row.standing = standing
    row.uplink_octets = 0
    row.downlink_octets = 0
    row.uplink_packets = 0
    row.downlink_packets = 0
    row.hash_next = tables.usage_index[home]
    tables.usage_index[home] = place
    return place


@helper
def post(tables, flow, standing, interval, client_octets, server_octets, client_packets, server_packets):
    """Add a flow's volume to the usage of its subscriber."""
    if standing == STANDING_TAKEN_PART and is_counted_down(tables, flow.subscriber):
        count_down(tables, flow, interval, client_octets + server_octets)
    place = usage_row(
        tables, interval, np.int64(flow.subscriber), np.int64(flow.application), np.int64(flow.evidence), standing
    )
    row = tables.usage[place]
    if flow.subscriber_is_client:
        row.uplink_octets += client_octets
        row.downlink_octets += server_octets
        row.uplink_packets += client_packets
        row.downlink_packets += server_packets
    else:
        row.uplink_octets += server_octets
        row.downlink_octets += client_octets
        row.uplink_packets += server_packets
        row.downlink_packets += client_packets
    return place


@helper
def held_take(tables, interval, after):
    """A free place for a held volume, chained before `after`; -1 where all are taken."""
    state = tables.state[0]
    place = state.free_held
    if place < 0:
        state.held_over += 1
        return -1
    volume = tables.held[place]
    state.free_held = volume.next
    volume.interval = interval
    volume.next = after
    volume.after_close = 0
    volume.client_octets = 0
    volume.server_octets = 0
    volume.client_packets = 0
    volume.server_packets = 0
    return place


@helper
def held_free(tables, place):
    """Give a place back and return the next of its chain."""
    state = tables.state[0]
    volume = tables.held[place]
    after = np.int64(volume.next)
    volume.next = state.free_held
    state.free_held = place
    return after
