"""Keys and packets of QUIC's versions that the RFCs and drafts publish.

RFC 9001, A.1 to A.4; RFC 9369, A.1 to A.4; draft-ietf-quic-tls-25, -27 and -29, A.1 and A.4.
"""

from __future__ import annotations

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

VERSION_1, VERSION_2, DRAFTS = 0x00000001, 0x6B3343CF, 0xFF000000
DESTINATION_ID = bytes.fromhex("8394c8f03e515708")
SERVER_ID = bytes.fromhex("f067a5502a4262b5")

KEYS = [  # version, from the server?, key, iv, header protection key
    (
        VERSION_1,
        False,
        "1f369613dd76d5467730efcbe3b1a22d",
        "fa044b2f42a3fd3b46fb255c",
        "9f50449e04a0e810283a1e9933adedd2",
    ),
    (
        VERSION_1,
        True,
        "cf3a5331653c364c88f0f379b6067e37",
        "0ac1493ca1905853b0bba03e",
        "c206b8d9b9f0f37644430b490eeaa314",
    ),
    (
        VERSION_2,
        False,
        "8b1a0bc121284290a29e0971b5cd045d",
        "91f73e2351d8fa91660e909f",
        "45b95e15235d6f45a6b19cbcb0294ba9",
    ),
    (
        VERSION_2,
        True,
        "82db637861d55e1d011f19ea71d5d2a7",
        "dd13c276499c0249d3310652",
        "edf6d05c83121201b436e16877593c3a",
    ),
    (
        DRAFTS + 29,
        False,
        "175257a31eb09dea9366d8bb79ad80ba",
        "6b26114b9cba2b63a9e8dd4f",
        "9ddd12c994c0698b89374a9c077a3077",
    ),
    (
        DRAFTS + 29,
        True,
        "149d0b1662ab871fbe63c49b5e655a5d",
        "bab2b12a4c76016ace47856d",
        "c0c499a65a60024a18a250974ea01dfa",
    ),
]

# A.2 of both RFCs: the CRYPTO frame, padded to 1,162 octets; headers before protection, and the first and last octets of
# the protected packet.
CLIENT_FRAME = bytes.fromhex(
    "060040f1010000ed0303ebf8fa56f12939b9584a3896472ec40bb863cfd3e86804fe3a47f06a2b69484c00000413011302010000c00000"
    "0010000e00000b6578616d706c652e636f6dff01000100000a00080006001d0017001800100007000504616c706e000500050100000000"
    "003300260024001d00209370b2c9caa47fbabaf4559fedba753de171fa71f50f1ce15d43e994ec74d748002b0003020304000d0010000e"
    "0403050306030203080408050806002d00020101001c00024001003900320408ffffffffffffffff05048000ffff07048000ffff080110"
    "0104800075300901100f088394c8f03e51570806048000ffff"
)
CLIENT_PAYLOAD = CLIENT_FRAME.ljust(1162, b"\x00")
CLIENT_PACKETS = [
    (
        VERSION_1,
        "c300000001088394c8f03e5157080000449e00000002",
        "c000000001088394c8f03e5157080000449e7b9aec34d1b1c98dd7689fb8ec11",
        "e221af44860018ab0856972e194cd934",
    ),
    (
        VERSION_2,
        "d36b3343cf088394c8f03e5157080000449e00000002",
        "d76b3343cf088394c8f03e5157080000449ea0c95e82ffe67b6abcdb4298b485",
        None,
    ),
]
# A.3: the payload, and the packets whole.
SERVER_PAYLOAD = bytes.fromhex(
    "02000000000600405a020000560303eefce7f7b37ba1d1632e96677825ddf73988cfc79825df566dc5430b9a045a120013010000"
    "2e00330024001d00209d3c940d89690b84d08a60993c144eca684d1081287c834d5311bcf32bb9da1a002b00020304"
)
SERVER_PACKETS = {
    VERSION_1: bytes.fromhex(
        "cf000000010008f067a5502a4262b5004075c0d95a482cd0991cd25b0aac406a5816b6394100f37a1c69797554780bb38cc5a99f5e"
        "de4cf73c3ec2493a1839b3dbcba3f6ea46c5b7684df3548e7ddeb9c3bf9c73cc3f3bded74b562bfb19fb84022f8ef4cdd93795d77d"
        "06edbb7aaf2f58891850abbdca3d20398c276456cbc42158407dd074ee"
    ),
    VERSION_2: bytes.fromhex(
        "dc6b3343cf0008f067a5502a4262b5004075d92faaf16f05d8a4398c47089698baeea26b91eb761d9b89237bbf8726301791535823"
        "0035f7fd3945d88965cf17f9af6e16886c61bfc703106fbaf3cb4cfa52382dd16a393e42757507698075b2c984c707f0a0812d8cd5"
        "a6881eaf21ceda98f4bd23f6fe1a3e2c43edd9ce7ca84bed8521e2e140"
    ),
}
RETRIES = [
    (VERSION_1, "ff000000010008f067a5502a4262b5746f6b656e04a265ba2eff4d829058fb3f0f2496ba"),
    (VERSION_2, "cf6b3343cf0008f067a5502a4262b5746f6b656ec8646ce8bfe33952d955543665dcc7b6"),
    (DRAFTS + 25, "ffff0000190008f067a5502a4262b5746f6b656e1e5ec5b014cbb1f0fd93df4048c446a6"),
    (DRAFTS + 27, "ffff00001b0008f067a5502a4262b5746f6b656ea523cb5ba524695f6569f293a1359d8e"),
    (DRAFTS + 29, "ffff00001d0008f067a5502a4262b5746f6b656ed16926d81f6f9ca2953a8aa4575e1e49"),
]


def client_packet(number: int) -> bytes:
    """A.2's protected packet, made with the keys and the mask that the RFC prints, not with our derivation."""
    _, plain_header, protected_start, tag = next(entry for entry in CLIENT_PACKETS if entry[0] == number)
    header, protected = bytes.fromhex(plain_header), bytes.fromhex(protected_start)
    key, iv = next(
        (bytes.fromhex(key), bytes.fromhex(iv)) for one, server, key, iv, _ in KEYS if one == number and not server
    )
    nonce = (int.from_bytes(iv, "big") ^ 2).to_bytes(12, "big")
    sealed = AESGCM(key).encrypt(nonce, CLIENT_PAYLOAD, header)
    packet = protected[: len(header)] + sealed
    assert packet.startswith(protected)
    assert tag is None or packet.endswith(bytes.fromhex(tag))
    return packet
