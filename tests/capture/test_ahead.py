"""Reading ahead in a second thread changes nothing that is reported, and leaves no thread behind.

What is expected is the same file read without the thread, whose own answers the other tests of this room compare with
scapy's and tshark's, or worked out by hand.
"""

from __future__ import annotations

import errno
import gc
import gzip
import io
import os
import random
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from capture_bytes import block, enhanced, interface, listed, obsolete, pcap_header, pcap_record, section

from classifier.capture import files
from classifier.capture.ahead import ReadAhead
from classifier.capture.batch import BATCH_FRAMES
from classifier.capture.files import CHUNK_OCTETS, CaptureFile, open_capture
from classifier.capture.stream import RawStream
from classifier.errors import CaptureError

BUNDLED = sorted(Path(__file__).resolve().parents[2].joinpath("pcaps").rglob("*.pcap*"))
PCAP = pcap_header() + b"".join(pcap_record(bytes([n]) * (7 * n % 90), n, n) for n in range(1, 16))
PCAPNG = b"".join(
    [
        *(section(), interface(), enhanced(b"first", 1), block(0x0BAD, bytes(400)), obsolete(b"old" * 9, 2)),
        *(section(">"), interface(order=">"), block(0x0BAD, bytes(33), ">"), enhanced(b"last" * 9, 3, order=">")),
    ]
)
FORMS = {
    "pcap": PCAP,
    "pcapng": PCAPNG,
    "gzip": gzip.compress(PCAP[:300]) + gzip.compress(b"") + gzip.compress(PCAP[300:]) + bytes(100),
    "gzip-pcapng": gzip.compress(PCAPNG),
}


@pytest.fixture(autouse=True)
def no_thread_is_left():
    yield
    assert readers() == []


def readers() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "read-ahead"]


def outcome(path, **options):
    """All that a capture tells: frames, or why it was refused, the problem and the octets read."""
    try:
        with open_capture(str(path), **options) as capture:
            return listed(capture), capture.problem, capture.octets_read, capture.unsupported
    except CaptureError as error:
        return str(error)


@pytest.mark.parametrize("path", BUNDLED, ids=lambda path: path.name)
@pytest.mark.parametrize(("chunk_octets", "batch_frames"), [(64, 4096), (1000, 7), (CHUNK_OCTETS, 4096)])
def test_every_bundled_capture_gives_the_same(path, chunk_octets, batch_frames):
    expected = outcome(path, read_ahead=False)
    found = outcome(path, read_ahead=True, chunk_octets=chunk_octets, batch_frames=batch_frames)
    assert found == expected
    assert len(expected[0]) > 0


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("chunk_octets", [16, 333])
def test_a_file_cut_at_any_octet_gives_the_same(tmp_path, form, chunk_octets):
    path = tmp_path / form
    threads, problems = 0, set()
    for cut in range(len(FORMS[form]) + 1):
        path.write_bytes(FORMS[form][:cut])
        expected = outcome(path, read_ahead=False)
        assert outcome(path, read_ahead=True, chunk_octets=chunk_octets) == expected
        threads += isinstance(expected, tuple)
        problems.add(expected[1])
    assert threads > 100
    assert len(problems) > 3


@pytest.mark.parametrize("chunk_octets", [64, 5000, 300_000])
def test_records_longer_than_the_buffer_or_the_room_before_it_pass(tmp_path, chunk_octets):
    path = tmp_path / "long.pcap"
    sizes = [5, 262144, 0, 40_000, 700, 262144, 262144, 1, 90_000]
    frames = [random.Random(size).randbytes(size) for size in sizes]
    path.write_bytes(pcap_header() + b"".join(pcap_record(octets) for octets in frames))
    with open_capture(str(path), chunk_octets=chunk_octets, read_ahead=True) as capture:
        assert [frame.octets for frame in listed(capture)] == frames
        assert capture.problem is None


class FailingFile(io.FileIO):
    """A file that gives an error once, behind so many octets, and would then go on."""

    def __init__(self, path, good_octets: int, error: BaseException) -> None:
        super().__init__(path)
        self.good_octets = good_octets
        self.error: BaseException | None = error

    def readinto(self, target):
        left = self.good_octets - self.tell()
        if left > 0 or self.error is None:
            return super().readinto(memoryview(target)[:left] if left > 0 else target)
        error, self.error = self.error, None
        raise error


def failing_capture(path, good_octets, error, *, read_ahead=True, chunk_octets=64) -> CaptureFile:
    stream = RawStream(FailingFile(path, good_octets, error))
    return CaptureFile(str(path), stream, BATCH_FRAMES, chunk_octets, read_ahead)


@pytest.mark.parametrize("read_ahead", [False, True])
@pytest.mark.parametrize("whole_records", [10, 11, 12, 13])
@pytest.mark.parametrize("more_octets", [0, 5])
def test_an_error_of_the_disk_ends_the_file_there(tmp_path, read_ahead, whole_records, more_octets):
    path = tmp_path / "bad-disk.pcap"
    path.write_bytes(pcap_header() + pcap_record(b"frame") * 30)
    good = 24 + 21 * whole_records
    error = OSError(errno.EIO, "Input/output error")
    with failing_capture(path, good + more_octets, error, read_ahead=read_ahead) as capture:
        assert len(listed(capture)) == whole_records
        where = f"(record {whole_records + 1} at offset {good})"
        assert capture.problem == f"{path}: cannot be read further: Input/output error {where}; metered up to there"
        assert capture.octets_read == good + more_octets
        assert listed(capture) == []


def test_what_goes_wrong_in_the_thread_is_raised_where_the_frames_are_asked_for(tmp_path):
    path = tmp_path / "file.pcap"
    path.write_bytes(PCAP)
    with failing_capture(path, 500, MemoryError("no room")) as capture:
        with pytest.raises(MemoryError, match="no room"):
            listed(capture)
        assert readers() == []


def test_a_file_that_is_cut_while_it_is_read_ends_early(tmp_path):
    path = tmp_path / "cut.pcap"
    path.write_bytes(pcap_header() + pcap_record(b"x" * 1000) * 2000)
    with open_capture(str(path), chunk_octets=4096, read_ahead=True) as capture:
        batches = iter(capture)
        count = len(next(batches).frames)
        os.truncate(path, 200_000)
        count += sum(len(batch.frames) for batch in batches)
        assert count == (200_000 - 24) // 1016
        assert f"ends inside record {count + 1} at offset {24 + 1016 * count}" in capture.problem


def test_a_batch_stays_until_the_next_one_is_asked_for(tmp_path):
    path = tmp_path / "file.pcap"
    frames = [bytes([n]) * 100 for n in range(200)]
    path.write_bytes(pcap_header() + b"".join(pcap_record(octets) for octets in frames))
    found = []
    with open_capture(str(path), chunk_octets=1000, read_ahead=True) as capture:
        for batch in capture:
            time.sleep(0.01)  # the thread fills all that it may meanwhile
            found += [batch.buffer[frame.offset :][: frame.captured_octets].tobytes() for frame in batch.frames]
    assert found == frames


def test_progress_does_not_run_ahead_of_the_frames(tmp_path):
    path = tmp_path / "file.pcap"
    path.write_bytes(pcap_header() + pcap_record(b"x" * 84) * 1000)
    handed_over, positions = 24, []
    with open_capture(str(path), chunk_octets=1000, read_ahead=True) as capture:
        for batch in capture:
            handed_over += 100 * len(batch.frames)
            positions.append(capture.octets_read)
            assert handed_over <= capture.octets_read < handed_over + 100
        assert capture.octets_read == capture.octets_total == 100_024
    assert len(positions) > 90


@pytest.fixture
def long_file(tmp_path) -> Path:
    path = tmp_path / "long.pcap"
    path.write_bytes(pcap_header() + pcap_record(b"x" * 1000) * 1000)
    return path


def test_closing_ends_the_thread_in_the_middle_of_a_file(long_file):
    with open_capture(str(long_file), chunk_octets=4096, read_ahead=True) as capture:
        batches = iter(capture)
        next(batches), next(batches)
        assert len(readers()) == 1
    assert readers() == []
    with pytest.raises(ValueError, match="closed"):
        list(batches)
    capture.close()


def test_an_error_of_the_caller_ends_the_thread(long_file):
    def meter() -> None:
        with open_capture(str(long_file), chunk_octets=4096, read_ahead=True) as capture:
            for _ in capture:
                raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        meter()
    assert readers() == []


@pytest.mark.filterwarnings("ignore::ResourceWarning")  # which is what happens here
def test_a_capture_that_nobody_closes_ends_its_thread(long_file):
    capture = open_capture(str(long_file), chunk_octets=4096, read_ahead=True)
    batches = iter(capture)
    next(batches)
    assert len(readers()) == 1
    del batches, capture
    gc.collect()
    assert readers() == []


def test_a_process_ends_though_nobody_closed(long_file):
    child = """
import sys
from classifier.capture.files import open_capture
capture = open_capture(sys.argv[1], chunk_octets=4096, read_ahead=True)
batches = iter(capture)
next(batches), print("over", flush=True)
"""
    ended = subprocess.run([sys.executable, "-c", child, str(long_file)], capture_output=True, timeout=60, check=True)
    assert ended.stdout == b"over\n"


class WaitingFile(io.FileIO):
    """A file on a disk that does not answer, behind its first octets, until it is let go."""

    def __init__(self, path) -> None:
        super().__init__(path)
        self.asked, self.let_go = threading.Event(), threading.Event()

    def readinto(self, target):
        if self.tell() > 0:
            self.asked.set()
            assert self.let_go.wait(60)
        return super().readinto(target)


def test_an_interrupt_is_heard_while_the_disk_is_waited_for(long_file):
    file = WaitingFile(long_file)

    def interrupt() -> None:
        file.asked.wait(60)
        time.sleep(0.05)
        os.kill(os.getpid(), signal.SIGINT)

    with CaptureFile("slow", RawStream(file), BATCH_FRAMES, 4096, True) as capture:
        sender = threading.Thread(target=interrupt)
        sender.start()
        with pytest.raises(KeyboardInterrupt):
            listed(capture)
        file.let_go.set()
        sender.join()
    assert readers() == []


def thread_while_reading(path) -> bool:
    with open_capture(str(path)) as capture:
        next(iter(capture))
        return bool(readers())


def test_long_gzip_files_are_unpacked_ahead_where_a_processor_is_to_spare(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1})
    packed, plain = tmp_path / "packed.pcap.gz", tmp_path / "plain.pcap"
    packed.write_bytes(gzip.compress(PCAP))
    plain.write_bytes(PCAP)
    assert not thread_while_reading(packed)
    for path in (packed, plain):
        with path.open("ab") as file:
            file.truncate(files.CHUNK_OCTETS + 2 * files.READ_AHEAD_FROM_OCTETS)
    assert thread_while_reading(packed)
    assert not thread_while_reading(plain)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {5})
    assert not thread_while_reading(packed)


def test_a_pipe_is_not_read_ahead(long_file):
    reading, writing = os.pipe()
    os.write(writing, long_file.read_bytes()[:5000])
    with CaptureFile("pipe", RawStream(io.FileIO(reading)), 1, 4096, True) as capture:
        next(iter(capture))
        assert readers() == []
    os.close(writing)


def test_without_a_thread_to_be_had_the_file_is_read_all_the_same(long_file, monkeypatch):
    def refuse(_):
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    with open_capture(str(long_file), chunk_octets=4096, read_ahead=True) as capture:
        assert len(listed(capture)) == 1000
        assert capture.problem is None


def test_pieces_are_full_but_for_the_last(tmp_path):
    class Trickle:
        """Octets 0, 1, 2 … 99, at most three at a time."""

        octets_read = 0

        def readinto(self, target):
            count = min(len(target), 3, 100 - self.octets_read)
            target[:count] = bytes(range(self.octets_read, self.octets_read + count))
            self.octets_read += count
            return count

    ahead = ReadAhead(Trickle(), buffers=2, room_octets=5, piece_octets=32)
    pieces = []
    while (piece := ahead.next_piece()) is not None:
        pieces.append((piece.octets[5 : 5 + piece.count].tobytes(), piece.octets_read))
        ahead.give_back(piece.octets)
    assert pieces == [(bytes(range(first, min(first + 32, 100))), min(first + 32, 100)) for first in (0, 32, 64, 96)]
    assert ahead.next_piece() is None
    ahead.close()
