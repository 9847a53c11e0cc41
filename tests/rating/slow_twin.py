"""Accounting 3 once more, slowly: dictionaries and fractions, a row at a time, days found by walking the calendar.

Rule of this file: nothing of `classifier.rating` is used.
"""

from __future__ import annotations

from calendar import monthrange
from collections import defaultdict
from datetime import UTC, date, datetime, timedelta
from fractions import Fraction

ACCEPTED = {"claimed": ("verified", "address", "claimed"), "verified": ("verified", "address")}


def local(at_ns, zone):
    return datetime.fromtimestamp(at_ns // 10**9, UTC).astimezone(zone)


def month_of(day, starts_on):
    """The first day of the month that holds this day: back a day at a time."""
    while day.day != min(starts_on, monthrange(day.year, day.month)[1]):
        day -= timedelta(days=1)
    return day


def period_of(per, at_ns, zone, starts_on):
    day = local(at_ns, zone).date()
    return {"once": "once", "day": day, "month": month_of(day, starts_on)}[per]


def has_begun(edge, at_ns, zone):
    """Whether a date or an instant is past: dates by comparing local dates, never by midnights."""
    if isinstance(edge, datetime):
        return Fraction(at_ns, 10**9) >= Fraction(int(edge.timestamp()))
    return local(at_ns, zone).date() >= edge


def applies(programme, application, evidence, at_ns, subscriber, zone):
    if programme.applications != "*":
        if application not in programme.applications or evidence not in ACCEPTED[programme.accept]:
            return False
    if not has_begun(programme.starts, at_ns, zone):
        return False
    if programme.ends is not None and has_begun(programme.ends, at_ns, zone):
        return False
    if programme.eligible:
        if subscriber is None:
            return False
        mine = (subscriber.operator, subscriber.province, subscriber.plan)
        wanted = [(group.operator, group.province, group.plan) for group in programme.eligible]
        if not any(all(w in (None, m) for w, m in zip(group, mine, strict=True)) for group in wanted):
            return False
    if programme.enrolment == "required":
        days = [day for name, day in (subscriber.enrolled if subscriber else ()) if name == programme.name]
        if not days or not has_begun(days[0], at_ns, zone):
            return False
        if programme.registered_before and days[0] >= programme.registered_before:
            return False
    return True


def grants(programme, at_ns, subscriber, zone, starts_on):
    """(name of the allowance, octets) in order; None: as much as is used."""
    if not programme.allowances:
        return None
    found = [
        ((place, period_of(one.per, at_ns, zone, starts_on)), one.octets)
        for place, one in enumerate(programme.allowances)
    ]
    bonus = programme.bonus
    if bonus and subscriber:
        since = subscriber.joined if bonus.since == "joined" else dict(subscriber.enrolled).get(programme.name)
        if since and (not bonus.before or since < bonus.before) and has_begun(since, at_ns, zone):
            months, first, now = 1, month_of(since, starts_on), period_of("month", at_ns, zone, starts_on)
            while first < now:
                first = month_of(
                    first + timedelta(days=31 if monthrange(first.year, first.month)[1] == 31 else 32), starts_on
                )
                months += 1
            if months <= bonus.months:
                found.append((("bonus", now), bonus.octets))
    return found


def rate(rows, programmes, zone, starts_on=1):
    """Rows (at_ns, number, application, evidence, standing, octets, subscriber) in the order in which they happened.

    Octets by (number, payer of them: a programme's name, or None for the subscriber); and the allowances used.
    """
    never = date(9999, 12, 31)
    in_order = sorted(programmes, key=lambda one: (one.priority, _edge(one.ends or never, zone), one.name))
    totals, used = defaultdict(int), defaultdict(int)
    for at_ns, number, application, evidence, standing, octets, subscriber in rows:
        for programme in in_order if standing == "taken_part" else ():
            if not applies(programme, application, evidence, at_ns, subscriber, zone):
                continue
            limits = grants(programme, at_ns, subscriber, zone, starts_on)
            for name, given in limits if limits is not None else [(None, octets)]:
                key = (number, programme.name, name)
                taken = octets if name is None else min(octets, given - used[key])
                if name is not None:
                    used[key] += taken
                totals[number, programme.name] += taken
                octets -= taken
        totals[number, None] += octets
    return {key: octets for key, octets in totals.items() if octets}, {key: v for key, v in used.items() if v}


def _edge(edge, zone):
    return (
        edge if isinstance(edge, datetime) else datetime(edge.year, edge.month, edge.day, tzinfo=zone).astimezone(UTC)
    )
