"""The least that writing a synced database can cost: the same rows, upserted by the driver itself, nothing else."""

from __future__ import annotations

import sqlite3
import time
from pathlib import Path

from sync.store.engine import WRITER_PRAGMAS
from sync.store.statement.function import register

TABLES = ("objects", "raw", "users", "groups", "devices", "edges", "assets", "asset_keys", "matches")


def bare_upsert_s(synced: Path, empty: Path, transactions: int) -> tuple[float, float]:
    """Write what a sync wrote into an empty database and return seconds and CPU seconds.

    Args:
        synced: the database after a sync.
        empty: a file to be made.
        transactions: how many to write it in; each gets its part of every table.
    """
    source, target = sqlite3.connect(synced), sqlite3.connect(empty, isolation_level=None)
    register(target)
    for pragma in WRITER_PRAGMAS:
        target.execute(pragma)
    # Foreign keys to tables that are not copied: the sync's own rows only.
    target.execute("PRAGMA foreign_keys=OFF")
    plain = "SELECT sql FROM sqlite_master WHERE tbl_name IN ({}) AND sql IS NOT NULL ORDER BY type DESC"
    for (sql,) in source.execute(plain.format(",".join("?" * len(TABLES))), TABLES):
        target.execute(sql)
    seconds = cpu_s = 0.0
    cursors = {table: source.execute(f"SELECT * FROM {table}") for table in TABLES}  # noqa: S608 - our own names
    sizes = {
        table: -(-source.execute(f"SELECT count(*) FROM {table}").fetchone()[0] // transactions)  # noqa: S608
        for table in TABLES
    }
    statements = {table: _upsert(target, table) for table in TABLES}
    for _ in range(transactions):
        rows = {table: cursors[table].fetchmany(max(1, sizes[table])) for table in TABLES}
        started, worked = time.perf_counter(), time.process_time()
        target.execute("BEGIN IMMEDIATE")
        for table in TABLES:
            target.executemany(statements[table], rows[table])
        target.execute("COMMIT")
        seconds += time.perf_counter() - started
        cpu_s += time.process_time() - worked
    source.close()
    target.close()
    return seconds, cpu_s


def _upsert(target: sqlite3.Connection, table: str) -> str:
    columns = target.execute(f"PRAGMA table_info({table})").fetchall()
    key = ", ".join(column[1] for column in columns if column[5])
    fresh = ", ".join(f"{column[1]} = excluded.{column[1]}" for column in columns if not column[5]) or f"{key} = {key}"
    conflict = f"ON CONFLICT ({key}) DO UPDATE SET {fresh}" if any(not column[5] for column in columns) else ""
    return f"INSERT INTO {table} VALUES ({', '.join('?' * len(columns))}) {conflict}"  # noqa: S608
