"""Writes the hosts that a scan found as scan records of assets: known ones (`recognise`) or new ones.

The order of the hosts in a report makes no difference. A host that was found several times is one record.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Collection, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from itertools import product
from typing import Any

from sqlalchemy import Connection, select

from sync.clock import Clock, timestamp
from sync.errors import BadInput
from sync.inventory.asset.asset import MAC, NAME, AssetPlace, asset_fields, compute_assets, create_assets
from sync.inventory.asset.host_name import name_keys
from sync.inventory.asset.link import link_named
from sync.inventory.directory.directory import chunks
from sync.inventory.scan.port_set import PortSet
from sync.inventory.scan.protocol import spoken_at
from sync.inventory.scan.recognition import Recognised, recognise
from sync.inventory.scan.service import Service as Service
from sync.inventory.scan.service import as_looked, digests, join, stored_services
from sync.inventory.scan.sighting import Sightings as Sightings
from sync.store.statement.bulk import insert_missing, insert_rows, update_rows
from sync.store.statement.in_list import among
from sync.store.tables import port_sets, scan_records

_MAC = re.compile(r"[0-9a-f]{12}")
# Facts of a host; if several hosts are merged, the first that states a fact counts, in the order of `_rank`.
_FACTS = ("type", "os", "os_version", "manufacturer", "model", "serial", "detected_by", "detail")


@dataclass(frozen=True)
class Host:
    """A host as a scan found it.

    Args:
        seen_at: the time of the scan, as sync/clock.py writes times.
        macs: in any usual notation.
        alive: whether it answered.
        detected_by: the method that found it, such as TCP or ARP.
        looked: the ports that were checked; those without an entry in `services` were not open.
        detail: further findings in stored form: `osMatches`, `cpe`, `scripts`.
        common: names that too many hosts share, so that they do not identify it; stored records may have them.
    """

    seen_at: str
    names: tuple[str, ...] = ()
    addresses: tuple[str, ...] = ()
    macs: tuple[str, ...] = ()
    alive: bool = True
    type: str | None = None
    os: str | None = None
    os_version: str | None = None
    manufacturer: str | None = None
    model: str | None = None
    serial: str | None = None
    detected_by: str | None = None
    services: tuple[Service, ...] = ()
    looked: tuple[PortSet, ...] = ()
    detail: Mapping[str, Any] | None = None
    common: tuple[str, ...] = ()


def apply_scan(
    tx: Connection, clock: Clock, site: AssetPlace, records: Iterable[Host], sightings: Sightings | None = None
) -> Counter[str]:
    """Write the hosts of a scan in the caller's transaction, and update their assets.

    Args:
        tx: an open write transaction.
        clock: stamps the rows.
        site: the site of the records.
        records: the hosts, in any order.
        sightings: hosts of earlier parts of the same report or scan, if it has parts; these hosts are added.

    Returns:
        The number of assets created and updated, and of hosts merged with a known asset.

    Raises:
        BadInput: an address is not an IP address.
    """
    now = timestamp(clock.now())
    found = merge(records)
    before = sightings if sightings is not None else Sightings()
    owners = recognise(tx, site, found, before)
    for host in found:
        before.add(name_keys((*host["names"], *host["common"])), host["addresses"])
    new = [asset_fields([], [host]) for host, owner in zip(found, owners, strict=True) if owner is None]
    made = create_assets(tx, now, site, new)
    counts = Counter(created=len(made), merged=len(owners) - len(made))
    fresh = iter(made)
    placed = [(host, owner or Recognised(next(fresh))) for host, owner in zip(found, owners, strict=True)]
    told_anew = _write(tx, now, site, placed)
    counts += compute_assets(tx, now, site, {owner.asset_id for _, owner in placed})
    link_named(tx, now, site, told_anew)
    return counts


def mark_silent(tx: Connection, clock: Clock, site: AssetPlace, silent_at: Callable[[str], str | None]) -> int:
    """Mark hosts that did not answer, in the caller's transaction; return how many hosts went silent.

    A host has gone silent if all its addresses were scanned without an answer and no later scan found it.

    Args:
        tx: an open write transaction.
        clock: stamps the rows.
        site: the site of the records.
        silent_at: returns the time when an address did not answer; None if it answered or was not scanned.
    """
    shown = (scan_records.c[name] for name in ("id", "asset_id", "addresses", "alive", "last_seen", "silent_at"))
    rows = tx.execute(select(*shown).where(scan_records.c.site_id == site.site_id)).all()
    now = timestamp(clock.now())
    changed, silent = [], []
    for row in rows:
        times = [silent_at(address) for address in row.addresses]
        at = min((time for time in times if time), default="") if all(times) else ""
        if at <= max(row.last_seen, row.silent_at or ""):
            continue
        changed.append({"id": row.id, "alive": False, "silent_at": at, "updated_at": now})
        if row.alive:
            silent.append(row.asset_id)
    update_rows(tx, scan_records, changed)
    compute_assets(tx, now, site, set(silent))
    return len(silent)


def merge(records: Iterable[Host]) -> list[dict[str, Any]]:
    """Merge the hosts that are one machine; the order of the result does not depend on the order of the input.

    Hosts with a common MAC address are one machine, and hosts with a common name and address. A name alone joins only
    a host without an address, and only if no two hosts of that name have different addresses: a pool of addresses has
    one name for all.

    Raises:
        BadInput: an address is not an IP address.
    """
    hosts = sorted((_stored(host) for host in records), key=_rank, reverse=True)
    leaders, is_somewhere = list(range(len(hosts))), [bool(host["addresses"]) for host in hosts]

    def leader(number: int) -> int:
        while leaders[number] != number:
            number = leaders[number]
        return number

    def join(numbers: Collection[int]) -> None:
        first = min(numbers, default=0)
        for other in numbers:
            leaders[other] = first
            is_somewhere[first] |= is_somewhere[other]

    for numbers in _bearers(hosts, _ties).values():
        join({leader(number) for number in numbers})
    for _, numbers in sorted(_bearers(hosts, lambda host: name_keys(host["names"])).items()):
        parts = {leader(number) for number in numbers}
        placed = {part for part in parts if is_somewhere[part]}
        join(parts - placed if len(placed) > 1 else parts)
    together: dict[int, list[dict[str, Any]]] = {}
    for number, host in enumerate(hosts):
        together.setdefault(leader(number), []).append(host)
    return [_merged(group) for group in together.values()]


def _bearers(
    hosts: Sequence[Mapping[str, Any]], keys_of: Callable[[Mapping[str, Any]], Iterable[Hashable]]
) -> dict[Any, list[int]]:
    """Map each key to the places of its hosts in the list."""
    found: dict[Any, list[int]] = {}
    for number, host in enumerate(hosts):
        for key in keys_of(host):
            found.setdefault(key, []).append(number)
    return found


def _ties(host: Mapping[str, Any]) -> list[tuple[str, str]]:
    """List the keys that join hosts: MAC addresses and names with addresses; if neither is known, addresses alone."""
    addresses, names = host["addresses"], name_keys(host["names"])
    if not host["macs"] and not names:
        return [("", address) for address in addresses]
    return [*((MAC, mac) for mac in host["macs"]), *product(sorted(names), addresses)]


def _merged(group: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Merge the entries of one host, which are ordered from the latest to the earliest."""
    said = (service for host in group for service in host["services"])
    services, looked = join(said, [host["looked"] for host in group])
    return {
        "names": list(dict.fromkeys(name for host in group for name in host["names"])),
        "common": sorted({name for host in group for name in host["common"]}),
        "addresses": sorted({address for host in group for address in host["addresses"]}),
        "macs": sorted({mac for host in group for mac in host["macs"]}),
        "alive": any(host["alive"] for host in group),
        "services": services,
        "looked": looked,
        "silent_at": None,
        "first_seen": min(host["first_seen"] for host in group),
        "last_seen": max(host["last_seen"] for host in group),
        **{fact: next((host[fact] for host in group if host[fact] is not None), None) for fact in _FACTS},
    }


def _stored(host: Host) -> dict[str, Any]:
    """Convert a host to its stored form."""
    return {
        "names": [name for name in dict.fromkeys(name.strip() for name in host.names) if name],
        "common": sorted(set(host.common)),
        "addresses": sorted({_address(address) for address in host.addresses}),
        "macs": sorted({_mac(mac) for mac in host.macs}),
        "alive": host.alive,
        "services": [service.stored(host.seen_at) for service in sorted(set(host.services))],
        "looked": {ports: host.seen_at for ports in host.looked if ports},
        "first_seen": host.seen_at,
        "last_seen": host.seen_at,
        **{fact: getattr(host, fact) for fact in _FACTS},
    }


def _rank(host: Mapping[str, Any]) -> tuple[str, str]:
    """Order hosts by time, then by contents, so that the order is always the same."""
    return host["last_seen"], repr(sorted(item for item in host.items() if item[0] != "looked"))


def _address(text: str) -> str:
    try:
        return str(ip_address(text))
    except ValueError:
        raise BadInput("A scan reported an IP address that is not valid.", path="addresses") from None


def _mac(text: str) -> str:
    digits = re.sub(r"[:.\-]", "", text.casefold())
    if not _MAC.fullmatch(digits):
        raise BadInput("A scan reported a MAC address that is not valid.", path="macs")
    return ":".join(digits[place : place + 2] for place in range(0, 12, 2))


def _write(
    tx: Connection, now: str, site: AssetPlace, placed: Sequence[tuple[Mapping[str, Any], Recognised]]
) -> set[str]:
    """Update the record of each host, or write a new record of its asset.

    Returns:
        The keys (`Identity.keys`) that hosts have gained or lost; devices with these keys are linked anew.
    """
    told_anew: set[str] = set()
    present = _present(tx, {owner.record_id for _, owner in placed if owner.record_id is not None})
    new: list[dict[str, Any]] = []
    changed: list[dict[str, Any]] = []
    for found, owner in placed:
        host = {name: value for name, value in found.items() if name != "common"}
        row = present.get(owner.record_id)
        if row is None:
            told_anew |= _told(host)
            places = {"organization_id": site.organization_id, "site_id": site.site_id, "asset_id": owner.asset_id}
            why = {"match_key": owner.key, "match_value": owner.value}
            new.append({**host, **places, **why, "created_at": now, "updated_at": now})
            continue
        fields = _renewed(row, host)
        if any(row[name] != value for name, value in fields.items()):
            told_anew |= _told(row) ^ _told(fields)
            changed.append({"id": row["id"], **fields, "updated_at": now})
    sets = digests([row["looked"] for row in (*new, *changed)])
    known = [{"id": digest, "ranges": ports.ranges} for digest, ports in sets.items()]
    insert_missing(tx, port_sets, known)
    insert_rows(tx, scan_records, [_as_row(row) for row in new])
    update_rows(tx, scan_records, [_as_row(row) for row in changed])
    return told_anew


def _told(host: Mapping[str, Any]) -> set[str]:
    return {f"{NAME}:{name}" for name in name_keys(host["names"])} | {f"{MAC}:{mac}" for mac in host["macs"]}


def _present(tx: Connection, record_ids: Iterable[int]) -> dict[int | None, dict[str, Any]]:
    """Read scan records with the ports that were checked, by key."""
    rows: list[dict[str, Any]] = []
    for chunk in chunks(sorted(record_ids)):
        statement = select(scan_records).where(among(scan_records.c.id, "keys"))
        rows += [dict(row) for row in tx.execute(statement, {"keys": chunk}).mappings()]
    wanted = sorted({digest for row in rows for digest in row["looked"] or ()})
    known: dict[str, PortSet] = {}
    for names in chunks(wanted):
        stored = tx.execute(select(port_sets.c.id, port_sets.c.ranges).where(port_sets.c.id.in_(names)))
        known |= {
            digest: PortSet((protocol, first, last) for protocol, first, last in ports) for digest, ports in stored
        }
    present: dict[int | None, dict[str, Any]] = {}
    for row in rows:
        row["services"] = stored_services(row["services"], row["last_seen"])
        row["looked"] = as_looked(row["looked"], known)
        present[row["id"]] = row
    return present


def _as_row(row: Mapping[str, Any]) -> dict[str, Any]:
    looked = {ports.digest: at for ports, at in row["looked"].items()}
    return {**row, "looked": looked, "protocols": spoken_at(row["services"])}


def _renewed(row: Mapping[str, Any], host: Mapping[str, Any]) -> dict[str, Any]:
    """Return a record after another scan: the later one decides, but keeps facts that only the earlier one has."""
    later, earlier = (host, row) if host["last_seen"] >= row["last_seen"] else (row, host)
    fields = {name: later[name] if later[name] or name in _MOMENTARY else earlier[name] for name in host}
    services, looked = join([*row["services"], *host["services"]], [row["looked"], host["looked"]])
    # A silent host stays silent until a later scan finds it.
    is_silent = bool(row["silent_at"]) and row["silent_at"] > later["last_seen"]
    silence = {"alive": False, "silent_at": row["silent_at"]} if is_silent else {"silent_at": None}
    first_seen = min(row["first_seen"], host["first_seen"])
    return fields | {"services": services, "looked": looked, "first_seen": first_seen} | silence


# True only at the time of a scan: values of an earlier scan are not kept.
_MOMENTARY = ("alive", "addresses")
