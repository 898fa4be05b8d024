"""The SuperLink's database, before the SuperLink has it."""

import sqlite3
from contextlib import closing
from pathlib import Path

from zk0_core.federation.server import PAGE_BYTES, ensure_database


def page_bytes(path: Path) -> int:
    with closing(sqlite3.connect(path)) as database:
        # As the SuperLink opens it: from then on a page has the size that it has.
        database.execute("PRAGMA journal_mode = WAL")
        return int(database.execute("PRAGMA page_size").fetchone()[0])


def test_a_new_database_has_large_pages(tmp_path: Path) -> None:
    ensure_database(tmp_path / "superlink.db")
    assert page_bytes(tmp_path / "superlink.db") == PAGE_BYTES == 65536


def test_a_database_that_is_there_stays(tmp_path: Path) -> None:
    path = tmp_path / "superlink.db"
    with closing(sqlite3.connect(path)) as database:
        database.execute("CREATE TABLE kept (id INTEGER)")
    before = path.read_bytes()
    ensure_database(path)
    assert path.read_bytes() == before
