"""Keywords of users, tasks and sites that other products have: what they come to here, and what cannot be told."""

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
    """Make a keyword that other products have, so that asking for it says why there is no answer.

    Args:
        why: the error's message, without its full stop.
        instead: what to write.
    """

    def read(reading: Reading) -> Expr:
        reading.refuse(f"{why} ({name}): no such data here", hint=instead, is_unknown=True)

    return Keyword(
        name, aliases, kind, f"No such data here: {why[0].lower()}{why[1:]}.", read, NOTHING, (), False, instead
    )


def is_disabled() -> Keyword:
    """Make the opposite of `account_enabled`; it is missing where that is."""
    field = NOUNS["User"].fields["account_enabled"]

    def read(reading: Reading) -> Expr:
        return condition(field, "", reading) if reading.is_missing else Compare(field.name, Op.EQ, not yes(reading))

    return Keyword("is_disabled", (), FieldKind.BOOL, "Whether the account may not sign in.", read, present(field))


def password_expired() -> Keyword:
    """Make the keyword of what Microsoft Graph does not tell."""
    why = "Whether a password has expired is not collected, the directory does not tell"
    instead = "Ask for old ones that can expire: last_password_change_date_time:>90days AND password_never_expires:f."
    return uncollected("password_expired", ("is_password_expired",), FieldKind.BOOL, why, instead)


def parent_of_task() -> Keyword:
    """Make the keyword of a task's parent, which other products give to each time that a recurring task runs."""
    instead = "Search the inventory of task runs for the task's id: parent_id:task_1."
    why = "A task here has no parent, each time it runs is a run of it"
    return uncollected("parent_id", ("parent",), FieldKind.ID, why, instead)


def template_of_task() -> Keyword:
    """Make the keyword of a task's template, of which there are none."""
    instead = "Search for what the tasks have in common, such as params:10.0.0.0."
    return uncollected("template_id", ("template",), FieldKind.ID, "There are no templates of tasks here", instead)


def excludes_of_site() -> Keyword:
    """Make the keyword of what a site's scans leave out, which a task says here."""
    instead = 'Search the tasks: params:"10.0.0.5" finds it in their targets and excludes.'
    why = "A site has no excludes here, each scan task has its own"
    return uncollected("exclude", ("excludes",), FieldKind.TEXT, why, instead)


def device_id() -> Keyword:
    """Make the keyword of the ids of an asset's devices, which a word that is a whole one of them also finds."""
    way, fields = "azure_ad", [NOUNS["AzureAdDevice"].fields[name] for name in ("device_id", "external_id")]
    there = Related(way, Quantifier.SOME, present(fields[0]))

    def read(reading: Reading) -> Expr:
        if not reading.term.keyword:
            whole = tuple(Compare(field.name, Op.EQ, reading.literal) for field in fields)
            return Related(way, Quantifier.SOME, Or(whole)) if _ID.fullmatch(reading.literal) else NOTHING
        if reading.is_missing:
            return Not(there)
        return Related(way, Quantifier.SOME, condition(fields[0], "", reading))

    description = "The id that its device knows; as a word without a keyword the whole of it, or the object id."
    field = "AzureAdDevice", "device_id"
    return Keyword("device_id", ("deviceId",), FieldKind.TEXT, description, read, there, is_text=True, field=field)


def _ran(*parts: Expr) -> Expr:
    return Related("last_run", Quantifier.SOME, parts[0] if len(parts) == 1 else And(parts))


def _ended(*states: str) -> Expr:
    return _ran(Compare("status", Op.IN, states) if len(states) > 1 else Compare("status", Op.EQ, states[0]))


def _running(phase: str) -> Expr:
    return _ran(Compare("status", Op.EQ, "RUNNING"), Compare("phase", Op.EQ, phase))


def _meanings() -> dict[str, Expr]:
    """Return what each status means; docs/tasks.md has the same as a table."""
    at_work, paused = _ended("QUEUED", "RUNNING"), Compare("paused", Op.EQ, True)
    enabled = And((Compare("recurring", Op.EQ, True), Not(paused)))
    ran, due, free = exists("last_run"), Compare("next_run_at", Op.IS_NULL, False), And((Not(at_work), Not(paused)))
    return {
        "active": Or((enabled, at_work)),
        "paused": paused,
        "scheduled": And((free, due)),
        "new": And((free, Not(due), Not(ran))),
        "idle": And((free, Not(due), ran)),
        "queued": _ended("QUEUED"),
        "running": _ended("RUNNING"),
        "connecting": _running("CONNECTING"),
        "connected": _running("CONNECTED"),
        "scanning": _running("SCANNING"),
        "processing": _running("PROCESSING"),
        "stopping": _ran(Compare("status", Op.EQ, "RUNNING"), Compare("stop_asked_at", Op.IS_NULL, False)),
        "succeeded": _ended("SUCCEEDED"),
        "processed": _ended("SUCCEEDED"),
        "partial": _ended("PARTIAL"),
        "failed": _ended("FAILED"),
        "error": _ended("FAILED", "PARTIAL"),
        "stopped": _ended("STOPPED"),
        "canceled": _ended("FAILED"),
        "needs_confirmation": _ended("NEEDS_CONFIRMATION"),
    }


def task_status() -> Keyword:
    """Make the keyword of what a task is doing, or how its latest run stands."""
    meanings = _meanings()

    def read(reading: Reading) -> Expr:
        if reading.literal.casefold() == "scanned":
            reading.refuse(
                "A scan here has no state between scanning and processing",
                hint="Write status:processing for hosts being written, status:processed for a scan that has ended.",
            )
        return NOTHING if reading.is_missing else meanings[choose(reading, meanings)]

    description = "What it is doing (active, paused, scheduled, new, idle), or how its latest run stands."
    return Keyword("status", (), FieldKind.ENUM, description, read, And(()), tuple(meanings))


def matched(keyword: Keyword) -> Keyword:
    """Refuse the one value of `match` that has another name here."""

    def read(reading: Reading) -> Expr:
        if is_foreign_id(reading.literal):
            lead = reading.term.keyword
            reading.refuse("No record is matched by a foreign id", hint=f"Write {lead}:deviceId, the id of a device.")
        return keyword.read(reading)

    return replace(keyword, read=read)
