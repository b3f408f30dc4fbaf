"""The `rollcall` command; every expected failure is one line on standard error and an exit code, never a traceback.

Exit codes: 0 success, 1 failure, 2 wrong settings or command line.
"""

from __future__ import annotations

import asyncio
import importlib
import json
import sys
from collections.abc import Callable, Coroutine
from typing import IO, TYPE_CHECKING, Any

import click

from server.settings import Settings, read_settings
from sync.clock import SystemClock
from sync.errors import BadSettings, RollcallError, StoreLocked
from sync.product import version

if TYPE_CHECKING:
    from server.operator.talk import Talk

LOCK_WAIT_S = 5.0
LOCK_POLL_S = 0.1
ROLES = ("VIEWER", "ANNOTATOR", "USER", "ADMINISTRATOR", "SUPERUSER")


class Failure(click.ClickException):
    """An expected failure, shown in one line."""

    def __init__(self, message: str) -> None:
        super().__init__(" ".join(message.split()))

    def show(self, file: IO[Any] | None = None) -> None:
        """Write the line to standard error."""
        click.echo(f"rollcall: {self.message}", file=file, err=file is None)


class WrongSettings(Failure):
    """The settings are wrong; the exit code is that of a wrong command line."""

    exit_code = 2


class Later(click.Command):
    """A command whose module is imported only when the command is called."""

    def __init__(self, name: str, module: str, short_help: str) -> None:
        super().__init__(name, short_help=short_help, help=short_help)
        self._module = module

    def make_context(
        self, info_name: str | None, args: list[str], parent: click.Context | None = None, **extra: Any
    ) -> click.Context:
        """Make the context of the real command."""
        return self.load().make_context(info_name, args, parent=parent, **extra)

    def load(self) -> click.Command:
        """Import the real command."""
        try:
            command: click.Command = getattr(importlib.import_module(self._module), self.name or "")
        except ModuleNotFoundError as error:
            if error.name is None or not self._module.startswith(error.name):
                raise
            raise Failure(f"The command {self.name} is not part of this installation.") from None
        return command


class Told(click.Group):
    """A group that shows expected failures of its commands as one line."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command."""
        from server.operator.socket import Refusal

        try:
            return super().invoke(ctx)
        except BadSettings as error:
            raise WrongSettings(_line(error.message, error.hint)) from None
        except (RollcallError, Refusal) as error:
            raise Failure(_line(error.message, error.hint)) from None


def _line(message: str, hint: str | None) -> str:
    return f"{message} {hint}" if hint else message


@click.group(cls=Told)
@click.version_option(version(), prog_name="rollcall", message="%(prog)s %(version)s")
def main() -> None:
    """Serve a GraphQL inventory kept in step with Microsoft Entra ID.

    Settings come from the environment (ROLLCALL_*); docs/settings.md lists them.
    """


@main.command()
def serve() -> None:
    """Serve the API and run the tasks until SIGTERM or Ctrl-C."""
    import uvloop

    from server.observe.logs import configure_logs
    from server.process import serve as serve_until_stopped

    settings = read_settings()
    configure_logs(settings.log_level, settings.log_format)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(serve_until_stopped(settings, click.echo))


@main.command()
def migrate() -> None:
    """Migrate the database to this version's schema without serving."""
    from server.operator.operations import first_token_text, make_first_token, runtime_config
    from sync.runtime import Runtime

    async def run(settings: Settings) -> None:
        runtime = await Runtime.open(runtime_config(settings), run_tasks=False)
        try:
            if runtime.first_start:
                click.echo(first_token_text(await make_first_token(runtime)))
        finally:
            await runtime.close()
        click.echo("The database is up to date.")

    _run(run)


@main.command("schema")
def schema_command() -> None:
    """Print the GraphQL schema (SDL)."""
    from schema import build_schema

    click.echo(build_schema().as_str())


@main.command("keywords")
def keywords_command() -> None:
    """Print the keywords of the search language (Markdown)."""
    from schema import build_schema
    from schema.search.vocabulary.document import keyword_document

    build_schema()
    click.echo(keyword_document(), nl=False)


@main.command("commands")
def commands_command() -> None:
    """Print the reference of all commands (Markdown)."""
    from server.command.document import command_document

    click.echo(command_document(main), nl=False)


@main.group()
def token() -> None:
    """Make, list and revoke API tokens, whether or not the server runs."""


@token.command("create")
@click.option("--name", required=True, help="The program or person that uses the token.")
@click.option(
    "--role",
    type=click.Choice(ROLES, case_sensitive=False),
    default="VIEWER",
    show_default=True,
    help="The token's role.",
)
@click.option("--organization", help="The token's organization; the first one by default.")
@click.option("--days", type=click.IntRange(1, 3650), default=90, show_default=True, help="Days until it expires.")
@click.option("--no-expiry", is_flag=True, help="Make a token that never expires.")
def token_create(name: str, role: str, organization: str | None, days: int, no_expiry: bool) -> None:
    """Make an API token and print it; it cannot be shown again."""
    arguments = {
        "name": name,
        "role": role.upper(),
        "organization": organization,
        "lifetime_days": None if no_expiry else days,
    }
    click.echo(carry_out("token.create", arguments)["token"])


@token.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object a line.")
def token_list(as_json: bool) -> None:
    """List the API tokens without their secret part, which is not stored."""
    rows = carry_out("token.list", {})["tokens"]
    if as_json:
        for row in rows:
            click.echo(json.dumps(row))
        return
    columns = ("id", "prefix", "name", "role", "organization", "expires_at", "revoked_at")
    table = [columns, *([str(row[column] if row[column] is not None else "-") for column in columns] for row in rows)]
    widths = [max(len(line[place]) for line in table) for place in range(len(columns))]
    for line in table:
        click.echo("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())


@token.command("revoke")
@click.argument("token_id", type=click.IntRange(min=1), metavar="ID")
def token_revoke(token_id: int) -> None:
    """Revoke the API token with this ID; it stops working with the next request."""
    carry_out("token.revoke", {"id": token_id})
    click.echo(f"Token {token_id} is revoked.")


@main.group()
def task() -> None:
    """Watch tasks of a running server."""


task.add_command(Later("watch", "server.command.watch", "Watch a run, or the latest one of a task, until it ends."))


@main.group()
def scan() -> None:
    """Import reports of other scanners, whether or not the server runs."""


@scan.command("import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, allow_dash=True))
@click.option("--site", required=True, help="Name of the hosts' site.")
@click.option("--organization", help="Organization of the site; the first one by default.")
@click.option("--made-at", metavar="TIME", help="Time of a report that holds none; default: the file's time.")
def scan_import(file: str, site: str, organization: str | None, made_at: str | None) -> None:
    """Import a scanner's report from FILE, or from standard input (-); importing it again changes nothing.

    Formats: XML of nmap and masscan, JSON of masscan, Nessus version 2, and lists of services as CSV; each may be
    compressed with gzip.
    """
    from schema.field.scalars import parse_time
    from server.command.scan_import import ImportProgress, open_source
    from server.operator.talk import Talk

    told = parse_time(made_at) if made_at else None
    source = open_source(file)
    made = told or (source.made_at.isoformat() if source.made_at else None)
    arguments = {"site": site, "organization": organization, "made_at": made}
    progress = ImportProgress(source.size, is_terminal=sys.stderr.isatty())
    try:
        done = carry_out("scan.import", arguments, Talk(source.pieces(), progress.tell))
    finally:
        progress.close()
        source.close()
    for warning in done["warnings"]:
        click.echo(f"rollcall: {' '.join(warning.split())}", err=True)
    click.echo(f"{done['created']} hosts are new, {done['merged']} were known, {done['silent']} went silent.")


main.add_command(Later("backup", "server.command.backup", "Copy the database to a file, also while the server runs."))
main.add_command(Later("restore", "server.command.backup", "Replace the database with a backup."))
main.add_command(Later("key", "server.command.key", "Make, check and change the keys that seal stored secrets."))
main.add_command(Later("doctor", "server.command.doctor.command", "Check the installation, and say what to do."))
main.add_command(Later("simulate", "server.simulator.command", "Serve a simulated Entra tenant and Microsoft Graph."))
main.add_command(Later("demo", "server.demo.command", "Show the whole product on a simulated tenant."))


def _run(work: Callable[[Settings], Coroutine[Any, Any, Any]]) -> Any:
    from server.observe.logs import configure_logs

    settings = read_settings()
    configure_logs("warning", "text")
    return asyncio.run(work(settings))


def carry_out(name: str, arguments: dict[str, Any], talk: Talk | None = None) -> dict[str, Any]:
    """Run a command in the running server, or in this process if no server runs."""
    from server.operator.operations import run_command, runtime_config
    from server.operator.socket import ask_server
    from sync.runtime import Runtime

    async def run(settings: Settings) -> dict[str, Any]:
        clock = SystemClock()
        deadline = clock.monotonic() + LOCK_WAIT_S
        while True:
            result = await ask_server(settings.data_dir, name, arguments, talk)
            if result is not None:
                return result
            try:
                runtime = await Runtime.open(runtime_config(settings), run_tasks=False)
            except StoreLocked:
                # A starting or stopping server holds the lock but does not listen: try again.
                if clock.monotonic() > deadline:
                    raise
                await clock.sleep(LOCK_POLL_S)
                continue
            try:
                return await run_command(runtime, name, arguments, talk)
            finally:
                await runtime.close()

    result: dict[str, Any] = _run(run)
    return result
