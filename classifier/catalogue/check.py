"""What is wrong between files: one domain in two applications, one prefix with two owners, an unknown application.

Rules of this file: of two files that are at odds the later one by name carries the problem and names the other. A
longer prefix inside another's is no mistake, since the longest wins; the same prefix twice is.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from itertools import combinations

from classifier.catalogue.patterns import Pattern, parse_pattern
from classifier.catalogue.records import Application, Programme
from classifier.validation import did_you_mean


def cross_check(
    applications: Sequence[Application], programmes: Sequence[Programme], unread: Collection[str] = ()
) -> list[str]:
    """One line per mistake, kind by kind. `unread` are applications whose files say nothing, but are there."""
    return [
        *_domains_twice(applications),
        *_patterns_that_tie(applications),
        *_anywhere_uncovered(applications),
        *_prefixes_twice(applications),
        *_services_twice(applications),
        *_applications_unknown(applications, programmes, unread),
    ]


def _domains_twice(applications: Sequence[Application]) -> Iterator[str]:
    first: dict[str, Application] = {}
    for application in applications:
        for domain in application.domains:
            other = first.setdefault(domain, application)
            if other is not application:
                yield f'{application.file}: domains: "{domain}" is in {other.file} too; keep it in one of them'


def _patterns_that_tie(applications: Sequence[Application]) -> Iterator[str]:
    starred = [
        (application, parse_pattern(domain))
        for application in applications
        for domain in application.domains
        if "*" in domain
    ]
    for (one, pattern), (other, rival) in combinations(starred, 2):
        if one is not other and pattern.text != rival.text and pattern.ties_with(rival):
            yield (
                f'{other.file}: domains: "{rival.text}" and "{pattern.text}" in {one.file} match the same names and '
                "neither is the longer; make one of them more exact"
            )


def _anywhere_uncovered(applications: Sequence[Application]) -> Iterator[str]:
    if not any(application.domains_anywhere for application in applications):
        return
    rules = [(parse_pattern(domain), application) for application in applications for domain in application.domains]
    for application in applications:
        for domain in application.domains_anywhere:
            owner = _strongest_cover(parse_pattern(domain), rules)
            if owner is None:
                yield (
                    f'{application.file}: domains_anywhere: "{domain}" is under none of its domains; '
                    "add it to domains or take it away"
                )
            elif owner is not application:
                yield f'{application.file}: domains_anywhere: "{domain}" belongs to {owner.file}; take it away'


def _strongest_cover(pattern: Pattern, rules: Sequence[tuple[Pattern, Application]]) -> Application | None:
    covering = [rule for rule in rules if rule[0].covers(pattern)]
    return max(covering, key=lambda rule: rule[0].strength)[1] if covering else None


def _prefixes_twice(applications: Sequence[Application]) -> Iterator[str]:
    owners: dict[object, Application] = {}
    for application in applications:
        for prefix in application.addresses:
            other = owners.setdefault(prefix, application)
            if other is not application:
                yield (
                    f"{application.file}: addresses: {prefix} is in {other.file} too; keep it in one of them, "
                    "or move it to shared_addresses in one or both"
                )


def _services_twice(applications: Sequence[Application]) -> Iterator[str]:
    first: dict[tuple[str, int], Application] = {}
    for application in applications:
        for service in application.services:
            other = first.setdefault(service, application)
            if other is not application:
                name = f"{service[0]}/{service[1]}"
                yield f'{application.file}: services: "{name}" is in {other.file} too; keep it in one of them'


def _applications_unknown(
    applications: Sequence[Application], programmes: Sequence[Programme], unread: Collection[str]
) -> Iterator[str]:
    known = [application.name for application in applications] + list(unread)
    for programme in programmes:
        for name in () if programme.applications == "*" else programme.applications:
            if name not in known:
                yield f'{programme.file}: applications: there is no application "{name}"; {did_you_mean(name, known)}'
