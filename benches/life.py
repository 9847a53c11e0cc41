"""A town's habits over six months, with an offer in the middle of them whose effect is known: usage of each day, no packets.

The offer is Facebook free on the account of one operator, for eight weeks. What is put in:
- those who used Facebook before are a little more active while it lasts, and new users come in its first four weeks, so many
  that the eligible are active on `activity_up` more days than without it, in expectation;
- they use `octets_up` more of it on an active day;
- of those who begin while it lasts the share `stays` goes on afterwards, the others stop on its last day.
Of the others' subscribers nobody knows of it. Everybody lives under the same weekdays, the same growth and the same noise of
days, and everywhere some begin to use it without any offer; so without the comparison the effect would come out wrong.
All of it is drawn from `seed`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal

import numpy as np

from classifier.catalogue.load import load_catalogue
from classifier.catalogue.records import Programme, Step, Tariff
from classifier.kernels.state import USAGE_ROW
from classifier.records import EVIDENCE, STANDING
from classifier.subscribers.load import Subscriber

PARTNER = "facebook-partner"  # the operator that the file of the offer names
# Of each application: the share of subscribers who use it, and the median of octets on a day of use.
APPLICATIONS = {
    "facebook": (0.20, 12_000_000),
    "wechat": (0.55, 6_000_000),
    "taobao": (0.25, 9_000_000),
    "alipay": (0.15, 400_000),
    "yixin": (0.10, 2_000_000),
    "youtube": (0.15, 60_000_000),
    "twitter": (0.10, 5_000_000),
    "qq": (0.40, 3_000_000),
    "netflix": (0.03, 200_000_000),
    "unknown": (0.60, 4_000_000),
}
# Operator, province and share of the subscribers.
PLACES = (
    (PARTNER, "north", 0.50),
    ("china-mobile", "guangdong", 0.20),
    ("china-unicom", "jiangsu", 0.15),
    ("china-telecom", "shanghai", 0.15),
)
BEGINS_WITHOUT_OFFER = 0.02  # of all subscribers, in the six months
STAYS_WITHOUT_OFFER = 0.90
FIRST_DAYS = 28  # of the offer, in which new users come because of it
PRICE = (Step(100_000, Decimal("0.10")), Step(1_000_000, Decimal("0.08")), Step(None, Decimal("0.05")))
_NEVER = 1 << 20
_UPLINK_SHARE, _PACKET_OCTETS = 10, 800  # a tenth goes up


@dataclass(frozen=True, slots=True)
class Life:
    """What is put in."""

    subscribers: int = 100_000
    seed: int = 2013
    first: date = date(2013, 9, 1)
    end: date = date(2014, 3, 1)
    starts: date = date(2013, 11, 4)
    ends: date = date(2013, 12, 30)
    activity_up: float = 0.60
    octets_up: float = 0.25
    stays: float = 0.75
    regulars_up: float = 1.25

    @property
    def days(self) -> list[date]:
        return [self.first + timedelta(days=one) for one in range((self.end - self.first).days)]

    def place(self, day: date) -> int:
        return (day - self.first).days


def programmes(life: Life) -> tuple[Programme, ...]:
    """The offer in its time, and beside it the offers that ship; Alibaba's gets a price, so that somebody owes something."""
    made = []
    for programme in load_catalogue().programmes:
        if programme.name == "facebook-zero":
            programme = programme._replace(starts=life.starts, ends=life.ends)
        elif programme.name == "alibaba-free-flow":
            programme = programme._replace(tariff=Tariff("CNY", PRICE, ()))
        made.append(programme)
    return tuple(made)


class Town:
    """The subscribers of a life, and what they use on each day. `subscribers` are numbered from 1 in their order."""

    def __init__(self, life: Life) -> None:
        self.life = life
        self.names = load_catalogue().application_names
        self._rng = np.random.default_rng(life.seed)
        people, draw = life.subscribers, self._rng.random
        shares = [share for *_, share in PLACES]
        self._of_place = np.repeat(
            np.arange(len(PLACES)), np.diff(np.round(np.cumsum([0, *shares]) * people).astype(int))
        )
        self.partner = self._of_place == 0
        self.subscribers = self._listed(draw(people) < 0.5)
        uses = np.array([share for share, _ in APPLICATIONS.values()], np.float32)
        self._chance = (0.15 + 0.35 * draw((people, len(uses)), np.float32)).astype(np.float32)
        self._facebook_chance = self._chance[:, 0].copy()
        self._chance *= draw((people, len(uses)), np.float32) < uses
        regular = self._chance[:, 0] > 0
        days = len(life.days)
        weekday = np.array([1.1 if day.weekday() >= 5 else 1.0 for day in life.days])
        self._day_factor = weekday * np.linspace(1.0, 1.1, days) * np.exp(self._rng.normal(0.0, 0.03, days))
        self._begins, self._stops = self._users(regular)

    def _listed(self, enrols: np.ndarray) -> tuple[Subscriber, ...]:
        enrolled = (("alibaba-free-flow", date(2013, 11, 1)),)
        return tuple(
            Subscriber(f"s{number:07}", (), *PLACES[place][:2], "standard", None, enrolled if enrols[number] else ())
            for number, place in enumerate(self._of_place.tolist())
        )

    def _users(self, regular: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """From and until which day, by its place, each subscriber uses Facebook."""
        life, people, days = self.life, self.life.subscribers, len(self.life.days)
        starts, ends = life.place(life.starts), life.place(life.ends)
        begins = np.where(regular, 0, _NEVER)
        free = np.flatnonzero(~regular)
        by_itself = free[self._rng.random(len(free)) < BEGINS_WITHOUT_OFFER * people / len(free)]
        begins[by_itself] = self._rng.integers(0, days, len(by_itself))
        # How many more the offer has to win, so that days of activity come out at what is put in.
        offered = np.arange(starts, ends)
        weight = self._day_factor[offered]
        regulars = (regular & self.partner).sum()
        without = (weight * [(begins[self.partner] <= day).sum() for day in offered]).sum()
        with_regulars = without + (life.regulars_up - 1) * regulars * weight.sum()
        here_by_then = np.clip((offered - starts + 1) / FIRST_DAYS, 0, 1)
        missing = ((1 + life.activity_up) * without - with_regulars) / (weight * here_by_then).sum()
        candidates = np.flatnonzero(self.partner & (begins == _NEVER))
        won = self._rng.choice(candidates, round(missing), replace=False)
        begins[won] = starts + self._rng.integers(0, FIRST_DAYS, len(won))
        stops = np.full(people, _NEVER)
        new = (begins >= starts) & (begins < ends)
        chance = np.where(self.partner, life.stays, STAYS_WITHOUT_OFFER)
        stops[new & (self._rng.random(people) >= chance)] = ends
        return begins, stops

    def usage(self, day: date, begins_ns: int) -> np.ndarray:
        """USAGE_ROW rows of one day, by subscriber and application. Days have to be asked for in their order."""
        life, place = self.life, self.life.place(day)
        on = life.starts <= day < life.ends
        chance = self._chance * np.float32(self._day_factor[place])
        uses = (self._begins <= place) & (place < self._stops)
        facebook = np.where(uses, self._facebook_chance * self._day_factor[place], 0)
        free = self.partner & on
        chance[:, 0] = np.where(free & (self._begins == 0), facebook * life.regulars_up, facebook)
        person, application = np.nonzero(self._rng.random(chance.shape, np.float32) < chance)
        typical = np.array([octets for _, octets in APPLICATIONS.values()])
        octets = typical[application] * np.exp(self._rng.normal(0.0, 1.0, len(person)))
        octets[free[person] & (application == 0)] *= 1 + life.octets_up
        return rows_of(person, application, octets.astype(np.int64) + 1000, self.names, begins_ns)


def rows_of(person: np.ndarray, application: np.ndarray, octets: np.ndarray, names, begins_ns: int) -> np.ndarray:
    """USAGE_ROW rows: `person` from 0, `application` a place in APPLICATIONS."""
    number = np.array([names.index(name) for name in APPLICATIONS])
    evidence = np.array([EVIDENCE.index("none" if name == "unknown" else "claimed") for name in APPLICATIONS])
    rows = np.zeros(len(person), USAGE_ROW)
    rows["interval"], rows["subscriber"] = begins_ns, person + 1
    rows["application"], rows["evidence"] = number[application], evidence[application]
    rows["standing"] = STANDING.index("taken_part")
    rows["uplink_octets"] = octets // _UPLINK_SHARE
    rows["downlink_octets"] = octets - rows["uplink_octets"]
    for way in ("uplink", "downlink"):
        rows[f"{way}_packets"] = rows[f"{way}_octets"] // _PACKET_OCTETS + 1
    return rows
