"""The records that pass between rooms: array types for the kernels, named tuples for reports.

Rules of this file: units last in names; volumes are integers; state lives in the arrays and has one owner (the meter).
Nouns are those of IPFIX (RFC 7011, RFC 7012) and 3GPP charging (TS 32.299). Records that every start needs are named tuples,
here and elsewhere: a frozen dataclass takes four times as long to be defined, 40 ms of a start, and three times to be made.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple, Protocol

import numpy as np

# One frame as a source lists it. `offset` counts from the start of the buffer handed over with it; `wire_octets` is the
# frame's length on the wire, `captured_octets` what the buffer holds of it; `link_type` is a LINKTYPE_ number.
# Where an interface joined packets into one frame (GRO, TSO) `gso_octets` is the payload of each but the last, and
# `gso_header_octets` the headers that each had, link layer included, 0 where only decoding tells; 0 in files.
FRAME = np.dtype(
    [
        ("time_ns", "i8"),
        ("offset", "i8"),
        ("wire_octets", "i8"),
        ("captured_octets", "i4"),
        ("link_type", "i4"),
        ("gso_octets", "i4"),
        ("gso_header_octets", "u2"),
        ("dropped", "u2"),  # 1 where the meter says that the frame may not pass
    ]
)

# Codes that stand in the arrays; a code's place in its tuple is its number.
EVIDENCE = ("none", "address", "claimed", "verified", "contradicted")  # accounting 2.4
EVIDENCE_SHOWN = ("verified", "claimed", "address", "contradicted", "none")  # the order in which reports have them
EVIDENCE_NONE, EVIDENCE_ADDRESS, EVIDENCE_CLAIMED, EVIDENCE_VERIFIED, EVIDENCE_CONTRADICTED = range(5)

NAME_SOURCE = ("none", "tls_sni", "quic_sni", "http_host", "dns", "address")  # contract, `freeflow flows`
SOURCE_NONE, SOURCE_TLS_SNI, SOURCE_QUIC_SNI, SOURCE_HTTP_HOST, SOURCE_DNS, SOURCE_ADDRESS = range(6)

# How a flow's octets stand towards offers: only `taken_part` can be free (accounting 1.6, 1.7).
STANDING = ("taken_part", "unasked", "after_close", "overflow")
STANDING_TAKEN_PART, STANDING_UNASKED, STANDING_AFTER_CLOSE, STANDING_OVERFLOW = range(4)

# Where a frame goes that no subscriber is accountable for (accounting 1.5).
UNMETERED = ("not_ip", "transit", "malformed", "truncated", "unsupported_link", "spoofed", "blocked")
UNMETERED_NOT_IP, UNMETERED_TRANSIT, UNMETERED_MALFORMED, UNMETERED_TRUNCATED, UNMETERED_LINK = range(5)
UNMETERED_SPOOFED = 5  # with link binding: a subscriber's address over another's line
UNMETERED_BLOCKED = 6  # in line: not carried

FLOW_END = ("open", "fin", "rst", "idle", "evicted", "reused", "input_end", "handed_on")
END_OPEN, END_FIN, END_RST, END_IDLE, END_EVICTED, END_REUSED, END_INPUT, END_HANDED_ON = range(8)

# What a subscriber's packets have to come with besides the address; 0 in the arrays: nothing.
LINKS = ("mac", "vlan", "teid")
LINK_BY_MAC, LINK_BY_VLAN, LINK_BY_TEID = range(1, 4)

# What can name a subscriber besides an address, in RADIUS accounting and in DHCP.
RADIUS_IDENTITIES = (
    "imsi",  # 3GPP-IMSI
    "calling_station_id",  # the MSISDN in mobile networks, the MAC address in Wi-Fi
    "user_name",
)
DHCP_IDENTITIES = (
    "circuit_id",  # RFC 3046, 3.1; in DHCPv6 the Interface-Id of RFC 8415, 21.18
    "remote_id",  # RFC 3046, 3.2; in DHCPv6 RFC 4649
    "client_id",  # RFC 2132, 9.14, only from servers that send it back (RFC 6842)
    "mac",  # chaddr of RFC 2131; a DHCPv6 reply has none
    "duid",  # RFC 8415, 11; in DHCPv4 out of a client identifier that holds one (RFC 4361)
)


class Volume(NamedTuple):
    """Octets and frames of one part of the traffic."""

    frames: int = 0
    uplink_octets: int = 0
    downlink_octets: int = 0

    @property
    def octets(self) -> int:
        return self.uplink_octets + self.downlink_octets


class ApplicationUsage(NamedTuple):
    """What one subscriber used of one application; `charged_because` is (reason, octets), most octets first."""

    application: str
    uplink_octets: int
    downlink_octets: int
    packets: int
    zero_rated_octets: int
    discounted_octets: int
    charged_octets: int
    charged_because: tuple[tuple[str, int], ...] = ()


class SubscriberUsage(NamedTuple):
    """One subscriber's usage, its applications sorted by octets, most first."""

    subscriber: str
    zero_rated_octets: int
    discounted_octets: int
    charged_octets: int
    applications: tuple[ApplicationUsage, ...]

    @property
    def octets(self) -> int:
        return self.zero_rated_octets + self.discounted_octets + self.charged_octets


class UsageColumns(NamedTuple):
    """The usage of some subscribers in columns, in the order in which they are shown.

    `labels` of n subscribers; `parts` i8[3, n]: their octets zero-rated, discounted and charged. The applications of
    subscriber i are those from `first_application[i]` to `first_application[i + 1]`: `application` i8[m], places in
    `application_names`, and `figures` i8[6, m], in the order of ApplicationUsage. The reasons of application j are from
    `first_reason[j]` on: `reason`, places in `reasons`, and `reason_octets`.
    """

    labels: Sequence[str]
    parts: np.ndarray
    first_application: np.ndarray
    application: np.ndarray
    application_names: Sequence[str]
    figures: np.ndarray
    first_reason: np.ndarray
    reason: np.ndarray
    reasons: Sequence[str]
    reason_octets: np.ndarray


class UsageBySubscriber(Protocol):
    """Subscribers sorted by octets, most first, then by label: a sequence of SubscriberUsage, and columns of it."""

    def __len__(self) -> int: ...
    def __getitem__(self, place: slice) -> Sequence[SubscriberUsage]: ...

    def columns(self) -> Iterator[UsageColumns]:
        """All of them, some thousands at a time."""
        ...


class ProgrammeUsage(NamedTuple):
    """What one programme paid for."""

    programme: str
    payer: str
    octets: int
    subscribers: int
    exhausted_subscribers: int


class EvidenceUsage(NamedTuple):
    """Metered flows and octets by the evidence that decided them."""

    evidence: str
    flows: int
    octets: int


class UnmeteredUsage(NamedTuple):
    """Frames that no subscriber is accountable for, by reason."""

    reason: str
    frames: int
    octets: int


class UsageReport(NamedTuple):
    """One interval's or one replay's totals: the object behind the table, the JSON and the CSV.

    Times are nanoseconds since 1970-01-01 UTC, None where no frame was seen. `pending` is what undecided flows still
    hold (always empty at the end of a replay). `subscribers` are sorted by octets, most first, then by label, and do not
    change. `notices` are (name, count) of what went over a bound: evictions,
    subscribers beyond the table, names not kept, reassembly given up.
    """

    first_packet_ns: int | None
    last_packet_ns: int | None
    observed_frames: int
    observed_octets: int
    zero_rated: Volume
    discounted: Volume
    charged: Volume
    pending: Volume
    charged_because: tuple[tuple[str, int], ...]
    unmetered: tuple[UnmeteredUsage, ...]
    subscribers: UsageBySubscriber
    programmes: tuple[ProgrammeUsage, ...]
    evidence: tuple[EvidenceUsage, ...]
    flows: int
    retransmitted_octets: int
    after_close_octets: int
    notices: tuple[tuple[str, int], ...]


class FlowRecord(NamedTuple):
    """One flow, as `freeflow flows` lists it; `client` opened it. For a flow with no subscriber uplink is from the client.

    `name` is the name on the wire in lower case; `other_name` a second one seen on the same flow.
    """

    subscriber: str | None
    subscriber_is_client: bool
    client: str
    client_port: int
    server: str
    server_port: int
    protocol: str
    application: str
    evidence: str
    source: str
    name: str | None
    other_name: str | None
    first_packet_ns: int
    last_packet_ns: int
    uplink_octets: int
    downlink_octets: int
    uplink_packets: int
    downlink_packets: int
    retransmitted_octets: int
    after_close_octets: int
    ended: str
