"""Row 27: time runs back across midnight of the month, where an offer ends: accounting 3.4."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime

from frames import UDP, Sent, ip_packet, modest, udp_datagram
from hypothesis import given
from hypothesis import strategies as st
from meters import ALPHA_ADDRESS, SECOND_NS, measure
from scenes import ME, billed

MIDNIGHT = date(2013, 12, 1)
MIDNIGHT_NS = int(datetime(2013, 12, 1, tzinfo=UTC).timestamp()) * SECOND_NS
steps = st.lists(st.tuples(st.integers(-90_000, 90_000), st.integers(0, 1000)), min_size=1, max_size=25)


def packet(number: int, octets: int) -> bytes:
    return ip_packet(ME, ALPHA_ADDRESS, UDP, udp_datagram(5000 + number % 3, 443, b"x" * octets))


@modest(80)
@given(steps, st.sampled_from((1, 4096)))
def test_a_packet_that_goes_back_counts_where_the_clock_already_is(sent, batch_frames):
    """Times in milliseconds from midnight: free until any packet has reached it, never again after."""
    expected = {"free": 0, "outside_window": 0}
    frames, reached = [], False
    for number, (at_ms, octets) in enumerate(sent):
        reached = reached or at_ms >= 0
        frames.append(Sent(MIDNIGHT_NS + at_ms * 10**6, packet(number, octets)))
        expected["outside_window" if reached else "free"] += len(frames[-1].octets)
    outcome = measure(frames, batch_frames=batch_frames)
    found = billed(outcome, ends=MIDNIGHT)
    assert found == {reason: octets for reason, octets in expected.items() if octets}


def test_a_flow_over_midnight_is_split_at_it():
    frames = [Sent(MIDNIGHT_NS + at, packet(0, 100)) for at in (-SECOND_NS, -1, 0, 1)]
    one = len(frames[0].octets)
    assert billed(measure(frames), ends=MIDNIGHT) == {"free": 2 * one, "outside_window": 2 * one}
    back = [*frames, replace(frames[0], time_ns=MIDNIGHT_NS - 86_400 * SECOND_NS)]
    assert billed(measure(back), ends=MIDNIGHT) == {"free": 2 * one, "outside_window": 3 * one}
