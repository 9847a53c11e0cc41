"""Before, during and after: whole days, whole weeks, equal lengths, and what is left out."""

from __future__ import annotations

from datetime import date

import pytest

from classifier.campaigns.windows import Window, equal_windows


def day(text: str) -> date:
    return date.fromisoformat(f"2013-{text}")


def at(text: str) -> Window:
    """A start or end at midnight."""
    return Window(day(text), day(text))


def told(windows) -> dict[str, tuple[str, str]]:
    return {name: (f"{one.first:%m-%d}", f"{one.end:%m-%d}") for name, one in windows.equal.items()}


LEDGER = Window(day("09-01"), day("12-31"))


def test_windows_are_the_whole_weeks_that_all_three_have_and_lie_side_by_side():
    # September has 30 days before, the offer 31, 60 days are left: four weeks.
    windows = equal_windows(at("10-01"), at("11-01"), LEDGER)
    assert told(windows) == {"before": ("09-03", "10-01"), "during": ("10-04", "11-01"), "after": ("11-01", "11-29")}
    assert (windows.campaign.days, windows.past.days, windows.future.days) == (31, 30, 60)


def test_an_offer_shorter_than_a_week_is_compared_by_its_days():
    windows = equal_windows(at("11-11"), at("11-12"), LEDGER)
    assert told(windows) == {"before": ("11-10", "11-11"), "during": ("11-11", "11-12"), "after": ("11-12", "11-13")}


def test_a_day_that_is_only_partly_the_offers_belongs_to_no_window():
    windows = equal_windows(Window(day("10-01"), day("10-02")), Window(day("11-01"), day("11-02")), LEDGER)
    assert told(windows) == {"before": ("09-03", "10-01"), "during": ("10-04", "11-01"), "after": ("11-02", "11-30")}


def test_a_side_with_less_than_a_week_is_left_out_and_shortens_nothing():
    windows = equal_windows(at("09-06"), at("10-06"), LEDGER)
    assert told(windows) == {"during": ("09-08", "10-06"), "after": ("10-06", "11-03")}


def test_an_offer_that_still_runs_has_no_after_and_its_latest_weeks_are_during():
    windows = equal_windows(at("12-01"), None, LEDGER)
    assert told(windows) == {"before": ("11-03", "12-01"), "during": ("12-03", "12-31")}
    assert equal_windows(at("12-01"), Window(date(2014, 3, 1), date(2014, 3, 1)), LEDGER) == windows


@pytest.mark.parametrize(("starts", "ends"), [("08-01", "09-01"), ("12-31", None)])
def test_an_offer_of_which_the_ledger_has_no_day_has_no_windows(starts, ends):
    assert equal_windows(at(starts), ends and at(ends), LEDGER) is None
