"""What the benches do besides measuring: the first packets of a file, names of all kinds in turn, goals beside figures."""

from __future__ import annotations

from collections import Counter

import dpkt
import pytest

from benches import page
from benches.captures import Capture, beginning
from benches.goals import Goal, goals_table
from benches.make_names import make_names


def frames_of(path) -> list[bytes]:
    with path.open("rb") as file:
        return [frame for _, frame in dpkt.pcap.Reader(file)]


@pytest.fixture
def names(tmp_path) -> Capture:
    path = tmp_path / "names.pcap"
    return Capture(path, make_names("mixed", path, 60), "made-up names")


def test_the_beginning_of_a_capture_has_so_many_packets_or_all_of_them(names):
    all_frames = frames_of(names.path)
    first = beginning(names, 25)
    assert (first.packets, frames_of(first.path)) == (25, all_frames[:25])
    whole = beginning(names, 1_000)
    assert (whole.packets, frames_of(whole.path)) == (60, all_frames)


def test_the_octets_of_frames_are_those_without_the_headers_of_the_file(names):
    assert names.frame_octets == sum(map(len, frames_of(names.path)))


def test_mixed_names_are_of_all_kinds_in_turn(names):
    kinds = Counter()
    for frame in frames_of(names.path)[::10]:
        packet = dpkt.ethernet.Ethernet(frame).data
        kinds[packet.p, packet.data.dport] += 1
    assert kinds == {(6, 443): 2, (17, 443): 2, (17, 53): 2}


def test_what_was_measured_for_a_goal_is_found_on_the_page_again(tmp_path, monkeypatch):
    readme = tmp_path / "README.md"
    readme.write_text(f"before\n{page.BEGIN}\nold\n{page.END}\nafter\n")
    monkeypatch.setattr(page, "README", readme)
    found = [Goal("of the walk", 0.6, 0.447), Goal("first run", 30, 29.5, " s", at_most=True), Goal("workers", 2, None)]
    page.write(goals_table(found))
    text = readme.read_text()
    assert text.startswith("before\n")
    assert text.endswith("\nafter\n")
    assert "old" not in text
    assert [page.measured(what) for what in ("of the walk", "first run", "workers", "unheard of")] == [
        "0.45",
        "29.50 s",
        "not measured",
        "-",
    ]


@pytest.mark.parametrize(
    ("goal", "cells"),
    [
        (Goal("a", 0.6, 0.6), ("a", "≥ 0.6", "0.60", "met")),
        (Goal("a", 0.6, 0.59), ("a", "≥ 0.6", "0.59", "not met")),
        (Goal("a", 700, 650.0, " MB", at_most=True), ("a", "≤ 700 MB", "650.00 MB", "met")),
        (Goal("a", 700, 750.0, " MB", at_most=True), ("a", "≤ 700 MB", "750.00 MB", "not met")),
        (Goal("a", 1.6, None), ("a", "≥ 1.6", "not measured", "")),
    ],
)
def test_a_goal_is_met_or_not_on_its_side(goal, cells):
    assert goal.cells() == cells
