"""Which subscriber has which address, by packet time: events of RADIUS and DHCP -> changes for the meter.

Rules of this file: time comes with each call and never runs back. An address has one subscriber at a time: of two who
claim it, a RADIUS session stands before a DHCP lease, then the one that began later has it, whatever comes late or
twice. Everything is bounded; what goes over a bound is refused and counted, so that those who were there are unharmed.

When an address changes hands, its open flows end for accounting: what they carried stays the former subscriber's, and
the next packet opens a flow of the new one, undecided, taking nothing over. Packets that passed before the change was
told are not moved, though RADIUS may tell late.
"""

from __future__ import annotations

import heapq
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from classifier.subscribers.events import Action, Event, Prefix, same_form

NOT_BOUND = -1
BEYOND = 0  # the meter's number for all subscribers beyond its table: charged, told apart from nobody
NEVER_NS = 2**63 - 1
# How long the end of a session is remembered, so that a late Interim-Update does not bind its address once more: longer
# than a RADIUS client goes on repeating a request (RFC 5080, 2.2.1: tens of seconds).
ENDED_MEMORY_NS = 600 * 10**9
# Sessions of one subscriber on one address: a bearer each, of which EPS has eleven (3GPP TS 24.007, 11.2.3.1.5: 5 to 15).
# One more, and the oldest is taken for one whose end was lost.
HOLDS_MAX = 16
_QUEUE_SLACK = 1024
MAC_TEXT_OCTETS = 17

Session = tuple[bytes, bytes]


@dataclass(frozen=True, slots=True)
class Change:
    """From `starts_ns` on, an address or prefix is this subscriber's; NOT_BOUND: nobody's that we know.

    `high`, `low`: the halves of the first address, an IPv4 address in `low`. Lengths are 32 for IPv4 and anything from
    32 to 128 for IPv6; where prefixes of several lengths hold an address, the longest counts. A bound prefix comes
    before the subscriber file and the networks. The flows that are open on it have to end now. `mac`: the hardware address
    that DHCP gave the prefix to, None where it did not say.
    """

    version: int
    high: int
    low: int
    prefix_length: int
    subscriber_number: int
    starts_ns: int
    mac: int | None = None


@dataclass(slots=True)
class _Hold:
    """One session's claim to one prefix: how good it is, until when, and for when the queue has it."""

    rank: tuple[int, int]
    ends_ns: int
    queued_ns: int = NEVER_NS


@dataclass(slots=True)
class _Binding:
    """Who has a prefix. Several sessions of one subscriber may share it: it is free when the last has ended."""

    number: int
    holds: dict[Session, _Hold] = field(default_factory=dict)


@dataclass(slots=True)
class _Session:
    since_ns: int
    is_lease: bool
    prefixes: set[Prefix] = field(default_factory=set)


class Bindings:
    """The bindings of one meter.

    `subscribers`: names of the subscriber file, numbers 1 … n. `capacity`: prefixes that are bound at a time, and names
    beyond the file over the whole run. `radius_identities`, `dhcp_identities`: which names to take, best first; the first
    that an event has is the subscriber's name, so that no name that a device chose for itself counts beside a better one.
    `idle_ns`: a RADIUS session of which nothing was heard for so long is over. What was refused is counted in `unnamed`
    (no name of a kind that is asked for), `stale` (too late), `prefixes_over` and `names_over` (no place left).
    """

    def __init__(
        self,
        subscribers: Sequence[str],
        *,
        radius_identities: Sequence[str],
        dhcp_identities: Sequence[str],
        capacity: int,
        idle_ns: int | None = None,
    ) -> None:
        self._identities = {Action.SESSION: tuple(radius_identities), Action.LEASE: tuple(dhcp_identities)}
        self._listed = {same_form(name): number for number, name in reversed(list(enumerate(subscribers, 1)))}
        self._first_number = len(subscribers) + 1
        self._capacity = capacity
        self._idle_ns = idle_ns
        self._numbers: dict[tuple[str, str], int] = {}
        self._number_by_text: dict[str, int] = {}  # whatever kind of identity it came as
        self._bound: dict[Prefix, _Binding] = {}
        self._sessions: dict[Session, _Session] = {}
        # RADIUS sessions without an address: (beginning, None) where it was taken or timed out, (beginning, when it ended).
        self._past: OrderedDict[Session, tuple[int, int | None]] = OrderedDict()
        self._queue: list[tuple[int, int, Prefix, Session]] = []
        self._serial = 0
        self._hold_count = 0
        self._clock_ns = 0
        self.unnamed = 0
        self.stale = 0
        self.prefixes_over = 0
        self.names_over = 0

    @property
    def last_number(self) -> int:
        """The last number that may ever be a name's: the meter numbers plain addresses from the next one on."""
        return self._first_number - 1 + self._capacity

    def number_of(self, name: str) -> int:
        """The number under which a name that was not listed is known, 0 where it is not."""
        return self._number_by_text.get(same_form(name), 0)

    def relist(self, numbers: Mapping[str, int]) -> None:
        """From the next event on, the subscriber file has these names with these numbers."""
        self._listed = {same_form(name): number for name, number in reversed(list(numbers.items()))}

    @property
    def names(self) -> list[str]:
        """The names that are not in the file; the first has number n + 1."""
        return [text for _, text in self._numbers]

    @property
    def next_expiry_ns(self) -> int:
        """The packet time at which `advance` should be called; NEVER_NS where nothing will end. May be too early."""
        return self._queue[0][0] if self._queue else NEVER_NS

    def __len__(self) -> int:
        """Prefixes that are bound now."""
        return len(self._bound)

    def apply(self, event: Event, time_ns: int) -> list[Change]:
        """What changes because of an event in a packet of this time, leases that ended until then included."""
        changes = self.advance(time_ns)
        if event.action is Action.RESTART:
            self._restart(event, changes)
        elif event.action in (Action.STOP, Action.RELEASE):
            self._end(event, changes)
        else:
            self._grant(event, changes)
        return changes

    def advance(self, time_ns: int) -> list[Change]:
        """What has ended by then, each change with the instant of its end."""
        self._clock_ns = max(self._clock_ns, time_ns)
        changes: list[Change] = []
        while self._queue and self._queue[0][0] <= self._clock_ns:
            queued_ns, _, prefix, session = heapq.heappop(self._queue)
            binding = self._bound.get(prefix)
            hold = binding.holds.get(session) if binding else None
            if hold is None or hold.queued_ns != queued_ns:
                continue
            if hold.ends_ns > queued_ns:
                self._enqueue(prefix, session, hold)
            else:
                self._let_go(prefix, session, changes, queued_ns)
                self._forget_if_empty(session)
        return changes

    def _grant(self, event: Event, changes: list[Change]) -> None:
        number = self._number(event)
        if number is None:
            self.unnamed += 1
            return
        now_ns = self._clock_ns
        session = self._sessions.get(event.session)
        lease = event.action is Action.LEASE
        since_ns = now_ns if lease else session.since_ns if session else now_ns - event.age_ns
        if not lease and event.session in self._past:
            began_ns, ended_ns = self._past[event.session]
            if ended_ns is not None and now_ns - ended_ns <= ENDED_MEMORY_NS:
                self.stale += 1
                return
            if ended_ns is None:
                since_ns = began_ns
        life_ns = event.lease_ns if lease else self._idle_ns
        ends_ns = NEVER_NS if life_ns is None else min(now_ns + life_ns, NEVER_NS)
        rank = (0 if lease else 1, since_ns)
        mac = _mac(event)
        for prefix in event.prefixes:
            if self._hold(prefix, event.session, number, rank, ends_ns, mac, changes):
                session = self._sessions.setdefault(event.session, _Session(since_ns, lease))
                session.since_ns = since_ns
                session.prefixes.add(prefix)
                self._past.pop(event.session, None)

    def _hold(
        self,
        prefix: Prefix,
        session: Session,
        number: int,
        rank: tuple[int, int],
        ends_ns: int,
        mac: int | None,
        changes: list[Change],
    ) -> bool:
        """Give a prefix to a session, unless a better claim stands or no place is left."""
        binding = self._bound.get(prefix)
        if binding is not None and binding.number != number:
            if rank < max(hold.rank for hold in binding.holds.values()):
                self.stale += 1
                return False
            for former in list(binding.holds):
                self._displace(prefix, former, session)
            binding = None
        hold = binding.holds.get(session) if binding else None
        if hold is None:
            if binding is not None and len(binding.holds) >= HOLDS_MAX:
                self._displace(prefix, next(iter(binding.holds)), session)
            if self._hold_count >= self._capacity:
                self.prefixes_over += 1
                return False
            if binding is None:
                binding = self._bound[prefix] = _Binding(number)
                changes.append(_change(prefix, number, self._clock_ns, mac))
            hold = binding.holds[session] = _Hold(rank, ends_ns)
            self._hold_count += 1
        hold.rank, hold.ends_ns = rank, ends_ns
        if ends_ns < hold.queued_ns:
            self._enqueue(prefix, session, hold)
        return True

    def _end(self, event: Event, changes: list[Change]) -> None:
        name = event.session
        session = self._sessions.get(name)
        if session is not None:
            for prefix in list(session.prefixes):
                self._let_go(prefix, name, changes, self._clock_ns)
            del self._sessions[name]
        if event.action is Action.STOP:
            self._remember(name, (session.since_ns if session else self._clock_ns, self._clock_ns))

    def _restart(self, event: Event, changes: list[Change]) -> None:
        """Accounting-On or -Off: all sessions of the access server that began before are over, their names free."""
        before_ns = self._clock_ns - event.age_ns
        server = event.session[0]
        for name, session in list(self._sessions.items()):
            if name[0] == server and session.since_ns <= before_ns:
                for prefix in list(session.prefixes):
                    self._let_go(prefix, name, changes, self._clock_ns)
                del self._sessions[name]
        for name, (began_ns, _) in list(self._past.items()):
            if name[0] == server and began_ns <= before_ns:
                del self._past[name]

    def _let_go(self, prefix: Prefix, session: Session, changes: list[Change], time_ns: int) -> None:
        """End one session's claim; where it was the last, the prefix is nobody's."""
        self._drop(prefix, session)
        if prefix not in self._bound:
            changes.append(_change(prefix, NOT_BOUND, time_ns))

    def _displace(self, prefix: Prefix, former: Session, by: Session) -> None:
        self._drop(prefix, former)
        if former != by:
            self._forget_if_empty(former)

    def _drop(self, prefix: Prefix, session: Session) -> None:
        binding = self._bound[prefix]
        del binding.holds[session]
        self._hold_count -= 1
        self._sessions[session].prefixes.discard(prefix)
        if not binding.holds:
            del self._bound[prefix]

    def _forget_if_empty(self, name: Session) -> None:
        """A session without an address needs no place; when it began is remembered, lest it take the address back."""
        session = self._sessions[name]
        if not session.prefixes:
            del self._sessions[name]
            if not session.is_lease:
                self._remember(name, (session.since_ns, None))

    def _remember(self, name: Session, what: tuple[int, int | None]) -> None:
        self._past.pop(name, None)
        self._past[name] = what
        if len(self._past) > self._capacity:
            self._past.popitem(last=False)

    def _enqueue(self, prefix: Prefix, session: Session, hold: _Hold) -> None:
        hold.queued_ns = hold.ends_ns
        self._serial += 1
        heapq.heappush(self._queue, (hold.ends_ns, self._serial, prefix, session))
        if len(self._queue) > 2 * self._hold_count + _QUEUE_SLACK:
            self._tidy_queue()

    def _tidy_queue(self) -> None:
        """Leave out what has been let go since it was queued: else give and take would make the queue grow for ever."""
        live = []
        for entry in self._queue:
            binding = self._bound.get(entry[2])
            hold = binding.holds.get(entry[3]) if binding else None
            if hold is not None and hold.queued_ns == entry[0]:
                live.append(entry)
        heapq.heapify(live)
        self._queue = live

    def _number(self, event: Event) -> int | None:
        """The subscriber's number: of the file, of a name seen before, or the next; BEYOND where none is left."""
        found = dict(event.identities)
        kind = next((kind for kind in self._identities[event.action] if kind in found), None)
        if kind is None:
            return None
        name = found[kind]
        number = self._listed.get(name) or self._numbers.get((kind, name))
        if number is None:
            if len(self._numbers) >= self._capacity:
                self.names_over += 1
                return BEYOND
            number = self._numbers[kind, name] = self._first_number + len(self._numbers)
            self._number_by_text.setdefault(name, number)
        return number


def _change(prefix: Prefix, number: int, time_ns: int, mac: int | None = None) -> Change:
    low = prefix.first & (1 << 64) - 1
    return Change(prefix.version, prefix.first >> 64, low, prefix.length, number, time_ns, mac)


def _mac(event: Event) -> int | None:
    """The Ethernet address of who was given a lease."""
    text = dict(event.identities).get("mac", "")
    return int(text.replace(":", ""), 16) if len(text) == MAC_TEXT_OCTETS else None
