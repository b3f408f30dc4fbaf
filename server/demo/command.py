"""The `demo` command: runs the demo, prints a summary, and serves until Ctrl-C."""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path
from typing import Any

import click
import orjson
from rich.console import Console
from rich.panel import Panel
from rich.syntax import Syntax
from rich.table import Table

from server.demo.demo import DemoOutcome, Options, Stage, Synced, compare, scan, stage, sync
from server.demo.queries import QUERIES
from server.settings import outer_environment
from sync.clock import SystemClock


@click.command()
@click.option(
    "--users", default=2000, show_default=True, type=click.IntRange(1, 1_000_000), help="Users of the tenant."
)
@click.option(
    "--devices", default=1500, show_default=True, type=click.IntRange(0, 1_000_000), help="Devices of the tenant."
)
@click.option(
    "--groups", default=200, show_default=True, type=click.IntRange(0, 1_000_000), help="Groups of the tenant."
)
@click.option("--seed", default=1, show_default=True, type=int, help="The same seed gives the same tenant.")
@click.option(
    "--port", default=8000, show_default=True, type=click.IntRange(0, 65535), help="Port; 0 takes a free one."
)
@click.option(
    "--data",
    default=Path("demo-data"),
    show_default=True,
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder of the demo's database; another run with it continues from there.",
)
@click.option(
    "--faults",
    default="none",
    show_default=True,
    help="Faults of the tenant: none, rough, throttled, seed:N or a file.",
)
@click.option("--once", is_flag=True, help="Do not serve afterwards; exit 0 only if the inventory equals the tenant.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object on standard output.")
def demo(
    users: int, devices: int, groups: int, seed: int, port: int, data: Path, faults: str, once: bool, as_json: bool
) -> None:
    """Show the whole product on a simulated tenant."""
    options = Options(users, devices, groups, seed, port, data, faults)
    if not asyncio.run(_run(options, once=once, as_json=as_json)):
        raise click.exceptions.Exit(1)


async def _run(options: Options, *, once: bool, as_json: bool) -> bool:
    # Progress goes to standard error, the result to standard output.
    console, out = Console(stderr=True, highlight=False), Console(highlight=False)
    stopped = _stop_signal()
    async with stage(options, outer_environment(), console) as place:
        acting = asyncio.create_task(_act(place, seed=options.seed, console=console))
        stopping = asyncio.create_task(stopped.wait())
        await asyncio.wait((acting, stopping), return_when=asyncio.FIRST_COMPLETED)
        if not acting.done():
            acting.cancel()
            console.print("Stopping.")
            return True
        synced, outcome = acting.result()
        for difference in outcome.proof.differences:
            console.print(f"Differs from the tenant: {difference}", style="red")
        if as_json:
            click.echo(orjson.dumps(_json(synced, outcome)))
        else:
            await _tell(out, place, synced, outcome)
        if not once:
            out.print("Serving until Ctrl-C ...")
            await stopping
            console.print("Stopping.")
        stopping.cancel()
    return not outcome.proof.differences


async def _act(place: Stage, *, seed: int, console: Console) -> tuple[Synced, DemoOutcome]:
    synced = await sync(place, SystemClock(), console)
    await scan(place, seed, SystemClock(), console)
    return synced, await compare(place, console)


def _stop_signal() -> asyncio.Event:
    stopped = asyncio.Event()
    for name in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(name, stopped.set)
    return stopped


def _json(synced: Synced, outcome: DemoOutcome) -> dict[str, Any]:
    return {
        **outcome.totals,
        "memberships": outcome.proof.memberships,
        "requests": synced.run["requests"]["count"],
        "retries": synced.run["requests"]["retries"],
        "throttledSeconds": synced.run["requests"]["throttledSeconds"],
        "attempts": synced.run["attempt"],
        "restarts": synced.restarts,
        "kills": synced.kills,
        "faults": outcome.faults,
        "seconds": round(synced.seconds, 3),
        "equal": not outcome.proof.differences,
        "graphqlSample": outcome.sample,
    }


async def _tell(out: Console, place: Stage, synced: Synced, outcome: DemoOutcome) -> None:
    proof, totals = outcome.proof, outcome.totals
    table = Table(show_header=False, box=None, padding=(0, 2))
    for name, number in (*totals.items(), ("memberships", proof.memberships)):
        table.add_row(name, f"{number:,}")
    requests = synced.run["requests"]
    table.add_row("requests to Graph", f"{requests['count']:,}")
    if outcome.faults:
        table.add_row("retries", f"{requests['retries']:,}, throttled for {requests['throttledSeconds']:.1f} s")
        table.add_row("attempts", f"{synced.run['attempt']:,}; the server was killed {synced.kills} times")
        table.add_row("restarts", f"{synced.restarts:,} times a stream was read again from its beginning")
    table.add_row("seconds", f"{synced.seconds:.1f}")
    verdict = "differs from" if proof.differences else "equals"
    table.add_row("the inventory", f"{verdict} the tenant: {proof.objects:,} objects, {proof.edges:,} edges compared")
    out.print(Panel(table, title="Synced", expand=False))
    if outcome.faults:
        out.print(Panel(_faults(synced, outcome), title="Faults during the run", expand=False))
    for number, query in enumerate(QUERIES, start=1):
        out.print(f"\n[bold]{number}. {query.question}[/bold]")
        out.print(Syntax(query.document, "graphql", background_color="default", word_wrap=True))
        out.print(f"   → {query.tell(await place.client.ask(query.document))}", markup=False)
    out.print(
        Panel(
            f"{place.origin}/graphql\n\ntoken (valid 30 days, paste it at the top of the page):\n{place.token}",
            title="GraphiQL",
            expand=False,
        )
    )


def _faults(synced: Synced, outcome: DemoOutcome) -> Table:
    """Return a table of the tenant's faults and the warnings in the run's log."""
    table = Table(show_header=False, box=None, padding=(0, 2))
    for fault, times in outcome.faults.items():
        table.add_row(f"{times} times", fault)
    for entry in synced.run["log"]["nodes"]:
        if entry["level"] != "INFO":
            table.add_row(entry["level"].lower(), entry["message"])
    return table
