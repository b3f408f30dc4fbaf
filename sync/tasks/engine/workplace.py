"""The dependencies of every run, whatever the kind of its task."""

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
"""Rows of a full round to write in one transaction: Graph's pages are small, and each commit is costly."""

Connect = Callable[[SignIn, Clock], AbstractAsyncContextManager[GraphClient]]


@dataclass(frozen=True)
class Workplace:
    """The dependencies of a run."""

    store: Store
    clock: Clock
    vault: Vault
    custom: Endpoints | None
    connect: Connect
    look_up: NameOf
    limiters: Limiters
    # Rows of a full round that are read ahead and written in one transaction.
    rows_ahead: int
    # Set when the process stops or a person stops this run: the run then ends after its current page.
    stopping: asyncio.Event
    # Days between full rounds for tasks without a number of their own; 0: never.
    full_round_days: int = FULL_ROUND_DAYS
