"""What fuzzing begins with, and changes made blindly: a short run of the guided fuzzer's targets without its guide.

`NUMBA_DISABLE_JIT=1 python blind.py FIRST END FILE...` tries the examples of these numbers at each target, and files that
stand in a folder called like their target. What an example is depends on the bundled captures and the files that ship.
"""

from __future__ import annotations

import itertools
import random
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import targets
from binding_packets import START, STOP, accounting, ack, dhcp_message, imsi, prefix_v6, response
from dns_messages import address, alias, answer_message, service, wire_name
from examples import pack
from frames import Sent
from mutations import LENGTHS, PCAPS, bundled
from mutations import example as example_frames
from scapy.layers.dhcp6 import (
    DUID_LL,
    DHCP6_RelayReply,
    DHCP6_Release,
    DHCP6_Reply,
    DHCP6OptClientId,
    DHCP6OptIA_NA,
    DHCP6OptIA_PD,
    DHCP6OptIAAddress,
    DHCP6OptIAPrefix,
    DHCP6OptIfaceId,
    DHCP6OptRelayMsg,
)
from scapy.layers.inet import IP, UDP
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import Ether

from classifier.iana import LINK_ETHERNET

WINDOW_FRAMES = 10
LONGEST_SEED_FRAME = 2000
ROOT = PCAPS.parent
LINE, ROUTER = "02:00:00:00:00:07", "02:00:00:00:00:01"
# A meter takes as long for an example as the others for so many.
TIMES = {"frames": 1, "session": 1, "capture": 5, "names": 20, "bindings": 20, "settings": 10}


@cache
def seeds(target: str) -> list[bytes]:
    """What to begin with, from the bundled captures and the files that ship."""
    if target == "frames":
        windows = [
            [frame for frame in capture[first : first + WINDOW_FRAMES] if len(frame.octets) <= LONGEST_SEED_FRAME]
            for capture in bundled()
            for first in range(0, min(len(capture), 100), WINDOW_FRAMES)
        ]
        return [pack(window) for window in windows]
    if target == "session":
        return [pack(bindings_told()) + octets for octets in seeds("frames")]
    if target == "capture":
        return [path.read_bytes()[:3000] for path in sorted(PCAPS.iterdir()) if path.suffix in (".pcap", ".pcapng")]
    if target == "names":
        return [bytes([number & 0xFF]) + octets for number, octets in enumerate(named_payloads())]
    if target == "bindings":
        return [targets.datagram(*one) + targets.datagram(*other) for one, other in itertools.pairwise(messages())]
    files = [(0, PCAPS / "day-in-the-life.toml"), (3, PCAPS / "day-in-the-life-subscribers.csv")]
    files += [(1, path) for path in sorted((ROOT / "signatures" / "apps").iterdir())]
    files += [(2, path) for path in sorted((ROOT / "signatures" / "programmes").iterdir())]
    return [bytes([kind]) + path.read_bytes() for kind, path in files]


def named_payloads() -> list[bytes]:
    """Requests, hellos with and without their record, DNS answers, and the head of a request with a body."""
    payloads = sorted({frame.octets[place:] for capture in bundled() for frame in capture for place in (28, 42, 54)})
    requests = [octets for octets in payloads if octets[:4] in (b"GET ", b"POST")]
    hellos = [octets for octets in payloads if octets[:3] == b"\x16\x03\x01"]
    records = [alias("a.example", "b.example"), address("b.example", "192.0.2.1"), service("b.example", ["192.0.2.2"])]
    # The question's name once more, as a pointer to it (RFC 1035, 4.1.4).
    answer = answer_message("a.example", records).replace(wire_name("a.example") + b"\0\5", b"\xc0\x0c\0\5")
    chunked = b"POST / HTTP/1.1\r\nHost: a.example\r\nTransfer-Encoding: chunked\r\n\r\n5;a=b\r\nabcde\r\n0\r\n\r\n"
    sized = b"PROXY TCP4 10.0.0.1 10.0.0.2 1 2\r\nPUT / HTTP/1.0\r\nX-Online-Host: b\r\nContent-Length: 12\r\n\r\n"
    return [*requests, *hellos, *(octets[5:] for octets in hellos), answer, answer, chunked, chunked[64:], sized]


def messages() -> list[tuple[int, int, int, bytes]]:
    """(version, source port, destination port, payload) of RADIUS and DHCP."""
    started = accounting(
        START, "s", imsi("460001234567890"), prefix_v6(97, "2001:db8::/64"), address="10.0.0.7", user="u"
    )
    lease = ack(LINE, "10.0.0.7", 60, ("client_id", b"\x01abcdef"), ("relay_agent_information", b"\1\2ab"))
    client = DHCP6OptClientId(duid=DUID_LL(lladdr=LINE))
    leased = DHCP6OptIA_NA(ianaopts=[DHCP6OptIAAddress(addr="2001:db8::7", validlft=60, preflft=60)])
    delegated = DHCP6OptIA_PD(iapdopt=[DHCP6OptIAPrefix(prefix="2001:db8:100::", plen=56, validlft=60, preflft=60)])
    reply = DHCP6_Reply() / client / leased / delegated
    relayed = DHCP6_RelayReply() / DHCP6OptIfaceId(ifaceid=b"port 7") / DHCP6OptRelayMsg(message=reply)
    return [
        (4, 40_000, 1813, started),
        (4, 1813, 40_000, response()),
        (4, 40_000, 1813, accounting(STOP, "s", address="10.0.0.7", user="u")),
        (4, 67, 68, lease),
        (4, 68, 67, dhcp_message("release", LINE, ciaddr="10.0.0.7")),
        (6, 547, 546, bytes(reply)),
        (6, 547, 547, bytes(relayed)),
        (6, 546, 547, bytes(DHCP6_Release() / client / leased)),
    ]


@cache
def bindings_told() -> tuple[Sent, ...]:
    """The same messages on the wire. Both hardware addresses are given, as scapy would ask the network for one."""
    frames = []
    for number, (version, source_port, destination_port, payload) in enumerate(messages()):
        ends = IP(src="10.0.0.1", dst="10.0.0.2") if version == 4 else IPv6(src="fe80::1", dst="fe80::2")
        packet = Ether(src=LINE, dst=ROUTER) / ends / UDP(sport=source_port, dport=destination_port) / payload
        frames.append(Sent(number * 10**9, bytes(packet), LINK_ETHERNET))
    return tuple(frames)


def example(target: str, number: int) -> bytes:
    """The octets of example `number`: a seed cut, with octets overwritten, left out, or put in from another seed."""
    if target == "frames":
        return pack(example_frames(number))
    if target == "session":
        return pack([*bindings_told(), *example_frames(number)])
    chance = random.Random(number)
    octets = bytearray(chance.choice(seeds(target)))
    for _ in range(chance.randint(1, 8)):
        place, reach = chance.randrange(len(octets) + 1), chance.choice((1, 1, 2, 4, 16))
        kind = chance.randrange(5)
        if kind == 0:
            octets[place : place + reach] = chance.randbytes(reach)
        elif kind == 1:
            octets[place : place + 2] = chance.choice(LENGTHS).to_bytes(2, chance.choice(("big", "little")))
        elif kind == 2:
            del octets[place : place + reach]
        elif kind == 3:
            del octets[place + 1 :]
        else:
            other = chance.choice(seeds(target))
            octets[place:place] = other[chance.randrange(len(other)) :][: 8 * reach]
    return bytes(octets)


def examples(first: int, end: int, files: list[str]) -> Iterator[tuple[str, str, bytes]]:
    """(target, what it is called, octets)."""
    for path in map(Path, files):
        yield path.parent.name, path.name, path.read_bytes()
    for target, times in TIMES.items():
        for number in range(times * first, times * end):
            yield target, str(number), example(target, number)


def main(first: int, end: int, files: list[str]) -> None:
    for target, name, octets in examples(first, end, files):
        try:
            targets.TARGETS[target](octets)
        except Exception as error:
            error.add_note(f"{target} {name}: {octets.hex()}")
            raise


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3:])
