"""Keywords of other products for users, tasks and sites: their meaning here, or why there is no such data."""

from __future__ import annotations

import re
from dataclasses import replace

from schema.field.registry import NOUNS, FieldKind
from schema.filter.expr import NOTHING, And, Compare, Expr, Not, Op, Or, Quantifier, Related, exists
from schema.filter.known_values import is_foreign_id
from schema.search.value import Reading, choose, condition, present, yes
from schema.search.vocabulary.keyword import Keyword

_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)


def uncollected(name: str, aliases: tuple[str, ...], kind: FieldKind, why: str, instead: str) -> Keyword:
    """Make a keyword of other products that is refused with the reason.

    Args:
        name: of the keyword.
        aliases: of the keyword.
        kind: of its values.
        why: the error's message, without its full stop.
        instead: the error's hint.
    """

    def read(reading: Reading) -> Expr:
        reading.refuse(f"{why} ({name}): no such data here", hint=instead, is_unknown=True)

    return Keyword(
        name, aliases, kind, f"No such data here: {why[0].lower()}{why[1:]}.", read, NOTHING, (), False, instead
    )


def is_disabled() -> Keyword:
    """Make the opposite of `account_enabled`; it is missing if that is."""
    field = NOUNS["User"].fields["account_enabled"]

    def read(reading: Reading) -> Expr:
        return condition(field, "", reading) if reading.is_missing else Compare(field.name, Op.EQ, not yes(reading))

    return Keyword("is_disabled", (), FieldKind.BOOL, "Whether the account may not sign in.", read, present(field))


def password_expired() -> Keyword:
    """Make the refused keyword for expired passwords, which Microsoft Graph does not report."""
    why = "Whether a password has expired is not collected, because the directory does not report it"
    instead = (
        "Ask for old passwords that can expire: last_password_change_date_time:>90days AND password_never_expires:f."
    )
    return uncollected("password_expired", ("is_password_expired",), FieldKind.BOOL, why, instead)


def parent_of_task() -> Keyword:
    """Make the refused keyword for a task's parent: other products copy a recurring task for each execution."""
    instead = "Search the inventory of task runs for the task's id: parent_id:task_1."
    why = "A task has no parent here, because each execution is a run of the task"
    return uncollected("parent_id", ("parent",), FieldKind.ID, why, instead)


def template_of_task() -> Keyword:
    """Make the refused keyword for a task's template."""
    instead = "Search for what the tasks have in common, such as params:10.0.0.0."
    return uncollected("template_id", ("template",), FieldKind.ID, "There are no task templates here", instead)


def excludes_of_site() -> Keyword:
    """Make the refused keyword for a site's excludes, which belong to scan tasks here."""
    instead = 'Search the tasks: params:"10.0.0.5" finds it in their targets and excludes.'
    why = "A site has no excludes here, because each scan task has its own"
    return uncollected("exclude", ("excludes",), FieldKind.TEXT, why, instead)


def device_id() -> Keyword:
    """Make the keyword for device ids; a word without a keyword also matches if it is a whole id."""
    way, fields = "azure_ad", [NOUNS["AzureAdDevice"].fields[name] for name in ("device_id", "external_id")]
    there = Related(way, Quantifier.SOME, present(fields[0]))

    def read(reading: Reading) -> Expr:
        if not reading.term.keyword:
            whole = tuple(Compare(field.name, Op.EQ, reading.literal) for field in fields)
            return Related(way, Quantifier.SOME, Or(whole)) if _ID.fullmatch(reading.literal) else NOTHING
        if reading.is_missing:
            return Not(there)
        return Related(way, Quantifier.SOME, condition(fields[0], "", reading))

    description = "The device id of its device. A word without a keyword must be a whole device id or object id."
    field = "AzureAdDevice", "device_id"
    return Keyword("device_id", ("deviceId",), FieldKind.TEXT, description, read, there, is_text=True, field=field)


def _last_run(*parts: Expr) -> Expr:
    return Related("last_run", Quantifier.SOME, parts[0] if len(parts) == 1 else And(parts))


def _last_run_is(*states: str) -> Expr:
    return _last_run(Compare("status", Op.IN, states) if len(states) > 1 else Compare("status", Op.EQ, states[0]))


def _running(phase: str) -> Expr:
    return _last_run(Compare("status", Op.EQ, "RUNNING"), Compare("phase", Op.EQ, phase))


def _meanings() -> dict[str, Expr]:
    """Return each status with its meaning; docs/tasks.md has the same table."""
    at_work, paused = _last_run_is("QUEUED", "RUNNING"), Compare("paused", Op.EQ, True)
    enabled = And((Compare("recurring", Op.EQ, True), Not(paused)))
    ran, due, free = exists("last_run"), Compare("next_run_at", Op.IS_NULL, False), And((Not(at_work), Not(paused)))
    return {
        "active": Or((enabled, at_work)),
        "paused": paused,
        "scheduled": And((free, due)),
        "new": And((free, Not(due), Not(ran))),
        "idle": And((free, Not(due), ran)),
        "queued": _last_run_is("QUEUED"),
        "running": _last_run_is("RUNNING"),
        "connecting": _running("CONNECTING"),
        "connected": _running("CONNECTED"),
        "scanning": _running("SCANNING"),
        "processing": _running("PROCESSING"),
        "stopping": _last_run(Compare("status", Op.EQ, "RUNNING"), Compare("stop_asked_at", Op.IS_NULL, False)),
        "succeeded": _last_run_is("SUCCEEDED"),
        "processed": _last_run_is("SUCCEEDED"),
        "partial": _last_run_is("PARTIAL"),
        "failed": _last_run_is("FAILED"),
        "error": _last_run_is("FAILED", "PARTIAL"),
        "stopped": _last_run_is("STOPPED"),
        "canceled": _last_run_is("FAILED"),
        "needs_confirmation": _last_run_is("NEEDS_CONFIRMATION"),
    }


def task_status() -> Keyword:
    """Make the keyword for a task's activity, or the status of its latest run."""
    meanings = _meanings()

    def read(reading: Reading) -> Expr:
        if reading.literal.casefold() == "scanned":
            reading.refuse(
                "A scan here has no state between scanning and processing",
                hint="Write status:processing while hosts are written, status:processed for a scan that has ended.",
            )
        return NOTHING if reading.is_missing else meanings[choose(reading, meanings)]

    description = "Its activity (active, paused, scheduled, new, idle), or the status of its latest run."
    return Keyword("status", (), FieldKind.ENUM, description, read, And(()), tuple(meanings))


def matched(keyword: Keyword) -> Keyword:
    """Make `match` refuse a foreign id, which other products name as a match."""

    def read(reading: Reading) -> Expr:
        if is_foreign_id(reading.literal):
            lead = reading.term.keyword
            reading.refuse("No record is matched by a foreign id", hint=f"Write {lead}:deviceId, the id of a device.")
        return keyword.read(reading)

    return replace(keyword, read=read)
