"""`freeflow campaign`: small ledgers whose figures are worked out by hand, the three forms, and mistakes."""

from __future__ import annotations

import json
import math
from datetime import date, datetime
from html.parser import HTMLParser
from itertools import pairwise

import pytest
from command import mistakes, run
from ledgers import RUN, Used, at_ns, make_ledger

from classifier.catalogue.records import Eligibility, Programme
from classifier.catalogue.terms import terms_text
from classifier.ledger.entries import Attributes

LAB = RUN._replace(programmes=())
PARTNER = Attributes("partner", "", "", None, ())
ELSEWHERE = Attributes("elsewhere", "", "", None, ())


def offer(**changes) -> tuple:
    """(name, payer, terms): Facebook free for two days for the partner's subscribers."""
    fields = {
        "name": "zero", "payer": "operator", "applications": ("facebook",), "starts": date(2013, 11, 3),
        "ends": date(2013, 11, 5), "rate_percent": 0, "allowances": (), "bonus": None,
        "eligible": (Eligibility("partner", None, None),), "enrolment": "automatic", "registered_before": None,
        "accept": "claimed", "priority": 10, "tariff": None, "file": "",
    }  # fmt: skip
    programme = Programme(**{**fields, **changes})
    return programme.name, programme.payer, terms_text(programme)


def six_days(path, terms=None, more=()):
    """Lin and Mei may have the offer, Wu and Xu may not; days are the first six of November 2013.

    Lin uses Facebook on days 1, 3, 4 and 5, Mei on days 3 and 6, Wu on all six; 200 octets on the days of the offer if it is
    theirs, else 100. Everyone has 1,000 octets of YouTube each day.
    """
    terms = terms or offer()
    uses = {"lin": (PARTNER, (1, 3, 4, 5)), "mei": (PARTNER, (3, 6)), "wu": (ELSEWHERE, (1, 2, 3, 4, 5, 6))}
    hours = []
    for day in range(1, 7):
        rows = [
            Used(name, "youtube", 100, 900, attributes=attributes)
            for name, attributes in (("lin", PARTNER), ("mei", PARTNER), ("wu", ELSEWHERE), ("xu", ELSEWHERE))
        ]
        for name, (attributes, days) in uses.items():
            if day in days:
                free = attributes is PARTNER and day in (3, 4)
                octets = 200 if free else 100
                reason = None if free else "outside_window"
                rows.append(Used(name, "facebook", 10, octets - 10, reason, terms, attributes))
        hours.append((at_ns(2013, 11, day), [*rows, *(row for of_day, row in more if of_day == day)]))
    return make_ledger(path, hours, LAB._replace(programmes=(terms,)))


@pytest.fixture
def ledger(tmp_path):
    return six_days(tmp_path / "usage.db")


def answer(capfd, ledger, name: str = "zero") -> dict:
    ran = run(capfd, "campaign", ledger, name, "--json")
    assert (ran.status, ran.err) == (0, "")
    return json.loads(ran.out)


def values(figures: dict) -> list[float]:
    return [figures[name]["value"] for name in ("active_a_day", "octets_per_active", "share")]


def test_the_windows_are_two_days_each(capfd, ledger):
    windows = answer(capfd, ledger)["windows"]
    told = {name: (one["first"], one["last"], one["days_with_usage"]) for name, one in windows.items()}
    assert told == {
        "before": ("2013-11-01", "2013-11-02", 2),
        "during": ("2013-11-03", "2013-11-04", 2),
        "after": ("2013-11-05", "2013-11-06", 2),
    }


def test_activity_octets_and_share_are_those_of_the_eligible_in_each_window(capfd, ledger):
    group = answer(capfd, ledger)["eligible"]
    assert group["subscribers"] == 2
    # Before: Lin on one of two days, 100 octets of 4,100. During: three days of use, 600 octets of 4,600. After: two, 200 of
    # 4,200.
    assert values(group["windows"]["before"]) == pytest.approx([0.5, 100, 100 / 4100], rel=1e-5)
    assert values(group["windows"]["during"]) == pytest.approx([1.5, 200, 600 / 4600], rel=1e-5)
    assert values(group["windows"]["after"]) == pytest.approx([1.0, 100, 200 / 4200], rel=1e-5)
    assert values(group["changes"]["during"]) == pytest.approx([3, 2, 6 * 4100 / 4600], rel=1e-5)


def test_an_interval_comes_from_how_the_subscribers_differ(capfd, ledger):
    # During it Lin is active on 2 days and Mei on 1: parts 2/3 and 1/3 of the total, whose variance is 2 (1/6)^2 = 1/18. The
    # logarithm of the total of two subscribers has twice that, so a standard deviation of 1/3.
    found = answer(capfd, ledger)["eligible"]["windows"]["during"]["active_a_day"]
    factor = math.exp(1.959964 / 3)
    assert (found["low"], found["high"]) == pytest.approx((1.5 / factor, 1.5 * factor), rel=1e-5)


def test_those_who_could_not_have_it_are_the_comparison_and_the_effect_is_beyond_theirs(capfd, tmp_path):
    path = six_days(tmp_path / "usage.db", more=[(2, Used("xu", "facebook", 0, 100, attributes=ELSEWHERE))])
    found = answer(capfd, path)
    # Wu on two days and Xu on one before, Wu on two during: 2/3. The eligible went to 3 times; 3 by 2/3 is 4.5.
    assert found["not_eligible"]["changes"]["during"]["active_a_day"]["value"] == pytest.approx(2 / 3, rel=1e-5)
    assert found["effects"]["during"]["active_a_day"]["value"] == pytest.approx(4.5, rel=1e-5)


def test_users_won_are_those_who_were_never_active_before_it(capfd, ledger):
    found = answer(capfd, ledger)
    # Mei, who came back on day 6. Wu was there before, Xu never came.
    assert (found["eligible"]["won"]["users"], found["eligible"]["won"]["active_since"]["value"]) == (1, 1.0)
    assert (found["not_eligible"]["won"]["users"], found["not_eligible"]["won"]["active_since"]["value"]) == (0, None)


def test_weeks_after_it_are_counted_one_by_one_and_one_that_lacks_a_day_is_left_out(capfd, tmp_path):
    terms = offer(starts=date(2013, 11, 8), ends=date(2013, 11, 15))
    hours = []
    for number in range(35):
        day = 1 + number
        moment = at_ns(2013, 11, day) if day <= 30 else at_ns(2013, 12, day - 30)
        rows = [Used("lin", "youtube", 1, 1, attributes=PARTNER), Used("wu", "facebook", 1, 1, attributes=ELSEWHERE)]
        # Mei begins on the 8th and is last seen on the 20th, Tan begins on the 9th and is seen on the 30th.
        rows += [Used("mei", "facebook", 5, 5, attributes=PARTNER)] * (day in (8, 20))
        rows += [Used("tan", "facebook", 5, 5, attributes=PARTNER)] * (day in (9, 30))
        if day != 25:
            hours.append((moment, rows))
    path = make_ledger(tmp_path / "usage.db", hours, LAB._replace(programmes=(terms,)))
    won = answer(capfd, path)["eligible"]["won"]
    # Weeks from the 15th: Mei; from the 22nd: without the 25th; from the 29th: Tan.
    assert (won["users"], won["active_since"]["value"]) == (2, 1.0)
    assert [(week["first"], week["active"]["value"]) for week in won["weeks"]] == [
        ("2013-11-15", 0.5),
        ("2013-11-29", 0.5),
    ]


def test_contradicted_traffic_is_not_the_applications(capfd, tmp_path):
    more = [(2, Used("mei", "facebook", 0, 9_000, "contradicted", attributes=PARTNER, evidence="contradicted"))]
    found = answer(capfd, six_days(tmp_path / "usage.db", more=more))["eligible"]
    assert found["windows"]["before"]["active_a_day"]["value"] == 0.5
    assert found["won"]["users"] == 1


def test_an_offer_that_began_in_the_middle_of_a_day_leaves_that_day_out(capfd, tmp_path):
    noon = datetime.fromisoformat("2013-11-03T12:00:00+00:00")
    windows = answer(capfd, six_days(tmp_path / "usage.db", offer(starts=noon)))["windows"]
    assert {name: (one["first"], one["last"]) for name, one in windows.items()} == {
        "before": ("2013-11-02", "2013-11-02"),
        "during": ("2013-11-04", "2013-11-04"),
        "after": ("2013-11-05", "2013-11-05"),
    }


def test_of_an_offer_that_has_no_end_and_is_for_everyone_it_says_what_is_not_known(capfd, tmp_path):
    path = six_days(tmp_path / "usage.db", offer(ends=None, eligible=()))
    page = " ".join(run(capfd, "campaign", path, "zero").out.split())
    assert "the offer has no end: nothing is known of afterwards" in page
    assert "everyone could have the offer" in page
    assert "effect" not in page.split("Eligible is")[0]
    assert run(capfd, "campaign", path, "zero", "--html").status == 0


def test_who_signed_up_is_told_and_does_not_make_the_groups(capfd, tmp_path):
    path = six_days(tmp_path / "usage.db", offer(enrolment="required"))
    found = answer(capfd, path)
    assert (found["enrolled"], found["eligible"]["subscribers"]) == (0, 2)


def test_the_page_has_each_figure_with_its_interval_and_a_bar(capfd, ledger):
    lines = [" ".join(line.split()) for line in run(capfd, "campaign", ledger, "zero").out.splitlines()]
    # exp(1.959964 / 3) is 1.9220: 1.5 is from 0.78 to 2.88.
    (during,) = [line for line in lines if line.startswith("during 1.5 ")]
    assert during.startswith("during 1.5 0.8 to 2.9 +200.0 %")
    # It is the largest, so all seven columns; 0.5 a day before it is a third of them, 18.67 eighths.
    assert during.endswith(" ███████")
    assert any(line.startswith("eligible before 0.5 ") and line.endswith(" ██▍") for line in lines)
    assert max(map(len, lines)) <= 80


class Page(HTMLParser):
    """Tags with their attributes, and the text of an HTML file; what is open at the end."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict]] = []
        self.open: list[str] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        if tag != "meta":
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data


def test_the_html_file_is_whole_in_itself_and_has_a_plot_for_each_question(capfd, ledger, tmp_path):
    ran = run(capfd, "campaign", ledger, "zero", "--html", "-o", tmp_path / "zero.html")
    assert (ran.status, ran.out) == (0, "")
    page = Page((tmp_path / "zero.html").read_text(encoding="utf-8"))
    assert page.open == []
    tags = [tag for tag, _ in page.tags]
    assert not {"script", "link", "img", "iframe", "object"} & set(tags)
    named = {key: value for _, attributes in page.tags for key, value in attributes.items()}
    assert not {"src", "href", "onload"} & set(named)
    assert "url(" not in page.text
    assert "@import" not in page.text
    assert tags.count("svg") == 3  # a plot of weeks needs a week after the offer
    assert "+200.0 %" in page.text


def test_a_line_is_drawn_where_the_figures_are(capfd, ledger):
    page = Page(run(capfd, "campaign", ledger, "zero", "--html").out)
    eligible = next(one for tag, one in page.tags if tag == "polyline" and one["class"] == "eligible")
    points = [tuple(map(float, point.split(","))) for point in eligible["points"].split()]
    # Active on days 1 to 6: 1, 0, 2, 1, 1, 1; the higher the figure, the smaller y, and equal ones at the same height.
    heights = [y for _, y in points]
    assert heights[0] == heights[3] == heights[4] == heights[5]
    assert heights[2] < heights[0] < heights[1]
    assert heights[1] - heights[0] == pytest.approx(heights[0] - heights[2], abs=0.2)
    steps = {round(right - left, 1) for (left, _), (right, _) in pairwise(points)}
    assert max(steps) - min(steps) <= 0.2


def test_a_name_from_the_ledger_cannot_write_html(capfd, tmp_path):
    terms = offer(payer="<script>alert(1)</script>")
    assert "<script" not in run(capfd, "campaign", six_days(tmp_path / "usage.db", terms), "zero", "--html").out


@pytest.mark.parametrize(
    ("terms", "name", "told"),
    [
        (offer(), "zeroo", 'has no programme "zeroo"; did you mean "zero"?'),
        (
            offer(starts=date(2014, 1, 1), ends=None),
            "zero",
            "no whole day of zero, which runs from 2014-01-01; its usage is",
        ),
        (offer(eligible=(Eligibility("nobody", None, None),)), "zero", "none of its subscribers is eligible for zero"),
    ],
)
def test_a_mistake_is_one_line_that_says_how_to_mend_it(capfd, tmp_path, terms, name, told):
    (line,) = mistakes(run(capfd, "campaign", six_days(tmp_path / "usage.db", terms), name))
    assert told in line


def test_an_empty_ledger_has_nothing_to_compare(capfd, tmp_path):
    path = make_ledger(tmp_path / "usage.db", [], LAB._replace(programmes=(offer(),)))
    (line,) = mistakes(run(capfd, "campaign", path, "zero"))
    assert "holds no usage yet" in line
