"""The one hierarchy of exceptions: the operator's mistakes.

Rule of this file: an exception is for a file, a permission or a configuration that somebody can mend. A bad packet
never raises; it is counted by reason. Every message names what is wrong, where, and the mend, on one line.
"""

from __future__ import annotations


class FreeflowError(Exception):
    """Anything the operator can mend. `exit_status` is what the command returns (contract: 2 = operator's mistake)."""

    exit_status = 2


class CaptureError(FreeflowError):
    """A capture file that cannot be read at all: missing, empty, no capture, or an unsupported link type."""


class InterfaceError(FreeflowError):
    """A network interface that cannot be captured from: missing, down, not Ethernet, or no privilege."""


class LedgerError(FreeflowError):
    """A ledger that cannot be used: missing, no ledger, of a newer version, in use, full; or a capture that is in it."""


class LabError(FreeflowError):
    """A lab that cannot be used: not permitted, an extra not installed, up already or not up, a server that is gone."""


class ConfigurationError(FreeflowError):
    """One or more mistakes in configuration, catalogue or subscriber files.

    `problems` holds one line per mistake (file: key: what; mend), so that all of them are found in one pass.
    """

    def __init__(self, problems: list[str] | tuple[str, ...] | str) -> None:
        self.problems: tuple[str, ...] = (problems,) if isinstance(problems, str) else tuple(problems)
        super().__init__("\n".join(self.problems))


class ConservationError(Exception):
    """The sums do not balance: a defect of freeflow itself, never of its input. Raised by the interval's own check."""
