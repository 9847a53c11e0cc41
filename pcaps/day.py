"""A day in the life: nine subscribers of two operators on 11 November 2013, in one capture.

Rules of this file: what a subscriber does is a line of DIARY, whoever pays for it is a line of PAYERS; both follow
`day-in-the-life-subscribers.csv` and the programmes in `day-in-the-life/`, which a reader may change and replay. Every
site is looked up by DNS before it is visited; sizes and times are seeded, so the day is the same each time.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

from cast import (
    ALIPAY,
    ANYBODY,
    ANYBODY6,
    FACEBOOK,
    FACEBOOK6,
    FACEBOOK_STATIC,
    SOMEBODY,
    TAOBAO,
    TAOBAO6,
    WECHAT,
    WIKIPEDIA,
    WIKIPEDIA6,
    YIXIN,
    https,
    named,
)
from scapy.layers.inet import TCP
from scapy.layers.l2 import ARP, Ether
from scapy.packet import Raw
from talk import Flow, Tcp, dns, echo, http_reply, http_request, ntp, opaque
from tally import MILLISECOND, SECOND, Capture, moment
from wraps import HERE, ethernet, outer_ipv4, padded

MIDNIGHT = moment("2013-11-10 16:00:00")  # of 11 November in Shanghai
RESOLVER, RESOLVER6 = "10.0.0.1", "2001:db8:1000::53"
CLOCK, CLOCK6 = "198.51.100.123", "2001:db8:f000::123"


@dataclass(frozen=True, slots=True)
class Person:
    """A subscriber as in the csv; `number` makes the addresses."""

    name: str
    operator: str
    province: str
    number: int

    @property
    def ipv4(self) -> str:
        return f"10.{1 if self.operator == 'china-mobile' else 2}.0.{self.number}"

    @property
    def ipv6_network(self) -> str:
        return f"2001:db8:100{1 if self.operator == 'china-mobile' else 2}:{self.number:x}::"

    @property
    def ipv6(self) -> str:
        return f"{self.ipv6_network}{self.number + 0x20:x}"


PEOPLE = {
    person.name: person
    for person in (
        Person("chen", "china-mobile", "guangdong", 11),
        Person("huang", "china-mobile", "guangdong", 12),
        Person("liang", "china-mobile", "guangdong", 13),
        Person("lin", "china-mobile", "guangdong", 14),
        Person("peng", "china-mobile", "hunan", 15),
        Person("shen", "china-telecom", "jiangsu", 21),
        Person("wang", "china-telecom", "jiangsu", 22),
        Person("xu", "china-telecom", "shanghai", 23),
        Person("zhao", "china-telecom", "shanghai", 24),
    )
}

# application -> (programme, operators, provinces or None for all): what day-in-the-life/programmes/*.toml says.
_ALIBABA = ("alibaba-free-flow", {"china-mobile"}, {"guangdong"})
PAYERS = {
    "facebook": ("facebook-on-china-mobile", {"china-mobile"}, None),
    "taobao": _ALIBABA,
    "tmall": _ALIBABA,
    "juhuasuan": _ALIBABA,
    "alipay": _ALIBABA,
    "laiwang": _ALIBABA,
    "yixin": ("yixin-telecom", {"china-telecom"}, None),
}


@dataclass(frozen=True, slots=True)
class Site:
    """Somewhere to go: its application, name, addresses, and whether it is asked in the clear."""

    application: str
    name: str
    ipv4: str
    ipv6: str | None = None
    clear: bool = False


SITES = {
    "facebook": Site("facebook", "www.facebook.com", FACEBOOK, FACEBOOK6),
    "facebook-photos": Site("facebook", "scontent.xx.fbcdn.net", FACEBOOK_STATIC),
    "facebook-mobile": Site("facebook", "m.facebook.com", FACEBOOK, FACEBOOK6),
    "instagram": Site("instagram", "www.instagram.com", "157.240.1.174"),
    "wechat": Site("wechat", "short.weixin.qq.com", WECHAT, clear=True),
    "wechat-moments": Site("wechat", "szshort.weixin.qq.com", "198.51.100.201"),
    "taobao": Site("taobao", "h5.m.taobao.com", TAOBAO, TAOBAO6),
    "tmall": Site("tmall", "www.tmall.com", "140.205.32.12"),
    "juhuasuan": Site("juhuasuan", "ju.juhuasuan.com", "140.205.32.77"),
    "alipay": Site("alipay", "mobilegw.alipay.com", ALIPAY),
    "laiwang": Site("laiwang", "www.laiwang.com", "140.205.140.33"),
    "yixin": Site("yixin", "www.yixin.im", YIXIN),
    "wikipedia": Site("wikipedia", "zh.m.wikipedia.org", WIKIPEDIA, WIKIPEDIA6),
    "news": Site("unknown", "news.example.org", ANYBODY, ANYBODY6),
    "radio": Site("unknown", "radio.example.net", SOMEBODY, clear=True),
}

# hour and minute, who, where, IP version, request and reply octets
DIARY = (
    ("06:58", "peng", "news", 4, 310, 950),
    ("07:02", "chen", "facebook", 6, 420, 2150),
    ("07:05", "wang", "yixin", 4, 260, 1600),
    ("07:31", "huang", "wechat", 4, 380, 750),
    ("07:44", "xu", "wikipedia", 6, 250, 2350),
    ("08:10", "liang", "facebook-mobile", 4, 350, 1700),
    ("08:12", "liang", "facebook-photos", 4, 240, 9800),
    ("08:20", "shen", "radio", 4, 200, 3000),
    ("08:47", "zhao", "yixin", 4, 900, 1500),
    ("09:15", "lin", "taobao", 6, 600, 7400),
    ("09:18", "lin", "alipay", 4, 1100, 900),
    ("10:02", "chen", "news", 6, 320, 1800),
    ("10:40", "wang", "taobao", 4, 500, 2150),
    ("11:11", "huang", "tmall", 4, 640, 9900),
    ("11:12", "huang", "alipay", 4, 1300, 800),
    ("11:30", "peng", "taobao", 4, 420, 1900),
    ("12:05", "shen", "yixin", 4, 700, 1050),
    ("12:20", "xu", "wechat-moments", 4, 420, 2100),
    ("12:45", "lin", "juhuasuan", 4, 330, 2250),
    ("13:30", "chen", "wechat", 4, 520, 1600),
    ("14:02", "liang", "instagram", 4, 360, 2450),
    ("15:15", "peng", "facebook", 6, 380, 1350),
    ("16:40", "wang", "facebook", 4, 340, 1550),
    ("17:55", "zhao", "wikipedia", 4, 260, 1300),
    ("18:30", "huang", "laiwang", 4, 1500, 1200),
    ("19:10", "chen", "facebook-photos", 4, 260, 12400),
    ("20:20", "shen", "news", 6, 280, 1500),
    ("21:05", "lin", "taobao", 4, 560, 2550),
    ("22:40", "xu", "yixin", 4, 410, 850),
)


def _at(clock: str) -> int:
    hours, minutes = clock.split(":")
    return MIDNIGHT + (int(hours) * 3600 + int(minutes) * 60) * SECOND


class Day:
    """The capture as the day goes on; every flow takes the next port."""

    def __init__(self) -> None:
        self.scene = Capture(
            "day-in-the-life.pcap",
            "Nine subscribers of two operators on 11 November 2013: Facebook, WeChat, Taobao and its sisters, Yixin "
            "and ordinary traffic, over IPv4 and IPv6; and one who borrows Facebook's name.",
            configuration=("-c", "day-in-the-life.toml"),
        )
        self.chance = random.Random("a day in the life")
        self.port = 40000

    def flow(self, person: Person, server: str, port: int, application: str, protocol: str = "tcp", **said) -> Flow:
        self.port += 1 + self.chance.randrange(40)
        programme, operators, provinces = PAYERS.get(application, ("", set(), None))
        free = person.operator in operators and (provinces is None or person.province in provinces)
        return Flow(
            person.ipv6 if ":" in server else person.ipv4,
            self.port,
            server,
            port,
            application,
            protocol,
            subscriber=person.name,
            free=free,
            programme=programme if free else None,
            said=said,
        )

    def gap_ns(self) -> int:
        return self.chance.randrange(4, 30) * MILLISECOND

    def look_up(self, person: Person, name: str, answer: str, at_ns: int) -> int:
        flow = self.flow(person, RESOLVER6 if ":" in answer else RESOLVER, 53, "dns", "udp")
        return self.scene.add(dns(flow, name, answer, self.chance.getrandbits(16)), at_ns, self.gap_ns())

    def visit(self, clock: str, who: str, where: str, version: int, request_octets: int, reply_octets: int) -> None:
        person, site = PEOPLE[who], SITES[where]
        server = site.ipv6 if version == 6 else site.ipv4
        at_ns = self.look_up(person, site.name, server, _at(clock) + self.chance.randrange(SECOND // 1000) * 1000)
        if site.clear:
            flow = self.flow(person, server, 80, site.application, name=site.name, source="http_host")
            length = ("Content-Length", str(request_octets - 21))  # the field's own octets come out of the body's
            body = self.chance.randbytes(request_octets)[21:]
            request = http_request("/mmtls/3d5e", (("Host", site.name), length), "POST", body)
            talk = Tcp(flow).open().say(True, request).say(False, http_reply(reply_octets, flow.seed("body"))).finish()
        else:
            flow = self.flow(person, server, 443, site.application, name=site.name, source="tls_sni")
            talk = https(flow, ((request_octets, reply_octets),))
        self.scene.add(talk.steps, at_ns, self.gap_ns())

    def borrow(self, clock: str, who: str) -> None:
        """Facebook's name towards a machine of one's own: nobody's DNS says so."""
        flow = self.flow(PEOPLE[who], ANYBODY, 443, "facebook", **named("www.facebook.com", evidence="contradicted"))
        flow.free, flow.programme = False, None
        self.scene.add(https(flow, ((500, 4400),)).steps, _at(clock), self.gap_ns())

    def call(self, clock: str, who: str, server: str, port: int, application: str, datagrams: int) -> None:
        """Datagrams that name nobody: known by the server's address, or not at all."""
        flow = self.flow(PEOPLE[who], server, port, application, "udp")
        known = application != "unknown"
        flow.said = {"name": None, "source": "address" if known else "none", "evidence": "address" if known else "none"}
        sizes = [(self.chance.random() < 0.5, self.chance.randrange(90, 420)) for _ in range(datagrams - 1)]
        self.scene.add(opaque(flow, [(True, 180), *sizes]), _at(clock), self.gap_ns())

    def background(self) -> None:
        """What telephones do by themselves, and what is nobody's."""
        for number, person in enumerate(PEOPLE.values()):
            clock = self.flow(person, (CLOCK, CLOCK6)[number % 2], 123, "ntp", "udp")
            self.scene.add(ntp(clock), _at("06:30") + number * 47 * SECOND, self.gap_ns())
        for clock, who, server in (("09:40", "xu", CLOCK), ("18:05", "shen", ANYBODY6)):
            person = PEOPLE[who]
            flow = self.flow(person, server, 0, "unknown", "icmp6" if ":" in server else "icmp")
            flow.client_port, flow.ports = 0, False
            self.scene.add([step for number in (1, 2, 3) for step in echo(flow, number)], _at(clock), self.gap_ns())
        for number in range(6):
            at_ns = _at("06:00") + number * 3 * 3600 * SECOND
            ask = Ether(src=HERE, dst="ff:ff:ff:ff:ff:ff") / ARP(hwsrc=HERE, psrc=RESOLVER, pdst="10.1.0.11")
            self.scene.add_unmetered("not_ip", padded(bytes(ask)), 0, at_ns)
            router = outer_ipv4(True) / TCP(sport=30179, dport=179, flags="PA", seq=1 + 19 * number, ack=1)
            keepalive = router / Raw(b"\xff" * 16 + b"\x00\x13\x04")  # BGP keepalive (RFC 4271, 4.4)
            frame, octets = ethernet(keepalive, True), len(bytes(keepalive))
            self.scene.add_unmetered("transit", frame, octets, at_ns + SECOND)


def day_in_the_life() -> Capture:
    """Whoever meters it by name alone gives the borrowed name away; by packets instead of IP octets, the padding."""
    day = Day()
    day.background()
    for line in DIARY:
        day.visit(*line)
    day.borrow("13:13", "liang")
    day.call("20:45", "liang", "157.240.13.15", 443, "facebook", 14)
    day.call("21:30", "zhao", "203.0.113.200", 3478, "unknown", 12)
    return day.scene


SCENES = (day_in_the_life,)
