"""What ships with freeflow, held against real captures and against what the catalogue must never say."""

from __future__ import annotations

import json
from datetime import date
from ipaddress import ip_address

import pytest

from classifier.catalogue.folders import builtin_folder
from classifier.catalogue.load import load_catalogue
from classifier.catalogue.rules import explain_address, explain_name

PROMISED = (
    "facebook messenger instagram whatsapp free-basics wechat qq tencent-video yixin netease taobao tmall juhuasuan "
    "alipay laiwang dingtalk wikipedia youtube google netflix tiktok telegram twitter spotify dns ntp"
)

# Whoever published this file made its addresses up: none is the server that the name stands for.
ANONYMISED = {"ndpi/default/pcap/tls_2_reasms.pcapng"}


@pytest.fixture(scope="module")
def catalogue():
    return load_catalogue()


def test_every_promised_application_is_there_with_source_and_date(catalogue):
    names = set(catalogue.application_names)
    assert names >= set(PROMISED.split())
    for app in catalogue.applications:
        assert app.source, app.name
        assert isinstance(app.updated, date), app.name


def test_an_unverified_domain_says_so(catalogue):
    yixin = next(app for app in catalogue.applications if app.name == "yixin")
    assert "UNVERIFIED" in yixin.source


def test_offers_ask_for_an_operator_so_that_none_applies_without_configuration(catalogue):
    assert catalogue.programmes
    for programme in catalogue.programmes:
        assert programme.eligible
        assert all(group.operator for group in programme.eligible)


def test_no_offer_without_limit_covers_what_anybody_can_rent(catalogue):
    rented = {"alibaba-cloud", "tencent-cloud", "google-cloud", "alibaba-shared", "google-advertising"}
    for programme in catalogue.programmes:
        if programme.applications == "*":
            assert programme.allowances, programme.name
            assert programme.enrolment == "required", programme.name
        else:
            assert not rented & set(programme.applications)


def test_the_folder_is_the_packages_own():
    assert (builtin_folder() / "apps" / "facebook.toml").is_file()


@pytest.mark.captures
def test_no_complete_list_contradicts_a_real_capture(catalogue, captures):
    complete = {app.name for app in catalogue.applications if app.addresses_complete}
    seen, contradicted = set(), []
    for truth in sorted((captures / "truth").rglob("*.json")):
        found = json.loads(truth.read_text())
        file = str(truth.relative_to(captures / "truth"))[: -len(".json")]
        for kind in ("tls_sni", "quic_sni", "http_host"):
            for entry in found.get(kind) or ():
                rules = explain_name(catalogue, entry["name"])
                if not rules or rules[0].application not in complete or rules[0].anywhere:
                    continue
                seen.add(rules[0].application)
                server = str(ip_address(entry["tuple"][3]))
                listed = {rule.application for rule in explain_address(catalogue, server)}
                if rules[0].application not in listed and file not in ANONYMISED:
                    contradicted.append((file, entry["name"], server))
    assert contradicted == []
    assert seen >= {"facebook", "instagram", "wikipedia"}
