"""Programmes for the tests of rating."""

from __future__ import annotations

from datetime import date

from classifier.catalogue.records import Programme


def programme(**changes) -> Programme:
    """An offer for everyone, without limit, in November 2013; `changes` are its other fields."""
    fields = {
        "name": "free",
        "payer": "alibaba",
        "applications": ("taobao", "alipay"),
        "starts": date(2013, 11, 1),
        "ends": date(2013, 12, 1),
        "rate_percent": 0,
        "allowances": (),
        "bonus": None,
        "eligible": (),
        "enrolment": "automatic",
        "registered_before": None,
        "accept": "claimed",
        "priority": 10,
        "tariff": None,
        "file": "free.toml",
    }
    return Programme(**{**fields, **changes})
