"""Promises S1 and S13: whatever a night brings, one quiet run makes the inventory equal to the directory.

Each seed is a night: random changes of the directory, faults, switches and crashes. What holds after every run of it
is checked after every run: SUCCEEDED means that nothing is missing, and nothing goes that the directory still has.

    pytest tests/end_to_end/test_simulation.py --seed 4711     # one night, again
    make test-slow                                       # 120 of them; `make night` takes 20,000
"""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from sync.inventory.directory.kind import Edge
from tests.end_to_end.graphql import differences_told
from tests.end_to_end.installation import Installation
from tests.end_to_end.seeded import Draft, Seeded, Shown, draw_round
from tests.end_to_end.truth import RELATIONS, differences
from tests.share import share

BATCH = 5
ROUNDS_MAX = 2
ENDED = ("SUCCEEDED", "PARTIAL", "FAILED")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Make the batches: workers share them out."""
    if "seeds" in metafunc.fixturenames:
        one = metafunc.config.getoption("--seed")
        last = metafunc.config.getoption("--seeds") or share(5, 120, 20_000)
        batches = [range(first, first + BATCH) for first in range(0, last, BATCH)] if one is None else [[one]]
        metafunc.parametrize("seeds", batches, ids=[f"seeds {batch[0]} to {batch[-1]}" for batch in batches])


@asynccontextmanager
async def night(seed: int, data_dir: Path) -> AsyncIterator[Seeded]:
    """Open what a seed gives, with a task that has not run."""
    try:
        async with Seeded(seed, data_dir).furnished() as installation:
            yield installation
    finally:
        shutil.rmtree(data_dir.parent)


def there(installation: Installation) -> Shown:
    """Return the ids of the directory's live objects, and its edges between them."""
    directory = installation.simulator.directory
    ids = {one for kind in ("users", "groups", "devices") for one in directory.ids(kind)}
    links = {(int(edge), *pair) for relation, edge in RELATIONS.items() for pair in directory.edges(relation)}
    return Shown(ids, links)


async def live_through(installation: Seeded, draft: Draft) -> None:
    """Let a round happen and check what holds after any run, good or bad."""
    installation.prepare(draft)
    before, version = await installation.shown(), installation.simulator.directory.version
    run = await installation.row(await installation.live_through(draft))
    assert run.status in ENDED
    assert bool(run.errors) == (run.status != "SUCCEEDED")
    if draft.is_lagging or installation.simulator.directory.version != version:
        return  # The tenant tells of a time before the changes, or changed meanwhile: only the last run can be equal.
    shown = await installation.shown()
    assert shown.lacks(before, there(installation)) == [], f"{run.status}: gone, though the directory has it"
    installation.note_lies()
    if run.status == "SUCCEEDED" and not installation.was_lied_to and installation.reports_relations:
        assert await differences(installation) == [], "SUCCEEDED with data missing"


@pytest.mark.slow
async def test_inventory_is_equal_after_any_night(seeds: range, tmp_path: Path) -> None:
    """Tables and GraphQL both show the directory: ids, fields, edges; one run without faults is enough."""
    for seed in seeds:
        drafts: list[Draft] = []
        try:
            async with night(seed, tmp_path / "night" / "data") as installation:
                for _ in range(installation.random.randint(1, ROUNDS_MAX)):
                    drafts.append(draw_round(installation.random))
                    await live_through(installation, drafts[-1])
                assert await installation.finish() == "SUCCEEDED"
                assert await differences(installation) == []
                assert await differences_told(installation) == []
        except BaseException:
            print(*drafts, sep="\n")
            print(f"Again: pytest tests/end_to_end/test_simulation.py --seed {seed}")
            raise


def test_every_kind_of_edge_is_compared() -> None:
    """A relation that the oracle does not know would never differ."""
    assert set(RELATIONS.values()) == set(Edge)
