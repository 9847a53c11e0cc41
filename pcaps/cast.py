"""Who appears in the bundled captures: subscribers, servers, and flows that say which application they are.

Rules of this file: subscribers have private addresses, so that every capture but the day in the life replays without
a configuration. Server addresses are facts (Facebook's and Wikimedia's own ranges, Alibaba's and Tencent's, NetEase's;
signatures/apps/ has them with their sources) or documentation addresses (RFC 5737, RFC 3849) for anybody else.
"""

from __future__ import annotations

from scapy.packet import Packet
from talk import Flow, Tcp
from tls_bytes import conversation

FACEBOOK, FACEBOOK_STATIC, FACEBOOK6 = "157.240.1.35", "31.13.72.12", "2a03:2880:f10c:83:face:b00c:0:25de"
TAOBAO, TAOBAO6, ALIPAY = "140.205.94.189", "2408:4001:f00::87", "110.75.138.5"
WECHAT, YIXIN = "203.205.159.20", "223.252.199.69"
WIKIPEDIA, WIKIPEDIA6 = "208.80.154.224", "2620:0:861:ed1a::1"
ANYBODY, SOMEBODY, ANYBODY6 = "203.0.113.9", "198.51.100.77", "2001:db8:f000::9"

ANN, BEN, CEM, DORA = "10.0.0.7", "10.0.0.8", "172.16.5.9", "192.168.1.10"
ANN6, BEN6 = "fd00:10:0:7::1", "fd00:10:0:8:1:2:3:4"


def named(name: str | None, source: str = "tls_sni", evidence: str | None = None) -> dict[str, str | None]:
    """What `freeflow flows` must say of a flow's identity; evidence only where it is the capture's point."""
    said: dict[str, str | None] = {"name": name, "source": source if name else "none"}
    if evidence:
        said["evidence"] = evidence
    return said


def facebook(client: str, port: int, name: str = "www.facebook.com", server: str | None = None) -> Flow:
    """Facebook by name, at an address of its own: verified, and free where Facebook is."""
    server = server or (FACEBOOK6 if ":" in client else FACEBOOK)
    return Flow(client, port, server, 443, "facebook", free=True, said=named(name, evidence="verified"))


def anybody(client: str, port: int, name: str | None = "www.example.org", server: str | None = None) -> Flow:
    """A site that is no application of ours: unknown, charged."""
    server = server or (ANYBODY6 if ":" in client else ANYBODY)
    return Flow(client, port, server, 443, said=named(name, evidence="none"))


def https(
    flow: Flow, exchanges: tuple[tuple[int, int], ...] = ((300, 1800),), headers: Packet | None = None, **kinds
) -> Tcp:
    """A whole TLS conversation in its connection, closed from both ends; `headers` as for Tcp, `kinds` as for TLS."""
    talk = Tcp(flow, headers).open()
    return talk.speak(conversation(flow.said["name"], exchanges, seed=flow.seed("tls"), **kinds)).finish()
