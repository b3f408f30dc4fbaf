"""Devices become assets: each is linked to the asset it is a record of, and the asset's fields are computed anew.

The fields of an asset are a pure function of its records, in a fixed order: they do not depend on the order in which
the records arrived.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import RowMapping, bindparam, delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from sync.clock import Clock, timestamp
from sync.inventory.directory import Directory, chunks
from sync.inventory.source import AZUREAD, BITS
from sync.organizations import next_version
from sync.store import AnyRow
from sync.store import insert as insert_or
from sync.store.tables import asset_keys, assets, devices, matches

INACTIVE, UNKNOWN = "INACTIVE", "UNKNOWN"
NAME = "NAME"
# Names that many machines share from the factory: two devices that carry one need not be the same machine.
_GENERIC_NAME = re.compile(
    r"(localhost|desktop|laptop|android|iphone|ipad|macbook( ?pro| ?air)?|windows( ?pc)?|pc|workstation|unknown|none)"
    r"([ _-]?\d{1,3})?",
    re.IGNORECASE,
)
_MOBILE = re.compile(r"\b(ios|iphone|ipad|ipados|android\w*|windowsphone)\b", re.IGNORECASE)
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


def name_key(name: str | None) -> str | None:
    """Reduce a host name to the form it is compared in: its first label, case-folded; None if it tells nothing."""
    short = (name or "").strip().partition(".")[0].casefold()
    if not short or _GENERIC_NAME.fullmatch(short):
        return None
    return short


def name_keys(names: Iterable[str]) -> set[str]:
    """Return the compared forms of several host names."""
    return {short for name in names if (short := name_key(name))}


class _Linker:
    def __init__(self, tx: AsyncConnection, now: str, directory: Directory, options: LinkOptions) -> None:
        self.tx, self.now, self.directory, self.options = tx, now, directory, options
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
            await self._compute(affected)
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
        keys = await self._create(made)
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

    async def _create(self, number: int) -> dict[int, int]:
        """Make empty assets and return placeholder → key; `_compute` fills them in the same transaction."""
        if not number:
            return {}
        self.counts["created"] += number
        empty = {
            "organization_id": self.directory.organization_id,
            "site_id": self.directory.site_id,
            "names": [],
            "domains": [],
            "addresses": [],
            "macs": [],
            "tags": [],
            "scanned": False,
            "source_mask": 0,
            "source_count": 0,
            "version": 0,
            "created_at": self.now,
            "updated_at": self.now,
        }
        made = await self.tx.scalars(insert(assets).returning(assets.c.id), [empty] * number)
        return dict(zip(range(-1, -number - 1, -1), made, strict=True))

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

    async def _compute(self, asset_ids: Iterable[int]) -> None:
        """Bring the fields of assets in line with their records; one without any record is removed."""
        ids = sorted(asset_ids)
        for chunk in chunks(ids):
            present = (await self.tx.execute(select(assets).where(assets.c.id.in_(chunk)))).mappings().all()
            records: dict[int, list[RowMapping]] = {}
            statement = select(devices).where(devices.c.asset_id.in_(chunk)).order_by(devices.c.id)
            for record in (await self.tx.execute(statement)).mappings():
                records.setdefault(record["asset_id"], []).append(record)
            await self._write_assets(present, records)

    async def _write_assets(self, present: Iterable[RowMapping], records: Mapping[int, Sequence[RowMapping]]) -> None:
        rows: list[dict[str, Any]] = []
        for asset in present:
            fields = asset_fields(records.get(asset["id"], ()))
            mask = fields["source_mask"] | asset["source_mask"] & ~BITS[AZUREAD]
            if not fields["source_mask"]:
                # Without a device it keeps its last fields: another source may know it, and a tombstone too
                # should be recognised.
                fields = {name: asset[name] for name in fields} | {"deleted_at": None if mask else self.now}
            fields |= {"source_mask": mask, "source_count": mask.bit_count()}
            if any(asset[name] != value for name, value in fields.items()):
                if asset["version"] and not asset["deleted_at"]:
                    self.counts["removed" if fields["deleted_at"] else "updated"] += 1
                rows.append({"key": asset["id"], **fields})
        if rows:
            await self._save_assets(rows)

    async def _save_assets(self, rows: list[dict[str, Any]]) -> None:
        version = await next_version(self.tx, self.directory.organization_id)
        names = [name for name in rows[0] if name != "key"]
        statement = update(assets).where(assets.c.id == bindparam("key"))
        values: dict[str, Any] = {name: bindparam(f"new_{name}") for name in names}
        await self.tx.execute(
            statement.values(**values, version=version, updated_at=self.now),
            [{"key": row["key"]} | {f"new_{name}": row[name] for name in names} for row in rows],
        )
        for chunk in chunks([row["key"] for row in rows]):
            await self.tx.execute(delete(asset_keys).where(asset_keys.c.asset_id.in_(chunk)))
        keys = [
            {"site_id": self.directory.site_id, "kind": NAME, "value": short, "asset_id": row["key"]}
            for row in rows
            if not row["deleted_at"]
            for short in name_keys(row["names"])
        ]
        if keys:
            await self.tx.execute(insert(asset_keys), keys)


def asset_fields(records: Sequence[RowMapping]) -> dict[str, Any]:
    """Compute an asset's fields from its device records, the most recently seen one first."""
    ranked = sorted(
        records, key=lambda record: (record["approximate_last_sign_in_date_time"] or "", record["external_id"])
    )
    ranked.reverse()

    def first(name: str) -> Any:
        return next((record[name] for record in ranked if record[name] is not None), None)

    names = list(dict.fromkeys(record["display_name"] for record in ranked if record["display_name"]))
    begun = [
        moment
        for record in ranked
        for moment in (record["registration_date_time"], record["created_date_time"])
        if moment
    ]
    return {
        "name": names[0] if names else None,
        "names": names,
        "domains": sorted({domain for name in names if (domain := name.partition(".")[2].casefold())}),
        "type": _type(first("operating_system"), first("profile_type")),
        "os": first("operating_system"),
        "os_version": first("operating_system_version"),
        "manufacturer": first("manufacturer"),
        "model": first("model"),
        "first_seen": min(begun, default=None),
        "last_seen": first("approximate_last_sign_in_date_time"),
        "source_mask": BITS[AZUREAD] if records else 0,
        "source_count": 1 if records else 0,
        "deleted_at": None,
    }


def _type(os: str | None, profile: str | None) -> str | None:
    """Name the type of machine where the directory really tells it, else nothing."""
    if profile in {"Printer", "IoT"}:
        return profile
    if os and _MOBILE.search(os):
        return "Mobile"
    if os and "server" in os.casefold():
        return "Server"
    return None
