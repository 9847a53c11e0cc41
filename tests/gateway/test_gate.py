"""What is blocked at the end of an interval: told by hand for each case, from the offers and from what is used of them."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest

from classifier.catalogue.records import Allowance, Eligibility, Programme
from classifier.gateway.inline import Gate
from classifier.rating.allowances import AllowanceKey
from classifier.rating.periods import ALWAYS_NS, Periods
from classifier.rating.rate import Rater
from classifier.records import EVIDENCE
from classifier.subscribers.load import Subscriber

APPLICATIONS = ("unknown", "films", "chat")
UNKNOWN, FILMS, CHAT = range(3)
NOON_NS = int(datetime(2013, 11, 5, 12, tzinfo=UTC).timestamp()) * 10**9
DAY_NS = int(datetime(2013, 11, 5, tzinfo=UTC).timestamp()) * 10**9
MIDNIGHT_NS = int(datetime(2013, 11, 6, tzinfo=UTC).timestamp()) * 10**9
FREE = Programme(
    name="free-films",
    payer="operator",
    applications=("films",),
    starts=date(2013, 11, 1),
    ends=date(2013, 11, 20),
    rate_percent=0,
    allowances=(Allowance(100, "once"),),
    bonus=None,
    eligible=(),
    enrolment="automatic",
    registered_before=None,
    accept="claimed",
    priority=10,
    tariff=None,
    file="free-films.toml",
    on_exhausted="block",
)
ALL = replace(FREE, name="all", applications="*", allowances=(Allowance(500, "day"),), priority=20)
LIN = Subscriber("lin", (), "a", "", "", None, ())
HU = Subscriber("hu", (), "b", "", "", None, (), "barred")
ACCEPTED = {(FILMS, EVIDENCE.index(name)) for name in ("address", "claimed", "verified")}
EVERY = {(application, evidence) for application in range(3) for evidence in range(len(EVIDENCE))}
FILMS_KEY = AllowanceKey(1, "free-films", 0, ALWAYS_NS)
ALL_KEY = AllowanceKey(1, "all", 0, DAY_NS)


class Meter:
    """Keeps what it is told to block; `room` for so many subscribers."""

    def __init__(self, room: int = 100) -> None:
        self.room, self.blocked, self.told = room, {}, 0

    def block(self, blocked) -> int:
        self.blocked, self.told = dict(blocked), self.told + 1
        return max(len(blocked) - self.room, 0)


def gate(programmes, meter: Meter, said=None) -> Gate:
    rater = Rater(programmes, APPLICATIONS, (LIN, HU), Periods(ZoneInfo("UTC")))
    return Gate(rater, (LIN, HU), meter.block, [].append if said is None else said.append)


@pytest.mark.parametrize(
    ("programmes", "used", "blocked"),
    [
        ([FREE], {FILMS_KEY: 100}, ACCEPTED),
        ([FREE], {FILMS_KEY: 99}, set()),
        ([replace(FREE, on_exhausted="charge")], {FILMS_KEY: 100}, set()),
        ([replace(FREE, accept="verified")], {FILMS_KEY: 100}, ACCEPTED - {(FILMS, EVIDENCE.index("claimed"))}),
        ([replace(FREE, eligible=(Eligibility("b", None, None),))], {FILMS_KEY: 100}, set()),
        # What the first offer has no room for goes to the second, which has.
        ([FREE, ALL], {FILMS_KEY: 100, ALL_KEY: 499}, set()),
        ([FREE, ALL], {FILMS_KEY: 100, ALL_KEY: 500}, EVERY),
        ([FREE, ALL], {FILMS_KEY: 99, ALL_KEY: 500}, EVERY - ACCEPTED),
        # The last offer has the word.
        ([FREE, replace(ALL, on_exhausted="charge")], {FILMS_KEY: 100, ALL_KEY: 500}, set()),
        ([replace(FREE, on_exhausted="charge"), ALL], {FILMS_KEY: 100, ALL_KEY: 500}, EVERY),
        ([FREE, replace(ALL, allowances=())], {FILMS_KEY: 100}, set()),
    ],
)
def test_who_has_nothing_left_is_blocked_where_the_last_offer_says_so(programmes, used, blocked):
    meter = Meter()
    gate(programmes, meter).renew([(1, "free-films")], used, NOON_NS)
    assert meter.blocked == ({1: frozenset(blocked)} if blocked else {}) | {2: None}


def test_a_new_day_ends_a_block_and_so_does_the_end_of_the_offer():
    meter = Meter()
    blocking = gate([ALL], meter)
    blocking.renew([(1, "all")], {ALL_KEY: 500}, MIDNIGHT_NS - 1)
    assert meter.blocked[1] == EVERY
    blocking.renew([], {ALL_KEY: 500}, MIDNIGHT_NS)
    assert meter.blocked == {2: None}
    blocking.renew([(1, "all")], {ALL_KEY: 500}, NOON_NS)
    assert 1 in meter.blocked
    ended_ns = int(datetime(2013, 11, 20, tzinfo=UTC).timestamp()) * 10**9
    blocking.renew([], {ALL_KEY: 500}, ended_ns)
    assert meter.blocked == {2: None}


def test_the_barred_are_blocked_from_the_start_and_nothing_is_told_where_nothing_changes():
    meter = Meter()
    blocking = gate([FREE], meter)
    assert (meter.blocked, meter.told) == ({2: None}, 1)
    blocking.renew([], {}, NOON_NS)
    assert meter.told == 1


def test_where_there_is_no_room_for_all_it_is_said_once():
    said: list[str] = []
    blocking = gate([FREE], Meter(room=1), said)
    for _ in range(2):
        blocking.renew([(1, "free-films")], {FILMS_KEY: 100}, NOON_NS)
    (line,) = said
    assert line.startswith("1 subscribers are charged and not blocked")
