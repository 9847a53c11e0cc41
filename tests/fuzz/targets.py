"""What a guided fuzzer calls with any octets, and the rule that must hold: an exception is a find.

Each of TARGETS takes octets and returns nothing. They are for interpreted kernels (NUMBA_DISABLE_JIT=1): there a read
outside a buffer is seen.
"""

from __future__ import annotations

import io
import os
import struct
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
from examples import guarded, guarded_batch, unpack
from fuzzed import ROOMY, TIGHT, outcome
from sessions import try_session

from classifier.capture.files import open_capture
from classifier.catalogue.load import load_catalogue
from classifier.configuration import DHCP_IDENTITIES, RADIUS_IDENTITIES, load_configuration
from classifier.errors import CaptureError, ConfigurationError
from classifier.kernels.dns import ANSWER, ANSWERS, dns_begins, read_answers, read_question
from classifier.kernels.http import http_name, line_end, proxy_octets
from classifier.kernels.http_framing import body_octets, chunk_octets, head_end
from classifier.kernels.names import RAW_AT, SCRATCH_OCTETS, SHOWN_OCTETS, fold_name
from classifier.kernels.tls import NEED_MORE, handshake_name, tls_name
from classifier.reports.words import printable
from classifier.subscribers.bindings import Bindings
from classifier.subscribers.load import load_subscribers
from classifier.subscribers.watch import WATCHED_PORTS, Watch
from classifier.validation import network

NOISES = (b"\x00", b"\n", b"\xff")
EVERYWHERE = (network("0.0.0.0/0"), network("::/0"))
CHUNKS_OCTETS = (1 << 9, 1 << 21)
DATAGRAM_HEAD = struct.Struct("<BBBBH")  # both ports as places in PORTS, addresses, seconds, octets
PORTS = (*sorted(WATCHED_PORTS), 40_000)
SETTINGS = ("freeflow.toml", "apps/example.toml", "programmes/example.toml", "subscribers.csv")


def try_frames(data: bytes) -> None:
    """The meter: each octet has one place, and frames one by one in buffers of their own give what they give at once."""
    frames = unpack(data)
    limits = TIGHT if len(data) & 1 else ROOMY
    one_by_one = outcome(frames, 1, 99, limits, listed=guarded_batch)
    assert one_by_one == outcome(frames, 4096, 1, limits), "the batch or the seed shows"


def try_capture(data: bytes) -> None:
    """A capture file: refused on one line, or read the same whatever the batch and the buffer."""
    descriptor = os.memfd_create("capture")
    try:
        os.write(descriptor, data)
        path = f"/proc/self/fd/{descriptor}"
        found = [_listed(path, *sizes) for sizes in zip((1, 4096), CHUNKS_OCTETS, strict=True)]
        assert found[0] == found[1], "the batch or the buffer shows"
    finally:
        os.close(descriptor)


def _listed(path: str, batch_frames: int, chunk_octets: int) -> tuple:
    frames = []
    try:
        with open_capture(path, batch_frames=batch_frames, chunk_octets=chunk_octets, read_ahead=False) as capture:
            for piece in capture:
                for frame in piece.frames:
                    octets = bytes(piece.buffer[frame.offset : frame.offset + frame.captured_octets])
                    assert len(octets) == frame.captured_octets, "the list points outside the buffer"
                    frames.append((int(frame.time_ns), octets, int(frame.wire_octets), int(frame.link_type)))
            _check_line(capture.problem or "none")
            return frames, capture.problem, sorted(capture.unsupported.items())
    except CaptureError as error:
        _check_line(str(error))
        return frames, str(error), []


def try_names(data: bytes) -> None:
    """Each reader of names: what it finds does not depend on octets around it, nor on those that come after the name."""
    if len(data) < 3:
        return
    last = len(data) - 2
    cuts = {last, 1 + data[0] % last, 1 + (data[-1] * last >> 8)}
    noise = NOISES[data[0] % len(NOISES)]
    data = data[1:]
    for read in (_tls, _handshake, _http):
        found = _around(read, data, noise, True)
        early = _around(read, data, noise, False)
        assert early == found or early[0] == NEED_MORE
        for cut in cuts:
            part = _read(read, b"", data[:cut], b"", False)
            assert part[0] == NEED_MORE or part == early, "octets that came later changed a name"
    for read in (_dns, _lines):
        _around(read, data, noise, True)


def _around(read: Callable, data: bytes, noise: bytes, final: bool) -> tuple:
    """What `read` makes of octets in a buffer of their own, and between others."""
    found = _read(read, b"", data, b"", final)
    if read is not _handshake:  # it stands at the begin of its buffer
        assert _read(read, noise * 7, data, noise * 9, final) == found, "octets outside were read"
    return found


def _read(read: Callable, before: bytes, data: bytes, behind: bytes, final: bool) -> tuple:
    scratch = np.zeros(SCRATCH_OCTETS, np.uint8)
    return read(guarded(before + data + behind), len(before), len(before) + len(data), scratch, final)


def _tls(buffer, start, end, scratch, final) -> tuple:
    return _named(scratch, tls_name(buffer, start, end, scratch, final))


def _handshake(buffer, start, end, scratch, final) -> tuple:
    return _named(scratch, handshake_name(buffer, end, scratch, final))


def _http(buffer, start, end, scratch, final) -> tuple:
    return _named(scratch, http_name(buffer, start, end, scratch, final))


def _named(scratch: np.ndarray, status: int) -> tuple:
    status = int(status)
    if status <= 0:
        return status, b""
    octets = status & 0xFFFF
    assert octets <= SHOWN_OCTETS
    return status, scratch[RAW_AT : RAW_AT + octets].tobytes(), int(fold_name(scratch, octets))


def _dns(buffer, start, end, scratch, _final) -> tuple:
    if not dns_begins(buffer, start, end - start):
        return ()
    octets, kind, position = read_question(buffer, start, end, scratch)
    question = (int(octets), int(kind), int(position) - start, scratch[RAW_AT : RAW_AT + octets].tobytes())
    if octets <= 0:
        return question
    answers = np.zeros(ANSWERS, ANSWER).view(np.recarray)
    count = int(read_answers(buffer, start, end, position, answers, scratch, np.uint64(7), np.uint64(9)))
    for entry in answers[: max(count, 0)]:
        assert start <= entry.position <= entry.position + entry.octets <= end
        entry.position -= start
    return question, count, answers[: max(count, 0)].tolist()


def _lines(buffer, start, end, _scratch, _final) -> tuple:
    line = int(line_end(buffer, start, end))
    head = int(head_end(buffer, start, end))
    assert head == -1 or start < head <= end
    body = int(body_octets(buffer, start, head)) if head > line + 1 and line > start + 1 else None
    chunk = int(chunk_octets(buffer, start, line)) if line < end else None
    return line - start, head - start if head >= 0 else head, body, chunk, int(proxy_octets(buffer, start, end))


def try_bindings(data: bytes) -> None:
    """RADIUS and DHCP datagrams one after the other: nothing raises, and no bound is passed."""
    names = {"radius_identities": RADIUS_IDENTITIES, "dhcp_identities": DHCP_IDENTITIES}
    bindings = Bindings(("one", "two"), capacity=4, **names)
    watch = Watch(bindings, radius_servers=EVERYWHERE, dhcp_servers=EVERYWHERE, secret=b"s" if len(data) & 1 else None)
    stream, time_ns = io.BytesIO(data), 0
    while len(head := stream.read(DATAGRAM_HEAD.size)) == DATAGRAM_HEAD.size:
        source_port, destination_port, ends, seconds, octets = DATAGRAM_HEAD.unpack(head)
        time_ns += seconds * 10**9
        version = 6 if ends & 1 else 4
        source, destination = 0x0A000001 + (ends >> 1 & 3), 0x0A000001 + (ends >> 3 & 3)
        ports = PORTS[source_port % len(PORTS)], PORTS[destination_port % len(PORTS)]
        for change in watch.observe(time_ns, version, source, destination, *ports, stream.read(octets)):
            assert -1 <= change.subscriber_number <= bindings.last_number
    for text, count in watch.notices():
        assert count > 0, text


def datagram(version: int, source_port: int, destination_port: int, payload: bytes) -> bytes:
    """A datagram as the octets of an example, a second after the one before, from one address to itself."""
    places = PORTS.index(source_port), PORTS.index(destination_port)
    return DATAGRAM_HEAD.pack(*places, version == 6, 1, len(payload)) + payload


def try_settings(data: bytes) -> None:
    """A file of the operator's: read, or refused with one line for each mistake that names the file."""
    if not data:
        return
    place = SETTINGS[data[0] % len(SETTINGS)]
    with tempfile.TemporaryDirectory(dir=_memory()) as folder:
        root = Path(folder)
        for name in ("apps", "programmes"):
            (root / name).mkdir()
        (root / place).write_bytes(data[1:])
        for line in _refused(root, place):
            _check_line(line)


def _refused(root: Path, place: str) -> tuple[str, ...]:
    """The mistakes that are found in a file, none where it is taken."""
    try:
        if place == "freeflow.toml":
            load_configuration(root / place)
        elif place == "subscribers.csv":
            load_subscribers(root / place)
            load_subscribers(root / place, bound=True)
        else:
            load_catalogue([root])
    except ConfigurationError as error:
        return error.problems or ("",)
    return ()


@cache
def _memory() -> str | None:
    return "/dev/shm" if os.path.isdir("/dev/shm") else None


def _check_line(text: str) -> None:
    assert text.strip()
    assert printable(text).isprintable(), f"not one line: {text!r}"


TARGETS: dict[str, Callable[[bytes], None]] = {
    "frames": try_frames,
    "session": try_session,
    "capture": try_capture,
    "names": try_names,
    "bindings": try_bindings,
    "settings": try_settings,
}
