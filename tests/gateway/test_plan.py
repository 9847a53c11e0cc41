"""What a run is told before its first frame."""

from __future__ import annotations

import pytest

from classifier.errors import ConfigurationError
from classifier.gateway.plan import load_plan
from classifier.gateway.session import Session

CSV = "subscriber,address,operator\n460001234567890,,china-mobile\n"


def write(tmp_path, text):
    (tmp_path / "subscribers.csv").write_text(CSV)
    path = tmp_path / "freeflow.toml"
    path.write_text('[gateway]\nsubscribers = "subscribers.csv"\n' + text)
    return str(path)


def test_a_subscriber_without_an_address_needs_somebody_who_tells_it(tmp_path):
    with pytest.raises(ConfigurationError, match=r"subscribers\.csv:2: address: is empty"):
        load_plan(write(tmp_path, ""))
    plan = load_plan(write(tmp_path, "[radius]\nservers = ['10.0.0.2']\n"))
    assert [(one.name, one.addresses) for one in plan.subscribers] == [("460001234567890", ())]


def test_sections_that_are_not_heeded_yet_are_told(tmp_path):
    path = write(tmp_path, "[radius]\nservers = ['10.0.0.2']\n[link_binding]\nby = 'mac'\n")
    told = [notice for notice in load_plan(path).notices if notice.startswith("[")]
    assert told == [f"[{name}] is read, but not heeded in this version" for name in ("radius", "link_binding")]


def test_the_grace_of_dns_answers_reaches_the_meter(tmp_path):
    path = tmp_path / "freeflow.toml"
    path.write_text("[gateway]\ndns_grace_seconds = 17\ntrusted_resolvers = ['10.0.0.1']\n")
    session = Session(load_plan(str(path)))
    state = session.meter._tables.state[0]
    assert (state.dns_grace_ns, state.resolvers_trusted) == (17 * 10**9, 1)
    assert Session(load_plan(None)).meter._tables.state[0].resolvers_trusted == 0
