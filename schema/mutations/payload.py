"""The frame of every mutation: one transaction with its audit event; expected errors become data."""

from __future__ import annotations

import enum
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, cast

import strawberry
from sqlalchemy.ext.asyncio import AsyncConnection
from strawberry import UNSET
from strawberry.types import Info

from schema.context import Context
from schema.field.ids import encode_id
from schema.field.registry import NOUNS
from schema.limit.expected import about
from schema.list.connection import given
from sync.errors import BadInput, Conflict, Forbidden, NotFound, RollcallError, StoreError
from sync.organization.audit import Event, record
from sync.organization.idempotency import Idempotent

# The noun and key that a mutation made or changed.
Done = tuple[str, int] | None
_CODES: dict[type[RollcallError], tuple[str, str]] = {
    BadInput: ("INVALID", "A value cannot be used."),
    NotFound: ("NOT_FOUND", "Something the input refers to is not there."),
    Conflict: ("CONFLICT", "The request contradicts what is stored."),
    Forbidden: ("FORBIDDEN", "The token's role does not allow a value."),
}


@dataclass(frozen=True)
class Payload:
    """The generated types of one noun's mutations."""

    noun: str
    error: Any
    codes: Any

    def type(self, mutation: str, **fields: tuple[Any, str]) -> Any:
        """Generate the payload of one mutation; each field is nullable: it is missing when there are errors."""
        body: dict[str, Any] = {"__annotations__": {}}
        for name, (annotation, description) in fields.items():
            body["__annotations__"][name] = annotation | None
            body[name] = strawberry.field(default=None, description=description)
        body["__annotations__"]["errors"] = list[self.error]  # type: ignore[name-defined]
        body["errors"] = strawberry.field(
            default_factory=list, description="Why nothing was done; empty on success.", metadata=about(5)
        )
        name = mutation[0].upper() + mutation[1:] + "Payload"
        return strawberry.type(type(name, (), body), description=f"What `{mutation}` did.")


def payload(noun: str) -> Payload:
    """Generate the error type of a noun's mutations."""
    members = {code: strawberry.enum_value(code, description=text) for code, text in _CODES.values()}
    made = cast(Any, enum.Enum(f"{noun}ErrorCode", members))
    codes = strawberry.enum(made, description=f"Why a mutation of {noun} did nothing.")
    body = {
        "__annotations__": {"message": str, "code": codes, "path": list[str], "hint": str | None},
        "message": strawberry.field(description="What is wrong."),
        "code": strawberry.field(description="What kind of mistake, for programs."),
        "path": strawberry.field(description="Where in the input it is."),
        "hint": strawberry.field(description="What to do about it."),
    }
    error = strawberry.type(type(f"{noun}Error", (), body), description=f"Why a mutation of {noun} did nothing.")
    return Payload(noun, error, codes)


async def mutate(
    info: Info[Context, None],
    kind: Payload,
    type_: Any,
    work: Callable[[AsyncConnection], Awaitable[Done]],
    after: Callable[[int], Awaitable[dict[str, Any]]],
    before: Callable[[], Awaitable[None]] | None = None,
) -> Any:
    """Run a mutation's work in one transaction and make its payload; either way it leaves an audit event.

    Of refusals of one request for the same reason there is one event.

    Args:
        work: does it; returns the noun and the key of what it made or changed, None for neither.
        after: reads the payload's fields once the transaction has committed.
        before: what takes its time, such as a sign-in; done while no transaction is open.
    """
    context, action = info.context, info.field_name
    try:
        if before is not None:
            await before()
        async with context.runtime.store.write() as tx:
            noun, key = await work(tx) or (None, 0)
            await _audit(tx, context, action, encode_id(NOUNS[noun].prefix, key) if noun else None, "OK")
    except StoreError:
        # Nothing can be written now, not even that.
        raise
    except RollcallError as error:
        # A request may hold as many of them as its aliases allow; the log of who did what is not theirs to fill.
        if context.is_first((action, error.code)):
            async with context.runtime.store.write() as tx:
                await _audit(tx, context, action, None, error.code)
        if not isinstance(error, tuple(_CODES)):
            raise
        return type_(errors=[_as_data(kind, error)])
    await context.refresh()
    return type_(**await after(key))


async def once(tx: AsyncConnection, info: Info[Context, None], input: Any, work: Callable[[], Awaitable[int]]) -> int:
    """Do what an input asks for and return the key of what it concerns; with a known idempotency key, only that.

    Args:
        tx: the mutation's transaction.
        info: names the mutation; a key stands for one input of it.
        input: has a field `idempotency_key`.
        work: does it; returns the key.

    Raises:
        BadInput: the idempotency key is malformed.
        Conflict: it was used with another input.
    """
    context = info.context
    key, organization_id = given(input.idempotency_key), context.principal.organization_id
    request = Idempotent(organization_id, info.field_name, key, _plain(input))
    if (known := await request.result(tx)) is not None:
        return known
    done = await work()
    await request.remember(tx, context.runtime.clock, done)
    return done


def _plain(value: Any) -> Any:
    """Return an input as JSON, without what was left out and without its idempotency key."""
    if isinstance(value, list):
        return [_plain(part) for part in value]
    if isinstance(value, enum.Enum) or not hasattr(value, "__dict__"):
        return value
    fields = vars(value).items()
    return {name: _plain(part) for name, part in fields if part is not UNSET and name != "idempotency_key"}


@contextmanager
def within(place: str, moved: Mapping[str, str] = MappingProxyType({})) -> Iterator[None]:
    """Have the block's errors say where in the input the mistake is.

    Args:
        place: for errors that name no place.
        moved: a place as sync names it → where it stands in the input.
    """
    try:
        yield
    except (BadInput, Conflict, Forbidden, NotFound) as error:
        named = str(error.facts.get("path") or place)
        error.facts["path"] = moved.get(named, named)
        raise


def _as_data(kind: Payload, error: RollcallError) -> Any:
    code = next(code for class_, (code, _) in _CODES.items() if isinstance(error, class_))
    place = str(error.facts.get("path") or "")
    path = ["input", *filter(None, place.replace("input.", "").split("."))]
    return kind.error(message=error.message, code=kind.codes[code], path=path, hint=error.hint)


async def audit_each(tx: AsyncConnection, context: Context, action: str, noun: str, keys: Iterable[int]) -> None:
    """Write an event for each of many rows that one mutation changed, besides the mutation's own."""
    for key in keys:
        await _audit(tx, context, action, encode_id(NOUNS[noun].prefix, key), "OK")


async def _audit(tx: AsyncConnection, context: Context, action: str, target: str | None, outcome: str) -> None:
    event = Event(context.principal.organization_id, context.principal.actor, action, outcome, target)
    await record(tx, context.runtime.clock, event, context.request_id)
