"""Listing the frames of a piece of a pcap file.

A kernel walks the record headers and writes one FRAME per whole record; it stops, and says why, at the first record
that it cannot list. Layout: draft-ietf-opsawg-pcap, section 5; the exchanged length fields of old versions: libpcap,
sf-pcap.c. Captured lengths above 256 KiB are damage, as in libpcap (MAXIMUM_SNAPLEN), so that a file of noise cannot
claim memory.
"""

from __future__ import annotations

import numpy as np

from classifier.kernels.jit import kernel
from classifier.kernels.octets import u32_ordered

# Why an index kernel stopped. FULL: the frames array is full, call again from the position returned.
# NEEDS_MORE: the record at the position does not end inside the buffer. The others are damage at the position.
FULL, NEEDS_MORE, BAD_CAPTURED_LENGTH = range(3)

MAXIMUM_CAPTURED_OCTETS = 262144  # libpcap, pcap-int.h: MAXIMUM_SNAPLEN
RECORD_HEADER_OCTETS = 16

# Which of a record's two lengths comes first: since version 2.3 the captured one. Some files of version 2.3 have them
# in the older order, which shows in a captured length above the original one (libpcap, sf-pcap.c).
CAPTURED_FIRST, ORIGINAL_FIRST, CAPTURED_FIRST_IF_SMALLER = range(3)

NS_PER_SECOND = 1_000_000_000


@kernel
def index_pcap(buffer, start, end, big, fraction_ns, length_order, link_type, frames):
    """List the whole records of `buffer[start:end]` into `frames`; returns (count, position, status).

    `buffer` u1[n] read-only; `big`: byte order of the file; `fraction_ns`: nanoseconds per unit of the second time
    field (1 or 1000); `frames` FRAME[capacity] as np.recarray, written from 0 on. `position` is where the next record
    begins. A frame's wire length is never below its captured length, whatever the file says.
    """
    count = 0
    position = start
    capacity = frames.shape[0]
    while count < capacity:
        if end - position < RECORD_HEADER_OCTETS:
            return count, position, NEEDS_MORE
        captured = u32_ordered(buffer, position + 8, big)
        original = u32_ordered(buffer, position + 12, big)
        if length_order == ORIGINAL_FIRST or (length_order == CAPTURED_FIRST_IF_SMALLER and captured > original):
            captured, original = original, captured
        if captured > MAXIMUM_CAPTURED_OCTETS:
            return count, position, BAD_CAPTURED_LENGTH
        if end - position - RECORD_HEADER_OCTETS < captured:
            return count, position, NEEDS_MORE
        # At most 2^32 seconds and 2^32 fractions of 1000 ns: far below 2^63 ns.
        seconds = u32_ordered(buffer, position, big)
        fraction = u32_ordered(buffer, position + 4, big)
        frame = frames[count]
        frame.time_ns = seconds * NS_PER_SECOND + fraction * fraction_ns
        frame.offset = position + RECORD_HEADER_OCTETS
        frame.wire_octets = max(original, captured)
        frame.captured_octets = np.int32(captured)
        frame.link_type = np.int32(link_type)
        count += 1
        position += RECORD_HEADER_OCTETS + captured
    return count, position, FULL
