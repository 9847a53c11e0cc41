"""Capture files through a session: totals, or flows. Several files are one input, one after the other."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

from classifier.capture.batch import BATCH_FRAMES
from classifier.capture.files import STANDARD_INPUT, CaptureFile, open_capture
from classifier.capture.link_types import link_type_text
from classifier.errors import LedgerError
from classifier.gateway.decoding import meter_capture
from classifier.gateway.plan import Plan
from classifier.gateway.session import Outcome, Session
from classifier.records import FlowRecord

if TYPE_CHECKING:
    from classifier.ledger.write import LedgerWriter

# Told after each batch: octets read so far, octets to read or None where nobody knows.
Progress = Callable[[int, int | None], None]


def replay(
    paths: Sequence[str],
    plan: Plan,
    *,
    batch_frames: int = BATCH_FRAMES,
    workers: int | None = None,
    progress: Progress | None = None,
    ledger: Path | None = None,
    append_anyway: bool = False,
) -> Outcome:
    """Meter and rate capture files. CaptureError before anything is metered if one of them cannot be opened.

    `workers` as for `decoding.meter_capture`; the totals do not depend on it.
    With a `ledger` all of it is written there in one transaction, since metering begins anew after a kill anyway.
    LedgerError, and nothing written, for a capture that the ledger has already, unless `append_anyway`.
    """
    problems: list[str] = []
    if ledger is None:
        session = Session(plan)
        for _ in _feed(session, paths, batch_frames, workers, progress, problems):
            pass
        return Outcome(session.last_report(), tuple(problems))
    from classifier.gateway.keeping import run_of
    from classifier.ledger.write import LedgerWriter

    _check(paths, batch_frames)  # before a new ledger is made for nothing
    with LedgerWriter(ledger) as writer, writer.transaction():
        writer.begin_run(run_of("replay", plan))
        session = Session(plan, ledger=writer)
        add_source = partial(_add_source, writer, append_anyway)
        for _ in _feed(session, paths, batch_frames, workers, progress, problems, add_source):
            pass
        report = session.last_report()
    return Outcome(report, tuple(problems))


def _add_source(writer: LedgerWriter, append_anyway: bool, name: str, digest: str) -> None:
    """Write down that this capture is in the ledger now; LedgerError if it was before."""
    earlier = writer.runs_of_source(digest)
    if earlier and not append_anyway:
        run, before = earlier[0]
        raise LedgerError(
            f'{name}: is in {writer.path} already, as "{before}" in run {run}; nothing was written; '
            "name another ledger, or count it once more with --append-anyway"
        )
    writer.add_source(name, digest)


class FlowListing:
    """The flows of capture files in the order in which they began; `problems` once they are through."""

    def __init__(
        self, paths: Sequence[str], plan: Plan, batch_frames: int, workers: int | None, progress: Progress | None
    ) -> None:
        self.problems: tuple[str, ...] = ()
        self._session = Session(plan, log_flows=True)
        self._problems: list[str] = []
        self._fed = _feed(self._session, paths, batch_frames, workers, progress, self._problems)

    def __iter__(self) -> Iterator[FlowRecord]:
        for _ in self._fed:
            yield from self._session.ended_flows()
        self._session.last_report()
        self.problems = tuple(self._problems)


def list_flows(
    paths: Sequence[str],
    plan: Plan,
    *,
    batch_frames: int = BATCH_FRAMES,
    workers: int | None = None,
    progress: Progress | None = None,
) -> FlowListing:
    """The flows of capture files."""
    return FlowListing(paths, plan, batch_frames, workers, progress)


def _feed(
    session: Session,
    paths: Sequence[str],
    batch_frames: int,
    workers: int | None,
    progress: Progress | None,
    problems: list[str],
    on_source: Callable[[str, str], None] | None = None,
) -> Iterator[None]:
    """Feed all files, coming back after each batch and once more after the end.

    `on_source` gets the name and the digest of each capture that is through.
    """
    total = _check(paths, batch_frames) if len(paths) > 1 else None
    read_before = 0
    for path in paths:
        digest = None if on_source is None else sha256()
        with open_capture(path, batch_frames=batch_frames, digest=digest) as capture:
            total = total if len(paths) > 1 else capture.octets_total
            for octets_read in meter_capture(session.meter, capture, workers):
                if progress is not None:
                    progress(read_before + octets_read, total)
                yield
            read_before += capture.octets_read
            problems += _problems_of(capture)
            if on_source is not None and digest is not None:
                on_source(capture.name, digest.hexdigest())
    session.meter.finish()
    yield


def _check(paths: Sequence[str], batch_frames: int) -> int | None:
    """Open each of several files once, so that a mistake is found before anything is metered; octets to read, if known."""
    total: int | None = 0
    for path in paths:
        if path == STANDARD_INPUT:
            total = None
            continue
        with open_capture(path, batch_frames=batch_frames) as capture:
            size = capture.octets_total
        total = None if total is None or size is None else total + size
    return total


def _problems_of(capture: CaptureFile) -> list[str]:
    """One line for whatever kept the file from being metered whole."""
    problems = [capture.problem] if capture.problem else []
    for link_type, frames in sorted(capture.unsupported.items()):
        problems.append(
            f"{capture.name}: {frames} frames of link type {link_type_text(link_type)} are not supported; "
            "they are counted as unmetered"
        )
    return problems
