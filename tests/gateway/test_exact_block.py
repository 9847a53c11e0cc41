"""A block begins with the packet behind the one that used the allowance up, whatever the batch and the interval.

What is expected is rating's own word: what the kernels count down is compared with the figures of allowances whenever an
interval ends, and the packets that pass, metered by themselves, have to come to the same totals.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from classifier.capture.files import open_capture
from classifier.gateway.keeping import run_of
from classifier.gateway.plan import load_plan
from classifier.gateway.session import Session
from classifier.ledger.backlog import Backlog
from classifier.ledger.write import LedgerWriter

DAY = str(Path(__file__).resolve().parents[2] / "pcaps" / "day-in-the-life.pcap")
CONFIG = """
[gateway]
timezone = "Asia/Shanghai"
subscriber_networks = ["10.0.0.0/8", "2001:db8:1000::/36"]
signatures = ["builtin", "signatures"]
"""
OFFER = """
name = "{name}"
payer = "operator"
applications = {applications}
starts = 2010-01-01
rate_percent = 0
allowance = {{ octets = {octets}, per = "{per}" }}
on_exhausted = "block"
priority = {priority}
"""


@pytest.fixture
def config(tmp_path) -> str:
    """An offer for one application, then one for all."""
    (tmp_path / "signatures" / "programmes").mkdir(parents=True)
    (tmp_path / "signatures" / "apps").mkdir()
    for name, applications, octets, per, priority in (
        ("some-facebook", '["facebook"]', 6000, "month", 1),
        ("all", '"*"', 9000, "day", 2),
    ):
        text = OFFER.format(name=name, applications=applications, octets=octets, per=per, priority=priority)
        (tmp_path / "signatures" / "programmes" / f"{name}.toml").write_text(text)
    (tmp_path / "freeflow.toml").write_text(CONFIG)
    return str(tmp_path / "freeflow.toml")


def run(
    config: str, batch_frames: int, interval_seconds: int | None, ledger: Path | None = None, *, checked: bool = True
):
    """(which of the day's frames are dropped, the report)."""
    plan = load_plan(config)
    writer = None if ledger is None else LedgerWriter(ledger)
    if writer:
        writer.begin_run(run_of("run", plan))
    session = Session(
        plan,
        interval_seconds=interval_seconds,
        ledger=writer,
        backlog=Backlog(writer) if writer else None,
        in_line=True,
    )
    if checked:
        compare_figures(session)
    dropped: list[bool] = []
    with open_capture(DAY, batch_frames=batch_frames) as capture:
        for batch in capture:
            session.meter.feed(batch.buffer, batch.frames)
            dropped += batch.frames["dropped"].astype(bool).tolist()
    session.meter.finish()
    if writer:
        writer.close()
    return dropped, session.report()


def compare_figures(session: Session) -> None:
    """Whenever rating tells what is used, the kernels have counted the same."""
    meter, tell = session.meter, session.meter.tell_used
    meter.ends = 0

    def told(numbers: np.ndarray, used: np.ndarray) -> None:
        if numbers.size and meter.ends and session._gate._moment == meter.moment:
            assert meter._tables.block_used[numbers].tolist() == used.tolist()
        meter.ends, meter.moment = meter.ends + 1, session._gate._moment
        tell(numbers, used)

    meter.tell_used = told


def parts(report) -> list[tuple]:
    """Who has what. How a piece that is split falls on uplink and downlink depends on the interval."""
    return [(one.subscriber, one.zero_rated_octets, one.charged_octets) for one in report.subscribers]


@pytest.mark.parametrize(("batch_frames", "interval_seconds"), [(1, None), (7, None), (7, 60), (4096, 3600)])
def test_the_same_frames_are_dropped_whatever_the_batch_and_the_interval(config, batch_frames, interval_seconds):
    dropped, report = run(config, 4096, None)
    assert 50 < sum(dropped) < len(dropped) - 50
    found, again = run(config, batch_frames, interval_seconds)
    assert found == dropped
    assert parts(again) == parts(report)
    assert again.unmetered == report.unmetered


def test_nobody_is_charged_for_more_than_what_the_last_packet_has_too_much(config):
    """But for connections that were not known for what they were: of those, what came until then."""
    _, report = run(config, 4096, None)
    assert [one for one in report.subscribers if one.zero_rated_octets >= 9000]
    for one in report.subscribers:
        assert one.charged_octets < 9000


@pytest.mark.parametrize("listed", [(), ("10.2.0.23", "2001:db8:1002:17::/64")])
def test_what_was_used_up_is_blocked_from_the_first_packet_of_the_next_run_on(config, tmp_path, listed):
    offer = OFFER.format(name="all", applications='"*"', octets=300, per="month", priority=2)
    (tmp_path / "signatures" / "programmes" / "all.toml").write_text(offer)
    (tmp_path / "signatures" / "programmes" / "some-facebook.toml").unlink()
    rows = "".join(f"someone-{n},{address}\n" for n, address in enumerate(listed))
    (tmp_path / "subscribers.csv").write_text(f"subscriber,address\n{rows}")
    text = CONFIG.replace("[gateway]", '[gateway]\nsubscribers = "subscribers.csv"')
    (tmp_path / "freeflow.toml").write_text(text)
    ledger = tmp_path / "usage.db"
    before, report = run(config, 4096, 86_400, ledger)
    used_up = {one.subscriber for one in report.subscribers if one.zero_rated_octets == 300}
    assert len(used_up) > 10
    again, _ = run(config, 4096, 86_400, ledger, checked=False)
    # A connection passes until it is known for what it is, as before; what was in the allowance passes no more.
    assert all(second >= first for first, second in zip(before, again, strict=True))
    assert sum(again) >= sum(before) + len(used_up)
