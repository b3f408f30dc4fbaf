"""A scan run from its task to its assets, over real sockets of the loopback network."""

from __future__ import annotations

from tests.scan.listeners import as_ports, listening
from tests.scan.network import Network


async def test_scan_finds_the_ports_that_listen_and_no_others(network: Network) -> None:
    """Each address of the targets has its own open port; one that only refuses is alive without any."""
    network.names = {"127.0.0.5": "web-5.corp.example"}
    with listening("127.0.0.5", "127.0.0.9") as ports:
        task = await network.add_scan("127.0.0.4-9", ports=as_ports(ports), excludes=("127.0.0.6-7",))
        run = await network.run(task)
    assert (run.status, run.errors) == ("SUCCEEDED", [])
    assert run.counts == {"hosts": {"created": 4}} and run.progress == {"hosts": {"done": 4, "total": 4}}
    records = await network.records()
    found = {address: [service["port"] for service in row.services] for address, row in records.items()}
    assert found == {"127.0.0.4": [], "127.0.0.5": [ports[0]], "127.0.0.8": [], "127.0.0.9": [ports[1]]}
    assert all(row.alive and row.detected_by == "TCP" for row in records.values())
    assert records["127.0.0.5"].names == ["web-5.corp.example"]
