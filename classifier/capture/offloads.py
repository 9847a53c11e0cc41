"""Offloads that join packets, switched off for as long as a run lasts, for whoever wants each packet by itself.

Rules of this file: only what was on is switched off, and it is put back whatever ends the run, but a kill. As in `interface`,
pyroute2 is imported where it is used.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager

from classifier.capture.interface import JOINING_OFFLOADS, find_interface
from classifier.errors import InterfaceError

# What joins packets only on some interfaces, or only together with generic receive offload; ethtool calls them the same.
SELDOM = ("rx-gro-hw", "rx-gro-list", "rx-udp-gro-forwarding")
SWITCHED = {**JOINING_OFFLOADS, **dict(zip(SELDOM, SELDOM, strict=True))}
MEND = "run as root, or give the process CAP_NET_ADMIN"


@contextmanager
def offloads_off(names: Sequence[str], say: Callable[[str], None]) -> Iterator[None]:
    """Switch off what joins packets on these interfaces, say what, and put it back at the end. Raises InterfaceError."""
    changed: dict[str, list[str]] = {}
    try:
        for name in names:
            find_interface(name, bring_up=True)
            changed[name] = on = _switched_on(name)
            _switch(name, on, enable=False)
            left = [feature for feature in _switched_on(name) if feature in on]
            if left:
                raise InterfaceError(
                    f"interface {name}: {_called(left)} cannot be switched off; leave --offloads-off out"
                )
            say(
                f"interface {name}: {_called(on)} off until the end" if on else f"interface {name}: no offloads were on"
            )
        yield
    finally:
        for name, features in changed.items():
            try:
                still_on = _switched_on(name)
                _switch(name, [feature for feature in features if feature not in still_on], enable=True)
            except InterfaceError as error:
                say(f"{error}; the offloads stay off: {_called(features)}")


def _called(features: Sequence[str]) -> str:
    return ", ".join(SWITCHED[feature] for feature in features)


def _switched_on(name: str) -> list[str]:
    """Those of SWITCHED that are on and can be switched."""
    from pyroute2 import Ethtool

    with closing(Ethtool()) as ethtool, _explained(name):
        features = ethtool.get_features(name).features
    return [one for one in SWITCHED if one in features and features[one].enable and features[one].available]


def _switch(name: str, switched: Sequence[str], *, enable: bool) -> None:
    if not switched:
        return
    from pyroute2 import Ethtool

    with closing(Ethtool()) as ethtool, _explained(name):
        features = ethtool.get_features(name)
        for feature in switched:
            features.features[feature].enable = enable
        ethtool.set_features(name, features)


@contextmanager
def _explained(name: str) -> Iterator[None]:
    from pyroute2.ethtool.ioctl import EthtoolError

    try:
        yield
    except PermissionError:
        raise InterfaceError(f"interface {name}: its offloads may not be switched; {MEND}") from None
    except (OSError, EthtoolError) as error:
        reason = getattr(error, "strerror", None) or error
        raise InterfaceError(f"interface {name}: its offloads cannot be switched: {reason}; use ethtool -K") from None
