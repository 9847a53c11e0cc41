"""A process that forks writers of a ledger and kills them: a line in, "PATH ENTRIES SECONDS", and out what was acknowledged.

What the n-th entry of a ledger holds is a matter of n alone, so that whoever reads it knows what has to be there. Only the
writer's process has the ledger open, and forking costs a hundredth of starting Python.
"""

from __future__ import annotations

import os
import signal
import struct
import sys
import time
import traceback
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from ledgers import RUN, Used, at_ns, entry, month_period

from classifier.ledger.read import LedgerReader
from classifier.ledger.write import LedgerWriter

MINUTE_NS = 60 * 10**9
START_NS = at_ns(2013, 11, 1)
NOVEMBER = month_period(START_NS)
SUBSCRIBERS = 40


def begins_ns(number: int) -> int:
    return START_NS + number * MINUTE_NS


def usage(number: int) -> list[Used]:
    """Free octets of all subscribers, and charged ones of one that no entry had before."""
    free = [Used(f"s{place}", "taobao", number + place, 100 * number, None) for place in range(SUBSCRIBERS)]
    return [*free, Used(f"new in {number}", "wechat", 1, number)]


def write_on(path: str, acknowledge: int) -> None:
    """Write entry after entry, from the one that the ledger lacks, and tell of each when it is written."""
    with LedgerWriter(path) as writer:
        with LedgerReader(path) as reader:
            number = sum(1 for _ in reader.entries())
            used = {name: octets for name, octets in _used(reader)}
        writer.begin_run(RUN)
        while True:
            number += 1
            rows = usage(number)
            for row in rows[:SUBSCRIBERS]:
                used[row.subscriber] = used.get(row.subscriber, 0) + row.uplink_octets + row.downlink_octets
            written = writer.write(entry(writer, begins_ns(number), rows, allowances=[(NOVEMBER, used)]))
            os.write(acknowledge, struct.pack("<q", written))


def _used(reader: LedgerReader):
    names = reader.subscribers()
    for number, octets in reader.allowances().get(NOVEMBER, {}).items():
        yield names[number], octets


def killed_after(path: str, entries: int, seconds: float) -> list[int]:
    """Fork a writer, kill it so long after so many entries; those that it had acknowledged by then."""
    told, tell = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.close(told)
            write_on(path, tell)
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(1)
    os.close(tell)
    with os.fdopen(told, "rb") as pipe:
        content = pipe.read(8 * entries)
        time.sleep(seconds)
        os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
        assert os.WIFSIGNALED(status), "the writer ended by itself"
        content += pipe.read()
    return [number for (number,) in struct.iter_unpack("<q", content)]


if __name__ == "__main__":
    for line in sys.stdin:
        name, entries, seconds = line.rsplit(" ", 2)
        print(*killed_after(name, int(entries), float(seconds)), flush=True)
