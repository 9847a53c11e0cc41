"""Every frame cut at every length: nothing is read outside it, and what counts is what the header says."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import pytest
from cut_frames import INSIDE, cases, decode_all
from decoding import Decoder
from layered import SUBSCRIBER_NETWORKS

import classifier

HERE = Path(__file__).parent
CASES = cases()
DECODER = Decoder(*SUBSCRIBER_NETWORKS)


@pytest.mark.parametrize("name", sorted(CASES))
def test_what_lies_behind_the_captured_octets_is_never_read(name):
    octets, link_type, _ = CASES[name]
    for captured in range(len(octets) + 1):
        for wire in (len(octets), captured):
            outcomes = [
                DECODER(octets, link_type, captured=captured, wire=wire, before=poison * 9, behind=poison * 99)
                for poison in (b"\0", b"\xff", b"\x45", b"\x60\x11")
            ]
            for reason, found in outcomes:
                # Where there is no IP packet the rest of the record means nothing.
                assert reason == outcomes[0][0]
                assert found["octets"] == outcomes[0][1]["octets"]
                if reason is None:
                    assert found == outcomes[0][1]


@pytest.mark.parametrize("name", sorted(name for name in CASES if "tunnel" not in name and "jumbo" not in name))
def test_a_cut_by_the_snap_length_changes_no_octet_that_counts_once_the_length_was_captured(name):
    """Accounting 1.2: the header's length, not the captured length."""
    octets, link_type, start = CASES[name]
    version = octets[start] >> 4
    header, length_end = (20, 4) if version == 4 else (40, 6)
    whole = len(octets) - start
    for captured in range(len(octets) + 1):
        reason, found = DECODER(octets, link_type, captured=captured)
        if captured >= start + header:
            assert (reason, found["octets"]) == (None, whole), captured
        else:
            assert reason in ("truncated", "not_ip"), captured
            assert found["octets"] == (whole if captured >= start + length_end else 0), captured


@pytest.mark.parametrize("name", sorted(name for name in CASES if "tunnel" in name))
def test_a_cut_tunnel_counts_the_inner_packet_or_else_the_outer_one(name):
    octets, link_type, _ = CASES[name]
    inner = len(octets) - len(INSIDE)
    version = octets[0] >> 4
    for captured in range(20 if version == 4 else 40, len(octets) + 1):
        reason, found = DECODER(octets, link_type, captured=captured)
        assert reason is None, captured
        assert found["octets"] == (len(INSIDE) if captured >= inner + 20 else len(octets)), captured


@pytest.mark.parametrize("name", sorted(name for name in CASES if "tunnel" not in name and "jumbo" not in name))
def test_a_frame_that_was_short_on_the_wire_counts_what_the_wire_held_or_is_malformed(name):
    """Accounting 1.2: a length that the frame cannot hold counts as the wire length less the link layer."""
    octets, link_type, start = CASES[name]
    version = octets[start] >> 4
    header = (octets[start] & 15) * 4 if version == 4 else 40
    for wire in range(len(octets) + 1):
        reason, found = DECODER(octets[:wire], link_type)
        if wire >= start + header:
            assert (reason, found["octets"]) == (None, wire - start), wire
        else:
            assert reason in ("malformed", "not_ip"), wire


@pytest.mark.parametrize("name", sorted(CASES))
def test_ports_are_known_as_soon_as_they_were_captured_and_payload_never_leaves_the_frame(name):
    octets, link_type, _ = CASES[name]
    _, whole = DECODER(octets, link_type)
    for captured in range(len(octets) + 1):
        reason, found = DECODER(octets, link_type, captured=captured)
        if reason is not None or found["depth"] != whole["depth"]:
            continue
        assert found["payload_captured"] == 0 or found["payload_start"] + found["payload_captured"] <= captured
        assert found["payload_captured"] <= found["payload_octets"]
        if found["position"] == whole["position"] and captured >= found["position"] + 4:
            ports = ("source_port", "destination_port")
            assert [found[port] for port in ports] == [whole[port] for port in ports]


@pytest.mark.parametrize("flag", ["NUMBA_BOUNDSCHECK", "NUMBA_DISABLE_JIT"])
def test_bounds_checked_and_interpreted_the_decoder_says_the_same(flag):
    root = Path(classifier.__file__).resolve().parents[1]
    path = os.pathsep.join(str(place) for place in (root, HERE, HERE.parent))
    environment = os.environ | {flag: "1", "PYTHONPATH": path}
    done = subprocess.run(
        [sys.executable, HERE / "cut_frames.py"], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    expected = [
        f"{name} {hashlib.blake2b(repr(outcome).encode(), digest_size=8).hexdigest()}"
        for name, outcome in decode_all().items()
    ]
    assert done.stdout.splitlines() == expected
