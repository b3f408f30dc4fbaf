"""Mutations of assets: merge several into one, split one into two."""

from __future__ import annotations

from functools import partial

import strawberry

from schema.field.ids import decode_id, prefix_of
from schema.field.registry import NOUNS
from schema.mutations.payload import MutationContext, mutation, payload
from schema.types import Asset
from sync.errors import BadInput
from sync.inventory.asset import merge
from sync.inventory.asset.merge import MERGED_MAX, RECORDS_MAX

_asset = payload("Asset")


@strawberry.input(description="The assets that are one machine.")
class MergeAssetsInput:
    into: strawberry.ID = strawberry.field(description="The asset that stays and gets all records.")
    assets: list[strawberry.ID] = strawberry.field(
        description=f"The assets of the same site that become part of it, 1 to {MERGED_MAX}."
    )


@strawberry.input(description="The records of an asset that belong to another machine.")
class SplitAssetInput:
    asset: strawberry.ID = strawberry.field(description="The asset to split.")
    records: list[strawberry.ID] = strawberry.field(
        description=f"Ids from its `azureAd` and `scan`, 1 to {RECORDS_MAX:,}; not all of them."
    )


@mutation(
    _asset,
    "Merge assets that are one machine; no later sync undoes it.",
    asset=(Asset, "The asset that has all records now."),
)
async def merge_assets(context: MutationContext, input: MergeAssetsInput) -> int:
    """Merge assets."""
    into = decode_id(input.into, "asset", "Asset", "into")
    others = [decode_id(id, "asset", "Asset", "assets") for id in input.assets]
    await context.tx.run_sync(merge.merge_assets, context.clock, context.organization_id, into, others)
    return into


@mutation(
    _asset,
    "Split records of another machine from an asset; no later sync undoes it.",
    new_asset=(Asset, "The new asset."),
    asset=(Asset, "The asset that was split."),
)
async def split_asset(context: MutationContext, input: SplitAssetInput) -> int:
    """Split an asset."""
    key = decode_id(input.asset, "asset", "Asset", "asset")
    records: dict[str, list[int]] = {NOUNS["AzureAdDevice"].prefix: [], NOUNS["ScanRecord"].prefix: []}
    for id in input.records:
        prefix = prefix_of(id) or ""
        if prefix not in records:
            raise BadInput(
                "This is not the id of a record of an asset.",
                hint="Take ids from `azureAd` and `scan`.",
                path="records",
            )
        records[prefix].append(decode_id(id, prefix, "record", "records"))
    context.read(asset=partial(context.operation.load, "Asset", key))
    return await context.tx.run_sync(merge.split_asset, context.clock, context.organization_id, key, *records.values())
