"""One file under `apps/` -> one application, with every mistake that the file alone can show.

Rules of this file: nothing here looks at a second file. A file with mistakes still gives a record of what is right in
it, so that the comparison with the others finds the rest in the same pass.
"""

from __future__ import annotations

import re
from datetime import datetime
from pathlib import Path

from classifier.catalogue.patterns import parse_pattern
from classifier.catalogue.records import Application
from classifier.validation import (
    DATE,
    FLAG,
    TEXT,
    Checker,
    checked,
    many,
    network,
    read_toml,
    table,
)

_NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_RESERVED = ("unknown", "builtin")


def record_name(text: str) -> str:
    """The name of an application or a programme. ValueError names the mend."""
    if not _NAME.fullmatch(text):
        mend = re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-") or "my-name"
        raise ValueError(f'"{text}" is not small letters, digits and single hyphens; write "{mend}"')
    if text in _RESERVED:
        raise ValueError(f'"{text}" has a meaning of its own; choose another name')
    return text


def _pattern(text: str) -> str:
    return parse_pattern(text).text


def _service(text: str) -> tuple[str, int]:
    protocol, _, port = text.partition("/")
    if protocol not in ("tcp", "udp") or not port.isdecimal() or not 0 < int(port) < 65536:
        raise ValueError(f'"{text}" is not a protocol and a port; write it like "udp/53"')
    return protocol, int(port)


def day_alone(value: object) -> object:
    """A TOML date. ValueError where it is a date-time."""
    if isinstance(value, datetime):
        raise ValueError(f"{value} has a time of day; write the date alone")
    return value


_PREFIXES = many(checked(network))
_DOMAINS = many(checked(_pattern))
_APPLICATION = Checker(
    table(
        {"name": checked(record_name)},
        {
            "title": TEXT,
            "domains": _DOMAINS,
            "addresses": _PREFIXES,
            "shared_addresses": _PREFIXES,
            "addresses_complete": FLAG,
            "domains_anywhere": _DOMAINS,
            "services": many(checked(_service)),
            "source": TEXT,
            "updated": checked(day_alone, DATE),
        },
    )
)


def read_application(file: Path, problems: list[str]) -> Application | None:
    """The application that `file` describes; its mistakes are added to `problems`. None where nothing can be read."""
    content = read_toml(file, problems)
    found = None if content is None else _APPLICATION.check(file, content, problems, {"name": file.stem})
    if found is None:
        return None
    check_name(file, found["name"], problems)
    for key in ("domains", "domains_anywhere", "addresses", "shared_addresses", "services"):
        check_twice(file, key, found.get(key, ()), problems)
    own, shared = found.get("addresses", ()), found.get("shared_addresses", ())
    for prefix in sorted(set(own) & set(shared), key=str):
        problems.append(f"{file}: shared_addresses: {prefix} is under addresses too; keep it in one of them")
    if not any(content.get(key) for key in ("domains", "addresses", "shared_addresses", "services")):
        problems.append(f"{file}: domains: nothing to recognise it by; add domains, addresses or services")
    if found.get("addresses_complete") and not content.get("addresses") and not content.get("shared_addresses"):
        problems.append(f"{file}: addresses_complete: true without addresses; list them or take the key away")
    return Application(
        name=found["name"],
        title=found.get("title", found["name"]),
        domains=tuple(found.get("domains", ())),
        addresses=tuple(own),
        shared_addresses=tuple(shared),
        addresses_complete=found.get("addresses_complete", False),
        domains_anywhere=tuple(found.get("domains_anywhere", ())),
        services=tuple(found.get("services", ())),
        source=found.get("source", ""),
        updated=found.get("updated"),
        file=str(file),
    )


def check_name(file: Path, name: str, problems: list[str]) -> None:
    """The name inside is that of the file."""
    if name != file.stem:
        problems.append(f'{file}: name: "{name}" is not the file\'s name; write "{file.stem}" or call it {name}.toml')


def check_twice(file: Path, key: str, values: list | tuple, problems: list[str]) -> None:
    """Each value stands once in the list under `key`."""
    seen = set()
    for value in values:
        if value in seen:
            shown = "/".join(map(str, value)) if isinstance(value, tuple) else value
            problems.append(f'{file}: {key}: "{shown}" stands there twice; take one away')
        seen.add(value)
