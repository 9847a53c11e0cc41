"""Row 4: names that hold a free application's name, but not as their end at a label's boundary."""

from __future__ import annotations

import pytest
from frames import client_hello, modest
from hypothesis import given
from hypothesis import strategies as st
from meters import ALPHA_ADDRESS
from scenes import FOREIGN, Connection, Wire, bill, hello_naming, request

LOOK_ALIKES = [
    "gamma.attacker.example",
    "www.gamma.example.attacker.example",
    "notgamma.example",
    "gamma.example-attacker.test",
    "gammaxexample",
    "example",
    "xn--gamma.example",
]


@pytest.mark.parametrize("name", LOOK_ALIKES)
@pytest.mark.parametrize("server", [FOREIGN, ALPHA_ADDRESS])
def test_a_look_alike_is_unknown_even_at_a_free_applications_address(name, server):
    wire = Wire()
    talk = Connection(wire, server).open().ask(client_hello(name)).close()
    plain = Connection(wire, server, server_port=80, port=50001).open()
    plain.ask(request("GET / HTTP/1.1", f"Host: {name}")).close()
    assert bill(wire) == {"unknown_application": talk.octets + plain.octets}


@modest(60)
@given(st.text("abgm.-", min_size=1, max_size=12), st.sampled_from((".test", ".attacker.test")))
def test_whatever_stands_around_it_only_a_whole_suffix_is_the_name(before, behind):
    """Expected from the text alone: a name is gamma's if it is gamma.example, or ends in ".gamma.example"."""
    names = {f"{before}gamma.example": before.endswith("."), f"{before}.gamma.example{behind}": False}
    for name, own in names.items():
        wire = Wire()
        talk = Connection(wire, FOREIGN).open().ask(hello_naming(name.encode()))
        labels = name.split(".")
        expected = "free" if own and all(labels) else "unknown_application"
        assert bill(wire) == {expected: talk.octets}, name
