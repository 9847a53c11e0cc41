"""What may be used and what is blocked: told by hand for each case, from the offers and from what is used of them."""

from __future__ import annotations

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from classifier.catalogue.records import Allowance, Eligibility, Programme
from classifier.gateway.inline import Gate
from classifier.metering.blocking import BARRED, FIRST_KIND, NOTHING, SLOTS_TOLD
from classifier.rating.allowances import AllowanceKey
from classifier.rating.figures import Figures
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
ALL = FREE._replace(name="all", applications="*", allowances=(Allowance(500, "day"),), priority=20)
LIN = Subscriber("lin", (), "a", "", "", None, ())
HU = Subscriber("hu", (), "b", "", "", None, (), "barred")
ACCEPTED = {(FILMS, EVIDENCE.index(name)) for name in ("address", "claimed", "verified")}
EVERY = {(application, evidence) for application in range(3) for evidence in range(len(EVIDENCE))}
FILMS_KEY = AllowanceKey(1, "free-films", 0, ALWAYS_NS)
TWICE = FREE._replace(allowances=(Allowance(100, "once"), Allowance(10, "day")))
ALL_KEY = AllowanceKey(1, "all", 0, DAY_NS)


class Meter:
    """Keeps what it is told, and says what has nothing left; `known` numbers have been given."""

    def __init__(self, known: int = 4) -> None:
        self.known, self.told = known, 0
        self.used = np.zeros((10, SLOTS_TOLD), np.int64)

    def subscriber_numbers(self) -> tuple[int, int]:
        return self.known, 10

    def block(self, kind_of, kinds, since_ns: int) -> None:
        self.kind_of, self.kinds, self.since_ns, self.told = kind_of.tolist(), kinds, since_ns, self.told + 1

    def tell_used(self, numbers, used) -> None:
        self.used[numbers] = used

    def blocked(self, number: int) -> set:
        """The cases of this subscriber that would not pass now."""
        kind = self.kind_of[number]
        if kind in (NOTHING, BARRED):
            return EVERY if kind == BARRED else set()
        allowed = self.kinds[kind - FIRST_KIND]
        return {
            case
            for case, (slots, blocks) in allowed.courses.items()
            if blocks and all(self.used[number, slot] >= allowed.given[slot] for slot in slots)
        }


def gate(programmes, meter: Meter, used=None, said=None) -> Gate:
    rater = Rater(programmes, APPLICATIONS, (LIN, HU), Periods(ZoneInfo("UTC")))
    used = used if isinstance(used, Figures) else Figures(used)
    return Gate(rater, (LIN, HU), meter, used, [].append if said is None else said.append)


@pytest.mark.parametrize(
    ("programmes", "used", "blocked"),
    [
        ([FREE], {FILMS_KEY: 100}, ACCEPTED),
        ([FREE], {FILMS_KEY: 99}, set()),
        ([FREE._replace(on_exhausted="charge")], {FILMS_KEY: 100}, set()),
        ([FREE._replace(accept="verified")], {FILMS_KEY: 100}, ACCEPTED - {(FILMS, EVIDENCE.index("claimed"))}),
        ([FREE._replace(eligible=(Eligibility("b", None, None),))], {FILMS_KEY: 100}, set()),
        # What the first offer has no room for goes to the second, which has.
        ([FREE, ALL], {FILMS_KEY: 100, ALL_KEY: 499}, set()),
        ([FREE, ALL], {FILMS_KEY: 100, ALL_KEY: 500}, EVERY),
        ([FREE, ALL], {FILMS_KEY: 99, ALL_KEY: 500}, EVERY - ACCEPTED),
        # The last offer has the word.
        ([FREE, ALL._replace(on_exhausted="charge")], {FILMS_KEY: 100, ALL_KEY: 500}, set()),
        ([FREE._replace(on_exhausted="charge"), ALL], {FILMS_KEY: 100, ALL_KEY: 500}, EVERY),
        ([FREE, ALL._replace(allowances=())], {FILMS_KEY: 100}, set()),
        # Several allowances of one offer are one sum, to which none adds more than it gives.
        ([TWICE], {FILMS_KEY: 130, FILMS_KEY._replace(place=1, begins_ns=DAY_NS): 9}, set()),
        ([TWICE], {FILMS_KEY: 130, FILMS_KEY._replace(place=1, begins_ns=DAY_NS): 10}, ACCEPTED),
    ],
)
def test_who_has_nothing_left_is_blocked_where_the_last_offer_says_so(programmes, used, blocked):
    """Where the use is known when an interval begins, and where it is told when one ends."""
    meter = Meter()
    gate(programmes, meter, used).open(NOON_NS)
    assert [meter.blocked(number) for number in range(4)] == [set(), blocked, EVERY, set()]
    figures = Figures()
    ending = gate(programmes, meter, figures)
    ending.open(NOON_NS)
    assert meter.blocked(1) == set()
    figures.update(Figures(used))
    ending.renew(np.array([1, 3]))
    assert [meter.blocked(number) for number in range(4)] == [set(), blocked, EVERY, set()]


def test_what_takes_from_the_same_offer_is_counted_down_though_it_does_not_end_in_a_block():
    """What the first offer leaves of chat goes to one that charges in the end; films have the first one alone."""
    chat = FREE._replace(name="chat", applications=("chat",), on_exhausted="charge", priority=30)
    first = ALL._replace(name="first", applications=("films", "chat"), priority=5)
    meter = Meter()
    gate([chat, first], meter).open(NOON_NS)
    (allowed,) = meter.kinds
    verified = EVIDENCE.index("verified")
    assert allowed.given == {0: 500, 1: 100}
    assert allowed.courses[FILMS, verified] == ([0], True)
    assert allowed.courses[CHAT, verified] == ([0, 1], False)


def test_a_new_day_ends_a_block_and_so_does_the_end_of_the_offer():
    meter = Meter()
    blocking = gate([ALL], meter, {ALL_KEY: 500})
    blocking.open(NOON_NS)
    assert (meter.blocked(1), meter.told, meter.since_ns) == (EVERY, 1, NOON_NS)
    blocking.open(MIDNIGHT_NS - 1)
    assert meter.told == 1  # the same day, the same terms
    blocking.open(MIDNIGHT_NS)
    assert meter.blocked(1) == set()
    blocking.open(NOON_NS)
    assert meter.blocked(1) == EVERY
    blocking.open(int(datetime(2013, 11, 20, tzinfo=UTC).timestamp()) * 10**9)
    assert meter.blocked(1) == set()


def test_other_offers_and_other_states_hold_from_the_next_interval_on():
    meter = Meter()
    blocking = gate([FREE], meter, {ALL_KEY: 500})
    blocking.open(NOON_NS)
    assert [meter.blocked(1), meter.blocked(2)] == [set(), EVERY]
    listed = (LIN, HU._replace(state="active"))
    blocking.turn(Rater([ALL], APPLICATIONS, listed, Periods(ZoneInfo("UTC"))), listed)
    blocking.open(NOON_NS + 1)
    assert [meter.blocked(1), meter.blocked(2)] == [EVERY, set()]


def test_more_offers_than_there_is_room_for_pass_and_it_is_said_once():
    """There is room for those that apply first."""
    offers = [FREE._replace(name=f"chat-{n:02}", applications=("chat",), priority=n - 20) for n in range(SLOTS_TOLD)]
    meter, said = Meter(), []
    used = {AllowanceKey(1, one.name, 0, ALWAYS_NS): 100 for one in (FREE, *offers)}
    blocking = gate([FREE, *offers], meter, used, said)
    blocking.open(NOON_NS)
    assert meter.blocked(1) == {(CHAT, evidence) for _, evidence in ACCEPTED}
    blocking.open(MIDNIGHT_NS)
    (line,) = said
    assert line.startswith("2 subscribers and those who are not listed are charged and not blocked")
