"""Terms of programmes as a ledger keeps them: nothing is lost on the way, and the same terms give the same text."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from decimal import Decimal

from classifier.catalogue.load import load_catalogue
from classifier.catalogue.records import Bonus, Catalogue, Step, Tariff
from classifier.catalogue.terms import catalogue_digest, programme_of, terms_text

SHIPPED = load_catalogue()
STEPS = (Step(1000, Decimal("0.10")), Step(None, Decimal("0.0800")))
EVERYTHING = SHIPPED.programmes[0]._replace(
    starts=datetime(2013, 11, 1, 8, tzinfo=UTC),
    ends=date(2014, 5, 1),
    applications="*",
    bonus=Bonus(200, 12, "joined", date(2013, 8, 12)),
    registered_before=date(2014, 1, 1),
    tariff=Tariff("CNY", STEPS[1:], (("china-unicom", STEPS),)),
)


def test_terms_are_read_as_they_were_written():
    for programme in (*SHIPPED.programmes, EVERYTHING):
        assert programme_of(terms_text(programme))._replace(file=programme.file) == programme
    assert str(programme_of(terms_text(EVERYTHING)).tariff.steps[0].per_megabyte) == "0.0800"


def test_what_becomes_of_usage_beyond_an_allowance_is_kept_where_it_is_not_charged():
    """Terms that say nothing of it are those of ledgers that were written before there was a choice."""
    blocking = EVERYTHING._replace(on_exhausted="block")
    assert programme_of(terms_text(blocking)).on_exhausted == "block"
    assert "on_exhausted" not in terms_text(EVERYTHING)
    assert catalogue_digest(Catalogue((), (blocking,))) != catalogue_digest(Catalogue((), (EVERYTHING,)))


def test_terms_are_one_line_of_json_that_does_not_know_the_file():
    text = terms_text(EVERYTHING)
    assert "\n" not in text
    assert json.loads(text)["ends"] == "2014-05-01"
    assert terms_text(EVERYTHING._replace(file="elsewhere.toml")) == text


def test_the_digest_of_a_catalogue_changes_with_what_it_says_and_with_nothing_else():
    digest = catalogue_digest(SHIPPED)
    moved = tuple(application._replace(file="elsewhere.toml") for application in SHIPPED.applications)
    assert catalogue_digest(Catalogue(moved, SHIPPED.programmes)) == digest
    assert catalogue_digest(Catalogue(SHIPPED.applications[1:], SHIPPED.programmes)) != digest
    assert catalogue_digest(Catalogue(SHIPPED.applications, (EVERYTHING,))) != digest
    assert len(digest) == 64
