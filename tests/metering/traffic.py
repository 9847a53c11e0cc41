"""Sequences of packets for the meter and its twin: conversations between few ends, mixed, in times that jump about."""

from __future__ import annotations

from dataclasses import replace

from frames import ACK, FIN, ICMP, PSH, RST, SYN, TCP, UDP, client_hello
from hypothesis import strategies as st
from meters import ALPHA_ADDRESS, BETA_ADDRESS, OTHER_ADDRESS, SECOND_NS, START_NS
from twin_meter import Packet

NAMES = ("alpha.example", "beta.example", "gamma.example", "unlisted.example")
FILL = b"\xff"  # neither TLS nor HTTP begins so
SERVER_ISN = 900_000_000

ENDS = [
    (client, port, server)
    for client in ("10.0.0.1", "10.0.0.2")
    for port in (50000, 50001)
    for server in (ALPHA_ADDRESS, BETA_ADDRESS, OTHER_ADDRESS)
]
ENDS += [
    ("192.0.2.77", 40000, "10.0.0.1"),  # a stranger calls a subscriber
    ("10.0.0.1", 50000, "10.0.0.2"),  # both are subscribers
    ("192.0.2.77", 40000, ALPHA_ADDRESS),  # neither is
]


class Conversation:
    """One pair of ends over TCP, with the sequence numbers that both sides would use."""

    def __init__(self, client: str, port: int, server: str) -> None:
        self.ends = (client, port, server, 443)
        self.isn = 1000
        self.next = {False: 1001, True: SERVER_ISN + 1}
        self.last: Packet | None = None

    def make(self, action: str, octets: int, name: str) -> Packet:
        """The packet of an action; `from server` where it ends in "down"."""
        down = action.endswith("down")
        kind = action.split()[0]
        if kind == "again" and self.last is not None:
            return self.last
        if kind == "syn":
            self.isn += 100_000
            self.next = {False: self.isn + 1, True: SERVER_ISN + 1}
            return self.packet(False, SYN, self.isn, 0)
        if kind == "synack":
            return self.packet(True, SYN | ACK, SERVER_ISN, self.isn + 1)
        payload, asked = b"", None
        flags = ACK
        if kind == "data":
            payload, flags = FILL * octets, ACK | PSH
        elif kind == "hello":
            payload, asked, flags = client_hello(name), name, ACK | PSH
        elif kind == "fin":
            flags = ACK | FIN
        elif kind == "rst":
            flags = RST
        made = self.packet(down, flags, self.next[down], self.next[not down] if flags & ACK else 0, payload, asked)
        self.next[down] += len(payload) + (1 if kind == "fin" else 0)
        return made

    def packet(self, down, flags, sequence, acknowledgement, payload=b"", name=None) -> Packet:
        a, a_port, b, b_port = self.ends
        if down:
            a, a_port, b, b_port = b, b_port, a, a_port
        self.last = Packet(0, a, b, TCP, a_port, b_port, flags, sequence, acknowledgement, payload, name)
        return self.last


ACTIONS = ("syn", "syn", "synack", "synack", "ack up", "ack down", "data up", "data up", "data down", "data down")
ACTIONS += (
    "hello",
    "hello",
    "fin up",
    "fin down",
    "rst up",
    "rst down",
    "again",
    "udp up",
    "udp down",
    "other",
    "error",
)
STEPS_S = (0, 0, 0, 0, 1, 1, 4, 12, 61, 125, 250, 310, 7500)


@st.composite
def packets(draw, *, steps=30, back=True, ties=True) -> list[Packet]:
    """`back`: time may step back; `ties`: packets may come at the same instant."""
    ends = draw(st.lists(st.sampled_from(ENDS), min_size=1, max_size=4, unique=True))
    conversations = [Conversation(*three) for three in ends]
    made: list[Packet] = []
    time_ns = START_NS
    for _ in range(draw(st.integers(1, steps))):
        time_ns += draw(st.sampled_from((*STEPS_S, -5) if back else STEPS_S)) * SECOND_NS + (0 if ties else 1)
        conversation = draw(st.sampled_from(conversations))
        action = draw(st.sampled_from(ACTIONS))
        octets = draw(st.sampled_from((1, 40, 1200)))
        client, port, server, _ = conversation.ends
        if action == "error" and made:
            about = draw(st.sampled_from(made))
            if about.quoted is None:
                router = draw(st.sampled_from((about.destination, "192.0.2.254")))
                made.append(Packet(time_ns, router, about.source, ICMP, quoted=about))
                continue
        if action.startswith("udp") or action == "error":
            one = (client, server, UDP, port, 4000) if action == "udp up" else (server, client, UDP, 4000, port)
            made.append(Packet(time_ns, *one, payload=FILL * octets))
        elif action == "other":
            # At least the 64 bits that an ICMP error quotes (RFC 792).
            made.append(Packet(time_ns, client, server, 99, payload=FILL * (8 + octets)))
        else:
            made.append(replace(conversation.make(action, octets, draw(st.sampled_from(NAMES))), time_ns=time_ns))
    return made
