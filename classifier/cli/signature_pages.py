"""What `freeflow signatures` prints of the catalogue, as objects for JSON and as lines for a person.

Rules of this file: answers come from the catalogue's own rules, so that a lookup says what the kernels do. Nothing is
left out of an application's page.
"""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from ipaddress import IPv4Address, IPv6Address, ip_address

from classifier.catalogue.patterns import fold_name
from classifier.catalogue.records import Application, Catalogue, Programme
from classifier.catalogue.rules import AddressRule, DomainRule, explain_address, explain_name
from classifier.errors import ConfigurationError
from classifier.reports.columns import Column, Line, table_lines

_LABEL_COLUMNS = 20


def list_json(catalogue: Catalogue) -> dict:
    """Counts of each application, and each programme's terms."""
    return {
        "applications": [
            {
                "name": application.name,
                "title": application.title,
                "domains": len({*application.domains, *application.domains_anywhere}),
                "addresses": len(application.addresses),
                "shared_addresses": len(application.shared_addresses),
                "addresses_complete": application.addresses_complete,
                "updated": _date(application.updated),
                "file": application.file,
            }
            for application in catalogue.applications
        ],
        "programmes": [_programme(programme) for programme in catalogue.programmes],
    }


def list_lines(catalogue: Catalogue, width: int) -> list[Line]:
    """A line for each application, then for each programme."""
    answer = list_json(catalogue)
    rows = [
        (
            entry["name"],
            entry["title"],
            f"{entry['domains']:,}",
            f"{entry['addresses']:,}",
            f"{entry['shared_addresses']:,}",
            entry["updated"] or "-",
        )
        for entry in answer["applications"]
    ]
    columns = (
        Column("application"),
        Column("title", least=4),
        Column("domains", right=True),
        Column("prefixes", right=True),
        Column("shared", right=True),
        Column("updated"),
    )
    lines = table_lines(columns, rows, [""] * len(rows), width)
    if catalogue.programmes:
        rows = [
            (entry["name"], entry["payer"], entry["starts"], entry["ends"] or "-", _listed(entry["applications"]))
            for entry in answer["programmes"]
        ]
        columns = (
            Column("programme"),
            Column("paid by"),
            Column("starts"),
            Column("ends"),
            Column("applications", least=12),
        )
        lines += [Line(""), *table_lines(columns, rows, [""] * len(rows), width)]
    return lines


def show_json(application: Application, catalogue: Catalogue) -> dict:
    """All that the application's file says, and the programmes that cover it."""
    return {
        "name": application.name,
        "title": application.title,
        "file": application.file,
        "source": application.source,
        "updated": _date(application.updated),
        "domains": list(application.domains),
        "domains_anywhere": list(application.domains_anywhere),
        "addresses": [str(prefix) for prefix in application.addresses],
        "shared_addresses": [str(prefix) for prefix in application.shared_addresses],
        "addresses_complete": application.addresses_complete,
        "services": [f"{protocol}/{port}" for protocol, port in application.services],
        "programmes": [
            _programme(programme)
            for programme in catalogue.programmes
            if programme.applications == "*" or application.name in programme.applications
        ],
    }


def show_lines(application: Application, catalogue: Catalogue, width: int) -> list[Line]:
    """The same, a paragraph for each key."""
    answer = show_json(application, catalogue)
    offers = [f"{entry['name']} (paid by {entry['payer']})" for entry in answer.pop("programmes")]
    complete = "yes, it serves from nowhere else" if answer["addresses_complete"] else "no"
    lines = [Line(f"{application.name}: {application.title}", "heading")]
    for label, value in (
        ("file", answer["file"]),
        ("source", answer["source"]),
        ("updated", answer["updated"]),
        ("domains", answer["domains"]),
        ("from any address", answer["domains_anywhere"]),
        ("own addresses", answer["addresses"]),
        ("shared addresses", answer["shared_addresses"]),
        ("list is complete", complete),
        ("services", answer["services"]),
        ("programmes", offers),
    ):
        text = ", ".join(value) if isinstance(value, list) else value
        if text:
            lines += _paragraph(label, text, width)
    return lines


def lookup_json(catalogue: Catalogue, sought: str) -> dict:
    """Whose `sought` is: `rule` decides, `others` match too. Raises ConfigurationError if it is no name at all."""
    address = _address(sought)
    if address is not None:
        rules: Sequence[AddressRule | DomainRule] = explain_address(catalogue, str(address))
        decides = bool(rules) and rules[0].own
    else:
        if not sought.isprintable() or not all(fold_name(sought)) or set(sought) & set(" /*="):
            raise ConfigurationError(f'"{sought}" is neither a host name nor an address; write it like m.facebook.com')
        rules = explain_name(catalogue, sought)
        decides = bool(rules)
    complete = {application.name for application in catalogue.applications if application.addresses_complete}
    shown = [_rule(rule, complete) for rule in rules]
    return {
        "sought": sought,
        "kind": "name" if address is None else "address",
        "application": rules[0].application if decides else None,
        "rule": shown[0] if shown else None,
        "others": shown[1:],
    }


def lookup_lines(answer: dict) -> list[Line]:
    """The same, a line for each rule."""
    rule = answer["rule"]
    if rule is None:
        return [Line(f"{answer['sought']}: unknown, no rule matches")]
    if answer["application"] is None:
        verdict = "unknown, since others serve from this address too"
    else:
        verdict = answer["application"]
    lines = [Line(f"{answer['sought']}: {verdict}", "heading"), Line(f"  {_rule_text(rule)}")]
    lines += [Line(f"  also {_rule_text(other)}") for other in answer["others"]]
    return lines


def _rule(rule: AddressRule | DomainRule, complete: set[str]) -> dict:
    found: dict[str, object] = {"application": rule.application, "file": rule.file}
    if isinstance(rule, DomainRule):
        found |= {"domain": rule.pattern.text, "anywhere": rule.anywhere}
    else:
        found |= {"prefix": str(rule.prefix), "own": rule.own}
    return found | {"addresses_complete": rule.application in complete}


def _rule_text(rule: dict) -> str:
    if "domain" in rule:
        what = rule["domain"]
        if rule["anywhere"]:
            kind = "from any address"
        else:
            kind = (
                "contradicted outside its addresses"
                if rule["addresses_complete"]
                else "its addresses are not all known"
            )
    else:
        what = rule["prefix"]
        kind = "shared, never evidence alone" if not rule["own"] else "its own"
        if rule["own"] and rule["addresses_complete"]:
            kind += ", and the list is complete"
    return f"{rule['application']}: {what} ({kind}) in {rule['file']}"


def _programme(programme: Programme) -> dict:
    listed = programme.applications
    return {
        "name": programme.name,
        "payer": programme.payer,
        "applications": listed if isinstance(listed, str) else list(listed),
        "starts": _date(programme.starts),
        "ends": _date(programme.ends),
        "rate_percent": programme.rate_percent,
        "file": programme.file,
    }


def _listed(applications: str | list[str]) -> str:
    if isinstance(applications, str):
        return "all"
    return ", ".join(applications)


def _date(value) -> str | None:
    return None if value is None else value.isoformat()


def _address(text: str) -> IPv4Address | IPv6Address | None:
    try:
        return ip_address(text.strip().removeprefix("[").removesuffix("]"))
    except ValueError:
        return None


def _paragraph(label: str, text: str, width: int) -> list[Line]:
    folded = textwrap.wrap(text, max(width - _LABEL_COLUMNS, 20), break_long_words=False, break_on_hyphens=False)
    labels = [f"{label}:", *[""] * (len(folded) - 1)]
    return [Line(f"{name:<{_LABEL_COLUMNS}}{line}") for name, line in zip(labels, folded, strict=True)]
