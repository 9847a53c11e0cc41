"""What the kernels know of the catalogue: names, addresses and services as arrays, numbers instead of names.

Rules of this file: application 0 is "unknown", the real ones follow in the order of `Catalogue.application_names`. The
arrays are made once by the catalogue and only read from then on.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from classifier.kernels.domains import Domains
from classifier.kernels.ranges import Ranges

APPLICATION_UNKNOWN = 0

# What an address is to an application (`Lookup.relation`).
RELATION_NONE = 0  # not in its list
RELATION_LISTED = 1  # in its list, but shared, or inside a longer prefix of somebody else
RELATION_OWN = 2  # the application alone serves from it

SERVICE_TCP = 0  # rows of `Lookup.service_application`
SERVICE_UDP = 1


class Lookup(NamedTuple):
    """The catalogue as arrays.

    `domains`: `match_domain(domains, …)` gives a rule; `rule_application` i2[rule] its application, `rule_anywhere`
    u1[rule] 1 where that name may answer from anywhere (`domains_anywhere`).
    `ranges`: `locate(ranges, …)` gives a row or -1; `owner` i2[row] the application that the address is evidence for, 0
    where there is none; `relation` u1[row, application] one of RELATION_.
    `complete` u1[application]: 1 where an address outside its list contradicts its name.
    `service_application` u2[2, 65536]: application by the server's port, row SERVICE_TCP or SERVICE_UDP, 0 for none:
    the last resort where neither name nor address says anything.
    `trusted`: 0 at the addresses of the trusted resolvers, -1 elsewhere (everywhere, where none is configured).
    """

    domains: Domains
    rule_application: np.ndarray
    rule_anywhere: np.ndarray
    ranges: Ranges
    owner: np.ndarray
    relation: np.ndarray
    complete: np.ndarray
    service_application: np.ndarray
    trusted: Ranges
