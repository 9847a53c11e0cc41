"""The arrays that kernels read, against the catalogue's files read rule by rule with `ipaddress` and strings."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from classifier.catalogue.compile import compile_catalogue
from classifier.catalogue.load import load_catalogue
from classifier.catalogue.records import Application, Catalogue
from classifier.catalogue.rules import explain_address, explain_name
from classifier.kernels.domains import match_domain
from classifier.kernels.jit import kernel
from classifier.kernels.ranges import locate


@kernel
def look_up_name(lookup, text):
    return match_domain(lookup.domains, text, 0, text.shape[0])


@kernel
def look_up_address(ranges, version, high, low):
    return locate(ranges, version, high, low)


def rule_of(lookup, name):
    return look_up_name(lookup, np.frombuffer(name.encode(), np.uint8))


def row_of(ranges, address):
    number = int(address)
    return look_up_address(ranges, address.version, np.uint64(number >> 64), np.uint64(number & (2**64 - 1)))


def application(name, **fields):
    empty = dict.fromkeys(("domains", "addresses", "shared_addresses", "domains_anywhere", "services"), ())
    rest = {"title": name, "addresses_complete": False, "source": "", "updated": None, "file": f"{name}.toml"}
    return Application(name=name, **{**empty, **rest, **fields})


def nets(*texts):
    return tuple(ip_network(text) for text in texts)


@pytest.fixture(scope="module")
def builtin():
    catalogue = load_catalogue()
    return catalogue, compile_catalogue(catalogue)


def expected_relations(catalogue, address):
    """(owner, {application: relation}) from the rules as accounting 2.5 and the contract word them."""
    listed = [
        (prefix.prefixlen, own, app.name)
        for app in catalogue.applications
        for own, prefixes in ((True, app.addresses), (False, app.shared_addresses))
        for prefix in prefixes
        if address in prefix
    ]
    relations = {name: 1 for _, _, name in listed}
    if not listed:
        return "unknown", relations
    longest, own, name = max(listed)
    if not own:
        return "unknown", relations
    assert [entry for entry in listed if entry[:2] == (longest, True)] == [(longest, True, name)]
    return name, relations | {name: 2}


def check_address(catalogue, lookup, address):
    row = row_of(lookup.ranges, address)
    owner, relations = expected_relations(catalogue, address)
    names = catalogue.application_names
    if row < 0:
        assert not relations
        return
    assert names[lookup.owner[row]] == owner
    assert {names[n]: int(r) for n, r in enumerate(lookup.relation[row]) if r} == relations


def test_every_builtin_prefix_has_its_owner_inside_and_at_its_edges(builtin):
    catalogue, lookup = builtin
    for app in catalogue.applications:
        for prefix in (*app.addresses, *app.shared_addresses):
            kind = type(prefix.network_address)
            first, last = int(prefix.network_address), int(prefix.broadcast_address)
            for number in (first - 1, first, (first + last) // 2, last, last + 1):
                check_address(catalogue, lookup, kind(number))


PREFIX = st.builds(
    lambda number, length: ip_network((number << 24, length), strict=False), st.integers(0, 7), st.integers(4, 10)
)


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(st.sets(PREFIX, max_size=4), st.sets(PREFIX, max_size=4)), min_size=1, max_size=4))
def test_owner_and_relation_follow_the_longest_prefix(lists):
    taken = set()
    apps = []
    for number, (own, shared) in enumerate(lists):
        own = own - taken
        taken |= own
        key = str
        apps.append(
            application(
                f"app-{number}",
                addresses=tuple(sorted(own, key=key)),
                shared_addresses=tuple(sorted(shared - own, key=key)),
            )
        )
    catalogue = Catalogue(tuple(apps), ())
    lookup = compile_catalogue(catalogue)
    for number in range(0, 9 << 24, 1 << 21):
        check_address(catalogue, lookup, IPv4Address(number))
    check_address(catalogue, lookup, IPv6Address(1))


def test_whatsapp_is_found_inside_facebook_and_both_know_the_address(builtin):
    catalogue, lookup = builtin
    row = row_of(lookup.ranges, ip_address("31.13.64.60"))
    number = {name: n for n, name in enumerate(catalogue.application_names)}
    assert lookup.owner[row] == number["whatsapp"]
    assert lookup.relation[row, number["whatsapp"]] == 2
    assert lookup.relation[row, number["facebook"]] == 1
    assert lookup.relation[row, number["wikipedia"]] == 0


@pytest.mark.parametrize("address", ["47.88.1.1", "119.28.1.1", "59.111.160.1", "34.192.181.12", "185.15.56.9"])
def test_a_rented_address_is_evidence_for_nobody(builtin, address):
    _, lookup = builtin
    row = row_of(lookup.ranges, ip_address(address))
    assert row >= 0
    assert lookup.owner[row] == 0
    assert not (lookup.relation[row] == 2).any()


@pytest.mark.parametrize(
    ("name", "owner", "anywhere"),
    [
        ("www.facebook.com", "facebook", False),
        ("0.facebook.com", "facebook", False),
        ("edge-mqtt.facebook.com", "messenger", False),
        ("scontent.fblr1-3.fna.fbcdn.net", "facebook", True),
        ("instagram.fblr1-3.fna.fbcdn.net", "instagram", True),
        ("igcdn-photos-a-a.akamaihd.net", "instagram", True),
        ("media.fmct2-1.fna.whatsapp.net", "whatsapp", True),
        ("short.weixin.qq.com", "wechat", False),
        ("res.wx.qq.com", "wechat", False),
        ("mmsns.qpic.cn", "wechat", False),
        ("v.qq.com", "tencent-video", False),
        ("im.qq.com", "qq", False),
        ("mp.servicewechat.com", "wechat-mini-programs", False),
        ("g.alicdn.com", "alibaba-shared", False),
        ("tenant.oss-cn-hangzhou.aliyuncs.com", "alibaba-cloud", False),
        ("r1---sn-hju7enel.googlevideo.com", "youtube", True),
        ("tenant.storage.googleapis.com", "google-cloud", False),
        ("www.googleapis.com", "google", False),
        ("m.taobao.com", "taobao", False),
        ("notfacebook.com", "unknown", False),
        ("wikipedia.attacker.net", "unknown", False),
        ("www.facebook.com.attacker.net", "unknown", False),
    ],
)
def test_the_traps_among_the_builtin_names(builtin, name, owner, anywhere):
    catalogue, lookup = builtin
    rule = rule_of(lookup, name)
    found = catalogue.application_names[lookup.rule_application[rule]] if rule >= 0 else "unknown"
    assert found == owner
    assert rule < 0 or bool(lookup.rule_anywhere[rule]) == anywhere


def test_a_name_is_explained_by_the_rule_that_the_kernel_takes(builtin):
    catalogue, lookup = builtin
    for app in catalogue.applications:
        for text in (*app.domains, *app.domains_anywhere):
            for name in (text.lstrip("=").replace("*", "q1"), "x." + text.lstrip("=").replace("*", "q1")):
                rules = explain_name(catalogue, name.upper() + ".")
                rule = rule_of(lookup, name)
                assert (rule >= 0) == bool(rules), name
                if rules:
                    assert catalogue.application_names[lookup.rule_application[rule]] == rules[0].application
                    assert rules[0].file.endswith(f"{rules[0].application}.toml")


def test_an_address_is_explained_longest_first(builtin):
    catalogue, _ = builtin
    rules = explain_address(catalogue, "31.13.64.60")
    assert (rules[0].application, rules[0].own, str(rules[0].prefix)) == ("whatsapp", True, "31.13.64.60/31")
    assert [rule.prefix.prefixlen for rule in rules] == sorted((rule.prefix.prefixlen for rule in rules), reverse=True)
    assert explain_address(catalogue, "2001:db8::1") == ()
    with pytest.raises(ValueError):
        explain_address(catalogue, "facebook.com")


def test_a_wider_anywhere_frees_the_longer_rules_of_the_same_application():
    app = application("a", domains=("x.example", "b.c.x.example"), domains_anywhere=("c.x.example",))
    lookup = compile_catalogue(Catalogue((app,), ()))
    answers = {
        name: int(lookup.rule_anywhere[rule_of(lookup, name)]) for name in ("x.example", "c.x.example", "b.c.x.example")
    }
    assert answers == {"x.example": 0, "c.x.example": 1, "b.c.x.example": 1}


def test_services_and_completeness_are_by_number(builtin):
    catalogue, lookup = builtin
    names = catalogue.application_names
    assert names[lookup.service_application[0, 53]] == names[lookup.service_application[1, 53]] == "dns"
    assert names[lookup.service_application[1, 123]] == "ntp"
    assert np.count_nonzero(lookup.service_application) == 3
    complete = {names[n] for n in np.flatnonzero(lookup.complete)}
    assert complete == {"facebook", "instagram", "messenger", "whatsapp", "wikipedia"}


def test_trusted_resolvers_are_addresses_or_prefixes():
    trusted = compile_catalogue(Catalogue((), ()), ["10.0.0.1", ip_network("2001:db8::/64")]).trusted
    for text, answer in (("10.0.0.1", 0), ("10.0.0.2", -1), ("2001:db8::53", 0), ("2001:db8:0:1::53", -1)):
        assert row_of(trusted, ip_address(text)) == answer


def test_an_empty_catalogue_knows_nothing():
    lookup = compile_catalogue(Catalogue((), ()))
    assert rule_of(lookup, "www.facebook.com") == -1
    assert row_of(lookup.ranges, ip_address("157.240.1.35")) == -1
    assert row_of(lookup.trusted, ip_address("157.240.1.35")) == -1


def test_the_same_catalogue_gives_the_same_arrays(builtin):
    catalogue, lookup = builtin
    again = compile_catalogue(load_catalogue())
    flat = [*lookup.domains, lookup.rule_application, *lookup.ranges, lookup.owner, lookup.relation]
    twice = [*again.domains, again.rule_application, *again.ranges, again.owner, again.relation]
    assert all(np.array_equal(one, other) for one, other in zip(flat, twice, strict=True))
    assert len(catalogue.application_names) == lookup.relation.shape[1]
