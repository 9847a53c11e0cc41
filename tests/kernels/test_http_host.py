"""The host of HTTP requests, against a twin that splits lines, and against Python's own parser of messages."""

from __future__ import annotations

import email.parser

import numpy as np
import pytest
from frames import modest, read_only
from hypothesis import given
from hypothesis import strategies as st

from classifier.kernels.http import IS_CONNECT, http_name
from classifier.kernels.jit import kernel
from classifier.kernels.names import RAW_AT, SCRATCH_OCTETS
from classifier.kernels.tls import LENGTH_MASK, NEED_MORE, NO_NAME, NOT_THIS, TWO_HOSTS

SCRATCH = np.zeros(SCRATCH_OCTETS, np.uint8)


@kernel
def find_name(data, start, end, scratch, final):
    return http_name(data, start, end, scratch, final)


def host_of(octets: bytes, final=0, behind=b""):
    """(name, flags), or the status."""
    found = find_name(read_only(b"Host: x\n" + octets + behind), 8, 8 + len(octets), SCRATCH, final)
    if found <= 0:
        return found
    return SCRATCH[RAW_AT : RAW_AT + (found & LENGTH_MASK)].tobytes().decode("latin-1"), found & ~LENGTH_MASK


def request(*lines: str, target="/", end="\r\n") -> bytes:
    return (end.join([f"GET {target} HTTP/1.1", *lines, "", ""])).encode("latin-1")


def twin(octets: bytes):
    """The hosts of a whole request, by splitting: (first, whether another differs)."""
    lines = octets.split(b"\n\n")[0].replace(b"\r", b"").split(b"\n")
    hosts = [line[5:].strip(b" \t").decode("latin-1").lower() for line in lines[1:] if line[:5].lower() == b"host:"]
    return (hosts[0], TWO_HOSTS if len(set(hosts)) > 1 else 0) if hosts else NO_NAME


header = st.one_of(
    st.sampled_from(
        ["Host: a.example", "hOST:b.example", "host:\tA.example \t", "Host: c.example:8080", "X-Host: d", "Hosts: e"]
    ),
    st.from_regex(r"\A[A-Za-z-]{1,12}: ?[ -~]{0,20}\Z"),
)


@modest(300)
@given(st.lists(header, max_size=6), st.sampled_from(("\r\n", "\n")))
def test_the_host_is_the_one_that_splitting_finds(lines, end):
    octets = request(*lines, end=end)
    if "Host" not in "".join(lines) and "host" not in "".join(lines).lower():
        assert host_of(octets) == NO_NAME
        return
    expected = twin(octets.replace(b"\r\n", b"\n"))
    found = host_of(octets)
    assert (found if isinstance(found, int) else (found[0], found[1])) == expected


@modest(100)
@given(st.lists(st.sampled_from(["Accept: */*", "Host: a.example", "HOST: b.example", "Cookie: host: z"]), max_size=5))
def test_pythons_parser_of_messages_finds_the_same_hosts(lines):
    octets = request(*lines)
    message = email.parser.BytesParser().parsebytes(octets.split(b"\r\n", 1)[1])
    hosts = message.get_all("host") or []
    expected = (hosts[0], TWO_HOSTS if len(set(hosts)) > 1 else 0) if hosts else NO_NAME
    assert host_of(octets) == expected


def test_a_request_cut_anywhere_needs_more():
    octets = request("Accept: */*", "Host: www.alpha.example", "Cookie: a=b")
    for size in range(1, len(octets)):
        assert host_of(octets[:size], behind=octets[size:]) == NEED_MORE, size
        last = host_of(octets[:size], final=1, behind=octets[size:])
        if size > octets.index(b"\r\nCookie") + 1:
            assert last == ("www.alpha.example", 0)
        else:
            assert last == NO_NAME
    assert host_of(octets) == ("www.alpha.example", 0)


TARGETS = [
    ("http://b.example/x", "b.example"),
    ("HTTP://B.example:8080/x", "b.example:8080"),
    ("http://user:pass@b.example?q", "b.example"),
    ("http://a.example@b.example/", "b.example"),
]


@pytest.mark.parametrize(("target", "expected"), TARGETS)
def test_the_authority_of_an_absolute_uri_wins_over_host(target, expected):
    """RFC 9112, 3.2.2; trick 2."""
    assert host_of(request("Host: a.example", target=target)) == (expected, 0)
    assert host_of(request("X-Online-Host: a.example", target=target)) == (expected, TWO_HOSTS)
    assert host_of(request("Host: b.example", target=target)) == (expected, 0)
    assert host_of(request(target=target)) == (expected, 0)


@pytest.mark.parametrize("target", ["/http://b.example/", "*", "https:b.example", "http:///x"])
def test_a_target_that_is_no_absolute_uri_leaves_the_name_to_host(target):
    assert host_of(request("Host: a.example", target=target)) == ("a.example", 0)


def test_connect_is_marked():
    octets = b"CONNECT www.alpha.example:443 HTTP/1.1\r\nHost: other.example\r\n\r\n"
    assert host_of(octets) == ("www.alpha.example:443", IS_CONNECT)


@pytest.mark.parametrize(
    "lines", [("Host: a.example", "Host: b.example"), ("host: b.example", "X: y", "HOST: a.example")]
)
def test_two_hosts_that_differ_contradict_and_two_that_do_not_do_not(lines):
    """Trick 6, free first or free last."""
    assert host_of(request(*lines))[1] == TWO_HOSTS
    assert host_of(request(lines[0], lines[0]))[1] == 0


@pytest.mark.parametrize("fold", [" b.example", "\tb.example"])
def test_a_host_that_goes_on_in_the_next_line_is_not_taken_for_its_first_line(fold):
    """Trick 6, obs-fold (RFC 9112, 5.2): whoever unfolds reads another host."""
    found = host_of(request("Host: a.example", fold))
    assert isinstance(found, int) or found[1] == TWO_HOSTS or found[0] != "a.example"


LIKE_HOST = ["Host : {}", "Host\t: {}", "X-Online-Host: {}", "x-online-HOST:{}", "X-Online-Host : {}"]


@pytest.mark.parametrize("line", [*LIKE_HOST, " Host: {}"])
def test_what_only_looks_like_host_is_not_host(line):
    assert host_of(request(line.format("b.example"))) == NO_NAME


@pytest.mark.parametrize("line", LIKE_HOST)
@pytest.mark.parametrize("first", [0, 1])
def test_what_some_readers_take_for_host_must_not_name_another(line, first):
    """Trick 2: a WAP gateway goes to X-Online-Host; blanks before the colon are forgiven by some (RFC 9112, 5.1)."""
    for name, flags in (("b.example", TWO_HOSTS), ("A.example.:80", 0)):
        lines = ["Host: a.example", "Accept: */*"]
        lines.insert(2 * first, line.format(name))
        assert host_of(request(*lines)) == ("a.example", flags)


def test_a_blank_behind_the_request_line_makes_the_name_doubtful():
    """RFC 9112, 2.2: such lines are to be left out, and not every server does."""
    assert host_of(request(" Host: b.example", "Host: a.example")) == ("a.example", TWO_HOSTS)


@pytest.mark.parametrize(
    "line", ["Hosts: b.example", "X-Host: b.example", "Host b.example", "X-Online-Hosts: b", "Host"]
)
def test_other_fields_are_no_names(line):
    assert host_of(request(line, "Host: a.example")) == ("a.example", 0)


def test_the_preface_of_http2_has_no_name():
    """RFC 9113, 3.4: the names that follow are compressed. So some are still to come, and none at the end."""
    assert host_of(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n") == NEED_MORE
    assert host_of(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", final=1) == NO_NAME
    assert host_of(b"PUT * HTTP/2.0\r\n\r\nSM\r\n\r\n") == NOT_THIS


@pytest.mark.parametrize(
    "octets",
    [
        b"GET / HTTP/2.0\r\nHost: a\r\n\r\n",
        b"GET /\r\nHost: a\r\n\r\n",
        b"\x16\x03\x01\0\0\x01",
        b"get / HTTP/1.1\r\n\r\n",
        b"ABCDEFGHIJKLMNOPQRSTUVWXYZ / HTTP/1.1\r\n",
    ],
)
def test_what_is_no_request_is_not_this(octets):
    assert host_of(octets) == NOT_THIS


@modest(400)
@given(
    st.binary(max_size=80),
    st.sampled_from((b"", b"GET ", b"GET / HTTP/1.1\r\n", b"PROXY ", b"CONNECT ", b"GET http:")),
    st.booleans(),
)
def test_any_octets_are_survived_and_read_the_same_whatever_follows(octets, head, final):
    whole = head + octets
    assert host_of(whole, int(final)) == host_of(whole, int(final), behind=b"\nHost: evil.example\r\n\r\n")
