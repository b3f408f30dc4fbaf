"""The `simulate` command: starts a simulated tenant and prints the addresses, credentials and settings to use it."""

from __future__ import annotations

import asyncio
from pathlib import Path

import click
import orjson

from server.simulator.fault.plan import read_plan
from server.simulator.serving import RunningSimulator, serve
from server.simulator.simulator import Simulator
from sync.errors import BadInput

DEFAULT_DATA = Path("simulator-data")


def facts_of(address: RunningSimulator) -> dict[str, str]:
    """Return the addresses, ids and credentials of a running simulator."""
    simulator = address.simulator
    return {
        "origin": simulator.origin,
        "caFile": str(address.ca_file.resolve()),
        "tenantId": simulator.tenant_id,
        "tenantDomain": simulator.tenant_domain,
        "clientId": simulator.secret_app.client_id,
        "clientSecret": simulator.secret_app.client_secret,
        "publicClientId": simulator.password_app.client_id,
        "username": simulator.password_app.username,
        "password": simulator.password_app.password,
        "adminKey": simulator.admin_key,
    }


def _explain(facts: dict[str, str]) -> str:
    return "\n".join(
        (
            f"A simulated Entra tenant listens on {facts['origin']} (Ctrl-C stops it).",
            "",
            "Settings for the server:",
            f"  ROLLCALL_CUSTOM_AUTHORITY_URL={facts['origin']}",
            f"  ROLLCALL_CUSTOM_GRAPH_URL={facts['origin']}",
            f"  ROLLCALL_CUSTOM_CA_FILE={facts['caFile']}",
            "",
            "Credential with client secret (cloud CUSTOM):",
            f"  tenant id      {facts['tenantId']}  ({facts['tenantDomain']})",
            f"  client id      {facts['clientId']}",
            f"  client secret  {facts['clientSecret']}",
            "",
            "Credential with user and password (cloud CUSTOM):",
            f"  client id      {facts['publicClientId']}",
            f"  username       {facts['username']}",
            f"  password       {facts['password']}",
            "",
            f"Admin API: {facts['origin']}/_simulator with the bearer token {facts['adminKey']}",
        )
    )


@click.command()
@click.option(
    "--users", default=2000, show_default=True, type=click.IntRange(0, 10_000_000), help="Users of the tenant."
)
@click.option(
    "--devices", default=1500, show_default=True, type=click.IntRange(0, 10_000_000), help="Devices of the tenant."
)
@click.option(
    "--groups", default=200, show_default=True, type=click.IntRange(0, 10_000_000), help="Groups of the tenant."
)
@click.option("--seed", default=1, show_default=True, type=int, help="The same seed gives the same tenant.")
@click.option(
    "--port", default=8443, show_default=True, type=click.IntRange(0, 65535), help="Port; 0 takes a free one."
)
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option(
    "--data",
    default=DEFAULT_DATA,
    show_default=True,
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder of the CA and the certificate; another run with it reuses them.",
)
@click.option(
    "--faults", default="none", show_default=True, help="Faults: none, rough, throttled, seed:N or a JSON file."
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object once the simulator listens.")
def simulate(
    users: int, devices: int, groups: int, seed: int, port: int, host: str, data: Path, faults: str, as_json: bool
) -> None:
    """Serve a simulated Entra tenant with sign-in and Microsoft Graph."""
    simulator = Simulator(users=users, devices=devices, groups=groups, seed=seed)
    try:
        simulator.use(read_plan(faults))
    except BadInput as error:
        raise click.ClickException(error.message) from error

    def ready(address: RunningSimulator) -> None:
        facts = facts_of(address)
        click.echo(orjson.dumps(facts).decode() if as_json else _explain(facts))

    try:
        asyncio.run(serve(simulator, host=host, port=port, data_dir=data, ready=ready))
    except OSError as error:
        raise click.ClickException(f"Cannot listen on {host}:{port}: {error.strerror or error}.") from error
