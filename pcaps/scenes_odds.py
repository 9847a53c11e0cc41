"""Captures about time, lengths and the ends of flows.

Rule of this file: each function is one capture, and its docstring says what a meter may get wrong in it.
"""

from __future__ import annotations

import random

from cast import ANN, ANYBODY, BEN, CEM, FACEBOOK, SOMEBODY, anybody, facebook, https, named
from talk import Flow, Tcp, http_reply, http_request, opaque, udp
from tally import SECOND, Capture, moment
from tls_bytes import conversation, sealed_record
from wraps import ethernet

START = moment("2014-03-05 09:30:00")


def port_reuse() -> Capture:
    """One 5-tuple, four flows: whoever keeps the first one's identity gives the others away."""
    scene = Capture(
        "port-reuse-after-fin-and-rst.pcap",
        "The same ports again after FIN and after RST: each is a flow of its own, only Facebook's is free. What a "
        "server sends after the close is charged.",
        ("--zero-rate", "facebook"),
    )
    at_ns = START
    first = facebook(ANN, 50800)
    talk = https(first)
    late = talk.segment(False, "PA", sealed_record(1000, "after the close"))
    late.charged = True
    at_ns = scene.add(talk.steps, at_ns) + SECOND
    second = anybody(ANN, 50800, "www.example.org", FACEBOOK)
    talk = Tcp(second).open().speak(conversation("www.example.org", seed="second")).reset()
    at_ns = scene.add(talk.steps, at_ns) + SECOND
    third = facebook(ANN, 50800, "graph.facebook.com")
    talk = (
        Tcp(third, first_sequence_number=77).open().speak(conversation("graph.facebook.com", seed="third")).reset(False)
    )
    at_ns = scene.add(talk.steps, at_ns) + SECOND
    fourth = anybody(ANN, 50800, "notfacebook.com", FACEBOOK)
    scene.add(https(fourth).steps, at_ns)
    return scene


def snap_cut() -> Capture:
    """By what the file holds this is a third of the octets; parsed without a check it reads beyond the frame."""
    scene = Capture(
        "snap-cut.pcap",
        "Frames cut at 128 octets count in full, by their IP header; the names are cut off, so Facebook is known by "
        "its address alone.",
        ("--zero-rate", "facebook"),
        snap_octets=128,
        nanoseconds=True,
    )
    unnamed = {"name": None, "source": "address", "evidence": "address"}
    https_flow = Flow(ANN, 50810, FACEBOOK, 443, "facebook", free=True, said=unnamed)
    talk = Tcp(https_flow).open().speak(conversation("www.facebook.com", ((300, 9000),), seed="cut")).finish()
    scene.add(talk.steps, START)
    http_flow = Flow(BEN, 50811, FACEBOOK, 80, "facebook", free=True, said=unnamed)
    request = http_request("/a-long-path" * 12, (("Host", "m.facebook.com"),))
    talk = Tcp(http_flow).open().say(True, request).say(False, http_reply(3000, "cut")).finish()
    scene.add(talk.steps, START + 5 * SECOND)
    other = Flow(BEN, 50812, ANYBODY, 443, said={"name": None, "source": "none", "evidence": "none"})
    talk = Tcp(other).open().speak(conversation("www.example.org", seed="cut")).finish()
    scene.add(talk.steps, START + 10 * SECOND)
    return scene


def padding_and_lying_lengths() -> Capture:
    """The wire length decides where the header cannot be right, the header wherever it can."""
    scene = Capture(
        "padding-and-lying-lengths.pcap",
        "A packet of 29 octets in a frame of 60 counts 29; a total length of 0 (segmentation offload) or beyond the "
        "frame counts what the frame carries.",
        ("--zero-rate", "facebook"),
        byte_order=">",
    )
    tiny = Flow(ANN, 50820, ANYBODY, 5004, protocol="udp")
    at_ns = scene.add([udp(tiny, up, b"!") for up in (True, False, True)], START) + SECOND
    flow = facebook(ANN, 50821)
    spoken = conversation("www.facebook.com", ((300, 9000),), seed="lengths")
    talk = Tcp(flow).open().speak(spoken[:-1])
    offloaded = talk.segment(False, "PA", spoken[-1][1])
    offloaded.packet.len = 0
    talk.segment(True, "A")
    at_ns = scene.add(talk.finish().steps, at_ns) + SECOND
    beyond = Flow(BEN, 50822, SOMEBODY, 5004, protocol="udp")
    steps = [udp(beyond, True, random.Random(3).randbytes(900)), udp(beyond, False, random.Random(4).randbytes(700))]
    steps[1].packet.len = 4000
    scene.add(steps, at_ns)
    return scene


def time_steps_back() -> Capture:
    """The clock is set back by an hour, over midnight of the month in Shanghai: the order is the file's."""
    scene = Capture(
        "time-steps-back.pcap",
        "The clock steps back by an hour in the middle of a flow, over midnight of the month in Shanghai: still one "
        "flow, every octet once.",
        ("--zero-rate", "facebook"),
        in_order=True,
    )
    midnight = moment("2014-03-31 16:00:00")
    steps = https(facebook(ANN, 50830), ((300, 5000),)).steps
    half = len(steps) // 2
    scene.add(steps[:half], midnight - 30 * 10**6)
    scene.add(steps[half:], midnight - 3600 * SECOND)
    scene.add(https(anybody(BEN, 50831)).steps, midnight - 3590 * SECOND)
    scene.add(https(facebook(CEM, 50832)).steps, midnight + 10 * SECOND)
    return scene


def both_ends_subscribers() -> Capture:
    """Somebody must answer for a packet between two subscribers, once: the end that opened the flow."""
    scene = Capture(
        "both-ends-and-neither.pcap",
        "Between two subscribers the one that opened the flow pays; a server's packets to one who called it in from "
        "outside are still downlink and uplink of the subscriber; between strangers it is transit.",
        ("--zero-rate", "facebook"),
    )
    peers = Flow(ANN, 50840, BEN, 6881, protocol="udp", said={"name": None, "source": "none", "evidence": "none"})
    at_ns = scene.add(opaque(peers, [(True, 400), (False, 1200), (False, 700)]), START) + SECOND
    called = Flow(
        SOMEBODY, 50841, CEM, 8080, subscriber_is_client=False, said=named("camera.example.org", "http_host", "none")
    )
    request = http_request("/", (("Host", "camera.example.org"),))
    talk = Tcp(called).open().say(True, request).say(False, http_reply(2500, "camera")).finish()
    at_ns = scene.add(talk.steps, at_ns) + SECOND
    for step in https(anybody(ANYBODY, 50842, "www.facebook.com", SOMEBODY)).steps:
        frame = ethernet(step.packet, step.from_client)
        scene.add_unmetered("transit", frame, len(bytes(step.packet)), at_ns)
        at_ns += SECOND // 50
    return scene


SCENES = (port_reuse, snap_cut, padding_and_lying_lengths, time_steps_back, both_ends_subscribers)
