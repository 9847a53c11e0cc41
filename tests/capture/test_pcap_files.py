"""pcap files: every variant gives the frames, lengths and times that other readers find in them."""

from __future__ import annotations

import decimal
import gzip
import random

import dpkt
import pytest
from capture_bytes import MICROSECONDS, NANOSECONDS, Listed, listed, pcap_header, pcap_record, read_frames
from scapy.utils import RawPcapReader

from classifier.capture.files import open_capture
from classifier.errors import CaptureError

BATCHES = [1, 7, 4096]


def made_records(count: int, order: str = "<", fractions: int = 10**6) -> bytes:
    """Records of 0 to 200 octets with odd lengths, times and cut-off frames."""
    chance = random.Random(7)
    records = []
    for _ in range(count):
        octets = chance.randbytes(chance.choice([0, 1, 15, 16, 17, 60, 199, 200]))
        wire_octets = len(octets) + chance.choice([0, 0, 1300, 70000])
        seconds, fraction = chance.randrange(2**32), chance.randrange(fractions)
        records.append(pcap_record(octets, seconds, fraction, wire_octets, order))
    return b"".join(records)


def scapy_frames(path, nanoseconds: bool) -> list[Listed]:
    with RawPcapReader(str(path)) as reader:
        return [
            Listed(meta.sec * 10**9 + meta.usec * (1 if nanoseconds else 1000), meta.wirelen, reader.linktype, octets)
            for octets, meta in reader
        ]


@pytest.mark.parametrize("chunk_octets", [64, 1000, 1 << 20])
@pytest.mark.parametrize("batch_frames", BATCHES)
@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("magic", [MICROSECONDS, NANOSECONDS])
def test_frames_are_those_that_scapy_reads(tmp_path, order, magic, batch_frames, chunk_octets):
    path = tmp_path / "made.pcap"
    nanoseconds = magic == NANOSECONDS
    path.write_bytes(pcap_header(order, magic) + made_records(60, order, 10**9 if nanoseconds else 10**6))
    frames = read_frames(path, batch_frames=batch_frames, chunk_octets=chunk_octets)
    assert frames == scapy_frames(path, nanoseconds)
    assert len(frames) == 60


@pytest.mark.parametrize("nano", [False, True])
def test_a_file_that_dpkt_wrote_is_read_back(tmp_path, nano):
    path = tmp_path / "dpkt.pcap"
    times = [decimal.Decimal("1.000001"), decimal.Decimal("1700000000.999999"), decimal.Decimal("4102444800")]
    with path.open("wb") as file:
        writer = dpkt.pcap.Writer(file, nano=nano)
        for number, time in enumerate(times):
            writer.writepkt(bytes([number]) * (100 + number), time)
    with path.open("rb") as file:
        expected = [(int(time * 10**9), bytes(octets)) for time, octets in dpkt.pcap.Reader(file)]
    # dpkt reads microseconds as floats: compare those to the microsecond.
    found = [(frame.time_ns, frame.octets) for frame in read_frames(path)]
    assert [octets for _, octets in found] == [octets for _, octets in expected]
    assert [time_ns for time_ns, _ in found] == [int(time * 10**9) for time in times]


def test_a_cut_frame_keeps_its_length_on_the_wire(tmp_path):
    path = tmp_path / "cut.pcap"
    path.write_bytes(pcap_header() + pcap_record(b"x" * 96, wire_octets=1514))
    (frame,) = read_frames(path)
    assert (frame.wire_octets, len(frame.octets)) == (1514, 96)


def test_a_wire_length_below_the_captured_one_is_not_believed(tmp_path):
    path = tmp_path / "odd.pcap"
    path.write_bytes(pcap_header() + pcap_record(b"x" * 96, wire_octets=0))
    (frame,) = read_frames(path)
    assert (frame.wire_octets, len(frame.octets)) == (96, 96)


@pytest.mark.parametrize(
    ("version", "first", "second", "captured", "wire"),
    [
        ((2, 4), 3, 9, 3, 9),
        ((2, 3), 3, 9, 3, 9),
        ((2, 3), 9, 3, 3, 9),
        ((2, 2), 9, 3, 3, 9),
        ((2, 0), 9, 3, 3, 9),
    ],
)
def test_old_versions_have_the_two_lengths_the_other_way_round(tmp_path, version, first, second, captured, wire):
    """libpcap, sf-pcap.c: before 2.3 always, in 2.3 where the captured length would exceed the original one."""
    path = tmp_path / "old.pcap"
    record = pcap_record(b"abc")[:8] + first.to_bytes(4, "little") + second.to_bytes(4, "little") + b"abc"
    path.write_bytes(pcap_header(version=version) + record)
    (frame,) = read_frames(path)
    assert (len(frame.octets), frame.wire_octets) == (captured, wire)


@pytest.mark.parametrize("network", [1, 0x04000001, 0x30000001, 0x44000001])
def test_frame_check_sequence_bits_are_not_part_of_the_link_type(tmp_path, network):
    path = tmp_path / "fcs.pcap"
    path.write_bytes(pcap_header(network=network) + pcap_record(b"x" * 64))
    assert [frame.link_type for frame in read_frames(path)] == [1]


def test_the_latest_time_that_pcap_can_say_does_not_overflow(tmp_path):
    path = tmp_path / "late.pcap"
    path.write_bytes(pcap_header() + pcap_record(b"x", 2**32 - 1, 2**32 - 1))
    assert read_frames(path)[0].time_ns == (2**32 - 1) * 10**9 + (2**32 - 1) * 1000


@pytest.mark.parametrize("batch_frames", BATCHES)
@pytest.mark.parametrize("packed", [False, True])
def test_a_file_cut_at_any_octet_gives_the_frames_before_the_cut_and_says_so(tmp_path, batch_frames, packed):
    whole = pcap_header() + b"".join(pcap_record(bytes([n]) * (3 * n), n, n) for n in range(1, 6))
    path = tmp_path / "cut.pcap"
    path.write_bytes(whole)
    frames = read_frames(path)
    ends = [24 + sum(16 + 3 * n for n in range(1, count + 1)) for count in range(6)]
    for octets in range(len(whole) + 1):
        path.write_bytes(gzip.compress(whole[:octets]) if packed else whole[:octets])
        if octets < 24:
            with pytest.raises(CaptureError, match=r"^[^\n]*cut\.pcap: [^\n]+$"):
                open_capture(str(path))
            continue
        with open_capture(str(path), batch_frames=batch_frames, chunk_octets=32) as capture:
            count = sum(end <= octets for end in ends) - 1
            assert listed(capture) == frames[:count]
            if octets in ends:
                assert capture.problem is None
            else:
                expected = f"ends inside record {count + 1} at offset {ends[count]}; metered up to there"
                assert capture.problem == f"{path}: {expected}"


def test_a_captured_length_that_cannot_be_ends_the_reading(tmp_path):
    path = tmp_path / "damaged.pcap"
    good = pcap_record(b"good")
    path.write_bytes(pcap_header() + good * 2 + pcap_record(b"x" * 262145) + good)
    with open_capture(str(path)) as capture:
        assert [frame.octets for frame in listed(capture)] == [b"good"] * 2
        assert capture.problem == (
            f"{path}: is damaged at record 3 at offset 64 (captured length over 262144); metered up to there"
        )
        assert listed(capture) == []


def test_the_longest_record_passes_a_buffer_that_was_shorter(tmp_path):
    path = tmp_path / "long.pcap"
    octets = random.Random(1).randbytes(262144)
    path.write_bytes(pcap_header() + pcap_record(b"before") + pcap_record(octets) + pcap_record(b"after"))
    assert [frame.octets for frame in read_frames(path, chunk_octets=64)] == [b"before", octets, b"after"]


def test_the_buffer_does_not_grow_with_the_file(tmp_path):
    path = tmp_path / "long.pcap"
    path.write_bytes(pcap_header() + pcap_record(b"x" * 1000) * 2000)
    with open_capture(str(path), chunk_octets=4096) as capture:
        sizes = [(len(batch.buffer), len(batch.frames)) for batch in capture]
    assert sum(frames for _, frames in sizes) == 2000
    assert {octets for octets, _ in sizes} == {4096}
