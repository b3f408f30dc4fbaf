"""The web application: routes, and the order of the middleware. It opens no resource itself."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import strawberry
import structlog
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route, WebSocketRoute

from schema.access import Principal
from schema.context import Context
from schema.limit.budget import AnswerLimits, Budget
from schema.limit.limits import bounds
from schema.plan import Plans
from server.graphql.admission import Refusals, RoleAdmission
from server.graphql.errors import BAD_USER_INPUT, Refused
from server.graphql.execution import Execution
from server.graphql.handler import GraphQLEndpoint
from server.graphql.ide.page import ide_asset, ide_page
from server.graphql.replay import Repeats
from server.graphql.request import VARIABLES_DEPTH_MAX, VARIABLES_VALUES_MAX
from server.graphql.sdl import SchemaRoute
from server.graphql.stream.live import CONNECTIONS_MAX, PER_CONNECTION_MAX, PER_TOKEN_MAX, Live
from server.graphql.stream.websocket import GraphQLSocket
from server.graphql.trusted_documents import TrustedDocuments
from server.http.connections import Connections
from server.http.identity import Identity
from server.http.origins import OriginCheck
from server.http.rate_limit import Rates
from server.observe.logs import AccessLog
from server.observe.metrics import Metrics, MetricsRoute, Passed
from server.observe.tracing import Tracing
from server.settings import Settings
from sync.errors import RollcallError
from sync.runtime import Runtime

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider

log = structlog.stdlib.get_logger("rollcall.server")

JSON = "application/json; charset=utf-8"
GRAPHQL_PATH = "/graphql"
MIB = 1024 * 1024


def build_app(
    settings: Settings,
    runtime: Runtime,
    schema: strawberry.Schema,
    connections: Connections | None = None,
    spans: TracerProvider | None = None,
) -> Starlette:
    """Build the application around an open runtime.

    The caller opens and closes the runtime, so that a failure to open it is reported before the server listens.
    """
    rates = Rates(settings, runtime.clock)
    identity = Identity(settings, runtime)
    live = _live(settings, runtime, schema, rates, identity)
    passed = Passed()
    metrics = Metrics(passed, runtime, live, rates, connections)
    endpoint = _endpoint(settings, live, rates, identity)
    socket = GraphQLSocket(live, rates.guarding(identity.admit))
    sdl = SchemaRoute(schema, rates.counting(identity.identify))
    repeats = Middleware(
        Repeats,
        endpoint=endpoint,
        path=GRAPHQL_PATH,
        recall=identity.recall,
        body_timeout_s=settings.request_timeout_s,
    )
    app = Starlette(
        routes=[
            *(
                route
                for path in (GRAPHQL_PATH, f"{GRAPHQL_PATH}/")
                for route in (Route(path, endpoint), WebSocketRoute(path, socket))
            ),
            *([Route("/schema.graphql", sdl.respond, methods=["GET"])] if settings.introspection else []),
            *([Route("/graphiql/{version}/{name}", ide_asset, methods=["GET"])] if settings.graphiql else []),
            Route("/", _home, methods=["GET"]),
            Route("/healthz", _healthz, methods=["GET"]),
            Route("/readyz", partial(_readyz, runtime), methods=["GET"]),
            Route("/metrics", MetricsRoute(metrics, rates, settings.metrics_token).respond, methods=["GET"]),
        ],
        middleware=[
            *([Middleware(Tracing, provider=spans)] if spans is not None else []),
            Middleware(AccessLog, clock=runtime.clock, note=passed.note),
            repeats,
            Middleware(
                OriginCheck,
                cors_origins=settings.cors_origins,
                cors_headers=settings.cors_headers,
                charge=rates.charge_address,
            ),
        ],
        exception_handlers={HTTPException: _plain_error},
    )
    # Do not redirect: Starlette builds the address from the Host header, and a POST to a wrong path should fail there.
    app.router.redirect_slashes = False
    # `listening` in server/process.py stops the subscriptions through this before it stops the server.
    app.state.live = live
    app.state.rates, app.state.metrics = rates, metrics
    return app


def _live(settings: Settings, runtime: Runtime, schema: strawberry.Schema, rates: Rates, identity: Identity) -> Live:
    limits = {
        "bodyBytes": settings.body_bytes_max,
        "answerBytes": settings.answer_mib * MIB,
        "answersBytes": settings.answers_mib * MIB,
        "variablesDepth": VARIABLES_DEPTH_MAX,
        "variablesValues": VARIABLES_VALUES_MAX,
        "subscriptionsPerConnection": PER_CONNECTION_MAX,
        "subscriptionsPerToken": PER_TOKEN_MAX,
        "connectionsPerToken": CONNECTIONS_MAX,
        **{bound.name: bound.value for bound in bounds(settings.limits)},
    }

    answer = AnswerLimits(settings.answer_mib * MIB, settings.limits.cost, settings.limits.introspection_cost)
    budget = Budget(answer, settings.answers_mib * MIB)

    def make_context(principal: Principal, request_id: str) -> Context:
        return Context(runtime, principal, request_id, limits)

    return Live(
        Execution(
            schema,
            request_timeout_s=settings.request_timeout_s,
            introspection=settings.introspection,
            admission=RoleAdmission(schema._schema, settings.limits, Refusals(runtime.clock)),
            listed=TrustedDocuments.read(settings.documents, settings.allow_list),
            plans=Plans(schema, runtime, responses_bytes_max=settings.response_cache_mib * MIB, budget=budget),
            budget=budget,
        ),
        make_context=make_context,
        until_void=identity.until_void,
        charge=rates.charge_token,
    )


def _endpoint(settings: Settings, live: Live, rates: Rates, identity: Identity) -> GraphQLEndpoint:
    return GraphQLEndpoint(
        live.execution,
        identify=rates.counting(identity.identify),
        make_context=live.make_context,
        body_bytes_max=settings.body_bytes_max,
        request_timeout_s=settings.request_timeout_s,
        page=ide_page if settings.graphiql else None,
        live=live,
        charge=rates.charge_token,
        proxy_adds_token=settings.proxy_adds_token,
    )


async def _home(_: Request) -> Response:
    """Redirect `/` to GraphiQL; the location is a path without a host, so the Host header is never used."""
    return Response(status_code=307, headers={"Location": GRAPHQL_PATH})


async def _healthz(_: Request) -> Response:
    """Answer that the process is alive; do not ask the database, or a slow one would get the process killed."""
    return Response(b'{"status":"ok"}', media_type=JSON)


async def _readyz(runtime: Runtime, _: Request) -> Response:
    """Answer whether requests can be served now: 503 if the database does not answer."""
    try:
        async with runtime.store.read() as tx:
            await tx.execute(text("SELECT 1"))
    except (RollcallError, SQLAlchemyError) as error:
        log.warning("server.not_ready", error=type(error).__name__)
        return Response(b'{"status":"unavailable"}', 503, {"Retry-After": "5"}, JSON)
    return Response(b'{"status":"ready"}', media_type=JSON)


async def _plain_error(request: Request, error: Exception) -> Response:
    """Answer the router's own errors (404, 405) in the standard error shape."""
    if not isinstance(error, HTTPException):
        raise error
    code = "NOT_FOUND" if error.status_code == 404 else BAD_USER_INPUT
    refused = Refused(error.status_code, code, error.detail)
    body = refused.bytes(getattr(request.state, "request_id", "none"))
    return Response(body, error.status_code, error.headers, JSON)
