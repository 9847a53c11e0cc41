"""`make bench`: how fast freeflow is here, and other tools on the same file in the same run.

Rules of this file: figures beside marks, no verdict; a row that could not be measured says why. Everything is measured
with the file cached. The whole takes a few minutes: each step has a limit.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
from pathlib import Path

from benches.captures import BUNDLED_CAPTURES, Capture, beginning, large_capture, names_capture, read_through
from benches.floods import floods
from benches.machine import machine, memory_octets
from benches.peers import PEERS, Peer
from benches.processes import Run, run
from benches.tables import speed, spread, table

LONGEST_SECONDS = 180
LONGEST_PEER_SECONDS = 45
# A peer that takes longer than this is timed once, a faster one three times.
REPEATED_BELOW_SECONDS = 5
SLOW_PEERS_OCTETS = 30_000_000
NAMES_PACKETS = 300_000
NAMES = {
    "tls": "the ClientHello of a TLS connection",
    "quic": "the client's QUIC Initial, and one the server's",
    "dns": "a DNS answer, and one its question",
}
SMALL = BUNDLED_CAPTURES / "day-in-the-life"
FREEFLOW = (sys.executable, "-m", "classifier")
ZERO_RATE = ("--zero-rate", "facebook,wechat")
README = Path(__file__).resolve().with_name("README.md")
BEGIN, END = "<!-- figures: begin -->", "<!-- figures: end -->"


def say(what: str) -> None:
    """Which step runs, to standard error."""
    print(f"bench: {what}", file=sys.stderr, flush=True)


def command(capture: Path, *options: str) -> list[str]:
    """`freeflow replay` as a whole process."""
    return [*FREEFLOW, "replay", str(capture), *options, "--json"]


def must(done: Run, what: str) -> Run:
    """The run, if it went well."""
    if done.status != 0:
        raise RuntimeError(f"{what}: exit status {done.status}: {done.errors.strip()[-500:]}")
    return done


def throughput(capture: Capture, runs: int) -> tuple[str, float]:
    """The table of the pipeline on the large capture, and the packets a second of a whole process."""
    say(f"{capture.path.name}: {capture.packets:,} packets; the pipeline in one process, {runs} runs")
    steady = must(
        run([sys.executable, "-m", "benches.steady", str(capture.path), str(runs)], LONGEST_SECONDS), "steady"
    )
    found = json.loads(steady.output)
    for counted in ("listed_frames", "frames"):
        if found[counted] != capture.packets:
            raise RuntimeError(f"{counted}: {found[counted]} of {capture.packets} packets in the capture")
    walked = json.loads(
        must(run([sys.executable, "-m", "benches.walk", str(capture.path), str(runs)], 180), "walk").output
    )
    if walked["packets"] != capture.packets:
        raise RuntimeError(f"the plain walk: {walked['packets']} of {capture.packets} packets in the capture")
    say(f"the command as a whole process, {runs} runs")
    whole = [must(run(command(capture.path, *ZERO_RATE), LONGEST_SECONDS), "replay") for _ in range(runs)]
    observed = json.loads(whole[0].output)["observed"]
    if (observed["frames"], observed["octets"]) != (found["frames"], found["octets"]):
        raise RuntimeError(f"the command observed {observed}, the pipeline {found['frames']} frames")

    plain = speed(capture.packets, walked["seconds"])

    def row(what: str, seconds: list[float], peak_octets: int | None, mark: str) -> tuple[str, ...]:
        a_second = speed(capture.packets, seconds)
        gigabits = found["octets"] * 8 / statistics.median(seconds) / 1e9
        memory = "" if peak_octets is None else f"{peak_octets / 1e6:.0f} MB"
        figures = f"{a_second / 1e6:.2f} M", f"{1e9 / a_second:.0f}", f"{gigabits:.1f}"
        return what, *figures, f"{a_second / plain:.2f}", spread(seconds), memory, mark

    whole_seconds = [done.seconds for done in whole]
    rows = [
        row("a plain walk over the frames, in memory (`walk.py`)", walked["seconds"], None, ""),
        row("source alone: frames listed, not decoded", found["listing_seconds"], None, ""),
        row(
            "whole pipeline to the totals, running",
            found["totals_seconds"],
            steady.peak_octets,
            "≥ 5 M packets/s; 0.31 of the walk",
        ),
        row("… and the report as JSON with every subscriber", found["report_seconds"], steady.peak_octets, ""),
        row("`freeflow replay FILE --json`, whole process", whole_seconds, max(d.peak_octets for d in whole), ""),
    ]
    head = ("freeflow", "packets/s", "ns a packet", "Gbit/s of IP", "of the walk", "time", "peak memory", "mark")
    about = (
        f"{capture.octets:,} octets from {capture.source}: {found['frames']:,} packets, {found['octets']:,} IP octets, "
        f"{found['flows']:,} metered flows of {found['subscribers']:,} subscribers; their report as JSON has "
        f"{found['report_octets']:,} octets."
    )
    notices = "".join(f" {count:,} {what}." for what, count in found["notices"])
    return f"{about}{notices}\n\n{table(head, rows)}", speed(capture.packets, whole_seconds)


def starts(runs: int) -> str:
    """The table of a small capture: with the kernels compiled, and the very first run."""
    capture = SMALL.with_suffix(".pcap")
    options = ("-c", str(SMALL.with_suffix(".toml")))
    say(f"warm start on {capture.name}, {runs} runs")
    warm = [must(run(command(capture, *options), LONGEST_SECONDS), "warm start") for _ in range(runs + 1)][1:]
    say("first run, with an empty cache of kernels")
    with tempfile.TemporaryDirectory() as folder:
        first = run(command(capture, *options), LONGEST_SECONDS, {"FREEFLOW_CACHE_DIR": folder})
    must(first, "first run")
    said = " ".join(first.errors.split()) or "nothing"
    rows = [
        ("kernels compiled before", spread([done.seconds for done in warm]), f"{_peak(warm)} MB", "< 1 s", ""),
        ("very first run, compiling", spread([first.seconds]), f"{_peak([first])} MB", "< 60 s", f"“{said}”"),
    ]
    return table((f"`freeflow replay {capture.name}`, whole process", "time", "peak memory", "mark", "it says"), rows)


def _peak(runs: list[Run]) -> str:
    return f"{max(done.peak_octets for done in runs) / 1e6:.0f}"


def names(runs: int) -> str:
    """The table of captures with a name in every ten packets."""
    rows = []
    for kind, what in NAMES.items():
        capture = names_capture(kind, NAMES_PACKETS)
        read_through(capture.path)
        say(f"{capture.path.name}, {runs} runs")
        steady = must(
            run([sys.executable, "-m", "benches.steady", str(capture.path), str(runs)], LONGEST_SECONDS), "steady"
        )
        found = json.loads(steady.output)
        if found["frames"] != capture.packets:
            raise RuntimeError(f"{kind}: {found['frames']} of {capture.packets} packets in the capture")
        a_second = speed(capture.packets, found["totals_seconds"])
        rows.append(
            (
                what,
                f"{a_second / 1e6:.2f} M",
                f"{1e9 / a_second:.0f}",
                spread(found["totals_seconds"]),
                "≥ 1.5 M packets/s",
            )
        )
    return table(("of every ten packets one is", "packets/s", "ns a packet", "time", "goal"), rows)


def peers(capture: Capture, own_speed: float) -> str:
    """The table of other tools."""
    prefix = beginning(capture, min(SLOW_PEERS_OCTETS, capture.octets))
    rows = []
    for peer in PEERS:
        version = peer.version()
        name = f"{peer.name} {version or ''}".strip()
        if version is None:
            rows.append((name, peer.package, peer.does, "not installed here", "", "", ""))
            continue
        read = prefix if peer.slow else capture
        on = f"first {read.octets / 1e6:.0f} MB" if peer.slow else "whole file"
        say(f"{peer.name}, {on}")
        seconds, failed = _time_peer(peer, read)
        if failed:
            rows.append((name, peer.package, peer.does, failed, on, "", ""))
            continue
        a_second = speed(read.packets, seconds)
        ratio = f"{own_speed / a_second:.1f}"
        rows.append((name, peer.package, peer.does, f"{a_second / 1e6:.3f} M", on, spread(seconds), ratio))
    return table(
        ("tool, whole process", "package", "what it does", "packets/s", "read", "time", "freeflow / tool"), rows
    )


def _time_peer(peer: Peer, capture: Capture) -> tuple[list[float], str]:
    """Seconds of each run, and why there are none."""
    seconds: list[float] = []
    while len(seconds) < 3 and not (seconds and seconds[0] > REPEATED_BELOW_SECONDS):
        with tempfile.TemporaryDirectory() as folder:
            done = run(peer.command(capture.path, Path(folder)), LONGEST_PEER_SECONDS)
        if done.status < 0:
            return seconds, f"not done in {LONGEST_PEER_SECONDS} s"
        if done.status != 0:
            return seconds, f"exit status {done.status}"
        seconds.append(done.seconds)
    return seconds, ""


def report(arguments: argparse.Namespace) -> str:
    """Measure everything; the report in Markdown."""
    about = machine()
    say(f"a capture of {arguments.octets:,} octets (made once, kept in benches/data/)")
    capture = large_capture(arguments.octets)
    if memory_octets("MemAvailable") < 2 * capture.octets:
        about.append(("note", "too little free memory to keep the capture cached: the disk is measured too"))
    read_through(capture.path)
    flow, own_speed = throughput(capture, arguments.runs)
    parts = [
        "\n".join(f"- {what}: {which}" for what, which in about),
        flow,
        names(arguments.runs),
        floods(arguments.runs),
        starts(arguments.runs),
    ]
    if arguments.peers:
        parts.append(peers(capture, own_speed))
    return "\n\n".join(parts) + "\n"


def write(text: str) -> None:
    """Put the report between the markers of benches/README.md."""
    page = README.read_text(encoding="utf-8")
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    README.write_text(f"{before}{BEGIN}\n\n{text}\n{END}{after}", encoding="utf-8")


def main() -> int:
    """Read the options, measure, print."""
    parser = argparse.ArgumentParser(prog="python -m benches", description="Measure freeflow and other tools.")
    parser.add_argument("--octets", type=int, default=1_000_000_000, help="size of the capture (default: 1 GB)")
    parser.add_argument("--runs", type=int, default=5, help="runs of each row of freeflow (default: 5)")
    parser.add_argument("--no-peers", dest="peers", action="store_false", help="freeflow alone")
    parser.add_argument("--write", action="store_true", help="also put the figures into benches/README.md")
    arguments = parser.parse_args()
    try:
        text = report(arguments)
    except RuntimeError as error:
        say(str(error))
        return 1
    print(text, end="")
    if arguments.write:
        write(text)
        say("written to benches/README.md")
    return 0


if __name__ == "__main__":
    sys.exit(main())
