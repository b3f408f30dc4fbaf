"""Plans of faults: rules from a name, a seed or JSON. The same plan and requests give the same faults."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from random import Random
from typing import Any

import orjson
from starlette.types import ASGIApp, Receive, Scope, Send

from server.simulator.asked import SCOPE_KEY, Asked
from server.simulator.fault import find, rows
from server.simulator.graph.reply import GraphReply, capture
from server.simulator.graph.route import STREAMS
from server.simulator.variant import Variants
from sync.errors import BadInput

POSITIONS = ("first", "middle", "last")
SEEDED_RULES = 6


@dataclass(frozen=True, slots=True)
class Rule:
    """One fault and the requests that it applies to; None does not restrict them.

    Args:
        fault: `name`, `name.form` or `name=value`.
        stream: users, groups, devices, members (pages that continue a large group, and lists of members) or token.
        page: first, middle or last page of the stream, or its number from 1; a repeated request keeps its number.
        request: the first request that may have the fault, counted from 1 since the plan was set.
        times: number of matching requests with the fault; 0 means all. None means once, or all for a lasting fault.
    """

    fault: str
    stream: str | None = None
    page: str | int | None = None
    request: int | None = None
    times: int | None = None

    def __post_init__(self) -> None:
        find(self.fault)
        if self.stream not in (None, *STREAMS):
            raise BadInput(f"There is no stream {self.stream}; choose one of {', '.join(STREAMS)}.")
        numbered = isinstance(self.page, int) and not isinstance(self.page, bool) and self.page >= 1
        if self.page is not None and self.page not in POSITIONS and not numbered:
            raise BadInput(f"page must be {', '.join(POSITIONS)} or a number from 1, not {self.page!r}.")
        for name, least in (("request", 1), ("times", 0)):
            value = getattr(self, name)
            if value is not None and (type(value) is not int or value < least):
                raise BadInput(f"{name} must be a whole number from {least}, not {value!r}.")

    @property
    def times_max(self) -> float:
        """Return how often the fault may happen."""
        times = self.times if self.times is not None else int(not find(self.fault)[0].lasting)
        return times or float("inf")

    def may_fit(self, asked: Asked, number: int) -> bool:
        """Return whether a request may match; called before its answer is known."""
        if number < (self.request or 0):
            return False
        page = asked.pages.get(self.stream) if self.stream else next(iter(asked.pages.values()), None)
        if page is None:
            return self.stream is None and self.page is None
        wanted: dict[str | int | None, bool] = {None: True, "first": page == 1, "middle": page > 1, "last": True}
        return wanted.get(self.page, page == self.page)

    def fits(self, asked: Asked, reply: GraphReply) -> bool:
        """Return whether a request that may match does match, by its answer."""
        if reply.status != 200 and (find(self.fault)[0].of_page or self.page in ("middle", "last")):
            return False
        if self.page not in ("middle", "last"):
            return True
        link = reply.next_link
        ends = not link or (self.stream == "members" and not asked.simulator.continues_group(link.partition("=")[2]))
        return ends == (self.page == "last")


@dataclass(slots=True)
class FaultPlan:
    """Rules in the order in which they are tried, and how often each has happened so far.

    A request gets the fault of the first rule that matches. `variants` are set together with the plan.
    """

    rules: Sequence[Rule] = ()
    variants: Mapping[str, Any] = field(default_factory=dict)
    number: int = 0
    happened: list[int] = field(init=False)

    def __post_init__(self) -> None:
        Variants().change(self.variants)
        self.happened = [0] * len(self.rules)

    async def __call__(self, scope: Scope, receive: Receive, send: Send, app: ASGIApp) -> None:
        """Answer one request, with the fault of the first rule that matches."""
        asked: Asked = scope[SCOPE_KEY]
        self.number += 1
        candidates = [at for at in self._left() if self.rules[at].may_fit(asked, self.number)]
        if not candidates:
            await app(scope, receive, send)
            return
        reply = await capture(app, scope, receive)
        at = next((at for at in candidates if self.rules[at].fits(asked, reply)), None)
        if at is not None:
            self.happened[at] += 1
            asked.fault = self.rules[at].fault
            declared, value = find(asked.fault)
            if declared.act:
                declared.act(asked, value)
                reply = await capture(app, scope, receive)
            declared.damage(reply, value)
        await reply.send_as(reply, receive, send)

    def _left(self) -> list[int]:
        return [at for at, rule in enumerate(self.rules) if self.happened[at] < rule.times_max]

    @property
    def is_spent(self) -> bool:
        """Return whether every rule has happened as often as it may."""
        return not self._left()

    def report(self) -> dict[str, Any]:
        """Return the rules, the variants and the counts as JSON values; `happened` counts by rule."""
        shown = [{name: value for name, value in asdict(rule).items() if value is not None} for rule in self.rules]
        return {"faults": shown, "variants": dict(self.variants), "requests": self.number, "happened": self.happened}


def seeded(seed: int, count: int = SEEDED_RULES) -> FaultPlan:
    """Return a plan of `count` random faults that each happen once or twice; a seed always gives the same plan."""
    random = Random(seed)  # noqa: S311 - repeatable test data, not a secret
    passing = [row for row in rows() if not find(row)[0].lasting]
    rules = []
    for _ in range(count):
        row = random.choice(passing)
        stream = "token" if row.startswith("aadsts") else random.choice(STREAMS[:3])
        page = None if stream == "token" else random.choice(POSITIONS)
        rules.append(Rule(row, stream, page, times=random.randint(1, 2)))
    return FaultPlan(rules)


# Faults that a sync must survive: every kind of transient fault, and a lost delta state.
ROUGH = (
    Rule("throttled=1", "devices", "first"),
    Rule("throttled.fraction", "users", "first", times=2),
    Rule("failed.500", "groups", "first"),
    Rule("closed.mid-body", "users", 2),
    Rule("expire.tokens", "groups", 2),
    Rule("truncated-json", "groups", 3),
    Rule("reset.mid-body", "devices", 2),
    Rule("failed.502", "users", 3),
    Rule("unavailable=2", "devices", 3),
    Rule("empty-page", "users", 4),
    Rule("gone.with-location", "groups", "last"),
    Rule("gateway-timeout=1", "users", "last"),
    Rule("reset.before-headers", "devices", "last"),
)
NAMED = {
    "none": FaultPlan(),
    "rough": FaultPlan(ROUGH, {"replays": 3, "empty_pages": 1}),
    "throttled": FaultPlan((), {"quota": 0.002}),
}


def read_plan(text: str) -> FaultPlan:
    """Return a fresh plan.

    Args:
        text: the name of a plan, `seed:N`, or the path of a JSON file.

    Raises:
        BadInput: there is no such plan or file, or the file is not a plan.
    """
    if text in NAMED:
        return FaultPlan(NAMED[text].rules, NAMED[text].variants)
    if text.startswith("seed:"):
        if not text[5:].isdigit():
            raise BadInput(f"A seeded plan must be seed: and a whole number, not {text}.")
        return seeded(int(text[5:]))
    try:
        raw = Path(text).read_bytes()
    except OSError as error:
        raise BadInput(f"There is no plan {text}: {', '.join(NAMED)}, seed:N, or a JSON file.") from error
    try:
        return plan_from(orjson.loads(raw))
    except ValueError as error:
        raise BadInput(f"{text} is not JSON.") from error


def plan_from(value: Any) -> FaultPlan:
    """Return the plan in a JSON value: a list of rules, or `{"faults": [rules], "variants": {…}}`.

    Raises:
        BadInput: the value has another shape, or names an unknown fault, stream, page or variant.
    """
    if isinstance(value, list):
        value = {"faults": value}
    if not isinstance(value, dict) or not isinstance(value.get("variants", {}), dict):
        raise BadInput("A plan must be a list of faults, or an object with faults and variants.")
    entries, names = value.get("faults", []), {field.name for field in fields(Rule)}
    if not isinstance(entries, list) or not all(
        isinstance(e, dict) and isinstance(e.get("fault"), str) for e in entries
    ):
        raise BadInput("faults must be a list of objects, each with a fault.")
    for entry in entries:
        if unknown := sorted(set(entry) - names):
            raise BadInput(f"A fault of a plan takes {', '.join(sorted(names))}, not {', '.join(unknown)}.")
    return FaultPlan([Rule(**entry) for entry in entries], value.get("variants", {}))
