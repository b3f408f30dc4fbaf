"""One request to the simulator as it is known everywhere on its way."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

from starlette.types import ASGIApp, Receive, Scope, Send

from server.simulator.signin.credential import AppCredential
from server.simulator.tenant.clock import TenantClock
from server.simulator.tenant.directory import TenantDirectory

SCOPE_KEY = "simulator"  # where the classified request stands in the scope


class Faults(Protocol):
    """Sees every request first and decides whether and how `app` answers it; a FaultPlan is one."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send, app: ASGIApp) -> None:
        """Answer, delay, damage or pass on one request."""


class Reachable(Protocol):
    """What a fault reaches of the tenant that a request was sent to."""

    directory: TenantDirectory
    clock: TenantClock
    tenant_id: str
    tenant_domain: str
    secret_app: AppCredential

    @property
    def origin(self) -> str:
        """Return scheme, host and port of absolute links."""

    def continues_group(self, token: str) -> bool:
        """Say whether a delta nextLink's token goes on with the members of a group."""

    def expire_tokens(self) -> None:
        """Make Graph refuse every token issued so far."""

    def expire_delta(self) -> None:
        """Make every delta link answer 410 with a Location to start anew."""

    def expire_pages(self) -> None:
        """Make every list's nextLink answer 400 Directory_ExpiredPageToken."""


@dataclass(slots=True)
class Asked:
    """One request to Graph or to the sign-in service.

    `pages` holds, for each stream it belongs to, which page of it this is, from 1; asking again is the same page.
    `units` and `fault` are filled in while it is answered.
    """

    simulator: Reachable
    number: int
    method: str
    url: str
    template: str
    pages: dict[str, int] = field(default_factory=dict)
    units: int = 0
    fault: str | None = None
