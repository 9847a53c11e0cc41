"""The verdict on a flow: application and evidence from its name, its server's address, its service (accounting 2.2, 2.4).

Rule: every failure falls to unknown or contradicted, which nobody pays for but the subscriber.
"""

from __future__ import annotations

import numpy as np

from classifier.iana import PROTOCOL_TCP, PROTOCOL_UDP
from classifier.kernels.domains import match_domain
from classifier.kernels.jit import helper
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
from classifier.kernels.state import PHASE_DECIDED, RULE_NO_HOST_NAME, RULE_NO_MATCH
from classifier.records import (
    EVIDENCE_ADDRESS,
    EVIDENCE_CLAIMED,
    EVIDENCE_CONTRADICTED,
    EVIDENCE_NONE,
    EVIDENCE_VERIFIED,
    SOURCE_ADDRESS,
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
def decide(tables, place):
    """Give the flow its application and evidence for good. Its name counts only if it was answered (PHASE_NAMED over)."""
    flow = tables.flows[place]
    flow.phase = PHASE_DECIDED
    flow.application = APPLICATION_UNKNOWN
    flow.evidence = EVIDENCE_NONE
    if flow.rule == RULE_NO_HOST_NAME:
        decide_by_address(tables, flow)
    elif flow.rule >= 0 and (flow.subscriber < 0 or flow.name_from_server != flow.subscriber_is_client):
        decide_by_name(tables, flow)


@helper
def decide_by_name(tables, flow):
    """A name that matched a rule: its application, and what it is worth."""
    flow.application = np.int64(tables.lookup.rule_application[flow.rule])
    flow.evidence = EVIDENCE_CONTRADICTED if flow.contradicted else name_evidence(tables, flow, np.int64(flow.rule))


@helper
def name_evidence(tables, flow, rule):
    """The evidence of a name that matched `rule`, against the address of the end it was sent to."""
    lookup = tables.lookup
    application = np.int64(lookup.rule_application[rule])
    if flow.name_from_server:
        row = locate(lookup.ranges, flow.version, flow.client_high, flow.client_low)
    else:
        row = locate(lookup.ranges, flow.version, flow.server_high, flow.server_low)
    relation = RELATION_NONE
    if row >= 0:
        relation = np.int64(lookup.relation[row, application])
    if relation == RELATION_OWN:
        return EVIDENCE_VERIFIED
    if relation == RELATION_LISTED or lookup.rule_anywhere[rule] or not lookup.complete[application]:
        return EVIDENCE_CLAIMED
    return EVIDENCE_CONTRADICTED


@helper
def decide_by_address(tables, flow):
    """No name: the address that an application alone uses, else the service by its port."""
    if flow.contradicted:
        return
    if flow.subscriber >= 0 and not flow.subscriber_is_client:
        high, low, port = flow.client_high, flow.client_low, np.int64(flow.client_port)
    else:
        high, low, port = flow.server_high, flow.server_low, np.int64(flow.server_port)
    lookup = tables.lookup
    row = locate(lookup.ranges, flow.version, high, low)
    if row >= 0 and lookup.owner[row] > 0:
        flow.application = lookup.owner[row]
        flow.evidence = EVIDENCE_ADDRESS
        flow.source = SOURCE_ADDRESS
        return
    if flow.protocol == PROTOCOL_TCP:
        service = np.int64(lookup.service_application[SERVICE_TCP, port])
    elif flow.protocol == PROTOCOL_UDP:
        service = np.int64(lookup.service_application[SERVICE_UDP, port])
    else:
        return
    flow.application = service
    flow.source = SOURCE_NONE
    if service > 0 and locate(lookup.trusted, flow.version, high, low) >= 0:
        flow.evidence = EVIDENCE_ADDRESS
        flow.source = SOURCE_ADDRESS
