"""A ledger's usage added up by subscriber, application, programme, payer, day or month, over any range of time.

Rules of this file: an interval counts where it begins. Ranges of whole days are answered out of the sums by day, all others,
and sums by subscriber, out of the usage itself; the tests hold one against the other.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from datetime import date, datetime

import numpy as np

from classifier.gateway.used_up import exhausted_subscribers
from classifier.ledger.read import LedgerReader, OutcomeName
from classifier.rating.offers import PARTS
from classifier.rating.periods import Periods, instant_ns
from classifier.reports.ledger_report import Group, LedgerReport

# The figures of a Group behind its names.
_FIGURES = 3 + len(PARTS)
Moment = date | datetime


def ledger_report(
    reader: LedgerReader, periods: Periods, by: str, begin: Moment | None = None, end: Moment | None = None
) -> LedgerReport:
    """The usage in [begin, end) by one of GROUPINGS. A date is its local midnight in `periods`; None: open."""
    begin_ns, end_ns = (None if moment is None else instant_ns(moment, periods.zone) for moment in (begin, end))
    of_outcome = _outcome_keys(reader.outcomes(), by)
    if by != "subscriber" and not isinstance(begin, datetime) and not isinstance(end, datetime):
        groups = _of_days(reader, by, of_outcome, begin, end)
    else:
        groups = _of_usage(reader, by, of_outcome, begin_ns, end_ns)
    if by == "programme":
        used_up = exhausted_subscribers(reader, begin_ns, end_ns)
        groups = [group._replace(exhausted_subscribers=used_up.get((group.name, group.payer), 0)) for group in groups]
    key = (lambda group: group.name) if by in ("day", "month") else (lambda group: (-group.octets, group.name or ""))
    return LedgerReport(
        by=by,
        begin_ns=begin_ns,
        end_ns=end_ns,
        groups=tuple(sorted(groups, key=key)),
        unmetered=reader.unmetered(begin_ns, end_ns),
        lost_octets=reader.lost_octets(),
    )


def ledger_periods(reader: LedgerReader) -> Periods:
    """Days and months of the latest run; those of UTC where none has run."""
    from zoneinfo import ZoneInfo

    runs = list(reader.runs().values())
    return Periods(ZoneInfo(runs[-1].timezone), runs[-1].month_starts_on) if runs else Periods(ZoneInfo("UTC"))


def _outcome_keys(outcomes: Iterable[OutcomeName | None], by: str) -> list[tuple[str | None, str | None]]:
    """(name, payer) of the group that each outcome belongs to, by its number, where outcomes tell it."""
    named: dict[str, Callable[[OutcomeName], tuple[str | None, str | None]]] = {
        "application": lambda outcome: (outcome.application, None),
        "programme": lambda outcome: (outcome.programme, outcome.payer),
        "payer": lambda outcome: (outcome.payer, None),
    }
    name = named.get(by, lambda outcome: (None, None))
    return [(None, None) if outcome is None else name(outcome) for outcome in outcomes]


def _of_days(
    reader: LedgerReader, by: str, of_outcome: list[tuple], begin: date | None, end: date | None
) -> list[Group]:
    parts = [0, *(PARTS.index(outcome.part) for outcome in reader.outcomes() if outcome is not None)]
    sums: dict[Hashable, list[int]] = {}
    days = (None if moment is None else moment.isoformat() for moment in (begin, end))
    for total in reader.day_totals(*days):
        key = (getattr(total, by), None) if by in ("day", "month") else of_outcome[total.outcome]
        figures = sums.setdefault(key, [0] * _FIGURES)
        figures[0] += total.uplink_octets
        figures[1] += total.downlink_octets
        figures[2] += total.uplink_packets + total.downlink_packets
        figures[3 + parts[total.outcome]] += total.uplink_octets + total.downlink_octets
    return [Group(*key, *figures) for key, figures in sums.items()]


def _of_usage(
    reader: LedgerReader, by: str, of_outcome: list[tuple], begin_ns: int | None, end_ns: int | None
) -> list[Group]:
    part = np.array([0, *(PARTS.index(outcome.part) for outcome in reader.outcomes() if outcome is not None)])
    names = reader.subscribers() if by == "subscriber" else []
    keys: dict[tuple, int] = {(name, None): number for number, name in enumerate(names)}
    outcome_place = np.array([keys.setdefault(key, len(keys)) for key in of_outcome] if not names else [0])
    sums = np.zeros((len(keys), _FIGURES), np.int64)
    seen = np.zeros(len(keys), bool)
    for piece in reader.usage(begin_ns, end_ns):
        if by == "subscriber":
            place = piece.subscriber
        elif by in ("day", "month"):
            number = keys.setdefault((getattr(piece, by), None), len(keys))
            place = np.full(len(piece.outcome), number)
        else:
            place = outcome_place[piece.outcome]
        if len(keys) > len(sums):
            sums = np.concatenate([sums, np.zeros((len(keys), _FIGURES), np.int64)])
            seen = np.concatenate([seen, np.zeros(len(keys), bool)])
        up, down, up_packets, down_packets = piece.volumes
        for figure, column in enumerate((up, down, up_packets + down_packets)):
            np.add.at(sums[:, figure], place, column)
        np.add.at(sums, (place, 3 + part[piece.outcome]), up + down)
        seen[place] = True
    return [Group(*key, *sums[number].tolist()) for key, number in keys.items() if seen[number]]
