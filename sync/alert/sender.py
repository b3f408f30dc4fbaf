"""Sends the messages of the outbox: new messages wake it, else it sleeps until the next attempt is due.

A message is sent at least once: after a kill during an attempt it is sent again, with the same id.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection, Mapping
from datetime import datetime, timedelta

from sqlalchemy import delete, func, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from sync.alert.post import Outcome, signature
from sync.alert.webhook import DeliveryStatus, origin_of, secret_place
from sync.clock import Clock, timestamp
from sync.errors import Interrupted, StoreError, VaultError
from sync.secret.vault import Vault
from sync.store import AnyRow, Store
from sync.store.tables import deliveries, webhooks
from sync.tasks.engine.wait import unless_stopping
from sync.wait import first_of

# Seconds before each further attempt; after the last one, about 21 hours in total, the message is given up.
BACKOFF_S = (10, 60, 300, 1_800, 7_200, 21_600, 43_200)
KEPT_MAX = 1_000
AT_ONCE = 16
STORE_INTERVAL_S = 15.0
_log = logging.getLogger("rollcall.alert")

Post = Callable[[str, bytes, Mapping[str, str]], Awaitable[Outcome]]


class Sender:
    """Sends pending messages; `allowed` are the origins that the operator permits."""

    def __init__(self, store: Store, clock: Clock, vault: Vault, allowed: Collection[str], post: Post) -> None:
        self._store, self._clock, self._vault, self._post = store, clock, vault, post
        self.allowed = tuple(allowed)
        self._stopping, self._news = asyncio.Event(), asyncio.Event()
        self._work: asyncio.Task[None] | None = None

    def wake(self) -> None:
        """Start to send; call this when a message was written or may be due."""
        self._news.set()
        if not self._stopping.is_set() and (self._work is None or self._work.done()):
            self._work = asyncio.create_task(self._run(), name="alerts")

    async def idle(self) -> None:
        """Wait until no message is pending."""
        while self._work and not self._work.done():
            await asyncio.wait([self._work])

    async def stop(self) -> None:
        """Abort running attempts and return; their messages are sent again after the next start."""
        self._stopping.set()
        await self.idle()

    async def _run(self) -> None:
        while not self._stopping.is_set():
            self._news.clear()
            try:
                wait_s = await self._round()
            except StoreError as error:
                _log.warning("alerts wait for the database: %s", error.message)
                wait_s = STORE_INTERVAL_S
            except Interrupted:
                return
            if wait_s is None and not self._news.is_set():
                return
            await first_of(self._stopping.wait(), self._news.wait(), self._clock.sleep(wait_s or 0.0))

    async def _round(self) -> float | None:
        """Send the due messages, one for each webhook; return the seconds until the next is due, None if none waits."""
        now = timestamp(self._clock.now())
        waits = deliveries.c.status == DeliveryStatus.PENDING
        due = select(func.min(deliveries.c.id)).where(waits, deliveries.c.next_attempt_at <= now)
        first = due.group_by(deliveries.c.webhook_id).limit(AT_ONCE)
        columns = (webhooks.c.url, webhooks.c.sealed_secret)
        joined = select(deliveries, *columns).join_from(deliveries, webhooks, webhooks.c.id == deliveries.c.webhook_id)
        async with self._store.read() as tx:
            rows = (await tx.execute(joined.where(deliveries.c.id.in_(first)))).all()
        await asyncio.gather(*map(self._attempt, rows))
        async with self._store.read() as tx:
            next_at = await tx.scalar(select(func.min(deliveries.c.next_attempt_at)).where(waits))
        if next_at is None:
            return None
        # Add a millisecond: the stored time is cut to milliseconds.
        return max(0.0, (datetime.fromisoformat(next_at) - self._clock.now()).total_seconds() + 0.001)

    async def _attempt(self, row: AnyRow) -> None:
        outcome, is_final = await self._send(row)
        async with self._store.write() as tx:
            await self._note(tx, row, outcome, is_final=is_final)

    async def _send(self, row: AnyRow) -> tuple[Outcome, bool]:
        """Send a message; return the outcome, and whether it is final."""
        origin = origin_of(row.url)
        if origin not in {origin_of(each) for each in self.allowed}:
            return Outcome(None, f"the operator does not allow {origin}"), True
        try:
            secret = self._vault.open(row.sealed_secret, secret_place(row.organization_id, row.webhook_id))
        except VaultError as error:
            return Outcome(None, error.message), True
        body = row.body.encode()
        headers = {
            "Rollcall-Event": row.event,
            "Rollcall-Delivery": f"alert_{row.id}",
            "Rollcall-Signature": signature(secret, int(self._clock.now().timestamp()), body),
        }
        return await unless_stopping(self._stopping, self._post(row.url, body, headers)), False

    async def _note(self, tx: AsyncConnection, row: AnyRow, outcome: Outcome, *, is_final: bool) -> None:
        now, attempts = self._clock.now(), row.attempts + 1
        status, next_at = DeliveryStatus.DELIVERED, None
        if not outcome.is_good:
            status = DeliveryStatus.FAILED
            if not is_final and attempts <= len(BACKOFF_S):
                wait_s = BACKOFF_S[attempts - 1] * (1 + 0.1 * self._clock.chance())
                status, next_at = DeliveryStatus.PENDING, timestamp(now + timedelta(seconds=wait_s))
        values = {
            "status": status,
            "attempts": attempts,
            "next_attempt_at": next_at,
            "last_attempt_at": timestamp(now),
            "http_status": outcome.status,
            "error": outcome.error,
            "updated_at": timestamp(now),
        }
        # Do not change the delivery if its webhook was switched off meanwhile.
        waits = (deliveries.c.id == row.id, deliveries.c.status == DeliveryStatus.PENDING)
        await tx.execute(update(deliveries).where(*waits).values(values))
        mine = (deliveries.c.webhook_id == row.webhook_id, deliveries.c.status != DeliveryStatus.PENDING)
        kept = select(deliveries.c.id).where(*mine).order_by(deliveries.c.id.desc()).offset(KEPT_MAX)
        await tx.execute(delete(deliveries).where(deliveries.c.id.in_(kept.limit(100))))
