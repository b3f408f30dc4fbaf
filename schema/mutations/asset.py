"""Mutations of assets: merge several into one, split one into two."""

from __future__ import annotations

from typing import Any

import strawberry
from sqlalchemy.ext.asyncio import AsyncConnection
from strawberry.types import Info

from schema.context import Context
from schema.field.ids import decode_id, prefix_of
from schema.field.registry import NOUNS
from schema.mutations.payload import mutate, payload
from schema.types import Asset
from sync.errors import BadInput
from sync.inventory.asset.merge import MERGED_MAX, RECORDS_MAX, merge_assets, split_asset

_asset = payload("Asset")
MergeAssetsPayload = _asset.type("mergeAssets", asset=(Asset, "The asset that has all records now."))
SplitAssetPayload = _asset.type(
    "splitAsset", new_asset=(Asset, "The new asset."), asset=(Asset, "The asset that was split.")
)


@strawberry.input(description="Which assets are one machine.")
class MergeAssetsInput:
    into: strawberry.ID = strawberry.field(description="The asset that stays and gets all records.")
    assets: list[strawberry.ID] = strawberry.field(
        description=f"The assets of the same site that become part of it, 1 to {MERGED_MAX}."
    )


@strawberry.input(description="Which records of an asset are another machine.")
class SplitAssetInput:
    asset: strawberry.ID = strawberry.field(description="The asset to split.")
    records: list[strawberry.ID] = strawberry.field(
        description=f"Ids from its `azureAd` and `scan`, 1 to {RECORDS_MAX:,}; not all of them."
    )


async def merge_assets_(info: Info[Context, None], input: MergeAssetsInput) -> Any:
    """Merge assets."""
    context = info.context

    async def work(tx: AsyncConnection) -> tuple[str, int]:
        into = decode_id(input.into, "asset", "Asset", "into")
        others = [decode_id(id, "asset", "Asset", "assets") for id in input.assets]
        clock, organization_id = context.runtime.clock, context.principal.organization_id
        await tx.run_sync(merge_assets, clock, organization_id, into, others)
        return "Asset", into

    async def after(key: int) -> dict[str, Any]:
        return {"asset": await context.load("Asset", key)}

    return await mutate(info, _asset, MergeAssetsPayload, work, after)


async def split_asset_(info: Info[Context, None], input: SplitAssetInput) -> Any:
    """Split an asset."""
    context, split = info.context, 0

    async def work(tx: AsyncConnection) -> tuple[str, int]:
        nonlocal split
        split = decode_id(input.asset, "asset", "Asset", "asset")
        records: dict[str, list[int]] = {NOUNS["AzureAdDevice"].prefix: [], NOUNS["ScanRecord"].prefix: []}
        for id in input.records:
            prefix = prefix_of(id) or ""
            if prefix not in records:
                raise BadInput("This is not the id of a record of an asset.", path="records")
            records[prefix].append(decode_id(id, prefix, "record", "records"))
        organization_id = context.principal.organization_id
        return "Asset", await tx.run_sync(split_asset, context.runtime.clock, organization_id, split, *records.values())

    async def after(key: int) -> dict[str, Any]:
        return {"new_asset": await context.load("Asset", key), "asset": await context.load("Asset", split)}

    return await mutate(info, _asset, SplitAssetPayload, work, after)
