"""`freeflow signatures`: what it prints is what the files say, and a lookup names the rule."""

from __future__ import annotations

import json
import tomllib

import pytest
from command import run

from classifier.catalogue.folders import builtin_folder

FILES = {
    file.stem: tomllib.loads(file.read_text("utf-8")) for file in sorted((builtin_folder() / "apps").glob("*.toml"))
}
PROGRAMMES = len(list((builtin_folder() / "programmes").glob("*.toml")))


def answer(capfd, *arguments):
    ran = run(capfd, "signatures", *arguments, "--json")
    assert (ran.status, ran.err) == (0, "")
    return json.loads(ran.out)


def test_check_says_how_much_it_checked(capfd):
    ran = run(capfd, "signatures", "check")
    assert ran.status == 0
    assert ran.out == f"{len(FILES)} applications, {PROGRAMMES} programmes: no mistakes\n"


def test_check_takes_folders_on_top_of_the_configured_ones(capfd, tmp_path):
    (tmp_path / "apps").mkdir()
    (tmp_path / "apps" / "mine.toml").write_text('name = "mine"\ndomains = ["mine.example"]\n')
    assert f"{len(FILES) + 1} applications" in run(capfd, "signatures", "check", tmp_path).out


def test_list_counts_what_the_files_hold(capfd):
    listed = {entry["name"]: entry for entry in answer(capfd, "list")["applications"]}
    assert list(listed) == sorted(FILES)
    for name, content in FILES.items():
        assert listed[name]["addresses"] == len(content.get("addresses", ()))
        assert listed[name]["updated"] == content["updated"].isoformat()
    shown = run(capfd, "signatures", "list").out
    assert all(any(line.startswith(name) for line in shown.splitlines()) for name in FILES)
    assert max(map(len, shown.splitlines())) <= 80


@pytest.mark.parametrize("name", ["facebook", "dns", "wechat"])
def test_show_prints_everything_the_file_holds(capfd, name):
    content = FILES[name]
    page = answer(capfd, "show", name)
    assert {key: page[key] for key in content if key != "updated"} == {
        key: value for key, value in content.items() if key != "updated"
    }
    shown = run(capfd, "signatures", "show", name).out
    assert f"apps/{name}.toml" in shown
    for key in ("domains", "domains_anywhere", "addresses", "shared_addresses", "services"):
        assert all(value in shown for value in content.get(key, ()))


@pytest.mark.parametrize(
    ("sought", "application", "rule"),
    [
        ("m.facebook.com", "facebook", "facebook.com"),
        ("M.Facebook.COM.:443", "facebook", "facebook.com"),
        ("v.qq.com", "tencent-video", "v.qq.com"),
        ("157.240.1.35", "facebook", "157.240.0.0/17"),
        ("2a03:2880:f10c:83:face:b00c:0:25de", "facebook", "2a03:2880::/32"),
    ],
)
def test_lookup_names_the_application_the_rule_and_the_file(capfd, sought, application, rule):
    found = answer(capfd, "lookup", sought)
    assert found["application"] == application
    assert rule in (found["rule"].get("domain"), found["rule"].get("prefix"))
    line = run(capfd, "signatures", "lookup", sought).out
    assert f"{application}: {rule}" in line
    assert f"apps/{application}.toml" in line


def test_lookup_lists_the_rules_that_lose(capfd):
    assert [rule["application"] for rule in answer(capfd, "lookup", "v.qq.com")["others"]] == ["qq"]
    assert "instagram" in {rule["application"] for rule in answer(capfd, "lookup", "157.240.1.35")["others"]}


def test_an_address_that_is_only_shared_belongs_to_nobody(capfd):
    (prefix, *_) = FILES["netease"]["shared_addresses"]
    found = answer(capfd, "lookup", prefix.partition("/")[0])
    assert found["application"] is None
    assert found["rule"]["own"] is False
    assert "never evidence alone" in run(capfd, "signatures", "lookup", prefix.partition("/")[0]).out


@pytest.mark.parametrize("sought", ["notfacebook.com", "facebook.com.evil.example", "192.0.2.1", "2001:db8::1"])
def test_what_nobody_knows_is_unknown_and_no_error(capfd, sought):
    found = answer(capfd, "lookup", sought)
    assert (found["application"], found["rule"], found["others"]) == (None, None, [])
    ran = run(capfd, "signatures", "lookup", sought)
    assert (ran.status, ran.err) == (0, "")
    assert "unknown" in ran.out
