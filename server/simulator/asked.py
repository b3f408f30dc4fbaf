"""One request to the simulator: its classification, and the interfaces that faults use."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

from starlette.types import ASGIApp, Receive, Scope, Send

from server.simulator.signin.credential import AppCredential
from server.simulator.tenant.clock import TenantClock
from server.simulator.tenant.directory import TenantDirectory

SCOPE_KEY = "simulator"  # key of the classified request in the scope


class Faults(Protocol):
    """Decides for each request whether and how `app` answers it; implemented by FaultPlan."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send, app: ASGIApp) -> None:
        """Answer, delay, damage or pass on one request."""


class Reachable(Protocol):
    """The parts of the tenant that a fault may use."""

    directory: TenantDirectory
    clock: TenantClock
    tenant_id: str
    tenant_domain: str
    secret_app: AppCredential

    @property
    def origin(self) -> str:
        """Return scheme, host and port of absolute links."""

    def continues_group(self, token: str) -> bool:
        """Return whether a delta nextLink's token continues the members of a group."""

    def expire_tokens(self) -> None:
        """Make Graph refuse every token issued so far."""

    def expire_delta(self) -> None:
        """Make every delta link answer 410 with a Location for a new round."""

    def expire_pages(self) -> None:
        """Make every list's nextLink answer 400 Directory_ExpiredPageToken."""


@dataclass(slots=True)
class Asked:
    """One request to Graph or to the sign-in service.

    `pages` holds the number of the page, from 1, for each stream that the request belongs to; a repeated request keeps
    its number. `units` and `fault` are set while the request is answered.
    """

    simulator: Reachable
    number: int
    method: str
    url: str
    template: str
    pages: dict[str, int] = field(default_factory=dict)
    units: int = 0
    fault: str | None = None
