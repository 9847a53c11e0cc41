"""Row 29: Encrypted ClientHello. The outer name is the name; a provider's public name is no application's."""

from __future__ import annotations

import pytest
from meters import ALPHA_ADDRESS, CLOUD_ADDRESS
from scenes import FOREIGN, Connection, Wire, bill, encrypted_client_hello, hello_naming, verdicts

from classifier.catalogue.load import load_catalogue

PUBLIC_NAME = (
    b"cloudflare-ech.com"  # Cloudflare, "Encrypted Client Hello", developers.cloudflare.com/ssl/edge-certificates/ech
)


@pytest.mark.parametrize("server", [FOREIGN, ALPHA_ADDRESS, CLOUD_ADDRESS])
def test_a_providers_public_name_is_unknown_whatever_the_address(server):
    wire = Wire()
    talk = Connection(wire, server).open().ask(hello_naming(PUBLIC_NAME, encrypted_client_hello())).close()
    assert bill(wire) == {"unknown_application": talk.octets}
    assert verdicts(wire) == [("unknown", "none", PUBLIC_NAME.decode())]


def test_the_extension_that_browsers_send_for_show_changes_nothing():
    """RFC 9849, 6.2: a client without a key sends one of chance (GREASE), and the outer name is the server's."""
    wire = Wire()
    talk = Connection(wire, ALPHA_ADDRESS).open().ask(hello_naming(b"alpha.example", encrypted_client_hello())).close()
    assert bill(wire) == {"free": talk.octets}
    assert verdicts(wire) == [("alpha", "verified", "alpha.example")]


def test_an_outer_name_borrowed_elsewhere_is_contradicted():
    wire = Wire()
    talk = Connection(wire, FOREIGN).open().ask(hello_naming(b"alpha.example", encrypted_client_hello())).close()
    assert bill(wire) == {"contradicted": talk.octets}


def test_no_application_that_ships_has_a_public_name():
    public = PUBLIC_NAME.decode()
    for application in load_catalogue().applications:
        for pattern in (*application.domains, *application.domains_anywhere):
            domain = pattern.removeprefix("=")
            assert not f".{public}".endswith(f".{domain}"), application.name
