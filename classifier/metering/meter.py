"""The meter: frames in, usage and ended flows out. It owns the tables; its clock is packet time.

Rule: kernels do the work; Python is here only where a kernel came back for it, and the kernel then goes on at the same
frame. What leaves the tables goes to a sink, in the order in which it happened.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol

import numpy as np

from classifier.errors import ConservationError
from classifier.kernels.bindings import CHANGES
from classifier.kernels.jit import expect
from classifier.kernels.meter import decode_frames, meter_packets
from classifier.kernels.ranges import Ranges
from classifier.kernels.signatures import Lookup
from classifier.kernels.state import (
    DONE,
    EXPIRY,
    FLOWS,
    INTERVAL,
    NAMES,
    THEN_BIND,
    THEN_FINISH,
    THEN_NOTHING,
    THEN_POST,
    USAGE,
    WATCH,
)
from classifier.metering.bindings import Change, Watcher, observe, write_changes
from classifier.metering.blocking import Allowed, write_kinds, write_subscribers, write_used
from classifier.metering.fill import table_fill
from classifier.metering.log import drop_names, take_log
from classifier.metering.renewal import Renewal, renewed
from classifier.metering.tables import Limits, make_packets, make_tables
from classifier.records import EVIDENCE, FRAME, UNMETERED, UNMETERED_BLOCKED

NO_OCTETS = np.zeros(0, np.uint8)
NO_OCTETS.flags.writeable = False
NO_FRAMES = np.zeros(0, FRAME).view(np.recarray)
# Frames decoded at a time: their packets, of which 128 octets are used, stay in the processor's cache until they are metered.
# What changes a binding has those behind it decoded anew, so there are fewer where that is looked for.
DECODED_FRAMES = 2048
DECODED_FRAMES_WATCHED = 32

# Volumes beyond a bound, in STATE, and what a person is told of them.
OVERFLOWS = {
    "flows_evicted": "flows evicted from a full table",
    "subscribers_over": "flows of subscribers beyond the table",
    "streams_over": "reassemblies given up for others",
    "held_over": "volumes decided early for want of room",
    "fragments_over": "datagrams whose first fragment never came",
    "names_over": "names not kept",
    "queries_over": "DNS queries forgotten before their answer",
    "learned_over": "names from DNS forgotten before their time",
    "watched_cut": "messages of RADIUS or DHCP that were cut or came in fragments",
    "bindings_over": "bindings for which no place was left",
    "links_over": "packets not checked for their line, the table being full",
}


class Sink(Protocol):
    """Who takes what leaves the tables. The arrays are the sink's to keep."""

    def usage(self, rows: np.ndarray) -> None:
        """Rows of USAGE_ROW, each key at most once."""

    def flows(self, rows: np.ndarray, names: list[bytes]) -> None:
        """Ended flows (FLOW) in the order in which they ended; `name` and `other_name` are places in `names`."""

    def interval(self, start_ns: int, end_ns: int) -> None:
        """An interval is over; its usage has been given. Volumes still held in it come later, marked with its start."""


class CipherLibrary(Protocol):
    """Where the kernels find the ciphers that open QUIC's Initials (`detection.ciphers.CipherLibrary`)."""

    addresses: np.ndarray


class MeterTotals(NamedTuple):
    """The meter's own accounts. Octets are IP octets."""

    first_packet_ns: int | None
    last_packet_ns: int | None
    observed_frames: int
    observed_octets: int
    metered_frames: int
    metered_octets: int
    pending_frames: int
    pending_uplink_octets: int
    pending_downlink_octets: int
    unmetered: tuple[tuple[str, int, int], ...]
    flows: int
    evidence_flows: tuple[tuple[str, int], ...]
    retransmitted_octets: int
    after_close_octets: int
    overflows: tuple[tuple[str, int], ...]


class Meter:
    """Frames to flows to usage.

    `intervals(clock_ns)` gives the interval [start, end) that holds an instant. `ciphers` opens QUIC's Initials; no other
    meter may have it. `log_flows`: give ended flows to the sink too. `seed` fixes the hashes; nothing that is
    reported depends on it. `watcher` reads what gives addresses to subscribers. `link_binding`, one of LINKS: what comes
    with another line's identity is unmetered as spoofed. `blocked_applications`: how many applications there are, where some
    may be blocked (`block`).
    """

    def __init__(
        self,
        lookup: Lookup,
        subscriber_ranges: Ranges,
        intervals: Callable[[int], tuple[int, int]],
        sink: Sink,
        ciphers: CipherLibrary,
        *,
        listed_subscribers: int = 0,
        limits: Limits | None = None,
        log_flows: bool = False,
        seed: int | None = None,
        watcher: Watcher | None = None,
        link_binding: str | None = None,
        blocked_applications: int = 0,
    ) -> None:
        self._tables = make_tables(
            lookup,
            subscriber_ranges,
            listed_subscribers,
            limits or Limits(),
            ciphers.addresses,
            log_flows=log_flows,
            seed=seed,
            watched=watcher.watched if watcher else None,
            link_binding=link_binding,
            blocked_applications=blocked_applications,
        )
        expect(self._tables.kind)
        self._watcher = watcher
        self._blocks = blocked_applications > 0
        self._packets = make_packets(DECODED_FRAMES_WATCHED if watcher else DECODED_FRAMES)
        self._told_by_mac = link_binding == "mac"
        self._state = self._tables.state[0]
        self._intervals = intervals
        self._sink = sink
        self._ciphers = ciphers  # the kernels use its addresses as long as this lives
        self._interval_open = False
        self._posted_frames = 0
        self._posted_octets = 0

    def feed(self, buffer: np.ndarray, frames: np.ndarray, count: int | None = None) -> None:
        """Meter a batch: `frames` (FRAME recarray), or the first `count` of them, of `buffer` (read-only uint8)."""
        packets = self._packets
        count = frames.size if count is None else count
        for first in range(0, count, packets.size):
            end = min(first + packets.size, count)
            while first < end:
                self.decode(buffer, frames, first, end, packets)
                metered = self.feed_decoded(buffer, packets, end - first)
                if self._blocks:
                    frames["dropped"][first : first + metered] = packets["status"][:metered] == 1 + UNMETERED_BLOCKED
                first += metered

    @property
    def decodes_ahead(self) -> bool:
        """Whether `decode` may be called elsewhere while packets are metered: what is bound decides over tunnels."""
        return self._watcher is None

    def decode(self, buffer: np.ndarray, frames: np.ndarray, first: int, end: int, packets: np.recarray) -> None:
        """The first step of `feed` alone: `frames[first:end]` of `buffer` into `packets` (`tables.make_packets`), from 0 on.

        The arrays are handed on whole: to cut a recarray costs as much as to meter a hundred packets.
        """
        decode_frames(self._tables, buffer, frames, first, end, packets)

    def feed_decoded(self, buffer: np.ndarray, packets: np.recarray, count: int) -> int:
        """Meter `packets[:count]`. How many are metered: all of them, unless bindings have changed behind one."""
        position = 0
        while True:
            status, position = meter_packets(self._tables, buffer, packets, position, count, THEN_NOTHING)
            if status == DONE:
                return position
            if status == INTERVAL:
                self._next_interval(max(int(packets[position].time_ns), int(self._state.clock_ns)))
            elif status == WATCH:
                packet = packets[position - 1]
                if self._bind(observe(self._watcher, int(self._state.clock_ns), packet, buffer)):
                    return position
            elif status == EXPIRY:
                if self._bind(self._watcher.advance(max(int(packets[position].time_ns), int(self._state.clock_ns)))):
                    return position
            else:
                self._make_room(status)

    def load(self) -> None:
        """Load the compiled kernels, or compile them, now and not with the first frame: a live source does not wait."""
        self.decode(NO_OCTETS, NO_FRAMES, 0, 0, self._packets)
        self._run(THEN_NOTHING)

    @property
    def clock_ns(self) -> int:
        """Packet time."""
        return int(self._state.clock_ns)

    def tick(self, clock_ns: int) -> None:
        """The time is `clock_ns` though no packet came: open the first interval, or close it if it is over (a live source)."""
        if not self._interval_open:
            self._open_interval(clock_ns)
        elif clock_ns >= self._state.interval_end_ns:
            self._next_interval(clock_ns)

    def cut(self) -> int | None:
        """Close the interval behind the last packet, so that what follows can be rated under other offers.

        The instant where it was cut, None where no interval is open; the next packet or `reopen` opens the one behind it.
        """
        if not self._interval_open:
            return None
        state = self._state
        state.interval_end_ns = max(state.clock_ns, state.interval) + 1
        self._close_interval()
        self._interval_open = False
        return int(state.interval_end_ns)

    def reopen(self, at_ns: int) -> None:
        """Open the interval that holds this instant, where `cut` had closed the one before."""
        self._open_interval(at_ns)

    def renew(self, renewal: Renewal) -> None:
        """Put another catalogue and other subscribers in force for what comes. Only where `cut` has closed the interval."""
        self._tables = renewed(self._tables, renewal)

    def new_subscribers(self, count: int) -> int:
        """Reserve so many numbers, for which there is room, for subscribers that are listed from now on; the first of them."""
        first = int(self._state.subscriber_count)
        self._state.subscriber_count += count
        return first

    def subscriber_room(self) -> int:
        """How many numbers are left."""
        return len(self._tables.subscribers) - int(self._state.subscriber_count)

    def fill(self) -> tuple[tuple[str, int, int], ...]:
        """(table, places in use, places) of the tables that traffic fills."""
        return table_fill(self._tables)

    def overflows(self) -> tuple[tuple[str, int], ...]:
        """(what, how often) of everything that may go over a bound, zeros included."""
        return tuple((text, int(self._state[field])) for field, text in OVERFLOWS.items())

    def subscriber_numbers(self) -> tuple[int, int]:
        """(one more than the highest number given, one more than the highest there can be)."""
        return int(self._state.subscriber_count), len(self._tables.subscribers)

    def block(self, kind_of: np.ndarray, kinds: Sequence[Allowed], since_ns: int) -> None:
        """From the next frame on this may be used, and nothing else is blocked; `dropped` in the list of frames says which
        frames are. `kind_of` u2[s] by subscriber number; usage of intervals before `since_ns` is not counted down."""
        write_kinds(self._tables, kind_of, kinds, since_ns)

    def tell_used(self, numbers: np.ndarray, used: np.ndarray) -> None:
        """What these subscribers have used of it, i8[n, SLOTS_TOLD]."""
        write_used(self._tables, numbers, used)

    def know(self, addresses: Sequence[tuple[int, int, int]]) -> int:
        """Give numbers to addresses (version, high, low) of subscribers before they are seen; the first of the numbers."""
        return write_subscribers(self._tables, addresses)

    def finish(self) -> None:
        """The input has ended: end all flows and give everything to the sink."""
        self._run(THEN_FINISH)
        self._take_flows()
        self._close_interval()

    def totals(self) -> MeterTotals:
        """The accounts so far."""
        state, tables = self._state, self._tables
        seen = state.observed_frames > 0
        return MeterTotals(
            first_packet_ns=int(state.first_packet_ns) if seen else None,
            last_packet_ns=int(state.clock_ns) if seen else None,
            observed_frames=int(state.observed_frames),
            observed_octets=int(state.observed_octets),
            metered_frames=int(state.metered_frames),
            metered_octets=int(state.metered_octets),
            pending_frames=int(state.held_frames + state.waiting_frames),
            pending_uplink_octets=int(state.held_uplink_octets),
            # Whose uplink or downlink a fragment is shows only with its first.
            pending_downlink_octets=int(state.held_downlink_octets + state.waiting_octets),
            unmetered=tuple(
                (reason, int(tables.unmetered_frames[i]), int(tables.unmetered_octets[i]))
                for i, reason in enumerate(UNMETERED)
            ),
            flows=int(state.flows),
            evidence_flows=tuple((name, int(tables.evidence_flows[i])) for i, name in enumerate(EVIDENCE)),
            retransmitted_octets=int(state.retransmitted_octets),
            after_close_octets=int(state.after_close_octets),
            overflows=tuple((text, count) for text, count in self.overflows() if count),
        )

    def subscriber_entries(self) -> np.ndarray:
        """SUBSCRIBER[n] by subscriber number, a copy; those that are listed, and number 0, have version 0."""
        return np.array(self._tables.subscribers[: self._state.subscriber_count])

    def check_conservation(self) -> None:
        """Every frame is in exactly one place (accounting 1.5); else ConservationError, which is our own defect."""
        state = self._state
        held_octets = state.held_uplink_octets + state.held_downlink_octets
        for unit, observed, metered, held, waiting, unmetered, posted in (
            (
                "frames",
                state.observed_frames,
                state.metered_frames,
                state.held_frames,
                state.waiting_frames,
                self._tables.unmetered_frames.sum(),
                self._posted_frames,
            ),
            (
                "octets",
                state.observed_octets,
                state.metered_octets,
                held_octets,
                state.waiting_octets,
                self._tables.unmetered_octets.sum(),
                self._posted_octets,
            ),
        ):
            if observed != metered + waiting + unmetered or metered != posted + held:
                raise ConservationError(
                    f"{unit}: observed {observed}, metered {metered}, waiting {waiting}, unmetered {unmetered}, "
                    f"posted {posted}, held {held}"
                )

    def _run(self, then: int) -> None:
        """Let the kernel do what comes after the frames."""
        while (status := meter_packets(self._tables, NO_OCTETS, self._packets, 0, 0, then)[0]) != DONE:
            self._make_room(status)

    def _bind(self, changes: Sequence[Change]) -> bool:
        """Write what changes from the next frame on; whether anything does."""
        for first in range(0, len(changes), CHANGES):
            write_changes(self._tables, changes[first : first + CHANGES], with_mac=self._told_by_mac)
            self._run(THEN_BIND)
        self._state.next_expiry_ns = self._watcher.next_expiry_ns
        return bool(changes)

    def _make_room(self, status: int) -> None:
        if status == USAGE:
            self._take_usage()
        elif status in (FLOWS, NAMES):
            self._take_flows()
            if status == NAMES:
                drop_names(self._tables)
        else:
            raise AssertionError(f"kernel status {status}")

    def _next_interval(self, clock_ns: int) -> None:
        self._close_interval()
        self._open_interval(clock_ns)

    def _open_interval(self, clock_ns: int) -> None:
        start_ns, end_ns = self._intervals(clock_ns)
        self._state.interval = start_ns
        self._state.interval_end_ns = end_ns
        self._state.interval_clock_ns = self._state.clock_ns
        self._interval_open = True

    def _close_interval(self) -> None:
        self._run(THEN_POST)
        self._take_usage()
        self.check_conservation()
        if self._interval_open:
            self._sink.interval(int(self._state.interval), int(self._state.interval_end_ns))

    def _take_usage(self) -> None:
        """Give the usage rows away and begin again with none."""
        count = int(self._state.usage_count)
        rows = self._tables.usage[:count].copy()
        self._state.usage_count = 0
        self._tables.usage_index.fill(-1)
        if count:
            self._posted_frames += int(rows["uplink_packets"].sum() + rows["downlink_packets"].sum())
            self._posted_octets += int(rows["uplink_octets"].sum() + rows["downlink_octets"].sum())
            self._sink.usage(rows)

    def _take_flows(self) -> None:
        if self._state.log_count:
            self._sink.flows(*take_log(self._tables))
