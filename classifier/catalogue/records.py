"""The catalogue's records: what an application is recognised by, what a programme offers.

Rules of this file: named tuples; absence is None or an empty tuple; prefixes are `ipaddress` networks without
host bits; dates stay as the file gives them, since only the operator's time zone makes instants of them.
"""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import NamedTuple

from classifier.validation import Network

OPERATOR = "operator"  # the payer who owes nobody (contract)
# What becomes of usage for which nothing is left: the subscriber pays, or an in-line gateway carries it no further.
CHARGE, BLOCK = "charge", "block"


class Application(NamedTuple):
    """One file under `apps/`. `services` are (protocol "tcp" or "udp", port of the server)."""

    name: str
    title: str
    domains: tuple[str, ...]
    addresses: tuple[Network, ...]
    shared_addresses: tuple[Network, ...]
    addresses_complete: bool
    domains_anywhere: tuple[str, ...]
    services: tuple[tuple[str, int], ...]
    source: str
    updated: date | None
    file: str


class Allowance(NamedTuple):
    """What a programme gives to each subscriber: octets `per` "day", "month" or "once"."""

    octets: int
    per: str


class Eligibility(NamedTuple):
    """A group of subscribers; what is None is not asked for."""

    operator: str | None
    province: str | None
    plan: str | None


class Bonus(NamedTuple):
    """A further allowance in each of `months` months, the first being that in which the subscriber joined or enrolled.

    `since` is "joined" or "enrolled". `before`: only who had done so before this day; None: everyone.
    """

    octets: int
    months: int
    since: str
    before: date | None


class Step(NamedTuple):
    """The price of the megabytes (10^6 octets) beyond the step before, up to `up_to_megabytes`; None: of all the rest."""

    up_to_megabytes: int | None
    per_megabyte: Decimal


class Tariff(NamedTuple):
    """What the payer owes an operator for a month's volume. `by_operator`: (operator, steps) of those with their own."""

    currency: str
    steps: tuple[Step, ...]
    by_operator: tuple[tuple[str, tuple[Step, ...]], ...]

    def steps_of(self, operator: str) -> tuple[Step, ...]:
        """The steps for this operator's volume; none where no price was agreed."""
        return dict(self.by_operator).get(operator, self.steps)


class Programme(NamedTuple):
    """One file under `programmes/`: an offer (accounting 3.1).

    `applications` is "*" or names. `starts` and `ends` (half-open; no end: None) are dates, meaning midnight in the
    operator's time zone, or instants with their offset. `allowances` are taken in order, the bonus last; none: no limit.
    `eligible` empty: everyone; else any one of its groups. `registered_before`: the enrolment has to be of an earlier
    day. `accept` is "claimed" or "verified", the weakest evidence that is enough. `on_exhausted` is CHARGE or BLOCK.
    """

    name: str
    payer: str
    applications: tuple[str, ...] | str
    starts: date | datetime
    ends: date | datetime | None
    rate_percent: int
    allowances: tuple[Allowance, ...]
    bonus: Bonus | None
    eligible: tuple[Eligibility, ...]
    enrolment: str
    registered_before: date | None
    accept: str
    priority: int
    tariff: Tariff | None
    file: str
    on_exhausted: str = CHARGE


class Catalogue(NamedTuple):
    """All applications and programmes, each sorted by name."""

    applications: tuple[Application, ...]
    programmes: tuple[Programme, ...]

    @property
    def application_names(self) -> tuple[str, ...]:
        """Names by number, as the kernels count them: 0 is "unknown"."""
        return ("unknown", *(application.name for application in self.applications))
