"""Runs one operation and writes its answer, by a compiled plan if there is one, otherwise by the executor.

Never logs a document, a variable or an answer.
"""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from dataclasses import replace
from functools import partial
from typing import Any

import orjson
import strawberry
import structlog
from graphql import ExecutionResult, GraphQLError, OperationDefinitionNode, OperationType
from graphql.execution.values import get_variable_values

from schema.limit.budget import Budget
from schema.plan import AskedQuery, Plans
from schema.worker import Worker
from server.graphql.admission import Admission
from server.graphql.deadline import soon
from server.graphql.document import Document, DocumentCache, DocumentRejected, is_query
from server.graphql.errors import (
    BAD_USER_INPUT,
    INTERNAL,
    INTERNAL_HINT,
    INTERNAL_MESSAGE,
    TIMEOUT,
    Refused,
    origin_of,
    write_errors,
)
from server.graphql.executor.runner import OperationRunner
from server.graphql.hint import with_hints
from server.graphql.introspection import IntrospectionCache
from server.graphql.operation import Answer, Outcome, Prepared, Trace
from server.graphql.request import GraphQLRequest
from server.graphql.trusted_documents import TrustedDocuments
from sync.errors import AnswerTooLarge, Forbidden, RollcallError, StoreCrowded, StoreSlow
from sync.trim import trimmed

log = structlog.stdlib.get_logger("rollcall.graphql")

COERCION_ERRORS_MAX = 20
RETRY_AFTER_S = 1
# Larger variables are coerced in the worker instead of the event loop.
VARIABLES_HERE_BYTES = 4_096


class Execution:
    """Answers operations against one schema.

    Args:
        schema: must have no schema extensions; plans would bypass them.
        request_timeout_s: the longest time that an operation may run.
        introspection: False refuses `__schema` and `__type`.
        admission: the checks before an operation runs.
        plans: answer queries that they can compile; the executor answers the rest.
        listed: the trusted documents.
        budget: the limits of answers and of their memory.
    """

    def __init__(
        self,
        schema: strawberry.Schema,
        *,
        request_timeout_s: float,
        introspection: bool = True,
        admission: Admission | None = None,
        plans: Plans | None = None,
        listed: TrustedDocuments | None = None,
        budget: Budget | None = None,
    ) -> None:
        if schema.extensions:
            raise TypeError("Schema extensions are bypassed here; use an Admission or plans instead.")
        self._schema = schema
        self._timeout_s = request_timeout_s
        self._admission = admission or Admission()
        self.plans = plans
        self._listed = listed or TrustedDocuments()
        self._hides = not introspection
        self.documents = DocumentCache(schema, introspection=introspection, admission=self._admission)
        self._introspection = IntrospectionCache()
        self.runner = OperationRunner(schema, budget or Budget(), request_timeout_s)
        self._worker = Worker("documents")

    async def execute(self, prepared: Prepared, context: Any, *, request_id: str, trace: Trace) -> Answer:
        """Run an operation and return its answer; every failure but overload becomes an error of the answer.

        Args:
            prepared: the result of `prepare`.
            context: passed to every resolver.
            request_id: written into each error.
            trace: filled for the access log.

        Raises:
            Refused: 503, the server is overloaded.
        """
        try:
            self._admission.admit(prepared, context)
            kept = self.plans.recall(prepared.asked, context.principal) if self.plans is not None else None
            if kept is not None:
                return Answer(kept.body, "executed", kept)
            return await soon(self._run(prepared, context, request_id, trace), self._timeout_s)
        except DocumentRejected as rejected:
            return rejection(rejected, request_id, trace)
        except Forbidden as forbidden:
            await self._admission.note(context, forbidden)
            return _failure(forbidden, "forbidden", request_id, trace)
        except AnswerTooLarge as large:
            return _failure(large, "executed", request_id, trace)
        except StoreSlow as slow:
            return _failure(slow, "timeout", request_id, trace)
        except StoreCrowded as crowded:
            raise _crowded(crowded) from None
        except TimeoutError:
            return self._timed_out(request_id, trace)

    async def stream(
        self, prepared: Prepared, context: Any, *, request_id: str, trace: Trace
    ) -> AsyncGenerator[Answer, None]:
        """Run a subscription and yield one answer an event; it may never end.

        An event is executed when its answer is requested, in a fresh snapshot. Nothing is held between two events.
        """
        try:
            self._admission.admit(prepared, context)
            events = await self.runner.events(prepared, context)
            if isinstance(events, ExecutionResult):
                yield _answer(None, write_errors(events.errors or (), request_id, hides=self._hides), "executed", trace)
                return
            async with aclosing(events):
                async for result in events:
                    await context.refresh()
                    yield self._written(result, request_id, trace)
        except Forbidden as forbidden:
            await self._admission.note(context, forbidden)
            yield _failure(forbidden, "forbidden", request_id, trace)
        except RollcallError as error:
            yield _failure(error, "executed", request_id, trace)
        except TimeoutError:
            yield self._timed_out(request_id, trace)

    async def prepare(
        self, request: GraphQLRequest, *, read_only: bool, trace: Trace, is_stream: bool = False
    ) -> Prepared:
        """Read the document and the variables of a request; new documents and large variables go to the worker.

        Args:
            request: document, operation name and variables as sent.
            read_only: whether to refuse all but queries (GET).
            trace: filled for the access log.
            is_stream: whether the response is a stream, which a subscription needs.

        Raises:
            DocumentRejected: the request cannot run.
            Refused: 400 or 405, the operation's type is not allowed here; 503, the server is overloaded.
        """
        text, given = self._listed.text(request), variables_text(request.variables)
        try:
            document = self.documents.find(text)
            if document is None:
                document = self.documents.keep(await self._worker.run(partial(self.documents.read, text)))
            prepare = partial(self._prepare, document, request, given, read_only, trace, is_stream)
            return prepare() if len(given) <= VARIABLES_HERE_BYTES else await self._worker.run(prepare)
        except StoreCrowded as crowded:
            raise _crowded(crowded) from None

    def _prepare(
        self, document: Document, request: GraphQLRequest, given: bytes, read_only: bool, trace: Trace, is_stream: bool
    ) -> Prepared:
        operation = document.operation(request.operation_name)
        trace.name(operation)
        _check_kind(operation, read_only=read_only, is_stream=is_stream)
        values = get_variable_values(
            self._schema._schema,
            operation.variable_definitions or (),
            dict(request.variables),
            max_errors=COERCION_ERRORS_MAX,
            hide_suggestions=self._hides,
        )
        if isinstance(values, list):
            if not self._hides:
                with_hints(self._schema._schema, values)
            raise DocumentRejected(BAD_USER_INPUT, values)
        asked = AskedQuery(document.digest, document.tree, operation, values, given)
        prepared = Prepared(document, request, asked)
        self._admission.weigh(prepared)
        return prepared

    async def _run(self, prepared: Prepared, context: Any, request_id: str, trace: Trace) -> Answer:
        if self.plans is not None and is_query(prepared.operation):
            planned = await self.plans.answer(prepared.asked, context.principal)
            if planned is not None:
                return Answer(planned.body, "executed", planned, planned.tally)
        known = self._introspection.answer(prepared)
        if known is not None:
            return Answer(known, "executed")
        finished, tally = await self.runner.run(prepared, context)
        for failure in finished.errors or ():
            if isinstance(origin := origin_of(failure), Forbidden):
                await self._admission.note(context, origin)
        answer = replace(self._written(finished, request_id, trace), tally=tally)
        tally.finish(len(answer.body))
        if not finished.errors:
            self._introspection.keep(prepared, answer.body)
        return answer

    def _written(self, result: ExecutionResult, request_id: str, trace: Trace) -> Answer:
        try:
            errors = write_errors(result.errors or (), request_id, hides=self._hides)
            return _answer(result.data, errors, "executed", trace, executed=True)
        except TypeError:
            # orjson refuses lone surrogates and integers beyond 64 bits.
            log.exception("graphql.unwritable", request_id=request_id)
            facts = {"code": INTERNAL, "hint": INTERNAL_HINT, "retryable": False}
            return failed(GraphQLError(INTERNAL_MESSAGE, extensions=facts), "internal", request_id, trace)

    def _timed_out(self, request_id: str, trace: Trace) -> Answer:
        facts = {"code": TIMEOUT, "limit": self._timeout_s, "hint": "Request less data at once, or try again."}
        error = GraphQLError(f"The request took longer than {self._timeout_s:g} s.", extensions=facts)
        return failed(error, "timeout", request_id, trace)


def variables_text(variables: Mapping[str, Any]) -> bytes:
    """Return variables as JSON in a canonical form, so that equal variables have equal bytes."""
    try:
        return trimmed(orjson.dumps(variables, option=orjson.OPT_SORT_KEYS))
    except TypeError:
        # orjson refuses integers beyond 64 bits, which may be valid as ids.
        return json.dumps(variables, sort_keys=True).encode()


def rejection(rejected: DocumentRejected, request_id: str, trace: Trace) -> Answer:
    """Return the answer to a request whose document cannot run."""
    return _answer(None, write_errors(rejected.errors, request_id, code=rejected.code), "rejected", trace)


def _check_kind(operation: OperationDefinitionNode, *, read_only: bool, is_stream: bool) -> None:
    if operation.operation is OperationType.SUBSCRIPTION and (read_only or not is_stream):
        hint = "Send it by POST with Accept: text/event-stream, or over WebSocket with graphql-transport-ws."
        raise Refused(400, BAD_USER_INPUT, "Subscriptions need a streamed response.", hint)
    if read_only and operation.operation is not OperationType.QUERY:
        hint = "Send this operation by POST."
        raise Refused(405, BAD_USER_INPUT, "Only queries can be sent by GET.", hint, headers={"Allow": "POST"})


def failed(error: GraphQLError, outcome: Outcome, request_id: str, trace: Trace) -> Answer:
    """Return an answer with one error and no data."""
    return _answer(None, write_errors([error], request_id), outcome, trace)


def _crowded(error: StoreCrowded) -> Refused:
    headers = {"Retry-After": str(RETRY_AFTER_S)}
    return Refused(503, error.code, error.message, retryable=True, headers=headers)


def _failure(error: RollcallError, outcome: Outcome, request_id: str, trace: Trace) -> Answer:
    return failed(GraphQLError(error.message, original_error=error), outcome, request_id, trace)


def _answer(data: Any, errors: list[Any], outcome: Outcome, trace: Trace, *, executed: bool = False) -> Answer:
    trace.errors = sorted({error["extensions"]["code"] for error in errors})
    body: dict[str, Any] = {"errors": errors} if errors else {}
    if executed:
        # Write `errors` first, as the specification advises; omit `data` when nothing was executed.
        body["data"] = data
    return Answer(orjson.dumps(body), outcome)
