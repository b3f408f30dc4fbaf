"""Links devices to assets: each becomes a record of one asset, and the asset's fields are computed again."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, bindparam, delete, select

from sync.clock import Clock, timestamp
from sync.inventory.asset.asset import AssetPlace, asset_fields, compute_assets, create_assets
from sync.inventory.asset.device_key import renew_keys
from sync.inventory.asset.match import Grouping, RecordGroup
from sync.inventory.asset.merge import carry_notes
from sync.inventory.asset.neighbourhood import DEVICES, Neighbourhood, identities, read_neighbourhood
from sync.inventory.asset.source import AZUREAD
from sync.inventory.directory.directory import Directory, chunks
from sync.store import AnyRow
from sync.store.statement.bulk import update_rows, upsert_rows
from sync.store.statement.in_list import among
from sync.store.tables import assets, device_keys, devices, directories, matches

INACTIVE, UNKNOWN = "INACTIVE", "UNKNOWN"
RULES = 2
"""The version of the rules of `Grouping`: the next run links all devices of a directory with an older version again."""
_FORGOTTEN = delete(matches).where(
    matches.c.object_id.in_(select(devices.c.id).where(among(devices.c.id, "keys"), devices.c.asset_id.is_(None))),
    matches.c.asset_id.in_(select(assets.c.id).where(assets.c.deleted_at.is_(None))),
    ~matches.c.is_pinned,
)
_OPTIONS = select(directories.c.id, directories.c.exclude_unknown, directories.c.include_inactive).where(
    directories.c.site_id == bindparam("site")
)
_NAMED = (
    select(devices.c.id)
    .distinct()
    .join_from(device_keys, devices, devices.c.id == device_keys.c.device_id)
    .where(device_keys.c.site_id == bindparam("site"), among(device_keys.c.key, "keys"), devices.c.skipped.is_(None))
    .order_by(devices.c.id)
)


@dataclass(frozen=True)
class LinkOptions:
    """The options of a connector task for devices; see docs/sync.md."""

    exclude_unknown: bool
    include_inactive: bool


def link_devices(
    tx: Connection,
    clock: Clock,
    directory: Directory,
    options: LinkOptions,
    keys: Sequence[int],
    *,
    anew: bool = False,
) -> Counter[str]:
    """Link devices to assets, and link other devices again that these affect.

    Idempotent: a second call with the same devices and options changes nothing. The result depends on the stored
    records, not on the order in which they came.

    Args:
        anew: rewrite the keys of unchanged assets too, after a change of the rules.

    Returns:
        Assets created, updated, removed, restored, and devices merged, skippedUnknown, skippedInactive.
    """
    place = AssetPlace(directory.organization_id, directory.site_id)
    linker = _Linker(tx, timestamp(clock.now()), place, {directory.id: options}, anew=anew)
    for chunk in chunks(keys):
        linker.link(chunk)
    return linker.counts


def link_named(tx: Connection, now: str, place: AssetPlace, keys: Iterable[str]) -> None:
    """Link the devices that have one of these keys (`DeviceIdentity.keys`) again, after a scan has found the key.

    Devices that were left out as unknown wait for the next run of their directory, which counts them.
    """
    linker = _Linker(tx, now, place, {})
    found = tx.scalars(_NAMED, {"site": place.site_id, "keys": sorted(keys)}).all()
    for chunk in chunks(found):
        linker.link(chunk)


class _Linker:
    """Links devices of one site.

    Args:
        options: by directory, of the run; the options of the site's other directories are read from the store.
    """

    def __init__(
        self, tx: Connection, now: str, place: AssetPlace, options: Mapping[int, LinkOptions], *, anew: bool = False
    ) -> None:
        self.tx, self.now, self.place, self.anew = tx, now, place, anew
        self.counts: Counter[str] = Counter()
        stored = tx.execute(_OPTIONS, {"site": place.site_id})
        self.options = {key: LinkOptions(bool(unknown), bool(inactive)) for key, unknown, inactive in stored}
        self.options.update(options)

    def link(self, keys: Sequence[int]) -> None:
        rows = self.tx.execute(DEVICES, {"keys": keys}).all()
        wanted = [row for row in rows if not self._is_dropped(row)]
        dropped = [row for row in rows if self._is_dropped(row)]
        reasons = {row.id: INACTIVE if row.deleted_at is None else None for row in dropped}
        self.counts["skippedInactive"] += sum(reason is not None for reason in reasons.values())
        self._unlink(dropped, reasons)
        told = identities(wanted)
        known = renew_keys(self.tx, self.place.site_id, keys, told)
        before = {row.asset_id for row in rows if row.asset_id is not None}
        near = read_neighbourhood(self.tx, self.place.site_id, wanted, told, known, before)
        placing = _Placing(self, near, {row.id for row in rows})
        affected = before | placing.write()
        if affected:
            self.counts += compute_assets(self.tx, self.now, self.place, affected, anew=self.anew)
        self._forget_matches([*reasons, *placing.unknown])

    def _is_dropped(self, row: AnyRow) -> bool:
        inactive = row.account_enabled is False and not self.options[row.directory_id].include_inactive
        return row.deleted_at is not None or inactive

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
        """Delete the matches of unlinked devices, unless their asset was removed too: then they may restore it."""
        if keys:
            self.tx.execute(_FORGOTTEN, {"keys": keys})


class _Placing:
    """Gives each group of records an asset: a scanned one, the one a person chose, its previous one, or a new one.

    Args:
        touched: the devices to link; only they are counted as skipped.
    """

    def __init__(self, linker: _Linker, near: Neighbourhood, touched: set[int]) -> None:
        self.linker, self.near, self.touched = linker, near, touched
        self.unknown: list[int] = []
        groups = Grouping(near.identities.values(), near.pins, near.hosts, near.common).groups()
        self.members = {group: members for group in groups if (members := self._members(group))}
        self.targets: dict[RecordGroup, int] = {}
        # Groups that get a new asset; `targets` has a negative number for each until its key is known.
        self.made: list[RecordGroup] = []
        self.returning: set[int] = set()

    def _members(self, group: RecordGroup) -> list[AnyRow]:
        """List the records of a group that get an asset, the oldest first; note the others as unknown."""
        records = group.records
        if len(records) > 1:
            records = sorted(records, key=lambda record: record.age)
        rows = [self.near.rows[record.id] for record in records]
        if group.host is not None:
            return rows
        strangers = [row for row in rows if self.linker.options[row.directory_id].exclude_unknown]
        self.unknown.extend(row.id for row in strangers)
        return [row for row in rows if row not in strangers] if strangers else rows

    def write(self) -> set[int]:
        """Write the assets of records, and return the existing assets that have gained or lost a record."""
        self._choose()
        moved = [(row, group) for group, rows in self.members.items() for row in rows if self._moves(row, group)]
        affected = {row.asset_id for row, _ in moved if row.asset_id is not None}
        affected.update(self.targets[group] for _, group in moved)
        records = [[row._asdict() for row in self.members[group]] for group in self.made]
        linker = self.linker
        keys = create_assets(linker.tx, linker.now, linker.place, [asset_fields(found) for found in records])
        self._count(moved)
        self.targets.update(zip(self.made, keys, strict=True))
        links = [{"id": row.id, "asset_id": self.targets[group], "skipped": None} for row, group in moved]
        update_rows(linker.tx, devices, links)
        self._write_matches()
        affected |= self._skip()
        self._carry_notes({row.asset_id for row, _ in moved if row.asset_id is not None})
        return {key for key in affected if key > 0}

    def _moves(self, row: AnyRow, group: RecordGroup) -> bool:
        return bool(row.asset_id != self.targets[group] or row.skipped is not None)

    def _choose(self) -> None:
        """Choose the asset of each group."""
        loose = []
        for group in self.members:
            target = group.host if group.host is not None else group.pinned
            if target is None:
                loose.append(group)
                continue
            self.targets[group] = target
            match = next((self.near.matches[record.id] for record in group.records if record.id in group.pins), None)
            if match and match.asset_id == target and match.deleted_at is not None:
                self.returning.add(target)
        self._keep(loose, lambda row: row.asset_id, {host.asset_id for host in self.near.hosts})
        gone = [group for group in loose if group not in self.targets]
        self._keep(gone, self._former, set())
        self.returning.update(self.targets[group] for group in gone if group in self.targets)
        for group in loose:
            if group not in self.targets:
                self.made.append(group)
                self.targets[group] = -len(self.made)

    def _keep(self, groups: Sequence[RecordGroup], asset_of: Callable[[AnyRow], int | None], taken: set[int]) -> None:
        """Give each asset to the group of its oldest record; a group that gets several keeps the oldest asset."""
        heirs: dict[int, tuple[tuple[str, str], RecordGroup]] = {}
        taken = taken | {*self.targets.values()}
        for group in groups:
            for row in self.members[group]:
                asset_id = asset_of(row)
                if asset_id is not None and asset_id not in taken:
                    claim = self.near.identities[row.id].age, group
                    heirs[asset_id] = min(heirs.get(asset_id, claim), claim, key=lambda heir: heir[0])
        for asset_id, (_, group) in sorted(heirs.items()):
            self.targets.setdefault(group, asset_id)

    def _former(self, row: AnyRow) -> int | None:
        """Return the asset that was removed with a device, for a restored device to restore it."""
        match = self.near.matches.get(row.id)
        is_former = match and match.deleted_at is not None and match.site_id == self.linker.place.site_id
        return match.asset_id if match and is_former and row.asset_id is None else None

    def _count(self, moved: Sequence[tuple[AnyRow, RecordGroup]]) -> None:
        gained = Counter(self.targets[group] for row, group in moved if row.asset_id != self.targets[group])
        counts = self.linker.counts
        counts["created"] += len(self.made)
        for target, number in gained.items():
            is_back = target in self.returning
            counts["restored"] += is_back
            counts["merged"] += number - (is_back or target < 0)

    def _write_matches(self) -> None:
        rows = []
        for group in self.members:
            reasons = group.reasons()
            for row in self.members[group]:
                key, value = reasons[row.id]
                stored, target = self.near.matches.get(row.id), self.targets[group]
                if row.id in group.pins or (
                    stored and (stored.asset_id, stored.key, stored.value) == (target, key, value)
                ):
                    continue
                told = {"object_id": row.id, "asset_id": target, "key": key, "value": value}
                rows.append({**told, "source": AZUREAD, "matched_at": self.linker.now})
        upsert_rows(self.linker.tx, matches, rows, key=("object_id",))

    def _skip(self) -> set[int]:
        """Unlink the devices that no other source knows, for directories that exclude them."""
        rows = [self.near.rows[key] for key in self.unknown]
        self.linker._unlink(rows, dict.fromkeys(self.unknown, UNKNOWN))
        self.linker.counts["skippedUnknown"] += len(self.touched.intersection(self.unknown))
        return {row.asset_id for row in rows if row.asset_id is not None}

    def _carry_notes(self, left: Container[int]) -> None:
        """Keep the notes of assets that become part of others."""
        targets = {*self.targets.values()}
        oldest: dict[int, tuple[tuple[str, str], int]] = {}
        hosts = {host.asset_id for host in self.near.hosts}
        for group, rows in self.members.items():
            for row in rows:
                if row.asset_id in left and row.asset_id not in targets | hosts:
                    claim = self.near.identities[row.id].age, self.targets[group]
                    oldest[row.asset_id] = min(oldest.get(row.asset_id, claim), claim)
        if oldest:
            into = {asset_id: target for asset_id, (_, target) in oldest.items()}
            carry_notes(self.linker.tx, self.linker.now, self.linker.place.organization_id, into)
