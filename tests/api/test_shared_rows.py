"""Fields that wait for the same row: what happens to one of them is no matter of the others."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Sequence

from schema.context import Context
from sync.errors import StoreSlow
from tests.api.world import World


async def test_row_is_there_for_the_others_when_one_who_waits_for_it_is_given_up(office: World) -> None:
    """Two wait for one key; the first is cancelled, as a field is whose neighbour failed; the second gets the row."""
    started, go_on = asyncio.Event(), asyncio.Event()

    async def load(keys: list[int]) -> Sequence[str]:
        started.set()
        await go_on.wait()
        return [f"row {key}" for key in keys]

    async def wait_for(context: Context, key: int) -> str:
        row: str = await context.loader("rows", load).load(key)
        return row

    async with Context(office.runtime, office.caller().principal, "request-1") as context:
        first, second = (asyncio.create_task(wait_for(context, 7)) for _ in range(2))
        await started.wait()
        first.cancel()
        await asyncio.sleep(0)
        go_on.set()
        assert await second == "row 7"
        assert first.cancelled()


async def test_operation_is_answered_when_a_field_fails_beside_rows_that_others_wait_for(world: World) -> None:
    """A mistake costs the part it stands in, not the answer: its neighbours' rows are those of other fields as well."""
    user = (await world.caller().data("{ users(first: 1) { nodes { id } } }"))["users"]["nodes"][0]["id"]
    parts = " ".join(
        f'u{n}: user(by: {{id: "{user}"}}) {{ site {{ organization {{ id }} }} '
        f"{'groups(first: 0) { nodes { id } }' if n % 2 else ''} manager {{ site {{ organization {{ id }} }} }} }}"
        for n in range(6)
    )
    answer = await world.caller().ask(f"{{ {parts} }}")
    assert {problem.code for problem in answer.problems} == {"BAD_USER_INPUT"}
    assert [bool(answer.data[f"u{n}"]) for n in range(6)] == [True, False] * 3


async def test_error_of_rows_that_nobody_waits_for_any_more_disturbs_nobody(office: World) -> None:
    """The operation is over, the rows fail later: no `exception was never retrieved` in the log."""
    told: list[dict[str, object]] = []
    loop = asyncio.get_running_loop()
    before = loop.get_exception_handler()
    loop.set_exception_handler(lambda _, facts: told.append(facts))
    try:

        async def load(keys: list[int]) -> Sequence[str]:
            raise StoreSlow

        async with Context(office.runtime, office.caller().principal, "request-1") as context:
            forgotten, cancelled = (asyncio.ensure_future(context.loader("rows", load).load(key)) for key in (7, 8))
            cancelled.cancel()
        for _ in range(5):
            await asyncio.sleep(0)
        assert forgotten.done() and not forgotten.cancelled()
        del forgotten, cancelled, context
        gc.collect()
    finally:
        loop.set_exception_handler(before)
    assert told == []
