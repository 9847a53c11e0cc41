"""Captures of web visits whose octets a test can add up in its head, and what a replay makes of them.

Rule of this file: a visit is one TCP connection with an HTTP request in it, of exactly as many IP octets as asked for. Long
packets are cut by the snap length, so that a gigabyte takes 30,000 short records; by their headers they count in full.
"""

from __future__ import annotations

import struct
from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime
from ipaddress import ip_address
from zoneinfo import ZoneInfo

from classifier.catalogue.folders import builtin_folder
from classifier.gateway.plan import load_plan
from classifier.gateway.replay import replay
from classifier.ledger.read import LedgerReader
from classifier.rating.offers import PARTS

UPLINK_OCTETS = 300  # of each visit: SYN and ACK of 40, and the request
LONGEST_OCTETS = 65535  # IPv4's total length has 16 bits
LEAST_OCTETS = UPLINK_OCTETS + 40 + 41
SYN, ACK, PSH = 2, 16, 8
SERVERS = {
    "www.facebook.com": "157.240.1.35",
    "short.weixin.qq.com": "203.205.159.20",
    "www.yixin.im": "223.252.199.69",
    "h5.m.taobao.com": "140.205.94.189",
    "mobilegw.alipay.com": "110.75.138.5",
    "www.example.org": "203.0.113.9",
}


@dataclass(frozen=True)
class Visit:
    """`octets` in all, up and down, at a local time of Asia/Shanghai like "2013-11-08 00:00:00"."""

    at: str
    client: str
    host: str
    octets: int

    @property
    def seconds(self) -> int:
        return int(datetime.fromisoformat(self.at).replace(tzinfo=ZoneInfo("Asia/Shanghai")).timestamp())


def packet(
    source, destination, ports, sequence, acknowledgement, flags, payload=b"", cut_octets=0
) -> tuple[bytes, int]:
    """The captured octets of an IPv4 packet and its whole length: `cut_octets` of its payload are not captured."""
    length = 40 + len(payload) + cut_octets
    ip = (
        struct.pack("!BBHHHBBH", 0x45, 0, length, 0, 0, 64, 6, 0)
        + ip_address(source).packed
        + ip_address(destination).packed
    )
    tcp = struct.pack("!HHIIBBHHH", *ports, sequence % 2**32, acknowledgement % 2**32, 0x50, flags, 65535, 0, 0)
    return ip + tcp + payload, length


def packets_of(visit: Visit, port: int) -> list[tuple[bytes, int]]:
    """SYN, SYN with ACK, ACK, the request, and the answer in as long packets as there can be."""
    assert visit.octets >= LEAST_OCTETS
    up = (visit.client, SERVERS[visit.host], (port, 80))
    down = (SERVERS[visit.host], visit.client, (80, port))
    head = f"GET / HTTP/1.1\r\nHost: {visit.host}\r\nX-Pad: ".encode()
    request = head + b"x" * (UPLINK_OCTETS - 120 - len(head) - 4) + b"\r\n\r\n"
    listed = [
        packet(*up, 100, 0, SYN),
        packet(*down, 500, 101, SYN | ACK),
        packet(*up, 101, 501, ACK),
        packet(*up, 101, 501, ACK | PSH, request),
    ]
    left, sequence = visit.octets - UPLINK_OCTETS - 40, 501
    while left:
        length = min(left, LONGEST_OCTETS)
        if 0 < left - length < 41:
            length -= 41  # a last packet is never shorter than its headers
        listed.append(packet(*down, sequence, 101 + len(request), ACK, cut_octets=length - 40))
        sequence += length - 40
        left -= length
    return listed


def write_capture(path, visits) -> None:
    """A pcap of raw IP (LINKTYPE_RAW), the visits in the order of their times."""
    with open(path, "wb") as file:
        file.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 101))
        for number, visit in enumerate(sorted(visits, key=lambda one: one.seconds)):
            for captured, length in packets_of(visit, 20000 + number):
                file.write(struct.pack("<IIII", visit.seconds, 0, len(captured), length) + captured)


def replayed(tmp_path, subscribers, visits, programmes=None, ledger=None, interval_seconds=10):
    """The report of these visits under the offers that ship, with `programmes` (name -> text) in their place. `ledger`: a
    file in which it is kept, too."""
    write_capture(tmp_path / "visits.pcap", visits)
    (tmp_path / "subscribers.csv").write_text(
        "subscriber,address,operator,province,plan,joined,enrolled\n" + subscribers
    )
    (tmp_path / "own" / "programmes").mkdir(parents=True, exist_ok=True)
    for name, text in (programmes or {}).items():
        (tmp_path / "own" / "programmes" / f"{name}.toml").write_text(text)
    (tmp_path / "freeflow.toml").write_text(
        '[gateway]\ntimezone = "Asia/Shanghai"\nsubscribers = "subscribers.csv"\nsignatures = ["builtin", "own"]\n'
        f"interval_seconds = {interval_seconds}\n"
    )
    plan = load_plan(str(tmp_path / "freeflow.toml"))
    outcome = replay([str(tmp_path / "visits.pcap")], plan, ledger=ledger)
    assert outcome.problems == ()
    assert outcome.report.observed_octets == sum(visit.octets for visit in visits)
    return outcome.report


def with_tariff():
    """Alibaba's file as it ships, and prices, which nobody published: 0.10 a MB, to China Unicom 0.08 from the 1,000th on."""
    text = (builtin_folder() / "programmes" / "alibaba-free-flow.toml").read_text("utf-8")
    steps = '[{ up_to_megabytes = 1000, per_megabyte = "0.10" }, { per_megabyte = "0.08" }]'
    return f'{text}\n[tariff]\ncurrency = "CNY"\nper_megabyte = "0.10"\nby_operator.china-unicom.steps = {steps}\n'


def parts_of(ledger):
    """(zero-rated, discounted, charged) octets by subscriber, out of a ledger's usage."""
    found = defaultdict(lambda: [0, 0, 0])
    with LedgerReader(ledger) as reader:
        names, outcomes = reader.subscribers(), reader.outcomes()
        for piece in reader.usage():
            octets = (piece.volumes[0] + piece.volumes[1]).tolist()
            for number, outcome, more in zip(piece.subscriber.tolist(), piece.outcome.tolist(), octets, strict=True):
                found[names[number]][PARTS.index(outcomes[outcome].part)] += more
    return {name: tuple(octets) for name, octets in found.items()}


def paid_of(ledger):
    """Octets by month, programme and operator, out of a ledger's totals."""
    found = defaultdict(int)
    with LedgerReader(ledger) as reader:
        outcomes = reader.outcomes()
        for total in reader.day_totals():
            if (programme := outcomes[total.outcome].programme) is not None:
                found[total.month, programme, total.profile.operator] += total.uplink_octets + total.downlink_octets
    return dict(found)


def used_of(ledger):
    """Octets by subscriber, programme, place of the allowance and the local day on which its period began."""
    with LedgerReader(ledger) as reader:
        names = reader.subscribers()
        return {
            (names[number], period.programme, period.place, _local_day(period.begins_ns)): octets
            for period, figures in reader.allowances().items()
            for number, octets in figures.items()
        }


def _local_day(begins_ns):
    if begins_ns == -(2**63):
        return "once"
    return f"{datetime.fromtimestamp(begins_ns // 10**9, ZoneInfo('Asia/Shanghai')):%Y-%m-%d %H:%M}"


def parts(report):
    """(zero-rated, discounted, charged) octets by subscriber."""
    return {
        one.subscriber: (one.zero_rated_octets, one.discounted_octets, one.charged_octets) for one in report.subscribers
    }


def paid(report):
    """(octets, subscribers, subscribers who used it up) by programme."""
    return {one.programme: (one.octets, one.subscribers, one.exhausted_subscribers) for one in report.programmes}
