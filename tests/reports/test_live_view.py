"""The screen of a live run at a fixed size: its figures are those of the records, and it is as large as it is asked to be."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from classifier.cli.live_screen import LiveScreen
from classifier.records import EvidenceUsage
from classifier.reports.glance import AllowanceUse, Glance, Slice, Vitals
from classifier.reports.live_view import LiveView, bits_text, interval_line
from classifier.reports.words import cell_width

SECOND = 10**9
FILL = (("flows", 2048, 1 << 20), ("subscribers", 10, 1 << 20), ("usage", 0, 1 << 16), ("streams", 512, 1024))
GLANCE = Glance(
    zero_rated_octets=6_000_000,
    discounted_octets=1_000_000,
    charged_octets=2_500_000,
    pending_octets=300_000,
    unmetered_octets=200_000,
    charged_because=(("unknown_application", 2_000_000), ("no_programme", 500_000)),
    subscribers=1234,
    top_subscribers=(
        Slice("liang", 4_000_000, 0, 1_000_000),
        Slice("\x1b[2Jevil", 10, 0, 0),
        Slice("陳" * 40, 0, 0, 5),
    ),
    top_applications=(Slice("facebook", 5_000_000, 0, 0), Slice("unknown", 0, 0, 2_500_000)),
    evidence=(EvidenceUsage("verified", 10, 7_000_000), EvidenceUsage("none", 3, 2_500_000)),
    allowances=(AllowanceUse("wechat-card", "lin", 150_000_000, 300_000_000), AllowanceUse("full", "xu", 7, 5)),
)


def vitals(second: int, octets: int, frames: int = 0, dropped: int = 0, freezes: int = 0) -> Vitals:
    return Vitals(second * SECOND, (1384128000 + second) * SECOND, frames, octets, dropped, freezes, FILL, 0)


def view(ascii_only: bool = False, **lost) -> LiveView:
    made = LiveView("eth1", "usage.db", ascii_only)
    for second, octets in enumerate((0, 125_000, 375_000, 1_625_000)):
        made.second(vitals(second, octets, 1000 * second, **lost))
    made.interval(GLANCE, 0)
    made.interval(GLANCE, 10 * SECOND)
    return made


def text_of(made: LiveView, width: int, height: int, **options) -> list[str]:
    """What a terminal of this size shows, without colours."""
    console = Console(file=io.StringIO(), width=width, height=height, force_terminal=True, color_system=None, **options)
    console.print(LiveScreen(made, console), end="")
    return console.file.getvalue().splitlines()


@pytest.mark.parametrize(("width", "height"), [(80, 24), (60, 16), (120, 40), (200, 60)])
def test_it_fills_the_terminal_and_no_more(width, height):
    lines = text_of(view(), width, height)
    assert len(lines) == height
    assert max(map(cell_width, lines)) <= width


def test_at_80_by_24_everything_that_counts_is_there():
    lines = text_of(view(), 80, 24)
    text = "\n".join(lines)
    assert "eth1  up 0:00:03  2013-11-11 00:00:03 UTC  ledger usage.db" in lines[0]
    assert "10.0 Mbit/s  1,000 frames/s" in lines[1]
    assert lines[1].rstrip().endswith("▁▂█")
    assert "no frame lost" in text
    assert "zero-rated    6.00 MB   60.0 %" in text
    assert "discounted    1.00 MB   10.0 %" in text
    assert "charged       2.50 MB   25.0 %" in text
    assert "pending 300 kB   unmetered 200 kB" in text
    assert "1,234 subscribers" in text
    assert "liang" in text
    assert "facebook" in text
    assert "charged because unknown 80.0 %  no programme 20.0 %" in text
    assert "evidence verified 73.7 %  none 26.3 %" in text
    assert "wechat-card: lin" in text
    assert "150 MB of  300 MB" in text
    assert "full: xu" in text
    assert "streams 512 (50.0 %)  flows 2,048 (0.2 %)" in text
    assert "\x1b[2J" not in text


def test_losses_stand_in_it_and_in_the_log():
    assert (
        "LOST 42 frames in 2 freezes of the ring: the totals lack them"
        in text_of(view(dropped=42, freezes=2), 80, 24)[2]
    )
    assert "dropped=42 freezes=2" in interval_line(GLANCE, vitals(1, 5, dropped=42, freezes=2))


def test_rates_are_those_of_the_last_interval():
    made = LiveView("eth1", None)
    made.interval(GLANCE, 0)
    more = GLANCE._replace(charged_octets=3_750_000)
    made.interval(more, 10 * SECOND)
    (charged,) = [line for line in text_of(made, 80, 24) if line.startswith("charged  ")]
    assert "1.0 Mbit/s" in charged


def test_a_terminal_without_unicode_gets_ascii():
    assert all(line.isascii() for line in text_of(view(ascii_only=True), 80, 24) if "\u9673" not in line)


def test_a_terminal_that_is_gone_is_an_error():
    with pytest.raises(OSError, match="the terminal is gone"):
        LiveScreen(view(), Console(file=io.StringIO())).refresh()


def test_before_the_first_interval_it_says_so():
    made = LiveView("eth1", None)
    made.line("reloaded: 34 applications")
    lines = text_of(made, 80, 24)
    assert any("nothing is rated yet" in line for line in lines)
    assert "reloaded: 34 applications" in lines[-1]


@pytest.mark.parametrize(
    ("rate", "text"), [(0, "0 bit/s"), (124, "992 bit/s"), (125, "1.0 kbit/s"), (125_000_000, "1.0 Gbit/s")]
)
def test_rates_as_links_are_named(rate, text):
    assert bits_text(rate) == text


def test_the_log_line_is_pairs_of_key_and_value():
    assert interval_line(GLANCE, vitals(1, 10_000_000, 77)) == (
        "interval frames=77 octets=10000000 zero_rated=6000000 discounted=1000000 charged=2500000 pending=300000"
        " unmetered=200000 subscribers=1234 flows=2048 dropped=0 freezes=0 waiting=0"
    )
