"""Devices become assets: each is linked to the asset it is a record of, and the asset's fields are computed anew."""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from sqlalchemy import bindparam, delete, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from sync.clock import Clock, timestamp
from sync.inventory.asset import NAME, Place, compute_assets, create_assets, name_key, name_keys
from sync.inventory.directory import Directory, chunks
from sync.inventory.source import AZUREAD, BITS
from sync.store import AnyRow
from sync.store import insert as insert_or
from sync.store.tables import asset_keys, assets, devices, matches

INACTIVE, UNKNOWN = "INACTIVE", "UNKNOWN"
_LINK = (
    devices.c.id,
    devices.c.asset_id,
    devices.c.skipped,
    devices.c.deleted_at,
    devices.c.account_enabled,
    devices.c.device_id,
    devices.c.display_name,
)


@dataclass(frozen=True)
class LinkOptions:
    """What a connector task says about devices; see docs/sync.md."""

    exclude_unknown: bool
    include_inactive: bool


@dataclass(frozen=True)
class Match:
    """Why a device belongs to an asset."""

    asset_id: int
    key: str
    value: str | None


async def link_devices(
    tx: AsyncConnection, clock: Clock, directory: Directory, options: LinkOptions, keys: Sequence[int]
) -> Counter[str]:
    """Link the given devices to assets, making and removing assets as the options say.

    Idempotent: with the same devices and options a second call changes nothing.

    Returns:
        Assets created, updated, removed, restored, and devices merged, skippedUnknown, skippedInactive.
    """
    linker = _Linker(tx, timestamp(clock.now()), directory, options)
    for chunk in chunks(keys):
        await linker.link(chunk)
    return linker.counts


class _Linker:
    def __init__(self, tx: AsyncConnection, now: str, directory: Directory, options: LinkOptions) -> None:
        self.tx, self.now, self.directory, self.options = tx, now, directory, options
        self.place = Place(directory.organization_id, directory.site_id)
        self.counts: Counter[str] = Counter()

    async def link(self, keys: Sequence[int]) -> None:
        rows = (await self.tx.execute(select(*_LINK).where(devices.c.id.in_(keys)).order_by(devices.c.id))).all()
        affected = {row.asset_id for row in rows if row.asset_id is not None}
        dropped = {row.id: INACTIVE if row.deleted_at is None else None for row in rows if self._is_dropped(row)}
        self.counts["skippedInactive"] += sum(reason is not None for reason in dropped.values())
        strays = dict.fromkeys(await self._strays(affected, rows, dropped), UNKNOWN)
        await self._unlink([row for row in rows if row.id in dropped], dropped)
        await self._unlink([row for row in rows if row.id in strays], strays)
        loose = [row for row in rows if row.id not in dropped and (row.asset_id is None or row.id in strays)]
        if loose:
            affected |= await self._place(loose)
        if affected:
            self.counts += await compute_assets(self.tx, self.now, self.place, affected)
        await self._forget_matches([*dropped, *strays])

    def _is_dropped(self, row: AnyRow) -> bool:
        inactive = row.account_enabled is False and not self.options.include_inactive
        return row.deleted_at is not None or inactive

    async def _strays(self, asset_ids: Iterable[int], rows: Iterable[AnyRow], dropped: Container[int]) -> list[int]:
        """List devices whose asset no other source knows, when such devices are not wanted (any more)."""
        if not self.options.exclude_unknown:
            return []
        known = assets.c.source_mask.op("&")(~BITS[AZUREAD]) != 0
        statement = select(assets.c.id).where(assets.c.id.in_(asset_ids), known)
        kept = {None, *(await self.tx.scalars(statement))}
        return [row.id for row in rows if row.asset_id not in kept and row.id not in dropped]

    async def _unlink(self, rows: Iterable[AnyRow], reasons: Mapping[int, str | None]) -> None:
        changed = [
            {"key": row.id, "reason": reasons[row.id]}
            for row in rows
            if row.asset_id is not None or row.skipped != reasons[row.id]
        ]
        if changed:
            statement = update(devices).where(devices.c.id == bindparam("key"))
            await self.tx.execute(statement.values(asset_id=None, skipped=bindparam("reason")), changed)

    async def _forget_matches(self, keys: Sequence[int]) -> None:
        """Forget why unlinked devices belonged to an asset, unless it went with them: then they may bring it back."""
        if keys:
            live = select(assets.c.id).where(assets.c.deleted_at.is_(None))
            unlinked = select(devices.c.id).where(devices.c.id.in_(keys), devices.c.asset_id.is_(None))
            await self.tx.execute(
                delete(matches).where(matches.c.object_id.in_(unlinked), matches.c.asset_id.in_(live))
            )

    async def _place(self, loose: Sequence[AnyRow]) -> set[int]:
        """Find or make the asset of each device that has none; returns the assets that gained one."""
        by_device_id = await self._assets_by_device_id(loose)
        by_name = await self._assets_by_name(loose)
        former = await self._former_matches(loose)
        placed: list[tuple[int, Match]] = []
        skipped: list[int] = []
        made = 0
        for row in loose:
            match = self._match(row, by_device_id, by_name)
            if match is None and self.options.exclude_unknown:
                skipped.append(row.id)
                continue
            if match is None and row.id in former:
                match = former[row.id]
                self.counts["restored"] += 1
                # The first one back takes the asset; others have to match it by what they say now.
                former = {key: other for key, other in former.items() if other.asset_id != match.asset_id}
            elif match is None:
                # Its key is only known once it is written; until then a negative number stands for it.
                made += 1
                match = Match(-made, "new", None)
            else:
                self.counts["merged"] += 1
            placed.append((row.id, match))
            if row.device_id:
                by_device_id[row.device_id] = match.asset_id
            if short := name_key(row.display_name):
                by_name.setdefault(short, {}).setdefault(match.asset_id, False)
        self.counts["created"] += made
        keys = dict(
            zip(range(-1, -made - 1, -1), await create_assets(self.tx, self.now, self.place, made), strict=True)
        )
        placed = [(key, replace(match, asset_id=keys.get(match.asset_id, match.asset_id))) for key, match in placed]
        await self._write_links(placed)
        await self._skip(skipped)
        return {match.asset_id for _, match in placed}

    def _match(
        self, row: AnyRow, by_device_id: Mapping[str, int], by_name: Mapping[str, Mapping[int, bool]]
    ) -> Match | None:
        """Match by device id, then by host name if exactly one asset has it.

        With `exclude_unknown` only an asset that another source knows counts as a match.
        """
        if row.device_id in by_device_id and not self.options.exclude_unknown:
            return Match(by_device_id[row.device_id], "deviceId", row.device_id)
        short = name_key(row.display_name)
        candidates = by_name.get(short or "", {})
        if self.options.exclude_unknown:
            candidates = {asset_id: known for asset_id, known in candidates.items() if known}
        if len(candidates) == 1:
            return Match(next(iter(candidates)), "name", short)
        return None

    async def _assets_by_device_id(self, loose: Sequence[AnyRow]) -> dict[str, int]:
        ids = [row.device_id for row in loose if row.device_id]
        statement = select(devices.c.device_id, devices.c.asset_id).where(
            devices.c.site_id == self.directory.site_id,
            devices.c.device_id.in_(ids),
            devices.c.asset_id.is_not(None),
        )
        return {device_id: asset_id for device_id, asset_id in await self.tx.execute(statement)}

    async def _former_matches(self, loose: Sequence[AnyRow]) -> dict[int, Match]:
        """Return device → why it belonged to the asset that went with it: restored, it is that asset again."""
        statement = (
            select(matches.c.object_id, matches.c.asset_id, matches.c.key, matches.c.value)
            .join_from(matches, assets, assets.c.id == matches.c.asset_id)
            .where(
                matches.c.object_id.in_([row.id for row in loose]),
                assets.c.site_id == self.directory.site_id,
                assets.c.deleted_at.is_not(None),
            )
        )
        return {key: Match(asset_id, why, value) for key, asset_id, why, value in await self.tx.execute(statement)}

    async def _assets_by_name(self, loose: Sequence[AnyRow]) -> dict[str, dict[int, bool]]:
        """Return host name → {asset: whether another source knows it}."""
        short_names = name_keys(row.display_name for row in loose if row.display_name)
        statement = (
            select(asset_keys.c.value, assets.c.id, assets.c.source_mask)
            .join_from(asset_keys, assets, assets.c.id == asset_keys.c.asset_id)
            .where(
                asset_keys.c.site_id == self.directory.site_id,
                asset_keys.c.kind == NAME,
                asset_keys.c.value.in_(short_names),
                assets.c.deleted_at.is_(None),
            )
        )
        found: dict[str, dict[int, bool]] = {}
        for short, asset_id, mask in await self.tx.execute(statement):
            found.setdefault(short, {})[asset_id] = bool(mask & ~BITS[AZUREAD])
        return found

    async def _write_links(self, placed: Sequence[tuple[int, Match]]) -> None:
        if not placed:
            return
        links = [{"key": key, "asset": match.asset_id} for key, match in placed]
        statement = update(devices).where(devices.c.id == bindparam("key"))
        await self.tx.execute(statement.values(asset_id=bindparam("asset"), skipped=None), links)
        rows = [
            {
                "object_id": key,
                "asset_id": match.asset_id,
                "source": AZUREAD,
                "key": match.key,
                "value": match.value,
                "matched_at": self.now,
            }
            for key, match in placed
        ]
        statement_ = insert_or(self.tx, matches)
        fresh = {name: statement_.excluded[name] for name in ("asset_id", "source", "key", "value", "matched_at")}
        await self.tx.execute(statement_.on_conflict_do_update(index_elements=["object_id"], set_=fresh), rows)

    async def _skip(self, keys: Sequence[int]) -> None:
        self.counts["skippedUnknown"] += len(keys)
        if keys:
            await self.tx.execute(update(devices).where(devices.c.id.in_(keys)).values(skipped=UNKNOWN))
