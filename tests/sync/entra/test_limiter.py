"""Rule 8 of the sync: one app in one tenant waits as one, in all its streams and runs."""

from __future__ import annotations

import asyncio

import pytest

from sync.entra.graph.limiter import PAUSE_S_MAX, SLOW_INTERVAL_S, Limiter, Limiters
from sync.errors import Throttled
from tests.sync.entra.clock import FakeClock
from tests.sync.entra.graph import Reply, ScriptedGraph, client_of, refusal


async def test_turn_is_free_when_nobody_asked_to_wait(clock: FakeClock) -> None:
    """Without throttling a limiter costs nothing."""
    limiter = Limiter(clock)
    assert [await limiter.turn(300), await limiter.turn(300), clock.slept] == [0, 0, []]


async def test_pause_holds_back_everybody_and_the_longest_counts(clock: FakeClock) -> None:
    """A later, shorter pause does not end an earlier, longer one."""
    limiter = Limiter(clock)
    limiter.pause(7.5)
    limiter.pause(2)
    assert await limiter.turn(300) == 7.5
    assert await limiter.turn(300) == 0


async def test_pause_that_is_longer_than_a_run_may_wait_is_handed_to_the_caller(clock: FakeClock) -> None:
    """Nothing is slept: whoever runs decides, and learns how long is left, never more than a day."""
    limiter = Limiter(clock)
    limiter.pause(300.0)
    limiter.pause(1e12)
    with pytest.raises(Throttled) as caught:
        await limiter.turn(300)
    assert caught.value.facts["retry_after_s"] == PAUSE_S_MAX and clock.slept == []
    clock.moved_s += PAUSE_S_MAX - 10
    assert await limiter.turn(300) == 10


@pytest.mark.parametrize("header", ["0.8", "1", "1.75"])
async def test_app_slows_down_near_its_limit_and_speeds_up_when_it_is_far(clock: FakeClock, header: str) -> None:
    """From 0.8 of the limit on, requests keep a distance; an answer without the header ends that."""
    limiter = Limiter(clock)
    limiter.note_share(header)
    waits = [await limiter.turn(300) for _ in range(3)]
    assert waits == [0, SLOW_INTERVAL_S, SLOW_INTERVAL_S]
    limiter.note_share(None)
    assert [await limiter.turn(300) for _ in range(2)] == [SLOW_INTERVAL_S, 0]


@pytest.mark.parametrize("header", [None, "", "0.79", "-1", "NaN", "inf", "1e3", "80%", "much", "9" * 5_000])
async def test_app_keeps_its_speed_when_the_share_is_low_or_nonsense(clock: FakeClock, header: str | None) -> None:
    """What cannot be read slows nobody down."""
    limiter = Limiter(clock)
    limiter.note_share(header)
    assert [await limiter.turn(300) for _ in range(3)] == [0, 0, 0]


def test_limiter_is_the_same_for_one_app_in_one_tenant_only(clock: FakeClock) -> None:
    """Streams and runs of one app share it, in whatever case the ids are written; others do not."""
    limiters = Limiters(clock)
    one = limiters.of("https://graph.test", "TENANT", "app")
    assert limiters.of("https://graph.test", "tenant", "APP") is one
    others = [("https://other.test", "tenant", "app"), ("https://graph.test", "b", "app")]
    assert all(limiters.of(*names) is not one for names in [*others, ("https://graph.test", "tenant", "b")])


class HeldClock(FakeClock):
    """A clock that tells when somebody sleeps, and lets nobody wake before `go`."""

    def __init__(self) -> None:
        super().__init__()
        self.sleeping, self.go = asyncio.Event(), asyncio.Event()

    async def sleep(self, seconds: float) -> None:
        """Sleep until let go."""
        self.sleeping.set()
        until = self.moved_s + seconds
        await self.go.wait()
        self.slept.append(seconds)
        self.moved_s = max(self.moved_s, until)


@pytest.mark.parametrize(
    ("asked", "least_s"),
    [("7", 7), ("2.128", 2.128), ("Mon, 23 Nov 2026 04:05:36 GMT", 30), (None, 0), ("nonsense", 0)],
)
async def test_every_client_of_an_app_waits_when_one_was_throttled(asked: str | None, least_s: float) -> None:
    """After a 429 neither the stream that got it nor another one sends anything before the pause is over."""
    clock = HeldClock()
    refused = refusal(429, **({} if asked is None else {"retry_after": asked}))
    graphs = ScriptedGraph(refused, Reply()), ScriptedGraph(Reply())
    async with client_of(graphs[0], clock=clock) as one, client_of(graphs[1], clock=clock) as two:
        two.limiter = one.limiter
        first = asyncio.create_task(one.stream("users").get("/users"))
        await clock.sleeping.wait()
        second = asyncio.create_task(two.stream("groups").get("/groups"))
        for _ in range(20):
            await asyncio.sleep(0)
        assert (len(graphs[0].asked), graphs[1].asked) == (1, [])
        clock.go.set()
        await asyncio.gather(first, second)
        users, groups = one.streams["users"], two.streams["groups"]
    assert clock.moved_s > 0 and clock.moved_s >= least_s
    assert (users.requests, users.retries, one.stats.requests) == (2, 1, 0)
    assert users.throttled_s == groups.throttled_s == clock.moved_s


async def test_throttling_makes_other_streams_wait_but_a_failure_does_not(clock: FakeClock) -> None:
    """503 concerns the request that got it, even when it says how long."""
    async with client_of(ScriptedGraph(refusal(503, retry_after="20"), Reply()), clock=clock) as client:
        await client.get("/users")
        assert clock.slept == [20.5] and await client.limiter.turn(300) == 0
        assert client.stats.throttled_s == 0


async def test_long_wait_stops_the_other_streams_as_well(clock: FakeClock) -> None:
    """When one stream learns of a wait that puts the run off, no other sends another request."""
    async with client_of(ScriptedGraph(refusal(429, retry_after="400")), clock=clock) as client:
        for stream in ("users", "groups"):
            with pytest.raises(Throttled) as caught:
                await client.stream(stream).get("/users")
            assert caught.value.facts["retry_after_s"] == 400.0
    assert clock.slept == [] and client.streams["groups"].requests == 0
