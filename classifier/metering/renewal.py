"""Another catalogue and other subscribers in the tables of a meter that goes on.

Rules of this file: numbers keep their meaning. The new arrays are renumbered before they are put in, so that what flows,
connections and usage say stays true; of an application that is gone, and of a rule that is gone, nothing is left but
"unknown" and "no match", which nobody pays for but the subscriber.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from classifier.kernels.allowed import EVIDENCES, SETS
from classifier.kernels.bundle import Bundle
from classifier.kernels.notes import USED
from classifier.kernels.ranges import Ranges
from classifier.kernels.signatures import APPLICATION_UNKNOWN, Lookup
from classifier.kernels.state import PHASE_DECIDED, RULE_NO_MATCH
from classifier.kernels.tables import Tables
from classifier.metering.tables import Limits, time_outs_ns, trusts_resolvers
from classifier.records import EVIDENCE_CONTRADICTED, EVIDENCE_NONE, SOURCE_NONE


class Renewal(NamedTuple):
    """What is in force from now on, in the meter's numbers.

    `rule_of` i4[former rules]: each one's place among the new rules, -1 where it is gone. `gone` u1[applications]: 1 for those
    that the catalogue does not have any more. Of `limits`, only times are taken.
    """

    lookup: Lookup
    subscriber_ranges: Ranges
    rule_of: np.ndarray
    gone: np.ndarray
    limits: Limits


def renumbered_lookup(lookup: Lookup, number_of: np.ndarray, count: int) -> Lookup:
    """A catalogue's arrays with application n as `number_of[n]`, out of `count` numbers. `number_of[0]` is 0."""
    relation = np.zeros((lookup.relation.shape[0], count), np.uint8)
    relation[:, number_of] = lookup.relation
    complete = np.zeros(count, np.uint8)
    complete[number_of] = lookup.complete
    return lookup._replace(
        rule_application=number_of[lookup.rule_application].astype(lookup.rule_application.dtype),
        owner=number_of[lookup.owner].astype(lookup.owner.dtype),
        relation=relation,
        complete=complete,
        service_application=number_of[lookup.service_application].astype(lookup.service_application.dtype),
    )


def renumbered_ranges(ranges: Ranges, number_of: np.ndarray) -> Ranges:
    """Subscribers' ranges with subscriber n as `number_of[n]`. `number_of[0]` is 0; -1 stays what it is."""
    v4_value, v6_value = (
        np.where(value < 0, value, number_of[np.maximum(value, 0)]).astype(np.int32)
        for value in (ranges.v4_value, ranges.v6_value)
    )
    return ranges._replace(v4_value=v4_value, v6_value=v6_value)


def renewed(tables: Bundle, renewal: Renewal) -> Bundle:
    """The tables with what is new in them; all other arrays are the same. Nothing of the interval may be unposted."""
    state = tables.state[0]
    state.resolvers_trusted = trusts_resolvers(renewal.lookup)
    state.dns_grace_ns = renewal.limits.dns_grace_seconds * 10**9
    tables.timeout_ns[:] = time_outs_ns(renewal.limits)
    state.next_deadline_ns = state.clock_ns  # time-outs may be shorter now: the next packet looks for itself
    _carry_flows(tables.flows[: state.flow_slots], renewal)
    _carry_connections(tables.connections, renewal.gone)
    notes = tables.learned.rows[: tables.learned.marks[USED] + 1]
    notes["rule"] = _carried_rules(notes["rule"], renewal.rule_of)
    fields = {name: getattr(tables, name) for name in Tables._fields}
    fields |= {"lookup": renewal.lookup, "subscriber_ranges": renewal.subscriber_ranges}
    if tables.block_set.size:
        # Whoever blocks says so anew (`blocking.write_blocks`): there may be more applications.
        fields["block_cells"] = np.zeros((SETS, renewal.gone.size * EVIDENCES), np.int32)
    return Bundle(Tables(**fields))


def _carry_flows(flows: np.ndarray, renewal: Renewal) -> None:
    """Flows that are decided stay so, but for applications that are gone; the others are decided by what their rule is now."""
    lost = (flows["phase"] == PHASE_DECIDED) & (renewal.gone[flows["application"]] == 1)
    believed = lost & (flows["evidence"] != EVIDENCE_CONTRADICTED)  # a contradiction stays reported
    flows["evidence"][believed], flows["source"][believed] = EVIDENCE_NONE, SOURCE_NONE
    flows["application"][lost] = APPLICATION_UNKNOWN
    flows["rule"] = _carried_rules(flows["rule"], renewal.rule_of)


def _carry_connections(connections: np.ndarray, gone: np.ndarray) -> None:
    lost = (gone[connections["application"]] == 1) & (connections["evidence"] != EVIDENCE_CONTRADICTED)
    connections["evidence"][lost] = EVIDENCE_NONE
    connections["application"][gone[connections["application"]] == 1] = APPLICATION_UNKNOWN


def _carried_rules(rules: np.ndarray, rule_of: np.ndarray) -> np.ndarray:
    """Places in the new catalogue; what is no place stays what it is."""
    if not rule_of.size:
        return rules
    new = np.where(rules >= 0, rule_of[np.maximum(rules, 0)], rules)
    return np.where((rules >= 0) & (new < 0), RULE_NO_MATCH, new)
