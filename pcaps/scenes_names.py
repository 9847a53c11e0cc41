"""Captures about names: how a flow says which application it is, and how it lies.

Rule of this file: each function is one capture, and its docstring says what a meter may get wrong in it.
"""

from __future__ import annotations

import ssl

from cast import (
    ANN,
    ANYBODY,
    BEN,
    CEM,
    DORA,
    FACEBOOK,
    FACEBOOK_STATIC,
    SOMEBODY,
    WECHAT,
    anybody,
    facebook,
    https,
    named,
)
from talk import Flow, Step, Tcp, http_reply, http_request
from tally import SECOND, Capture, moment
from tls_bytes import conversation, post_quantum_client_hello, sealed_record, server_answer_to

START = moment("2014-01-15 08:00:00")


def hello_in_three_segments() -> Capture:
    """The cuts fall inside the record header, inside the name, and, in the second flow, after every 20 octets."""
    scene = Capture(
        "tls-hello-in-three-segments.pcap",
        "ClientHellos cut inside the name, and one in segments of 20 octets: each is still Facebook, and free.",
        ("--zero-rate", "facebook"),
    )
    cuts = {50001: (3, 135), 50002: tuple(range(20, 517, 20)), 50003: ()}
    for place, (port, cut_at) in enumerate(cuts.items()):
        flow = facebook(ANN, port)
        newest = ssl.TLSVersion.TLSv1_2 if port == 50003 else ssl.TLSVersion.TLSv1_3
        spoken = conversation("www.facebook.com", newest=newest, seed=flow.seed("tls"))
        talk = Tcp(flow).open().say(True, spoken[0][1], cut_at).speak(spoken[1:]).finish()
        scene.add(talk.steps, START + place * 5 * SECOND)
    scene.add(https(anybody(ANN, 50004)).steps, START + 20 * SECOND)
    return scene


def _out_of_order(flow: Flow, order: tuple[int, ...], first_sequence_number: int | None = None) -> list[Step]:
    """A conversation whose ClientHello comes in three segments, sent in the given order."""
    spoken = conversation(flow.said["name"], seed=flow.seed("tls"))
    talk = Tcp(flow, first_sequence_number=first_sequence_number).open()
    hello = spoken[0][1]
    segments = [talk.segment(True, "A", hello[start:end]) for start, end in ((0, 100), (100, 132), (132, len(hello)))]
    del talk.steps[-3:]
    talk.steps += [segments[number] for number in order]
    talk.segment(False, "A")
    return talk.speak(spoken[1:]).finish().steps


def hello_segments_reversed() -> Capture:
    """Joined by arrival the name is lost; sequence numbers wrap around in the third flow."""
    scene = Capture(
        "tls-hello-segments-reversed.pcap",
        "ClientHellos whose segments arrive last first, twice, and across the end of the sequence space.",
        ("--zero-rate", "facebook"),
    )
    scene.add(_out_of_order(facebook(ANN, 50011), (2, 1, 0)), START)
    scene.add(_out_of_order(facebook(ANN, 50012), (1, 1, 2, 0, 0)), START + 5 * SECOND)
    scene.add(_out_of_order(facebook(BEN, 50013), (0, 2, 1), 2**32 - 60), START + 10 * SECOND)
    scene.add(_out_of_order(anybody(BEN, 50014), (2, 0, 1)), START + 15 * SECOND)
    return scene


def hello_over_records() -> Capture:
    """TLS may spread one handshake message over records (RFC 8446, 5.1); the transcript does not change by it."""
    scene = Capture(
        "tls-hello-over-records.pcap",
        "One ClientHello spread over four TLS records, in one segment and in two.",
        ("--zero-rate", "facebook"),
    )
    for place, (port, cut_at) in enumerate({50021: (), 50022: (140,)}.items()):
        flow = facebook(ANN, port)
        spoken = conversation("www.facebook.com", seed=flow.seed("tls"))
        message = spoken[0][1][5:]
        parts = [message[start : start + 131] for start in range(0, len(message), 131)]
        records = b"".join(b"\x16\x03\x01" + len(part).to_bytes(2, "big") + part for part in parts)
        talk = Tcp(flow).open().say(True, records, cut_at).speak(spoken[1:]).finish()
        scene.add(talk.steps, START + place * 5 * SECOND)
    return scene


def post_quantum_hello() -> Capture:
    """A reader that looks at the first segment only finds no name in either flow."""
    scene = Capture(
        "tls-post-quantum-hello.pcap",
        "ClientHellos larger than a packet, the name in the second segment: one with a post-quantum key share "
        "(hand-made extension, OpenSSL's answer), one with a long ALPN list (OpenSSL's own).",
        ("--zero-rate", "facebook"),
    )
    flow = facebook(ANN, 50031)
    hello = post_quantum_client_hello("www.facebook.com", flow.seed("tls"))
    talk = Tcp(flow).open().say(True, hello).say(False, server_answer_to(hello, "www.facebook.com"))
    talk.say(True, sealed_record(69, flow.seed("finished")) + sealed_record(400, flow.seed("request")))
    talk.say(False, sealed_record(4000, flow.seed("reply"))).finish()
    scene.add(talk.steps, START)
    offers = tuple(f"protocol-number-{number:02d}/draft" for number in range(70))
    scene.add(https(facebook(BEN, 50032), protocols=offers).steps, START + 5 * SECOND)
    return scene


def _http(flow: Flow, requests: list[bytes], cut_at: tuple[int, ...] = ()) -> list[Step]:
    talk = Tcp(flow).open()
    for number, request in enumerate(requests):
        talk.say(True, request, cut_at).say(False, http_reply(900, flow.seed(f"body {number}")))
    return talk.finish().steps


def http_host() -> Capture:
    """Upper case, a port, a trailing dot, a request cut inside the word Host, and names that only look free."""
    scene = Capture(
        "http-host.pcap",
        "HTTP requests: names in odd forms still match, names that merely contain a free one do not.",
        ("--zero-rate", "facebook,taobao"),
    )
    agent = ("User-Agent", "NokiaX2/2.0 (Java; U; en)")

    def flow(
        client: str, port: int, server: str, name: str, application: str = "unknown", evidence: str = "none"
    ) -> Flow:
        free = application in ("facebook", "taobao")
        return Flow(client, port, server, 80, application, free=free, said=named(name, "http_host", evidence))

    plain = flow(ANN, 50041, FACEBOOK_STATIC, "m.facebook.com", "facebook", "verified")
    request = http_request("/home.php", (("Host", "m.facebook.com"), agent))
    scene.add(_http(plain, [request, request]), START)
    shouting = flow(ANN, 50042, SOMEBODY, "m.taobao.com.:80", "taobao", "claimed")
    scene.add(_http(shouting, [http_request("/", (agent, ("HOST", " M.TaoBao.COM.:80 ")))]), START + 5 * SECOND)
    split = flow(BEN, 50043, FACEBOOK_STATIC, "m.facebook.com", "facebook", "verified")
    cut = request.index(b"Host") + 2
    scene.add(_http(split, [request], (cut,)), START + 10 * SECOND)
    for place, name in enumerate(("notfacebook.com", "www.facebook.com.example.net", "facebook.com.evil.example")):
        other = flow(DORA, 50044 + place, ANYBODY, name)
        scene.add(_http(other, [http_request("/", (("Host", name), agent))]), START + (15 + 5 * place) * SECOND)
    posted = flow(CEM, 50047, WECHAT, "short.weixin.qq.com", "wechat", "claimed")
    body = b"\xf1\x05" + bytes(198)
    fields = (("Accept", "*/*"), ("Host", "short.weixin.qq.com"), ("Content-Length", str(len(body))))
    post = http_request("/mmtls/0a1b", fields, "POST", body)
    scene.add(_http(posted, [post]), START + 40 * SECOND)
    return scene


def borrowed_name() -> Capture:
    """A free name towards a machine of one's own: browsing for nothing, were the address not looked at."""
    scene = Capture(
        "borrowed-name.pcap",
        "www.facebook.com written towards a foreign address is contradicted and charged; WeChat, which publishes no "
        "complete address list, is claimed there and free.",
        ("--zero-rate", "facebook,wechat"),
    )
    scene.add(https(facebook(ANN, 50051)).steps, START)
    borrowed = Flow(ANN, 50052, ANYBODY, 443, "facebook", said=named("www.facebook.com", evidence="contradicted"))
    scene.add(https(borrowed, ((400, 9000),)).steps, START + 5 * SECOND)
    host = Flow(BEN, 50053, ANYBODY, 80, "facebook", said=named("m.facebook.com", "http_host", "contradicted"))
    scene.add(_http(host, [http_request("/", (("Host", "m.facebook.com"),))]), START + 10 * SECOND)
    claimed = Flow(
        BEN, 50054, SOMEBODY, 443, "wechat", free=True, said=named("szshort.weixin.qq.com", evidence="claimed")
    )
    scene.add(https(claimed).steps, START + 15 * SECOND)
    scene.add(https(anybody(CEM, 50055, "www.example.org", FACEBOOK)).steps, START + 20 * SECOND)
    return scene


def hello_never_answered() -> Capture:
    """The server's SYN-ACK came before the name: it acknowledges nothing of it."""
    scene = Capture(
        "hello-never-answered.pcap",
        "A free name that no server ever acknowledged frees nothing; the same name, answered, does.",
        ("--zero-rate", "wechat"),
    )
    answered = Flow(ANN, 50061, WECHAT, 443, "wechat", free=True, said=named("short.weixin.qq.com", evidence="claimed"))
    scene.add(https(answered).steps, START)
    silent = Flow(ANN, 50062, SOMEBODY, 443, said={"name": "short.weixin.qq.com", "evidence": "none"})
    hello = conversation("short.weixin.qq.com", seed="never answered")[0][1]
    talk = Tcp(silent).open()
    talk.segment(True, "PA", hello)
    talk.next[True] -= len(hello)
    talk.segment(True, "PA", hello)
    scene.add(talk.steps, START + 5 * SECOND, SECOND)
    return scene


SCENES = (
    hello_in_three_segments,
    hello_segments_reversed,
    hello_over_records,
    post_quantum_hello,
    http_host,
    borrowed_name,
    hello_never_answered,
)
