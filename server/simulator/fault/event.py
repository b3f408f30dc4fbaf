"""Events during a read: states expire, and objects change."""

from __future__ import annotations

from server.simulator.asked import Asked
from server.simulator.fault.fault import event
from server.simulator.tenant.churn import Churn


@event("G5, G12", ("tokens", "delta", "pages"))
def expire(asked: Asked, value: str) -> None:
    """All access tokens, delta links or list links issued so far expire, just before the request."""
    simulator = asked.simulator
    {"tokens": simulator.expire_tokens, "delta": simulator.expire_delta, "pages": simulator.expire_pages}[value]()


@event("G14", {"few": "5", "many": "100"})
def churn(asked: Asked, value: str) -> None:
    """The directory changes at random just before the request: 5 or 100 changes."""
    Churn(asked.simulator.directory, asked.number).apply(int(value))
