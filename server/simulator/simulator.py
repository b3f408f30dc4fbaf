"""One simulated Entra tenant: directory, sign-in service, Graph and admin door, one Starlette app; opens no socket."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol
from urllib.parse import urlsplit

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from server.simulator.admin import Admin
from server.simulator.credential import Registry
from server.simulator.cursor import Cursors
from server.simulator.delta import Delta
from server.simulator.directory import Directory
from server.simulator.graph import Graph
from server.simulator.listing import Listing
from server.simulator.page import PageCache
from server.simulator.population import AS_OF, Population
from server.simulator.request_log import Entry, RequestLog
from server.simulator.signin import SignIn
from server.simulator.token import Tokens
from sync.clock import Clock, SystemClock, timestamp


class Faults(Protocol):
    """The seam for throttling and faults: sees every request first and decides whether and how `app` answers it."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send, app: ASGIApp) -> None:
        """Answer, delay, damage or pass on one request."""


class FaultGate:
    """The outermost middleware: hands each request to the tenant's faults, when there are any."""

    def __init__(self, app: ASGIApp, simulator: Simulator) -> None:
        self._app = app
        self._simulator = simulator

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass one request on."""
        faults = self._simulator.faults
        # The admin door stays shut off from faults: a test must be able to switch them off.
        if faults is None or scope["type"] != "http" or scope["path"].startswith("/_simulator"):
            await self._app(scope, receive, send)
        else:
            await faults(scope, receive, send, self._app)


class Simulator:
    """One simulated tenant with its sign-in service.

    Args:
        users, devices, groups: how many objects the tenant starts with; nothing is generated before it is read.
        seed: the same seed and sizes give the same tenant, byte for byte.
        clock: what the tenant takes for the time: token expiry, delta token age, response dates.
        origin: scheme, host and port of absolute links; may be set until the first request.
        device_relations_in_delta: whether devices/delta knows registeredOwners and registeredUsers (undocumented).
        largest_group: users in the largest group; None means half of them, at most 100,000.
        as_of: the day the generated dates count back from; fixed, so that a seed means the same next year.
    """

    def __init__(
        self,
        *,
        users: int = 2000,
        devices: int = 1500,
        groups: int = 200,
        seed: int = 1,
        clock: Clock | None = None,
        origin: str = "https://localhost:8443",
        device_relations_in_delta: bool = True,
        largest_group: int | None = None,
        as_of: datetime = AS_OF,
    ) -> None:
        clock = clock or SystemClock()
        population = Population(
            users=users, devices=devices, groups=groups, seed=seed, largest_group=largest_group, as_of=as_of
        )
        self.tenant_id = population.tenant_id
        self.tenant_domain = population.domain
        self.directory = Directory(population, lambda: timestamp(clock.now()))
        self.registry = Registry(population)
        self.requests = RequestLog()
        self.faults: Faults | None = None
        self._tokens = Tokens(self.tenant_id, clock)
        cursors, cache = Cursors(seed), PageCache()
        self.signin = SignIn(self.registry, self._tokens, self.directory, clock)
        delta, listing = Delta(self.directory, cursors, cache, clock), Listing(self.directory, cursors, cache)
        delta.device_relations = device_relations_in_delta
        self._graph = Graph(self.directory, listing, delta, self._tokens, self.requests, clock)
        self.secret_app = self.registry.secret_app
        self.password_app = self.registry.password_app
        self.admin_key = self.registry.admin_key
        self.origin = origin
        self.app = self._build()

    @property
    def origin(self) -> str:
        """Return scheme, host and port of absolute links."""
        return self._graph.origin

    @origin.setter
    def origin(self, origin: str) -> None:
        origin = origin.rstrip("/")
        if urlsplit(origin).scheme not in ("http", "https"):
            raise ValueError(f"An origin has a scheme, a host and maybe a port, unlike {origin!r}.")
        graph = self._graph
        graph.origin = graph.listing.origin = graph.delta.origin = self.signin.origin = origin

    @property
    def authority(self) -> str:
        """Return the authority that MSAL takes, tenant included."""
        return f"{self.origin}/{self.tenant_id}"

    def issue_token(self, client_id: str | None = None, *, lifetime_s: int = 3600) -> str:
        """Return a Graph token with everything the app was granted; the secret app when none is named."""
        app = self.registry.apps[client_id or self.secret_app.client_id]
        user = None if app.roles else self.password_app.username
        issuer = f"https://sts.windows.net/{self.tenant_id}/"
        return self._tokens.issue(
            app.client_id, roles=app.roles, scopes=app.scopes, user=user, lifetime_s=lifetime_s, issuer=issuer
        )

    def expire_tokens(self) -> None:
        """Make Graph refuse every token issued so far."""
        self._tokens.expire_all()

    def expire_delta(self) -> None:
        """Make every delta link answer 410 with a Location to start anew."""
        self._graph.delta.expire()

    def expire_pages(self) -> None:
        """Make every list's nextLink answer 400 Directory_ExpiredPageToken."""
        self._graph.listing.expire()

    def _build(self) -> Starlette:
        graph = Route("/v1.0/{path:path}", self._graph.respond, methods=["GET", "POST", "PATCH", "PUT", "DELETE"])
        routes = [*Admin(self).routes(), graph, *self.signin.routes()]
        return Starlette(
            routes=routes,
            middleware=[Middleware(FaultGate, simulator=self), Middleware(SignInCount, requests=self.requests)],
        )


class SignInCount:
    """Counts what is asked of the token service; Graph counts for itself, because it knows templates and units."""

    def __init__(self, app: ASGIApp, requests: RequestLog) -> None:
        self._app = app
        self._requests = requests

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass one request on and count its answer."""
        if scope["type"] != "http" or scope["path"].startswith(("/v1.0", "/_simulator")):
            await self._app(scope, receive, send)
            return

        async def counted(message: Message) -> None:
            if message["type"] == "http.response.start":
                self._requests.record(Entry(scope["method"], _signin_template(scope), message["status"]))
            await send(message)

        await self._app(scope, receive, counted)


def _signin_template(scope: Scope) -> str:
    path: str = Request(scope).url.path
    if path.lower().startswith("/common/userrealm/"):
        return "/common/userrealm/{user}"
    if path.startswith("/common/"):
        return "/common/discovery/instance"
    rest = path.strip("/").partition("/")[2]
    known = ("v2.0/.well-known/openid-configuration", "discovery/v2.0/keys", "oauth2/v2.0/token")
    return f"/{{tenant}}/{rest}" if rest in known else "/{unknown}"
