"""Names folded as accounting 2.5 words it, against a plain twin; and the table that keeps each name once."""

from __future__ import annotations

import re
from ipaddress import ip_address

import numpy as np
import pytest
from frames import modest, read_only
from hypothesis import given
from hypothesis import strategies as st

from classifier.kernels.jit import kernel
from classifier.kernels.names import FOLDED_AT, RAW_AT, SCRATCH_OCTETS, SHOWN_OCTETS, fold_name, keep_raw

SCRATCH = np.zeros(SCRATCH_OCTETS, np.uint8)


@kernel
def fold(scratch, data):
    octets = keep_raw(scratch, data, 0, data.shape[0])
    return octets, fold_name(scratch, octets)


def folded(name: bytes) -> str | None:
    octets, length = fold(SCRATCH, read_only(name))
    assert octets == min(len(name), SHOWN_OCTETS)
    shown = SCRATCH[RAW_AT : RAW_AT + octets].tobytes()
    assert shown == re.sub(rb"[A-Z]", lambda letter: letter[0].lower(), name[:SHOWN_OCTETS])
    return SCRATCH[FOLDED_AT : FOLDED_AT + length].tobytes().decode() if length else None


def twin(name: bytes) -> str | None:
    """Lower case, one port and one trailing dot dropped; labels of 1 to 63 letters, digits, - and _; no address."""
    try:
        text = name.decode("ascii").lower()
    except UnicodeDecodeError:
        return None
    text = re.sub(r":[0-9]+\Z", "", text).removesuffix(".")
    labels = text.split(".")
    if not 1 <= len(text) <= 253 or not all(re.fullmatch(r"[a-z0-9_-]{1,63}", label) for label in labels):
        return None
    return None if labels[-1].isdigit() else text


label = st.from_regex(r"\A[A-Za-z0-9_-]{1,64}\Z") | st.sampled_from(["", "1", "255", "x" * 63, "x" * 64])
names = st.builds(
    lambda labels, dot, port: (".".join(labels) + dot + port).encode(),
    st.lists(label, min_size=1, max_size=6),
    st.sampled_from(["", ".", ".."]),
    st.sampled_from(["", ":80", ":", ":80:80", ":x"]),
)


@modest(600)
@given(names | st.binary(max_size=20) | st.text("aA.:-_1\0 /é", max_size=12).map(str.encode))
def test_folding_is_that_of_the_twin(name):
    if name:
        assert folded(name) == twin(name)


@pytest.mark.parametrize("length", [252, 253, 254, 255, 300, 511, 512, 513, 600])
def test_the_longest_names_are_no_longer_than_dns_allows(length):
    """RFC 1035, 2.3.4: 255 octets in the wire format are 253 as text."""
    name = ("x" * 49 + ".").encode() * 20
    name = name[: length - 1] + b"y"
    assert (folded(name) is not None) == (length <= 253) == (twin(name) is not None)


@modest(150)
@given(st.integers(0, 2**32 - 1), st.integers(0, 2**128 - 1), st.sampled_from(("", ":443", ".")))
def test_an_address_is_never_a_name(v4, v6, behind):
    """Trick 5."""
    assert folded(str(ip_address(v4)).encode() + behind.encode()) is None
    address = ip_address(2**127 | v6)
    assert folded(f"[{address}]{behind}".encode()) is None
    assert folded(str(address).encode()) is None


@pytest.mark.parametrize(
    "name",
    [
        b"www.alpha.example\0",
        b"www.alpha.example\0.evil.example",
        b"www alpha.example",
        b".alpha.example",
        b"a..b",
        b".",
    ],
)
def test_what_is_no_host_name_is_no_evidence(name):
    assert folded(name) is None


@pytest.mark.parametrize(
    "name", [b"WWW.Alpha.EXAMPLE", b"www.alpha.example.", b"www.alpha.example:8080", b"www.alpha.example.:80"]
)
def test_case_trailing_dot_and_port_make_no_difference(name):
    assert folded(name) == "www.alpha.example"
