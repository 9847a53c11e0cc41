"""The meter's arrays: made once, at the sizes asked for, and never grown.

Large tables are zero pages until they are touched, so a table that is large enough costs only what is used of it.
"""

from __future__ import annotations

import secrets
from typing import NamedTuple

import numpy as np

from classifier.errors import ConfigurationError
from classifier.kernels.allowed import EVIDENCES, SETS, SLOTS
from classifier.kernels.bindings import CHANGE, CHANGES, OWNER, make_bound
from classifier.kernels.bundle import Bundle
from classifier.kernels.ciphers import DATAGRAM_OCTETS, ROOM_OCTETS, Ciphers
from classifier.kernels.dns import ANSWER, ANSWERS
from classifier.kernels.names import SCRATCH_OCTETS, SHOWN_OCTETS
from classifier.kernels.notes import MARKS, NOTE, NOTE_OWNER, Notes
from classifier.kernels.packet import PACKET
from classifier.kernels.quic_attempts import ATTEMPT, ATTEMPTS, CANDIDATES, ID_STRIDE, IDS
from classifier.kernels.quic_packet import FRAMES, PIECE_WORDS
from classifier.kernels.ranges import Ranges, flatten
from classifier.kernels.signatures import Lookup
from classifier.kernels.spoofing import LINK
from classifier.kernels.state import (
    CACHE_LINE_OCTETS,
    CONNECTION,
    FLOW,
    FRAGMENT,
    FRAGMENT_UNITS,
    HELD,
    INDEX_FIRST,
    LOG_MARGIN,
    NAME,
    ORDERS,
    SLOTS_PER_FRAME,
    STATE,
    STREAM,
    SUBSCRIBER,
    USAGE_ROW,
)
from classifier.kernels.streams import FLOATING_OFFSET, HOLDER_COLUMNS, KINDS
from classifier.kernels.tables import Tables
from classifier.metering.memory import zeros
from classifier.records import EVIDENCE, LINKS, UNMETERED

BEFORE_ALL_NS = -(2**63)
FAR_FUTURE_NS = 2**63 - 1
FLOW_CAPACITY_LIMIT = 1 << 24


class Watched(NamedTuple):
    """What may give addresses to subscribers: UDP to or from `servers` (value 0 or more) on one of `ports`.

    `capacity`: prefixes that are bound at a time. Subscriber numbers up to `last_number` are taken.
    """

    ports: tuple[int, ...]
    servers: Ranges
    capacity: int
    last_number: int


class Limits(NamedTuple):
    """Capacities of the tables and time-outs of flows.

    Time-outs: RFC 5382, REQ-5 (TCP: 2 h 4 min established, 4 min otherwise), RFC 4787, REQ-5 (UDP: 5 min), RFC 5508,
    REQ-1 (ICMP query: 60 s), RFC 9293, 3.6.1 (2 MSL = 4 min; here 2 min as hosts use).
    """

    flows: int = 1 << 20
    subscribers: int = 1 << 20
    usage_rows: int = 1 << 16
    held_volumes: int = 1 << 14
    fragments: int = 1 << 12
    streams: int = 1 << 10
    stream_octets: int = (
        1 << 14
    ) + 192  # no power of two: the fronts of all buffers would share a few sets of the cache
    quic_connections: int = 1 << 12
    names: int = 1 << 16
    name_octets: int = 1 << 22
    flow_log: int = 1 << 12
    inspection_packets: int = 32
    dns_queries: int = 1 << 14
    dns_queries_each: int = 128
    dns_names: int = 1 << 18
    dns_names_each: int = 512
    dns_grace_seconds: int = 300
    tcp_idle_seconds: int = 7440
    tcp_transitory_seconds: int = 240
    udp_idle_seconds: int = 300
    other_idle_seconds: int = 60
    closed_seconds: int = 120

    def check(self) -> None:
        """ConfigurationError for a size below which the kernels' own margins do not fit."""
        if not 1 <= self.flows <= FLOW_CAPACITY_LIMIT:
            raise ConfigurationError(f"[flows] capacity: {self.flows} is not between 1 and {FLOW_CAPACITY_LIMIT}")
        for name, least in (
            ("subscribers", 1),
            ("fragments", 1),
            ("streams", 1),
            ("quic_connections", 1),
            ("names", 1),
            ("held_volumes", 1),
            ("dns_queries", 1),
            ("dns_queries_each", 1),
            ("dns_names", 1),
            ("dns_names_each", 1),
            ("stream_octets", 2 * FLOATING_OFFSET),
            ("name_octets", 2 * SHOWN_OCTETS),
            ("flow_log", 2 * LOG_MARGIN),
            ("usage_rows", 2 * (self.held_volumes + LOG_MARGIN)),
        ):
            if getattr(self, name) < least:
                raise ConfigurationError(f"limits: {name} is {getattr(self, name)}; it has to be at least {least}")


def _power_of_two(least: int) -> int:
    return 1 << max(least - 1, 1).bit_length()


def _records(count: int, kind: np.dtype) -> np.ndarray:
    return zeros(count, kind).view(np.recarray)


def _aligned_records(count: int, kind: np.dtype) -> np.ndarray:
    """Records of whole cache lines that begin with a line, so that none lies over one more than it has to."""
    octets = zeros(count * kind.itemsize + CACHE_LINE_OCTETS, np.uint8)
    first = -octets.ctypes.data % CACHE_LINE_OCTETS
    return octets[first : first + count * kind.itemsize].view(kind).view(np.recarray)


def make_packets(count: int) -> np.recarray:
    """Room for `count` decoded packets (PACKET)."""
    return _aligned_records(count, PACKET)


def _notes(capacity: int, share: int, subscribers: int) -> Notes:
    """An empty table of notes; `share` of them for one subscriber."""
    return Notes(
        rows=_records(1 + capacity, NOTE),
        index=zeros(_power_of_two(capacity), np.int32),
        owners=_records(subscribers, NOTE_OWNER),
        marks=zeros(MARKS, np.int64),
        share=share,
    )


def _none(count: int) -> np.ndarray:
    return np.full(count, -1, np.int32)


def time_outs_ns(limits: Limits) -> np.ndarray:
    """i8[ORDERS]: how long a flow of each order may be silent."""
    seconds = (
        limits.closed_seconds,
        limits.tcp_transitory_seconds,
        limits.tcp_idle_seconds,
        limits.udp_idle_seconds,
        limits.other_idle_seconds,
    )
    return np.array(seconds, np.int64) * 10**9


def trusts_resolvers(lookup: Lookup) -> bool:
    """Whether trusted resolvers are configured."""
    return bool((lookup.trusted.v4_value >= 0).any() or (lookup.trusted.v6_value >= 0).any())


def make_tables(
    lookup: Lookup,
    subscriber_ranges: Ranges,
    listed_subscribers: int,
    limits: Limits,
    cipher_addresses: np.ndarray,
    *,
    log_flows: bool,
    seed: int | None,
    watched: Watched | None = None,
    link_binding: str | None = None,
    blocked_applications: int = 0,
) -> Bundle:
    """Fresh tables. `listed_subscribers` of them have the numbers 1 … n; `seed` None takes a secret one.

    `cipher_addresses` i8[ADDRESSES]: what opens QUIC's Initials (kernels.ciphers), kept by whoever made them.
    `watched`: what may give addresses to subscribers, None nothing. `link_binding`: one of LINKS, None is off.
    `blocked_applications`: how many applications there are where some may be blocked, else 0.
    """
    limits.check()
    state = _records(1, STATE)
    state[0].clock_ns = BEFORE_ALL_NS
    state[0].first_packet_ns = FAR_FUTURE_NS
    state[0].interval_end_ns = BEFORE_ALL_NS
    state[0].next_deadline_ns = FAR_FUTURE_NS
    state[0].seed = secrets.randbits(64) if seed is None else seed
    reserved = watched.last_number - listed_subscribers if watched else 0
    state[0].subscriber_count = 1 + listed_subscribers + reserved
    state[0].next_expiry_ns = FAR_FUTURE_NS
    state[0].free_binding = -1
    slots = limits.flows + SLOTS_PER_FRAME
    state[0].free_flow = -1
    state[0].free_stream = -1
    state[0].posting_order = -1
    state[0].flow_capacity = limits.flows
    state[0].inspection_packets = limits.inspection_packets
    state[0].dns_grace_ns = limits.dns_grace_seconds * 10**9
    state[0].resolvers_trusted = trusts_resolvers(lookup)
    held = _records(limits.held_volumes, HELD)
    held["next"] = np.arange(1, limits.held_volumes + 1)
    held["next"][-1] = -1
    subscribers = max(limits.subscribers, 1 + listed_subscribers) + reserved
    subscriber_index = zeros(_power_of_two(subscribers), np.int32)
    state[0].subscriber_mask = min(INDEX_FIRST, subscriber_index.size) - 1
    flow_index = zeros(max(_power_of_two(2 * limits.flows), 4 * SLOTS_PER_FRAME), np.uint64)
    state[0].index_mask = min(INDEX_FIRST, flow_index.size) - 1
    tables = Tables(
        state=state,
        flows=_aligned_records(slots, FLOW),
        flow_index=flow_index,
        order_first=_none(ORDERS),
        order_last=_none(ORDERS),
        timeout_ns=time_outs_ns(limits),
        held=held,
        usage=_aligned_records(limits.usage_rows, USAGE_ROW),
        usage_index=_none(_power_of_two(limits.usage_rows)),
        fragments=_records(limits.fragments, FRAGMENT),
        fragment_index=_none(_power_of_two(limits.fragments)),
        fragment_covered=zeros((limits.fragments, FRAGMENT_UNITS // 8), np.uint8),
        fragment_starts=zeros((limits.fragments, FRAGMENT_UNITS // 8), np.uint8),
        subscribers=_records(subscribers, SUBSCRIBER),
        subscriber_index=subscriber_index,
        streams=_records(limits.streams, STREAM),
        stream_holders=zeros((KINDS * (1 + subscribers), HOLDER_COLUMNS), np.int32),
        stream_heaviest=zeros((KINDS, 2), np.int32),
        stream_data=zeros((limits.streams, limits.stream_octets), np.uint8),
        stream_filled=zeros((limits.streams, -(-limits.stream_octets // 8)), np.uint8),
        scratch=zeros(SCRATCH_OCTETS, np.uint8),
        ciphers=Ciphers(
            addresses=cipher_addresses,
            room=zeros(ROOM_OCTETS, np.uint8),
            plain=zeros(DATAGRAM_OCTETS, np.uint8),
            header=zeros(DATAGRAM_OCTETS, np.uint8),
        ),
        attempts=_records(limits.streams * ATTEMPTS, ATTEMPT),
        attempt_ids=zeros(limits.streams * ATTEMPTS * IDS * ID_STRIDE, np.uint8),
        candidates=zeros(CANDIDATES, np.int32),
        pieces=zeros(PIECE_WORDS * FRAMES, np.int64),
        connections=_records(limits.quic_connections, CONNECTION),
        names=_records(limits.names, NAME),
        name_index=_none(_power_of_two(limits.names)),
        name_pool=zeros(limits.name_octets, np.uint8),
        log=_records(limits.flow_log if log_flows else 0, FLOW),
        queries=_notes(limits.dns_queries, limits.dns_queries_each, subscribers),
        learned=_notes(limits.dns_names, limits.dns_names_each, subscribers),
        answers=_records(ANSWERS, ANSWER),
        unmetered_frames=zeros(len(UNMETERED), np.int64),
        unmetered_octets=zeros(len(UNMETERED), np.int64),
        evidence_flows=zeros(len(EVIDENCE), np.int64),
        subscriber_ranges=subscriber_ranges,
        bound=make_bound(watched.capacity if watched else 0, int(state[0].seed)),
        owners=_records(slots if watched else 0, OWNER),
        changes=_records(CHANGES if watched else 0, CHANGE),
        watched_ports=np.array(watched.ports if watched else (), np.int64),
        watched_servers=watched.servers if watched else flatten(()),
        links=_records(subscribers if link_binding else 0, LINK),
        link_index=zeros(_power_of_two(subscribers) if link_binding else 1, np.int32),
        link_by=LINKS.index(link_binding) + 1 if link_binding else 0,
        block_set=zeros(subscribers if blocked_applications else 0, np.uint16),
        block_cells=zeros((SETS if blocked_applications else 0, blocked_applications * EVIDENCES), np.int32),
        block_given=zeros((SETS if blocked_applications else 0, SLOTS), np.int64),
        block_used=zeros((subscribers if blocked_applications else 0, SLOTS), np.int64),
        lookup=lookup,
    )
    return Bundle(tables)
