"""Decoding in a second thread changes nothing that is reported, overwrites nothing that waits, and leaves no thread behind.

What is expected is the same capture metered without the thread, which other tests compare with tshark and by hand, or the
octets of the file themselves.
"""

from __future__ import annotations

import contextlib
import gzip
import threading
import time
from dataclasses import replace
from pathlib import Path

import dpkt
import pytest

from classifier.capture.files import open_capture
from classifier.errors import CaptureError
from classifier.gateway import decoding
from classifier.gateway.decoding import DecodingAhead, meter_capture
from classifier.gateway.plan import load_plan
from classifier.gateway.replay import replay
from classifier.gateway.session import Session
from classifier.iana import PROTOCOL_TCP
from classifier.metering.meter import OVERFLOWS, Meter
from classifier.reports.usage_json import json_text

PCAPS = Path(__file__).resolve().parents[2] / "pcaps"
BUNDLED = sorted(PCAPS.glob("*.pcap*"))
DAY = PCAPS / "day-in-the-life.pcap"


@pytest.fixture(autouse=True)
def no_thread_is_left():
    yield
    assert [thread.name for thread in threading.enumerate() if thread.name == "decode-ahead"] == []


@pytest.fixture(scope="module")
def plan():
    return load_plan(None, zero_rate=("facebook", "wechat"))


def report(plan, path: Path, *, threads: bool, **options) -> str:
    """The report as JSON, with or without the second thread whatever the size of the file."""
    session = Session(plan, seed=7)
    with open_capture(str(path), **options) as capture:
        if threads:
            with DecodingAhead(capture, session.meter) as ahead:
                for decoded in ahead:
                    session.meter.feed_decoded(decoded.buffer, decoded.packets, decoded.count)
        else:
            for batch in capture:
                session.meter.feed(batch.buffer, batch.frames)
    session.meter.finish()
    return "".join(json_text(session.report()))


@pytest.mark.parametrize("path", BUNDLED, ids=lambda path: path.name)
@pytest.mark.parametrize(("batch_frames", "chunk_octets"), [(1, 256), (7, 4096), (4096, 2 << 20)])
def test_reports_are_those_without_the_thread(plan, path, batch_frames, chunk_octets):
    options = {"batch_frames": batch_frames, "chunk_octets": chunk_octets}
    assert report(plan, path, threads=True, **options) == report(plan, path, threads=False)


@pytest.mark.parametrize("chunk_octets", [256, 4096])
def test_packed_captures_too(plan, tmp_path, chunk_octets):
    packed = tmp_path / "day.pcap.gz"
    packed.write_bytes(gzip.compress(DAY.read_bytes()))
    found = report(plan, packed, threads=True, chunk_octets=chunk_octets, read_ahead=True)
    assert found == report(plan, DAY, threads=False)


def test_what_waits_to_be_metered_is_not_overwritten(plan):
    """Payloads are compared with a reading of the file by other means, late enough for the thread to have gone on."""
    expected = []
    with DAY.open("rb") as file:
        for _, frame in dpkt.pcap.Reader(file):
            internet = dpkt.ethernet.Ethernet(frame).data
            if isinstance(getattr(internet, "data", None), dpkt.tcp.TCP):
                expected.append(bytes(internet.data.data))
    session, found = Session(plan), []
    capture = open_capture(str(DAY), batch_frames=16, chunk_octets=4096)
    with capture, DecodingAhead(capture, session.meter) as ahead:
        for decoded in ahead:
            time.sleep(0.002)
            for packet in decoded.packets[: decoded.count]:
                if packet.status == 0 and packet.protocol == PROTOCOL_TCP:
                    start = int(packet.payload_start)
                    found.append(decoded.buffer[start : start + int(packet.payload_captured)].tobytes())
    shown = [payload for payload in expected if payload]
    assert len(shown) > 100
    assert [payload for payload in found if payload] == shown


def test_real_captures_are_metered_alike_by_one_worker_and_by_two(captures):
    """All that can be opened, as one input; small tables, so that bounds are gone over, too."""
    plan = load_plan(None, zero_rate=("facebook", "wechat"))
    plan = replace(plan, limits=plan.limits._replace(flows=1 << 9, streams=1 << 6, fragments=1 << 5))
    paths = []
    for path in sorted(captures.rglob("*.*cap*")):
        with contextlib.suppress(CaptureError), open_capture(str(path)):
            paths.append(str(path))
    assert len(paths) > 1000
    one, two = (replay(paths, plan, workers=workers) for workers in (1, 2))
    notices = {text for text, _ in one.report.notices}
    assert {OVERFLOWS["flows_evicted"], OVERFLOWS["streams_over"]} <= notices
    assert "".join(json_text(one.report)) == "".join(json_text(two.report))
    assert one.problems == two.problems


def test_whoever_stops_early_leaves_no_thread(plan):
    session = Session(plan)
    capture = open_capture(str(DAY), batch_frames=1, chunk_octets=256)
    with capture, DecodingAhead(capture, session.meter) as ahead:
        assert next(iter(ahead)).count == 1


def test_what_goes_wrong_in_the_thread_is_raised_here(plan, monkeypatch):
    session = Session(plan)
    with open_capture(str(DAY)) as capture:
        monkeypatch.setattr(session.meter, "decode", lambda *_: 1 // 0)
        with pytest.raises(ZeroDivisionError), DecodingAhead(capture, session.meter) as ahead:
            list(ahead)


@pytest.mark.parametrize(
    ("workers", "processors", "from_octets", "expected"),
    [(None, 1, 1, 0), (None, 2, 1, 1), (None, 2, 1 << 40, 0), (1, 2, 1, 0), (2, 1, 1 << 40, 1)],
)
def test_a_second_worker_is_taken_where_it_pays_or_is_asked_for(
    plan, monkeypatch, workers, processors, from_octets, expected
):
    monkeypatch.setattr(decoding, "DECODE_AHEAD_FROM_OCTETS", from_octets)
    monkeypatch.setattr(decoding.os, "sched_getaffinity", lambda _: set(range(processors)))
    begun = []
    monkeypatch.setattr(decoding, "DecodingAhead", lambda *arguments: begun.append(1) or DecodingAhead(*arguments))
    session = Session(plan)
    with open_capture(str(DAY)) as capture:
        read = [octets_read for octets_read in meter_capture(session.meter, capture, workers)]
    assert read[-1] == DAY.stat().st_size
    assert len(begun) == expected


def test_where_bindings_decide_one_worker_does_it_all(plan, monkeypatch):
    monkeypatch.setattr(Meter, "decodes_ahead", False)
    session = Session(plan)
    with open_capture(str(DAY)) as capture:
        monkeypatch.setattr(decoding, "DecodingAhead", lambda *_: pytest.fail("a second worker was begun"))
        for _ in meter_capture(session.meter, capture, 2):
            pass


def test_without_a_thread_to_be_had_it_goes_without(plan, monkeypatch):
    def refuse(_):
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(decoding, "DECODE_AHEAD_FROM_OCTETS", 1)
    monkeypatch.setattr(decoding.os, "sched_getaffinity", lambda _: {0, 1})
    session = Session(plan)
    with open_capture(str(DAY), chunk_octets=4096) as capture:
        monkeypatch.setattr(threading.Thread, "start", refuse)
        for _ in meter_capture(session.meter, capture):
            pass
    monkeypatch.undo()
    session.meter.finish()
    assert "".join(json_text(session.report())) == report(plan, DAY, threads=False)
