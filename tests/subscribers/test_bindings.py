"""Addresses to subscribers by packet time: worked by hand, and against a slow walk over everything that was said."""

from __future__ import annotations

from binding_packets import prefix
from hypothesis import given
from hypothesis import strategies as st

from classifier.subscribers.bindings import BEYOND, ENDED_MEMORY_NS, HOLDS_MAX, NEVER_NS, NOT_BOUND, Bindings, Change
from classifier.subscribers.events import Action, Event

S = 10**9
LISTED = ("anna", "ben", "00:0B:82:01:FC:42")
ADDRESS = prefix("10.0.0.7")


def make(capacity=16, idle_seconds=None, radius=("imsi", "user_name"), dhcp=("mac", "duid")):
    idle_ns = None if idle_seconds is None else idle_seconds * S
    return Bindings(LISTED, radius_identities=radius, dhcp_identities=dhcp, capacity=capacity, idle_ns=idle_ns)


def session(identifier, user, *addresses, age=0, nas=b"radius1", kind="user_name"):
    prefixes = tuple(prefix(text) for text in addresses or ("10.0.0.7",))
    return Event(Action.SESSION, (nas, identifier.encode()), prefixes, ((kind, user),), age * S)


def stop(identifier, nas=b"radius1"):
    return Event(Action.STOP, (nas, identifier.encode()))


def restart(nas=b"radius1", age=0):
    return Event(Action.RESTART, (nas, b""), age_ns=age * S)


def lease(mac, seconds, address="10.0.0.7"):
    name = (b"dhcp", f"{mac} {address}".encode())
    return Event(
        Action.LEASE, name, (prefix(address),), (("mac", mac),), lease_ns=None if seconds is None else seconds * S
    )


def release(mac, address="10.0.0.7"):
    return Event(Action.RELEASE, (b"dhcp", f"{mac} {address}".encode()), (prefix(address),))


def told(changes):
    """(number, time in seconds) of changes that are all of the one address."""
    assert all((c.version, c.high, c.low, c.prefix_length) == (4, 0, 0x0A000007, 32) for c in changes)
    return [(change.subscriber_number, change.starts_ns / S) for change in changes]


def test_a_listed_subscriber_keeps_its_number_and_others_follow_the_file():
    bindings = make(capacity=5)
    assert told(bindings.apply(session("1", "ben"), 1 * S)) == [(2, 1)]
    assert told(bindings.apply(session("2", "carl"), 2 * S)) == [(4, 2)]
    assert told(bindings.apply(session("3", "dora"), 3 * S)) == [(5, 3)]
    assert told(bindings.apply(session("4", "carl"), 4 * S)) == [(4, 4)]
    assert bindings.names == ["carl", "dora"]
    assert bindings.last_number == 3 + 5


def test_a_mac_address_is_found_in_the_file_in_any_form():
    assert told(make().apply(lease("00:0b:82:01:fc:42", 60), 0)) == [(3, 0)]


def test_an_ipv6_prefix_is_told_in_halves():
    changes = make().apply(session("1", "anna", "2001:db8:0:17::/64", "2001:db8:100::/56", "2001:db8::9"), 5)
    assert changes == [
        Change(6, 0x20010DB800000017, 0, 64, 1, 5),
        Change(6, 0x20010DB801000000, 0, 56, 1, 5),
        Change(6, 0x20010DB800000000, 9, 128, 1, 5),
    ]


def test_an_address_handed_on_in_mid_capture_changes_once_and_late_words_change_nothing():
    # Attack 26: Anna's Stop comes late, her Interim-Update twice, and the Start of hers is repeated.
    bindings = make()
    assert told(bindings.apply(session("a", "anna"), 10 * S)) == [(1, 10)]
    assert told(bindings.apply(session("a", "anna"), 20 * S)) == []
    assert told(bindings.apply(session("b", "ben"), 30 * S)) == [(2, 30)]
    assert told(bindings.apply(session("a", "anna"), 31 * S)) == []
    assert told(bindings.apply(stop("a"), 32 * S)) == []
    assert told(bindings.apply(session("a", "anna"), 33 * S)) == []
    assert bindings.stale == 2
    assert told(bindings.apply(stop("b"), 40 * S)) == [(NOT_BOUND, 40)]
    assert len(bindings) == 0


def test_a_session_that_began_earlier_does_not_take_an_address_though_its_start_was_missed():
    bindings = make()
    bindings.apply(session("b", "ben"), 100 * S)
    assert bindings.apply(session("a", "anna", age=50), 120 * S) == []
    assert told(bindings.apply(session("c", "carl", age=5), 121 * S)) == [(4, 121)]


def test_an_interim_update_makes_a_binding_where_the_start_was_missed():
    assert told(make().apply(session("a", "anna", age=3600), 10 * S)) == [(1, 10)]


def test_an_interim_update_after_the_stop_binds_nothing():
    bindings = make()
    bindings.apply(session("a", "anna"), 0)
    bindings.apply(stop("a"), 10 * S)
    assert bindings.apply(session("a", "anna"), 11 * S) == []
    bindings.apply(stop("never seen"), 12 * S)
    assert bindings.apply(session("never seen", "ben"), 13 * S) == []
    # Access servers without a memory count their sessions from 1 again; that is later than a repeated request.
    assert told(bindings.apply(session("a", "anna"), 10 * S + ENDED_MEMORY_NS + 1)) == [(1, 610.000000001)]


def test_a_session_has_the_addresses_that_were_told_in_turn_and_a_stop_ends_them_all():
    bindings = make()
    bindings.apply(session("a", "anna"), 0)
    assert len(bindings.apply(session("a", "anna", "2001:db8:0:17::/64"), 1 * S)) == 1
    changes = bindings.apply(stop("a"), 2 * S)
    assert {change.prefix_length for change in changes} == {32, 64}
    assert {change.subscriber_number for change in changes} == {NOT_BOUND}


def test_an_address_that_two_bearers_share_is_free_when_the_last_has_ended():
    bindings = make()
    bindings.apply(session("a", "anna"), 0)
    assert bindings.apply(session("b", "anna"), 1 * S) == []
    assert bindings.apply(stop("a"), 2 * S) == []
    assert told(bindings.apply(stop("b"), 3 * S)) == [(NOT_BOUND, 3)]


def test_sessions_whose_stops_were_lost_take_no_more_places_than_bearers_can_be():
    bindings = make(capacity=HOLDS_MAX + 1)
    for number in range(100):
        bindings.apply(session(str(number), "anna"), number * S)
    assert (bindings.prefixes_over, len(bindings)) == (0, 1)
    bindings.apply(session("b", "ben", "10.0.0.8"), 200 * S)
    assert bindings.prefixes_over == 0


def test_a_restart_ends_the_access_servers_sessions_and_no_other_ones():
    bindings = make()
    bindings.apply(session("a", "anna"), 0)
    bindings.apply(session("a", "ben", "10.0.0.8", nas=b"radius2"), 0)
    bindings.apply(session("new", "carl", "10.0.0.9"), 8 * S)
    changes = bindings.apply(restart(age=5), 10 * S)  # it happened at 5
    assert told(changes) == [(NOT_BOUND, 10)]
    # The identifiers of before are free: access servers number their sessions from the start again.
    bindings.apply(stop("a"), 11 * S)
    bindings.apply(restart(), 12 * S)
    assert told(bindings.apply(session("a", "anna"), 13 * S)) == [(1, 13)]


def test_a_lease_ends_at_its_instant_and_not_when_the_next_packet_comes():
    bindings = make()
    bindings.apply(lease("m", 60), 10 * S)
    assert bindings.next_expiry_ns == 70 * S
    assert bindings.advance(70 * S - 1) == []
    assert told(bindings.advance(500 * S)) == [(NOT_BOUND, 70)]
    assert bindings.next_expiry_ns == NEVER_NS


def test_a_renewed_lease_lasts_from_then_on_and_may_get_shorter():
    bindings = make()
    bindings.apply(lease("m", 60), 0)
    assert bindings.apply(lease("m", 60), 30 * S) == []
    assert bindings.advance(89 * S) == []
    bindings.apply(lease("m", 5), 89 * S)
    assert told(bindings.advance(95 * S)) == [(NOT_BOUND, 94)]


def test_a_lease_that_became_endless_and_then_short_again_ends_then():
    bindings = make()
    bindings.apply(lease("m", 60), 0)
    bindings.apply(lease("m", None), 10 * S)
    assert bindings.advance(1000 * S) == []
    assert bindings.next_expiry_ns == NEVER_NS
    bindings.apply(lease("m", 60), 1000 * S)
    assert told(bindings.advance(2000 * S)) == [(NOT_BOUND, 1060)]


def test_a_lease_without_end_ends_when_it_is_released():
    bindings = make()
    bindings.apply(lease("m", None), 0)
    assert bindings.next_expiry_ns == NEVER_NS
    assert bindings.apply(release("other"), 1 * S) == []
    assert told(bindings.apply(release("m"), 2 * S)) == [(NOT_BOUND, 2)]
    assert told(bindings.apply(lease("m", 60), 3 * S)) == [(4, 3)]


def test_an_ended_lease_comes_before_the_one_that_follows_it():
    bindings = make()
    bindings.apply(lease("m", 60), 0)
    assert told(bindings.apply(lease("n", 60), 100 * S)) == [(NOT_BOUND, 60), (5, 100)]


def test_a_lease_given_to_another_client_moves_the_address():
    bindings = make()
    bindings.apply(lease("m", 60), 0)
    assert told(bindings.apply(lease("n", 60), 10 * S)) == [(5, 10)]
    assert bindings.apply(release("m"), 11 * S) == []


def test_a_radius_session_stands_before_a_lease_until_it_ends():
    bindings = make()
    bindings.apply(lease("m", 600), 0)
    assert told(bindings.apply(session("a", "anna", age=50), 10 * S)) == [(1, 10)]
    assert bindings.apply(lease("m", 600), 20 * S) == []
    bindings.apply(stop("a"), 30 * S)
    assert told(bindings.apply(lease("m", 600), 40 * S)) == [(4, 40)]


def test_a_session_of_which_nothing_is_heard_ends_where_that_is_configured():
    bindings = make(idle_seconds=60)
    bindings.apply(session("a", "anna"), 0)
    bindings.apply(session("a", "anna"), 50 * S)
    assert bindings.advance(109 * S) == []
    assert told(bindings.advance(200 * S)) == [(NOT_BOUND, 110)]
    # It was only silent: it goes on.
    assert told(bindings.apply(session("a", "anna"), 201 * S)) == [(1, 201)]
    assert make().apply(session("a", "anna"), 0)
    assert make().next_expiry_ns == NEVER_NS


def test_the_first_kind_of_name_that_is_there_counts_and_a_chosen_one_beside_it_does_not():
    bindings = make()
    spoofed = Event(
        Action.SESSION, (b"radius1", b"x"), (ADDRESS,), (("user_name", "anna"), ("imsi", "460001234567890"))
    )
    assert told(bindings.apply(spoofed, 0)) == [(4, 0)]
    assert bindings.names == ["460001234567890"]


def test_the_same_text_of_two_kinds_is_two_subscribers():
    bindings = make()
    bindings.apply(session("a", "4600", kind="imsi"), 0)
    assert told(bindings.apply(session("b", "4600", kind="user_name"), 1 * S)) == [(5, 1)]


def test_an_event_without_a_name_that_is_asked_for_binds_nothing_and_is_counted():
    bindings = make(radius=("imsi",))
    assert bindings.apply(session("a", "anna"), 0) == []
    assert (bindings.unnamed, len(bindings)) == (1, 0)


def test_a_full_table_refuses_and_counts_and_who_was_there_stays():
    bindings = make(capacity=2)
    bindings.apply(session("a", "anna", "10.0.0.1"), 0)
    bindings.apply(session("b", "ben", "10.0.0.2"), 0)
    assert bindings.apply(session("c", "anna", "10.0.0.3"), 1 * S) == []
    assert (bindings.prefixes_over, len(bindings)) == (1, 2)
    # An address that is bound already still changes hands.
    assert [c.subscriber_number for c in bindings.apply(session("d", "ben", "10.0.0.1"), 2 * S)] == [2]
    bindings.apply(stop("b"), 3 * S)
    assert [c.subscriber_number for c in bindings.apply(session("c", "anna", "10.0.0.3"), 4 * S)] == [1]


def test_names_beyond_the_table_share_the_number_of_all_beyond_it():
    bindings = make(capacity=1)
    bindings.apply(session("a", "carl"), 0)
    assert told(bindings.apply(session("b", "dora"), 1 * S)) == [(BEYOND, 1)]
    assert (bindings.names_over, bindings.names) == (1, ["carl"])
    assert told(bindings.apply(session("c", "carl"), 2 * S)) == [(4, 2)]


def test_time_never_runs_back():
    bindings = make()
    bindings.apply(lease("m", 60), 100 * S)
    assert told(bindings.apply(lease("n", 60), 90 * S)) == [(5, 100)]


def test_give_and_take_fills_no_memory():
    bindings = make()
    for second in range(5000):
        bindings.apply(lease("m", 86400), second * S)
        bindings.apply(release("m"), second * S)
        bindings.apply(session(str(second), "anna"), second * S)
        bindings.apply(stop(str(second)), second * S)
    assert len(bindings._queue) < 2000
    assert len(bindings._past) <= 16
    assert len(bindings._sessions) == 0


class SlowBindings:
    """Keeps every claim to an address with its end, and asks all of them each time."""

    def __init__(self):
        self.claims = {}  # name -> (address, subscriber, kind: 0 lease, 1 session, end)

    def live(self, address, now):
        return [claim for claim in self.claims.values() if claim[0] == address and now < claim[3]]

    def claim(self, name, address, subscriber, kind, now, end):
        others = [claim for claim in self.live(address, now) if claim[1] != subscriber]
        if any(claim[2] > kind for claim in others):
            return
        self.claims = {key: claim for key, claim in self.claims.items() if claim not in others}
        self.claims[name] = (address, subscriber, kind, end)

    def holder(self, address, now):
        (holder,) = {claim[1] for claim in self.live(address, now)} or {NOT_BOUND}
        return holder


WORD = st.tuples(
    st.sampled_from(["lease", "release", "session", "stop", "wait"]),
    st.integers(0, 1),  # who: each has a name of its own in RADIUS and in DHCP
    st.integers(0, 1),  # which address
    st.integers(0, 30),  # seconds since the last word
)


@given(st.lists(WORD, max_size=30))
def test_the_changes_are_those_of_asking_everything_that_was_said(words):
    bindings = Bindings(
        ("anna", "ben", "m", "n"), radius_identities=["user_name"], dhcp_identities=["mac"], capacity=99, idle_ns=40 * S
    )
    slow = SlowBindings()
    told_holder = {0: NOT_BOUND, 1: NOT_BOUND}
    now = 0
    for place, (word, who, address, wait) in enumerate(words):
        now += wait
        text, client, name = f"10.0.0.{address}", "mn"[who], f"{who} {address} {place}"
        changes = bindings.advance(now * S)
        if word == "lease":
            changes += bindings.apply(lease(client, 25, text), now * S)
            slow.claim((client, address), address, 3 + who, 0, now, now + 25)
        elif word == "release":
            changes += bindings.apply(release(client, text), now * S)
            slow.claims.pop((client, address), None)
        elif word == "session":
            changes += bindings.apply(session(name, LISTED[who], text), now * S)
            slow.claim(name, address, 1 + who, 1, now, now + 40)
        elif word == "stop":
            for begun in [key for key in slow.claims if isinstance(key, str) and key.startswith(f"{who} {address}")]:
                changes += bindings.apply(stop(begun), now * S)
                del slow.claims[begun]
        for change in changes:
            assert told_holder[change.low & 1] != change.subscriber_number, "a change that changes nothing"
            told_holder[change.low & 1] = change.subscriber_number
        assert told_holder == {0: slow.holder(0, now), 1: slow.holder(1, now)}
