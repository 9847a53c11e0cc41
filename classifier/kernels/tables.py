"""All that the meter's kernels read and write, as one bundle."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from classifier.kernels.bindings import Bound
from classifier.kernels.ciphers import Ciphers
from classifier.kernels.notes import Notes
from classifier.kernels.ranges import Ranges
from classifier.kernels.signatures import Lookup


class Tables(NamedTuple):
    """All that the meter's kernels read and write. Every structured array is a recarray.

    `state` one record. `flows` FLOW[capacity]; `flow_index` u8[2^k >= 2 * capacity],
    tag << 32 | place + 1, 0 empty, of which state.index_mask + 1 are in use. `order_first`, `order_last` i4[ORDERS]: the
    ends of the list of each order, longest idle first; `timeout_ns` i8[ORDERS].
    `held` HELD[m]. `usage` USAGE_ROW[u], `usage_index` i4[2^k]. `fragments` FRAGMENT[f], `fragment_index` i4[2^k];
    `fragment_covered`, `fragment_starts` u1[f, FRAGMENT_UNITS / 8], a bit for each unit that has come, and for each with
    which a fragment began.
    `subscribers` SUBSCRIBER[s] (place 0 stands for all beyond the table), `subscriber_index` i4[2^k], 0
    empty, of which state.subscriber_mask + 1 are in use.
    `streams` STREAM[p]; `stream_holders` i4[2 * (s + 1), 4]: each subscriber's buffers, firm and floating;
    `stream_heaviest` i4[2, 2]: a row of it for each kind, and what was held when that was noted. `stream_data` u1[p, octets],
    `stream_filled` u1[p, octets / 8], a bit for each. `scratch` u1[n]: one name or hello at a time.
    `ciphers` Ciphers. `attempts` ATTEMPT[2 * p], of QUIC connections beside their buffers; `attempt_ids` u1[8 * p * 21], an
    id's length before it; `candidates` i4[4] and `pieces` i8[3 * n]: of one datagram.
    `connections` CONNECTION[c], each at the place that its key says.
    `queries`, `learned`: DNS queries without an answer, and what answers said. `answers` ANSWER[ANSWERS]: of one message.
    `names` NAME[q], `name_index` i4[2^k], `name_pool` u1[...]. `log` FLOW[l], empty where no flows are asked for.
    `bound` Bound; `owners` OWNER beside `flows` and `changes` CHANGE[CHANGES], none where nothing is bound.
    `watched_ports` i8[w], `watched_servers` Ranges: UDP to or from both may speak about addresses. `links` LINK[k],
    `link_index` i4[2^k]: none without link binding; `link_by` LINK_BY_…, 0 without. `block_set` u2[s], none where nothing can
    be blocked: each subscriber's kind, `block_cells` i4[SETS, applications * EVIDENCES], `block_given` i8[SETS, SLOTS],
    `block_used` i8[s, SLOTS]: see `allowed`.
    `unmetered_frames`, `unmetered_octets` i8[len(UNMETERED)]; `evidence_flows` i8[len(EVIDENCE)].
    """

    state: np.ndarray
    flows: np.ndarray
    flow_index: np.ndarray
    order_first: np.ndarray
    order_last: np.ndarray
    timeout_ns: np.ndarray
    held: np.ndarray
    usage: np.ndarray
    usage_index: np.ndarray
    fragments: np.ndarray
    fragment_index: np.ndarray
    fragment_covered: np.ndarray
    fragment_starts: np.ndarray
    subscribers: np.ndarray
    subscriber_index: np.ndarray
    streams: np.ndarray
    stream_holders: np.ndarray
    stream_heaviest: np.ndarray
    stream_data: np.ndarray
    stream_filled: np.ndarray
    scratch: np.ndarray
    ciphers: Ciphers
    attempts: np.ndarray
    attempt_ids: np.ndarray
    candidates: np.ndarray
    pieces: np.ndarray
    connections: np.ndarray
    names: np.ndarray
    name_index: np.ndarray
    name_pool: np.ndarray
    log: np.ndarray
    queries: Notes
    learned: Notes
    answers: np.ndarray
    unmetered_frames: np.ndarray
    unmetered_octets: np.ndarray
    evidence_flows: np.ndarray
    subscriber_ranges: Ranges
    bound: Bound
    owners: np.ndarray
    changes: np.ndarray
    watched_ports: np.ndarray
    watched_servers: Ranges
    links: np.ndarray
    link_index: np.ndarray
    link_by: int
    block_set: np.ndarray
    block_cells: np.ndarray
    block_given: np.ndarray
    block_used: np.ndarray
    lookup: Lookup
