"""Devices become assets: each is linked to the asset it is a record of, and the asset's fields are computed anew."""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from sqlalchemy import bindparam, delete, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from sync.clock import Clock, timestamp
from sync.inventory.asset import MAC, NAME, Place, compute_assets, create_assets, name_keys
from sync.inventory.directory import Directory, chunks
from sync.inventory.mac import macs_in
from sync.inventory.match import DEVICE_ID, HOST_NAME, MAC_ADDRESS, NEW, Candidates, Match
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
    devices.c.physical_ids,
)


@dataclass(frozen=True)
class LinkOptions:
    """What a connector task says about devices; see docs/sync.md."""

    exclude_unknown: bool
    include_inactive: bool


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
            stale = matches.c.object_id.in_(unlinked) & matches.c.asset_id.in_(live) & ~matches.c.is_pinned
            await self.tx.execute(delete(matches).where(stale))

    async def _place(self, loose: Sequence[AnyRow]) -> set[int]:
        """Find or make the asset of each device that has none; returns the assets that gained one."""
        candidates = await self._candidates(loose)
        former = await self._former_matches(loose)
        gone = {match.asset_id for match in former.values()}
        placed: list[tuple[int, Match]] = []
        skipped: list[int] = []
        made = 0
        for row in loose:
            match = candidates.match(row)
            if match is None and self.options.exclude_unknown:
                skipped.append(row.id)
                continue
            match = match or former.get(row.id)
            if match is None:
                # Its key is only known once it is written; until then a negative number stands for it.
                made += 1
                match = Match(-made, NEW, None)
            elif match.asset_id in gone:
                self.counts["restored"] += 1
                # The first one back takes the asset; others have to match it by what they say now.
                gone.discard(match.asset_id)
                former = {key: other for key, other in former.items() if other.asset_id != match.asset_id}
            else:
                self.counts["merged"] += 1
            placed.append((row.id, match))
            candidates.take(row, match.asset_id)
        self.counts["created"] += made
        keys = dict(
            zip(range(-1, -made - 1, -1), await create_assets(self.tx, self.now, self.place, made), strict=True)
        )
        placed = [(key, replace(match, asset_id=keys.get(match.asset_id, match.asset_id))) for key, match in placed]
        await self._write_links(placed)
        await self._skip(skipped)
        return {match.asset_id for _, match in placed}

    async def _candidates(self, loose: Sequence[AnyRow]) -> Candidates:
        """Find the assets that the devices may belong to."""
        found = Candidates(only_known=self.options.exclude_unknown)
        is_known = (assets.c.source_mask.op("&")(~BITS[AZUREAD]) != 0).label("is_known")
        here = asset_keys.c.site_id == self.directory.site_id
        short_names = name_keys(row.display_name for row in loose if row.display_name)
        macs = {mac for row in loose for mac in macs_in(row.physical_ids)}
        for kind, key, values in ((NAME, HOST_NAME, short_names), (MAC, MAC_ADDRESS, macs)):
            statement = (
                select(assets.c.id, is_known, assets.c.names, asset_keys.c.value)
                .join_from(asset_keys, assets, assets.c.id == asset_keys.c.asset_id)
                .where(here, asset_keys.c.kind == kind, asset_keys.c.value.in_(values), assets.c.deleted_at.is_(None))
                .order_by(assets.c.id)
            )
            for row in await self.tx.execute(statement):
                found.offer(row.id, is_known=row.is_known, names=row.names, keys=[(key, row.value)])
        statement = (
            select(assets.c.id, is_known, devices.c.device_id)
            .join_from(devices, assets, assets.c.id == devices.c.asset_id)
            .where(
                devices.c.site_id == self.directory.site_id,
                devices.c.device_id.in_([row.device_id for row in loose if row.device_id]),
            )
            .order_by(devices.c.id)
        )
        for row in await self.tx.execute(statement):
            found.offer(row.id, is_known=row.is_known, keys=[(DEVICE_ID, row.device_id)])
        statement = (
            select(matches.c.object_id, matches.c.key, matches.c.value, assets.c.id, is_known)
            .join_from(matches, assets, assets.c.id == matches.c.asset_id)
            .where(matches.c.object_id.in_([row.id for row in loose]), matches.c.is_pinned)
        )
        for row in await self.tx.execute(statement):
            found.offer(row.id, is_known=row.is_known)
            found.pin(row.object_id, Match(row.id, row.key, row.value))
        return found

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
