"""The flow table's parts: the index against a dict, the lists of flows against sorting, reassembly against a dict."""

from __future__ import annotations

import numpy as np
from frames import modest, read_only
from hypothesis import given
from hypothesis import strategies as st

from classifier.catalogue.compile import compile_catalogue
from classifier.catalogue.records import Catalogue
from classifier.iana import PROTOCOL_UDP
from classifier.kernels.ciphers import ADDRESSES
from classifier.kernels.flows import end_flow, find_flow, flow_tag, index_add, index_remove, open_flow
from classifier.kernels.jit import kernel
from classifier.kernels.order import order_append, order_oldest, order_remove, order_touch
from classifier.kernels.state import INDEX_FIRST, ORDERS
from classifier.kernels.streams import FLOATING_OFFSET, sequence_difference, stream_clear, stream_insert, stream_open
from classifier.metering.tables import Limits, make_tables
from classifier.records import END_IDLE
from classifier.subscribers.compile import compile_subscribers

LOOKUP = compile_catalogue(Catalogue((), ()))
RANGES = compile_subscribers([], ())
NO_CIPHERS = np.zeros(ADDRESSES, np.int64)
CAPACITY = 8
OCTETS = 2 * FLOATING_OFFSET


def fresh_tables():
    limits = Limits(
        flows=CAPACITY,
        subscribers=2,
        usage_rows=300,
        held_volumes=4,
        fragments=4,
        streams=3,
        stream_octets=OCTETS,
        names=8,
    )
    return make_tables(LOOKUP, RANGES, 0, limits, NO_CIPHERS, log_flows=False, seed=1)


@kernel
def enter(tables, tag, place):
    index_add(tables, tag, place)


@kernel
def leave(tables, tag, place):
    index_remove(tables, tag, place)


@kernel
def open_one(tables, number):
    a, b, none = np.uint64(number), np.uint64(7), np.uint64(0)
    tag = flow_tag(tables.state[0].seed, none, a, 1000, none, b, 53, PROTOCOL_UDP)
    return open_flow(tables, tag, 4, none, a, 1000, none, b, 53, PROTOCOL_UDP)


@kernel
def find_one(tables, number):
    a, b, none = np.uint64(number), np.uint64(7), np.uint64(0)
    tag = flow_tag(tables.state[0].seed, none, a, 1000, none, b, 53, PROTOCOL_UDP)
    return find_flow(tables, tag, 4, none, a, 1000, none, b, 53, PROTOCOL_UDP)


@kernel
def end_one(tables, place):
    end_flow(tables, place, END_IDLE)


@kernel
def append(tables, place, order):
    order_append(tables, place, order)


@kernel
def remove(tables, place):
    order_remove(tables, place)


@kernel
def touch(tables, place, order):
    order_touch(tables, place, order)


@kernel
def oldest(tables):
    return order_oldest(tables)


@kernel
def give_buffer(tables, place, base, start, from_server):
    return stream_open(tables, place, base, start, from_server)


@kernel
def insert(tables, number, frame, start, octets, sequence):
    return stream_insert(tables, number, frame, start, octets, sequence)


@kernel
def clear(tables, number):
    stream_clear(tables, number)


@kernel
def difference(a, b):
    return sequence_difference(a, b)


def found_in(index: np.ndarray, tag: int) -> set[int]:
    """Places that a search from this tag's home meets before it meets an empty position."""
    position, found = tag & (len(index) - 1), set()
    while index[position]:
        if int(index[position]) >> 32 == tag:
            found.add((int(index[position]) & 0xFFFFFFFF) - 1)
        position = (position + 1) & (len(index) - 1)
    return found


# Few homes, so that runs are long and wrap around the end of the index.
SIZE = len(fresh_tables().flow_index)
tags = st.integers(SIZE - 3, SIZE) | st.sampled_from([2 * SIZE - 1, 3 * SIZE - 1, 2**32 - 1, 2**32 - 1 - SIZE])


@modest(300)
@given(st.lists(st.tuples(tags, st.integers(0, CAPACITY - 1)), max_size=60))
def test_the_index_finds_what_a_dict_holds_whatever_was_taken_out(steps):
    """Each step enters a place under a tag, or takes it out if it is in: runs close up behind it."""
    tables = fresh_tables()
    held: dict[int, int] = {}
    for tag, place in steps:
        if place in held:
            leave(tables, held.pop(place), place)
        else:
            enter(tables, tag, place)
            held[place] = tag
        assert np.count_nonzero(tables.flow_index) == len(held)
        for one in {*held.values(), tag}:
            assert found_in(tables.flow_index, one) == {place for place, its in held.items() if its == one}


def test_the_index_grows_with_the_flows_and_still_finds_each():
    """Five times as many flows as the index takes at first; every third has ended in between."""
    count = 5 * INDEX_FIRST // 2
    tables = make_tables(LOOKUP, RANGES, 0, Limits(flows=count), NO_CIPHERS, log_flows=False, seed=1)
    places = [open_one(tables, number) for number in range(count // 2)]
    for number in range(0, count // 2, 3):
        end_one(tables, places[number])
    places += [open_one(tables, number) for number in range(count // 2, count)]
    live = [number for number in range(count) if number >= count // 2 or number % 3]
    assert int(tables.state[0].index_mask) + 1 > INDEX_FIRST
    assert np.count_nonzero(tables.flow_index) == len(live) == int(tables.state[0].flow_count)
    assert [find_one(tables, number) for number in live] == [2 * places[number] for number in live]
    assert all(find_one(tables, number) == -1 for number in range(0, count // 2, 3))
    assert len({places[number] for number in live}) == len(live)


def listed(tables, order: int) -> list[int]:
    """The list from its first to its last flow; both directions have to agree."""
    forward, place = [], int(tables.order_first[order])
    while place >= 0:
        forward.append(place)
        place = int(tables.flows[place].after)
    backward, place = [], int(tables.order_last[order])
    while place >= 0:
        backward.append(place)
        place = int(tables.flows[place].before)
    assert forward == backward[::-1]
    return forward


@modest(200)
@given(st.lists(st.tuples(st.integers(0, CAPACITY - 1), st.integers(0, ORDERS), st.integers(0, 2)), max_size=60))
def test_the_lists_are_the_flows_sorted_by_their_last_packet(steps):
    """Order ORDERS stands for the flow's end. Its last packet is the step's number."""
    tables = fresh_tables()
    flows: dict[int, tuple[int, int, int]] = {}  # place: (time, serial, order)
    clock = 0
    for serial, (place, order, later) in enumerate(steps, 1):
        clock += 1 + later
        tables.state[0].clock_ns = clock
        if order == ORDERS:
            if place in flows:
                remove(tables, place)
                del flows[place]
            continue
        tables.flows[place].last_ns = clock
        if place in flows:
            touch(tables, place, order)
            flows[place] = (clock, flows[place][1], order)
        else:
            tables.flows[place].serial = serial
            append(tables, place, order)
            flows[place] = (clock, serial, order)
        for one in range(ORDERS):
            expected = sorted((place for place, flow in flows.items() if flow[2] == one), key=flows.get)
            assert listed(tables, one) == expected
        assert oldest(tables) == min(flows, key=flows.get)


@modest(200)
@given(st.integers(0, 2**32 - 1), st.integers(-(2**31), 2**31 - 1))
def test_the_difference_of_sequence_numbers_is_modulo_2_to_the_32(number, distance):
    assert difference((number + distance) % 2**32, number) == distance


segments = st.lists(st.tuples(st.integers(-20, 80), st.integers(0, 30), st.integers(0, 1)), max_size=12)


@modest(300)
@given(
    st.integers(0, 2**32 - 1) | st.integers(2**32 - 40, 2**32 - 1), segments, st.sampled_from((0, 40, FLOATING_OFFSET))
)
def test_reassembly_holds_the_first_copy_of_each_octet_and_notices_another(base, drawn, start):
    """`drawn`: (distance from the base, octets, which of two contents)."""
    tables = fresh_tables()
    tables.flows[3].serial = 99
    number = give_buffer(tables, 3, base, start, 0)
    octets_before = tables.stream_filled.sum()
    assert octets_before == 0
    held: dict[int, int] = {}
    conflict, first = False, start
    for distance, octets, content in drawn:
        offset = distance + start
        payload = bytes((offset + i) * 7 % 251 ^ (content * (i % 5 == 4)) for i in range(octets))
        frame = read_only(b"\xee" * 3 + payload + b"\xee" * 3)
        inside = {offset + i: value for i, value in enumerate(payload) if 0 <= offset + i < OCTETS}
        differs = any(held.get(place, value) != value for place, value in inside.items())
        conflict |= differs
        assert insert(tables, number, frame, 3, octets, (base + offset) % 2**32) == differs
        held = inside | held
        if start > 0 and inside:
            first = min(first, *inside)
        stream = tables.streams[number]
        front = first
        while front in held:
            front += 1
        filled = np.unpackbits(tables.stream_filled[number], bitorder="little")
        assert {int(place) for place in np.flatnonzero(filled)} == set(held)
        assert all(int(tables.stream_data[number][place]) == value for place, value in held.items())
        assert (int(stream.start), int(stream.front), bool(stream.conflict)) == (first, front, conflict)
        assert int(stream.high) == max(start, *(place + 1 for place in held), 0) if held else int(stream.high) == start
    clear(tables, number)
    assert tables.stream_filled.sum() == 0


def test_the_pool_of_buffers_takes_the_oldest_away_and_counts_it():
    tables = fresh_tables()
    for place in range(5):
        tables.flows[place].serial = place + 1
        tables.flows[place].stream = -1
        give_buffer(tables, place, 1000 * place, 0, 0)
    assert int(tables.state[0].streams_over) == 2
    assert [int(flow.stream) >= 0 for flow in tables.flows[:5]] == [False, False, True, True, True]
    assert sorted(int(tables.streams[number].flow) for number in range(3)) == [2, 3, 4]


def test_a_floating_buffer_gives_way_to_another_one_and_before_any_that_is_needed():
    """Of three buffers one may be floating at a time; when all are taken it is the first to go, though not the oldest."""
    tables = fresh_tables()
    for place in range(5):
        tables.flows[place].serial = place + 1
        tables.flows[place].stream = -1
    give_buffer(tables, 0, 0, 0, 0)
    give_buffer(tables, 1, 0, FLOATING_OFFSET, 0)
    give_buffer(tables, 2, 0, FLOATING_OFFSET, 0)
    assert [int(flow.stream) >= 0 for flow in tables.flows[:5]] == [True, False, True, False, False]
    give_buffer(tables, 3, 0, 0, 0)
    give_buffer(tables, 4, 0, 0, 0)
    assert [int(flow.stream) >= 0 for flow in tables.flows[:5]] == [True, False, False, True, True]
    assert int(tables.state[0].streams_over) == 2
