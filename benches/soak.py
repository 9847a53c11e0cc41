"""A live run under traffic for as long as is asked: memory stays flat, and every octet that was sent is accounted for.

    sudo .venv/bin/python -m benches.soak --seconds 3600

Traffic of the bundled captures goes over a veth pair into `freeflow run`, with a reload every so often; at the end what was
observed has to be what was sent, the parts have to add up, and the ledger has to hold the same. A row of figures is printed
every half a minute. Two network namespaces are made for it and removed again.
"""

from __future__ import annotations

import argparse
import json
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benches.links import PATIENCE_S, Host, chain
from benches.processes import ROOT

CAPTURES = ("day-in-the-life", "http-host", "tunnels", "ipv6-extension-headers", "port-reuse-after-fin-and-rst")
CONFIG = """[gateway]
interval_seconds = 1
[ledger]
path = "usage.db"
"""
# Sends every frame of the files again and again at about this rate; says how many frames and rounds when it is told to stop.
SENDER = """
import signal, socket, struct, sys, time
import dpkt
going = True
def stop(*_):
    global going
    going = False
signal.signal(signal.SIGTERM, stop)
link = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
link.bind((sys.argv[1], 0))
rate = float(sys.argv[2])
frames = []
for name in sys.argv[3:]:
    with open(name, 'rb') as file:
        frames += [bytes(frame) for _, frame in dpkt.pcap.Reader(file) if len(frame) <= 1514]
sent, begun = 0, time.monotonic()
while going:
    for frame in frames:
        while True:
            try:
                link.send(frame)
                break
            except OSError as error:
                if error.errno != 105:
                    raise
                time.sleep(0.001)
        sent += 1
        if sent % 50 == 0:
            ahead = sent / rate - (time.monotonic() - begun)
            if ahead > 0:
                time.sleep(ahead)
print(sent, sent // len(frames))
"""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=int, default=3600)
    parser.add_argument("--rate", type=int, default=20_000, help="frames a second (default: 20000)")
    parser.add_argument("--reload-every", type=int, default=60, metavar="SECONDS")
    parser.add_argument("--subscribers", type=int, default=0, help="rows of a subscriber file, read at each reload")
    arguments = parser.parse_args()
    with chain(2) as ((left,), (right,)), tempfile.TemporaryDirectory(prefix="freeflow-soak-") as folder:
        return _soak(arguments, left, right, Path(folder))


def _soak(arguments: argparse.Namespace, left: Host, right: Host, folder: Path) -> int:
    config = folder / "freeflow.toml"
    config.write_text(CONFIG)
    if arguments.subscribers:
        config.write_text(CONFIG.replace("[ledger]", 'subscribers = "subscribers.csv"\n[ledger]'))
        rows = (f"s{one},100.{64 + (one >> 16)}.{one >> 8 & 255}.{one & 255}" for one in range(arguments.subscribers))
        (folder / "subscribers.csv").write_text("\n".join(["subscriber,address", *rows]))
    program = [sys.executable, "-m", "classifier", "run", "-i", right.interface, "-c", str(config), "--json"]
    files = [str(ROOT / "pcaps" / f"{name}.pcap") for name in CAPTURES]
    sender_program = [sys.executable, "-c", SENDER, left.interface, str(arguments.rate), *files]
    # An hour of JSON is large: it goes through this process, which keeps the last line.
    with subprocess.Popen(right.command(program), cwd=ROOT, stdout=subprocess.PIPE, text=True) as run:
        _wait_for_ring(right)
        sender = subprocess.Popen(left.command(sender_program), stdout=subprocess.PIPE, text=True)
        last, memory = _watch(arguments, run, sender)
        sender.send_signal(signal.SIGTERM)
        sent, rounds = map(int, sender.communicate()[0].split())
        time.sleep(1)
        run.send_signal(signal.SIGTERM)
        for line in run.stdout:
            last = line
        status = run.wait(60)
    return _judge(json.loads(last), status, sent, rounds, memory, folder / "usage.db")


def _watch(arguments, run: subprocess.Popen, sender: subprocess.Popen) -> tuple[str, list[int]]:
    """Read what is told until the time is over: (the last line, resident memory in KiB every half a minute)."""
    begun = time.monotonic()
    next_row, next_reload = begun + 30, begun + arguments.reload_every
    last, memory = "", []
    while time.monotonic() < begun + arguments.seconds:
        last = run.stdout.readline()
        if not last or sender.poll() is not None:
            raise SystemExit("the run or the sender ended before its time")
        if time.monotonic() >= next_reload:
            next_reload += arguments.reload_every
            run.send_signal(signal.SIGHUP)
        if time.monotonic() >= next_row:
            next_row += 30
            memory.append(_resident_kib(run.pid))
            told = json.loads(last)
            print(
                f"{time.monotonic() - begun:6.0f} s  {memory[-1] >> 10} MiB  {told['observed']['frames']:,} frames  "
                f"{told['dropped_frames']} dropped  {told['tables']['flows']['used']:,} flows",
                flush=True,
            )
    return last, memory


def _judge(told: dict, status: int, sent: int, rounds: int, memory: list[int], ledger: Path) -> int:
    sys.path.insert(0, str(ROOT))
    from classifier.ledger.check import ledger_problems
    from classifier.ledger.read import LedgerReader

    parts = sum(told[part]["octets"] for part in ("zero_rated", "discounted", "charged", "pending"))
    unmetered = sum(one["octets"] for one in told["unmetered"].values())
    with LedgerReader(ledger) as reader:
        entries = list(reader.entries())
        runs, lost = len(reader.runs()), reader.lost_octets()
    growth = memory[-1] / memory[len(memory) // 3] - 1 if len(memory) > 3 else 0
    checks = {
        "exit status 0, or 1 with drops": status == (1 if told["dropped_frames"] else 0),
        "observed and dropped are what was sent": told["observed"]["frames"] + told["dropped_frames"] == sent,
        "every octet is in one place": parts + unmetered == told["observed"]["octets"],
        "the ledger holds what was observed": sum(one.observed_octets for one in entries) == told["observed"]["octets"]
        and not lost,
        "the ledger is whole": ledger_problems(ledger) == [],
        "memory grew by less than 5 % after the first third": growth < 0.05,
    }
    print(
        f"sent {sent:,} frames in {rounds} rounds, observed {told['observed']['frames']:,}, dropped {told['dropped_frames']}, "
        f"{len(entries)} intervals, {runs} runs in the ledger, memory {growth:+.1%}"
    )
    for what, holds in checks.items():
        print(f"{'ok   ' if holds else 'FAILS'} {what}")
    return 0 if all(checks.values()) else 1


def _resident_kib(process: int) -> int:
    """proc(5), status: RssAnon, which leaves out the ring, as that is mapped from the kernel."""
    for line in Path(f"/proc/{process}/status").read_text().splitlines():
        if line.startswith("RssAnon:"):
            return int(line.split()[1])
    return 0


def _wait_for_ring(side: Host) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not side.bound_sockets():
        if time.monotonic() > deadline:
            raise SystemExit("the ring never opened")
        time.sleep(0.1)


if __name__ == "__main__":
    sys.exit(main())
