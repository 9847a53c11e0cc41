"""How many subscribers used up what a programme gives them, by a ledger's figures of allowances.

Rules of this file: a period counts where it begins, as an interval does, so what is given once counts only where the range
has no beginning. A programme is used up when the last of its allowances is, as they are taken in order: at that moment
nothing was left of the others. What a period gave is what the latest run in it says.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from datetime import timedelta
from zoneinfo import ZoneInfo

from classifier.catalogue.terms import programme_of
from classifier.gateway.attributes import subscriber_of
from classifier.ledger.entries import Attributes, Period
from classifier.ledger.read import LedgerReader
from classifier.rating.offers import Offer, make_offers
from classifier.rating.periods import FOREVER_NS, Periods, instant_ns


def exhausted_subscribers(reader: LedgerReader, begin_ns: int | None, end_ns: int | None) -> dict[tuple[str, str], int]:
    """How many, by (programme, payer), in periods that began in [begin_ns, end_ns); None: open."""
    offers = _Offers(reader)
    found: dict[tuple[str, str], set[int]] = defaultdict(set)
    for period in reader.periods(begin_ns, end_ns):
        for offer, periods, run, at_ns in offers.of(period):
            programme = offer.programme
            if period.place == len(programme.allowances) - 1:
                used_up = reader.used_up(period, programme.allowances[-1].octets)
                found[programme.name, programme.payer] |= set(offers.without_bonus(used_up, offer, periods, run, at_ns))
    return {key: len(subscribers) for key, subscribers in found.items()}


class _Offers:
    """The offers of a ledger's runs, and what is known of subscribers in each."""

    def __init__(self, reader: LedgerReader) -> None:
        self._reader = reader
        self._runs, self._spans = reader.runs(), reader.run_spans()
        self._attributes: dict[int, dict[int, Attributes]] = {}

    def of(self, period: Period) -> Iterator[tuple[Offer, Periods, int, int]]:
        """The offer under which this period ended, if any: with the calendar and the number of its run, and an instant."""
        for number in sorted(self._spans, reverse=True):
            run, (begins_ns, ends_ns) = self._runs[number], self._spans[number]
            periods = Periods(ZoneInfo(run.timezone), run.month_starts_on)
            for programme in (programme_of(terms) for name, _, terms in run.programmes if name == period.programme):
                per = "month"  # a bonus
                if period.place < len(programme.allowances):
                    per = programme.allowances[period.place].per
                over_ns = _end_ns(per, period.begins_ns, periods)
                if begins_ns < over_ns and ends_ns > period.begins_ns:
                    (offer,) = make_offers((programme,), periods)
                    yield offer, periods, number, min(over_ns, ends_ns) - 1
                    return

    def without_bonus(
        self, subscribers: Iterable[int], offer: Offer, periods: Periods, run: int, at_ns: int
    ) -> Iterator[int]:
        """Those of `subscribers` who have nothing left of a bonus, or get none."""
        if offer.programme.bonus is None:
            yield from subscribers
            return
        if run not in self._attributes:
            self._attributes[run] = self._reader.attributes(run)
        used_up: dict[Period, set[int]] = {}
        for number in subscribers:
            known = self._attributes[run].get(number)
            last = offer.limits(None if known is None else subscriber_of("", known), at_ns, periods)[-1]
            if last.place < len(offer.programme.allowances):
                yield number
                continue
            bonus = Period(offer.programme.name, last.place, last.begins_ns)
            if bonus not in used_up:
                used_up[bonus] = set(self._reader.used_up(bonus, last.octets))
            if number in used_up[bonus]:
                yield number


def _end_ns(per: str, begins_ns: int, periods: Periods) -> int:
    """When the period that began then is over."""
    if per == "once":
        return FOREVER_NS
    day = periods.day(begins_ns)
    next_day = day + timedelta(days=1) if per == "day" else periods.first_day(periods.month_number(day) + 1)
    return instant_ns(next_day, periods.zone)
