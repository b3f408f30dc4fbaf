"""The smallest tenant that has everything: three pages of one kind, a network that is a function, a truth of its own.

It holds no code of the simulator or the product, so that a fault of either shows. One stream at a time has three pages;
the other two have one, which keeps a case of the fault table at some milliseconds.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal
from urllib.parse import parse_qsl

import httpx

from tests.sync.entra.transport import answer

Target = Literal["users", "groups", "devices", "members"]
TARGETS: tuple[Target, ...] = ("users", "groups", "devices", "members")
ORIGIN = "https://graph.test"
PAGES = 3

Item = dict[str, Any]
Serve = Callable[[], httpx.Response]
Fault = Callable[["Place", Serve], httpx.Response]
"""Sees each request of the stream it is about, and answers it or has it served."""


@dataclass(frozen=True)
class Place:
    """Which request of a stream this is: `page` 1 to 3 of a full round, or 0 for the request of a stored delta link."""

    stream: str
    page: int
    url: str


@dataclass
class Tiny:
    """A tenant whose `target` comes on three pages; `fault` decides about the requests of the target's stream."""

    target: Target
    fault: Fault | None = None
    asked: list[Place] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.objects: dict[str, dict[str, Item]] = {
            "users": {f"u{n}": {"id": f"u{n}", "displayName": f"User {n}", "accountEnabled": True} for n in range(5)},
            "groups": {f"g{n}": {"id": f"g{n}", "displayName": f"Group {n}", "groupTypes": []} for n in range(4)},
            "devices": {f"d{n}": {"id": f"d{n}", "displayName": f"pc-{n}", "accountEnabled": True} for n in range(5)},
        }
        if self.target == "members":
            self.objects["groups"] = {"g0": self.objects["groups"]["g0"]}
        self.members = {"g0": ["u0", "u1", "u2", "d0", "u3", "u4"]}
        self._generation = 0

    @property
    def stream(self) -> str:
        """Return the stream that the target comes with."""
        return "groups" if self.target == "members" else self.target

    def change(self) -> None:
        """Take one object of the target, or one member, away and forget that a delta could have told of it."""
        if self.target == "members":
            self.members["g0"].remove("u1")
        else:
            del self.objects[self.target][f"{self.target[0]}1"]
        self.forget()

    def forget(self) -> None:
        """Forget every delta link that was given out."""
        self._generation += 1

    def edges(self) -> set[tuple[str, str]]:
        """Return group and member of every membership that shows: both are there."""
        known = {external_id for kind in self.objects.values() for external_id in kind}
        return {(group, one) for group, members in self.members.items() for one in members if {group, one} <= known}

    def __call__(self, request: httpx.Request) -> httpx.Response:
        """Answer one request."""
        path = request.url.path.removeprefix("/v1.0/")
        stream, _, rest = path.partition("/")
        if rest == "$count":
            return answer(str(len(self.objects[stream])).encode(), headers={"content-type": "text/plain"})
        query = dict(parse_qsl(request.url.query.decode()))
        if query.get("$select", "").startswith("id,registered"):
            return answer({"value": [{"id": "d0", "registeredOwners@delta": []}], "@odata.deltaLink": f"{ORIGIN}/x"})
        place = Place(stream, self._page(query), str(request.url))
        self.asked.append(place)
        if self.fault and stream == self.stream:
            return self.fault(place, lambda: self._serve(place, query))
        return self._serve(place, query)

    @staticmethod
    def _page(query: dict[str, str]) -> int:
        if "$deltatoken" in query:
            return 0
        return int(query.get("$skiptoken", "1").partition(".")[0])

    def _serve(self, place: Place, query: dict[str, str]) -> httpx.Response:
        if place.page == 0 and query["$deltatoken"] == str(self._generation):
            return answer({"value": [], "@odata.deltaLink": place.url})
        if place.page == 0 and place.stream == self.stream:
            return answer({"error": {"code": "syncStateNotFound", "message": "simulated"}}, 410)
        return answer(self.page(place.stream, place.page))

    def page(self, stream: str, number: int) -> Item:
        """Return a page of a full round."""
        link = f"{ORIGIN}/v1.0/{stream}/delta?"
        pages = PAGES if stream == self.stream else 1
        last = number >= pages
        key, value = (
            ("deltaLink", f"$deltatoken={self._generation}") if last else ("nextLink", f"$skiptoken={number + 1}")
        )
        return {"value": self._items(stream, number, pages), f"@odata.{key}": link + value}

    def _items(self, stream: str, number: int, pages: int) -> list[Item]:
        """Return the objects of a page; the group of all members is on every page, with some of them."""
        if number == 0:
            return []
        found = list(self.objects[stream].values())[number - 1 :: pages]
        if stream != "groups":
            return found
        some = self.members["g0"][number - 1 :: pages]
        kinds = {"u": "user", "d": "device"}
        listed = [{"@odata.type": f"#microsoft.graph.{kinds[one[0]]}", "id": one} for one in some]
        return [one for one in found if one["id"] != "g0"] + [self.objects["groups"]["g0"] | {"members@delta": listed}]
