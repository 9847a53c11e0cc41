"""Row 1: a ClientHello under a free application's name, to an address that is not its own."""

from __future__ import annotations

import pytest
from frames import client_hello, modest
from hypothesis import given
from hypothesis import strategies as st
from meters import ALPHA_ADDRESS, BETA_ADDRESS
from scenes import FOREIGN, Connection, Wire, bill, verdicts

labels = st.text("abcdefghijklmnopqrstuvwxyz0123456789", min_size=1, max_size=20)


@modest(30)
@given(labels, st.lists(st.integers(1, 1400), max_size=8), st.sampled_from((FOREIGN, BETA_ADDRESS)))
def test_the_name_of_a_complete_application_elsewhere_is_contradicted_from_the_first_octet(label, answers, server):
    wire = Wire()
    talk = Connection(wire, server).open().ask(client_hello(f"{label}.alpha.example"))
    for octets in answers:
        talk.down(b"x" * octets)
    talk.close()
    assert bill(wire) == {"contradicted": talk.octets}
    assert verdicts(wire) == [("alpha", "contradicted", f"{label}.alpha.example")]


def test_the_same_hello_to_its_own_address_is_free():
    wire = Wire()
    talk = Connection(wire, ALPHA_ADDRESS).open().ask(client_hello("www.alpha.example")).close()
    assert bill(wire) == {"free": talk.octets}
    assert verdicts(wire) == [("alpha", "verified", "www.alpha.example")]


@pytest.mark.parametrize("name", ["beta.example", "gamma.example"])
def test_without_a_complete_list_the_name_is_a_claim(name):
    """Nobody can know better; a programme that asks for `verified` does not pay it."""
    wire = Wire()
    Connection(wire, FOREIGN).open().ask(client_hello(name))
    assert verdicts(wire) == [(name.split(".")[0], "claimed", name)]
