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


def test_the_grace_of_dns_answers_reaches_the_meter(tmp_path):
    path = tmp_path / "freeflow.toml"
    path.write_text("[gateway]\ndns_grace_seconds = 17\ntrusted_resolvers = ['10.0.0.1']\n")
    session = Session(load_plan(str(path)))
    state = session.meter._tables.state[0]
    assert (state.dns_grace_ns, state.resolvers_trusted) == (17 * 10**9, 1)
    assert Session(load_plan(None)).meter._tables.state[0].resolvers_trusted == 0


def test_a_secret_that_cannot_be_had_is_told_before_the_first_frame(tmp_path):
    path = write(tmp_path, "[radius]\nservers = ['10.0.0.2']\nsecret_file = 'secret'\n")
    with pytest.raises(ConfigurationError, match=r"secret: no such file; check radius\.secret_file"):
        load_plan(path)
    (tmp_path / "secret").write_text("testing123\n")
    plan = load_plan(path)
    assert plan.secret == b"testing123"
    assert "testing123" not in repr(plan), "a secret is not for logs"
