"""Row 18: a machine rented in the cloud that serves a free application, under its name."""

from __future__ import annotations

from frames import client_hello, modest
from hypothesis import given
from hypothesis import strategies as st
from scenes import FOREIGN, Connection, Wire, bill, verdicts

cloud = st.integers(128, 255).map("198.51.100.{}".format)


@modest(20)
@given(cloud)
def test_a_name_at_a_shared_address_is_never_better_than_claimed(server):
    wire = Wire()
    talk = Connection(wire, server).open().ask(client_hello("www.delta.example")).close()
    assert verdicts(wire) == [("delta", "claimed", "www.delta.example")]
    assert bill(wire) == {"free": talk.octets}, "an offer that asks for `verified` does not pay (rating)"


@modest(20)
@given(cloud, st.sampled_from((None, "unlisted.example")))
def test_a_shared_address_without_the_name_is_nobodys(server, name):
    wire = Wire()
    talk = Connection(wire, server).open().ask(client_hello(name)).close()
    assert bill(wire) == {"unknown_application": talk.octets}


def test_outside_the_cloud_the_list_is_complete_and_the_name_contradicted():
    wire = Wire()
    talk = Connection(wire, FOREIGN).open().ask(client_hello("delta.example")).close()
    assert bill(wire) == {"contradicted": talk.octets}
