"""The report of assets that may be the same machine, with the key and value that they share; a person decides."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any, Optional

import orjson
import strawberry
from strawberry.types import Info

from schema.context import Context
from schema.field.arguments import accept, argument, given
from schema.field.enums import described
from schema.field.ids import decode_id
from schema.limit.expected import about
from schema.list.connection import PageInfo
from schema.list.listing import CURSOR_PURPOSE
from schema.list.paging import FIRST_DEFAULT, FIRST_MAX, CursorCodec, page_size
from schema.types import Asset, Site
from sync.errors import NotFound
from sync.inventory.asset import duplicates as duplicate
from sync.inventory.asset.identity import DeviceIdentity, identity

# A meaningless value, such as a manufacturer's placeholder for a serial number, may be shared by hundreds of assets.
SHOWN_MAX = 20
_WHAT = {
    duplicate.DuplicateKey.ADDRESS: "the IP address",
    duplicate.DuplicateKey.HARDWARE_ID: "the hardware id",
    duplicate.DuplicateKey.NAME: "the host name",
    duplicate.DuplicateKey.MAC: "the MAC address",
    duplicate.DuplicateKey.SERIAL: "the serial number",
    duplicate.DuplicateKey.DEVICE_ID: "the device id",
}
DuplicateKey = described(
    duplicate.DuplicateKey,
    "DuplicateKey",
    "A key that assets can share.",
    NAME="The host name, in any letter case and without the domain.",
    MAC="A MAC address.",
    SERIAL="The serial number.",
    DEVICE_ID="The device id that two directory records have in common.",
    HARDWARE_ID="A hardware id of the directory, such as `HWID:h:6825798571036`.",
    ADDRESS="An IP address at which scans found both.",
)


@strawberry.type(description="Assets of one site that share a value that should be unique to a machine.")
class Duplicate:
    keys: strawberry.Private[list[int]]
    site_key: strawberry.Private[int]
    key: DuplicateKey = strawberry.field(description="The key they share.")  # type: ignore[valid-type]
    value: str = strawberry.field(description="The value they share.")
    asset_count: int = strawberry.field(description="How many assets share it.")
    explanation: str = strawberry.field(description="The same facts in a sentence.")
    reason: str = strawberry.field(description="Why they were not made one asset.")

    @strawberry.field(description=f"The assets, the oldest first; at most {SHOWN_MAX}.", metadata=about(SHOWN_MAX))
    async def assets(self, info: Info[Context, None]) -> list[Asset]:
        """Read the assets."""
        found = await asyncio.gather(*(info.context.load("Asset", key) for key in self.keys[:SHOWN_MAX]))
        return [asset for asset in found if asset is not None]

    @strawberry.field(description="The site of the assets.")
    async def site(self, info: Info[Context, None]) -> Site | None:
        """Read the site."""
        site: Site | None = await info.context.load("Site", self.site_key)
        return site


@strawberry.type(description="A page of the report of duplicates.")
class Duplicates:
    nodes: list[Duplicate] = strawberry.field(description="The shared values with their assets.")
    page_info: PageInfo = strawberry.field(description="Where the page lies in the report.")


def duplicates() -> Any:
    """Declare `Query.duplicates`."""

    async def resolve(root: Any, info: Any, **arguments: Any) -> Any:
        site, after, first = (given(arguments.get(name)) for name in ("site", "after", "first"))
        return await read_duplicates(info.context, site, after, page_size(first))

    # Strawberry reads these at run time, where `|` does not take every annotation.
    arguments = {
        "site": argument(Optional[strawberry.ID], "Only assets of this site."),  # noqa: UP045
        "first": argument(
            Optional[int],  # noqa: UP045
            f"The number of rows from the start or after `after`, 1 to {FIRST_MAX:,}; {FIRST_DEFAULT} by default.",
        ),
        "after": argument(Optional[str], "The `endCursor` of the page before."),  # noqa: UP045
    }
    accept(resolve, Duplicates, arguments)
    text = (
        "Assets that may be the same machine; merge them with `mergeAssets`. Assets that a person split are left out."
    )
    return strawberry.field(resolver=resolve, description=text)


async def read_duplicates(context: Context, site: str | None, after: str | None, size: int) -> Duplicates:
    """Read one page of the report.

    Raises:
        BadInput, NotFound: `site` is not a site of the organization.
        BadCursor: `after` belongs to another report.
    """
    organization_id, site_id = context.principal.organization_id, None
    if site is not None:
        site_id = decode_id(site, "site", "Site", "site")
        if await context.load("Site", site_id) is None:
            raise NotFound("There is no such site.", path="site")
    scope = orjson.dumps(["duplicates", organization_id, site_id])
    codec = CursorCodec(context.runtime.vault.derive(CURSOR_PURPOSE), scope, 3)
    behind = None if after is None else tuple(codec.decode(after, "after"))
    statement = duplicate.duplicates(organization_id, site_id, behind)
    rows = await context.fetch(statement.limit(size + 1))
    is_cut, rows = len(rows) > size, rows[:size]
    cursors = [codec.encode([row["site_id"], row["key"], row["value"]]) for row in rows]
    shown = [sorted(orjson.loads(row["assets"])) for row in rows]
    records = await _records(context, {key for keys in shown for key in keys[:2]})
    return Duplicates(
        nodes=[_shown(row, keys, records) for row, keys in zip(rows, shown, strict=True)],
        page_info=PageInfo(
            has_next_page=is_cut,
            has_previous_page=after is not None,
            start_cursor=cursors[0] if cursors else None,
            end_cursor=cursors[-1] if cursors else None,
        ),
    )


async def _records(context: Context, keys: set[int]) -> dict[int, list[DeviceIdentity]]:
    """Return the directory records of the assets; they explain why two assets were not merged."""
    statement, values = duplicate.records_of(keys)
    found: dict[int, list[DeviceIdentity]] = {}
    for row in await context.fetch(statement, values) if keys else ():
        found.setdefault(row["asset_id"], []).append(identity(SimpleNamespace(**row)))
    return found


def _shown(row: Any, keys: list[int], records: Mapping[int, list[DeviceIdentity]]) -> Duplicate:
    key = duplicate.DuplicateKey(row["key"])
    return Duplicate(
        keys=keys,
        site_key=row["site_id"],
        key=DuplicateKey[row["key"]],
        value=row["value"],
        asset_count=len(keys),
        explanation=f"{len(keys)} assets have {_WHAT[key]} {row['value']}.",
        reason=duplicate.why_apart(key, keys, records),
    )
