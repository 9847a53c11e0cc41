"""TCP state of a flow: its close, its sequence numbers, what was sent twice (RFC 9293, 3.3 to 3.5).

Rule: octets are never counted from sequence numbers (accounting 1.2); these only tell a new connection from an old one, where
a hello begins, and which octets were seen before.
"""

from __future__ import annotations

import numpy as np

from classifier.iana import TCP_ACK, TCP_FIN, TCP_RST, TCP_SYN
from classifier.kernels.jit import helper, hot
from classifier.kernels.state import (
    ORDER_CLOSED,
    ORDER_ESTABLISHED,
    ORDER_TRANSITORY,
    TCP_ACK_CLIENT,
    TCP_ACK_SERVER,
    TCP_FIN_CLIENT,
    TCP_FIN_SERVER,
    TCP_RESET,
    TCP_SEEN_CLIENT,
    TCP_SEEN_SERVER,
    TCP_SYN_CLIENT,
    TCP_SYN_SERVER,
)
from classifier.kernels.streams import sequence_difference
from classifier.records import END_FIN, END_OPEN, END_RST

BOTH_FINS = TCP_FIN_CLIENT | TCP_FIN_SERVER
BOTH_SEEN = TCP_SEEN_CLIENT | TCP_SEEN_SERVER


@hot
def close_reason(flow):
    """END_FIN or END_RST of a closed flow, END_OPEN of one that is not."""
    if flow.tcp_state & TCP_RESET:
        return END_RST
    if flow.tcp_state & BOTH_FINS == BOTH_FINS:
        return END_FIN
    return END_OPEN


@helper
def begins_anew(flow, packet, from_server):
    """1 if this SYN opens another connection on the same ports: not the flow's own SYN once more.

    A SYN with another number also ends a flow whose close was not seen: what follows it has to be named again.
    """
    if packet.tcp_flags & (TCP_SYN | TCP_ACK) != TCP_SYN:
        return 0
    if from_server:
        # Both ends may open at once (RFC 9293, 3.5): the SYN of an end that was silent so far crosses the other's.
        if flow.tcp_state & (TCP_SYN_CLIENT | TCP_ACK_CLIENT | TCP_SEEN_SERVER) == TCP_SYN_CLIENT:
            return 0
        has_own, has_other = flow.tcp_state & TCP_SYN_SERVER, flow.tcp_state & TCP_SYN_CLIENT
        first, acknowledged = np.int64(flow.server_first), np.int64(flow.client_acknowledged)
        is_answered = flow.tcp_state & TCP_ACK_CLIENT
    else:
        has_own, has_other = flow.tcp_state & TCP_SYN_CLIENT, flow.tcp_state & TCP_SYN_SERVER
        first, acknowledged = np.int64(flow.client_first), np.int64(flow.server_acknowledged)
        is_answered = flow.tcp_state & TCP_ACK_SERVER
    behind = sequence_difference(acknowledged, packet.tcp_sequence + 1)
    if not has_own:
        return not (has_other and behind == 0)  # the SYN-ACK came first
    if packet.tcp_sequence != first:
        return 1
    # The same number once more is a SYN sent again, but not where octets behind it have been acknowledged: the connection may
    # have ended unseen, and nothing keeps a client from taking that number for the next one.
    return is_answered and behind > 0 and close_reason(flow) == END_OPEN


@hot
def order_of(flow, packet):
    """Which time-out the flow has after this packet (RFC 5382, REQ-5)."""
    if close_reason(flow) != END_OPEN:
        return ORDER_CLOSED
    if flow.tcp_state & BOTH_SEEN != BOTH_SEEN or flow.tcp_state & BOTH_FINS or packet.tcp_flags & TCP_SYN:
        return ORDER_TRANSITORY
    return ORDER_ESTABLISHED


@hot
def track(flow, packet, from_server):
    """Follow the numbers of the end that sent; 1 if all of this payload was seen before.

    Which end that is decides what is taken, not where the code goes: no processor could foretell it.
    """
    sequence = packet.tcp_sequence
    flags = packet.tcp_flags
    if flags & TCP_ACK:
        acknowledged = packet.tcp_acknowledgement
        flow.client_acknowledged = np.int64(flow.client_acknowledged) if from_server else acknowledged
        flow.server_acknowledged = acknowledged if from_server else np.int64(flow.server_acknowledged)
        flow.tcp_state |= TCP_ACK_CLIENT << from_server
    end = sequence + packet.payload_octets
    if flags & (TCP_SYN | TCP_FIN):
        end += track_ends(flow, packet, from_server)
    end &= 0xFFFFFFFF
    client_next, server_next = np.int64(flow.client_next), np.int64(flow.server_next)
    expected = server_next if from_server else client_next
    is_first = flow.tcp_state & TCP_SEEN_CLIENT << from_server == 0
    if not is_first and sequence_difference(end, expected) <= 0:
        return 1 if packet.payload_octets > 0 and not fills_gap(flow, from_server, sequence, end) else 0
    if not is_first and sequence_difference(sequence, expected) > 0:
        note_gap(flow, from_server, expected, sequence)
    flow.tcp_state |= TCP_SEEN_CLIENT << from_server
    flow.client_next = client_next if from_server else end
    flow.server_next = end if from_server else server_next
    return 0


@helper
def track_ends(flow, packet, from_server):
    """A SYN or FIN: note it; how many sequence numbers they take."""
    taken = 0
    if packet.tcp_flags & TCP_SYN:
        taken += 1
        flow.tcp_state |= TCP_SYN_CLIENT << from_server
        if from_server:
            flow.server_first = packet.tcp_sequence
        else:
            flow.client_first = packet.tcp_sequence
    if packet.tcp_flags & TCP_FIN:
        taken += 1
        flow.tcp_state |= TCP_FIN_CLIENT << from_server
    return taken


@helper
def note_gap(flow, from_server, expected, sequence):
    """Octets were jumped over; a gap that is there already grows."""
    if from_server:
        if flow.server_gap == flow.server_gap_end:
            flow.server_gap = expected
        flow.server_gap_end = sequence
    else:
        if flow.client_gap == flow.client_gap_end:
            flow.client_gap = expected
        flow.client_gap_end = sequence


@helper
def fills_gap(flow, from_server, sequence, end):
    """1 if the payload lies in octets that were jumped over, which become fewer by it where it comes next."""
    gap = np.int64(flow.server_gap) if from_server else np.int64(flow.client_gap)
    gap_end = np.int64(flow.server_gap_end) if from_server else np.int64(flow.client_gap_end)
    if gap == gap_end or sequence_difference(sequence, gap) < 0 or sequence_difference(gap_end, sequence) <= 0:
        return 0
    if sequence == gap:
        left = end if sequence_difference(gap_end, end) > 0 else gap_end
        if from_server:
            flow.server_gap = left
        else:
            flow.client_gap = left
    return 1


@helper
def track_reset(flow, packet):
    """A reset closes the flow at once."""
    if packet.tcp_flags & TCP_RST:
        flow.tcp_state |= TCP_RESET


@helper
def track_fragment(flow, from_server, end):
    """A later fragment of a segment ends at this sequence number."""
    if from_server:
        if sequence_difference(end, np.int64(flow.server_next)) > 0:
            flow.server_next = end & 0xFFFFFFFF
    elif sequence_difference(end, np.int64(flow.client_next)) > 0:
        flow.client_next = end & 0xFFFFFFFF
