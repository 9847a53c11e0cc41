"""A reload where RADIUS tells addresses: a name that was bound before it is listed keeps its number, and all that it used."""

from __future__ import annotations

from dataclasses import replace

from binding_packets import START, accounting, imsi
from bound_session import SMALL, Wire
from frames import batch
from test_bound_addresses import ADDRESS, RADIUS, TALK, radius

from classifier.gateway.plan import load_plan
from classifier.gateway.session import Session

OFFER = """name = "all"
payer = "operator"
applications = "*"
starts = 2013-01-01
rate_percent = 0
accept = "claimed"
enrolment = "automatic"
priority = 1
eligible = [{ operator = "china-mobile" }]
"""


def test_a_bound_name_that_is_listed_later_stays_who_it_was_and_gets_its_offers(tmp_path):
    config, people = tmp_path / "freeflow.toml", tmp_path / "subscribers.csv"
    (tmp_path / "secret").write_text("testing123\n")
    programmes = tmp_path / "offers" / "programmes"
    programmes.mkdir(parents=True)
    (programmes / "all.toml").write_text(OFFER)
    config.write_text(
        '[gateway]\nsubscribers = "subscribers.csv"\nsubscriber_networks = ["10.0.0.0/8"]\n'
        f'signatures = ["builtin", "offers"]\n{RADIUS}'
    )
    people.write_text("subscriber,address,operator\n460001,,china-telecom\n")

    def plan():
        return replace(load_plan(str(config)), limits=SMALL)

    session = Session(plan(), seed=3, interval_seconds=10)
    wire = Wire().send(radius(accounting(START, "s1", imsi("460002"), address=ADDRESS))).talk(ADDRESS)
    session.meter.feed(*batch(wire.frames))
    people.write_text(
        "subscriber,address,operator\nnew,10.0.0.8,china-mobile\n460002,,china-mobile\n460001,,china-telecom\n"
    )
    session.renew(plan(), lambda: None)
    later = Wire().wait(20).talk(ADDRESS, port=4001).talk("10.0.0.8").talk("10.0.0.7", port=4002)
    later.send(radius(accounting(START, "s2", imsi("460002"), address="10.0.0.6"))).talk("10.0.0.6")
    session.meter.feed(*batch(later.frames))
    session.meter.finish()
    report = session.report()
    assert {one.subscriber: one.octets for one in report.subscribers} == {"460002": 4 * TALK, "new": TALK}
    free = {one.subscriber: one.zero_rated_octets for one in report.subscribers}
    assert free == {"460002": 3 * TALK, "new": TALK}
    assert report.charged.octets == TALK
