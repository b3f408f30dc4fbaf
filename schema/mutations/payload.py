"""The frame of every mutation: one transaction with its audit event; expected errors become data of the payload."""

from __future__ import annotations

import enum
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from dataclasses import field as dataclass_field
from functools import partial
from types import MappingProxyType
from typing import Any, cast

import strawberry
from sqlalchemy.ext.asyncio import AsyncConnection
from strawberry import UNSET
from strawberry.types import Info
from strawberry.utils.str_converters import to_camel_case

from schema.access import Principal
from schema.context import Context
from schema.field.arguments import INPUT, argument, given
from schema.field.ids import encode_id
from schema.field.registry import NOUNS
from schema.limit.expected import about
from sync.clock import Clock
from sync.errors import BadInput, Conflict, Forbidden, NotFound, RollcallError, StoreError
from sync.organization.audit import Event, record
from sync.organization.idempotency import Idempotent
from sync.runtime import Runtime

_CODES: dict[type[RollcallError], tuple[str, str]] = {
    BadInput: ("INVALID", "A value cannot be used."),
    NotFound: ("NOT_FOUND", "The input refers to something that does not exist."),
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
        """Generate the payload of one mutation; each field is nullable, because errors leave it null."""
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


@dataclass
class MutationContext:
    """The context of one mutation, and further values for its payload.

    Args:
        operation: the context of the whole operation.
        action: the mutation's name.
        prepared: the result of the mutation's `before` function.
    """

    operation: Context
    action: str
    prepared: Any = None
    tx: AsyncConnection = dataclass_field(init=False)
    _shown: dict[str, Callable[[], Awaitable[Any]]] = dataclass_field(default_factory=dict)
    _committed: list[Callable[[], object]] = dataclass_field(default_factory=list)

    @property
    def runtime(self) -> Runtime:
        """The open runtime."""
        return self.operation.runtime

    @property
    def clock(self) -> Clock:
        """The process's clock."""
        return self.operation.runtime.clock

    @property
    def principal(self) -> Principal:
        """The caller."""
        return self.operation.principal

    @property
    def organization_id(self) -> int:
        """The caller's organization."""
        return self.operation.principal.organization_id

    def show(self, **values: Any) -> None:
        """Set fields of the payload."""
        for name, value in values.items():
            self._shown[name] = partial(_value, value)

    def read(self, **reads: Callable[[], Awaitable[Any]]) -> None:
        """Set functions that read fields of the payload after the commit."""
        self._shown |= reads

    def committed(self, tell: Callable[[], object]) -> None:
        """Call a function after the commit."""
        self._committed.append(tell)

    async def audit_each(self, noun: str, keys: Iterable[int]) -> None:
        """Write an audit event for each row, in addition to the mutation's own."""
        for key in keys:
            await _audit(self.tx, self.operation, self.action, encode_id(NOUNS[noun].prefix, key), "OK")

    async def finish(self) -> dict[str, Any]:
        """Call the functions for after the commit, and return the fields of the payload."""
        for tell in self._committed:
            tell()
        await self.operation.refresh()
        return {name: await read() for name, read in self._shown.items()}


async def _value(value: Any) -> Any:
    return value


Change = Callable[[MutationContext, Any], Awaitable[int | None]]
Prepare = Callable[[MutationContext, Any], Awaitable[Any]]


def mutation(
    kind: Payload,
    description: str,
    *,
    noun: str = "",
    once: bool = False,
    before: Prepare | None = None,
    **fields: tuple[Any, str],
) -> Callable[[Change], Any]:
    """Make a mutation of a function that works in a transaction and returns the key of the row that it changed.

    The mutation has the function's name. It writes an audit event, also if it is refused. Expected errors become data.

    Args:
        kind: the error type of its payload.
        description: the mutation's description in the schema.
        noun: the noun of the returned key; by default that of the payload's first field with a row.
        once: whether the input has an `idempotency_key`; a repeated key returns the first result and does nothing.
        before: slow work, such as a sign-in, that runs before the transaction.
        fields: the payload's fields with their types and descriptions. The first one with a row gets the row of the
            returned key, and `deleted_id` gets its id, unless the function sets them itself.
    """

    def decorate(change: Change) -> Any:
        type_ = kind.type(to_camel_case(change.__name__), **fields)
        rows = (name for name, (row, _) in fields.items() if getattr(row, "__name__", "") in NOUNS)
        shown = next(rows, None)
        concerned = noun or (fields[shown][0].__name__ if shown else "")

        async def work(context: MutationContext, input: Any) -> str | None:
            key = await _once(context, change, input) if once else await change(context, input)
            if key is None:
                return None
            target = encode_id(NOUNS[concerned].prefix, key)
            if "deleted_id" in fields:
                context.show(deleted_id=target)
            elif shown is not None and shown not in context._shown:
                context.read(**{shown: partial(context.operation.load, concerned, key)})
            return target

        async def resolve(info: Info[Context, None], input: Any) -> Any:
            context = MutationContext(info.context, info.field_name)
            try:
                context.prepared = await before(context, input) if before is not None else None
                async with context.runtime.store.write() as context.tx:
                    target = await work(context, input)
                    await _audit(context.tx, context.operation, context.action, target, "OK")
            except StoreError:
                # The store cannot write now, so write no audit event.
                raise
            except RollcallError as error:
                return type_(errors=[await _refused(context, kind, error)])
            return type_(**await context.finish())

        input_type = change.__globals__[change.__annotations__["input"]]
        resolve.__annotations__ |= {"input": argument(input_type, INPUT), "return": type_}
        return strawberry.mutation(resolver=resolve, description=description)

    return decorate


async def _refused(context: MutationContext, kind: Payload, error: RollcallError) -> Any:
    """Return a refusal as data, and write an audit event; a request writes one event for each reason."""
    # A request may repeat a mutation by aliases; it must not fill the audit log with refusals.
    if context.operation.is_first((context.action, error.code)):
        async with context.runtime.store.write() as tx:
            await _audit(tx, context.operation, context.action, None, error.code)
    if not isinstance(error, tuple(_CODES)):
        raise error
    return _as_data(kind, error)


async def _once(context: MutationContext, change: Change, input: Any) -> int | None:
    """Run the change; for a known idempotency key only return the key of the first result."""
    request = Idempotent(context.organization_id, context.action, given(input.idempotency_key), _plain(input))
    if (known := await request.result(context.tx)) is not None:
        return known
    done = await change(context, input)
    assert done is not None  # noqa: S101 - a mutation with an idempotency key changes a row
    await request.remember(context.tx, context.clock, done)
    return done


def _plain(value: Any) -> Any:
    """Return an input as JSON, without omitted fields and without its idempotency key."""
    if isinstance(value, list):
        return [_plain(part) for part in value]
    if isinstance(value, enum.Enum) or not hasattr(value, "__dict__"):
        return value
    fields = vars(value).items()
    return {name: _plain(part) for name, part in fields if part is not UNSET and name != "idempotency_key"}


@contextmanager
def within(place: str, moved: Mapping[str, str] = MappingProxyType({})) -> Iterator[None]:
    """Set the place in the input on errors of the block.

    Args:
        place: the place of errors that name none.
        moved: the name of a place in sync → its place in the input.
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


async def _audit(tx: AsyncConnection, context: Context, action: str, target: str | None, outcome: str) -> None:
    event = Event(context.principal.organization_id, context.principal.actor, action, outcome, target)
    await record(tx, context.runtime.clock, event, context.request_id)
