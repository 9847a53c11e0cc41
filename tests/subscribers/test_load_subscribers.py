"""The subscriber file: what a row means, and every mistake with its line."""

from __future__ import annotations

from datetime import date
from ipaddress import ip_network

import pytest

from classifier.errors import ConfigurationError
from classifier.subscribers.load import load_subscribers

HEADER = "subscriber,address,operator,province,plan,joined,enrolled\n"


def load(tmp_path, text, encoding="utf-8"):
    path = tmp_path / "subscribers.csv"
    path.write_bytes(text.encode(encoding))
    return load_subscribers(path)


def problems(tmp_path, text):
    with pytest.raises(ConfigurationError) as refused:
        load(tmp_path, text)
    path = tmp_path / "subscribers.csv"
    assert all(problem.startswith(f"{path}:") and "\n" not in problem for problem in refused.value.problems)
    return [problem.removeprefix(f"{path}:") for problem in refused.value.problems]


def test_a_subscriber_has_a_row_for_each_address(tmp_path):
    first, second = load(
        tmp_path,
        HEADER
        + "anna,10.0.0.7,china-unicom,guangdong,wechat-66,2013-08-08,alibaba-free-flow=2013-11-05;yixin=2013-08-19\n"
        + "ben,10.0.1.0/24,china-mobile,,,,\n\n"
        + "anna,2001:db8:1::/64,china-unicom,guangdong,wechat-66,2013-08-08,"
        + "alibaba-free-flow=2013-11-05;yixin=2013-08-19\n",
    )
    assert first.name == "anna"
    assert first.addresses == (ip_network("10.0.0.7/32"), ip_network("2001:db8:1::/64"))
    assert first.joined == date(2013, 8, 8)
    assert first.enrolled == (("alibaba-free-flow", date(2013, 11, 5)), ("yixin", date(2013, 8, 19)))
    assert (second.operator, second.province, second.joined, second.enrolled) == ("china-mobile", "", None, ())


def test_a_row_needs_no_address_where_radius_or_dhcp_tells_it(tmp_path):
    path = tmp_path / "subscribers.csv"
    path.write_text(HEADER + "460001234567890,,china-mobile,,,,\nben,10.0.0.8,,,,,\nben,,,,,,\n")
    first, second = load_subscribers(path, bound=True)
    assert (first.name, first.addresses, first.operator) == ("460001234567890", (), "china-mobile")
    assert second.addresses == (ip_network("10.0.0.8/32"),)


def test_columns_may_stand_in_any_order_and_a_byte_order_mark_is_no_column(tmp_path):
    (one,) = load(tmp_path, "address, operator, subscriber\r\n10.0.0.7, x, anna\r\n", "utf-8-sig")
    assert (one.name, one.operator, one.plan) == ("anna", "x", "")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "1: no header; begin with subscriber,address"),
        ("anna,10.0.0.7,x,,,,\n", "1: no header"),
        ("subscriber,adress\n", "1: address: column is missing"),
        ("subscriber,adress\n", '1: adress: unknown column; did you mean "address"?'),
        ("subscriber,address,address\n", "1: address: column stands there twice"),
        (HEADER + "anna,10.0.0.7,x\n", "2: 3 columns where the header has 7"),
        (HEADER + ",10.0.0.7,,,,,\n", "2: subscriber: is empty"),
        (HEADER + "anna,,,,,,\n", "2: address: is empty; write one, or configure [radius] or [dhcp]"),
        (HEADER + "anna,10.0.0.7/24,,,,,\n", '2: address: "10.0.0.7/24" has host bits set; write "10.0.0.0/24"'),
        (HEADER + "anna,fe80::1%eth0,,,,,\n", "2: address: "),
        (HEADER + "anna,10.0.0.7,,,,,\nben,10.0.0.7/32,,,,,\n", "3: address: 10.0.0.7/32 is given on line 2 too"),
        (HEADER + "anna,10.0.0.7,,,,,\nanna,10.0.0.7,,,,,\n", "3: address: 10.0.0.7 is given on line 2 too"),
        (HEADER + "anna,10.0.0.7,x,,,,\nanna,10.0.0.8,y,,,,\n", '3: operator: "anna" has another on line 2'),
        (HEADER + "anna,10.0.0.7,,,,1.8.2013,\n", '2: joined: "1.8.2013" is not a date'),
        (HEADER + "anna,10.0.0.7,,,,,yixin\n", '2: enrolled: "yixin" is not programme=date'),
        (HEADER + "anna,10.0.0.7,,,,,yixin=today\n", '2: enrolled: "today" is not a date'),
        (HEADER + "anna,10.0.0.7,,,,,y=2013-01-01;y=2013-01-02\n", '2: enrolled: "y" stands there twice'),
        (HEADER + 'anna,"10.0.0.7,,,,,\n', "2: not CSV"),
    ],
)
def test_a_mistake_is_told_with_its_line(tmp_path, text, told):
    assert any(problem.startswith(told) for problem in problems(tmp_path, text))


def test_all_mistakes_are_told_in_one_pass(tmp_path):
    rows = "anna,10.0.0.1/8,,,,x,\nben,10.0.0.2,a,,,,\nben,10.0.0.2,b,,,,\n"
    assert [problem.split(":")[0] for problem in problems(tmp_path, HEADER + rows)] == ["2", "2", "4", "4"]


def test_a_missing_file_and_one_that_is_not_utf_8_are_named(tmp_path):
    with pytest.raises(ConfigurationError, match="no such file"):
        load_subscribers(tmp_path / "none.csv")
    with pytest.raises(ConfigurationError, match="cannot be read"):
        load_subscribers(tmp_path)
    (tmp_path / "latin.csv").write_bytes(b"subscriber,address\nJos\xe9,10.0.0.1\n")
    with pytest.raises(ConfigurationError, match="octet 23 is not UTF-8"):
        load_subscribers(tmp_path / "latin.csv")


def test_a_subscriber_may_be_barred(tmp_path):
    header = "subscriber,address,state\n"
    found = load(tmp_path, header + "anna,10.0.0.7,barred\nben,10.0.0.8,active\nchen,10.0.0.9,\n")
    assert [(one.name, one.state) for one in found] == [("anna", "barred"), ("ben", "active"), ("chen", "active")]
    assert load(tmp_path, HEADER + "anna,10.0.0.7,,,,,\n")[0].state == "active"
    (told,) = problems(tmp_path, header + "anna,10.0.0.7,off\n")
    assert told.startswith('2: state: "off" is neither active nor barred')
    (told,) = problems(tmp_path, header + "anna,10.0.0.7,barred\nanna,10.0.0.8,active\n")
    assert told.startswith('3: state: "anna" has another on line 2')
