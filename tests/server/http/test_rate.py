"""Rates: what a token or an address may ask in a minute it may ask at once, and one more is told when to come again."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus
from websockets.typing import Subprotocol

from server.graphql.stream.websocket import PROTOCOL
from server.http.rate_limit import KEYS_MAX, Rate, address_of
from sync.clock import SystemClock
from tests.server.served import SITES, served

SOCKET_INIT = {"type": "connection_init"}


class StandingClock(SystemClock):
    """A clock that goes on when it is told to."""

    def __init__(self) -> None:
        self.time = 1_000.0

    def monotonic(self) -> float:
        """Return the time."""
        return self.time


@given(st.integers(1, 200), st.lists(st.floats(0, 30), max_size=300))
def test_rate_lets_pass_what_it_promises_and_never_twice_as_much(per_minute: int, pauses: list[float]) -> None:
    """In no minute does more pass than the limit and what the minute itself gives back."""
    clock = StandingClock()
    rate, passed = Rate(clock, per_minute), []
    for pause in pauses:
        clock.time += pause
        wait_s = rate.wait_s("a")
        if not wait_s:
            passed.append(clock.time)
            continue
        # Told to wait for no longer than one comes free, and then it passes.
        assert wait_s <= 60 / per_minute + 1e-6
    for start in passed:
        assert sum(start <= time < start + 60 for time in passed) <= 2 * per_minute
    clock.time += 60
    assert [rate.wait_s("a") for _ in range(per_minute)] == [0.0] * per_minute
    assert rate.wait_s("a") > 0
    assert rate.wait_s("b") == 0.0


def test_rate_keeps_a_bounded_number_of_addresses_however_many_come() -> None:
    """100,000 spoofed addresses take the memory of 10,000, and one that asks all the time is still known."""
    clock = StandingClock()
    rate = Rate(clock, 10)
    for number in range(100_000):
        clock.time += 0.0001
        rate.wait_s(number)
        assert len(rate) <= KEYS_MAX
    clock.time += 60
    for number in range(KEYS_MAX + 1):
        rate.wait_s(-1 - number)
    assert len(rate) <= KEYS_MAX


@pytest.mark.parametrize(
    ("one", "other", "is_same"),
    [
        ("192.0.2.1", "192.0.2.2", False),
        ("192.0.2.1", "::ffff:192.0.2.1", True),
        ("2001:db8:0:1::1", "2001:db8:0:1:ffff::1", True),
        ("2001:db8:0:1::1", "2001:db8:0:2::1", False),
        ("a\r\nb", "x" * 100_000, True),
    ],
)
def test_address_counts_as_one_with_those_that_come_with_it(one: str, other: str, is_same: bool) -> None:
    """A /64 of IPv6 is one caller's; what is no address is all one."""
    assert (address_of({"client": (one, 1)}) == address_of({"client": (other, 2)})) is is_same
    assert address_of({"client": None}) == address_of({"client": ("nonsense", 1)})


async def test_token_is_told_when_to_come_again_also_for_a_request_that_was_read_before(tmp_path: Path) -> None:
    """429 in the one error shape, with Retry-After; another token of the same address is answered."""
    async with served(tmp_path / "data", requests_per_token=20) as server:
        answers = [await server.ask() for _ in range(21)]
        assert [answer.status_code for answer in answers] == [200] * 20 + [429]
        assert 0 < int(answers[-1].headers["retry-after"]) <= 3
        (error,) = answers[-1].json()["errors"]
        assert (error["extensions"]["code"], error["extensions"]["retryable"]) == ("RATE_LIMITED", True)
        assert error["extensions"]["limit"] == 20
        assert (await server.ask({"query": "{ __typename }"})).status_code == 429
        assert (await server.client.get("/healthz")).status_code == 200
        other = await server.second_token()
        assert (await server.ask(authorization=f"Bearer {other}")).status_code == 200


async def test_address_is_told_when_to_come_again_whatever_it_asks_for(tmp_path: Path) -> None:
    """Pages, refusals and answers count; whether the server is well may be asked always."""
    async with served(tmp_path / "data", requests_per_address=12) as server:
        for number in range(5):
            assert (await server.ask({"query": f"{{ a{number}: __typename }}"})).status_code == 200
        for _ in range(5):
            assert (await server.client.get("/nothing")).status_code == 404
        for _ in range(2):
            assert (await server.ask(authorization="Bearer no")).status_code == 401
        for path in ("/nothing", "/graphql"):
            answer = await server.client.get(path)
            assert (answer.status_code, answer.json()["errors"][0]["extensions"]["code"]) == (429, "RATE_LIMITED")
            assert answer.headers["x-frame-options"] == "DENY"
        assert (await server.ask()).status_code == 429
        assert (await server.client.get("/readyz")).status_code == 200
        with pytest.raises(InvalidStatus):
            await connect(
                f"ws://127.0.0.1:{server.address[1]}/graphql", subprotocols=[Subprotocol(PROTOCOL)], proxy=None
            )


async def test_bad_tokens_of_an_address_are_limited_and_a_good_one_is_not(tmp_path: Path) -> None:
    """Ten a minute; then 429 for whoever guesses, while its neighbour behind the same address is answered."""
    async with served(tmp_path / "data") as server:
        answers = [await server.ask(authorization=f"Bearer guess-{number}") for number in range(12)]
        assert [answer.status_code for answer in answers] == [401] * 10 + [429] * 2
        assert (await server.ask()).status_code == 200
        # Who sends no token guesses nothing.
        del server.client.headers["Authorization"]
        assert (await server.ask()).status_code == 401


async def test_operation_of_a_socket_counts_like_a_request_of_its_own(tmp_path: Path) -> None:
    """Otherwise one connection would be the way around the limit."""
    async with (
        served(tmp_path / "data", requests_per_token=3) as server,
        connect(
            f"ws://127.0.0.1:{server.address[1]}/graphql", subprotocols=[Subprotocol(PROTOCOL)], proxy=None
        ) as socket,
    ):
        await socket.send(json.dumps({**SOCKET_INIT, "payload": {"Authorization": f"Bearer {server.token}"}}))
        await socket.recv()
        kinds = []
        for number in range(4):
            await socket.send(json.dumps({"type": "subscribe", "id": str(number), "payload": SITES}))
            message = json.loads(await socket.recv())
            kinds.append(message["type"])
            if message["type"] == "next":
                await socket.recv()
        assert kinds == ["next"] * 3 + ["error"]
        assert message["payload"][0]["extensions"]["code"] == "RATE_LIMITED"
