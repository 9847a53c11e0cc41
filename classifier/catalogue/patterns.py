"""Domain patterns: what a line under `domains` means, and which of two is stronger.

Rules of this file: a pattern is labels; one without "=" in front matches the names that end in these labels, one with
it those names alone. A label may hold one `*`, any octets or none, but never across a dot. The two last labels are
literal, so that no pattern reaches over somebody else's domain.
"""

from __future__ import annotations

import contextlib
import re
from typing import NamedTuple

_LABEL = re.compile(r"[a-z0-9_-]*\*?[a-z0-9_-]*")
_NAME_OCTETS_MAX = 253  # RFC 1035, 2.3.4, without the length octet and the root
_LABEL_OCTETS_MAX = 63


class Pattern(NamedTuple):
    """A parsed pattern. `labels` from left to right."""

    text: str
    labels: tuple[str, ...]
    exact: bool

    @property
    def literal_octets(self) -> int:
        return sum(len(label) - label.count("*") for label in self.labels)

    @property
    def strength(self) -> tuple[int, bool, bool, int]:
        """Of the patterns that match a name the strongest decides: more labels, exact, no star, more literal octets."""
        return len(self.labels), self.exact, "*" not in self.text, self.literal_octets

    @property
    def tail(self) -> tuple[str, ...]:
        """The literal labels behind the last star: all of them where there is none."""
        starred = [place for place, label in enumerate(self.labels) if "*" in label]
        return self.labels[starred[-1] + 1 :] if starred else self.labels

    def matches(self, labels: tuple[str, ...]) -> bool:
        """Whether a folded host name, split into labels, is one of the pattern's."""
        count = len(self.labels)
        if len(labels) < count or (self.exact and len(labels) != count):
            return False
        return all(_label_covers(own, label) for own, label in zip(self.labels, labels[-count:], strict=True))

    def covers(self, other: Pattern) -> bool:
        """Whether it matches every name that `other` matches."""
        count = len(self.labels)
        if len(other.labels) < count or (self.exact and not (other.exact and len(other.labels) == count)):
            return False
        return all(_label_covers(own, label) for own, label in zip(self.labels, other.labels[-count:], strict=True))

    def ties_with(self, other: Pattern) -> bool:
        """Whether some name matches both, and neither is the stronger."""
        return self.strength == other.strength and all(
            _labels_meet(own, label) for own, label in zip(self.labels, other.labels, strict=True)
        )


def parse_pattern(text: str) -> Pattern:
    """The pattern that `text` writes. ValueError says what is wrong with it and the mend."""
    exact = text.startswith("=")
    name = text[exact:]
    mend = _mended(name)
    if mend != name:
        raise ValueError(f'"{text}" is not a host name as names are compared; write "{"=" * exact}{mend}"')
    labels = tuple(name.split("."))
    for label in labels:
        if not label:
            raise ValueError(f'"{text}" has an empty label; take the extra dot away')
        if label.count("*") > 1:
            raise ValueError(f'"{text}" has two stars in one label; keep one')
        if not _LABEL.fullmatch(label):
            raise ValueError(f'"{text}" holds what no host name holds; keep letters, digits, "-", "_", "." and "*"')
        if len(label) > _LABEL_OCTETS_MAX:
            raise ValueError(f'"{text}" has a label over {_LABEL_OCTETS_MAX} octets; shorten it')
    if len(name) > _NAME_OCTETS_MAX:
        raise ValueError(f'"{text[:40]}..." is over {_NAME_OCTETS_MAX} octets; shorten it')
    if labels[-1].isdigit():
        raise ValueError(f'"{text}" is an address, not a name; list it under addresses')
    if len(labels) < 2 or any("*" in label for label in labels[-2:]):
        raise ValueError(f'"{text}" reaches over domains of others; end it with two labels without a star')
    return Pattern(text, labels, exact)


def fold_name(text: str) -> tuple[str, ...]:
    """The labels of a host name that a person typed: lower case, no port, no trailing dot (accounting 2.5)."""
    name = text.strip().lower()
    host, colon, port = name.rpartition(":")
    if colon and port.isdigit():
        name = host
    return tuple(name.removesuffix(".").split("."))


def _mended(name: str) -> str:
    """`name` as it should stand: lower case, no scheme, path, blank or dot around it, other scripts as A-labels."""
    name = name.strip().lower()
    name = re.sub(r"^[a-z]+://", "", name).partition("/")[0].strip(".")
    if not name.isascii():
        with contextlib.suppress(UnicodeError):
            name = name.encode("idna").decode("ascii")
    return name


def _label_covers(own: str, label: str) -> bool:
    """Whether every label that `label` (which may hold a star) stands for is one of `own`'s."""
    before, star, after = own.partition("*")
    if not star:
        return own == label
    if "*" not in label:
        return len(label) >= len(before) + len(after) and label.startswith(before) and label.endswith(after)
    start, _, end = label.partition("*")
    return start.startswith(before) and end.endswith(after)


def _labels_meet(one: str, other: str) -> bool:
    """Whether one label fits both."""
    if "*" not in one:
        return _label_covers(other, one)
    if "*" not in other:
        return _label_covers(one, other)
    (start, _, end), (other_start, _, other_end) = one.partition("*"), other.partition("*")
    starts_meet = start.startswith(other_start) or other_start.startswith(start)
    return starts_meet and (end.endswith(other_end) or other_end.endswith(end))
