"""What a ledger's usage comes to under other offers, or once more under its own: no capture is needed.

Rules of this file: entries are rated in their order, each as a whole, with the attributes that subscribers had in its run, as
when it was written; so under the same offers the result is the same to the octet. Allowances begin whole with the first
entry.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from decimal import Decimal
from itertools import groupby
from zoneinfo import ZoneInfo

import numpy as np

from classifier.catalogue.records import Programme
from classifier.catalogue.terms import programme_of, terms_text
from classifier.gateway.attributes import subscriber_of
from classifier.gateway.gathering import put_together
from classifier.gateway.keeping import Keeper
from classifier.kernels.state import USAGE_ROW
from classifier.ledger.entries import Entry, Run
from classifier.ledger.read import EntryRecord, LedgerReader, UsagePiece
from classifier.ledger.write import LedgerWriter
from classifier.rating.figures import Figures
from classifier.rating.offers import PARTS
from classifier.rating.periods import Periods
from classifier.rating.rate import VOLUMES, Rater
from classifier.rating.settlement import settle_terms
from classifier.records import EVIDENCE, STANDING
from classifier.reports.rerated import Account, Rerated


class _Sums:
    """Octets by what becomes of them, and by programme, operator and month."""

    def __init__(self) -> None:
        self.octets = dict.fromkeys(PARTS, 0)
        self.carried: dict[tuple[Programme, str, str], int] = defaultdict(int)

    def account(self) -> Account:
        carried: dict[str, int] = defaultdict(int)
        owed: dict[str, dict[str, Decimal]] = defaultdict(dict)
        for (programme, _, _), octets in self.carried.items():
            carried[programme.name] += octets
        for debt in settle_terms(self.carried):
            if debt.amount is not None and debt.currency is not None:
                amounts = owed[debt.programme]
                amounts[debt.currency] = amounts.get(debt.currency, Decimal(0)) + debt.amount
        return Account(self.octets, dict(carried), dict(owed))


def rerate(reader: LedgerReader, programmes: Sequence[Programme] | None, writer: LedgerWriter | None = None) -> Rerated:
    """Rate a ledger's usage under these programmes, None: those that were in force in each run, into the ledger of `writer`
    if there is one."""
    usage, after = _Usage(reader), _Sums()
    before = _before(reader)
    payers = {name: payer for name, payer, _ in reader.programmes().values()}
    used = Figures()
    sources = reader.sources()
    entries = _with_usage(reader)
    entry, pieces = next(entries, (None, []))
    rated_by: set[str] = set()
    for number, run in reader.runs().items():
        in_force = tuple(programme_of(terms) for *_, terms in run.programmes) if programmes is None else programmes
        rated_by |= {programme.name for programme in in_force}
        payers |= {programme.name: programme.payer for programme in in_force}
        rates = _RunRates(reader, usage, number, run, in_force, writer)
        for of_run, name, digest in sources if writer is not None else ():
            if of_run == number:
                writer.add_source(name, digest)
        while entry is not None and entry.run == number:
            rates.rate(entry, pieces, used, after)
            entry, pieces = next(entries, (None, []))
    return Rerated(before, after.account(), payers, tuple(sorted(before.carried.keys() - rated_by)))


class _Usage:
    """A ledger's usage as rating takes it: its numbers of subscribers, and of applications in the order of their names."""

    def __init__(self, reader: LedgerReader) -> None:
        outcomes = [outcome for outcome in reader.outcomes() if outcome is not None]
        self.names = ("unknown", *sorted({outcome.application for outcome in outcomes} - {"unknown"}))
        self.labels = reader.subscribers()
        place = {name: number for number, name in enumerate(self.names)}
        self._application = np.array([0, *(place[outcome.application] for outcome in outcomes)])
        self._evidence = np.array([0, *(EVIDENCE.index(outcome.evidence) for outcome in outcomes)])
        self._standing = np.array([0, *(STANDING.index(outcome.standing) for outcome in outcomes)])

    def table(self, pieces: Sequence[UsagePiece]) -> np.ndarray:
        """USAGE_ROW rows of an entry: what rating had cut is one row again."""
        tables = []
        for piece in pieces:
            rows = np.zeros(len(piece.subscriber), USAGE_ROW)
            rows["interval"], rows["subscriber"] = piece.begins_ns, piece.subscriber
            rows["application"], rows["evidence"] = self._application[piece.outcome], self._evidence[piece.outcome]
            rows["standing"] = self._standing[piece.outcome]
            for field, column in zip(VOLUMES, piece.volumes, strict=True):
                rows[field] = column
            tables.append(rows)
        return put_together(tables)


class _RunRates:
    """Rates the entries of one run, with the attributes, days and months that it had."""

    def __init__(
        self,
        reader: LedgerReader,
        usage: _Usage,
        number: int,
        run: Run,
        programmes: Sequence[Programme],
        writer: LedgerWriter | None,
    ) -> None:
        attributes = reader.attributes(number)
        names = enumerate(usage.labels[1:], 1)
        subscribers = [subscriber_of(name, attributes[place]) if place in attributes else None for place, name in names]
        periods = Periods(ZoneInfo(run.timezone), run.month_starts_on)
        self._reader, self._usage, self._writer = reader, usage, writer
        self._rater = Rater(programmes, usage.names, subscribers, periods)
        self._profiles, self._profile_of = reader.profiles(number)
        self._ends_ns: dict[int, int] = {}
        if writer is not None:
            in_force = tuple((one.name, one.payer, terms_text(one)) for one in programmes)
            writer.begin_run(run._replace(kind="rate", programmes=in_force))
            self._keeper = Keeper(
                writer,
                self._rater,
                lambda numbers: [usage.labels[one] for one in numbers.tolist()],
                lambda begins_ns: (begins_ns, self._ends_ns[begins_ns]),
            )

    def rate(self, entry: EntryRecord, pieces: Sequence[UsagePiece], used: Figures, sums: _Sums) -> None:
        """Rate an entry, add it to the sums, and write it. `used` is kept up."""
        rows = self._usage.table(pieces)
        rated = self._rater.rate(rows, used)
        used.update(rated.used)
        self._add(rated.rows, {piece.begins_ns: piece.month for piece in pieces}, sums)
        if self._writer is None:
            return
        self._ends_ns = {piece.begins_ns: piece.ends_ns for piece in pieces}
        self._keeper.know(rows)
        self._writer.write(
            Entry(
                begins_ns=entry.begins_ns,
                ends_ns=entry.ends_ns,
                observed=(entry.observed_frames, entry.observed_octets),
                pending=(entry.pending_frames, entry.pending_octets),
                unmetered=self._reader.unmetered_of(entry.entry),
                postings=tuple(self._keeper.postings(rated.rows, entry.ends_ns)),
                allowances=tuple(self._keeper.figures(rated.used)),
            )
        )

    def _add(self, rows: np.ndarray, months: dict[int, str], sums: _Sums) -> None:
        octets = rows["uplink_octets"] + rows["downlink_octets"]
        for number, part in enumerate(PARTS):
            sums.octets[part] += int(octets[rows["part"] == number].sum())
        paid = rows[rows["programme"] >= 0]
        octets = octets[rows["programme"] >= 0]
        keys = np.stack([paid["interval"], paid["programme"], self._profile_of[paid["subscriber"]]])
        kinds, kind_of = np.unique(keys, axis=1, return_inverse=True)
        of_kind = np.zeros(kinds.shape[1], np.int64)
        np.add.at(of_kind, kind_of, octets)
        for begins_ns, programme, profile, carried in zip(*kinds.tolist(), of_kind.tolist(), strict=True):
            key = (self._rater.programmes[programme], self._profiles[profile].operator, months[begins_ns])
            sums.carried[key] += carried


def _with_usage(reader: LedgerReader) -> Iterator[tuple[EntryRecord, list[UsagePiece]]]:
    """Entries in their order, each with its usage."""
    grouped = groupby(reader.usage(by_entry=True), key=lambda piece: piece.entry)
    number, pieces = next(grouped, (None, ()))
    for entry in reader.entries():
        if entry.entry == number:
            yield entry, list(pieces)
            number, pieces = next(grouped, (None, ()))
        else:
            yield entry, []


def _before(reader: LedgerReader) -> Account:
    """The account as the ledger has it."""
    sums, outcomes = _Sums(), reader.outcomes()
    programmes = {number: programme_of(terms) for number, (*_, terms) in reader.programmes().items()}
    for total in reader.day_totals():
        outcome, octets = outcomes[total.outcome], total.uplink_octets + total.downlink_octets
        sums.octets[outcome.part] += octets
        if outcome.terms is not None:
            sums.carried[programmes[outcome.terms], total.profile.operator, total.month] += octets
    return sums.account()
