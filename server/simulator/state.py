"""One simulated Entra tenant: its directory, sign-in service, Graph, faults and variants."""

from __future__ import annotations

from datetime import datetime
from urllib.parse import urlsplit

from server.simulator.asked import Faults
from server.simulator.fault.plan import FaultPlan
from server.simulator.graph.cursor import Cursors
from server.simulator.graph.delta import Delta
from server.simulator.graph.front import Graph
from server.simulator.graph.listing import GraphLists
from server.simulator.graph.page import PageCache
from server.simulator.graph.throttle import Throttle
from server.simulator.request_log import RequestLog
from server.simulator.signin.credential import Registry
from server.simulator.signin.service import SignIn
from server.simulator.signin.token import Tokens
from server.simulator.tenant.clock import TenantClock
from server.simulator.tenant.directory import TenantDirectory
from server.simulator.tenant.population import AS_OF, Population
from server.simulator.variant import Variants
from sync.clock import Clock, SystemClock


class SimulatedTenant:
    """One simulated tenant with its sign-in service.

    Args:
        users, devices, groups: number of objects at the start; an object is generated when it is first read.
        seed: the same seed and sizes give the same tenant, byte for byte.
        clock: the tenant's time for tokens, delta links, quotas and response dates; the attribute `clock` can advance
            it.
        origin: scheme, host and port of absolute links; may be set until the first request.
        device_relations_in_delta: whether devices/delta knows registeredOwners and registeredUsers (undocumented);
            the attribute `variants` holds this and all other switches.
        largest_group: users in the largest group; None means half of the users, at most 100,000.
        as_of: the day from which generated dates count back; fixed, so that a seed gives the same tenant next year.
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
        self.clock = clock = TenantClock(clock or SystemClock())
        population = Population(
            users=users, devices=devices, groups=groups, seed=seed, largest_group=largest_group, as_of=as_of
        )
        self.tenant_id = population.tenant_id
        self.tenant_domain = population.domain
        self.directory = TenantDirectory(population, clock)
        self.registry = Registry(population)
        self.requests = RequestLog()
        self.faults: Faults | None = None
        self._tokens = Tokens(self.tenant_id, clock)
        self.variants = Variants(device_relations="shown" if device_relations_in_delta else "refused")
        cursors, cache = Cursors(seed), PageCache()
        self.signin = SignIn(self.registry, self._tokens, self.directory, clock, self.variants)
        delta = Delta(self.directory, cursors, cache, clock, self.variants)
        listing, throttle = GraphLists(self.directory, cursors, cache), Throttle(self.directory, clock, self.variants)
        self.graph = Graph(self.directory, listing, delta, self._tokens, throttle, self.requests, clock)
        self.secret_app = self.registry.secret_app
        self.password_app = self.registry.password_app
        self.admin_key = self.registry.admin_key
        self.origin = origin

    @property
    def origin(self) -> str:
        """Return scheme, host and port of absolute links."""
        return self.graph.origin

    @origin.setter
    def origin(self, origin: str) -> None:
        origin = origin.rstrip("/")
        if urlsplit(origin).scheme not in ("http", "https"):
            raise ValueError(f"The origin {origin!r} must have the form http(s)://host[:port].")
        graph = self.graph
        graph.origin = graph.listing.origin = graph.delta.origin = self.signin.origin = origin

    @property
    def authority(self) -> str:
        """Return the authority for MSAL, with the tenant."""
        return f"{self.origin}/{self.tenant_id}"

    def issue_token(self, client_id: str | None = None, *, lifetime_s: int | None = None) -> str:
        """Return a Graph token with all permissions of an app; None means the app with a secret."""
        lifetime_s = self.variants.token_lifetime_s if lifetime_s is None else lifetime_s
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
        """Make every delta link answer 410 with a Location for a new round."""
        self.graph.delta.expire()

    def expire_pages(self) -> None:
        """Make every list's nextLink answer 400 Directory_ExpiredPageToken."""
        self.graph.listing.expire()

    def use(self, plan: FaultPlan) -> None:
        """Begin a plan of faults and set its variants; `faults = None` ends the faults."""
        self.variants.change(plan.variants)
        self.faults = plan

    def continues_group(self, token: str) -> bool:
        """Return whether a delta nextLink's token continues the members of a group."""
        return self.graph.delta.continues_group(token)
