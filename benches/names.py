"""Each kind of name on its own: captures in which one packet of ten has a name to be read."""

from __future__ import annotations

from benches import own
from benches.captures import names_capture, read_through
from benches.tables import millions, speed, spread, table

KINDS = {
    "tls": "the ClientHello of a TLS connection",
    "quic": "the client's QUIC Initial, and one the server's",
    "dns": "a DNS answer, and one its question",
}
PACKETS = 300_000


def names_table(runs: int, packets: int) -> str:
    """Measured, in Markdown."""
    rows = []
    for kind, what in KINDS.items():
        capture = names_capture(kind, packets)
        read_through(capture.path)
        seconds = own.steady(capture, runs)[0]["totals_seconds"]
        a_second = speed(capture.packets, seconds)
        rows.append((what, millions(a_second), f"{1e9 / a_second:.0f}", spread(seconds)))
    return table(("of every ten packets one is", "packets/s", "ns a packet", "time"), rows)
