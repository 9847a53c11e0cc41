"""Opening captures: what is no capture is refused on one line; gzip and pipes give what the plain file gives."""

from __future__ import annotations

import contextlib
import gzip
import io
import os
import struct
import subprocess
import sys
import threading
import zlib
from random import Random

import pytest
from capture_bytes import enhanced, interface, listed, pcap_header, pcap_record, read_frames, section

from classifier.capture.files import open_capture
from classifier.capture.stream import GzipStream, RawStream
from classifier.errors import CaptureError

PCAP = pcap_header() + b"".join(pcap_record(bytes([n]) * n, n, n) for n in range(1, 40))
PCAPNG = section() + interface() + b"".join(enhanced(bytes([n]) * n, n * 10**6) for n in range(1, 40))


def refusal(path) -> str:
    with pytest.raises(CaptureError) as refused:
        open_capture(str(path))
    message = str(refused.value)
    assert "\n" not in message
    assert message.startswith(f"{path}: ")
    return message


def test_a_missing_file_is_refused(tmp_path):
    assert "no such file; check the path" in refusal(tmp_path / "missing.pcap")


def test_a_directory_is_refused(tmp_path):
    assert "is a directory; name the capture files in it" in refusal(tmp_path)


@pytest.mark.parametrize(
    ("octets", "reason"),
    [
        (b"", "is empty"),
        (b"\n", "is not a capture file"),
        (b"#!/bin/sh\necho this is no capture\n", "is not a capture file"),
        (gzip.compress(b""), "unpacks to nothing"),
        (gzip.compress(b"text"), "is not a capture file"),
        (b"\x1f\x8b", "ends early"),
        (b"\x1f\x8bnot really gzip", "is damaged"),
        (b"\x28\xb5\x2f\xfd....", "zstd -d"),
        (b"\xfd7zXZ\x00..", "xz -d"),
        (b"BZh91AY", "bzip2 -d"),
        (b"snoop\x00\x00\x00\x00\x00\x00\x02", "editcap"),
        (PCAP[:23], "ends inside the pcap file header"),
        (PCAPNG[:20], "ends inside the block"),
        (pcap_header(version=(2, 5)), "version 2.5 is not supported"),
        (pcap_header(version=(1, 0)), "version 1.0 is not supported"),
        (pcap_header(magic=0xA1B2CD34), "Kuznetzov is not supported"),
        (pcap_header(network=253), "link type 253 (NETLINK) is not supported"),
        (pcap_header(network=149), "link type 149 (USER2) is not supported"),
        (pcap_header(network=60001), "link type 60001 is not supported"),
        (section(version=(2, 0)), "version 2.0 is not supported"),
    ],
    ids=lambda value: value if isinstance(value, str) else "octets",
)
def test_what_is_no_capture_is_refused_with_the_reason(tmp_path, octets, reason):
    path = tmp_path / "file.pcap"
    path.write_bytes(octets)
    assert reason in refusal(path)


def test_an_unreadable_file_is_refused(tmp_path):
    path = tmp_path / "secret.pcap"
    path.write_bytes(PCAP)
    path.chmod(0)
    if os.geteuid() == 0:
        # Root may read everything: look from a child that is somebody else.
        child = os.fork()
        if child == 0:
            status = 1
            try:
                os.setuid(65534)
                refusal(path)
                status = 0
            finally:
                os._exit(status)
        # The folder of the test belongs to root alone, which is refused the same way.
        assert os.waitpid(child, 0)[1] == 0
    else:
        assert "permission denied" in refusal(path)


def test_a_batch_size_below_one_is_an_error(tmp_path):
    path = tmp_path / "file.pcap"
    path.write_bytes(PCAP)
    with pytest.raises(ValueError):
        open_capture(str(path), batch_frames=0)


@pytest.mark.parametrize("whole", [PCAP, PCAPNG], ids=["pcap", "pcapng"])
@pytest.mark.parametrize("batch_frames", [1, 7, 4096])
def test_gzip_of_any_shape_gives_the_frames_of_the_plain_file(tmp_path, whole, batch_frames):
    plain, packed = tmp_path / "plain", tmp_path / "a-name-that-says-nothing"
    plain.write_bytes(whole)
    expected = read_frames(plain)
    assert len(expected) == 39
    members = gzip.compress(whole[:100]) + gzip.compress(b"") + gzip.compress(whole[100:])
    for octets in (gzip.compress(whole), members, members + bytes(600)):
        packed.write_bytes(octets)
        assert read_frames(packed, batch_frames=batch_frames) == expected
        assert read_frames(packed, batch_frames=batch_frames, chunk_octets=64) == expected


def test_gzip_cut_at_any_octet_gives_a_prefix_and_says_so(tmp_path):
    plain, packed = tmp_path / "plain", tmp_path / "packed"
    plain.write_bytes(PCAP)
    expected = read_frames(plain)
    octets = gzip.compress(PCAP[:400]) + gzip.compress(PCAP[400:])
    boundary = len(gzip.compress(PCAP[:400]))
    counts, refusals = [], []
    for cut in range(2, len(octets)):
        packed.write_bytes(octets[:cut])
        try:
            capture = open_capture(str(packed))
        except CaptureError as error:
            refusals.append((cut, str(error)))
            continue
        with capture:
            counts.append(len(found := listed(capture)))
            assert found == expected[: len(found)]
            # One octet of the second member does not show yet that it is gzip.
            if cut == boundary:
                assert "ends inside record" in capture.problem
            elif cut != boundary + 1:
                assert "the compressed data ends early" in capture.problem
    assert counts == sorted(counts)
    assert counts[-1] == len(expected)
    # Too little of it to unpack even the file header: refused, with the same reason.
    assert [cut for cut, _ in refusals] == list(range(2, 2 + len(refusals)))
    assert all(" ends " in message for _, message in refusals)


def test_damaged_gzip_is_metered_up_to_the_damage(tmp_path):
    path = tmp_path / "damaged"
    octets = bytearray(gzip.compress(PCAP))
    octets[-8] ^= 1  # the checksum
    path.write_bytes(octets)
    with open_capture(str(path)) as capture:
        assert len(listed(capture)) == 39
        assert "the compressed data is damaged" in capture.problem
    path.write_bytes(gzip.compress(PCAP) + b"and something else")
    with open_capture(str(path)) as capture:
        assert len(listed(capture)) == 39
        assert "not gzip" in capture.problem


def unpacked(path, piece_octets: int) -> tuple[bytes, str | None]:
    """All that a gzip file gives when it is asked for pieces of one size, and why it ended."""
    stream = GzipStream(RawStream(io.FileIO(path)), b"")
    octets, target = b"", memoryview(bytearray(piece_octets))
    while count := stream.readinto(target):
        octets += target[:count]
    stream.close()
    return octets, stream.problem


def test_what_unpacks_before_the_damage_does_not_depend_on_the_sizes_asked_for(tmp_path):
    random = Random(0)
    plain = b"".join(bytes([random.randrange(256)]) * random.randrange(1, 60) for _ in range(40))
    packed = gzip.compress(plain)
    path = tmp_path / "damaged"
    damaged = 0
    for place in range(100, len(packed)):
        octets = bytearray(packed)
        octets[place] ^= 1 << random.randrange(8)
        path.write_bytes(octets)
        # zlib itself, octet by octet; it keeps to itself the octet in whose call it finds the damage.
        unpacker, rest, expected = zlib.decompressobj(wbits=31), bytes(octets), b""
        with contextlib.suppress(zlib.error):
            while octet := unpacker.decompress(rest, 1):
                expected += octet
                rest = unpacker.unconsumed_tail
        (result,) = {unpacked(path, piece_octets) for piece_octets in (*range(1, 20), 1 << 16)}
        assert result[0][: len(expected)] == expected
        assert len(result[0]) <= len(expected) + 1
        damaged += result[1] == "the compressed data is damaged"
    assert damaged > 20


@pytest.mark.parametrize("packed", [False, True])
def test_progress_is_counted_in_octets_of_the_file_on_disk(tmp_path, packed):
    path = tmp_path / "file"
    path.write_bytes(gzip.compress(PCAP) if packed else PCAP)
    with open_capture(str(path)) as capture:
        listed(capture)
        assert capture.octets_read == capture.octets_total == path.stat().st_size
        assert capture.name == str(path)


CHILD = """
import sys
from classifier.capture.files import open_capture
with open_capture("-", batch_frames=int(sys.argv[1])) as capture:
    print(capture.name, capture.octets_total, flush=True)
    for batch in capture:
        for frame in batch.frames:
            print(int(frame.time_ns), int(frame.captured_octets), flush=True)
    print(capture.problem, flush=True)
"""


def pipe_reader(batch_frames: int) -> subprocess.Popen:
    command = [sys.executable, "-c", CHILD, str(batch_frames)]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)


def expected_lines(whole: bytes, tmp_path) -> list[str]:
    path = tmp_path / "plain"
    path.write_bytes(whole)
    return [f"{frame.time_ns} {len(frame.octets)}" for frame in read_frames(path)]


@pytest.mark.parametrize("whole", [PCAP, PCAPNG, gzip.compress(PCAP)], ids=["pcap", "pcapng", "gzip"])
@pytest.mark.parametrize("batch_frames", [7, 4096])
def test_standard_input_gives_the_frames_of_the_file(tmp_path, whole, batch_frames):
    reader = pipe_reader(batch_frames)
    shown, _ = reader.communicate(whole, timeout=120)
    lines = shown.decode().splitlines()
    assert lines == ["standard input None", *expected_lines(whole, tmp_path), "None"]
    assert reader.returncode == 0


@pytest.mark.parametrize("packed", [False, True])
def test_a_slow_pipe_is_read_as_it_comes(packed):
    """Each frame has to come out before the next one is put in."""
    packer = zlib.compressobj(wbits=31)
    reader = pipe_reader(4096)
    bound = threading.Timer(120, reader.kill)
    bound.start()

    def put(octets: bytes) -> None:
        reader.stdin.write(packer.compress(octets) + packer.flush(zlib.Z_SYNC_FLUSH) if packed else octets)
        reader.stdin.flush()

    try:
        put(pcap_header() + pcap_record(b"first", 1))
        assert reader.stdout.readline() == b"standard input None\n"
        assert reader.stdout.readline() == b"1000000000 5\n"
        for number in range(2, 6):
            record = pcap_record(b"x" * number, number)
            put(record[:9])
            put(record[9:])
            assert reader.stdout.readline() == b"%d000000000 %d\n" % (number, number)
        put(struct.pack("<I", 6))
        reader.stdin.write(packer.flush() if packed else b"")
        reader.stdin.close()
        assert b"standard input: ends inside record 6 at offset" in reader.stdout.readline()
        assert reader.wait(timeout=20) == 0
    finally:
        bound.cancel()
        reader.kill()
        reader.wait()
        reader.stdout.close()
