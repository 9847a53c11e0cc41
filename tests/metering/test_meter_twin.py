"""The meter against its slow twin, on generated sequences: flows, usage, transit, whatever batch, seed or capacity."""

from __future__ import annotations

from dataclasses import fields

from frames import modest
from hypothesis import given
from hypothesis import strategies as st
from meters import measure
from traffic import packets
from twin_meter import TwinMeter


def twin(sequence, capacity=10**9) -> TwinMeter:
    slow = TwinMeter(capacity)
    for packet in sequence:
        slow.feed(packet)
    slow.finish()
    return slow


def shown(flow):
    return [getattr(flow, one.name) for one in fields(flow) if one.compare]


def check(outcome, slow) -> None:
    found, expected = (sorted(map(repr, map(shown, flows))) for flows in (outcome.flows, slow.ended))
    assert found == expected
    assert outcome.usage == {key: tuple(volume) for key, volume in slow.usage.items()}
    assert dict((reason, octets) for reason, _, octets in outcome.totals.unmetered)["transit"] == slow.transit_octets
    assert outcome.totals.flows == sum(flow.subscriber is not None for flow in slow.ended)


@modest(250)
@given(packets())
def test_flows_usage_and_transit_are_those_of_the_twin(sequence):
    check(measure([packet.sent() for packet in sequence]), twin(sequence))


@modest(120)
@given(packets(back=False, ties=False), st.integers(1, 4))
def test_a_full_table_evicts_the_flow_that_is_idle_for_longest(sequence, capacity):
    slow = twin(sequence, capacity)
    outcome = measure([packet.sent() for packet in sequence], flows=capacity)
    check(outcome, slow)
    assert outcome.overflow("evicted") == slow.evicted


@modest(80)
@given(packets(steps=40), st.sampled_from((1, 7)), st.integers(0, 2**64 - 1))
def test_batches_and_hash_seeds_change_nothing(sequence, batch_frames, seed):
    frames = [packet.sent() for packet in sequence]
    once = measure(frames)
    again = measure(frames, batch_frames=batch_frames, seed=seed)
    assert (again.totals, again.usage, again.flows) == (once.totals, once.usage, once.flows)


@modest(60)
@given(packets(steps=40))
def test_whether_flows_are_logged_changes_no_volume(sequence):
    frames = [packet.sent() for packet in sequence]
    logged, unlogged = measure(frames), measure(frames, log_flows=False)
    assert (unlogged.usage, unlogged.totals) == (logged.usage, logged.totals)


TINY = st.fixed_dictionaries(
    {
        "flows": st.integers(1, 3),
        "usage_rows": st.sampled_from((270, 300)),
        "held_volumes": st.integers(1, 3),
        "streams": st.integers(1, 2),
        "stream_octets": st.sampled_from((8192, 9000)),
        "fragments": st.integers(1, 2),
        "subscribers": st.integers(1, 3),
        "names": st.integers(2, 4),
        "name_octets": st.sampled_from((1100, 2048)),
        "flow_log": st.sampled_from((256, 300)),
        "inspection_packets": st.integers(1, 4),
    }
)


@modest(150)
@given(packets(steps=40), TINY, st.sampled_from((1, 7, 4096)))
def test_no_octet_is_lost_whatever_the_capacities(sequence, limits, batch_frames):
    """`measure` adds everything up again; what the tables were too small for is counted, and nobody's use is free of it."""
    frames = [packet.sent() for packet in sequence]
    outcome = measure(frames, batch_frames=batch_frames, **limits)
    wide = measure(frames)
    assert outcome.totals.observed_octets == wide.totals.observed_octets
    assert outcome.totals.metered_octets == wide.totals.metered_octets
    beyond = {key for key in outcome.usage if key[1] == "beyond"}
    assert {key[4] for key in beyond} <= {"overflow", "after_close"}
    if limits["subscribers"] == 3:
        assert not beyond


@modest(60)
@given(packets(steps=40), TINY)
def test_a_small_table_never_makes_a_name_count_that_a_large_one_does_not(sequence, limits):
    """Every failure falls to charged: a name that nobody answered frees nothing, full tables or not."""
    frames = [packet.sent() for packet in sequence]
    named = {"verified", "claimed"}
    wide = sum(v[0] + v[1] for key, v in measure(frames).usage.items() if key[3] in named)
    small = sum(
        v[0] + v[1] for key, v in measure(frames, held_volumes=limits["held_volumes"]).usage.items() if key[3] in named
    )
    assert small <= wide
