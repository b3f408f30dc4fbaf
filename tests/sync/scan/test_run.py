"""A scan run from its task to its assets, over real sockets of the loopback network."""

from __future__ import annotations

import asyncio

import pytest
from sqlalchemy import update

from sync.clock import timestamp
from sync.inventory.scan.record import Host
from sync.scan.options import ScannerName
from sync.scan.scanner.scanner import BATCH_HOSTS_MAX
from sync.store import AnyRow
from sync.store.tables import sites
from sync.tasks.run.queue import stop_run
from tests.sync.scan.listeners import as_ports, listening
from tests.sync.scan.network import Network

TWO_BATCHES = "127.0.1.0-127.0.2.255"


def how_far(run: AnyRow) -> tuple[int, int]:
    """Return how many addresses were looked at, and of how many."""
    (hosts,) = run.progress.values()
    return hosts["done"], hosts["total"]


async def test_scan_finds_the_ports_that_listen_and_no_others(network: Network) -> None:
    """Each address of the targets has its own open port; one that only refuses is alive without any."""
    network.names = {"127.0.0.5": "web-5.corp.example"}
    with listening("127.0.0.5", "127.0.0.9") as ports:
        task = await network.add_scan("127.0.0.4-9", ports=as_ports(ports), excludes=("127.0.0.6-7",))
        run = await network.run(task)
    assert (run.status, run.errors) == ("SUCCEEDED", [])
    assert run.counts == {"hosts": {"created": 4}} and how_far(run) == (4, 4)
    records = await network.records()
    found = {address: [service["port"] for service in row.services] for address, row in records.items()}
    assert found == {"127.0.0.4": [], "127.0.0.5": [ports[0]], "127.0.0.8": [], "127.0.0.9": [ports[1]]}
    assert all(row.alive and row.detected_by == "TCP" for row in records.values())
    assert records["127.0.0.5"].names == ["web-5.corp.example"]


async def test_scan_knows_its_hosts_again_and_notes_what_has_closed(network: Network) -> None:
    """The second scan makes no asset; a port that no longer listens is gone from the record."""
    with listening("127.0.0.5") as ports:
        task = await network.add_scan("127.0.0.5", ports=as_ports(ports))
        await network.run(task)
    await network.clock.sleep(60)
    run = await network.run(task)
    assert run.counts["hosts"]["merged"] == 1 and not run.counts["hosts"].get("created")
    assert (await network.records())["127.0.0.5"].services == []
    assert len(await network.assets()) == 1


async def test_host_is_no_longer_alive_when_a_scan_does_not_find_it(network: Network) -> None:
    """Another machine has its address now: it is silent. One at an address that was not scanned stays alive."""
    now = timestamp(network.clock.now())
    await network.seen_before(
        Host(now, names=("gone",), addresses=("127.0.0.3",)),
        Host(now, names=("elsewhere",), addresses=("127.0.0.200",)),
        Host(now, names=("both",), addresses=("127.0.0.3", "127.0.0.200")),
    )
    network.names = {"127.0.0.3": "new"}
    run = await network.run(await network.add_scan("127.0.0.1-10", ports="9"))
    assert (run.status, run.counts["hosts"]["silent"]) == ("SUCCEEDED", 1)
    alive = {asset.name: asset.alive for asset in await network.assets() if asset.name}
    assert alive == {"gone": False, "elsewhere": True, "both": True, "new": True}


async def test_host_stays_alive_when_there_was_no_way_to_its_address(network: Network) -> None:
    """No route is no silence: the log says so, and nothing is concluded."""
    now = timestamp(network.clock.now())
    await network.seen_before(Host(now, names=("far",), addresses=("127.255.255.255",)))
    run = await network.run(await network.add_scan("127.255.255.255", ports="9"))
    assert (run.status, run.counts["hosts"].get("silent", 0)) == ("SUCCEEDED", 0)
    assert [asset.alive for asset in await network.assets()] == [True]
    assert any("1 addresses could not be reached" in line for line in await network.log(run.id))


async def test_hosts_of_one_name_stay_apart_when_a_scan_finds_them_in_different_batches(network: Network) -> None:
    """The second is no host that has moved since the first was found; the next scan knows both again."""
    pool = ("127.0.1.0", "127.0.2.255")
    network.names = dict.fromkeys(pool, "pool.example")
    task = await network.add_scan(TWO_BATCHES, ports="9")
    for _ in range(2):
        await network.run(task)
        await network.clock.sleep(60)
        named = {address: row.asset_id for address, row in (await network.records()).items() if row.names}
        assert sorted(named) == [*pool]
        assert len({*named.values()}) == len(pool)


async def test_run_goes_on_behind_its_last_batch_when_the_process_was_stopped(network: Network) -> None:
    """Closed in its second batch it stays RUNNING; opened again it looks at that batch only, and counts once.

    A host of the first batch with the name of one in the second is still another one.
    """
    network.names = dict.fromkeys(("127.0.1.0", "127.0.2.255"), "pool.example")
    closing: list[asyncio.Task[None]] = []
    engine = network.runtime.engine

    async def stop(address: str) -> None:
        if address == "127.0.2.0":
            closing.append(asyncio.create_task(engine.stop()))
            await asyncio.Event().wait()

    network.on_look_up = stop
    run_id = await network.trigger(await network.add_scan(TWO_BATCHES, ports="9"))
    await engine.idle()
    await asyncio.gather(*closing)
    row = await network.row(run_id)
    assert (row.status, how_far(row)) == ("RUNNING", (BATCH_HOSTS_MAX, 2 * BATCH_HOSTS_MAX))
    await network.close()
    network.on_look_up, network.asked = None, []
    await network.open()
    await network.runtime.engine.idle()
    row = await network.row(run_id)
    assert (row.status, row.counts["hosts"]["created"]) == ("SUCCEEDED", 2 * BATCH_HOSTS_MAX)
    assert len(network.asked) == BATCH_HOSTS_MAX and "127.0.1.0" not in network.asked


async def test_run_ends_stopped_when_a_person_stops_it(network: Network) -> None:
    """However long a look-up hangs, the run ends at once and keeps the batches it has written."""
    hanging = asyncio.Event()

    async def hang(address: str) -> None:
        if address.startswith("127.0.2."):
            hanging.set()
            await asyncio.Event().wait()

    network.on_look_up = hang
    run_id = await network.trigger(await network.add_scan(TWO_BATCHES, ports="9"))
    await hanging.wait()
    async with network.runtime.store.write() as tx:
        await stop_run(tx, network.clock, organization_id=network.organization_id, run_id=run_id, stopped_by="a person")
    network.runtime.engine.halt(run_id)
    await network.runtime.engine.idle()
    assert (await network.row(run_id)).status == "STOPPED"
    assert len(await network.assets()) == BATCH_HOSTS_MAX


async def test_run_fails_with_a_hint_when_the_scope_was_narrowed_since(network: Network) -> None:
    """The scope counts when the scan runs, not only when the task was made."""
    task = await network.add_scan("127.0.0.1-4", ports="9")
    async with network.runtime.store.write() as tx:
        await tx.execute(update(sites).where(sites.c.id == network.site_id).values(scope=["127.0.0.1-2"]))
    run = await network.run(task)
    (error,) = run.errors
    assert (run.status, error["code"], error["resource"]) == ("FAILED", "TARGETS_REFUSED", "hosts")
    assert "127.0.0.3-127.0.0.4" in error["message"] and error["hint"]
    assert await network.assets() == []


async def test_name_is_scanned_at_its_addresses(network: Network) -> None:
    """A host name is looked up when the scan runs."""
    run = await network.run(await network.add_scan("localhost", ports="9", scanner=ScannerName.EMBEDDED))
    assert run.status == "SUCCEEDED"
    assert "127.0.0.1" in await network.records()


@pytest.mark.parametrize("rate", [1, 100])
async def test_scan_keeps_its_rate(network: Network, rate: int) -> None:
    """Forty connections take as long as the rate says: the clock has moved so far, and not much further."""
    before = network.clock.monotonic()
    run = await network.run(await network.add_scan("127.0.0.1-20", ports="9,10", rate=rate))
    assert run.status == "SUCCEEDED"
    assert 38 / rate - 0.1 <= network.clock.monotonic() - before <= 42 / rate + 0.1
