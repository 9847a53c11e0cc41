"""Row 20: a QUIC connection that goes on from another port takes along what it was, and no more than that."""

from __future__ import annotations

from itertools import pairwise

import pytest
from frames import UDP, client_hello, ip_packet, udp_datagram
from meters import ALPHA_ADDRESS
from quic_stack import crypto_frame, seal
from scenes import FOREIGN, ME, Wire, bill

SERVER_ID = b"server's"
SHORT = b"\x41" + SERVER_ID + bytes(1300)  # a short header to that id (RFC 9000, 17.3.1), as long as an Initial


def initial(name: str, destination_id=b"original") -> bytes:
    """A client's Initial for `name`, as long as they have to be (RFC 9000, 14.1)."""
    hello = client_hello(name)[5:]  # without its record (RFC 9001, 4)
    return seal(crypto_frame(0, hello).ljust(1180, b"\0"), destination_id=destination_id)


class Quic:
    """Datagrams of one subscriber and one server."""

    def __init__(self, server: str, wire: Wire | None = None) -> None:
        self.wire, self.server, self.port = wire or Wire(), server, 50000

    def up(self, payload: bytes, cuts=(), odd=None) -> int:
        """Send a datagram, in fragments where it is cut; their octets. `odd`: first and end of a further piece before them."""
        whole = udp_datagram(self.port, 443, payload)
        places = [0, *cuts, len(whole)]
        spans = [*([odd] if odd else []), *pairwise(places)]
        octets = 0
        for a, b in spans:
            more = int(b < len(whole))
            octets += self.wire.send(
                ip_packet(ME, self.server, UDP, whole[a:b], identification=7, more=more, offset_octets=a)
            )
        return octets

    def down(self, payload: bytes) -> int:
        return self.wire.send(ip_packet(self.server, ME, UDP, udp_datagram(443, self.port, payload)))

    def connect(self, name: str, original=b"original") -> int:
        """A hello and its answer."""
        frames = crypto_frame(0, b"\x02\x00\x00\x50" + bytes(76))  # the begin of a ServerHello
        answer = seal(frames, from_server=True, destination_id=b"client", source_id=SERVER_ID, key_id=original)
        return self.up(initial(name, original)) + self.down(answer)


def test_the_connection_of_a_flow_that_fragments_contradicted_is_free_on_no_other_port():
    quic = Quic(ALPHA_ADDRESS)
    kept = quic.connect("www.alpha.example")
    charged = quic.up(SHORT, [64], odd=(32, 72)) + quic.up(SHORT)
    quic.port += 1
    charged += quic.up(SHORT) + quic.down(bytes(900))
    assert bill(quic.wire) == {"free": kept, "contradicted": charged}


@pytest.mark.parametrize("moved", [False, True])
@pytest.mark.parametrize("cuts", [[], [8], [16], [64], [1200]])
def test_another_connection_on_the_ports_of_a_free_one_is_not_free(moved, cuts):
    """With row 9: its Initials in fragments, too, which are not read, and on the port that the free one moved to."""
    quic = Quic(FOREIGN)
    free = quic.connect("www.gamma.example")
    if moved:
        quic.port += 1
        free += quic.up(SHORT) + quic.down(bytes(900))
    charged = quic.up(initial("www.other.example", b"the next"), cuts) + quic.down(bytes(900))
    assert bill(quic.wire) == {"free": free, "unknown_application": charged}


@pytest.mark.parametrize("cuts", [[], [8 + 8], [64], [1200]])
def test_fragments_of_a_free_connection_stay_free(cuts):
    quic = Quic(FOREIGN)
    free = quic.connect("www.gamma.example") + quic.up(SHORT, cuts) + quic.down(bytes(900))
    assert bill(quic.wire) == {"free": free}
