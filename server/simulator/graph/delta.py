"""Delta query: full rounds over the directory, and later rounds over its change log.

A full round walks the slots of a kind. Its deltaLink continues from the moment when the round began, so that the next
round shows all changes since.
Source: learn.microsoft.com/graph/delta-query-overview and the delta pages of users, groups and devices
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, replace
from datetime import timedelta
from random import Random
from typing import Any

from server.simulator.graph import page as pages
from server.simulator.graph.cursor import Cursors, UnknownCursor
from server.simulator.graph.exchange import Call, GraphAnswer, GraphRefused, bad_request
from server.simulator.graph.page import PageCache, RenderedPage, Resume
from server.simulator.graph.property import ODATA_TYPE, SORTS
from server.simulator.graph.query import check_properties, filtered_ids, refuse_unsupported, split_names
from server.simulator.signin.access import demand, sees_hidden
from server.simulator.tenant.change import Touch
from server.simulator.tenant.directory import LIVE, SOFT_DELETED, TenantDirectory, Values
from server.simulator.tenant.relation import Links, relations_of
from server.simulator.variant import Variants
from sync.clock import Clock

ROUNDS_KEPT = 8
STRIDES = (7_919, 7_907)  # primes: a shuffled round steps through the slots by one of them


@dataclass(frozen=True, slots=True)
class DeltaRound:
    """The content of one delta round; `start` None is a full round, over the `size` slots at its begin."""

    kind: str
    select: tuple[str, ...]
    relations: tuple[str, ...]  # navigation properties
    ids: tuple[str, ...] | None
    start: int | None
    end: int
    issued_s: int
    generation: int
    size: int
    shuffled: bool


@dataclass(frozen=True, slots=True)
class DeltaView:
    """The caller's view of a round: changed properties only, and hidden members."""

    minimal: bool
    hidden: bool


class Delta:
    """Answers delta requests of one tenant."""

    def __init__(
        self, directory: TenantDirectory, cursors: Cursors, cache: PageCache, clock: Clock, variants: Variants
    ) -> None:
        self.origin = ""
        self.generation = 0
        self._variants = variants
        self._directory = directory
        self._cursors = cursors
        self._cache = cache
        self._clock = clock
        self._touched: OrderedDict[tuple[str, int, int], list[tuple[str, Touch]]] = OrderedDict()

    def expire(self) -> None:
        """Make every delta link issued so far answer 410."""
        self.generation += 1

    def continues_group(self, token: str) -> bool:
        """Return whether a nextLink's token continues the members of a group."""
        try:
            return bool(token and self._cursors.open("next", token)["o"])
        except UnknownCursor:
            return False

    def answer(self, kind: str, call: Call) -> GraphAnswer:
        """Answer one request of a round."""
        demand(call.principal, kind)
        answer = GraphAnswer()
        options = call.options
        refuse_unsupported(options, "select", "filter", "skiptoken", "deltatoken")
        text = options.get("skiptoken") or options.get("deltatoken")
        view = DeltaView(call.prefers("return=minimal"), sees_hidden(call.principal))
        if not text or text == "latest":
            current, resume, empties = self._first(kind, options), (0, 0), 0
            if text == "latest":
                return self._latest(answer, current)
        else:
            if "skiptoken" in options and "select" in options:
                raise bad_request("$select is not supported together with $skiptoken.")
            current, resume, empties = self._resumed(kind, text, "next" if "skiptoken" in options else "delta")
        if view.minimal:
            answer.headers["Preference-Applied"] = "return=minimal"
        if empties:
            answer.page = pages.render(self._context(current), [], resume)
            answer.tail = self._tail(current, resume, empties - 1)
        else:
            answer.page = self._page(current, resume, view)
            answer.tail = self._tail(current, answer.page.resume, self._variants.empty_pages)
        return answer

    def _first(self, kind: str, options: Any) -> DeltaRound:
        known = relations_of(kind)
        names = split_names(options.get("select", ""))
        relations = tuple(name for name in names if name in known)
        if kind == "devices" and relations and self._variants.device_relations != "shown":
            if self._variants.device_relations == "refused":
                raise bad_request(
                    "Parsing OData Select and Expand failed: Could not find a property named "
                    f"'{relations[0]}' on type 'microsoft.graph.device'."
                )
            relations = ()
        if not names and kind == "groups":
            relations = ("members",)
        properties = tuple(name for name in names if name not in known)
        check_properties(kind, properties)
        select = ("id", *(n for n in properties if n != "id")) if names else SORTS[kind].default
        now_s = int(self._clock.now().timestamp())
        version = self._version()
        ids = filtered_ids(options)
        if ids is not None:
            ids = tuple(i for i in ids if self._directory.kind_of(i) == kind)
        size = self._directory.slot_count(kind, version) if ids is None else len(ids)
        shuffled = self._variants.shuffled
        return DeltaRound(kind, select, relations, ids, None, version, now_s, self.generation, size, shuffled)

    def _version(self) -> int:
        """Return the version that replication has reached; a later round shows later changes."""
        lag_s = self._variants.lag_s
        moment = self._clock.now() - timedelta(seconds=lag_s)
        return self._directory.version_at(moment) if lag_s else self._directory.version

    def _resumed(self, kind: str, token: str, purpose: str) -> tuple[DeltaRound, Resume, int]:
        try:
            state = self._cursors.open(purpose, token)
        except UnknownCursor as error:
            raise bad_request("Badly formed token.") from error
        if state["k"] != kind:
            raise bad_request("Badly formed token.")
        found = _round(state)
        now_s = int(self._clock.now().timestamp())
        # A position beyond the log was issued before the simulator's restart, so its state is lost.
        lost = found.end > self._directory.version or found.generation != self.generation
        if lost or now_s - found.issued_s > self._variants.delta_lifetime_s:
            raise self._gone(found)
        if purpose == "delta":
            end = max(self._version(), found.end)
            found = replace(found, start=found.end, end=end, issued_s=now_s, shuffled=self._variants.shuffled)
            found = replace(found, size=len(self._changes(found)))
        return found, (state["p"], state["o"]), state["e"]

    def _gone(self, lost: DeltaRound) -> GraphRefused:
        select = ",".join((*lost.select, *lost.relations))
        location = f"{self.origin}/v1.0/{lost.kind}/delta?$deltatoken=&$select={select}"
        message = "The sync state generation is not found. Start a new synchronization."
        return GraphRefused(410, "syncStateNotFound", message, {"Location": location})

    def _latest(self, answer: GraphAnswer, current: DeltaRound) -> GraphAnswer:
        answer.page = pages.render(self._context(current), [], None)
        answer.tail = self._tail(current, None, 0)
        return answer

    def _tail(self, current: DeltaRound, resume: Resume | None, empties: int) -> bytes:
        base = f"{self.origin}/v1.0/{current.kind}/delta?"
        if resume is not None:
            token = self._cursors.seal("next", _state(current, resume, empties))
            return pages.tail(nextLink=f"{base}$skiptoken={token}")
        return pages.tail(deltaLink=f"{base}$deltatoken={self._cursors.seal('delta', _state(current, (0, 0), 0))}")

    def _context(self, current: DeltaRound) -> str:
        names = ",".join(name for name in (*current.select, *current.relations) if name != "id")
        return f"{self.origin}/v1.0/$metadata#{current.kind}({names})"

    def _page(self, current: DeltaRound, resume: Resume, view: DeltaView) -> RenderedPage:
        version = self._directory.version
        # Leave `end` out of a full round's key: its pages do not depend on it, so the next full round can reuse them.
        end = 0 if current.start is None else current.end
        what = (current.kind, current.select, current.relations, current.ids, current.start, end, current.size)
        variants = self._variants
        said = (variants.removal_reasons, variants.links_on_leave)
        how = (current.shuffled, variants.replays, variants.page_objects, variants.page_links, *said)

        def make() -> RenderedPage:
            items, following = self._items(current, resume, view)
            return pages.render(self._context(current), items, following)

        return self._cache.get(("delta", self.origin, what, how, resume, view, version), make)

    def _items(self, current: DeltaRound, resume: Resume, view: DeltaView) -> tuple[list[Values], Resume | None]:
        slot, offset = resume
        items = self._replayed(current, slot, view) if offset == 0 else []
        repeated, room = len(items), self._variants.page_links
        while slot < current.size and len(items) - repeated < self._variants.page_objects and room > 0:
            object_id, touch = self._subject(current, slot)
            if self._directory.state_of(object_id) != LIVE:
                items += self._removed(current, object_id)
                slot += 1
                continue
            item, entries = self._item(current, slot, object_id, touch, view)
            if entries.count > room and len(items) > repeated and offset == 0:
                break  # end the page early; the group starts the next one
            items.append(item | entries.take(offset, room))
            taken = min(entries.count - offset, room)
            room -= taken
            if offset + taken < entries.count:
                offset += taken
                break
            slot, offset = slot + 1, 0
        if current.shuffled:
            Random(slot).shuffle(items)  # noqa: S311 - repeatable test data, not a secret
        return items, ((slot, offset) if slot < current.size else None)

    def _replayed(self, current: DeltaRound, slot: int, view: DeltaView) -> list[Values]:
        """Return the last objects of the previous page again, without those that do not fit into one page."""
        items: list[Values] = []
        for again in range(max(slot - self._variants.replays, 0), slot):
            object_id, touch = self._subject(current, again)
            if self._directory.state_of(object_id) != LIVE:
                items += self._removed(current, object_id)
                continue
            item, entries = self._item(current, again, object_id, touch, view)
            if entries.count <= self._variants.page_links:
                items.append(item | entries.take(0, entries.count))
        return items

    def _item(
        self, current: DeltaRound, slot: int, object_id: str, touch: Touch | None, view: DeltaView
    ) -> tuple[Values, Entries]:
        if current.start is None and current.ids is None:  # most pages: read by slot, which is faster than by id
            values = self._directory.slot_values(current.kind, _ordered(current, slot))
        else:
            values = self._directory.values_of(object_id)
        leaves_out = current.start is None and self._variants.links_on_leave == "left out"
        entries = Entries(self._directory, current.relations, object_id, touch, leaves_out=leaves_out)
        if not view.hidden and values.get("visibility") == "HiddenMembership":
            entries.clear("members")
        return _project(values, current.select, touch, view.minimal), entries

    def _removed(self, current: DeltaRound, object_id: str) -> list[Values]:
        state = self._directory.state_of(object_id)
        tells = current.start is not None or state == SOFT_DELETED
        reason = {"told": {"reason": state}, "absent": {}, "unknown": {"reason": "vanished"}}
        return [{"id": object_id, "@removed": reason[self._variants.removal_reasons]}] if tells else []

    def _subject(self, current: DeltaRound, slot: int) -> tuple[str, Touch | None]:
        slot = _ordered(current, slot)
        if current.start is not None:
            return self._changes(current)[slot]
        return (self._directory.slot_id(current.kind, slot) if current.ids is None else current.ids[slot]), None

    def _changes(self, current: DeltaRound) -> list[tuple[str, Touch]]:
        start = current.start or 0
        key = (repr((current.kind, current.select, current.relations, current.ids)), start, current.end)
        found = self._touched.get(key)
        if found is None:
            chosen, names = frozenset(current.select), self._relation_names(current)
            found = [
                (object_id, touch)
                for object_id, touch in self._directory.touched(current.kind, start, current.end).items()
                if touch.concerns(chosen, names) and (current.ids is None or object_id in current.ids)
            ]
            self._touched[key] = found
            if len(self._touched) > ROUNDS_KEPT:
                self._touched.popitem(last=False)
        return found

    @staticmethod
    def _relation_names(current: DeltaRound) -> tuple[str, ...]:
        known = relations_of(current.kind)
        return tuple(known[name].name for name in current.relations)


class Entries:
    """The entries of one object's `…@delta` lists; they can be counted without being listed.

    A new or restored object shows all its links, an object seen again only the changed ones. All links include those
    to soft-deleted objects, because these keep their memberships and a restore sends nothing. They also include
    removed links, as removals of which the client may not know, as Graph's first rounds do.
    """

    def __init__(
        self,
        directory: TenantDirectory,
        relations: tuple[str, ...],
        object_id: str,
        touch: Touch | None,
        *,
        leaves_out: bool = False,
    ) -> None:
        self._directory, self._leaves_out = directory, leaves_out
        self._object_id = object_id
        self._whole = touch is None or touch.whole
        self._parts: list[tuple[str, Links, list[str], int]] = []
        known = relations_of(directory.kind_of(object_id) or "") if relations else {}
        for name in relations:
            links = directory.links(known[name].name)
            changed = [] if touch is None or self._whole else list(touch.targets.get(known[name].name, ()))
            size = links.slot_count(object_id) if self._whole else len(changed)
            self._parts.append((name, links, changed, size))
        self.count = sum(size for *_, size in self._parts)

    def clear(self, name: str) -> None:
        """Remove the entries of one relation."""
        self._parts = [part for part in self._parts if part[0] != name]
        self.count = sum(size for *_, size in self._parts)

    def take(self, offset: int, room: int) -> Values:
        """Return up to `room` entries from `offset` on, as annotations; a list without entries is left out."""
        found: dict[str, list[Values]] = {}
        low, high = offset, offset + room
        for name, links, changed, size in self._parts:
            if low < size and high > 0:
                start, end = max(low, 0), min(high, size)
                entries = self._all(links, start, end) if self._whole else self._changed(links, changed[start:end])
                if entries:
                    found[f"{name}@delta"] = entries
            low, high = low - size, high - size
        return found

    def _all(self, links: Links, low: int, high: int) -> list[Values]:
        history = links.history(self._object_id, low, high)
        return [entry for kind, target in history if (entry := self._entry(kind, target))]

    def _changed(self, links: Links, targets: list[str]) -> list[Values]:
        entries = []
        for target in targets:
            kind = self._directory.kind_of(target) if links.has(self._object_id, target) else None
            entries.append(self._entry(kind, target))
        return [entry for entry in entries if entry]

    def _entry(self, kind: str | None, target: str) -> Values:
        if kind is None:
            return {"id": target, "@removed": {"reason": "deleted"}}
        # Graph sends nothing about a permanently deleted member.
        shown = (LIVE,) if self._leaves_out else (LIVE, SOFT_DELETED)
        return {} if self._directory.state_of(target) not in shown else {"@odata.type": ODATA_TYPE[kind], "id": target}


def _ordered(current: DeltaRound, slot: int) -> int:
    if not current.shuffled:
        return slot
    return slot * next(prime for prime in STRIDES if current.size % prime) % current.size


def _project(values: Values, select: tuple[str, ...], touch: Touch | None, minimal: bool) -> Values:
    if minimal and touch is not None and not touch.whole:
        shown = {name: values[name] for name in select if name in touch.fields and name in values}
        return {"id": values["id"]} | shown
    return {name: values[name] for name in select if name in values}


def _state(current: DeltaRound, resume: Resume, empties: int) -> dict[str, Any]:
    return {
        "k": current.kind,
        "s": current.select,
        "r": current.relations,
        "i": current.ids,
        "f": current.start,
        "t": current.end,
        "a": current.issued_s,
        "g": current.generation,
        "n": current.size,
        "x": current.shuffled,
        "p": resume[0],
        "o": resume[1],
        "e": empties,
    }


def _round(state: dict[str, Any]) -> DeltaRound:
    ids = None if state["i"] is None else tuple(state["i"])
    select, relations = tuple(state["s"]), tuple(state["r"])
    return DeltaRound(
        state["k"], select, relations, ids, state["f"], state["t"], state["a"], state["g"], state["n"], state["x"]
    )
