"""A folder of signatures: what is right is read, and of what is wrong everything is named in one pass."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from ipaddress import ip_network

import pytest

from classifier.catalogue.load import load_catalogue
from classifier.catalogue.records import Allowance, Bonus, Step
from classifier.errors import ConfigurationError

APP = 'name = "shop"\ndomains = ["shop.example"]\n'
OFFER = 'name = "offer"\npayer = "shop"\napplications = ["shop"]\nstarts = 2013-11-01\nrate_percent = 0\n'


def write(folder, kind, name, text):
    (folder / kind).mkdir(parents=True, exist_ok=True)
    (folder / kind / f"{name}.toml").write_text(text, encoding="utf-8")


def problems(*folders):
    with pytest.raises(ConfigurationError) as refused:
        load_catalogue(folders)
    assert all("\n" not in problem for problem in refused.value.problems)
    return refused.value.problems


def test_the_contracts_files_are_read_as_they_stand(tmp_path):
    write(
        tmp_path,
        "apps",
        "facebook",
        """name = "facebook"
title = "Facebook"
domains = ["facebook.com", "fbcdn.net", "fbcdn-*.akamaihd.net", "=www.example.com"]
addresses = ["157.240.0.0/16", "2a03:2880::/32"]
shared_addresses = []
addresses_complete = true
domains_anywhere = ["fna.fbcdn.net"]
source = "where the lists come from"
updated = 2026-11-01
""",
    )
    write(
        tmp_path,
        "programmes",
        "alibaba-free-flow",
        """name = "alibaba-free-flow"
payer = "alibaba"
applications = ["facebook"]
starts = 2013-11-01
ends = 2014-05-01T00:00:00Z
rate_percent = 0
allowance = { octets = 2_000_000_000, per = "month" }
eligible = [{ operator = "china-mobile", province = "guangdong" }, { plan = "p" }]
enrolment = "required"
accept = "verified"
priority = 10
tariff = { currency = "CNY", per_megabyte = "0.10" }
""",
    )
    catalogue = load_catalogue([tmp_path])
    (app,) = catalogue.applications
    assert catalogue.application_names == ("unknown", "facebook")
    assert app.addresses == (ip_network("157.240.0.0/16"), ip_network("2a03:2880::/32"))
    assert (app.addresses_complete, app.domains_anywhere, app.updated) == (True, ("fna.fbcdn.net",), date(2026, 11, 1))
    (offer,) = catalogue.programmes
    assert (offer.starts, offer.ends) == (date(2013, 11, 1), datetime(2014, 5, 1, tzinfo=UTC))
    assert [(one.octets, one.per) for one in offer.allowances] == [(2_000_000_000, "month")]
    assert (offer.eligible[0].operator, offer.eligible[0].plan, offer.eligible[1].plan) == ("china-mobile", None, "p")
    assert offer.tariff.steps_of("china-mobile") == (Step(None, Decimal("0.10")),)
    assert (offer.enrolment, offer.accept, offer.priority) == ("required", "verified", 10)


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ('domians = ["x.example"]', 'domians: unknown key; did you mean "domains"?'),
        ('addresses = ["157.240.1.0/16"]', 'addresses[1]: "157.240.1.0/16" has host bits set; write "157.240.0.0/16"'),
        ('addresses = ["157.240.0/16"]', 'addresses[1]: "157.240.0/16" is not an address or prefix'),
        ('addresses = ["192.0.2.0/24", "192.0.2.0/24"]', 'addresses: "192.0.2.0/24" stands there twice'),
        ('addresses = "192.0.2.0/24"', 'addresses: must be a list, not "192.0.2.0/24"'),
        ("addresses_complete = true", "addresses_complete: true without addresses"),
        ('addresses_complete = "true"', 'addresses_complete: must be true or false, not "true"'),
        ('domains_anywhere = ["cdn.example"]', 'domains_anywhere: "cdn.example" is under none of its domains'),
        ("updated = 2026-11-01T10:00:00Z", "write the date alone"),
        ('updated = "2026-11-01"', "updated: must be a date"),
        ("title = 3", "title: must be text, not 3"),
        ('services = ["sctp/53"]', 'services[1]: "sctp/53" is not a protocol and a port'),
        ('services = ["udp/65536"]', 'services[1]: "udp/65536" is not a protocol and a port'),
        ('addresses = ["192.0.2.0/24"]\nshared_addresses = ["192.0.2.0/24"]', "is under addresses too"),
    ],
)
def test_a_mistake_in_an_application_is_named_with_file_key_and_mend(tmp_path, line, told):
    write(tmp_path, "apps", "shop", APP + line)
    (problem,) = problems(tmp_path)
    assert problem.startswith(f"{tmp_path / 'apps' / 'shop.toml'}: ")
    assert told in problem


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ('"shop"]', '"shpo"]', 'applications: there is no application "shpo"; did you mean "shop"?'),
        ('["shop"]', "[]", "applications: must be names"),
        ('["shop"]', '["*"]', "write it alone"),
        ("rate_percent = 0", "rate_percent = 100", "rate_percent: 100 is too large; the most is 99"),
        ("rate_percent = 0", "rate_percent = -1", "rate_percent: -1 is too small; the least is 0"),
        ("rate_percent = 0", "rate_percent = 0.5", "rate_percent: must be a whole number, not 0.5"),
        ("rate_percent = 0", "", "rate_percent: is missing"),
        ("2013-11-01", "2013-11-01\nends = 2013-11-01", "ends: 2013-11-01 is not after starts"),
        ("2013-11-01", "2013-11-01T00:00:00", "has no offset"),
        ("2013-11-01", "2013-11-01T00:00:00Z\nends = 2013-11-01T01:00:00+08:00", "is not after starts"),
        ("rate_percent = 0", 'rate_percent = 0\nallowance = { octets = -5, per = "month" }', "octets: -5 is too small"),
        (
            "rate_percent = 0",
            'rate_percent = 0\nallowance = { octets = 5, per = "week" }',
            "allowance.per: must be 'day'",
        ),
        ("rate_percent = 0", 'rate_percent = 0\nallowance = { octts = 5, per = "day" }', 'did you mean "octets"?'),
        ("rate_percent = 0", "rate_percent = 0\neligible = [{}]", "eligible[1]: asks for nothing"),
        ("rate_percent = 0", 'rate_percent = 0\neligible = [{ oprator = "x" }]', "eligible[1].oprator: unknown key"),
        (
            "rate_percent = 0",
            'rate_percent = 0\ntariff = { currency = "CNY", per_megabyte = 0.1 }',
            "write it in quotes",
        ),
        ("rate_percent = 0", 'rate_percent = 0\ntariff = { currency = "yuan", per_megabyte = "1" }', "ISO 4217"),
        ("rate_percent = 0", 'rate_percent = 0\naccept = "address"', "accept: must be 'claimed' or 'verified'"),
    ],
)
def test_a_mistake_in_a_programme_is_named_with_file_key_and_mend(tmp_path, old, new, told):
    write(tmp_path, "apps", "shop", APP)
    write(tmp_path, "programmes", "offer", OFFER.replace(old, new))
    found = problems(tmp_path)
    assert any(
        problem.startswith(f"{tmp_path / 'programmes' / 'offer.toml'}: ") and told in problem for problem in found
    )


CAPPED = OFFER + 'allowance = { octets = 5, per = "day" }\n'
PRICED = OFFER + 'eligible = [{ operator = "a" }, { operator = "b" }]\n'


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (CAPPED + 'allowances = [{ octets = 5, per = "day" }]', "allowances: allowance stands there too"),
        (OFFER + "allowances = []", "allowances: is an empty list"),
        (
            OFFER + 'allowances = [{ octets = 5, per = "day" }, { octets = 0, per = "once" }]',
            "allowances[2].octets: 0 is too",
        ),
        (OFFER + 'on_exhausted = "block"', "on_exhausted: nothing is ever exhausted here"),
        (CAPPED + 'on_exhausted = "blocked"', "on_exhausted"),
        (OFFER + "registered_before = 2014-01-01", "registered_before: nobody registers here"),
        (OFFER + 'enrolment = "required"\nregistered_before = 2014-01-01T00:00:00Z', "registered_before: 2014-01-01"),
        (OFFER + "bonus = { octets = 5, months = 2 }", "bonus: everything is given without limit already"),
        (CAPPED + "bonus = { octets = 5, months = 0 }", "bonus.months: 0 is too small"),
        (CAPPED + 'bonus = { octets = 5, months = 2, per = "day" }', "bonus.per: must be 'month'"),
        (
            CAPPED + "bonus = { octets = 5, months = 2, joined_before = 2013-01-01, enrolled_before = 2013-01-01 }",
            "bonus: joined_before and enrolled_before",
        ),
        (OFFER + '[tariff]\ncurrency = "CNY"', "tariff: has no price"),
        (OFFER + '[tariff]\ncurrency = "CNY"\nper_megabyte = "-1"', "is not a price"),
        (OFFER + '[tariff]\ncurrency = "CNY"\nper_megabyte = "1e9"', "is not a price"),
        (
            OFFER + '[tariff]\ncurrency = "CNY"\nper_megabyte = "1"\nsteps = [{ per_megabyte = "1" }]',
            "tariff.steps: per_megabyte stands there too",
        ),
        (
            OFFER + '[tariff]\ncurrency = "CNY"\nsteps = [{ up_to_megabytes = 9, per_megabyte = "3" }, '
            '{ up_to_megabytes = 9, per_megabyte = "2" }, { per_megabyte = "1" }]',
            "tariff.steps[2].up_to_megabytes: 9 is not above the step before (9); put the steps in order",
        ),
        (
            OFFER + '[tariff]\ncurrency = "CNY"\nsteps = [{ per_megabyte = "3" }, { per_megabyte = "1" }]',
            "tariff.steps[1]: has no end, and more steps follow",
        ),
        (
            OFFER + '[tariff]\ncurrency = "CNY"\nsteps = [{ up_to_megabytes = 9, per_megabyte = "3" }]',
            "tariff.steps[1]: nothing is priced beyond its end",
        ),
        (
            PRICED + '[tariff]\ncurrency = "CNY"\nby_operator.a.per_megabyte = "1"',
            'tariff.by_operator: no price for the operator "b"',
        ),
        (
            OFFER + '[tariff]\ncurrency = "CNY"\nby_operator.a.per_megabyte = "1"',
            "tariff: operators beside by_operator have no price",
        ),
        (
            PRICED + '[tariff]\ncurrency = "CNY"\nper_megabyte = "1"\nby_operator.c.per_megabyte = "1"',
            "tariff.by_operator.c: no group of eligible has this operator",
        ),
        (
            PRICED + '[tariff]\ncurrency = "CNY"\nper_megabyte = "1"\nby_operator.a.per_megabite = "1"',
            'tariff.by_operator.a.per_megabite: unknown key; did you mean "per_megabyte"?',
        ),
    ],
)
def test_terms_that_cannot_stand_are_named_with_file_key_and_mend(tmp_path, text, told):
    write(tmp_path, "apps", "shop", APP)
    write(tmp_path, "programmes", "offer", text)
    file = tmp_path / "programmes" / "offer.toml"
    assert any(problem.startswith(f"{file}: ") and told in problem for problem in problems(tmp_path))


def test_allowances_a_bonus_and_prices_by_operator_are_read_as_they_stand(tmp_path):
    write(tmp_path, "apps", "shop", APP)
    write(
        tmp_path,
        "programmes",
        "offer",
        PRICED
        + """allowances = [{ octets = 300, per = "month" }, { octets = 50, per = "day" }]
bonus = { octets = 200, months = 12, joined_before = 2013-08-12 }
enrolment = "required"
registered_before = 2014-01-01
[tariff]
currency = "CNY"
per_megabyte = "0.10"
[tariff.by_operator.b]
steps = [{ up_to_megabytes = 1000, per_megabyte = "0.08" }, { per_megabyte = "0.05" }]
""",
    )
    (offer,) = load_catalogue([tmp_path]).programmes
    assert offer.allowances == (Allowance(300, "month"), Allowance(50, "day"))
    assert offer.bonus == Bonus(200, 12, "joined", date(2013, 8, 12))
    assert offer.registered_before == date(2014, 1, 1)
    assert offer.tariff.steps_of("a") == (Step(None, Decimal("0.10")),)
    assert offer.tariff.steps_of("b") == (Step(1000, Decimal("0.08")), Step(None, Decimal("0.05")))


@pytest.mark.parametrize(("enrolment", "since"), [("automatic", "joined"), ("required", "enrolled")])
def test_a_bonus_that_names_no_day_counts_from_joining_or_where_one_enrols_from_that(tmp_path, enrolment, since):
    write(tmp_path, "apps", "shop", APP)
    text = f'{CAPPED}enrolment = "{enrolment}"\nbonus = {{ octets = 200, months = 12, per = "month" }}'
    write(tmp_path, "programmes", "offer", text)
    (offer,) = load_catalogue([tmp_path]).programmes
    assert offer.bonus == Bonus(200, 12, since, None)


def test_a_window_between_a_date_and_an_instant_is_believed_within_a_day(tmp_path):
    write(tmp_path, "apps", "shop", APP)
    # In Asia/Shanghai the first of November begins at 16:00 UTC of the day before.
    write(tmp_path, "programmes", "offer", OFFER + "ends = 2013-10-31T20:00:00Z\n")
    assert load_catalogue([tmp_path]).programmes[0].ends.hour == 20


def test_mistakes_of_all_files_are_found_in_one_pass(tmp_path):
    write(
        tmp_path,
        "apps",
        "a",
        'name = "a"\ndomians = ["x.example"]\ndomains = ["same.example"]\naddresses = ["192.0.2.0/24"]',
    )
    write(tmp_path, "apps", "b", 'name = "bb"\ndomains = ["same.example"]\naddresses = ["192.0.2.0/24", "1.2.3.4/8"]')
    write(tmp_path, "apps", "c", 'name = "c"\ndomains = [\n')
    write(tmp_path, "programmes", "p", OFFER.replace('"offer"', '"p"').replace("shop", "c"))
    write(tmp_path, "programmes", "q", OFFER.replace('"offer"', '"q"').replace("shop", "aa"))
    found = problems(tmp_path)
    told = [
        "a.toml: domians: unknown key",
        'b.toml: addresses[2]: "1.2.3.4/8" has host bits set; write "1.0.0.0/8"',
        'b.toml: name: "bb" is not the file',
        "c.toml: ",
        'b.toml: domains: "same.example" is in',
        "b.toml: addresses: 192.0.2.0/24 is in",
        'q.toml: applications: there is no application "aa"',
    ]
    for text in told:
        assert sum(text in problem for problem in found) == 1, text
    assert len(found) == len(told)


def test_a_toml_mistake_is_told_with_its_line(tmp_path):
    write(tmp_path, "apps", "shop", APP + "updated 2026\n")
    (problem,) = problems(tmp_path)
    assert "shop.toml: line 3, column 9: not TOML" in problem


def test_a_later_folder_replaces_what_has_the_same_name(tmp_path):
    write(tmp_path / "one", "apps", "shop", APP)
    write(tmp_path / "two", "apps", "shop", APP.replace("shop.example", "mart.example"))
    assert [app.domains for app in load_catalogue([tmp_path / "one", tmp_path / "two"]).applications] == [
        ("mart.example",)
    ]


def test_one_service_in_two_applications_is_a_mistake(tmp_path):
    write(tmp_path, "apps", "a", 'name = "a"\nservices = ["udp/53"]')
    write(tmp_path, "apps", "b", 'name = "b"\nservices = ["udp/53"]')
    (problem,) = problems(tmp_path)
    assert 'b.toml: services: "udp/53" is in' in problem


def test_patterns_that_match_the_same_names_with_equal_strength_are_a_mistake(tmp_path):
    write(tmp_path, "apps", "a", 'name = "a"\ndomains = ["ab-*.cdn.example"]')
    write(tmp_path, "apps", "b", 'name = "b"\ndomains = ["*-ab.cdn.example"]')
    (problem,) = problems(tmp_path)
    assert "match the same names" in problem


def test_names_that_belong_to_another_cannot_answer_from_anywhere(tmp_path):
    write(tmp_path, "apps", "a", 'name = "a"\ndomains = ["x.example"]\ndomains_anywhere = ["c.b.x.example"]')
    write(tmp_path, "apps", "b", 'name = "b"\ndomains = ["b.x.example"]')
    (problem,) = problems(tmp_path)
    assert "a.toml: domains_anywhere" in problem
    assert "b.toml" in problem


def test_a_longer_prefix_inside_anothers_and_a_shared_one_are_no_mistake(tmp_path):
    write(tmp_path, "apps", "a", 'name = "a"\naddresses = ["192.0.2.0/24"]')
    write(tmp_path, "apps", "b", 'name = "b"\naddresses = ["192.0.2.8/31"]\nshared_addresses = ["192.0.2.0/24"]')
    assert len(load_catalogue([tmp_path]).applications) == 2


@pytest.mark.parametrize("name", ["Shop", "my shop", "unknown", "-"])
def test_a_name_that_reports_could_not_carry_is_refused(tmp_path, name):
    write(tmp_path, "apps", name, APP.replace('"shop"', f'"{name}"'))
    assert any("name: " in problem for problem in problems(tmp_path))


def test_a_folder_that_is_missing_or_holds_nothing_is_named(tmp_path):
    assert "no such folder" in problems(tmp_path / "nowhere")[0]
    assert "neither apps/ nor programmes/" in problems(tmp_path)[0]


def test_a_file_that_is_not_utf_8_is_named(tmp_path):
    write(tmp_path, "apps", "shop", APP)
    (tmp_path / "apps" / "shop.toml").write_bytes(b'name = "\xff"')
    assert "is not UTF-8" in problems(tmp_path)[0]
