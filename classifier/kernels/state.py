"""The tables of the meter: what one flow, one usage row, one held volume is, and how large each may grow.

Rules of this file: every table has a fixed capacity; the meter (floor 3) owns the arrays and makes them once; kernels
write into them. An index is an int32 place in a table, -1 for none.
"""

from __future__ import annotations

import numpy as np

# Why the meter's kernel came back before its list of frames was done: it goes on at the same frame.
DONE = 0
INTERVAL = 1  # a packet lies at or past `interval_end_ns`: close the interval, open the next
USAGE = 2  # the usage table is half full: take its rows
FLOWS = 3  # the log of ended flows is nearly full: take it
NAMES = 4  # the table of names is nearly full: take the log, drop what no flow needs
WATCH = 5  # the frame before it may speak about addresses: read it, write the changes
EXPIRY = 6  # a packet lies at or past `next_expiry_ns`: write what has ended

# What `meter_packets` does behind the last frame.
THEN_NOTHING = 0
THEN_POST = 1
THEN_FINISH = 2
THEN_BIND = 3

# What a flow waits for, in how many steps it moves to the next list.
ORDER_CLOSED, ORDER_TRANSITORY, ORDER_ESTABLISHED, ORDER_UDP, ORDER_OTHER = range(5)
ORDERS = 5

# Flow.tcp_state bits.
TCP_FIN_CLIENT = 1
TCP_FIN_SERVER = 2
TCP_RESET = 4
TCP_SYN_CLIENT = 8  # client_first is the client's initial sequence number
TCP_SYN_SERVER = 16
TCP_SEEN_CLIENT = 32  # client_next is known
TCP_SEEN_SERVER = 64
TCP_ACK_CLIENT = 128  # client_acknowledged is known
TCP_ACK_SERVER = 256
TCP_FOLLOWED = 512  # the flow's name came from an HTTP request, and those behind it are read, too (`http_follow`)

# Packets whose flows are fetched from memory before the first of them is metered.
GROUP_PACKETS = 8
GROUP_MASK = GROUP_PACKETS - 1
# The part of an index that is in use at first; it doubles with what is in it, so that little stays in the cache.
INDEX_FIRST = 1 << 12
# Flows that are closed for their time-out at one packet; a longer queue goes on at the next.
EXPIRY_BUDGET = 64
# Flows that may end at one frame: the expired, those evicted, one begun anew.
LOG_MARGIN = 2 * EXPIRY_BUDGET
# Flows that one frame may open: its own, and those without ports of two datagrams given up for its sake.
SLOTS_PER_FRAME = 4

# Flow.phase: a name that was seen has to be answered before it counts (accounting 2.4).
PHASE_INSPECTED = 0
PHASE_NAMED = 1
PHASE_DECIDED = 2

# Flow.middle: what a packet in the middle of the flow looks like (`middle`), MIDDLE_NONE where each may change something.
# MIDDLE_UNREAD: of TCP, where a name is still looked for, what cannot begin one.
MIDDLE_NONE, MIDDLE_TCP, MIDDLE_UNREAD, MIDDLE_UDP, MIDDLE_QUIC = range(5)

# Flow.quic bits.
QUIC_ROLES = 1  # it is known which end is the QUIC client …
QUIC_TURNED = 2  # … and it is the flow's server
QUIC_IN_CLEAR = 4  # Google's hello: answers have no long header
QUIC_HAS_NAME = 8  # `quic_name` is the hash of a name seen
QUIC_ANSWERED = 16  # the server has answered the latest attempt
QUIC_VOIDED = 32  # the attempts before the latest are void
QUIC_CONTRADICTED = 128  # by other octets or names of QUIC; what a Version Negotiation voids, that it voids, too
QUIC_DECIDED = 64  # decided by the name of a connection whose ids are known
# Flow.http_state: what has to stand at `http_next` of a followed flow.
HTTP_HEAD, HTTP_CHUNK_SIZE, HTTP_CHUNK_END, HTTP_TRAILER, HTTP_LOST = range(5)

# Flow.rule besides the rules of the catalogue.
RULE_NO_MATCH = -1  # a host name that no rule matches: the flow is unknown, whatever its address
RULE_NO_HOST_NAME = -2  # no name, or one that is no host name: no evidence
RULE_NAME_UNSEEN = -3  # a hello or request whose name was not read to its end: DNS must not name it instead

CACHE_LINE_OCTETS = 64


def whole_lines(fields: list[tuple[str, str]]) -> np.dtype:
    """An aligned record of these fields that fills whole cache lines, so that none of an array shares one with another."""
    packed = np.dtype(fields, align=True)
    names = list(packed.names)
    return np.dtype(
        {
            "names": names,
            "formats": [packed.fields[name][0] for name in names],
            "offsets": [packed.fields[name][1] for name in names],
            "itemsize": -(-packed.itemsize // CACHE_LINE_OCTETS) * CACHE_LINE_OCTETS,
        },
        align=True,
    )


# One flow; `client` opened it. Five cache lines: a packet in the middle of a flow touches the first two.
FLOW = whole_lines(
    [
        # Who it is, and its place in the list of its time-out.
        ("client_high", "u8"),
        ("client_low", "u8"),
        ("server_high", "u8"),
        ("server_low", "u8"),
        ("client_port", "u2"),
        ("server_port", "u2"),
        ("protocol", "u1"),
        ("version", "u1"),
        ("phase", "u1"),
        ("settled", "u1"),  # decided, and the subscriber took part: its volume goes to usage with the interval
        ("subscriber", "i4"),  # -1: transit
        ("tag", "u4"),  # low half of the hash: the flow's home in the index
        ("before", "i4"),  # neighbours in the list of `order`; of a free slot, `after` is the next free one
        ("after", "i4"),
        ("last_ns", "i8"),
        # What every packet counts.
        ("client_octets", "i8"),
        ("server_octets", "i8"),
        ("client_packets", "i8"),
        ("server_packets", "i8"),
        ("interval", "i8"),  # of the volume that is not posted yet
        ("client_next", "u4"),  # the next sequence number expected of each end
        ("server_next", "u4"),
        ("client_acknowledged", "u4"),
        ("server_acknowledged", "u4"),
        ("tcp_state", "u2"),
        ("order", "u1"),
        ("subscriber_is_client", "u1"),
        ("middle", "u1"),
        ("took_part", "u1"),  # the subscriber sent something that asks for more: no refusal, no ICMP error
        ("ended", "u1"),
        ("contradicted", "u1"),
        ("name_from_server", "u1"),  # the end that wrote the name is the flow's server
        # Volume that is posted already, or in `held` for an earlier interval (HELD); the rest is of `interval`.
        ("posted_client_octets", "i8"),
        ("posted_server_octets", "i8"),
        ("posted_client_packets", "i8"),
        ("posted_server_packets", "i8"),
        ("held", "i4"),
        # Inspection.
        ("stream", "i4"),  # place in the pool of reassembly, -1 none
        ("client_first", "u4"),  # initial sequence numbers
        ("server_first", "u4"),
        ("name_end", "u4"),  # sequence number behind the octets that gave the name, or the last boundary of messages
        ("rule", "i4"),  # of the catalogue, that the name matched
        ("name", "i4"),
        ("other_name", "i4"),
        # What is seldom touched.
        ("client_gap", "u4"),  # first octet that was jumped over; equal to the end where there is no gap
        ("client_gap_end", "u4"),
        ("server_gap", "u4"),
        ("server_gap_end", "u4"),
        ("inspected", "u2"),
        ("application", "u2"),
        ("evidence", "u1"),
        ("source", "u1"),
        ("quic", "u1"),
        ("quic_attempt", "u1"),  # the connection attempt whose octets are in `stream`, or that gave the name
        ("backed", "u1"),  # a DNS answer gave the name to the address that it was sent to
        # HTTP/1 that is followed.
        ("http_state", "u1"),
        ("http_rounds", "u1"),  # times 2^30 octets of body that are left behind `http_next`
        ("http_next", "u4"),  # sequence number of the next octet that has to be read
        ("icmp_errors", "i8"),
        ("first_ns", "i8"),
        ("serial", "i8"),
        ("retransmitted_octets", "i8"),
        ("after_close_octets", "i8"),
        # QUIC: the hash of the name, and (their first octets) the connection ids that the client's Initials go to.
        ("quic_name", "u8"),
        ("quic_first_id", "u8"),
        ("quic_last_id", "u8"),
        ("quic_server_id", "u8"),
    ]
)
# A field that makes one of these larger has to be wanted: it is paid for with each flow, with each application of a subscriber
# in an interval, and with each subscriber. ARCHITECTURE.md says what they take with their indices.
assert FLOW.itemsize == 320

# Volume of an undecided flow, or of fragments whose first has not come in one interval.
HELD = np.dtype(
    [
        ("interval", "i8"),
        ("next", "i4"),
        ("after_close", "i4"),
        ("client_octets", "i8"),
        ("server_octets", "i8"),
        ("client_packets", "i8"),
        ("server_packets", "i8"),
    ]
)

# Usage (accounting 3.2); `interval` is the start of the interval in nanoseconds.
USAGE_ROW = whole_lines(
    [
        ("interval", "i8"),
        ("subscriber", "i4"),
        ("application", "u2"),
        ("evidence", "u1"),
        ("standing", "u1"),
        ("hash_next", "i4"),
        ("uplink_octets", "i8"),
        ("downlink_octets", "i8"),
        ("uplink_packets", "i8"),
        ("downlink_packets", "i8"),
    ]
)
assert USAGE_ROW.itemsize == 64

# A datagram in fragments, by source, destination, protocol and identification.
FRAGMENT = np.dtype(
    [
        ("source_high", "u8"),
        ("source_low", "u8"),
        ("destination_high", "u8"),
        ("destination_low", "u8"),
        ("identification", "i8"),
        ("time_ns", "i8"),
        ("serial", "i8"),  # of the first fragment's flow, 0 while it has not come
        ("flow", "i4"),
        ("held", "i4"),  # fragments that came before the first
        ("next", "i4"),
        ("version", "u1"),
        ("protocol", "u1"),
        ("used", "u1"),
        ("from_server", "u1"),
        ("after_close", "u1"),  # the datagram's flow was closed before it
        ("overlaps", "u1"),  # two fragments claim the same place
        ("high", "u2"),  # end of the last unit of eight octets that has come
        ("present", "u2"),  # units that have come
        ("total", "u2"),  # units of the datagram, 0 while its last fragment has not come
        ("sequence", "u4"),  # TCP: what the first octet after the IP header would have
    ]
)

# Units of eight octets in a datagram (RFC 791, 3.1: the fragment offset has 13 bits).
FRAGMENT_UNITS = 1 << 13

# An address that is a subscriber because it lies in the networks: one IPv4 address or one IPv6 /64.
SUBSCRIBER = np.dtype([("high", "u8"), ("low", "u8"), ("version", "i4"), ("next", "i4")])
assert SUBSCRIBER.itemsize == 24

# One flow's octets in reassembly. `data` and `filled` of the pool hold them from `base` on.
STREAM = np.dtype(
    [
        ("serial", "i8"),  # of the flow that holds it, 0 free
        ("flow", "i4"),
        ("holder", "i4"),  # row of `stream_holders`
        (
            "before",
            "i4",
        ),  # neighbours in the order in which the holder was given them; `after` is also the next free one
        ("after", "i4"),
        ("base_sequence", "u4"),  # sequence number of the first octet
        ("start", "i4"),  # where parsing starts
        ("front", "i4"),  # octets present without a gap from `start`
        ("high", "i4"),  # end of the last octet present
        ("from_server", "u1"),
        ("conflict", "u1"),
        ("floating", "u1"),  # nobody knows how many octets come before the first one seen
        ("attempts", "u1"),  # QUIC: connection attempts of the flow, and those that were not refused
        ("standing", "u1"),
    ]
)

# A host name as seen on the wire, once.
NAME = np.dtype([("hash", "u8"), ("offset", "i4"), ("length", "i4"), ("next", "i4")])

# What a QUIC connection was decided to be, for its flow on another port; key 0: none.
CONNECTION = np.dtype([("key", "u8"), ("application", "u2"), ("evidence", "u1")], align=True)

# The meter's scalars.
STATE = np.dtype(
    [
        ("clock_ns", "i8"),  # packet time, never back: that of the latest packet
        ("first_packet_ns", "i8"),
        ("interval", "i8"),  # start of the interval, nanoseconds
        ("interval_end_ns", "i8"),
        ("interval_clock_ns", "i8"),  # packet time when the interval was opened
        ("posting_order", "i8"),  # where the posting of flows at the interval's end goes on; -1 not begun
        ("posting_flow", "i8"),
        ("next_deadline_ns", "i8"),
        ("seed", "u8"),
        ("serial", "i8"),
        ("flow_count", "i8"),
        ("flow_capacity", "i8"),
        ("flow_slots", "i8"),  # slots used so far; those behind have never been touched
        ("free_flow", "i8"),  # first of the chain of slots used before
        ("index_mask", "i8"),  # the part of the index in use, less 1
        ("free_held", "i8"),
        ("usage_count", "i8"),
        ("log_count", "i8"),
        ("fragment_cursor", "i8"),
        ("stream_count", "i8"),  # buffers used so far
        ("free_stream", "i8"),
        ("floating_streams", "i8"),
        ("subscriber_count", "i8"),
        ("subscriber_mask", "i8"),  # the part of their index in use, less 1
        ("name_count", "i8"),
        ("name_octets", "i8"),
        ("inspection_packets", "i8"),
        ("resolvers_trusted", "i8"),  # 1 where trusted resolvers are configured: only they teach, else any server
        ("dns_grace_ns", "i8"),
        # Accounts: every frame is in exactly one of metered (posted or held), waiting or unmetered.
        ("observed_frames", "i8"),
        ("observed_octets", "i8"),
        ("metered_frames", "i8"),
        ("metered_octets", "i8"),
        ("held_frames", "i8"),  # of the metered ones, those not posted yet
        ("held_uplink_octets", "i8"),
        ("held_downlink_octets", "i8"),
        ("waiting_frames", "i8"),  # fragments whose first has not come
        ("waiting_octets", "i8"),
        ("flows", "i8"),
        ("retransmitted_octets", "i8"),
        ("after_close_octets", "i8"),
        # What went over a bound.
        ("flows_evicted", "i8"),
        ("subscribers_over", "i8"),
        ("streams_over", "i8"),
        ("held_over", "i8"),
        ("fragments_over", "i8"),
        ("names_over", "i8"),
        ("queries_over", "i8"),
        ("learned_over", "i8"),
        # Bindings of addresses, and lines.
        ("next_expiry_ns", "i8"),  # when the next binding may end
        ("binding_epoch", "i8"),
        ("binding_slots", "i8"),  # places used so far
        ("free_binding", "i8"),
        ("blocks_since_ns", "i8"),  # from when on what is told of blocks holds
        ("change_count", "i8"),  # changes to be written, and the next of them
        ("change_next", "i8"),
        ("link_count", "i8"),
        ("bindings_over", "i8"),
        ("links_over", "i8"),
        ("watched_cut", "i8"),
    ]
)
