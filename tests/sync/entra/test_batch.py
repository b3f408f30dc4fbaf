"""Reads in batches: every list whole, in any order, what failed asked for again alone, what vanished left out."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

import httpx
import orjson
import pytest

from sync.entra.graph.batch import BATCH_MAX, related
from sync.entra.graph.client import GraphClient
from sync.entra.signin.token import StaticToken
from sync.errors import BadResponse, EntraError, OffOrigin, PermissionDenied, RequestRefused, Throttled, Unavailable
from tests.sync.entra.clock import FakeClock
from tests.sync.entra.graph import ENDPOINTS, ORIGIN, TOKEN
from tests.sync.entra.transport import Network, answer

Item = Mapping[str, Any]


def path(number: int) -> str:
    """Return the path of a device's owners."""
    return f"/devices/d{number}/registeredOwners?$select=id&$top=999"


def good(number: int, **more: Any) -> Item:
    """Return the answer for a device: one owner of the same number."""
    return {"status": 200, "body": {"value": [{"@odata.type": "#microsoft.graph.user", "id": f"u{number}"}], **more}}


class Batches:
    """A Graph that answers `$batch`, the last request first; `answer` decides by number of device and of batch."""

    def __init__(self, answer: Callable[[int, int], Item | None]) -> None:
        self.asked: list[list[int]] = []
        self.links: list[str] = []
        self._answer = answer

    def __call__(self, request: httpx.Request) -> httpx.Response:
        """Answer a batch, or a page of a list that was too long for one."""
        if request.method == "GET":
            self.links.append(str(request.url))
            return answer({"value": [{"id": "more"}]})
        assert request.url.path == "/v1.0/$batch"
        requests = orjson.loads(request.content)["requests"]
        assert all(item["method"] == "GET" for item in requests)
        devices = [int(item["url"].split("/")[2][1:]) for item in requests]
        self.asked.append(devices)
        answers: list[dict[str, Any]] = []
        for item, device in zip(requests, devices, strict=True):
            if (given := self._answer(device, len(self.asked))) is not None:
                answers.insert(0, {"id": item["id"], **given})
        return answer({"responses": answers})


def client_of(batches: Batches, clock: FakeClock | None = None) -> GraphClient:
    """Return a client whose requests go to the batches."""
    return GraphClient(ENDPOINTS, StaticToken(TOKEN), clock or FakeClock(), transport=Network(batches))


def refused(status: int, code: str = "x", **headers: str) -> Item:
    """Return an item that was refused."""
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    return {"status": status, "headers": sent, "body": {"error": {"code": code, "message": ""}}}


@pytest.mark.parametrize(("count", "requests"), [(0, 0), (1, 1), (20, 1), (21, 2), (100, 5)])
async def test_lists_come_back_under_their_paths_twenty_a_request(count: int, requests: int) -> None:
    """Answers are matched by id, never by position, and no batch is larger than Graph takes."""
    batches = Batches(lambda device, _: good(device))
    async with client_of(batches) as client:
        found = await related(client, [path(number) for number in range(count)])
    assert {name: [item["id"] for item in items or ()] for name, items in found.items()} == {
        path(number): [f"u{number}"] for number in range(count)
    }
    assert len(batches.asked) == requests and all(len(asked) <= BATCH_MAX for asked in batches.asked)


async def test_list_that_is_longer_than_a_page_is_read_to_its_end() -> None:
    """A list in a batch has pages like any other."""
    link = f"{ORIGIN}/v1.0/devices/d1/registeredOwners?$skiptoken=2"
    batches = Batches(lambda device, _: good(device, **{"@odata.nextLink": link}))
    async with client_of(batches) as client:
        found = await related(client, [path(1)])
    assert [item["id"] for item in found[path(1)] or ()] == ["u1", "more"] and batches.links == [link]


async def test_object_that_has_vanished_is_none_and_nothing_fails() -> None:
    """404 on a follow-up means that the object was deleted since it was named."""
    batches = Batches(lambda device, _: refused(404, "Request_ResourceNotFound") if device == 3 else good(device))
    async with client_of(batches) as client:
        found = await related(client, [path(number) for number in range(5)])
    assert [number for number in range(5) if found[path(number)] is None] == [3] and len(batches.asked) == 1


@pytest.mark.parametrize(
    ("refusal", "least_s"),
    [
        (refused(429, retry_after="7"), 7),
        (refused(429, Retry_After="2.128"), 2.128),
        (refused(429, retry_after="Mon, 23 Nov 2026 04:05:36 GMT"), 30),
        (refused(429), 0),
        (refused(503, retry_after="9"), 9),
        (refused(500), 0),
        (refused(502), 0),
        (refused(504), 0),
    ],
)
async def test_only_what_failed_is_asked_for_again_after_its_wait(refusal: Item, least_s: float) -> None:
    """No SDK does this: the envelope is 200, the item is not."""
    clock = FakeClock()
    batches = Batches(lambda device, turn: refusal if device in (2, 4) and turn == 1 else good(device))
    async with client_of(batches, clock) as client:
        found = await related(client, [path(number) for number in range(6)])
        assert client.stats.retries == 1
    assert batches.asked == [[0, 1, 2, 3, 4, 5], [2, 4]] and None not in found.values() and len(found) == 6
    assert clock.moved_s > 0 and clock.moved_s >= least_s


async def test_throttled_item_pauses_the_whole_app() -> None:
    """An item's 429 is the app's 429."""
    clock = FakeClock()
    batches = Batches(lambda device, _: refused(429, retry_after="400"))
    async with client_of(batches, clock) as client:
        for _ in range(2):
            with pytest.raises(Throttled) as caught:
                await client.stream("deviceOwners").get("/devices") if batches.asked else await related(
                    client, [path(1)]
                )
            assert caught.value.facts["retry_after_s"] == 400.0
    assert len(batches.asked) == 1 and batches.links == [] and clock.slept == []


@pytest.mark.parametrize(
    ("refusal", "kind", "tries"),
    [
        (refused(403, "Authorization_RequestDenied"), PermissionDenied, 1),
        (refused(400), RequestRefused, 1),
        (refused(501), RequestRefused, 1),
        (refused(302), RequestRefused, 1),
        (refused(500), Unavailable, 6),
        (refused(429), Throttled, 30),
    ],
)
async def test_batch_ends_with_the_items_error_when_it_lasts(refusal: Item, kind: type[EntraError], tries: int) -> None:
    """One list that cannot be read is an error, never an empty list."""
    batches = Batches(lambda device, _: refusal if device == 1 else good(device))
    async with client_of(batches) as client:
        with pytest.raises(kind) as caught:
            await related(client, [path(number) for number in range(3)])
    assert len(batches.asked) == tries
    if kind is PermissionDenied:
        assert caught.value.facts["permission"] == "Device.Read.All"


WRONG: dict[str, Item | None] = {
    "no answer": None,
    "no status": {"body": {"value": []}},
    "status is text": {"status": "200", "body": {"value": []}},
    "status is true": {"status": True, "body": {"value": []}},
    "status is tiny": {"status": 7, "body": {"value": []}},
    "no body": {"status": 200},
    "body is a list": {"status": 200, "body": []},
    "no value": {"status": 200, "body": {}},
    "value is null": {"status": 200, "body": {"value": None}},
    "item is text": {"status": 200, "body": {"value": ["a"]}},
    "item without id": {"status": 200, "body": {"value": [{}]}},
    "id is empty": {"status": 200, "body": {"value": [{"id": ""}]}},
    "link is a number": {"status": 200, "body": {"value": [], "@odata.nextLink": 7}},
}


@pytest.mark.parametrize("name", WRONG)
async def test_batch_is_refused_when_an_answer_has_the_wrong_shape(name: str) -> None:
    """A malformed item makes the batch malformed: tried three times, then an error."""
    batches = Batches(lambda device, _: WRONG[name] if device == 1 else good(device))
    async with client_of(batches) as client:
        with pytest.raises(BadResponse):
            await related(client, [path(0), path(1)])
    assert len(batches.asked) == 3


async def test_link_in_a_batch_never_leaves_the_origin() -> None:
    """The token is not sent to where an item's next link leads, if that is not Graph."""
    batches = Batches(lambda device, _: good(device, **{"@odata.nextLink": "https://evil.test/x"}))
    async with client_of(batches) as client:
        with pytest.raises(OffOrigin):
            await related(client, [path(1)])
    assert batches.links == []


async def test_batches_of_two_streams_do_not_mix() -> None:
    """Two streams may ask at once; each gets its own."""
    batches = Batches(lambda device, _: good(device))
    async with client_of(batches) as client:
        one, two = await asyncio.gather(related(client.stream("a"), [path(1)]), related(client.stream("b"), [path(2)]))
    assert (list(one), list(two)) == ([path(1)], [path(2)])
