"""Lists, single objects, counts and relation lists, paged and projected as by Graph."""

from __future__ import annotations

from itertools import islice
from typing import Any
from urllib.parse import quote

from server.simulator.graph import page as pages
from server.simulator.graph.cursor import Cursors, UnknownCursor
from server.simulator.graph.exchange import Call, GraphAnswer, bad_request, not_found, unsupported
from server.simulator.graph.page import PageCache, RenderedPage, Resume
from server.simulator.graph.property import ALL_SORTS, ODATA_TYPE
from server.simulator.graph.query import (
    Expand,
    expanded,
    filtered,
    page_size,
    refuse_unsupported,
    related_names,
    selected,
    split_names,
)
from server.simulator.signin.access import demand, may_read, sees_hidden
from server.simulator.signin.token import GraphCaller
from server.simulator.tenant.directory import LIVE, TenantDirectory, Values
from server.simulator.tenant.relation import GraphRelation, Link, relations_of

EXPAND_MAX = 20


class GraphLists:
    """Answers everything but delta for one tenant."""

    def __init__(self, directory: TenantDirectory, cursors: Cursors, cache: PageCache) -> None:
        self.origin = ""
        self._directory = directory
        self._cursors = cursors
        self._cache = cache
        self.generation = 0

    def expire(self) -> None:
        """Make every nextLink of a list issued so far answer Directory_ExpiredPageToken."""
        self.generation += 1

    # Collections

    def collection(self, kind: str, call: Call) -> GraphAnswer:
        """Answer one page of all objects of a kind."""
        demand(call.principal, kind)
        refuse_unsupported(call.options, "select", "expand", "filter", "top", "count", "skiptoken")
        top, select, expand = page_size(call.options), selected(kind, call.options), expanded(kind, call)
        condition = filtered(kind, call.options)
        slot = self._position(call)
        directory = self._directory
        readable = tuple(k for k in ALL_SORTS if may_read(call.principal, k))

        def make() -> RenderedPage:
            items: list[Values] = []
            at, end = slot, directory.slot_count(kind)
            while at < end and len(items) < top:
                object_id = directory.slot_id(kind, at)
                if directory.state_of(object_id) == LIVE:
                    values = directory.slot_values(kind, at)
                    if condition is None or condition.holds(values):
                        items.append(self._shown(kind, values, select, expand, call.principal))
                at += 1
            names = ",".join(select if "select" in call.options else ())
            context = f"{self.origin}/v1.0/$metadata#{kind}{f'({names})' if names else ''}"
            return pages.render(context, items, (at, 0) if at < end else None)

        key = ("list", self.origin, kind, select, expand, condition, top, slot, readable, directory.version)
        answer = GraphAnswer(units=_units(2 if kind == "users" else 1, call))
        answer.page = self._cache.get(key, make)
        count = None
        if call.options.get("count") == "true" and call.eventual and "skiptoken" not in call.options:
            count = directory.count(kind) if condition is None else sum(map(condition.holds, directory.truth(kind)))
        answer.tail = self._tail(f"/v1.0/{kind}", call, answer.page.resume, count)
        return answer

    def count(self, kind: str, call: Call) -> GraphAnswer:
        """Answer `/$count`: plain text, an advanced query."""
        demand(call.principal, kind)
        refuse_unsupported(call.options, "filter")
        condition = filtered(kind, call.options)
        directory = self._directory
        number = directory.count(kind) if condition is None else sum(map(condition.holds, directory.truth(kind)))
        return _counted(number, call)

    def count_related(self, kind: str, key: str, name: str, call: Call) -> GraphAnswer:
        """Answer `/$count` of a relation of one object."""
        demand(call.principal, kind)
        object_id = self._resolve(kind, key)
        relation = relations_of(kind).get(name)
        if relation is None or relation.name == "manager":
            raise unsupported(f"Not simulated: $count of '{name}'.")
        refuse_unsupported(call.options)
        if not self._sees_links(relation, object_id, call.principal):
            return _counted(0, call)
        return _counted(len(self._directory.visible(relation.name, object_id)), call)

    # Single objects

    def single(self, kind: str, key: str, call: Call) -> GraphAnswer:
        """Answer one object by id, or a user by user principal name."""
        demand(call.principal, kind)
        return self._object(kind, self._resolve(kind, key), call)

    def device_by_device_id(self, device_id: str, call: Call) -> GraphAnswer:
        """Answer one device by its alternate key."""
        demand(call.principal, "devices")
        object_id = self._directory.find_device(device_id)
        if object_id is None:
            raise not_found(device_id)
        return self._object("devices", object_id, call)

    def _object(self, kind: str, object_id: str, call: Call) -> GraphAnswer:
        refuse_unsupported(call.options, "select", "expand")
        values = self._directory.values_of(object_id)
        select = selected(kind, call.options, single=True)
        body = {"@odata.context": f"{self.origin}/v1.0/$metadata#{kind}/$entity"}
        body |= self._shown(kind, values, select, expanded(kind, call), call.principal)
        return GraphAnswer(body=body, units=_units(1, call))

    def _resolve(self, kind: str, key: str) -> str:
        object_id: str | None = key.lower()
        if kind == "users" and "@" in key:
            object_id = self._directory.find_user(key)
        if object_id is None or self._directory.read(kind, object_id) is None:
            raise not_found(key)
        return object_id

    # Relations

    def related(self, kind: str, key: str, name: str, call: Call) -> GraphAnswer:
        """Answer one relation of one object: a page of its targets, or the one target."""
        demand(call.principal, kind)
        object_id = self._resolve(kind, key)
        refuse_unsupported(call.options, "select", "top", "skiptoken")
        if name == "memberOf":
            return self._member_of(object_id, call)
        relation = relations_of(kind).get(name)
        if relation is None:
            raise bad_request(f"Resource not found for the segment '{name}'.", "BadRequest")
        if relation.name == "manager":
            return self._manager(object_id, call)
        top, slot = page_size(call.options), self._position(call)
        names = self._related_names((*relation.targets, *relation.others), call)
        links: list[Link] = []
        following = None
        if self._sees_links(relation, object_id, call.principal):
            end = self._directory.links(relation.name).slot_count(object_id)
            links = self._directory.visible(relation.name, object_id, slot, slot + top)
            following = (slot + top, 0) if slot + top < end else None
        items = [self._target(link, names, call.principal) for link in links]
        return self._related_page(call, items, following, 3 if name == "members" else 1)

    def _related_page(self, call: Call, items: list[Values], following: Resume | None, units: int) -> GraphAnswer:
        answer = GraphAnswer(units=_units(units, call))
        answer.page = pages.render(f"{self.origin}/v1.0/$metadata#directoryObjects", items, following)
        answer.tail = self._tail(f"/v1.0/{'/'.join(quote(s) for s in call.segments)}", call, following, None)
        return answer

    def _member_of(self, object_id: str, call: Call) -> GraphAnswer:
        top, at = page_size(call.options), self._position(call)
        names = self._related_names(("groups",), call)
        ids = list(islice(self._directory.groups_of(object_id), at, at + top + 1))
        items = [self._target(("groups", group), names, call.principal) for group in ids[:top]]
        return self._related_page(call, items, (at + top, 0) if len(ids) > top else None, 2)

    def _manager(self, object_id: str, call: Call) -> GraphAnswer:
        links = self._directory.visible("manager", object_id)
        if not links:
            raise not_found("manager")
        body = {"@odata.context": f"{self.origin}/v1.0/$metadata#directoryObjects/$entity"}
        names = self._related_names(("users",), call)
        return GraphAnswer(body=body | self._target(links[0], names, call.principal), units=_units(1, call))

    def _related_names(self, kinds: tuple[str, ...], call: Call) -> tuple[str, ...]:
        return related_names(kinds, split_names(call.options.get("select", "")))

    def _sees_links(self, relation: GraphRelation, object_id: str, principal: GraphCaller) -> bool:
        if relation.name != "members" or sees_hidden(principal):
            return True
        return self._directory.values_of(object_id).get("visibility") != "HiddenMembership"

    # Projection

    def _target(self, link: Link, names: tuple[str, ...], principal: GraphCaller) -> Values:
        kind, object_id = link
        shown: Values = {"@odata.type": ODATA_TYPE[kind], "id": object_id}
        wanted = names or ALL_SORTS[kind].default
        if names == ("id",):
            return shown
        if not may_read(principal, kind):  # limited information: type and id, everything else null
            return shown | {name: None for name in wanted if name != "id"}
        values = self._directory.values_of(object_id)
        return shown | _project(kind, values, tuple(name for name in wanted if name in ALL_SORTS[kind].known))

    def _shown(
        self, kind: str, values: Values, select: tuple[str, ...], expand: Expand | None, principal: GraphCaller
    ) -> Values:
        shown = _project(kind, values, select)
        if expand is None:
            return shown
        relation = expand.relation
        links: list[Link] = []
        if self._sees_links(relation, values["id"], principal):
            # Graph shows at most 20, without a link to the rest.
            links = self._directory.visible(relation.name, values["id"], 0, EXPAND_MAX)
        targets = [self._target(link, expand.select, principal) for link in links]
        if relation.name == "manager":
            return shown | ({relation.property: targets[0]} if targets else {})
        return shown | {relation.property: targets}

    # Paging

    def _position(self, call: Call) -> int:
        text = call.options.get("skiptoken")
        if text is None:
            return 0
        try:
            state = self._cursors.open("list", text)
        except UnknownCursor as error:
            raise bad_request("The specified page token value is invalid.") from error
        if state["g"] != self.generation or state["u"] != "/".join(call.segments):
            message = "The specified page token value has expired and can no longer be included in your request."
            raise bad_request(message, "Directory_ExpiredPageToken")
        position: int = state["p"]
        return position

    def _tail(self, path: str, call: Call, resume: Resume | None, count: int | None) -> bytes:
        if resume is None:
            return pages.tail(count=count)
        state: dict[str, Any] = {"p": resume[0], "u": "/".join(call.segments), "g": self.generation}
        # The link repeats the query, but not the headers.
        kept = [f"${name}={quote(v, safe=',()$=')}" for name, v in call.options.items() if name != "skiptoken"]
        link = "&".join([*kept, f"$skiptoken={self._cursors.seal('list', state)}"])
        return pages.tail(count=count, nextLink=f"{self.origin}{path}?{link}")


def _project(kind: str, values: Values, names: tuple[str, ...]) -> Values:
    lists = ALL_SORTS[kind].lists
    return {name: values[name] if name in values else ([] if name in lists else None) for name in names}


def _units(base: int, call: Call) -> int:
    """Return the resource units of a read. Source: learn.microsoft.com/graph/throttling-limits (identity)."""
    units = base - ("select" in call.options) + ("expand" in call.options)
    return max(units - (page_size(call.options) < 20), 1)


def _counted(number: int, call: Call) -> GraphAnswer:
    """Return a count as plain text: an advanced query."""
    if not call.eventual:
        raise bad_request("$count is not currently supported.")
    return GraphAnswer(body=str(number), headers={"Content-Type": "text/plain"})
