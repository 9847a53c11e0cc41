"""The verdict on a flow: application and evidence from its name, its server's address, its service (accounting 2.2, 2.4).

Rule: every failure falls to unknown or contradicted, which nobody pays for but the subscriber.
"""

from __future__ import annotations

import numpy as np

from classifier.iana import PROTOCOL_TCP, PROTOCOL_UDP
from classifier.kernels.domains import match_domain
from classifier.kernels.hashing import hash_octets
from classifier.kernels.jit import helper
from classifier.kernels.learned import is_learned, learned_application
from classifier.kernels.names import FOLDED_AT, fold_name
from classifier.kernels.ranges import locate
from classifier.kernels.signatures import (
    APPLICATION_UNKNOWN,
    RELATION_LISTED,
    RELATION_NONE,
    RELATION_OWN,
    SERVICE_TCP,
    SERVICE_UDP,
)
from classifier.kernels.state import (
    MIDDLE_NONE,
    PHASE_DECIDED,
    QUIC_CONTRADICTED,
    RULE_NAME_UNSEEN,
    RULE_NO_HOST_NAME,
    RULE_NO_MATCH,
)
from classifier.records import (
    EVIDENCE_ADDRESS,
    EVIDENCE_CLAIMED,
    EVIDENCE_CONTRADICTED,
    EVIDENCE_NONE,
    EVIDENCE_VERIFIED,
    SOURCE_ADDRESS,
    SOURCE_DNS,
    SOURCE_NONE,
)


@helper
def name_rule(tables, octets):
    """The catalogue's rule for the raw name of `octets` octets in scratch, or RULE_…"""
    folded = fold_name(tables.scratch, octets)
    if folded == 0:
        return RULE_NO_HOST_NAME
    rule = match_domain(tables.lookup.domains, tables.scratch, FOLDED_AT, folded)
    return rule if rule >= 0 else RULE_NO_MATCH


@helper
def is_backed(tables, flow, octets):
    """1 if a DNS answer told the subscriber that the raw name in scratch has the address that it was sent to.

    Whose answers are believed was settled when they were read (`learned`).
    """
    folded = fold_name(tables.scratch, octets)
    name = hash_octets(tables.state[0].seed, tables.scratch, FOLDED_AT, folded)
    if flow.name_from_server:
        return is_learned(tables, flow, flow.client_high, flow.client_low, name)
    return is_learned(tables, flow, flow.server_high, flow.server_low, name)


@helper
def match_name(tables, flow, octets):
    """Give the flow the rule for the raw name in scratch, and see what backs it now, as the name itself is not kept.

    `name_from_server` is known.
    """
    flow.rule = name_rule(tables, octets)
    flow.backed = is_backed(tables, flow, octets) if flow.rule >= 0 else 0


@helper
def decide(tables, place):
    """Give the flow its application and evidence for good. Its name counts only if it was answered (PHASE_NAMED over)."""
    flow = tables.flows[place]
    flow.phase = PHASE_DECIDED
    flow.middle = MIDDLE_NONE
    flow.application = APPLICATION_UNKNOWN
    flow.evidence = EVIDENCE_NONE
    if flow.quic & QUIC_CONTRADICTED:
        flow.contradicted = 1
    if flow.rule == RULE_NO_HOST_NAME or flow.rule == RULE_NAME_UNSEEN:
        decide_by_address(tables, flow)
    elif flow.rule >= 0 and (flow.subscriber < 0 or flow.name_from_server != flow.subscriber_is_client):
        decide_by_name(tables, flow)


@helper
def decide_by_name(tables, flow):
    """A name that matched a rule: its application, and what it is worth."""
    flow.application = np.int64(tables.lookup.rule_application[flow.rule])
    flow.evidence = EVIDENCE_CONTRADICTED
    if not flow.contradicted:
        flow.evidence = name_evidence(tables, flow, np.int64(flow.rule), np.int64(flow.backed))


@helper
def name_evidence(tables, flow, rule, backed):
    """The evidence of a name that matched `rule`, against the address of the end it was sent to.

    A complete list is `addresses` and `shared_addresses` together: at an own address a name is verified, at a shared one
    claimed, outside both contradicted, unless it is one of `domains_anywhere`.
    `backed`: a DNS answer gave this very name that address.
    """
    lookup = tables.lookup
    application = np.int64(lookup.rule_application[rule])
    if flow.name_from_server:
        row = locate(lookup.ranges, flow.version, flow.client_high, flow.client_low)
    else:
        row = locate(lookup.ranges, flow.version, flow.server_high, flow.server_low)
    relation = RELATION_NONE
    if row >= 0:
        relation = np.int64(lookup.relation[row, application])
    if relation == RELATION_OWN or backed:
        return EVIDENCE_VERIFIED
    if relation == RELATION_LISTED or lookup.rule_anywhere[rule] or not lookup.complete[application]:
        return EVIDENCE_CLAIMED
    return EVIDENCE_CONTRADICTED


@helper
def decide_by_address(tables, flow):
    """No name: what DNS answers called the address, the address that an application alone uses, the service by its port.

    A service is the last resort and has no evidence, as anything can be sent to a port, but towards a trusted resolver.
    """
    if flow.contradicted:
        return
    if flow.subscriber >= 0 and not flow.subscriber_is_client:
        high, low, port = flow.client_high, flow.client_low, np.int64(flow.client_port)
    else:
        high, low, port = flow.server_high, flow.server_low, np.int64(flow.server_port)
    lookup = tables.lookup
    if flow.protocol == PROTOCOL_TCP:
        service = np.int64(lookup.service_application[SERVICE_TCP, port])
    elif flow.protocol == PROTOCOL_UDP:
        service = np.int64(lookup.service_application[SERVICE_UDP, port])
    else:
        service = -1
    row = locate(lookup.ranges, flow.version, high, low)
    if service == 0 and flow.subscriber_is_client and flow.source == SOURCE_NONE and not may_hide_name(flow):
        if decide_by_answers(tables, flow, row):
            return
    if row >= 0 and lookup.owner[row] > 0:
        flow.application = lookup.owner[row]
        flow.evidence = EVIDENCE_ADDRESS
        flow.source = SOURCE_ADDRESS
        return
    if service < 0:
        return
    flow.application = service
    flow.source = SOURCE_NONE
    if service > 0 and locate(lookup.trusted, flow.version, high, low) >= 0:
        flow.evidence = EVIDENCE_ADDRESS
        flow.source = SOURCE_ADDRESS


@helper
def may_hide_name(flow):
    """1 if the client may have named somebody whom nobody saw: cut small, in another order, or in fragments.

    DNS would else name the flow after whatever is served at the same address. A UDP flow is looked at twice only where it
    looks like QUIC.
    """
    return flow.rule == RULE_NAME_UNSEEN or (flow.protocol == PROTOCOL_UDP and flow.inspected > 1)


@helper
def decide_by_answers(tables, flow, row):
    """The name that DNS answers gave to the server's address, whose row of ranges is `row`; 0 where they say nothing.

    The client has named nobody here, and others may be served at the same address: so it is verified only where the
    application alone uses it, else claimed. Where any server's answers are believed, the subscriber may have made them up:
    then they never stand against a list of addresses.
    """
    lookup = tables.lookup
    high, low = flow.server_high, flow.server_low
    application = learned_application(tables, flow, high, low)
    if application == 0:
        return 0
    trusted = tables.state[0].resolvers_trusted
    owner = np.int64(lookup.owner[row]) if row >= 0 else 0
    relation = np.int64(lookup.relation[row, application]) if row >= 0 else RELATION_NONE
    if not trusted and (owner > 0 or (lookup.complete[application] and relation == RELATION_NONE)):
        return 0
    flow.application = application
    flow.evidence = EVIDENCE_VERIFIED if trusted and relation == RELATION_OWN else EVIDENCE_CLAIMED
    flow.source = SOURCE_DNS
    return 1
