"""What every run works with, whatever its task does; a runner adds nothing of its own to it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass

from sync.clock import Clock
from sync.entra.cloud import Endpoints
from sync.entra.graph.client import GraphClient
from sync.entra.graph.limiter import Limiters
from sync.entra.signin.token import SignIn
from sync.scan.scanner.name import NameOf
from sync.secret.vault import Vault
from sync.store import Store
from sync.tasks.defaults import FULL_ROUND_DAYS

ROWS_AHEAD = 1_000
"""Graph's pages are small, and each commit has its price."""

Connect = Callable[[SignIn, Clock], AbstractAsyncContextManager[GraphClient]]


@dataclass(frozen=True)
class Workplace:
    """What a run works with."""

    store: Store
    clock: Clock
    vault: Vault
    custom: Endpoints | None
    connect: Connect
    look_up: NameOf
    limiters: Limiters
    # So many rows of a full round are read ahead and written at once.
    rows_ahead: int
    # Set when the process is about to stop, or a person stops this run: it ends after the page in hand.
    stopping: asyncio.Event
    # After how many days a task reads everything again that does not say so itself; 0 is never.
    full_round_days: int = FULL_ROUND_DAYS
