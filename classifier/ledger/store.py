"""Opens a ledger's file: for one writer, or for reading beside it. Every way in which that fails is one clear line.

Rules of this file: WAL, so that who reads and who writes do not wait for each other, and each commit is on the disk before
it is reported (synchronous FULL). A writer holds a lock file for as long as it lives; the system lets go of it after a kill.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import chain
from pathlib import Path

from classifier.errors import LedgerError
from classifier.ledger import schema

LOCK_SUFFIX = "-lock"
# Result codes that are about the statement, not about the file (SQLite, "Result and Error Codes").
_DEFECTS = (sqlite3.SQLITE_ERROR, sqlite3.SQLITE_CONSTRAINT, sqlite3.SQLITE_MISMATCH, sqlite3.SQLITE_MISUSE)
READING_WAITS_S = 30  # for a checkpoint or a recovery, which hold readers up for moments
# A statement for each row takes twice as long as one for so many. 999 values are the most that any SQLite takes by default.
ROWS_A_STATEMENT = 100
WRITING_WAITS_S = 1  # a live run has other things to do; it tries again at the next interval


def open_for_writing(path: Path) -> tuple[sqlite3.Connection, sqlite3.Connection]:
    """The ledger, made or brought up to date where need be, and the connection that holds its lock.

    Raises LedgerError if it is no ledger, a newer one, cannot be written, or another process writes it.
    """
    with _explained(path):
        if path.exists():
            _check_kind(path)
        lock = _lock(path)
        try:
            connection = sqlite3.connect(path, timeout=WRITING_WAITS_S, isolation_level=None)
            connection.execute("PRAGMA journal_mode = WAL").fetchone()
            connection.execute("PRAGMA synchronous = FULL")
            migrate(connection)
        except BaseException:
            lock.close()
            raise
    return connection, lock


def open_for_reading(path: Path) -> sqlite3.Connection:
    """The ledger as it was last committed. Raises LedgerError if it is missing, no ledger, or of another version."""
    with _explained(path):
        if not path.exists():
            raise LedgerError(f"{path}: no such ledger; freeflow replay --ledger or freeflow run makes one")
        version = _check_kind(path)
        if version < len(schema.MIGRATIONS):
            raise LedgerError(f"{path}: is empty or of an older freeflow; write to it once with this one")
        connection = sqlite3.connect(_uri(path), uri=True, timeout=READING_WAITS_S, isolation_level=None)
        connection.execute("PRAGMA query_only = ON")
        # One state for all that is read.
        connection.execute("BEGIN")
        return connection


def migrate(connection: sqlite3.Connection) -> None:
    """Bring the tables up to date in one transaction: all of it, or what was there stays."""
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version == len(schema.MIGRATIONS):
        return
    with transaction(connection):
        for script in schema.MIGRATIONS[version:]:
            for statement in _statements(script):
                connection.execute(statement)
        connection.execute(f"PRAGMA application_id = {schema.APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version = {len(schema.MIGRATIONS)}")


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """All or nothing. Within another transaction it is a part of that."""
    if connection.in_transaction:
        yield
        return
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:  # a full disk may have rolled it back already
            connection.execute("ROLLBACK")
        raise


def insert(
    connection: sqlite3.Connection, table: str, columns: Sequence[str], rows: Sequence[Sequence], otherwise: str = ""
) -> None:
    """Insert rows; `otherwise` is what follows VALUES, such as what is done where a row of the key is there already."""
    one = f"({', '.join('?' * len(columns))})"
    many = len(rows) - len(rows) % ROWS_A_STATEMENT
    batches = (chain.from_iterable(rows[at : at + ROWS_A_STATEMENT]) for at in range(0, many, ROWS_A_STATEMENT))
    into = f"INSERT INTO {table} ({', '.join(columns)}) VALUES"
    connection.executemany(f"{into} {', '.join([one] * ROWS_A_STATEMENT)} {otherwise}", map(tuple, batches))
    connection.executemany(f"{into} {one} {otherwise}", rows[many:])


def reason_of(error: sqlite3.Error) -> str:
    """Why SQLite could not, in its words. A defect of freeflow's, which no disk can mend, is raised again."""
    if getattr(error, "sqlite_errorcode", sqlite3.SQLITE_MISUSE) & 0xFF in _DEFECTS:
        raise error
    return str(error)


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        mend = "check the disk, the permissions and the folder, or name another file"
        raise LedgerError(f"{path}: cannot be opened as a ledger ({reason_of(error)}); {mend}") from None


def _check_kind(path: Path) -> int:
    """The version of the ledger in this file; 0 for an empty file. LedgerError for anything else."""
    if path.is_dir():
        raise LedgerError(f"{path}: is a directory; name a ledger file in it")
    # A process that was killed may have left something to be put in order first, so not "ro".
    connection = sqlite3.connect(_uri(path), uri=True, timeout=READING_WAITS_S)
    try:
        (kind,) = connection.execute("PRAGMA application_id").fetchone()
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        (tables,) = connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
    except sqlite3.DatabaseError as error:
        if error.sqlite_errorcode == sqlite3.SQLITE_NOTADB:
            raise LedgerError(f"{path}: is not a ledger; name one that freeflow made, or a new file") from None
        raise
    finally:
        connection.close()
    if kind != schema.APPLICATION_ID and (kind or version or tables):
        raise LedgerError(f"{path}: is a database, but not a ledger; name one that freeflow made, or a new file")
    if version > len(schema.MIGRATIONS):
        known = len(schema.MIGRATIONS)
        raise LedgerError(
            f"{path}: is of a newer freeflow (version {version}, this one knows {known}); install the newer one"
        )
    return version


def _lock(path: Path) -> sqlite3.Connection:
    """A connection that holds the lock file beside the ledger until it is closed or its process ends, however it ends."""
    lock = sqlite3.connect(f"{path}{LOCK_SUFFIX}", timeout=0, isolation_level=None)
    try:
        lock.execute("BEGIN EXCLUSIVE")
    except sqlite3.OperationalError as error:
        lock.close()
        if error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY:
            raise LedgerError(f"{path}: another freeflow is writing it; wait until it ends, or name another") from None
        raise
    return lock


def _uri(path: Path) -> str:
    """To read and write what is there. SQLite opens it to read alone where that is all that is allowed."""
    return f"{path.absolute().as_uri()}?mode=rw"


def _statements(script: str) -> Iterator[str]:
    """`executescript` would commit first, so statements go one by one."""
    pending = ""
    for line in script.splitlines():
        pending += line + "\n"
        if sqlite3.complete_statement(pending):
            yield pending
            pending = ""
