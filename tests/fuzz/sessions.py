"""Frames through a whole session, as `freeflow` would: subscribers bound by RADIUS and DHCP, links, programmes, reports."""

from __future__ import annotations

import json
import tempfile
from dataclasses import replace
from functools import cache
from pathlib import Path

from examples import guarded_batch, unpack
from frames import Sent, batch
from fuzzed import ROOMY, TIGHT
from mutations import PCAPS

from classifier.gateway.plan import Plan, load_plan
from classifier.gateway.session import Session
from classifier.metering.tables import Limits
from classifier.reports.flow_lines import flow_json_lines, flow_table
from classifier.reports.usage_csv import csv_text
from classifier.reports.usage_json import json_text
from classifier.reports.usage_table import usage_table

WIDTH = 80
CONFIGURATION = f"""
[gateway]
timezone = "Asia/Shanghai"
subscriber_networks = ["10.0.0.0/8", "2001:db8::/32", "fe80::/10"]
trusted_resolvers = ["10.0.0.1", "2001:db8:1000::53"]
subscribers = "{PCAPS / "day-in-the-life-subscribers.csv"}"
signatures = ["builtin", "{PCAPS / "day-in-the-life"}"]
[radius]
servers = ["0.0.0.0/0", "::/0"]
[dhcp]
servers = ["0.0.0.0/0", "::/0"]
[bindings]
capacity = 6
"""


@cache
def plan(link: str | None) -> Plan:
    """Of the bundled day, with everybody a server of RADIUS and DHCP; `link`: what binds subscribers to their lines."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "freeflow.toml"
        file.write_text(CONFIGURATION + (f'[link_binding]\nby = "{link}"\n' if link else ""))
        return load_plan(str(file))


def try_session(data: bytes) -> None:
    """Conservation, checked by the report itself; whatever is printed is the same one frame at a time and all at once."""
    frames = unpack(data)
    chosen = len(data) % 8
    limits = Limits(**(TIGHT if chosen & 1 else ROOMY))
    used = replace(plan((None, "mac", "vlan", "teid")[chosen >> 1]), limits=limits)
    assert _printed(frames, 1, 99, used, guarded_batch) == _printed(frames, 4096, 1, used, batch), "the batch shows"


def _printed(frames: list[Sent], batch_frames: int, seed: int, used: Plan, listed) -> list[str]:
    """All that a user would see."""
    session = Session(used, log_flows=True, seed=seed)
    for first in range(0, len(frames), batch_frames):
        session.meter.feed(*listed(frames[first : first + batch_frames]))
    session.meter.finish()
    flows = list(session.ended_flows())
    report = session.report()
    assert report.observed_frames == len(frames)
    assert report.pending.frames == 0
    lines = list(flow_json_lines(flows))
    totals = "".join(json_text(report))
    for text in (*lines, totals):
        json.loads(text)
    tables = [*usage_table(report, WIDTH), *flow_table(flows, WIDTH)]
    shown = [line.text for line in tables]
    assert all(text.isprintable() for text in shown), "a control character would reach the terminal"
    return [*lines, totals, "".join(csv_text(report)), *shown]
