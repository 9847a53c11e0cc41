"""A session at a glance says what its full report says, and which allowances are fullest what rating kept of them."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from stand_in_ring import Ring

from classifier.capture.files import open_capture
from classifier.gateway import live
from classifier.gateway.plan import load_plan
from classifier.gateway.session import Session

PCAPS = Path(__file__).resolve().parents[2] / "pcaps"
OFFER = """name = "small"
payer = "operator"
applications = ["facebook"]
starts = 2013-01-01
rate_percent = 0
allowances = [{ octets = 5_000, per = "month" }, { octets = 1_000_000, per = "once" }]
accept = "claimed"
enrolment = "automatic"
priority = 1
"""


def metered(config: Path) -> Session:
    session = Session(load_plan(str(config)), interval_seconds=600, on_interval=lambda: session.glance(0))
    with open_capture(str(PCAPS / "day-in-the-life.pcap")) as capture:
        for batch in capture:
            session.meter.feed(batch.buffer, batch.frames)
    session.meter.finish()
    return session


@pytest.mark.parametrize("count", [0, 1, 4, 100])
def test_a_glance_is_the_beginning_of_the_report(count):
    session = metered(PCAPS / "day-in-the-life.toml")
    glance, report = session.glance(count), session.report()
    assert glance.zero_rated_octets == report.zero_rated.octets > 0
    assert glance.charged_octets == report.charged.octets > 0
    assert glance.discounted_octets == report.discounted.octets
    assert glance.unmetered_octets == sum(one.octets for one in report.unmetered)
    assert glance.subscribers == len(report.subscribers)
    assert glance.charged_because == report.charged_because
    assert glance.evidence == report.evidence
    assert [(one.name, *one[1:]) for one in glance.top_subscribers] == [
        (one.subscriber, one.zero_rated_octets, one.discounted_octets, one.charged_octets)
        for one in report.subscribers[:count]
    ]
    sums = Counter()
    for subscriber in report.subscribers:
        for use in subscriber.applications:
            sums[use.application] += use.uplink_octets + use.downlink_octets
    assert {one.name: one.octets for one in glance.top_applications}.items() <= sums.items()
    assert [one.octets for one in glance.top_applications] == sorted(sums.values(), reverse=True)[:count]


def test_the_fullest_allowances_come_first(tmp_path):
    (tmp_path / "offers" / "programmes").mkdir(parents=True)
    (tmp_path / "offers" / "programmes" / "small.toml").write_text(OFFER)
    config = tmp_path / "freeflow.toml"
    config.write_text('[gateway]\nsignatures = ["builtin", "offers"]\nsubscriber_networks = ["10.0.0.0/8"]\n')
    session = metered(config)
    uses = session.glance(10).allowances
    assert [(one.programme, one.used_octets, one.allowance_octets) for one in uses][:1] == [("small", 5_000, 5_000)]
    free = {one.subscriber: one.zero_rated_octets for one in session.report().subscribers}
    (second,) = uses[1:]
    assert (second.allowance_octets, second.used_octets) == (1_000_000, max(free.values()) - 5_000)
    assert free[second.subscriber] == max(free.values())


def test_what_the_ring_lost_stands_in_the_report_and_is_a_problem_of_the_run(monkeypatch):
    ring = Ring(str(PCAPS / "day-in-the-life.pcap"))
    ring.dropped, ring.freezes = 7, 2
    monkeypatch.setattr(live, "open_source", lambda *_: ring)
    run = live.LiveRun("eth1", load_plan(None))
    outcome = run.run()
    assert outcome.problems == ("7 frames dropped before freeflow saw them: the totals lack them",)
    assert outcome.report.notices[0] == ("frames dropped before freeflow saw them: the totals lack them", 7)
    assert (run.vitals().dropped, run.vitals().freezes) == (7, 2)
