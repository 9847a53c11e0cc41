"""One finding of an examination."""

from __future__ import annotations

from typing import NamedTuple

OK, WARNING, FAULT = "ok", "warning", "fault"


class Finding(NamedTuple):
    """`state` is OK, WARNING or FAULT; `text` says what is, and how to mend it."""

    state: str
    what: str
    text: str
