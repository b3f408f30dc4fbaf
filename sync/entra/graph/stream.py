"""Pages of one directory stream, in order; a stream ends with `Complete` or raises, it never just stops.

A sweep of unseen objects takes the `Complete` as an argument, so that an incomplete read cannot delete anything.

Source: learn.microsoft.com/graph/delta-query-overview, learn.microsoft.com/graph/paging
"""

from __future__ import annotations

import asyncio
import hashlib
import re
from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import unquote, urlsplit

from sync.entra.diagnose import malformed
from sync.entra.graph.client import VERSION_PATH, GraphClient
from sync.errors import BadInput, EntraError, RequestRefused
from sync.store.statement.function import folded

Kind = Literal["users", "groups", "devices"]
"""A directory collection that delta query covers."""

EMPTY_PAGES_MAX = 100
"""The limit of empty pages in a row; one more counts as an endless loop."""

RETURN_MINIMAL = {"Prefer": "return=minimal"}
"""Requests changed properties only; a missing property then means unchanged."""

_RELATIONS = ("members@delta", "owners@delta", "manager@delta", "registeredOwners@delta", "registeredUsers@delta")
_PROPERTY = re.compile(r"[A-Za-z][A-Za-z0-9_]*", re.ASCII)


@dataclass(frozen=True)
class Start:
    """The beginning of a round: a path below /v1.0."""

    path: str


@dataclass(frozen=True)
class Next:
    """More pages follow at `url`; it contains an opaque token and must not be logged."""

    url: str


@dataclass(frozen=True)
class Complete:
    """Every page has been read. `delta_link` starts the next round; a plain list has none."""

    delta_link: str | None


@dataclass(frozen=True)
class Page:
    """One page: its number within the round, its items in Graph's order, and its link."""

    number: int
    items: tuple[Mapping[str, Any], ...]
    link: Next | Complete

    @property
    def ends(self) -> bool:
        """Whether this is the last page of the round."""
        return isinstance(self.link, Complete)


def delta_url(kind: Kind, select: Sequence[str]) -> str:
    """Return the path that starts a delta round of a collection with the selected properties.

    Raises:
        BadInput: a name cannot be a property's.
    """
    for name in select:
        if not _PROPERTY.fullmatch(name):
            raise BadInput("A selected property has an impossible name.")
    return f"/{kind}/delta?$select={','.join(select)}" if select else f"/{kind}/delta"


async def pages(
    client: GraphClient,
    start: Start | str,
    *,
    first_number: int = 1,
    headers: Mapping[str, str] | None = None,
    is_delta: bool = True,
) -> AsyncGenerator[Page, None]:
    """Yield the pages from `start` to the page whose link is `Complete`.

    Args:
        client: reads the pages.
        start: the beginning of a round, or a stored next link or delta link.
        first_number: the number of the first page, if a round is resumed.
        headers: sent with every request, because Graph's links do not include them.
        is_delta: a delta round must end with a delta link; a plain list must end without one.

    Raises:
        CursorExpired: the stored link has expired: restart with `Start`.
        BadResponse: a wrong shape, a link that repeats, or too many empty pages.
        EntraError: everything else that `GraphClient.get` raises.
    """
    url = start.path if isinstance(start, Start) else start
    collection = collection_of(url)
    watch = _Watch()
    number = first_number
    while True:
        watch.visit(url)
        body = await client.get(url, headers=headers, check=lambda body: _check(client, body, is_delta, collection))
        page = _page(number, body)
        watch.count(page)
        yield page
        if isinstance(page.link, Complete):
            return
        url = page.link.url
        number += 1


def is_dead_end(error: EntraError) -> bool:
    """Tell whether a stream would fail from this link for ever, so that its next run should read everything.

    Graph refused the request, or the pages loop. A missing permission is no dead end: once granted, the link works.
    """
    return isinstance(error, RequestRefused) or bool(error.facts.get("endless"))


class _Watch:
    """Detects a stream that loops."""

    def __init__(self) -> None:
        self._seen: set[bytes] = set()
        self._empty = 0

    def visit(self, url: str) -> None:
        # Links are long and a round has thousands: keep 16 bytes of each.
        digest = hashlib.blake2b(url.encode(), digest_size=16).digest()
        if digest in self._seen:
            raise malformed("a link to the next page repeats", endless=True)
        self._seen.add(digest)

    def count(self, page: Page) -> None:
        self._empty = 0 if page.items else self._empty + 1
        if self._empty > EMPTY_PAGES_MAX:
            raise malformed("empty pages without an end", pages_max=EMPTY_PAGES_MAX, endless=True)


def _check(client: GraphClient, body: Mapping[str, Any], is_delta: bool, collection: tuple[str, ...]) -> None:
    items = body.get("value")
    if not isinstance(items, list):
        raise malformed("a page without a list of items")
    for item in items:
        if not isinstance(item, dict) or not isinstance(item.get("id"), str) or not item["id"]:
            raise malformed("an item without an id")
        # Lower the ids: Graph promises no letter case.
        item["id"] = folded(item["id"])
        for name in _RELATIONS:
            if (entries := item.get(name)) is not None and not isinstance(entries, list):
                raise malformed("a relation that is not a list")
    next_link, delta_link = body.get("@odata.nextLink"), body.get("@odata.deltaLink")
    links = [link for link in (next_link, delta_link) if link is not None]
    if len(links) > 1 or (is_delta and not links) or (not is_delta and delta_link is not None):
        raise malformed("a page with the wrong links")
    for link in links:
        if not isinstance(link, str):
            raise malformed("a link that is not text")
        client.check_link(link)
        if collection_of(link) != collection:
            raise malformed("a link to another collection")


def collection_of(url: str) -> tuple[str, ...]:
    """Return the collection of an address, the same for all its spellings: `/v1.0/Users/microsoft.graph.delta()?…`."""
    path = urlsplit(url).path.lower().removeprefix(VERSION_PATH)
    steps = [step.removeprefix("microsoft.graph.").removesuffix("()") for step in path.split("/") if step]
    # An object may be named in brackets: /groups('7')/members is /groups/7/members.
    return tuple(part.strip("'") for step in steps for part in unquote(step).removesuffix(")").split("("))


def _page(number: int, body: Mapping[str, Any]) -> Page:
    next_link = body.get("@odata.nextLink")
    link = Complete(body.get("@odata.deltaLink")) if next_link is None else Next(next_link)
    return Page(number, tuple(body["value"]), link)


@asynccontextmanager
async def prefetched(
    pages: AsyncGenerator[Page, None], rows: int = 0, relations: Iterable[str] = ()
) -> AsyncIterator[AsyncIterator[Page]]:
    """Fetch pages ahead while the caller works on the previous one; leaving the block stops the fetch.

        async with prefetched(pages(client, start)) as ahead:
            async for page in ahead:
                ...

    An error of a page ahead is raised after the pages before it were delivered.

    Args:
        pages: the stream; leaving the block closes it.
        rows: fetch until the pages ahead have this many rows, then deliver them joined into one page, with the number
            and the link of the last. The last page of a round comes alone, because its work may have to be repeated.
            0: stay one page ahead and join none.
        relations: the entries of these relations count as rows, as items do.
    """
    ahead = _Ahead(pages, rows, [f"{relation}@delta" for relation in relations])
    stream = ahead.read()
    try:
        yield stream
    finally:
        await ahead.stop()
        await stream.aclose()
        await pages.aclose()


class _Ahead:
    """The pages that were fetched but not taken yet, joined into one. Each side waits only while the other works."""

    def __init__(self, pages: AsyncGenerator[Page, None], rows: int, listed: Sequence[str]) -> None:
        self._pages, self._rows_max, self._listed = pages, rows, listed
        self._ready: Page | None = None
        self._rows = 0
        self._moved = asyncio.Event()
        self._fetching = asyncio.create_task(self._fetch())

    async def _fetch(self) -> None:
        try:
            async for page in self._pages:
                if page.ends:
                    await self._taken()
                self._ready = _joined(self._ready, page)
                self._rows += self._rows_of(page)
                self._moved.set()
                if self._rows >= self._rows_max:
                    await self._taken()
        finally:
            self._moved.set()

    async def read(self) -> AsyncGenerator[Page, None]:
        while True:
            while self._ready is None and not self._fetching.done():
                await self._move()
            if self._ready is None:
                await self._fetching
                return
            page, self._ready, self._rows = self._ready, None, 0
            self._moved.set()
            yield page

    async def stop(self) -> None:
        """Cancel the fetch and wait until it has ended; ignore its result."""
        self._fetching.cancel()
        await asyncio.wait({self._fetching})
        if not self._fetching.cancelled():
            self._fetching.exception()  # Retrieve the error: asyncio logs exceptions that were never retrieved.

    def _rows_of(self, page: Page) -> int:
        named = (item.get(name) for name in self._listed for item in page.items)
        return len(page.items) + sum(len(value) for value in named if isinstance(value, list))

    async def _taken(self) -> None:
        while self._ready:
            await self._move()

    async def _move(self) -> None:
        self._moved.clear()
        await self._moved.wait()


def _joined(before: Page | None, page: Page) -> Page:
    return Page(page.number, before.items + page.items, page.link) if before else page
