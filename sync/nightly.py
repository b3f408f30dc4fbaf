"""The nightly job, at 03:00 UTC: applies the retention of every organization."""

from __future__ import annotations

import asyncio
import logging
from datetime import datetime, timedelta

from sqlalchemy import select

from sync.clock import Clock
from sync.errors import RollcallError
from sync.inventory.retention import apply_retention
from sync.store import Store
from sync.store.tables import organizations
from sync.wait import first_of

HOUR = 3
_log = logging.getLogger("rollcall.nightly")


def seconds_until_night(now: datetime) -> float:
    """Return the seconds until the next 03:00 UTC; at 03:00 exactly, a whole day."""
    night = now.replace(hour=HOUR, minute=0, second=0, microsecond=0)
    return ((night if night > now else night + timedelta(days=1)) - now).total_seconds()


async def keep_house(store: Store, clock: Clock, stopping: asyncio.Event) -> None:
    """Apply every organization's retention each night until the process stops; an error ends only that night's job."""
    while not stopping.is_set():
        await first_of(clock.sleep(seconds_until_night(clock.now())), stopping.wait())
        if not stopping.is_set():
            await clear_up(store, clock, stopping)


async def clear_up(store: Store, clock: Clock, stopping: asyncio.Event) -> None:
    """Apply every organization's retention once."""
    try:
        async with store.read() as tx:
            keys = list(await tx.scalars(select(organizations.c.id).order_by(organizations.c.id)))
        for key in keys:
            removed = await apply_retention(store, clock, key, stopping.is_set)
            if removed.total():
                text = ", ".join(f"{number} {subject}" for subject, number in removed.items() if number)
                _log.info("retention of organization %d removed %s", key, text)
    except RollcallError as error:
        _log.warning("retention failed and continues the next night: %s", error.message)
