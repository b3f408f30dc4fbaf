"""Tasks: creates, changes, schedules, pauses, hides and deletes them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import timedelta
from typing import Any

from sqlalchemy import delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from sync.clock import Clock, timestamp
from sync.errors import BadInput, Conflict, NotFound
from sync.events import RUN, note
from sync.organization.idempotency import Idempotent, forget
from sync.organization.organizations import check_name, check_text
from sync.scan.options import ScanOptions, check_options
from sync.secret.credentials import usable_credential
from sync.store import AnyRow
from sync.store.tables import runs, sites, tasks
from sync.tasks.defaults import FULL_ROUND_DAYS_MAX
from sync.tasks.frequency import frequency_of
from sync.tasks.run.queue import active_run
from sync.tasks.run.retry import NOTHING_PLANNED, drop_retry
from sync.tasks.run.state import TaskKind
from sync.tasks.schedule import Schedule, next_time, schedule_of, settled


@dataclass(frozen=True)
class NewConnector:
    """A connector task as a person enters it."""

    name: str
    site_id: int
    credential_id: int
    description: str | None = None
    exclude_unknown: bool = False
    include_inactive: bool = False
    # Days between full rounds; 0: never, None: the server's setting.
    full_round_days: int | None = None
    schedule: Schedule | None = None


@dataclass(frozen=True)
class NewScan:
    """A scan task as a person enters it; its Azure AD probe uses the credential and the device options."""

    name: str
    site_id: int
    options: ScanOptions
    credential_id: int | None = None
    description: str | None = None
    exclude_unknown: bool = False
    include_inactive: bool = False
    schedule: Schedule | None = None


async def create_connector(
    tx: AsyncConnection,
    clock: Clock,
    *,
    organization_id: int,
    new: NewConnector,
    created_by: str,
    idempotency_key: str | None = None,
) -> int:
    """Create a connector task and return its key; for a known idempotency key, return the key of its first task.

    Raises:
        NotFound: the organization does not have the site or the credential.
        BadInput: a field is malformed, or the schedule is never due.
        Conflict: the idempotency key was used with another input.
    """
    request = Idempotent(organization_id, "createTask", idempotency_key, asdict(new))
    if (known := await request.result(tx)) is not None:
        return known
    site = await tx.scalar(
        select(sites.c.id).where(sites.c.id == new.site_id, sites.c.organization_id == organization_id)
    )
    if site is None:
        raise NotFound("There is no such site.", path="site")
    await usable_credential(tx, organization_id, new.credential_id)
    days = check_full_round_days(new.full_round_days)
    more = {"kind": TaskKind.CONNECTOR, "full_round_days": days}
    task_id = await _insert(tx, clock, organization_id, new, created_by, **more)
    await request.remember(tx, clock, task_id)
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
    """Create a scan task and return its key; for a known idempotency key, return the key of its first task.

    Raises:
        NotFound: the organization does not have the site or the credential.
        BadInput: a field is malformed, the targets are too many or outside the site's scope, or the schedule is never
            due.
        Conflict: the idempotency key was used with another input.
    """
    request = Idempotent(organization_id, "createTask", idempotency_key, asdict(new))
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
    task_id = await _insert(tx, clock, organization_id, new, created_by, kind=TaskKind.SCAN, scan=scan)
    await request.remember(tx, clock, task_id)
    return task_id


async def _insert(
    tx: AsyncConnection,
    clock: Clock,
    organization_id: int,
    new: NewConnector | NewScan,
    created_by: str,
    **more: object,
) -> int:
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
    task_id = int((await tx.execute(statement.returning(tasks.c.id))).scalar_one())
    if new.schedule:
        await set_schedule(tx, clock, task_id, new.schedule)
    return task_id


def check_full_round_days(days: int | None) -> int | None:
    """Return the days between full rounds, unchanged.

    Raises:
        BadInput: the number is out of range.
    """
    if days is not None and not 0 <= days <= FULL_ROUND_DAYS_MAX:
        raise BadInput(
            f"The value must be 0 to {FULL_ROUND_DAYS_MAX:,} days, not {days}.", path="connector.azureAd.fullRoundDays"
        )
    return days


async def set_schedule(tx: AsyncConnection, clock: Clock, task_id: int, schedule: Schedule | None) -> None:
    """Set or remove the schedule of a task; the caller wakes the ticker after the commit.

    Raises:
        BadInput: a value of the schedule is invalid, or it is never due; `path` begins with `schedule`.
    """
    now = clock.now()
    values: dict[str, Any] = {"schedule": None, "frequency": None, **NOTHING_PLANNED}
    if schedule is not None:
        schedule = _usable(schedule, clock)
        # Stored times are cut to milliseconds: search from a millisecond ago, so that the present time counts.
        due = next_time(schedule, task_id, now - timedelta(milliseconds=1))
        if due is None:
            raise BadInput("The schedule is never due: all its times are in the past.", path="schedule")
        paused = await tx.scalar(select(tasks.c.paused).where(tasks.c.id == task_id))
        values |= {"schedule": schedule.stored(), "next_run_at": None if paused else timestamp(due)}
        values["frequency"] = frequency_of(schedule)
    await tx.execute(update(tasks).where(tasks.c.id == task_id).values(values | {"updated_at": timestamp(now)}))


def _usable(schedule: Schedule, clock: Clock) -> Schedule:
    try:
        return settled(schedule, clock.now())
    except BadInput as error:
        error.facts["path"] = f"schedule.{error.facts['path']}"
        raise


async def update_task(
    tx: AsyncConnection,
    clock: Clock,
    *,
    organization_id: int,
    task_id: int,
    changes: Mapping[str, Any],
    kind: TaskKind | None = None,
) -> int:
    """Change a task and return its key; an active run keeps its options, and a planned retry is cancelled.

    Args:
        changes: column → value; `schedule` is a Schedule or None, `scan` has the changed fields of `ScanOptions`.
            Missing columns stay unchanged.
        kind: the kind of task that these changes need; None fits every task.

    Raises:
        NotFound: the organization does not have the task or the credential.
        BadInput: a value is invalid, or does not fit this kind of task.
    """
    task = await _task(tx, organization_id, task_id)
    if kind is not None and task.kind != kind:
        raise BadInput(f"The task is a {task.kind}; it cannot become a {kind}.", path=kind.lower())
    values = {name: value for name, value in changes.items() if name not in ("schedule", "scan")}
    if "name" in values:
        values["name"] = check_name(values["name"])
    if "description" in values:
        values["description"] = check_text(values["description"], "description")
    if "credential_id" in values:
        await usable_credential(tx, organization_id, values["credential_id"])
    if "full_round_days" in values:
        check_full_round_days(values["full_round_days"])
    if changes.get("scan") and task.scan is not None:
        values["scan"] = await _rescanned(tx, task, changes["scan"], values.get("credential_id", task.credential_id))
    values["updated_at"] = timestamp(clock.now())
    await drop_retry(tx, clock, task_id, "the task was changed")
    await tx.execute(update(tasks).where(tasks.c.id == task_id).values(values))
    if "schedule" in changes:
        await set_schedule(tx, clock, task_id, changes["schedule"])
    return task_id


async def _rescanned(
    tx: AsyncConnection, task: AnyRow, changes: Mapping[str, Any], credential_id: int | None
) -> dict[str, Any]:
    """Return the changed options of a scan task, checked like those of a new one."""
    options = replace(ScanOptions.load(task.scan), **changes)
    check_options(options, await tx.scalar(select(sites.c.scope).where(sites.c.id == task.site_id)))
    if options.azure_ad and credential_id is None:
        raise BadInput("The Azure AD probe needs a credential.", hint="Name one together with the probe.")
    return options.dump()


async def delete_task(tx: AsyncConnection, *, organization_id: int, task_id: int) -> int:
    """Delete a task with its runs and their logs and return its key; the inventory stays.

    Raises:
        NotFound: there is no such task in the organization.
        Conflict: a run of the task is active.
    """
    await _task(tx, organization_id, task_id)
    if await active_run(tx, task_id) is not None:
        raise Conflict("A run of this task is active.", hint="Stop it first, or wait for it to end.", path="task")
    mine = select(runs.c.id).where(runs.c.task_id == task_id)
    for run_id in (await tx.scalars(mine)).all():
        await tx.run_sync(note, RUN, run_id)
    await tx.run_sync(forget, organization_id, "TaskRun", mine)
    await tx.run_sync(forget, organization_id, "Task", select(tasks.c.id).where(tasks.c.id == task_id))
    await tx.execute(delete(runs).where(runs.c.task_id == task_id))
    await tx.execute(delete(tasks).where(tasks.c.id == task_id))
    return task_id


async def hide_task(tx: AsyncConnection, clock: Clock, *, organization_id: int, task_id: int, hidden: bool) -> int:
    """Hide a task from lists, or show it again, and return its key; it runs as before.

    Raises:
        NotFound: there is no such task in the organization.
    """
    await _task(tx, organization_id, task_id)
    values = {"hidden": hidden, "updated_at": timestamp(clock.now())}
    await tx.execute(update(tasks).where(tasks.c.id == task_id).values(values))
    return task_id


async def pause_task(tx: AsyncConnection, clock: Clock, *, organization_id: int, task_id: int, paused: bool) -> int:
    """Pause or resume a task's schedule and return the task's key; see `set_paused`.

    Raises:
        NotFound: there is no such task in the organization.
    """
    await _task(tx, organization_id, task_id)
    await set_paused(tx, clock, [task_id], paused)
    return task_id


async def set_paused(tx: AsyncConnection, clock: Clock, keys: Sequence[int], paused: bool) -> list[int]:
    """Pause or resume the schedules of tasks, and return the keys of the tasks that changed.

    Times that pass meanwhile get no run, and planned retries are cancelled. Active runs continue, and triggers work.
    """
    now = clock.now()
    found = select(tasks.c.id, tasks.c.schedule).where(tasks.c.id.in_(keys), tasks.c.paused.is_not(paused))
    changed = (await tx.execute(found.order_by(tasks.c.id))).all()
    for key, stored in changed:
        due = next_time(schedule_of(stored), key, now) if stored and not paused else None
        values = {"paused": paused, "next_run_at": due and timestamp(due), "updated_at": timestamp(now)}
        await drop_retry(tx, clock, key, "the task was paused")
        await tx.execute(update(tasks).where(tasks.c.id == key).values(values))
    return [key for key, _ in changed]


async def _task(tx: AsyncConnection, organization_id: int, task_id: int) -> AnyRow:
    mine = tasks.c.id == task_id, tasks.c.organization_id == organization_id
    task = (await tx.execute(select(tasks).where(*mine))).first()
    if task is None:
        raise NotFound("There is no such task.", path="task")
    return task
