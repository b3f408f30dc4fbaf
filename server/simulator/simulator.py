"""A simulated tenant as one Starlette app: Graph, sign-in service and admin API; opens no socket."""

from __future__ import annotations

from functools import cached_property

from starlette.applications import Starlette
from starlette.routing import Route
from starlette.types import ASGIApp

from server.simulator.admin import Admin
from server.simulator.gate import Gate
from server.simulator.state import SimulatedTenant


class Simulator(SimulatedTenant):
    """A simulated tenant that answers requests; the arguments are those of `SimulatedTenant`."""

    @cached_property
    def app(self) -> ASGIApp:
        """The application; cached, because its gate counts requests."""
        return Gate(self._routes(), self)

    def _routes(self) -> Starlette:
        graph = Route("/v1.0/{path:path}", self.graph.respond, methods=["GET", "POST", "PATCH", "PUT", "DELETE"])
        # The busiest route comes first, because Starlette tries the routes in order.
        return Starlette(routes=[graph, *Admin(self).routes(), *self.signin.routes()])
