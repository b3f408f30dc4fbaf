"""Operations of the command line, one function each; they run in the process that holds the database.

A running server executes them for its control socket; without a server, the command line executes them itself. All
arguments are checked, because they come as JSON from another process.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from server.operator.talk import Talk, nothing
from server.settings import Settings
from sync.alert.post import post
from sync.entra.cloud import Endpoints
from sync.entra.transport import tls_context
from sync.errors import BadInput, NotFound
from sync.inventory.asset.asset import AssetPlace
from sync.organization.audit import Event, record
from sync.organization.organizations import default_organization
from sync.organization.tokens import LIFETIME_DAYS, create_token, revoke_token, token_of
from sync.runtime import Config, Runtime
from sync.scan.report.ingest import import_pieces
from sync.secret.rotation import rotate
from sync.store.tables import organizations, sites, tokens
from sync.tasks.connector.connector import connect

OPERATOR = "command line"

Arguments = Mapping[str, Any]
Result = dict[str, Any]


@dataclass(frozen=True)
class Command:
    """One command: its function, its arguments' types, and whether it reads bytes from the caller."""

    run: Callable[..., Awaitable[Result]]
    arguments: Mapping[str, type | tuple[type, ...]]
    is_fed: bool = False


def runtime_config(settings: Settings) -> Config:
    """Return the runtime's configuration from the operator's settings.

    Raises:
        BadSettings: the certificate authorities cannot be read.
    """
    custom = None
    if settings.custom_authority_url and settings.custom_graph_url:
        custom = Endpoints(settings.custom_authority_url, settings.custom_graph_url, ca_file=settings.custom_ca_file)
    outbound = settings.outbound
    if outbound.ca_file is not None:
        tls_context(None, outbound)  # Report an unusable file now, not at the first alert.
    return Config(
        data_dir=settings.data_dir,
        keys=settings.keys,
        custom=custom,
        connect=partial(connect, outbound=outbound),
        alert_origins=settings.alert_origins,
        post=partial(post, outbound=outbound),
        full_round_days=settings.full_round_days,
        run_retries=settings.run_retries,
    )


async def make_first_token(runtime: Runtime) -> str:
    """Create the administrator's token of a new installation and return its text, which cannot be read again."""
    async with runtime.store.write() as tx:
        token = await create_token(
            tx,
            runtime.clock,
            organization_id=await default_organization(tx),
            name="first administrator",
            role="SUPERUSER",
            created_by=OPERATOR,
        )
    return token.text


def first_token_text(token: str) -> str:
    """Return the text that shows the first token."""
    return f"Administrator token, shown only this once (valid 90 days):\n\n  {token}\n"


async def token_create(runtime: Runtime, arguments: Arguments) -> Result:
    """Create a token and return its text."""
    async with runtime.store.write() as tx:
        organization_id = await _organization(tx, arguments.get("organization"))
        token = await create_token(
            tx,
            runtime.clock,
            organization_id=organization_id,
            name=arguments["name"],
            role=arguments["role"],
            created_by=OPERATOR,
            lifetime_days=arguments.get("lifetime_days", LIFETIME_DAYS),
        )
        await _record(tx, runtime, organization_id, "token.create", token.id)
    return {"id": token.id, "token": token.text}


async def token_list(runtime: Runtime, _: Arguments) -> Result:
    """List every token without its secret part."""
    columns = (tokens.c.id, tokens.c.prefix, tokens.c.name, tokens.c.role)
    times = (tokens.c.created_at, tokens.c.expires_at, tokens.c.revoked_at)
    statement = (
        select(*columns, *times, organizations.c.name.label("organization"))
        .join(organizations, organizations.c.id == tokens.c.organization_id)
        .order_by(tokens.c.id)
    )
    async with runtime.store.read() as tx:
        rows = (await tx.execute(statement)).mappings().all()
    # Column names are a subclass of str, which orjson does not take as a key.
    return {"tokens": [{str(name): value for name, value in row.items()} for row in rows]}


async def token_revoke(runtime: Runtime, arguments: Arguments) -> Result:
    """Revoke a token; it stops working with the next request."""
    async with runtime.store.write() as tx:
        token = await token_of(tx, arguments["id"])
        await revoke_token(tx, runtime.clock, token)
        await _record(tx, runtime, token.organization_id, "token.revoke", token.id)
    return {"id": arguments["id"]}


async def _record(tx: AsyncConnection, runtime: Runtime, organization_id: int, action: str, token_id: int) -> None:
    await record(tx, runtime.clock, Event(organization_id, OPERATOR, action, target=f"token_{token_id}"))


async def scan_import(runtime: Runtime, arguments: Arguments, talk: Talk) -> Result:
    """Import a scanner's report, which the caller sends in pieces, into a site."""
    async with runtime.store.read() as tx:
        organization_id = await _organization(tx, arguments.get("organization"))
        mine = (sites.c.organization_id == organization_id, sites.c.name == arguments["site"])
        site_id = await tx.scalar(select(sites.c.id).where(*mine))
    if site_id is None:
        raise NotFound("There is no site of that name.", hint="Check --site and --organization.")
    try:
        made_at = datetime.fromisoformat(when) if (when := arguments.get("made_at")) else None
    except ValueError:
        raise BadInput("The command's argument made_at is not an ISO 8601 time.") from None
    place = AssetPlace(organization_id, int(site_id))

    def tell(read: int, hosts: int) -> None:
        talk.tell({"bytes": read, "hosts": hosts})

    try:
        done = await import_pieces(runtime.store, runtime.clock, place, talk.pieces, tell, made_at)
    finally:
        runtime.indexer.wake()
    return {name: done.counts[name] for name in ("created", "merged", "silent")} | {"warnings": done.warnings}


async def key_rotate(runtime: Runtime, arguments: Arguments) -> Result:
    """Seal every stored secret with a new key; the result holds no secret and no key."""
    done = await rotate(runtime, forget_old=arguments["forget_old"])
    unreadable = [str(found) for found in done.unreadable]
    return {"key": done.key_id, "is_new": done.is_new, "resealed": done.resealed, "old": done.old, "left": unreadable}


async def _organization(tx: Any, name: str | None) -> int:
    if name is None:
        return await default_organization(tx)
    found = await tx.scalar(select(organizations.c.id).where(organizations.c.name == name))
    if found is None:
        raise NotFound("There is no organization of that name.", hint="Check --organization.")
    return int(found)


NONE = type(None)
COMMANDS: dict[str, Command] = {
    "token.create": Command(
        token_create,
        {"name": str, "role": str, "organization": (str, NONE), "lifetime_days": (int, NONE)},
    ),
    "token.list": Command(token_list, {}),
    "token.revoke": Command(token_revoke, {"id": int}),
    "key.rotate": Command(key_rotate, {"forget_old": bool}),
    "scan.import": Command(
        scan_import, {"site": str, "organization": (str, NONE), "made_at": (str, NONE)}, is_fed=True
    ),
}


async def run_command(runtime: Runtime, name: object, arguments: object, talk: Talk | None = None) -> Result:
    """Check and run one command; `talk` carries its input and its progress.

    Raises:
        BadInput: the command is unknown, or its arguments have wrong names or types.
        RollcallError: the command itself fails.
    """
    command = COMMANDS.get(name) if isinstance(name, str) else None
    if command is None:
        raise BadInput("There is no such command.", hint="The server may be of another version; restart it.")
    if not isinstance(arguments, dict) or not set(arguments) <= set(command.arguments):
        raise BadInput("The command's arguments have the wrong names.")
    for argument, kinds in command.arguments.items():
        missing_allowed = isinstance(kinds, tuple) and NONE in kinds
        if argument not in arguments and missing_allowed:
            continue
        value = arguments.get(argument)
        # Refuse a bool where an int is expected: Python counts True as an int.
        if (isinstance(value, bool) and kinds is not bool) or not isinstance(value, kinds):
            raise BadInput(f"The command's argument {argument} is missing or of the wrong type.")
    if command.is_fed:
        return await command.run(runtime, arguments, talk or Talk(nothing(), lambda _: None))
    return await command.run(runtime, arguments)
