"""pcapng files: sections, interfaces, every packet block, time stamps, and blocks to pass over."""

from __future__ import annotations

import io
import struct

import dpkt
import pytest
from capture_bytes import (
    LARGEST_NS,
    Listed,
    block,
    enhanced,
    interface,
    listed,
    obsolete,
    option,
    pad,
    read_frames,
    section,
    simple,
    stamp_time_ns,
)
from hypothesis import given
from hypothesis import strategies as st
from scapy.utils import RawPcapNgReader

from classifier.capture.files import CHUNK_OCTETS, open_capture
from classifier.errors import CaptureError

NAME_RESOLUTION, STATISTICS, CUSTOM = 4, 5, 0xBAD


def several_sections() -> tuple[bytes, list[Listed]]:
    """Two byte orders, four interfaces with their own link types and clocks, all packet blocks, blocks between them."""
    little = [
        section(options=option(4, b"a writer that talks a lot")),
        interface(1),
        block(NAME_RESOLUTION, b"names"),
        enhanced(b"first" * 13, 1_700_000_000_123_456),
        interface(101, resolution=9),
        enhanced(b"second!", 1_700_000_001_987_654_321, 1, wire_octets=1500, options=option(1, b"remark")),
        block(STATISTICS, bytes(20)),
        simple(b"third" * 4),
        enhanced(b"", 1_700_000_002_000_000),
    ]
    big = [
        section(">"),
        interface(113, snap_octets=10, resolution=0x80 | 20, offset_seconds=1_600_000_000, order=">"),
        interface(1, resolution=3, order=">"),
        block(CUSTOM, bytes(200), ">"),
        obsolete(b"sixth.", (5 << 20) + 1, order=">"),
        enhanced(b"seventh", 1_700_000_003_004, 1, order=">"),
        simple(b"eighth and " + b"cut short"[:1], wire_octets=900, order=">"),
    ]
    frames = [
        Listed(1_700_000_000_123_456_000, 65, 1, b"first" * 13),
        Listed(1_700_000_001_987_654_321, 1500, 101, b"second!"),
        Listed(1_700_000_001_987_654_321, 20, 1, b"third" * 4),
        Listed(1_700_000_002_000_000_000, 0, 1, b""),
        Listed(1_600_000_005_000_000_953, 6, 113, b"sixth."),
        Listed(1_700_000_003_004_000_000, 7, 1, b"seventh"),
        Listed(1_700_000_003_004_000_000, 900, 113, b"eighth and"),
    ]
    return b"".join(little + big), frames


@pytest.mark.parametrize("chunk_octets", [64, 1000, 1 << 20])
@pytest.mark.parametrize("batch_frames", [1, 7, 4096])
def test_sections_interfaces_and_packet_blocks(tmp_path, batch_frames, chunk_octets):
    octets, frames = several_sections()
    path = tmp_path / "several.pcapng"
    path.write_bytes(octets)
    assert read_frames(path, batch_frames=batch_frames, chunk_octets=chunk_octets) == frames


@pytest.mark.parametrize("order", ["<", ">"])
def test_frames_are_those_that_scapy_and_dpkt_read(tmp_path, order):
    packets = [(bytes([n]) * (n * 7 % 90), 1_700_000_000_000_000 + n * 999_983) for n in range(50)]
    blocks = [enhanced(octets, stamp, wire_octets=len(octets) + 4, order=order) for octets, stamp in packets]
    octets = section(order) + interface(resolution=6, order=order) + b"".join(blocks)
    path = tmp_path / "made.pcapng"
    path.write_bytes(octets)
    found = read_frames(path, chunk_octets=256)
    with RawPcapNgReader(str(path)) as reader:
        assert found == [
            Listed(((meta.tshigh << 32) + meta.tslow) * 1000, meta.wirelen, meta.linktype, data)
            for data, meta in reader
        ]
    assert [frame.octets for frame in found] == [bytes(data) for _, data in dpkt.pcapng.Reader(io.BytesIO(octets))]


@given(
    stamp=st.integers(0, 2**64 - 1),
    resolution=st.integers(0, 255),
    offset_seconds=st.integers(-(2**63), 2**63 - 1) | st.integers(-(10**10), 10**10),
)
def test_times_are_exact_for_every_resolution_and_offset(tmp_path_factory, stamp, resolution, offset_seconds):
    path = tmp_path_factory.getbasetemp() / "time.pcapng"
    clock = interface(resolution=resolution, offset_seconds=offset_seconds)
    path.write_bytes(section() + clock + enhanced(b"x", stamp))
    (frame,) = read_frames(path)
    assert frame.time_ns == stamp_time_ns(stamp, resolution, offset_seconds)


@pytest.mark.parametrize(
    ("stamp", "resolution", "offset_seconds", "time_ns"),
    [
        (2**64 - 1, 6, 0, LARGEST_NS),
        (2**64 - 1, 9, 0, LARGEST_NS),
        (2**64 - 1, 0x80, 0, LARGEST_NS),
        (LARGEST_NS, 9, 1, LARGEST_NS),
        (5, 0, -6, 0),
        (2**63, 0x80 | 63, 0, 10**9),
        (10**18, 18, 0, 10**9),
        (2**64 - 1, 127, 0, 0),
        (2**64 - 1, 0xFF, 0, 0),
    ],
)
def test_times_beyond_what_can_be_held_stay_at_the_bound(tmp_path, stamp, resolution, offset_seconds, time_ns):
    path = tmp_path / "bound.pcapng"
    path.write_bytes(
        section() + interface(resolution=resolution, offset_seconds=offset_seconds) + enhanced(b"x", stamp)
    )
    assert read_frames(path)[0].time_ns == time_ns


def test_more_interfaces_than_the_table_begins_with(tmp_path):
    path = tmp_path / "interfaces.pcapng"
    clocks = b"".join(interface(resolution=number % 10) for number in range(100))
    path.write_bytes(section() + clocks + b"".join(enhanced(b"x", 7, number) for number in range(100)))
    assert [frame.time_ns for frame in read_frames(path)] == [7 * 10 ** (9 - number % 10) for number in range(100)]


@pytest.mark.parametrize("chunk_octets", [32, 1 << 20])
def test_a_file_cut_at_any_octet_gives_the_frames_before_the_cut(tmp_path, chunk_octets):
    octets, frames = several_sections()
    path = tmp_path / "cut.pcapng"
    first_section_octets = struct.unpack("<I", octets[4:8])[0]
    counts = []
    whole = 0
    for cut in range(len(octets)):
        path.write_bytes(octets[:cut])
        if cut < first_section_octets:
            with pytest.raises(CaptureError, match=r"^[^\n]*cut\.pcapng: [^\n]+$"):
                open_capture(str(path), chunk_octets=chunk_octets)
            continue
        with open_capture(str(path), chunk_octets=chunk_octets) as capture:
            found = listed(capture)
            whole += capture.problem is None
        assert found == frames[: len(found)]
        counts.append(len(found))
    assert counts == sorted(counts)
    assert set(counts) == set(range(len(frames)))  # the last frame is whole only with the file's last octet
    # Only a cut between two of the 16 blocks passes for a whole file.
    assert whole == 15


@pytest.mark.parametrize("read_ahead", [False, True])
def test_a_huge_block_of_another_kind_is_passed_without_being_kept(tmp_path, read_ahead):
    path = tmp_path / "huge.pcapng"
    length = struct.pack("<I", (64 << 20) + 12)
    with path.open("wb") as file:
        file.write(section() + interface() + enhanced(b"before") + struct.pack("<I", CUSTOM) + length)
        file.seek(64 << 20, io.SEEK_CUR)
        file.write(length + enhanced(b"after"))
    with open_capture(str(path), read_ahead=read_ahead) as capture:
        found = [
            (len(batch.buffer), batch.buffer[f.offset :][: f.captured_octets].tobytes())
            for batch in capture
            for f in batch.frames
        ]
        assert [octets for _, octets in found] == [b"before", b"after"]
        assert max(size for size, _ in found) < 2 * CHUNK_OCTETS
        assert capture.problem is None
    with path.open("r+b") as file:
        file.truncate(1 << 20)
    with open_capture(str(path), chunk_octets=4096) as capture:
        assert [frame.octets for frame in listed(capture)] == [b"before"]
        assert "ends inside the block at offset" in capture.problem


def test_a_packet_with_many_options_passes_a_buffer_that_was_shorter(tmp_path):
    path = tmp_path / "talk.pcapng"
    talk = option(1, b"remark" * 10000)
    path.write_bytes(section() + interface() + enhanced(b"x" * 70, options=talk) + enhanced(b"y"))
    assert [frame.octets for frame in read_frames(path, chunk_octets=64)] == [b"x" * 70, b"y"]


def unpadded(octets: bytes) -> bytes:
    """An enhanced packet block whose writer padded the block but left the padding out of both lengths."""
    whole = enhanced(octets)
    length = struct.pack("<I", len(whole) - (-len(octets) % 4))
    return whole[:4] + length + whole[8:-4] + length


def test_a_block_length_without_the_padding_is_rounded_up(tmp_path):
    path = tmp_path / "unpadded.pcapng"
    path.write_bytes(section() + interface() + unpadded(b"12345") + enhanced(b"next"))
    assert [frame.octets for frame in read_frames(path)] == [b"12345", b"next"]


def with_trailer(whole: bytes, length: int) -> bytes:
    return whole[:-4] + struct.pack("<I", length)


def packet_head(number: int, captured: int) -> bytes:
    return struct.pack("<IIIII", number, 0, 0, captured, captured)


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (struct.pack("<IIII", 6, 8, 0, 0), "block length"),
        (struct.pack("<IIII", CUSTOM, 0, 0, 0), "block length"),
        (struct.pack("<IIII", 6, 0xFFFFFFF0, 0, 0), "block length"),
        (block(6, bytes(8)), "block length"),
        (block(3, b""), "block length"),
        (with_trailer(enhanced(b"x"), 44), "lengths disagree"),
        (with_trailer(block(CUSTOM, b"four"), 0), "lengths disagree"),
        (with_trailer(block(CUSTOM, bytes(4000)), 0), "lengths disagree"),
        (with_trailer(interface(), 0), "lengths disagree"),
        (block(1, bytes(4)), "block length"),
        (enhanced(b"x", number=3), "not described"),
        (obsolete(b"x", number=1), "not described"),
        (block(6, packet_head(0, 5) + b"four"), "captured length"),
        (block(6, packet_head(0, 262148) + bytes(262148)), "captured length"),
        (simple(bytes(262148)), "captured length"),
        (section(version=(2, 0)), "version 2.0 is not supported"),
        (block(0x0A0D0D0A, bytes(16)), "no byte order"),
        (section() + enhanced(b"x"), "not described"),
        (section() + simple(b"x"), "not described"),
    ],
    ids=lambda value: value if isinstance(value, str) else "octets",
)
@pytest.mark.parametrize("chunk_octets", [64, 1 << 20])
def test_damage_ends_the_reading_with_the_place_and_the_reason(tmp_path, damage, reason, chunk_octets):
    path = tmp_path / "damaged.pcapng"
    good = section() + interface() + enhanced(b"good")
    path.write_bytes(good + damage + enhanced(b"lost"))
    offset = len(good) + (len(section()) if damage.startswith(section()) else 0)
    with open_capture(str(path), chunk_octets=chunk_octets) as capture:
        assert [frame.octets for frame in listed(capture)] == [b"good"]
        assert reason in capture.problem
        assert f"in the block at offset {offset}, after 1 packets" in capture.problem
        assert "\n" not in capture.problem


def test_frames_of_other_link_types_are_handed_over_and_counted(tmp_path):
    path = tmp_path / "mixed.pcapng"
    blocks = [enhanced(b"usb", number=0), enhanced(b"ether", number=1), enhanced(b"usb", number=0)]
    path.write_bytes(section() + interface(220) + interface(1) + b"".join(blocks) * 5)
    with open_capture(str(path), batch_frames=4) as capture:
        assert [frame.link_type for frame in listed(capture)] == [220, 1, 220] * 5
        assert capture.unsupported == {220: 10}


def test_a_file_without_a_supported_interface_is_refused_by_name(tmp_path):
    path = tmp_path / "usb.pcapng"
    path.write_bytes(section() + interface(220) + enhanced(b"usb"))
    with pytest.raises(CaptureError, match=r"usb\.pcapng: link type 220 \(USB_LINUX_MMAPPED\) is not supported"):
        open_capture(str(path))


def test_an_interface_of_an_earlier_section_does_not_count(tmp_path):
    path = tmp_path / "sections.pcapng"
    path.write_bytes(section() + interface(1) + section() + interface(220) + enhanced(b"usb"))
    with pytest.raises(CaptureError, match=r"link type 220 \(USB_LINUX_MMAPPED\) is not supported"):
        open_capture(str(path))


def test_a_file_without_packets_is_whole(tmp_path):
    path = tmp_path / "none.pcapng"
    path.write_bytes(section() + interface(220) + block(STATISTICS, pad(b"none")))
    assert read_frames(path) == []


def test_an_option_of_a_wrong_length_is_passed_over(tmp_path):
    path = tmp_path / "options.pcapng"
    wrong = option(9, b"\x09\x09") + option(14, b"1234") + struct.pack("<HH", 2, 60000)
    path.write_bytes(section() + block(1, struct.pack("<HHI", 1, 0, 0) + wrong) + enhanced(b"x", 5))
    assert read_frames(path)[0].time_ns == 5000
