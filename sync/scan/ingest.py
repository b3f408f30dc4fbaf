"""A report of a scan that somebody else made becomes scan records, as if we had scanned."""

from __future__ import annotations

from collections import Counter

from sqlalchemy import Connection, select
from sqlalchemy.ext.asyncio import AsyncConnection

from sync.clock import Clock
from sync.errors import NotFound
from sync.inventory.asset import Place
from sync.inventory.scan import apply_scan, mark_silent
from sync.scan.report import Report
from sync.store.tables import sites


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
    counts = apply_scan(tx, clock, place, report.hosts)
    silent = report.silent.__contains__
    counts["silent"] = mark_silent(tx, clock, place, silent, report.began_at) if report.silent else 0
    return counts
