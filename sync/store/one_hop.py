"""Runs a whole write transaction as one function on the driver's thread: one thread switch for all its statements.

SQLAlchemy's asyncio cursors switch to the driver's thread four times a statement, which costs more than a small
statement itself; see docs/decisions/0009. The function must not touch the event loop.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import orjson
from sqlalchemy import Connection, Engine, StaticPool, create_engine, event
from sqlalchemy.ext.asyncio import AsyncConnection

from sync.store.statement.digits import read_json

T = TypeVar("T")


async def in_thread(connection: AsyncConnection, begin: str, work: Callable[[Connection], T]) -> T:
    """Run `work` in one transaction: committed when it returns, rolled back when it raises.

    Args:
        connection: the checked-out writer, outside any transaction.
        begin: the statement that opens a write transaction on SQLite.
        work: makes all its changes through the connection that it gets.
    """
    if connection.dialect.name != "sqlite":
        async with connection.begin():
            return await connection.run_sync(work)
    raw = await connection.get_raw_connection()
    driver: Any = raw.driver_connection
    engine = raw.info.get("plain")
    if engine is None:
        engine = raw.info["plain"] = _engine(driver, begin)
    # If the caller is cancelled, the work still finishes; the connection's next statement waits for it.
    result: T = await driver._execute(_transaction, engine, work)
    return result


def _transaction(engine: Engine, work: Callable[[Connection], T]) -> T:
    with engine.begin() as tx:
        return work(tx)


def _engine(driver: Any, begin: str) -> Engine:
    """Make an engine over the driver's open connection; it does not close that connection."""
    engine = create_engine(
        "sqlite://",
        creator=lambda: driver._conn,
        poolclass=StaticPool,
        pool_reset_on_return=None,
        hide_parameters=True,
        json_serializer=lambda value: orjson.dumps(value).decode(),
        json_deserializer=read_json,
    )

    @event.listens_for(engine, "begin")
    def start(connection: Connection) -> None:
        connection.exec_driver_sql(begin)

    return engine
