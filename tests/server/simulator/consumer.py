"""A delta consumer of thirty lines: pages in, objects and edges out. What a client has to do, and no more."""

from __future__ import annotations

from typing import Any

import httpx

Values = dict[str, Any]


class Client(httpx.AsyncClient):
    """An HTTP client that follows pages."""

    async def pages(self, url: str) -> list[Values]:
        """Return every page from a first URL on."""
        found: list[Values] = []
        following: str | None = url
        while following:
            response = await self.get(following)
            assert response.status_code == 200, response.text
            found.append(response.json())
            following = found[-1].get("@odata.nextLink")
        return found

    async def all(self, url: str) -> list[Values]:
        """Return the objects of every page."""
        return [item for page in await self.pages(url) for item in page["value"]]


class Consumer:
    """Keeps one kind of object in step: full objects by id, and edges by navigation property."""

    def __init__(self, kind: str, relations: tuple[str, ...]) -> None:
        self.kind = kind
        self.relations = relations
        self.objects: dict[str, Values] = {}
        self.removed: dict[str, str] = {}
        self.edges: dict[str, set[tuple[str, str]]] = {name: set() for name in relations}
        self.link = ""
        self.minimal = False

    async def round(self, client: Client, url: str | None = None) -> list[Values]:
        """Take one round: from the stored delta link, or from a first URL."""
        pages = await client.pages(url or self.link)
        for page in pages:
            assert ("@odata.nextLink" in page) != ("@odata.deltaLink" in page)
            for item in page["value"]:
                self.merge(item)
        self.link = pages[-1]["@odata.deltaLink"]
        return pages

    def merge(self, item: Values) -> None:
        """Apply one object of a page."""
        object_id = item["id"]
        if "@removed" in item:
            self.removed[object_id] = item["@removed"]["reason"]
            self.objects.pop(object_id, None)
            return
        self.removed.pop(object_id, None)
        values = {name: value for name, value in item.items() if "@" not in name}
        known = self.objects.get(object_id, {}) if self.minimal else {}
        self.objects[object_id] = known | values
        for name in self.relations:
            for entry in item.get(f"{name}@delta", ()):
                edge = (object_id, entry["id"])
                if "@removed" in entry:
                    self.edges[name].discard(edge)
                else:
                    self.edges[name].add(edge)

    def visible(self, name: str, live: set[str]) -> set[tuple[str, str]]:
        """Return the edges of which both ends are live."""
        return {edge for edge in self.edges[name] if edge[0] in self.objects and edge[1] in live}
