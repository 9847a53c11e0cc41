"""Names of link types, for messages. Source: https://www.tcpdump.org/linktypes.html and the IANA registry
"PCAP Link Types"; only the ones that are met in practice.
"""

from __future__ import annotations

from classifier.iana import SUPPORTED_LINK_TYPES

LINK_TYPE_NAMES = {
    0: "NULL",
    1: "ETHERNET",
    3: "AX25",
    6: "IEEE802_5",
    7: "ARCNET_BSD",
    8: "SLIP",
    9: "PPP",
    10: "FDDI",
    12: "RAW",
    14: "RAW",
    50: "PPP_HDLC",
    51: "PPP_ETHER",
    100: "ATM_RFC1483",
    101: "RAW",
    104: "C_HDLC",
    105: "IEEE802_11",
    107: "FRELAY",
    108: "LOOP",
    109: "ENC",
    113: "LINUX_SLL",
    117: "PFLOG",
    119: "IEEE802_11_PRISM",
    122: "IP_OVER_FC",
    127: "IEEE802_11_RADIOTAP",
    129: "ARCNET_LINUX",
    140: "MTP2",
    141: "MTP3",
    142: "SCCP",
    143: "DOCSIS",
    163: "IEEE802_11_AVS",
    166: "PPP_PPPD",
    187: "BLUETOOTH_HCI_H4",
    189: "USB_LINUX",
    192: "PPI",
    195: "IEEE802_15_4_WITHFCS",
    197: "ERF",
    201: "BLUETOOTH_HCI_H4_WITH_PHDR",
    215: "IEEE802_15_4_NONASK_PHY",
    220: "USB_LINUX_MMAPPED",
    224: "FC_2",
    226: "IPNET",
    227: "CAN_SOCKETCAN",
    228: "IPV4",
    229: "IPV6",
    230: "IEEE802_15_4_NOFCS",
    231: "DBUS",
    239: "NFLOG",
    240: "NETANALYZER",
    243: "MPEG_2_TS",
    248: "SCTP",
    249: "USBPCAP",
    251: "BLUETOOTH_LE_LL",
    252: "WIRESHARK_UPPER_PDU",
    253: "NETLINK",
    254: "BLUETOOTH_LINUX_MONITOR",
    258: "PKTAP",
    265: "ISO_14443",
    271: "VSOCK",
    272: "NORDIC_BLE",
    274: "ETHERNET_MPACKET",
    276: "LINUX_SLL2",
    283: "IEEE802_15_4_TAP",
}
LINK_USER0, LINK_USER15 = 147, 162  # reserved for private use


def link_type_text(number: int) -> str:
    """The number with its name, as in "253 (NETLINK)"."""
    if LINK_USER0 <= number <= LINK_USER15:
        return f"{number} (USER{number - LINK_USER0})"
    name = LINK_TYPE_NAMES.get(number)
    return f"{number} ({name})" if name else str(number)


def unsupported_link_message(name: str, number: int) -> str:
    """The one line for a capture whose frames freeflow cannot decode."""
    supported = ", ".join(sorted({LINK_TYPE_NAMES[link_type] for link_type in SUPPORTED_LINK_TYPES}))
    return (
        f"{name}: link type {link_type_text(number)} is not supported; capture on an interface of another kind "
        f"(supported are {supported})"
    )
