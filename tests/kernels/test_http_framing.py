"""Where the body of a request and a chunk end, against h11 where both are sure, and against RFC 9112 where it is strict."""

from __future__ import annotations

import h11
import pytest
from frames import modest, read_only
from hypothesis import given
from hypothesis import strategies as st

from classifier.kernels.http_framing import CHUNKED, UNCLEAR, body_octets, chunk_octets, head_end
from classifier.kernels.jit import kernel

BEFORE = b"Content-Length: 77\r\n\r\n"


@kernel
def find_end(data, start, end):
    return head_end(data, start, end)


@kernel
def find_body(data, start, end):
    return body_octets(data, start, end)


@kernel
def find_chunk(data, start, line):
    return chunk_octets(data, start, line)


def body_of(octets: bytes, behind=b"") -> int:
    return find_body(read_only(BEFORE + octets + behind), len(BEFORE), len(BEFORE) + len(octets))


def chunk_of(line: bytes, behind=b"\n55\r\n") -> int:
    """Of a size line without its line feed."""
    return find_chunk(read_only(BEFORE + line + b"\n" + behind), len(BEFORE), len(BEFORE) + len(line))


def head(*fields: str, version="1.1", end="\r\n") -> bytes:
    return end.join([f"POST / HTTP/{version}", "Host: a.example", *fields, "", ""]).encode("latin-1")


def h11_framing(octets: bytes) -> int:
    """What h11 makes of a whole head: the length it waits for, CHUNKED, or UNCLEAR where it refuses."""
    connection = h11.Connection(h11.SERVER)
    try:
        connection.receive_data(octets)
        request = connection.next_event()
    except h11.RemoteProtocolError:
        return UNCLEAR
    assert isinstance(request, h11.Request)
    fields = dict(request.headers)
    if b"transfer-encoding" in fields:
        return CHUNKED
    return int(fields.get(b"content-length", 0))


numbers = st.one_of(
    st.integers(0, 10**15 - 1).map(str), st.sampled_from(("", "-1", "+1", "1 1", "0x1", "1,1", "00012", "1e3"))
)
fields = st.one_of(
    st.builds(
        "{}:{}{}{}".format,
        st.sampled_from(("Content-Length", "CONTENT-LENGTH")),
        st.sampled_from(("", " ", "\t ")),
        numbers,
        st.sampled_from(("", " ", "\t")),
    ),
    st.sampled_from(
        ("Transfer-Encoding: chunked", "transfer-encoding:Chunked ", "Transfer-Encoding: gzip", "Accept: */*")
    ),
    st.sampled_from(("X-Content-Length: 9", "Content-Lengths: 9", "Content-Length-X: 8", "Content: 4")),
)


@modest(400)
@given(st.lists(fields, max_size=3))
def test_h11_waits_for_the_same_body(lines):
    octets = head(*lines)
    expected = h11_framing(octets)
    names = [line.split(":")[0].lower() for line in lines]
    if "transfer-encoding" in names and "content-length" in names:
        expected = UNCLEAR  # h11 lets chunked win; RFC 9112, 6.1 tells others to refuse it
    if any(line.endswith(":1,1") or ": 1,1" in line or "\t 1,1" in line for line in lines):
        expected = UNCLEAR  # h11 accepts a list of equal lengths (RFC 9110, 8.6)
    assert body_of(octets, b"Transfer-Encoding: chunked\r\n") == expected


@pytest.mark.parametrize("end", ["\r\n", "\n"])
def test_the_length_is_found_with_either_end_of_line(end):
    assert body_of(head("Content-Length: 12", end=end)) == 12
    assert body_of(head("Content-Length: 12", "Content-Length: 12", end=end)) == 12
    assert body_of(head("Transfer-Encoding: chunked", end=end)) == CHUNKED
    assert body_of(head(end=end)) == 0


@pytest.mark.parametrize(
    "lines",
    [
        ("Content-Length: 5", "Content-Length: 6"),
        ("Content-Length: 5", "Transfer-Encoding: chunked"),
        ("Transfer-Encoding: chunked", "Content-Length: 5"),
        ("Transfer-Encoding: chunked, chunked",),
        ("Transfer-Encoding: chunked", "Transfer-Encoding: chunked"),
        ("Content-Length : 5",),
        ("Content-Length\t: 5",),
        ("Transfer-Encoding : chunked",),
        ("Content-Length: 5", " 5"),
        ("Content-Length:", " 5"),
        ("Transfer-Encoding:", "\tchunked"),
        ("Content-Length: " + "9" * 16,),
    ],
)
def test_what_readers_differ_about_is_unclear(lines):
    """RFC 9112, 5.1, 5.2, 6.1, 6.3."""
    assert body_of(head(*lines)) == UNCLEAR


def test_a_folded_line_behind_another_field_is_no_length():
    assert body_of(head("Accept: x", " Content-Length: 5", "Content-Length: 7")) == 7


def test_a_blank_behind_the_request_line_is_unclear():
    assert body_of(b"POST / HTTP/1.1\r\n Content-Length: 5\r\nHost: a\r\n\r\n") == UNCLEAR


def test_chunks_are_unclear_in_http_1_0():
    """RFC 9112, 6.1: HTTP/1.0 has none."""
    assert body_of(head("Transfer-Encoding: chunked", version="1.0")) == UNCLEAR
    assert body_of(head("Content-Length: 3", version="1.0")) == 3


@modest(200)
@given(
    st.integers(0, 16**13 - 1),
    st.sampled_from(("{:x}", "{:X}", "{:013x}")),
    st.sampled_from(("", ";a=b", " ;a", "\t", '; q="x"')),
)
def test_the_size_of_a_chunk_is_hexadecimal(size, form, behind):
    assert chunk_of((form.format(size) + behind + "\r").encode()) == size


@pytest.mark.parametrize(
    "line", [b"", b"\r", b"5", b" 5\r", b"+5\r", b"0x5\r", b"5 5\r", b"5g\r", b"1" * 14 + b"\r", b"-1\r", b";a\r"]
)
def test_what_is_no_size_is_unclear(line):
    assert chunk_of(line) == UNCLEAR


@modest(200)
@given(
    st.lists(st.sampled_from((b"A: b", b"", b"\r", b" x", b"GET / HTTP/1.1")), max_size=6),
    st.sampled_from((b"\r\n", b"\n")),
)
def test_a_head_ends_behind_its_first_empty_line(lines, end):
    octets = end.join(lines) + end
    position = 0
    for line in octets.split(b"\n")[:-1]:
        position += len(line) + 1
        if line in (b"", b"\r"):
            break
    else:
        position = -1 - len(BEFORE)
    assert (
        find_end(read_only(BEFORE + octets + b"\n\n"), len(BEFORE), len(BEFORE) + len(octets)) == len(BEFORE) + position
    )


@modest(200)
@given(
    st.binary(max_size=60),
    st.sampled_from((b"", b"POST / HTTP/1.1\r\n", b"POST / HTTP/1.1\r\nContent-Length:", b"A\r\nTransfer-Encoding:")),
)
def test_any_octets_are_survived_and_read_the_same_whatever_follows(octets, start):
    whole = start + octets + b"\n\n"
    assert body_of(whole) == body_of(whole, behind=b"Content-Length: 3\r\n\r\n")
