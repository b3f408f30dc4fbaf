"""Tasks: what to do, where, with which credential; created once, triggered as often as one likes."""

from __future__ import annotations

import hashlib
from dataclasses import asdict, dataclass

import orjson
from sqlalchemy import insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from sync.clock import Clock, timestamp
from sync.credentials import usable_credential
from sync.errors import BadInput, Conflict, NotFound
from sync.organizations import check_name, check_text
from sync.scan.options import ScanOptions, check_options
from sync.store.tables import idempotency_keys, runs, sites, tasks
from sync.tasks.log import Level, write_log
from sync.tasks.state import ACTIVE, RunStatus, TaskKind, Trigger, check_move

IDEMPOTENCY_KEY_CHARS_MAX = 200


@dataclass(frozen=True)
class NewConnector:
    """A connector task as a person enters it."""

    name: str
    site_id: int
    credential_id: int
    description: str | None = None
    exclude_unknown: bool = False
    include_inactive: bool = False


@dataclass(frozen=True)
class NewScan:
    """A scan task as a person enters it; credential and device options are those of its Azure AD probe."""

    name: str
    site_id: int
    options: ScanOptions
    credential_id: int | None = None
    description: str | None = None
    exclude_unknown: bool = False
    include_inactive: bool = False


async def create_connector(
    tx: AsyncConnection,
    clock: Clock,
    *,
    organization_id: int,
    new: NewConnector,
    created_by: str,
    idempotency_key: str | None = None,
) -> int:
    """Create a connector task and return its key; with a known idempotency key, return the task made then.

    Raises:
        NotFound: the site or the credential is not one of the organization's.
        BadInput: a field is malformed.
        Conflict: the idempotency key was used with another input.
    """
    request = _Idempotent(organization_id, "createTask", idempotency_key, asdict(new))
    if (known := await request.result(tx)) is not None:
        return known
    site = await tx.scalar(
        select(sites.c.id).where(sites.c.id == new.site_id, sites.c.organization_id == organization_id)
    )
    if site is None:
        raise NotFound("There is no such site.", path="site")
    await usable_credential(tx, organization_id, new.credential_id)
    task_id, now = await _insert(tx, clock, organization_id, new, created_by, kind=TaskKind.CONNECTOR)
    await request.remember(tx, task_id, now)
    return task_id


async def create_scan(
    tx: AsyncConnection,
    clock: Clock,
    *,
    organization_id: int,
    new: NewScan,
    created_by: str,
    idempotency_key: str | None = None,
) -> int:
    """Create a scan task and return its key; with a known idempotency key, return the task made then.

    Raises:
        NotFound: the site or the credential is not one of the organization's.
        BadInput: a field is malformed, there is too much to scan, or it is outside the site's scope.
        Conflict: the idempotency key was used with another input.
    """
    request = _Idempotent(organization_id, "createTask", idempotency_key, asdict(new))
    if (known := await request.result(tx)) is not None:
        return known
    mine = (sites.c.id == new.site_id, sites.c.organization_id == organization_id)
    site = (await tx.execute(select(sites.c.scope).where(*mine))).first()
    if site is None:
        raise NotFound("There is no such site.", path="site")
    check_options(new.options, site.scope)
    if new.credential_id is not None:
        await usable_credential(tx, organization_id, new.credential_id)
    scan = new.options.dump()
    task_id, now = await _insert(tx, clock, organization_id, new, created_by, kind=TaskKind.SCAN, scan=scan)
    await request.remember(tx, task_id, now)
    return task_id


async def _insert(
    tx: AsyncConnection,
    clock: Clock,
    organization_id: int,
    new: NewConnector | NewScan,
    created_by: str,
    **more: object,
) -> tuple[int, str]:
    now = timestamp(clock.now())
    statement = insert(tasks).values(
        organization_id=organization_id,
        site_id=new.site_id,
        credential_id=new.credential_id,
        name=check_name(new.name),
        description=check_text(new.description, "description"),
        exclude_unknown=new.exclude_unknown,
        include_inactive=new.include_inactive,
        paused=False,
        hidden=False,
        created_by=created_by,
        created_at=now,
        updated_at=now,
        **more,
    )
    return int((await tx.execute(statement.returning(tasks.c.id))).scalar_one()), now


async def trigger_task(
    tx: AsyncConnection,
    clock: Clock,
    *,
    organization_id: int,
    task_id: int,
    triggered_by: str,
    idempotency_key: str | None = None,
) -> int:
    """Queue a run of a task and return its key; the engine is told after the transaction has committed.

    Raises:
        NotFound: there is no such task in the organization.
        Conflict: a run of it is active, or the idempotency key was used for another task.
    """
    request = _Idempotent(organization_id, "triggerTask", idempotency_key, {"task": task_id})
    if (known := await request.result(tx)) is not None:
        return known
    found = select(tasks.c.id).where(tasks.c.id == task_id, tasks.c.organization_id == organization_id)
    if await tx.scalar(found) is None:
        raise NotFound("There is no such task.", path="task")
    active = await tx.scalar(select(runs.c.id).where(runs.c.task_id == task_id, runs.c.status.in_(ACTIVE)).limit(1))
    if active is not None:
        raise Conflict("A run of this task is active.", hint="Wait for it to end, or stop it.", path="task")
    await _supersede(tx, clock, task_id)
    now = timestamp(clock.now())
    statement = insert(runs).values(
        organization_id=organization_id,
        task_id=task_id,
        status=RunStatus.QUEUED,
        trigger=Trigger.MANUAL,
        triggered_by=triggered_by,
        attempt=1,
        progress={},
        counts={},
        requests={},
        errors=[],
        created_at=now,
        updated_at=now,
    )
    run_id = int((await tx.execute(statement.returning(runs.c.id))).scalar_one())
    await request.remember(tx, run_id, now)
    return run_id


async def _supersede(tx: AsyncConnection, clock: Clock, task_id: int) -> None:
    """Stop a run that waits for confirmation: the new one finds out anew what there is to confirm."""
    waits = select(runs.c.id).where(runs.c.task_id == task_id, runs.c.status == RunStatus.NEEDS_CONFIRMATION)
    now = timestamp(clock.now())
    for run_id in (await tx.scalars(waits)).all():
        check_move(RunStatus.NEEDS_CONFIRMATION, RunStatus.STOPPED)
        values = {"status": RunStatus.STOPPED, "finished_at": now, "updated_at": now}
        await tx.execute(update(runs).where(runs.c.id == run_id).values(values))
        await tx.run_sync(write_log, clock, run_id, Level.INFO, "A newer run of the task takes its place.")


async def confirm_removal(
    tx: AsyncConnection, clock: Clock, *, organization_id: int, run_id: int, confirmed_by: str
) -> None:
    """Let a run that waits for it remove what it told of, and queue it again; the engine is told after the commit.

    What the run would remove beyond that has to be confirmed again.

    Raises:
        NotFound: there is no such run in the organization.
        Conflict: the run does not wait for a confirmation.
    """
    mine = (runs.c.id == run_id, runs.c.organization_id == organization_id)
    row = (await tx.execute(select(runs.c.status, runs.c.removals).where(*mine))).first()
    if row is None:
        raise NotFound("There is no such run.", path="run")
    if row.status != RunStatus.NEEDS_CONFIRMATION:
        raise Conflict("The run does not wait for a confirmation.", hint="See its status and errors.", path="run")
    check_move(RunStatus(row.status), RunStatus.QUEUED)
    removals = {kind: {**held, "confirmed": True} for kind, held in (row.removals or {}).items()}
    values = {"status": RunStatus.QUEUED, "removals": removals, "updated_at": timestamp(clock.now())}
    await tx.execute(update(runs).where(*mine).values(values))
    told = ", ".join(f"{held['rows']:,} of {held['of']:,} {kind}" for kind, held in sorted(removals.items()))
    await tx.run_sync(write_log, clock, run_id, Level.WARNING, f"{confirmed_by} confirmed the removal of {told}.")


class _Idempotent:
    """One request that may be sent again: the same key and input give the first answer."""

    def __init__(self, organization_id: int, operation: str, key: str | None, payload: object) -> None:
        if key is not None and not (0 < len(key) <= IDEMPOTENCY_KEY_CHARS_MAX and key.isprintable()):
            raise BadInput(
                f"An idempotency key has 1 to {IDEMPOTENCY_KEY_CHARS_MAX} printable characters.", path="idempotencyKey"
            )
        self._place = {"organization_id": organization_id, "operation": operation, "key": key}
        self._hash = hashlib.sha256(orjson.dumps(payload, option=orjson.OPT_SORT_KEYS)).digest()

    async def result(self, tx: AsyncConnection) -> int | None:
        table = idempotency_keys
        if self._place["key"] is None:
            return None
        statement = select(table.c.input_hash, table.c.result_id)
        row = (
            await tx.execute(statement.where(*(table.c[name] == value for name, value in self._place.items())))
        ).first()
        if row is None:
            return None
        if row.input_hash != self._hash:
            raise Conflict("This idempotency key was used with another input.", path="idempotencyKey")
        return int(row.result_id)

    async def remember(self, tx: AsyncConnection, result_id: int, now: str) -> None:
        if self._place["key"] is not None:
            values = {**self._place, "input_hash": self._hash, "result_id": result_id, "created_at": now}
            await tx.execute(insert(idempotency_keys).values(values))
