"""The catalogue's records: what an application is recognised by, what a programme offers.

Rules of this file: frozen and slotted; absence is None or an empty tuple; prefixes are `ipaddress` networks without
host bits; dates stay as the file gives them, since only the operator's time zone makes instants of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

from classifier.validation import Network


@dataclass(frozen=True, slots=True)
class Application:
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


@dataclass(frozen=True, slots=True)
class Allowance:
    """What a programme gives to each subscriber: octets `per` "day", "month" or "once"."""

    octets: int
    per: str


@dataclass(frozen=True, slots=True)
class Eligibility:
    """A group of subscribers; what is None is not asked for."""

    operator: str | None
    province: str | None
    plan: str | None


@dataclass(frozen=True, slots=True)
class Tariff:
    """What the payer owes for a megabyte (10^6 octets)."""

    currency: str
    per_megabyte: Decimal


@dataclass(frozen=True, slots=True)
class Programme:
    """One file under `programmes/`: an offer (accounting 3.1).

    `applications` is "*" or names. `starts` and `ends` (half-open; no end: None) are dates, meaning midnight in the
    operator's time zone, or instants with their offset. `eligible` empty: everyone; else any one of its groups.
    `accept` is "claimed" or "verified", the weakest evidence that is enough.
    """

    name: str
    payer: str
    applications: tuple[str, ...] | str
    starts: date | datetime
    ends: date | datetime | None
    rate_percent: int
    allowance: Allowance | None
    eligible: tuple[Eligibility, ...]
    enrolment: str
    accept: str
    priority: int
    tariff: Tariff | None
    file: str


@dataclass(frozen=True, slots=True)
class Catalogue:
    """All applications and programmes, each sorted by name."""

    applications: tuple[Application, ...]
    programmes: tuple[Programme, ...]

    @property
    def application_names(self) -> tuple[str, ...]:
        """Names by number, as the kernels count them: 0 is "unknown"."""
        return ("unknown", *(application.name for application in self.applications))
