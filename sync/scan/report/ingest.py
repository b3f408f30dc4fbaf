"""Imports scan reports: their hosts become scan records like those of Rollcall's own scans, written while reading."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial

from sqlalchemy import Connection, select
from sqlalchemy.ext.asyncio import AsyncConnection

from sync.clock import Clock
from sync.errors import BadReport, NotFound
from sync.inventory.asset.asset import AssetPlace
from sync.inventory.scan.record import Sightings, apply_scan, mark_silent
from sync.scan.report.finding import Report
from sync.scan.report.format import FormatReader
from sync.scan.scanner.detail import without_shared
from sync.store import Store
from sync.store.tables import sites

HOSTS_A_WRITE = 1_000
"""Hosts that one transaction writes: others can write in between."""

Tell = Callable[[int, int], None]
"""Called with the number of bytes read and of hosts written."""


@dataclass
class Imported:
    """The result of an import, and the warnings about the report."""

    counts: Counter[str] = field(default_factory=Counter)
    warnings: list[str] = field(default_factory=list)


async def import_pieces(
    store: Store,
    clock: Clock,
    place: AssetPlace,
    pieces: AsyncIterator[bytes],
    tell: Tell,
    made_at: datetime | None = None,
) -> Imported:
    """Read a report of any known format piece by piece, and write its hosts while it is read.

    Args:
        store: gets the hosts.
        clock: gives the time of the rows, and detects times in the future.
        place: the site.
        pieces: the bytes of the report.
        tell: called after each write.
        made_at: when the report was made, for reports without times.

    Raises:
        BadReport: the report cannot be read further; the hosts written before stay.
    """
    reader, done, read = FormatReader(clock.now(), made_at), Imported(), 0
    writing = partial(write_report, clock=clock, place=place, sightings=Sightings())

    async def write(least: int) -> None:
        while len(reader.report.hosts) >= least:
            hosts = reader.report.hosts
            some = Report(hosts=hosts[:HOSTS_A_WRITE])
            del hosts[:HOSTS_A_WRITE]
            done.counts += await store.transact(partial(writing, report=some))
            tell(read, done.counts["created"] + done.counts["merged"])

    try:
        async for piece in pieces:
            for part in reader.parts(piece):
                await asyncio.to_thread(reader.feed, part)
                read += len(part)
                await write(HOSTS_A_WRITE)
        await asyncio.to_thread(reader.close)
    except BadReport as error:
        with suppress(BadReport):
            await asyncio.to_thread(reader.close)
        await write(1)
        hosts = done.counts["created"] + done.counts["merged"]
        before = f" The {hosts:,} hosts before it were imported." if hosts else ""
        raise BadReport(error.message + before, hint=error.hint, **error.facts) from None
    await write(1)
    last = Report(silent=reader.report.silent)
    done.counts += await store.transact(partial(writing, report=last))
    done.warnings = reader.report.said()
    return done


async def place_of(tx: AsyncConnection, organization_id: int, site_id: int) -> AssetPlace:
    """Return a site of the organization as a place for assets.

    Raises:
        NotFound: there is no such site in the organization.
    """
    mine = (sites.c.id == site_id, sites.c.organization_id == organization_id)
    if await tx.scalar(select(sites.c.id).where(*mine)) is None:
        raise NotFound("There is no such site.", path="site")
    return AssetPlace(organization_id, site_id)


def write_report(
    tx: Connection, clock: Clock, place: AssetPlace, report: Report, sightings: Sightings | None = None
) -> Counter[str]:
    """Write a report in the caller's transaction; the same one again changes nothing.

    Args:
        tx: an open write transaction.
        clock: stamps the rows.
        place: the site.
        report: all of one, or a part.
        sightings: what the parts before told; this one is added to it.

    Returns:
        Assets created and updated, hosts merged with known ones, and hosts that no longer answer (`silent`).
    """
    counts = apply_scan(tx, clock, place, without_shared(report.hosts), sightings)
    counts["silent"] = mark_silent(tx, clock, place, report.silent.get) if report.silent else 0
    return counts
