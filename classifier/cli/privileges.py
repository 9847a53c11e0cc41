"""Giving up root for good, once what needs it is open."""

from __future__ import annotations

import grp
import os
import pwd
from collections.abc import Callable
from pathlib import Path

from classifier.errors import ConfigurationError


def find_user(name: str) -> pwd.struct_passwd:
    """The user of this name, to become whom this process has the right. Raises ConfigurationError."""
    try:
        user = pwd.getpwnam(name)
    except KeyError:
        raise ConfigurationError(f'--user: there is no user "{name}"; make one with useradd --system {name}') from None
    if user.pw_uid == 0:
        raise ConfigurationError(f'--user: "{name}" is root; name another user, or leave the option out')
    if os.geteuid() != 0:
        raise ConfigurationError("--user: only root can become another user; leave the option out, or start it as root")
    return user


def dropper(user: pwd.struct_passwd, ledger: Path | None) -> Callable[[], None]:
    """What makes this process the user's, with its groups and no capability.

    Raises ConfigurationError where the user could not write the ledger then.
    """

    def drop() -> None:
        groups = [one.gr_gid for one in grp.getgrall() if user.pw_name in one.gr_mem]
        os.setgroups([user.pw_gid, *groups])
        os.setresgid(user.pw_gid, user.pw_gid, user.pw_gid)
        # From root to another user in all three places: Linux takes every capability away (capabilities(7)).
        os.setresuid(user.pw_uid, user.pw_uid, user.pw_uid)
        if ledger is not None:
            _require_writable(ledger, user.pw_name)

    return drop


def _require_writable(ledger: Path, name: str) -> None:
    """SQLite needs its journal and lock beside the file."""
    folder = ledger.absolute().parent
    refused = None if os.access(folder, os.W_OK | os.X_OK) else folder
    for suffix in ("", "-wal", "-shm", "-lock"):
        path = Path(f"{ledger}{suffix}")
        if refused is None and path.exists() and not os.access(path, os.W_OK):
            refused = path
    if refused is not None:
        raise ConfigurationError(f"{refused}: {name} cannot write it; chown {name} {refused}, or name another ledger")
