"""A report of a scan that somebody else made becomes scan records, as if we had scanned."""

from __future__ import annotations

import asyncio
from collections import Counter
from functools import partial
from pathlib import Path

from sqlalchemy import Connection, select
from sqlalchemy.ext.asyncio import AsyncConnection

from sync.clock import Clock
from sync.errors import BadReport, NotFound
from sync.inventory.asset import Place
from sync.inventory.scan import apply_scan, mark_silent
from sync.scan.detail import without_shared
from sync.scan.report import REPORT_BYTES_MAX, Report, read_report
from sync.store import Store
from sync.store.tables import sites

HOSTS_A_WRITE = 1_000
"""Hosts of a file that are written in one transaction: others can write in between."""


async def import_file(store: Store, clock: Clock, place: Place, path: Path) -> Counter[str]:
    """Read a file that nmap wrote, and write it; a file that was cut short writes nothing.

    Returns:
        As `write_report`.

    Raises:
        BadReport: the file cannot be read, is too long, or is no report.
    """

    def read() -> Report:
        with path.open("rb") as file:
            return read_report(file.read(REPORT_BYTES_MAX + 1), clock.now())

    try:
        report = await asyncio.to_thread(read)
    except OSError as error:
        raise BadReport(f"The file cannot be read ({error.strerror}).", hint="It is read by the server.") from None
    counts: Counter[str] = Counter()
    hosts = without_shared(report.hosts)
    for start in range(0, len(hosts), HOSTS_A_WRITE):
        part = Report(report.began_at, hosts[start : start + HOSTS_A_WRITE])
        counts += await store.transact(partial(write_report, clock=clock, place=place, report=part))
    last = Report(report.began_at, silent=report.silent)
    return counts + await store.transact(partial(write_report, clock=clock, place=place, report=last))


async def place_of(tx: AsyncConnection, organization_id: int, site_id: int) -> Place:
    """Return a site of the organization as a place for assets.

    Raises:
        NotFound: there is no such site in the organization.
    """
    mine = (sites.c.id == site_id, sites.c.organization_id == organization_id)
    if await tx.scalar(select(sites.c.id).where(*mine)) is None:
        raise NotFound("There is no such site.", path="site")
    return Place(organization_id, site_id)


def write_report(tx: Connection, clock: Clock, place: Place, report: Report) -> Counter[str]:
    """Write a report in the caller's transaction; the same one again changes nothing.

    Returns:
        Assets created and updated, hosts merged with one that was known, and hosts that went silent.
    """
    counts = apply_scan(tx, clock, place, without_shared(report.hosts))
    silent = report.silent.__contains__
    counts["silent"] = mark_silent(tx, clock, place, silent, report.began_at) if report.silent else 0
    return counts
