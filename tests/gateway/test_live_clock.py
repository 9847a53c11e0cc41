"""The clock is set back in the middle of a run: packets go on counting, and intervals go on ending. The NIC is a stand-in."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from stand_in_ring import Ring

from classifier.capture.batch import Batch
from classifier.gateway import live
from classifier.gateway.plan import load_plan
from classifier.ledger.read import LedgerReader

SECOND = 10**9
SET_BACK_S = 3600
BATCH_EVERY_S = 1


class SteppingRing(Ring):
    """A frame's stamp and the clock are of one machine, whose clock is set back by an hour after some batches."""

    def __init__(self, *captures: str, back_after: int) -> None:
        super().__init__(*captures)
        self.monotonic = 0
        self._offset = 1_384_128_000 * SECOND
        self._back_after = back_after

    def __iter__(self):
        for number, batch in enumerate(super().__iter__()):
            self.monotonic += BATCH_EVERY_S * SECOND
            if number == self._back_after:
                self._offset -= SET_BACK_S * SECOND
            frames = batch.frames.copy()
            frames["time_ns"] = self.clock_ns() - np.arange(len(frames))[::-1]
            yield Batch(batch.buffer, frames, len(frames))

    def clock_ns(self):
        return self.monotonic + self._offset


@pytest.mark.parametrize("back_after", [10_000, 6])
def test_intervals_go_on_and_no_octet_is_lost(monkeypatch, tmp_path, back_after):
    from test_reload import DAY

    ring = SteppingRing(DAY, back_after=back_after)
    clock = live.LiveClock
    monkeypatch.setattr(live, "open_source", lambda *_: ring)
    monkeypatch.setattr(live, "LiveClock", lambda wall: clock(wall, lambda: ring.monotonic))
    config = tmp_path / "freeflow.toml"
    config.write_text("[gateway]\ninterval_seconds = 2\n")
    lines, told = [], itertools.count()
    run = live.LiveRun(
        "eth1",
        load_plan(str(config)),
        tmp_path / "usage.db",
        live.Watcher(line=lines.append, interval=lambda: next(told)),
    )
    outcome = run.run()
    assert any("set back by 3600.0 s" in line for line in lines) == (back_after == 6)
    with LedgerReader(tmp_path / "usage.db") as reader:
        entries = list(reader.entries())
    # A frame carries 50 batches at most: 14 seconds of them, an interval every two, and none an hour long.
    assert next(told) == len(entries) >= 6
    assert max(entry.ends_ns - entry.begins_ns for entry in entries) == 2 * SECOND
    begins = [entry.begins_ns for entry in entries]
    assert begins == sorted(set(begins))
    assert sum(entry.observed_octets for entry in entries) == outcome.report.observed_octets
    assert outcome.report.observed_frames == 650
