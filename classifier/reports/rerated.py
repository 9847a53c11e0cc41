"""Two accounts of the same usage side by side, as text and as JSON, schema `freeflow.rate/1`.

Rule of this file: every octet of the one account is in the other; money is text in JSON, since it is decimal.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from classifier.reports.columns import Column, Line, table_lines
from classifier.reports.words import octets_text

SCHEMA = "freeflow.rate/1"
_PARTS = (("zero_rated", "zero-rated"), ("discounted", "discounted"), ("charged", "charged"))


@dataclass(frozen=True, slots=True)
class Account:
    """What offers come to. `octets` by part; `carried` by programme, octets; `owed` by programme, an amount by currency."""

    octets: dict[str, int]
    carried: dict[str, int]
    owed: dict[str, dict[str, Decimal]]


@dataclass(frozen=True, slots=True)
class Rerated:
    """A ledger's account as it is and as it would be. `payers` by programme; `gone`: programmes that carried something and
    are not among those rated by."""

    before: Account
    after: Account
    payers: dict[str, str]
    gone: tuple[str, ...]


def rerated_lines(accounts: Rerated, width: int) -> list[Line]:
    """A table of the parts and one of the programmes."""
    before, after = accounts.before, accounts.after
    columns = (Column("octets"), Column("in the ledger", right=True), Column("under these offers", right=True))
    rows = [(label, octets_text(before.octets[part]), octets_text(after.octets[part])) for part, label in _PARTS]
    lines = table_lines(columns, rows, ["free", "", ""], width)
    rows = [
        (
            name,
            accounts.payers[name],
            octets_text(before.carried.get(name, 0)),
            octets_text(after.carried.get(name, 0)),
            _amounts(before, name),
            _amounts(after, name),
        )
        for name in sorted(before.carried.keys() | after.carried.keys())
    ]
    if not rows:
        return lines
    columns = (
        Column("programme", least=12),
        Column("paid by", least=8),
        Column("carried", right=True),
        Column("then", right=True),
        Column("owed", right=True),
        Column("then", right=True),
    )
    return [*lines, Line(""), *table_lines(columns, rows, [""] * len(rows), width)]


def rerated_json(accounts: Rerated) -> dict:
    """One object."""
    names = sorted(accounts.before.carried.keys() | accounts.after.carried.keys())
    return {
        "schema": SCHEMA,
        **{
            f"{part}_octets": {"before": accounts.before.octets[part], "after": accounts.after.octets[part]}
            for part, _ in _PARTS
        },
        "programmes": [
            {
                "programme": name,
                "payer": accounts.payers[name],
                "octets": {
                    "before": accounts.before.carried.get(name, 0),
                    "after": accounts.after.carried.get(name, 0),
                },
                "owed": {"before": _owed(accounts.before, name), "after": _owed(accounts.after, name)},
            }
            for name in names
        ],
    }


def _owed(account: Account, programme: str) -> dict[str, str]:
    return {currency: f"{amount:f}" for currency, amount in sorted(account.owed.get(programme, {}).items())}


def _amounts(account: Account, programme: str) -> str:
    owed = _owed(account, programme)
    return " + ".join(f"{amount} {currency}" for currency, amount in owed.items()) or "-"
