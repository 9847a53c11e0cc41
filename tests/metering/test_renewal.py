"""What a reload makes of flows that are decided: see accounting 2.4 of what is contradicted."""

from __future__ import annotations

import numpy as np

from classifier.kernels.state import FLOW, PHASE_DECIDED
from classifier.metering.renewal import Renewal, _carry_flows
from classifier.records import (
    EVIDENCE_CONTRADICTED,
    EVIDENCE_NONE,
    EVIDENCE_VERIFIED,
    SOURCE_NONE,
    SOURCE_TLS_SNI,
)

KEPT, GONE = 1, 2


def test_a_contradiction_stays_reported_when_its_application_is_gone():
    flows = np.zeros(4, FLOW)
    flows["phase"] = PHASE_DECIDED
    flows["source"] = SOURCE_TLS_SNI
    flows["rule"] = -1
    flows["application"] = KEPT, KEPT, GONE, GONE
    flows["evidence"] = EVIDENCE_VERIFIED, EVIDENCE_CONTRADICTED, EVIDENCE_VERIFIED, EVIDENCE_CONTRADICTED
    gone = np.array([0, 0, 1], np.uint8)
    _carry_flows(flows, Renewal(None, None, np.zeros(0, np.int32), gone, None))
    assert flows["application"].tolist() == [KEPT, KEPT, 0, 0]
    assert flows["evidence"].tolist() == [
        EVIDENCE_VERIFIED,
        EVIDENCE_CONTRADICTED,
        EVIDENCE_NONE,
        EVIDENCE_CONTRADICTED,
    ]
    assert flows["source"].tolist() == [SOURCE_TLS_SNI, SOURCE_TLS_SNI, SOURCE_NONE, SOURCE_TLS_SNI]
