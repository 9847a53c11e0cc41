"""Files that are no ledger, or another version's, are one clear line; older ledgers become newer ones, whole."""

from __future__ import annotations

import sqlite3

import pytest
from ledgers import RUN, Used, at_ns, make_ledger

from classifier.errors import LedgerError
from classifier.ledger import schema
from classifier.ledger.read import LedgerReader
from classifier.ledger.write import LedgerWriter

HOURS = [(at_ns(2013, 11, 5, 9), [Used("lin", "taobao", 100, 2000)])]
SECOND = "ALTER TABLE run ADD COLUMN site TEXT NOT NULL DEFAULT 'here';\nCREATE TABLE note (text TEXT);\n"


def refused(opens, path) -> str:
    """The one line with which the file is refused."""
    with pytest.raises(LedgerError) as caught:
        opens(path)
    line = str(caught.value)
    assert "\n" not in line
    assert line.startswith(f"{path}: ")
    return line.removeprefix(f"{path}: ")


def database(path, *statements: str):
    with sqlite3.connect(path) as connection:
        for statement in statements:
            connection.execute(statement)
    connection.close()
    return path


@pytest.mark.parametrize("opens", [LedgerReader, LedgerWriter])
def test_what_is_no_ledger_is_refused_and_left_as_it_is(opens, tmp_path):
    text = tmp_path / "notes.txt"
    text.write_text("Buy milk. " * 1000)
    assert "is not a ledger" in refused(opens, text)
    assert text.read_text() == "Buy milk. " * 1000
    other = database(tmp_path / "other.db", "CREATE TABLE bookmarks (address TEXT)")
    content = other.read_bytes()
    assert "a database, but not a ledger" in refused(opens, other)
    assert other.read_bytes() == content
    assert "is a directory" in refused(opens, tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["notes.txt", "other.db"]


@pytest.mark.parametrize("opens", [LedgerReader, LedgerWriter])
def test_a_newer_ledger_is_refused(opens, tmp_path):
    path = make_ledger(tmp_path / "usage.db", HOURS)
    database(path, "PRAGMA user_version = 99")
    assert "is of a newer freeflow (version 99, this one knows 2)" in refused(opens, path)


def test_a_missing_ledger_cannot_be_read_and_is_not_made(tmp_path):
    assert "no such ledger" in refused(LedgerReader, tmp_path / "usage.db")
    assert list(tmp_path.iterdir()) == []


def test_a_ledger_in_a_missing_folder_cannot_be_written(tmp_path):
    assert "cannot be opened as a ledger (unable to open" in refused(LedgerWriter, tmp_path / "nowhere" / "usage.db")


def test_two_cannot_write_one_ledger(tmp_path):
    path = tmp_path / "usage.db"
    with LedgerWriter(path) as writer:
        writer.begin_run(RUN)
        assert "another freeflow is writing it" in refused(LedgerWriter, path)
        with LedgerReader(path) as reader:
            assert reader.runs() == {1: RUN}
    LedgerWriter(path).close()


def test_an_older_ledger_is_brought_up_to_date_with_all_that_is_in_it(tmp_path, monkeypatch):
    path = make_ledger(tmp_path / "usage.db", HOURS)
    monkeypatch.setattr(schema, "MIGRATIONS", (*schema.MIGRATIONS, SECOND))
    assert "older" in refused(LedgerReader, path)
    LedgerWriter(path).close()
    with sqlite3.connect(path) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (3,)
        assert connection.execute("SELECT site FROM run").fetchall() == [("here",)]
    with LedgerReader(path) as reader:
        assert [one.uplink_octets for one in reader.day_totals()] == [100]
    LedgerWriter(tmp_path / "new.db").close()
    with sqlite3.connect(tmp_path / "new.db") as connection:
        assert connection.execute("SELECT count(*) FROM note").fetchone() == (0,)


def test_a_migration_that_fails_changes_nothing(tmp_path, monkeypatch):
    path = make_ledger(tmp_path / "usage.db", HOURS)
    with monkeypatch.context() as patched:
        patched.setattr(schema, "MIGRATIONS", (*schema.MIGRATIONS, SECOND + "INSERT INTO nowhere VALUES (1);\n"))
        with pytest.raises(sqlite3.OperationalError, match="no such table: nowhere"):
            LedgerWriter(path)
    with sqlite3.connect(path) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (2,)
        assert "site" not in [row[1] for row in connection.execute("PRAGMA table_info(run)")]
    LedgerWriter(path).close()


def test_a_damaged_ledger_is_one_line(tmp_path):
    path = make_ledger(tmp_path / "usage.db", HOURS)
    content = bytearray(path.read_bytes())
    content[4096:] = bytes(len(content) - 4096)
    path.write_bytes(content)
    assert "(database disk image is malformed)" in refused(LedgerReader, path)
    assert "(database disk image is malformed)" in refused(LedgerWriter, path)
