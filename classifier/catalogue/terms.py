"""A programme as one line of JSON and back, and the digest of a whole catalogue: what a ledger keeps of them.

Rules of this file: the same terms give the same text, whatever file or version they were read by; prices stay decimal. Where
a file lies is no part of it.
"""

from __future__ import annotations

import json
from datetime import date, datetime
from decimal import Decimal
from hashlib import sha256

from classifier.catalogue.records import (
    CHARGE,
    Allowance,
    Application,
    Bonus,
    Catalogue,
    Eligibility,
    Programme,
    Step,
    Tariff,
)


def terms_text(programme: Programme) -> str:
    """All that the programme's file says, as JSON."""
    return _text(_fields(programme))


def programme_of(terms: str) -> Programme:
    """The programme of which `terms_text` made this; `file` says that it comes from a ledger."""
    found = json.loads(terms)
    bonus, tariff = found["bonus"], found["tariff"]
    applications = found["applications"]
    return Programme(
        name=found["name"],
        payer=found["payer"],
        applications=applications if isinstance(applications, str) else tuple(applications),
        starts=_moment(found["starts"]),
        ends=_moment(found["ends"]),
        rate_percent=found["rate_percent"],
        allowances=tuple(Allowance(**allowance) for allowance in found["allowances"]),
        bonus=None if bonus is None else Bonus(**{**bonus, "before": _moment(bonus["before"])}),
        eligible=tuple(Eligibility(**group) for group in found["eligible"]),
        enrolment=found["enrolment"],
        registered_before=_moment(found["registered_before"]),
        accept=found["accept"],
        priority=found["priority"],
        tariff=None if tariff is None else _tariff(tariff),
        file="the ledger",
        on_exhausted=found.get("on_exhausted", CHARGE),
    )


def catalogue_digest(catalogue: Catalogue) -> str:
    """SHA-256 over all applications and programmes, in hexadecimal."""
    records = [_fields(record) for record in (*catalogue.applications, *catalogue.programmes)]
    return sha256(_text(records).encode()).hexdigest()


def _fields(record: Application | Programme) -> dict:
    fields = _described(record)
    del fields["file"]
    if fields.get("on_exhausted") == CHARGE:
        del fields["on_exhausted"]  # as in the ledgers of versions that knew nothing else
    return fields


def _described(value: object) -> object:
    """Records as dictionaries, whatever they are in."""
    if hasattr(value, "_asdict"):
        return {name: _described(one) for name, one in value._asdict().items()}
    return [_described(one) for one in value] if isinstance(value, tuple) else value


def _text(value: object) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, default=_plain)


def _plain(value: object) -> str:
    """Dates and instants by ISO 8601, prices by their digits, networks as prefixes."""
    return value.isoformat() if isinstance(value, date) else str(value)


def _moment(text: str | None) -> date | datetime | None:
    if text is None:
        return None
    return datetime.fromisoformat(text) if "T" in text else date.fromisoformat(text)


def _tariff(found: dict) -> Tariff:
    by_operator = tuple((operator, _steps(steps)) for operator, steps in found["by_operator"])
    return Tariff(found["currency"], _steps(found["steps"]), by_operator)


def _steps(found: list[dict]) -> tuple[Step, ...]:
    return tuple(Step(step["up_to_megabytes"], Decimal(step["per_megabyte"])) for step in found)
