"""Numbers, times and foreign text as people read them.

Rules of this file: integers only, so that nothing is rounded twice and no size is too large; text that came from the
wire or from a file is printed with everything escaped that could move a cursor or turn a line around.
"""

from __future__ import annotations

import unicodedata
from datetime import datetime, timedelta

_UNITS = ("kB", "MB", "GB", "TB", "PB", "EB")  # decimal, IEC 80000-13; "B" is an octet
_EPOCH = datetime(1970, 1, 1)

# What a ledger's usage can be grouped by.
GROUPINGS = ("subscriber", "application", "programme", "payer", "day", "month")

# Why octets are charged (rating): as a sentence, and as what fits into a column.
CHARGED_BECAUSE = {
    "unknown_application": ("the application is unknown", "unknown"),
    "no_programme": ("no programme covers the application", "no programme"),
    "contradicted": ("the name is contradicted", "contradicted"),
    "evidence_not_accepted": ("the programme asks for better evidence", "weak evidence"),
    "unasked": ("the subscriber sent nothing in that flow", "unasked"),
    "after_close": ("sent after the flow was closed", "after close"),
    "overflow": ("beyond the subscriber table", "table full"),
    "outside_window": ("outside the programme's dates", "outside dates"),
    "not_eligible": ("the subscriber is not eligible", "not eligible"),
    "not_enrolled": ("the subscriber is not enrolled", "not enrolled"),
    "registered_too_late": ("the subscriber enrolled after the deadline", "too late"),
    "allowance_exhausted": ("the allowance is used up", "used up"),
}
UNMETERED_BECAUSE = {
    "not_ip": "not IP",
    "transit": "transit",
    "malformed": "malformed",
    "truncated": "cut too short",
    "unsupported_link": "link type not supported",
    "spoofed": "spoofed",
    "blocked": "blocked, not carried",
}


def octets_text(octets: int) -> str:
    """Decimal units and three significant digits, half rounded up; exact below 1 kB."""
    if octets < 1000:
        return f"{octets} B"
    for power, unit in enumerate(_UNITS, 1):
        scale = 1000**power
        hundredths, tenths, whole = ((octets * parts + scale // 2) // scale for parts in (100, 10, 1))
        if hundredths < 1000:
            return f"{hundredths // 100}.{hundredths % 100:02d} {unit}"
        if tenths < 1000:
            return f"{tenths // 10}.{tenths % 10} {unit}"
        if whole < 1000:
            break
    return f"{whole} {unit}"


def share_text(part: int, whole: int) -> str:
    """Per cent with one digit. A part that is there never reads as 0 %, nor one that lacks something as 100 %."""
    if not whole:
        return "-"
    per_mille = (part * 1000 + whole // 2) // whole
    if part and not per_mille:
        return "<0.1 %"
    if part < whole and per_mille == 1000:
        return ">99.9 %"
    return f"{per_mille // 10}.{per_mille % 10} %"


def count_text(count: int, noun: str) -> str:
    """`1 flow`, `1,234 flows`."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def reason_text(reason: str) -> str:
    """Why octets are charged, as a sentence."""
    return CHARGED_BECAUSE[reason][0] if reason in CHARGED_BECAUSE else reason.replace("_", " ")


def reason_word(reason: str) -> str:
    """The same for a column."""
    return CHARGED_BECAUSE[reason][1] if reason in CHARGED_BECAUSE else reason.replace("_", " ")


def time_text(time_ns: int | None) -> str | None:
    """RFC 3339 in UTC with microseconds; what is finer is cut off. `time_ns` since 1970, any signed 64 bits."""
    if time_ns is None:
        return None
    moment = _EPOCH + timedelta(microseconds=time_ns // 1000)
    return moment.isoformat(timespec="microseconds") + "Z"


def printable(text: str) -> str:
    """`text` with control characters, line ends and direction marks as backslash escapes."""
    if text.isprintable():
        return text
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode("ascii")
        for character in text
    )


def cell_width(text: str) -> int:
    """Columns of a terminal that `text` takes: East Asian wide characters two, combining ones none (UAX #11)."""
    if text.isascii():
        return len(text)
    return sum(_character_width(character) for character in text)


def _character_width(character: str) -> int:
    if unicodedata.category(character) in ("Mn", "Me"):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1
