"""The `rollcall doctor` command: prints one line a check, with advice for each that is not ok."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator

import click

from server.command.doctor.cloud import check_clouds
from server.command.doctor.database import check_database, clouds_in_use
from server.command.doctor.exposure import check_edge
from server.command.doctor.fact import check_facts
from server.command.doctor.finding import Finding, State
from server.command.doctor.machine import check_folder, check_room, check_sqlite
from server.operator.operations import runtime_config
from server.settings import Settings, read_settings
from sync.clock import SystemClock


@click.command()
@click.option("--full", is_flag=True, help="Check the whole database; this takes seconds to minutes.")
@click.option("--offline", is_flag=True, help="Make no network connection.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.pass_context
def doctor(context: click.Context, full: bool, offline: bool, as_json: bool) -> None:
    """Check the installation and say what to do, whether or not the server runs; nothing is changed.

    Exits with 1 if a check fails; warnings exit with 0.
    """
    found = list(examine(read_settings(), full=full, offline=offline))
    failed = any(one.state is State.FAIL for one in found)
    if as_json:
        checks = [vars(one) for one in found]
        click.echo(json.dumps({"ok": not failed, "checks": checks}))
    else:
        for one in found:
            click.echo(f"{one.state:<4}  {one.check:<10}  {one.message}")
            if one.advice:
                click.echo(f"{'':18}{one.advice}")
    context.exit(int(failed))


def examine(settings: Settings, *, full: bool, offline: bool) -> Iterator[Finding]:
    """Run every check."""
    config = runtime_config(settings)
    yield from check_sqlite()
    yield from check_folder(settings.data_dir)
    yield from check_room(settings.data_dir)
    yield from check_edge(settings)
    yield from check_facts(SystemClock().now().date())
    yield from check_database(config, full=full)
    if not offline:
        yield from asyncio.run(check_clouds(clouds_in_use(config), config.custom, SystemClock(), settings.outbound))
