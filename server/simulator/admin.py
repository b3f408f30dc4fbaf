"""The admin API under `/_simulator`: changes the tenant and tells its real data; needs loopback and the admin key."""

from __future__ import annotations

import hmac
from collections.abc import Awaitable, Callable, Iterable, Iterator
from dataclasses import fields, replace
from ipaddress import ip_address
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from server.simulator.fault.plan import NAMED, FaultPlan, plan_from, read_plan
from server.simulator.signin.credential import PASSWORD_STATES, Account, App
from server.simulator.state import SimulatedTenant
from server.simulator.tenant.churn import Churn
from server.simulator.tenant.population import KINDS, OTHERS
from server.simulator.tenant.relation import RELATIONS
from sync.clock import timestamp
from sync.errors import BadInput, Conflict, NotFound, RollcallError

Handler = Callable[[Request], Awaitable[Response]]
STATUS: dict[type[RollcallError], int] = {BadInput: 400, NotFound: 404, Conflict: 409}
ROWS_A_CHUNK = 500


class Admin:
    """The admin API of one tenant."""

    def __init__(self, simulator: SimulatedTenant) -> None:
        self._simulator = simulator
        self._churns: dict[int, Churn] = {}

    def routes(self) -> list[Route]:
        """Return every route of the admin API."""
        table: tuple[tuple[str, str, Handler], ...] = (
            ("GET", "", self.overview),
            ("GET", "/truth/edges/{relation}", self.edges),
            ("GET", "/truth/{kind}", self.truth),
            ("POST", "/objects/{kind}", self.create),
            ("PATCH", "/objects/{kind}/{id}", self.update),
            ("DELETE", "/objects/{kind}/{id}", self.delete),
            ("POST", "/objects/{kind}/{id}/restore", self.restore),
            ("PUT", "/edges/{relation}/{source}/{target}", self.link),
            ("DELETE", "/edges/{relation}/{source}/{target}", self.unlink),
            ("POST", "/churn", self.churn),
            ("POST", "/expire/{what}", self.expire),
            ("GET", "/faults", self.faults),
            ("PUT", "/faults", self.use_plan),
            ("DELETE", "/faults", self.end_faults),
            ("GET", "/variants", self.variants),
            ("PATCH", "/variants", self.change_variants),
            ("POST", "/clock", self.advance),
            ("GET", "/apps", self.apps),
            ("PATCH", "/apps/{client_id}", self.change_app),
            ("PUT", "/accounts/{username}", self.change_account),
            ("GET", "/requests", self.requests),
            ("DELETE", "/requests", self.reset_requests),
        )
        return [Route(f"/_simulator{path}", self._guarded(h), methods=[method]) for method, path, h in table]

    def _guarded(self, handler: Handler) -> Handler:
        async def guarded(request: Request) -> Response:
            if request.client is None or not _is_loopback(request.client.host):
                return _json({"error": "The admin API answers on loopback only."}, 403)
            sent = request.headers.get("authorization", "").removeprefix("Bearer ")
            if not hmac.compare_digest(sent.encode(), self._simulator.admin_key.encode()):
                return _json({"error": "The admin API needs the admin key as bearer token."}, 401)
            try:
                return await handler(request)
            except RollcallError as error:
                return _json({"error": error.message}, STATUS.get(type(error), 500))

        return guarded

    # The tenant's real data

    async def overview(self, request: Request) -> Response:
        """Answer the tenant's ids, its number of objects and its number of changes."""
        simulator = self._simulator
        counts = {kind: simulator.directory.count(kind) for kind in KINDS}
        about = {"tenantId": simulator.tenant_id, "tenantDomain": simulator.tenant_domain, "origin": simulator.origin}
        return _json(about | {"counts": counts, "changes": simulator.directory.version})

    async def truth(self, request: Request) -> Response:
        """Answer every live object of a kind as NDJSON, with all properties that were ever set."""
        return _lines(self._simulator.directory.truth(_kind(request)))

    async def edges(self, request: Request) -> Response:
        """Answer every visible edge of a relation as NDJSON: [from, to]."""
        relation: str = request.path_params["relation"]
        if relation not in RELATIONS:
            raise BadInput(f"There is no relation {relation}; choose one of {', '.join(RELATIONS)}.")
        return _lines(self._simulator.directory.edges(relation))

    # Objects and edges

    async def create(self, request: Request) -> Response:
        """Add an object with the properties in the body."""
        object_id = self._simulator.directory.create(_kind(request), **await _body(request))
        return _json({"id": object_id}, 201)

    async def update(self, request: Request) -> Response:
        """Set the properties in the body; null clears."""
        object_id: str = request.path_params["id"]
        self._simulator.directory.update(_kind(request), object_id, **await _body(request))
        return _json({"id": object_id})

    async def delete(self, request: Request) -> Response:
        """Delete an object; with `?permanently=true` it cannot be restored."""
        permanently = request.query_params.get("permanently") == "true"
        directory = self._simulator.directory
        return _json({"reason": directory.delete(_kind(request), request.path_params["id"], permanently=permanently)})

    async def restore(self, request: Request) -> Response:
        """Restore a soft-deleted object."""
        self._simulator.directory.restore(_kind(request), request.path_params["id"])
        return _json({"id": request.path_params["id"]})

    async def link(self, request: Request) -> Response:
        """Add an edge."""
        return _json({"changed": self._simulator.directory.link(*_edge(request))})

    async def unlink(self, request: Request) -> Response:
        """Remove an edge."""
        return _json({"changed": self._simulator.directory.unlink(*_edge(request))})

    async def churn(self, request: Request) -> Response:
        """Make `count` random changes; the same `seed` makes the same changes."""
        body = await _body(request)
        count, seed = body.get("count", 100), body.get("seed", 1)
        if not isinstance(count, int) or not isinstance(seed, int) or not 0 <= count <= 1_000_000:
            raise BadInput("count must be 0 to 1,000,000, and seed a whole number.")
        churn = self._churns.setdefault(seed, Churn(self._simulator.directory, seed))
        before = self._simulator.directory.version
        churn.apply(count)
        return _json({"changes": self._simulator.directory.version - before})

    # Sign-in and state

    async def expire(self, request: Request) -> Response:
        """Expire all tokens, all delta links or all list links."""
        what: str = request.path_params["what"]
        simulator = self._simulator
        actions = {"tokens": simulator.expire_tokens, "delta": simulator.expire_delta, "pages": simulator.expire_pages}
        if what not in actions:
            raise BadInput(f"{what} cannot expire; choose one of {', '.join(actions)}.")
        actions[what]()
        return _json({"expired": what})

    async def faults(self, request: Request) -> Response:
        """Answer the plan of faults and how often each has happened, or null."""
        plan = self._simulator.faults
        return _json(plan.report() if isinstance(plan, FaultPlan) else None)

    async def use_plan(self, request: Request) -> Response:
        """Begin the plan in the body: `{"plan": name}`, `{"plan": "seed:N"}`, or a plan itself."""
        body = await _body(request)
        name = body.get("plan")
        if name is not None and ((name not in NAMED and not str(name).startswith("seed:")) or len(body) > 1):
            raise BadInput(f"A plan must be {', '.join(NAMED)}, seed:N, or an object with faults and variants.")
        plan = plan_from(body) if name is None else read_plan(str(name))
        self._simulator.use(plan)
        return _json(plan.report())

    async def end_faults(self, request: Request) -> Response:
        """End the plan of faults; variants stay."""
        self._simulator.faults = None
        return _json(None)

    async def variants(self, request: Request) -> Response:
        """Answer every variant."""
        return _json(self._simulator.variants.report())

    async def change_variants(self, request: Request) -> Response:
        """Set some variants."""
        self._simulator.variants.change(await _body(request))
        return await self.variants(request)

    async def advance(self, request: Request) -> Response:
        """Move the tenant's clock ahead by `advanceS` seconds, and answer its time."""
        seconds = (await _body(request)).get("advanceS", 0)
        if type(seconds) not in (int, float):
            raise BadInput("advanceS must be a number of seconds.")
        self._simulator.clock.advance(seconds)
        return _json({"now": timestamp(self._simulator.clock.now())})

    async def apps(self, request: Request) -> Response:
        """Answer the app registrations, without their secrets."""
        return _json([_app(app) for app in self._simulator.registry.apps.values()])

    async def change_app(self, request: Request) -> Response:
        """Change the flags, permissions and secrets of an app."""
        client_id: str = request.path_params["client_id"]
        app = self._simulator.registry.apps.get(client_id)
        if app is None:
            raise NotFound(f"There is no app {client_id}.")
        for name, value in _app_changes(await _body(request)).items():
            setattr(app, name, value)
        return _json(_app(app))

    async def change_account(self, request: Request) -> Response:
        """Add an account for username and password, or change its password, state or federation."""
        username: str = request.path_params["username"]
        body = await _body(request)
        known = self._simulator.registry.accounts.get(username.casefold())
        account = known or Account(username, self._simulator.password_app.password)
        if set(body) - {"password", "state", "federated"} or body.get("state", "ok") not in PASSWORD_STATES:
            raise BadInput(f"An account takes password, federated and state ({', '.join(PASSWORD_STATES)}).")
        account = replace(account, **body)
        self._simulator.registry.accounts[username.casefold()] = account
        return _json({"username": account.username, "state": account.state, "federated": account.federated})

    async def requests(self, request: Request) -> Response:
        """Answer the counters and the most recent requests."""
        return _json(self._simulator.requests.report())

    async def reset_requests(self, request: Request) -> Response:
        """Reset the counters and the most recent requests."""
        self._simulator.requests.reset()
        return _json({"total": 0})


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def _json(value: Any, status: int = 200) -> Response:
    return Response(orjson.dumps(value), status_code=status, media_type="application/json")


def _lines(rows: Iterable[Any]) -> Response:
    def chunks() -> Iterator[bytes]:
        lines: list[bytes] = []
        for row in rows:
            lines.append(orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE))
            if len(lines) == ROWS_A_CHUNK:
                yield b"".join(lines)
                lines.clear()
        yield b"".join(lines)

    return StreamingResponse(chunks(), media_type="application/x-ndjson")


def _kind(request: Request) -> str:
    kind: str = request.path_params["kind"]
    if kind not in (*KINDS, *OTHERS):
        raise BadInput(f"There is no kind {kind}; choose one of {', '.join((*KINDS, *OTHERS))}.")
    return kind


def _edge(request: Request) -> tuple[str, str, str]:
    values = request.path_params
    return values["relation"], values["source"], values["target"]


async def _body(request: Request) -> dict[str, Any]:
    raw = await request.body()
    try:
        value = orjson.loads(raw or b"{}")
    except ValueError as error:
        raise BadInput("The body is not JSON.") from error
    if not isinstance(value, dict):
        raise BadInput("The body is not a JSON object.")
    return value


def _app(app: App) -> dict[str, Any]:
    shown = {field.name: getattr(app, field.name) for field in fields(app) if field.name != "secrets"}
    return {name: sorted(value) if isinstance(value, set) else value for name, value in shown.items()}


def _app_changes(body: dict[str, Any]) -> dict[str, Any]:
    changes: dict[str, Any] = {}
    for name, value in body.items():
        if name in ("public_flows", "consented", "disabled") and isinstance(value, bool):
            changes[name] = value
        elif name in ("roles", "scopes") and isinstance(value, list) and all(isinstance(v, str) for v in value):
            changes[name] = set(value)
        elif name == "secrets" and isinstance(value, dict) and all(isinstance(v, bool) for v in value.values()):
            changes[name] = value
        else:
            raise BadInput(f"{name} cannot be changed, or not to this value; see docs/simulator.md.")
    return changes
