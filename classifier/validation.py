"""Reading TOML and checking tables against a schema, so that every mistake of a file is found in one pass.

Rules of this file: it knows no key of any file. A problem is one line, `file: key: what; mend`. The checks are
pydantic's engine (`pydantic_core`) with its schemas written out: models of the `pydantic` package would cost every
command another 140 ms of imports. The engine itself, and TOML's reader, are imported where there is a file to check.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from datetime import date
from functools import cached_property
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from pathlib import Path

Network = IPv4Network | IPv6Network
Location = tuple[str | int, ...]

TEXT = {"type": "str", "strict": True, "min_length": 1, "strip_whitespace": False}
FLAG = {"type": "bool", "strict": True}
DATE = {"type": "is-instance", "cls": date}  # TOML dates and date-times: the second is a subclass of the first

_TOML_PLACE = re.compile(r"^(?P<what>.*) \(at (?:line (?P<line>\d+), column (?P<column>\d+)|end of document)\)$")

# What pydantic's kinds of error say here; {} is the value that was found.
_WORDS = {
    "missing": "is missing; add it",
    "string_type": "must be text, not {}; write it in quotes",
    "string_too_short": "is empty; give it a value or take the key away",
    "int_type": "must be a whole number, not {}; write it without quotes and without a point",
    "bool_type": "must be true or false, not {}; write it without quotes",
    "list_type": "must be a list, not {}; write it in [ ]",
    "dict_type": "must be a table, not {}; write it in {{ }} or under a heading in [ ]",
    "is_instance_of": "must be a date, not {}; write it like 2013-11-01, without quotes",
    "too_short": "is an empty list; name at least one or take the key away",
}


def whole_number(least: int, most: int | None = None) -> dict:
    """Schema of an integer from `least` to `most`."""
    return {"type": "int", "strict": True, "ge": least} | ({} if most is None else {"le": most})


def one_of(*values: str) -> dict:
    """Schema of one of some words."""
    return {"type": "literal", "expected": list(values)}


def many(item: dict, least: int = 0) -> dict:
    """Schema of a list."""
    return {"type": "list", "strict": True, "items_schema": item, "min_length": least}


def checked(convert: Callable[[str], object], schema: dict = TEXT) -> dict:
    """Schema of a value that `convert` turns into another; its ValueError says what is wrong and the mend."""

    def call(value):
        try:
            return convert(value)
        except ValueError as error:
            from pydantic_core import PydanticCustomError

            raise PydanticCustomError("freeflow", "{what}", {"what": str(error)}) from None

    return {"type": "function-after", "function": {"type": "no-info", "function": call}, "schema": schema}


def table(required: dict[str, dict], optional: dict[str, dict]) -> dict:
    """Schema of a table: keys outside `required` and `optional` are mistakes."""
    fields = {
        name: {"type": "typed-dict-field", "schema": schema, "required": True} for name, schema in required.items()
    }
    for name, schema in optional.items():
        fields[name] = {"type": "typed-dict-field", "schema": schema, "required": False}
    return {"type": "typed-dict", "fields": fields, "extra_behavior": "forbid", "strict": True}


def table_of(values: dict) -> dict:
    """Schema of a table whose keys are names that the file chooses."""
    return {"type": "dict", "strict": True, "keys_schema": TEXT, "values_schema": values}


class Checker:
    """One kind of file: reads it, checks it, names every mistake in it."""

    def __init__(self, schema: dict) -> None:
        self.schema = schema

    @cached_property
    def _validate(self) -> Callable[[dict], dict]:
        from pydantic_core import SchemaValidator

        return SchemaValidator(self.schema).validate_python

    def check(self, file: Path | str, content: dict, problems: list[str], fill: dict | None = None) -> dict | None:
        """The converted table, without what is wrong in it; each mistake is added to `problems`.

        `fill` stands in for required keys that are missing or wrong, so that what remains can still be compared with
        other files. None where even that cannot be read.
        """
        from pydantic_core import ValidationError

        try:
            return self._validate(content)
        except ValidationError as error:
            errors = error.errors(include_url=False)
        problems.extend(f"{file}: {_describe(self.schema, error)}" for error in errors)
        rest = {**(fill or {}), **_without(content, [error["loc"] for error in errors])}
        try:
            return self._validate(rest)
        except ValidationError:
            return None


def read_toml(path: Path, problems: list[str]) -> dict | None:
    """The file's content, or None with the reason added to `problems`."""
    import tomllib

    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        problems.append(f"{path}: no such file; check the name")
    except UnicodeDecodeError as error:
        problems.append(f"{path}: octet {error.start + 1} is not UTF-8; save the file as UTF-8")
    except OSError as error:
        problems.append(f"{path}: cannot be read ({error.strerror}); check the name and its permissions")
    except tomllib.TOMLDecodeError as error:
        found = _TOML_PLACE.match(str(error))
        what = found["what"] if found else str(error)
        place = f"line {found['line']}, column {found['column']}" if found and found["line"] else "its end"
        problems.append(f"{path}: {place}: not TOML: {what[:1].lower() + what[1:]}; mend the line")
    return None


def network(text: str) -> Network:
    """An address or prefix without host bits. ValueError names the mend."""
    try:
        if "%" in text:
            raise ValueError("a zone is no part of an address on the wire")
        loose = ip_network(text, strict=False)
    except ValueError:
        mend = 'write it like "192.0.2.0/24" or "2001:db8::/32"'
        raise ValueError(f'"{text}" is not an address or prefix; {mend}') from None
    if ip_address(text.partition("/")[0]) != loose.network_address:
        raise ValueError(f'"{text}" has host bits set; write "{loose}"')
    return loose


def nearest(word: str, known: Iterable[str]) -> str | None:
    """The known word that is most like `word`, or None where none is."""
    import difflib

    return next(iter(difflib.get_close_matches(word.lower(), list(known), 1, 0.5)), None)


def did_you_mean(word: str, known: Sequence[str]) -> str:
    """The mend for an unknown word."""
    near = nearest(word, known)
    if near:
        return f'did you mean "{near}"?'
    return f"known are {', '.join(sorted(known))}" if known else "none is known"


def _describe(schema: dict, error: dict) -> str:
    """One error of pydantic's in our words: the key, what is wrong, the mend."""
    kind = error["type"]
    if kind == "extra_forbidden":
        what = f"unknown key; {did_you_mean(str(error['loc'][-1]), _known_keys(schema, error['loc'][:-1]))}"
    elif kind == "literal_error":
        what = f"must be {error['ctx']['expected']}, not {_shown(error['input'])}; choose one of these"
    elif kind == "greater_than_equal":
        what = f"{error['input']} is too small; the least is {error['ctx']['ge']}"
    elif kind == "less_than_equal":
        what = f"{error['input']} is too large; the most is {error['ctx']['le']}"
    elif kind in _WORDS:
        what = _WORDS[kind].format(_shown(error["input"]))
    else:
        what = error["msg"]
    return f"{_key(error['loc'])}: {what}"


def _key(location: Location) -> str:
    """A place as a person writes it: `eligible[1].operator`, counted from 1."""
    key = ""
    for part in location:
        key += f"[{part + 1}]" if isinstance(part, int) else f".{part}" if key else str(part)
    return key


def _shown(value: object) -> str:
    """A value as the file has it, cut where it is long."""
    text = f'"{value}"' if isinstance(value, str) else str(value).lower() if isinstance(value, bool) else str(value)
    return text if len(text) <= 60 else text[:57] + "..."


def _known_keys(schema: dict, location: Location) -> list[str]:
    """The keys that the table at `location` may have."""
    for part in location:
        while schema["type"].startswith("function-"):
            schema = schema["schema"]
        if schema["type"] == "dict":
            schema = schema["values_schema"]
        else:
            schema = schema["items_schema"] if isinstance(part, int) else schema["fields"][part]["schema"]
    while schema["type"].startswith("function-"):
        schema = schema["schema"]
    return list(schema["fields"])


def _without(content: dict, locations: Iterable[Location]) -> dict:
    """A copy of `content` without the list items and keys at `locations`."""
    wrong_items: dict[str, set[int]] = {}
    wrong_keys = set()
    for key, *rest in locations:
        if rest and isinstance(rest[0], int):
            wrong_items.setdefault(key, set()).add(rest[0])
        else:
            wrong_keys.add(key)
    kept = {key: value for key, value in content.items() if key not in wrong_keys}
    for key, items in wrong_items.items():
        if key in kept:
            kept[key] = [value for number, value in enumerate(kept[key]) if number not in items]
    return kept
