"""Code points of the protocols that freeflow reads, each with its source.

Rule of this file: numbers only, no logic. Kernels and slow twins take them from here, so that both say the same.
"""

from __future__ import annotations

# Link types of capture files: https://www.tcpdump.org/linktypes.html (LINKTYPE_ values).
LINK_NULL = 0  # BSD loopback, address family in the writer's byte order
LINK_ETHERNET = 1
LINK_PPP = 9
LINK_RAW_BSD = 12  # DLT_RAW on most systems
LINK_RAW_OPENBSD = 14  # DLT_RAW on OpenBSD
LINK_PPP_HDLC = 50
LINK_RAW = 101
LINK_C_HDLC = 104
LINK_IEEE802_11 = 105
LINK_LOOP = 108  # OpenBSD loopback, address family in network byte order
LINK_LINUX_SLL = 113
LINK_RADIOTAP = 127
LINK_ARCNET_LINUX = 129
LINK_PPI = 192
LINK_IPV4 = 228
LINK_IPV6 = 229
LINK_NFLOG = 239
LINK_LINUX_SLL2 = 276

SUPPORTED_LINK_TYPES = frozenset(
    {
        LINK_NULL,
        LINK_ETHERNET,
        LINK_PPP,
        LINK_RAW_BSD,
        LINK_RAW_OPENBSD,
        LINK_PPP_HDLC,
        LINK_RAW,
        LINK_C_HDLC,
        LINK_IEEE802_11,
        LINK_LOOP,
        LINK_LINUX_SLL,
        LINK_RADIOTAP,
        LINK_ARCNET_LINUX,
        LINK_NFLOG,
        LINK_PPI,
        LINK_IPV4,
        LINK_IPV6,
        LINK_LINUX_SLL2,
    }
)

# EtherTypes: IANA "IEEE 802 Numbers".
ETHERTYPE_IPV4 = 0x0800
ETHERTYPE_TRANSPARENT_BRIDGING = 0x6558  # Ethernet inside GRE (RFC 1701), VXLAN-GPE, Geneve
ETHERTYPE_VLAN = 0x8100  # IEEE 802.1Q
ETHERTYPE_IPV6 = 0x86DD
ETHERTYPE_MPLS = 0x8847  # RFC 5332
ETHERTYPE_MPLS_MULTICAST = 0x8848
ETHERTYPE_PPPOE_SESSION = 0x8864  # RFC 2516
ETHERTYPE_PROVIDER_BRIDGING = 0x88A8  # IEEE 802.1ad
ETHERTYPE_PROVIDER_BACKBONE = 0x88E7  # IEEE 802.1ah I-TAG
ETHERTYPE_VN_TAG = 0x8926  # IEEE 802.1BR predecessor
ETHERTYPE_FABRICPATH = 0x8903  # Cisco: FTAG and TTL, then the Ethernet frame
ETHERTYPE_QINQ_LEGACY = 0x9100
ETHERTYPE_GRE_PPP = 0x880B  # enhanced GRE, RFC 2637
ETHERTYPE_ERSPAN = 0x88BE  # GRE protocol type of ERSPAN I and II (draft-foschiano-erspan-03, 4)
ETHERTYPE_ERSPAN_III = 0x22EB
ETHERTYPE_FIRST = 0x0600  # below: IEEE 802.3 length field

# PPP protocol field: IANA "PPP DLL Protocol Numbers".
PPP_IPV4 = 0x0021
PPP_IPV6 = 0x0057
PPP_MPLS = 0x0281
PPP_COMPRESSED_IPV4 = 0x21  # one octet, protocol field compression (RFC 1661, 6.5)
PPP_COMPRESSED_IPV6 = 0x57

# IP protocol numbers: IANA "Assigned Internet Protocol Numbers".
PROTOCOL_HOPOPT = 0
PROTOCOL_ICMP = 1
PROTOCOL_IGMP = 2
PROTOCOL_IPV4 = 4  # IP in IP, RFC 2003
PROTOCOL_TCP = 6
PROTOCOL_UDP = 17
PROTOCOL_IPV6 = 41  # 6in4, RFC 4213
PROTOCOL_ROUTING = 43
PROTOCOL_FRAGMENT = 44
PROTOCOL_GRE = 47
PROTOCOL_ESP = 50
PROTOCOL_AH = 51
PROTOCOL_ICMPV6 = 58
PROTOCOL_NO_NEXT = 59
PROTOCOL_DESTINATION = 60
PROTOCOL_SCTP = 132
PROTOCOL_MOBILITY = 135
PROTOCOL_UDPLITE = 136
PROTOCOL_HIP = 139
PROTOCOL_SHIM6 = 140

PROTOCOL_NAMES = {
    PROTOCOL_ICMP: "icmp",
    PROTOCOL_IGMP: "igmp",
    PROTOCOL_IPV4: "ipip",
    PROTOCOL_TCP: "tcp",
    PROTOCOL_UDP: "udp",
    PROTOCOL_IPV6: "ipv6",
    PROTOCOL_GRE: "gre",
    PROTOCOL_ESP: "esp",
    PROTOCOL_AH: "ah",
    PROTOCOL_ICMPV6: "icmp6",
    PROTOCOL_SCTP: "sctp",
    PROTOCOL_UDPLITE: "udplite",
}

# Ports: IANA "Service Name and Transport Protocol Port Number Registry".
PORT_DNS = 53  # RFC 1035, 4.2
PORT_GTP_U = 2152  # 3GPP TS 29.281, 4.4.2
PORT_VXLAN = 4789  # RFC 7348
PORT_GRE = 4754  # GRE in UDP, RFC 8086
PORT_GENEVE = 6081  # RFC 8926
PORT_RADIUS_ACCOUNTING = 1813  # RFC 2866
PORT_RADIUS_ACCOUNTING_OLD = 1646  # RFC 2866, 1: before the official one
PORT_DHCP_SERVER = 67  # RFC 2131, 4.1; relays too
PORT_DHCP_CLIENT = 68
PORT_DHCPV6_CLIENT = 546  # RFC 8415, 7.2
PORT_DHCPV6_SERVER = 547  # relays too

# TCP header flags: RFC 9293, 3.1.
TCP_FIN = 0x01
TCP_SYN = 0x02
TCP_RST = 0x04
TCP_ACK = 0x10
