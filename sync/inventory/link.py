"""Devices become assets: each is linked to the asset it is a record of, and the asset's fields are computed anew."""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from sqlalchemy import Connection, bindparam, delete, select

from sync.clock import Clock, timestamp
from sync.inventory.asset import (
    DEVICE_FIELDS,
    MAC,
    NAME,
    Place,
    Record,
    asset_fields,
    compute_assets,
    create_assets,
    name_keys,
)
from sync.inventory.directory import Directory, chunks
from sync.inventory.mac import macs_in
from sync.inventory.match import DEVICE_ID, HOST_NAME, MAC_ADDRESS, NEW, Candidates, Match
from sync.inventory.source import AZUREAD, BITS
from sync.store import AnyRow
from sync.store.among import among
from sync.store.bulk import update_rows, upsert_rows
from sync.store.tables import asset_keys, assets, devices, matches

INACTIVE, UNKNOWN = "INACTIVE", "UNKNOWN"
# The statements of a page: built once, because to build one costs more than to run it.
_DEVICES = (
    select(*DEVICE_FIELDS, devices.c.skipped, devices.c.deleted_at, devices.c.account_enabled, devices.c.device_id)
    .where(among(devices.c.id, "keys"))
    .order_by(devices.c.id)
)
_IS_KNOWN = (assets.c.source_mask.op("&")(~BITS[AZUREAD]) != 0).label("is_known")
_KNOWN_ELSEWHERE = select(assets.c.id).where(among(assets.c.id, "keys"), _IS_KNOWN)
_FORGOTTEN = delete(matches).where(
    matches.c.object_id.in_(select(devices.c.id).where(among(devices.c.id, "keys"), devices.c.asset_id.is_(None))),
    matches.c.asset_id.in_(select(assets.c.id).where(assets.c.deleted_at.is_(None))),
    ~matches.c.is_pinned,
)
_BY_KEY = (
    select(assets.c.id, _IS_KNOWN, assets.c.names, asset_keys.c.value)
    .join_from(asset_keys, assets, assets.c.id == asset_keys.c.asset_id)
    .where(
        asset_keys.c.site_id == bindparam("site"),
        asset_keys.c.kind == bindparam("kind"),
        among(asset_keys.c.value, "values"),
        assets.c.deleted_at.is_(None),
    )
    .order_by(assets.c.id)
)
_BY_DEVICE_ID = (
    select(assets.c.id, _IS_KNOWN, devices.c.device_id)
    .join_from(devices, assets, assets.c.id == devices.c.asset_id)
    .where(devices.c.site_id == bindparam("site"), among(devices.c.device_id, "ids"))
    .order_by(devices.c.id)
)
_PINNED = (
    select(matches.c.object_id, matches.c.key, matches.c.value, assets.c.id, _IS_KNOWN)
    .join_from(matches, assets, assets.c.id == matches.c.asset_id)
    .where(among(matches.c.object_id, "keys"), matches.c.is_pinned)
)
_FORMER = (
    select(matches.c.object_id, matches.c.asset_id, matches.c.key, matches.c.value)
    .join_from(matches, assets, assets.c.id == matches.c.asset_id)
    .where(among(matches.c.object_id, "keys"), assets.c.site_id == bindparam("site"), assets.c.deleted_at.is_not(None))
)


@dataclass(frozen=True)
class LinkOptions:
    """What a connector task says about devices; see docs/sync.md."""

    exclude_unknown: bool
    include_inactive: bool


def link_devices(
    tx: Connection, clock: Clock, directory: Directory, options: LinkOptions, keys: Sequence[int]
) -> Counter[str]:
    """Link the given devices to assets, making and removing assets as the options say.

    Idempotent: with the same devices and options a second call changes nothing.

    Returns:
        Assets created, updated, removed, restored, and devices merged, skippedUnknown, skippedInactive.
    """
    linker = _Linker(tx, timestamp(clock.now()), directory, options)
    for chunk in chunks(keys):
        linker.link(chunk)
    return linker.counts


class _Linker:
    def __init__(self, tx: Connection, now: str, directory: Directory, options: LinkOptions) -> None:
        self.tx, self.now, self.directory, self.options = tx, now, directory, options
        self.place = Place(directory.organization_id, directory.site_id)
        self.counts: Counter[str] = Counter()

    def link(self, keys: Sequence[int]) -> None:
        rows = self.tx.execute(_DEVICES, {"keys": keys}).all()
        affected = {row.asset_id for row in rows if row.asset_id is not None}
        dropped = {row.id: INACTIVE if row.deleted_at is None else None for row in rows if self._is_dropped(row)}
        self.counts["skippedInactive"] += sum(reason is not None for reason in dropped.values())
        strays = dict.fromkeys(self._strays(affected, rows, dropped), UNKNOWN)
        self._unlink([row for row in rows if row.id in dropped], dropped)
        self._unlink([row for row in rows if row.id in strays], strays)
        loose = [row for row in rows if row.id not in dropped and (row.asset_id is None or row.id in strays)]
        if loose:
            affected |= self._place(loose)
        if affected:
            self.counts += compute_assets(self.tx, self.now, self.place, affected)
        self._forget_matches([*dropped, *strays])

    def _is_dropped(self, row: AnyRow) -> bool:
        inactive = row.account_enabled is False and not self.options.include_inactive
        return row.deleted_at is not None or inactive

    def _strays(self, asset_ids: Iterable[int], rows: Iterable[AnyRow], dropped: Container[int]) -> list[int]:
        """List devices whose asset no other source knows, when such devices are not wanted (any more)."""
        if not self.options.exclude_unknown:
            return []
        kept = {None, *self.tx.scalars(_KNOWN_ELSEWHERE, {"keys": asset_ids})}
        return [row.id for row in rows if row.asset_id not in kept and row.id not in dropped]

    def _unlink(self, rows: Iterable[AnyRow], reasons: Mapping[int, str | None]) -> None:
        update_rows(
            self.tx,
            devices,
            [
                {"id": row.id, "asset_id": None, "skipped": reasons[row.id]}
                for row in rows
                if row.asset_id is not None or row.skipped != reasons[row.id]
            ],
        )

    def _forget_matches(self, keys: Sequence[int]) -> None:
        """Forget why unlinked devices belonged to an asset, unless it went with them: then they may bring it back."""
        if keys:
            self.tx.execute(_FORGOTTEN, {"keys": keys})

    def _place(self, loose: Sequence[AnyRow]) -> set[int]:
        """Find or make the asset of each device that has none; returns the assets that gained one and were there."""
        candidates = self._candidates(loose)
        former = self._former_matches(loose)
        gone = {match.asset_id for match in former.values()}
        placed: list[tuple[int, Match]] = []
        skipped: list[int] = []
        # The records of each asset to be made; until its key is known, a negative number stands for it.
        made: list[list[Record]] = []
        for row in loose:
            match = candidates.match(row)
            if match is None and self.options.exclude_unknown:
                skipped.append(row.id)
                continue
            match = match or former.get(row.id)
            if match is None:
                made.append([])
                match = Match(-len(made), NEW, None)
            elif match.asset_id in gone:
                self.counts["restored"] += 1
                # The first one back takes the asset; others have to match it by what they say now.
                gone.discard(match.asset_id)
                former = {key: other for key, other in former.items() if other.asset_id != match.asset_id}
            else:
                self.counts["merged"] += 1
            if match.asset_id < 0:
                made[-match.asset_id - 1].append(row._asdict())
            placed.append((row.id, match))
            candidates.take(row, match.asset_id)
        self.counts["created"] += len(made)
        keys = create_assets(self.tx, self.now, self.place, [asset_fields(records) for records in made])
        known = {match.asset_id for _, match in placed if match.asset_id > 0}
        self._write_links(
            [
                (key, match if match.asset_id > 0 else replace(match, asset_id=keys[-match.asset_id - 1]))
                for key, match in placed
            ]
        )
        self._skip(skipped)
        return known

    def _candidates(self, loose: Sequence[AnyRow]) -> Candidates:
        """Find the assets that the devices may belong to."""
        found = Candidates(only_known=self.options.exclude_unknown)
        site = {"site": self.directory.site_id}
        names = name_keys(row.display_name for row in loose if row.display_name)
        macs = {mac for row in loose for mac in macs_in(row.physical_ids)}
        for kind, key, values in ((NAME, HOST_NAME, names), (MAC, MAC_ADDRESS, macs)):
            for row in self.tx.execute(_BY_KEY, {**site, "kind": kind, "values": values}) if values else ():
                found.offer(row.id, is_known=row.is_known, names=row.names, keys=[(key, row.value)])
        ids = [row.device_id for row in loose if row.device_id]
        for row in self.tx.execute(_BY_DEVICE_ID, {**site, "ids": ids}):
            found.offer(row.id, is_known=row.is_known, keys=[(DEVICE_ID, row.device_id)])
        for row in self.tx.execute(_PINNED, {"keys": [row.id for row in loose]}):
            found.offer(row.id, is_known=row.is_known)
            found.pin(row.object_id, Match(row.id, row.key, row.value))
        return found

    def _former_matches(self, loose: Sequence[AnyRow]) -> dict[int, Match]:
        """Return device → why it belonged to the asset that went with it: restored, it is that asset again."""
        values = {"site": self.directory.site_id, "keys": [row.id for row in loose]}
        return {key: Match(asset_id, why, value) for key, asset_id, why, value in self.tx.execute(_FORMER, values)}

    def _write_links(self, placed: Sequence[tuple[int, Match]]) -> None:
        links = [{"id": key, "asset_id": match.asset_id, "skipped": None} for key, match in placed]
        update_rows(self.tx, devices, links)
        rows = [{"object_id": key, **vars(match), "source": AZUREAD, "matched_at": self.now} for key, match in placed]
        upsert_rows(self.tx, matches, rows, key=("object_id",))

    def _skip(self, keys: Sequence[int]) -> None:
        self.counts["skippedUnknown"] += len(keys)
        update_rows(self.tx, devices, [{"id": key, "skipped": UNKNOWN} for key in keys])
