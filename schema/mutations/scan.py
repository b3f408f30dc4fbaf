"""The scan part of `createTask` and `updateTask`, and the import of a scanner's report."""

from __future__ import annotations

import asyncio
from datetime import datetime
from typing import Any

import strawberry
from strawberry import UNSET

from schema.field.arguments import given
from schema.field.ids import decode_id
from schema.field.scalars import DateTime
from schema.mutations.payload import MutationContext, mutation, payload, within
from schema.types import Site
from schema.types.run import InventoryCounts, inventory_counts
from schema.types.scan_options import Scanner
from sync.errors import BadInput
from sync.scan.options import RATE_DEFAULT, RATE_MAX, ScannerName, ScanOptions
from sync.scan.report.finding import Report
from sync.scan.report.format import FormatReader
from sync.scan.report.ingest import place_of, write_report
from sync.scan.target import ATTEMPTS_MAX, HOSTS_MAX
from sync.tasks.schedule import Schedule
from sync.tasks.task import NewScan

XML_BYTES_MAX = 200_000
"""The largest report in a request; the command line imports larger ones."""
PROBE_CREDENTIAL = "scan.probes.azureAd.credential"
# Names in the errors of sync → places in the input of `createTask` and `updateTask`.
PLACES = {name: f"scan.{name}" for name in ("targets", "excludes", "ports", "rate")}
_DEFAULTS: dict[str, Any] = {"targets": (), "excludes": (), "ports": None, "rate": RATE_DEFAULT, "scanner": None}
_scan = payload("Scan")


@strawberry.input(description="Reads Microsoft Entra ID after the scan, so that its devices add to the hosts found.")
class AzureAdProbeInput:
    enabled: bool = strawberry.field(default=True, description="Whether the probe runs.")
    credential: strawberry.ID = strawberry.field(description="The credential to sign in with.")
    exclude_unknown: bool = strawberry.field(
        default=False, description="Leave out devices that no asset known from another source matches."
    )
    include_inactive: bool = strawberry.field(default=False, description="Make assets of disabled devices too.")


@strawberry.input(description="The probes that run after the scan.")
class ScanProbesInput:
    azure_ad: AzureAdProbeInput | None = strawberry.field(default=UNSET, description="Microsoft Entra ID.")


@strawberry.input(description="The targets and options of a scan.")
class ScanInput:
    targets: list[str] = strawberry.field(
        description="Addresses, networks (10.0.0.0/24), ranges (10.0.0.5-20) and host names; "
        f"up to {HOSTS_MAX:,} addresses."
    )
    excludes: list[str] | None = strawberry.field(default=UNSET, description="Targets to leave out.")
    ports: str | None = strawberry.field(
        default=UNSET,
        description="TCP ports, such as 22,80,8000-8100; the usual ones by default. "
        f"Addresses times ports are {ATTEMPTS_MAX:,} at most.",
    )
    rate: int = strawberry.field(
        default=RATE_DEFAULT, description=f"Most connections, or packets, a second: 1 to {RATE_MAX:,}."
    )
    scanner: Scanner | None = strawberry.field(
        default=UNSET, description="The scanner; by default nmap, if it is installed."
    )
    probes: ScanProbesInput | None = strawberry.field(default=UNSET, description="The probes that run after the scan.")


@strawberry.input(description="Changes of the probe; omitted fields keep their values.")
class UpdateAzureAdProbeInput:
    enabled: bool | None = strawberry.field(default=UNSET, description="Whether the probe runs.")
    credential: strawberry.ID | None = strawberry.field(default=UNSET, description="The credential to sign in with.")
    exclude_unknown: bool | None = strawberry.field(
        default=UNSET, description="Leave out devices that no asset known from another source matches."
    )
    include_inactive: bool | None = strawberry.field(default=UNSET, description="Make assets of disabled devices too.")


@strawberry.input(description="Changes of the probes that run after the scan.")
class UpdateScanProbesInput:
    azure_ad: UpdateAzureAdProbeInput | None = strawberry.field(default=UNSET, description="Microsoft Entra ID.")


@strawberry.input(description="Changes of a scan; omitted fields keep their values, null sets the default.")
class UpdateScanInput:
    targets: list[str] | None = strawberry.field(default=UNSET, description="All targets.")
    excludes: list[str] | None = strawberry.field(default=UNSET, description="Targets to leave out.")
    ports: str | None = strawberry.field(default=UNSET, description="TCP ports; null: the usual ones.")
    rate: int | None = strawberry.field(default=UNSET, description="Most connections, or packets, a second.")
    scanner: Scanner | None = strawberry.field(
        default=UNSET, description="The scanner; null: nmap, if it is installed."
    )
    probes: UpdateScanProbesInput | None = strawberry.field(
        default=UNSET, description="The probes that run after the scan."
    )


@strawberry.input(description="A report to import, and its site.")
class ImportScanInput:
    site: strawberry.ID = strawberry.field(description="The site of the hosts.")
    xml: str = strawberry.field(
        description="The output of nmap -oX, of masscan as XML or JSON, of Nessus (version 2), or a list of services "
        f"as CSV: up to {XML_BYTES_MAX:,} bytes; the command line imports larger ones."
    )
    made_at: DateTime | None = strawberry.field(
        default=UNSET, description="When the report was made, if it holds no time, such as a list."
    )


def new_scan(
    name: str, site_id: int, description: str | None, scan: ScanInput, schedule: Schedule | None = None
) -> NewScan:
    """Return the new scan task of an input.

    Raises:
        BadInput: the credential's id is malformed.
    """
    probe = given(scan.probes.azure_ad) if given(scan.probes) else None  # type: ignore[union-attr]
    scanner = given(scan.scanner)
    options = ScanOptions(
        targets=tuple(scan.targets),
        excludes=tuple(given(scan.excludes) or ()),
        ports=given(scan.ports),
        rate=scan.rate,
        scanner=ScannerName(scanner.value) if scanner else None,
        azure_ad=bool(probe and probe.enabled),
    )
    return NewScan(
        name=name,
        site_id=site_id,
        options=options,
        credential_id=decode_id(probe.credential, "cred", "Credential", PROBE_CREDENTIAL) if probe else None,
        description=description,
        exclude_unknown=bool(probe and probe.exclude_unknown),
        include_inactive=bool(probe and probe.include_inactive),
        schedule=schedule,
    )


def changes_of_scan(scan: UpdateScanInput) -> dict[str, Any]:
    """Return the changes of a scan task for `update_task`; null sets the default of a new task.

    Raises:
        BadInput: the credential's id is malformed.
    """
    options: dict[str, Any] = {}
    for name, default in _DEFAULTS.items():
        if (value := getattr(scan, name)) is not UNSET:
            options[name] = default if value is None else value
    for name in ("targets", "excludes"):
        if name in options:
            options[name] = tuple(options[name])
    if options.get("scanner"):
        options["scanner"] = ScannerName(options["scanner"].value)
    probe = given(scan.probes.azure_ad) if given(scan.probes) else None  # type: ignore[union-attr]
    changes: dict[str, Any] = {}
    if probe is not None:
        if given(probe.enabled) is not None:
            options["azure_ad"] = probe.enabled
        if given(probe.credential) is not None:
            changes["credential_id"] = decode_id(probe.credential, "cred", "Credential", PROBE_CREDENTIAL)
        for name in ("exclude_unknown", "include_inactive"):
            if (value := given(getattr(probe, name))) is not None:
                changes[name] = value
    return changes | {"scan": options}


@mutation(
    _scan,
    "Import a scanner's report, as if its hosts had been scanned; importing it again changes nothing.",
    site=(Site, "The site of the hosts."),
    counts=(InventoryCounts, "The changes to the site's assets."),
    warnings=(list[str], "Warnings about the report, such as that it was cut short."),
)
async def import_scan(context: MutationContext, input: ImportScanInput) -> int:
    """Import a report; importing it again changes nothing."""
    site_id = decode_id(input.site, "site", "Site", "site")
    place = await place_of(context.tx, context.organization_id, site_id)
    text = input.xml.encode(errors="replace")
    if len(text) > XML_BYTES_MAX:
        problem = f"The report has {len(text):,} bytes; at most {XML_BYTES_MAX:,} are allowed here."
        raise BadInput(problem, hint="Import the file with `rollcall scan import`.", path="xml")
    made_at = datetime.fromisoformat(when) if (when := given(input.made_at)) else None
    report = await asyncio.to_thread(_read, text, context.clock.now(), made_at)
    with within("xml", {"addresses": "xml", "macs": "xml"}):
        counts = await context.tx.run_sync(write_report, context.clock, place, report)
    context.show(counts=inventory_counts("hosts", counts), warnings=report.said())
    return site_id


def _read(text: bytes, now: datetime, made_at: datetime | None) -> Report:
    """Read a whole report as UTF-8, because the request has decoded it; the encoding that it declares is wrong now."""
    reader = FormatReader(now, made_at, XML_BYTES_MAX, encoding="utf-8")
    reader.feed(text)
    reader.close()
    return reader.report
