"""Row 5: the forms a name can have: folded where they are the same host, no evidence where they are no host name."""

from __future__ import annotations

import pytest
from frames import modest
from hypothesis import given
from hypothesis import strategies as st
from meters import ALPHA_ADDRESS
from scenes import FOREIGN, Connection, Wire, bill, hello_naming, request, verdicts

NO_HOST_NAMES = {
    "an address": b"203.0.113.10",
    "an address of version 6": b"[2001:db8:a::1]",
    "NUL": b"gamma.example\0.attacker.test",
    "NUL at the end": b"gamma.example\0",
    "a blank": b"gamma .example",
    "a blank before": b" gamma.example",
    "300 octets": b"a" * 50 + b".b" * 118 + b".gamma.example",
    "a label of 64": b"a" * 64 + b".gamma.example",
    "two dots": b"www..gamma.example",
    "a dot first": b".gamma.example",
    "two dots last": b"gamma.example..",
    "nothing": b"",
    "beyond ASCII": "gämma.example".encode(),
    "a path": b"gamma.example/",
}


@modest(30)
@given(st.lists(st.booleans(), min_size=17, max_size=17), st.booleans())
def test_case_and_one_trailing_dot_are_folded(upper, dot):
    name = "".join(c.upper() if up else c for c, up in zip("www.gamma.example", upper, strict=True))
    wire = Wire()
    talk = Connection(wire, FOREIGN).open().ask(hello_naming(name.encode() + b"." * dot))
    assert bill(wire) == {"free": talk.octets}


@pytest.mark.parametrize("host", ["gamma.example:80", "GAMMA.example.:8080", "gamma.example.", "\tgamma.example \t"])
def test_port_dot_and_blanks_around_a_host_are_dropped(host):
    wire = Wire()
    talk = Connection(wire, FOREIGN, server_port=80).open().ask(request("GET / HTTP/1.1", f"Host:{host}"))
    assert bill(wire) == {"free": talk.octets}


@pytest.mark.parametrize("form", NO_HOST_NAMES)
def test_what_is_no_host_name_is_no_evidence(form):
    """At an application's own address, the address alone is left."""
    hello = hello_naming(NO_HOST_NAMES[form])
    wire = Wire()
    talk = Connection(wire, FOREIGN).open().ask(hello)
    assert bill(wire) == {"unknown_application": talk.octets}
    wire = Wire()
    Connection(wire, ALPHA_ADDRESS).open().ask(hello)
    ((application, evidence, _),) = verdicts(wire)
    assert (application, evidence) == ("alpha", "address")
