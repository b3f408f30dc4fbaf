"""Promises S3, G9 to G11 and G13: a stream of pages ends complete or with an error, never in between."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncGenerator

import pytest

from sync.entra.graph.stream import (
    EMPTY_PAGES_MAX,
    RETURN_MINIMAL,
    Complete,
    Next,
    Page,
    Start,
    delta_url,
    pages,
    prefetched,
)
from sync.errors import BadInput, BadResponse, EntraError, OffOrigin, Unavailable
from tests.sync.entra.graph import ORIGIN, Reply, ScriptedGraph, client_of, page, refusal
from tests.work import tasks_at_work

START = Start("/users/delta?$select=id")
NEXT = "/v1.0/users/delta?$skiptoken="
DELTA = "/v1.0/users/delta?$deltatoken=d"


async def collect(graph: ScriptedGraph, start: Start | str = START, **options: object) -> list[Page]:
    """Read a whole stream."""
    async with client_of(graph) as client:
        return [page async for page in pages(client, start, **options)]  # type: ignore[arg-type]


async def read_until_error(graph: ScriptedGraph, kind: type[EntraError], **options: object) -> list[Page]:
    """Read a stream that must raise, and return the pages that came before."""
    found: list[Page] = []
    async with client_of(graph) as client:
        with pytest.raises(kind):
            async for one in pages(client, START, **options):  # type: ignore[arg-type]
                found.append(one)
    return found


async def test_pages_follow_next_links_until_the_delta_link() -> None:
    """Items come in order, pages are numbered, and only the last one is Complete."""
    graph = ScriptedGraph(page("a", "b", next_link=NEXT + "1"), page(next_link=NEXT + "2"), page("c", delta_link=DELTA))
    found = await collect(graph)
    assert [[item["id"] for item in one.items] for one in found] == [["a", "b"], [], ["c"]]
    assert [one.link for one in found] == [
        Next(ORIGIN + NEXT + "1"),
        Next(ORIGIN + NEXT + "2"),
        Complete(ORIGIN + DELTA),
    ]
    assert [(one.number, one.ends) for one in found] == [(1, False), (2, False), (3, True)]
    assert [asked.query for asked in graph.asked] == ["$select=id", "$skiptoken=1", "$skiptoken=2"]


async def test_pages_go_on_from_a_stored_link() -> None:
    """A resumed round asks for the stored link first and continues its numbers."""
    graph = ScriptedGraph(page("x", delta_link=DELTA))
    found = await collect(graph, ORIGIN + NEXT + "9", first_number=9)
    assert (found[0].number, graph.asked[0].query) == (9, "$skiptoken=9")


async def test_pages_send_their_headers_with_every_page() -> None:
    """Graph's links do not carry headers, so each request does."""
    graph = ScriptedGraph(page(next_link=NEXT + "1"), page(delta_link=DELTA))
    await collect(graph, headers=RETURN_MINIMAL)
    assert [asked.headers["prefer"] for asked in graph.asked] == ["return=minimal"] * 2


async def test_pages_of_a_list_end_without_a_link() -> None:
    """A plain list is complete when there is no next link; there is no delta link to keep."""
    found = await collect(ScriptedGraph(page("a", next_link=NEXT + "1"), page("b")), is_delta=False)
    assert found[-1].link == Complete(None)


def relation(name: str, entries: object) -> Reply:
    """Return a page with one item whose relation holds something else than a list."""
    return Reply(200, {"value": [{"id": "a", f"{name}@delta": entries}], "@odata.deltaLink": ORIGIN + DELTA})


WRONG_SHAPES = {
    "no value": Reply(200, {"@odata.deltaLink": ORIGIN + DELTA}),
    "value is null": Reply(200, {"value": None, "@odata.deltaLink": ORIGIN + DELTA}),
    "value is an object": Reply(200, {"value": {}, "@odata.deltaLink": ORIGIN + DELTA}),
    "item is text": Reply(200, {"value": ["a"], "@odata.deltaLink": ORIGIN + DELTA}),
    "item without id": Reply(200, {"value": [{"x": 1}], "@odata.deltaLink": ORIGIN + DELTA}),
    "item with empty id": page("", delta_link=DELTA),
    "item with numeric id": Reply(200, {"value": [{"id": 7}], "@odata.deltaLink": ORIGIN + DELTA}),
    "no link": page("a"),
    "members are an object": relation("members", {}),
    "members are a number": relation("members", 0),
    "owners are a text": relation("owners", ""),
    "manager is an object": relation("manager", {"id": "a"}),
    "link to another collection": page("a", next_link="/v1.0/groups/delta?$skiptoken=1"),
    "link to a plain list": page("a", next_link="/v1.0/users?$skiptoken=1"),
    "delta link to another collection": page("a", delta_link="/v1.0/devices/delta?$deltatoken=1"),
    "link to another version": page("a", next_link="/beta/users/delta?$skiptoken=1"),
    "both links": page("a", next_link=NEXT + "1", delta_link=DELTA),
    "next link is a number": Reply(200, {"value": [], "@odata.nextLink": 7}),
    "delta link is a list": Reply(200, {"value": [], "@odata.deltaLink": []}),
}


@pytest.mark.parametrize("position", [0, 1, 2])
@pytest.mark.parametrize("name", WRONG_SHAPES)
async def test_pages_raise_when_a_page_has_the_wrong_shape(name: str, position: int) -> None:
    """A page that breaks the protocol ends the stream with BadResponse, at whatever page it comes."""
    before = [page(str(n), next_link=f"{NEXT}{n}") for n in range(position)]
    found = await read_until_error(ScriptedGraph(*before, *[WRONG_SHAPES[name]] * 3), BadResponse)
    assert len(found) == position and not any(one.ends for one in found)


async def test_pages_of_a_list_raise_when_there_is_a_delta_link() -> None:
    """A plain list has no delta link."""
    await read_until_error(ScriptedGraph(*[page(delta_link=DELTA)] * 3), BadResponse, is_delta=False)


async def test_pages_go_on_when_a_wrong_shape_mends_itself() -> None:
    """A page of the wrong shape is asked for again."""
    found = await collect(ScriptedGraph(page("a"), page("a", delta_link=DELTA)))
    assert found[-1].ends


@pytest.mark.parametrize("length", [1, 2, 5])
async def test_pages_raise_at_the_first_repeated_link(length: int) -> None:
    """A cycle of any length is noticed as soon as it closes; each page came once."""
    round_trip = [page("a", next_link=f"{NEXT}{n % length}") for n in range(length + 1)]
    found = await read_until_error(ScriptedGraph(*round_trip), BadResponse)
    assert len(found) == length + 1


async def test_pages_believe_many_empty_pages_but_not_endlessly() -> None:
    """Empty pages with ever new links end after a hundred."""
    endless = [page(next_link=f"{NEXT}{n}") for n in range(EMPTY_PAGES_MAX + 1)]
    found = await read_until_error(ScriptedGraph(*endless), BadResponse)
    assert len(found) == EMPTY_PAGES_MAX
    patient = ScriptedGraph(*endless[:-1], page("a", delta_link=DELTA))
    assert (await collect(patient))[-1].ends


@pytest.mark.parametrize("key", ["next_link", "delta_link"])
@pytest.mark.parametrize("link", ["https://evil.test/x", "https://graph.test@evil.test/x", "http://graph.test/x"])
async def test_pages_never_hand_out_a_link_off_the_origin(key: str, link: str) -> None:
    """A foreign link is refused with its page, so that it can never be stored, let alone asked."""
    graph = ScriptedGraph(page("a", **{key: link}))
    assert await read_until_error(graph, OffOrigin) == []
    assert len(graph.asked) == 1


@pytest.mark.parametrize("position", [1, 2, 3])
async def test_pages_raise_when_graph_fails_for_good(position: int) -> None:
    """A page that cannot be read is an error, never the end of the stream."""
    good = [page(str(n), next_link=f"{NEXT}{n}") for n in range(position)]
    found = await read_until_error(ScriptedGraph(*good, *[refusal(500)] * 6), Unavailable)
    assert [one.ends for one in found] == [False] * position


def test_delta_url_selects_the_properties() -> None:
    """The path carries the selection; without one Graph's default set comes."""
    assert delta_url("groups", ["id", "members"]) == "/groups/delta?$select=id,members"
    assert delta_url("users", []) == "/users/delta"


@pytest.mark.parametrize("name", ["", "a,b", "a&$filter=x", "a b", "../x", "a#"])
def test_delta_url_refuses_what_is_not_a_property(name: str) -> None:
    """A name cannot add another part to the query."""
    with pytest.raises(BadInput):
        delta_url("users", [name])


class Tape:
    """Pages by hand: counts how many were fetched and whether it was closed.

    Args:
        count: of pages.
        error: raised after them.
        members: in every page, one group with so many.
    """

    def __init__(self, count: int, error: EntraError | None = None, members: int | None = None) -> None:
        self.fetched = 0
        self.closed = False
        self.hangs = asyncio.Event()
        self._count = count
        self._error = error
        self._members = members

    async def play(self) -> AsyncGenerator[Page, None]:
        """Yield the pages, then raise the error if there is one."""
        try:
            for number in range(1, self._count + 1):
                self.fetched += 1
                ends = number == self._count and self._error is None
                yield Page(number, self._items(number), Complete("d") if ends else Next(str(number)))
            if self._error:
                raise self._error
        finally:
            self.closed = True

    def _items(self, number: int) -> tuple[dict[str, object], ...]:
        if self._members is None:
            return ()
        return ({"id": str(number), "members@delta": [{"id": str(member)} for member in range(self._members)]},)

    async def hang(self) -> AsyncGenerator[Page, None]:
        """Yield one page and then never another."""
        try:
            yield Page(1, (), Next("1"))
            await self.hangs.wait()
        finally:
            self.closed = True


async def turns(number: int = 10) -> None:
    """Let other tasks run."""
    for _ in range(number):
        await asyncio.get_running_loop().run_in_executor(None, int)


async def test_prefetched_fetches_exactly_one_page_ahead() -> None:
    """While a page is worked on the next is fetched, and no more."""
    tape = Tape(5)
    seen: list[tuple[int, int]] = []
    async with prefetched(tape.play()) as ahead:
        async for one in ahead:
            await turns()
            seen.append((one.number, tape.fetched))
    assert seen == [(1, 2), (2, 3), (3, 4), (4, 5), (5, 5)]
    assert tape.closed


async def test_prefetched_delivers_pages_that_are_ready_together_as_one() -> None:
    """As many as write the rows asked for: their items in order, the number and link of the last; the end is alone."""
    tape, seen = Tape(6, members=4), list[Page]()
    async with prefetched(tape.play(), rows=8, relations=["members"]) as ahead:
        async for one in ahead:
            await turns()
            seen.append(one)
            # A group and four members are five rows: one page is too little, two are enough.
            assert tape.fetched == min(one.number + 2, 6)
    assert [[item["id"] for item in one.items] for one in seen] == [["1", "2"], ["3", "4"], ["5"], ["6"]]
    assert [(one.number, one.link) for one in seen] == [
        (2, Next("2")),
        (4, Next("4")),
        (5, Next("5")),
        (6, Complete("d")),
    ]


@pytest.mark.parametrize("rows", [0, 1_000])
async def test_prefetched_gives_an_error_after_everything_before_it(rows: int) -> None:
    """However far it reads ahead, nothing that was fetched is lost by what came after."""
    tape, seen = Tape(5, Unavailable(), members=1), list[str]()
    with pytest.raises(Unavailable):
        async with prefetched(tape.play(), rows, ["members"]) as ahead:
            async for one in ahead:
                await turns()
                seen += [item["id"] for item in one.items]
    assert seen == ["1", "2", "3", "4", "5"] and tape.closed


async def test_prefetched_delivers_what_came_before_an_error() -> None:
    """The error of a page ahead waits until the pages before it were worked on."""
    error = Unavailable()
    tape = Tape(2, error)
    seen: list[int] = []
    with pytest.raises(Unavailable) as caught:
        async with prefetched(tape.play()) as ahead:
            async for one in ahead:
                await turns()
                seen.append(one.number)
    assert seen == [1, 2] and caught.value is error and tape.closed


async def test_prefetched_stops_fetching_when_the_worker_fails() -> None:
    """An error of the caller comes out as it is; the fetch under way is cancelled and the stream closed."""
    tape = Tape(0)
    with pytest.raises(KeyError):
        async with prefetched(tape.hang()) as ahead:
            async for _ in ahead:
                await turns()
                raise KeyError
    assert tape.closed


async def test_prefetched_forgets_the_error_of_a_page_nobody_wanted(caplog: pytest.LogCaptureFixture) -> None:
    """Leaving early is no error, even when the page ahead has failed."""
    tape = Tape(1, Unavailable())
    async with prefetched(tape.play()) as ahead:
        async for _ in ahead:
            await turns()
            break
    gc.collect()
    assert tape.closed and caplog.text == ""


async def test_prefetched_stops_when_it_is_cancelled() -> None:
    """Cancelling the reader cancels the fetch and leaves no task behind."""
    tape = Tape(0)

    async def read() -> None:
        async with prefetched(tape.hang()) as ahead:
            async for _ in ahead:
                pass

    before = tasks_at_work()
    task = asyncio.create_task(read())
    await turns()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert tape.closed and tasks_at_work() == before


@pytest.mark.parametrize(
    "link",
    [
        "/v1.0/users/delta?$skiptoken=1",
        "/v1.0/users/delta()?$skiptoken=1",
        "/v1.0/Users/microsoft.graph.delta()?$skiptoken=1",
        "/v1.0/users/microsoft.graph.delta?$skiptoken=1",
    ],
)
async def test_pages_follow_a_link_to_the_same_collection_in_any_spelling(link: str) -> None:
    """Graph names the function in several ways."""
    assert len(await collect(ScriptedGraph(page("a", next_link=link), page("b", delta_link=DELTA)))) == 2


@pytest.mark.parametrize("link", ["/v1.0/groups/7/members?$skiptoken=1", "/v1.0/groups('7')/members?$skiptoken=1"])
async def test_pages_follow_the_list_of_one_object_and_no_others(link: str) -> None:
    """A list of members goes on with members of the same group."""
    start = ORIGIN + "/v1.0/groups/7/members?$skiptoken=0"
    graph = ScriptedGraph(page("a", next_link=link), page("b"))
    async with client_of(graph) as client:
        assert len([found async for found in pages(client, start, is_delta=False)]) == 2
    graph = ScriptedGraph(*[page("a", next_link="/v1.0/groups/8/members?$skiptoken=1")] * 3)
    async with client_of(graph) as client:
        with pytest.raises(BadResponse, match="another collection"):
            [found async for found in pages(client, start, is_delta=False)]
