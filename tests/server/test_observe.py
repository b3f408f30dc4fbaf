"""Logs: one call, one line, whatever the input; nothing in it that should stay out."""

from __future__ import annotations

import io
import logging

import pytest
import structlog

from server.observe import configure_logs
from tests.server.conftest import CANARY, TOKEN, Probe, lines

HOSTILE = [
    "a\nb",
    "a\r\nb",
    "\x1b[31mred\x1b[0m",
    "\x00\x07\x08",
    "a\u2028b\u2029c\x85d\x0be\x0cf",
    "\u202egnp.exe",
    '{"event":"forged"}',
    '"} {"level":"error"',
    "\ud800",
    "x" * 1_000_000,
]


@pytest.mark.parametrize("text", HOSTILE)
@pytest.mark.parametrize("form", ["json", "text"])
def test_log_is_one_printable_line_whatever_the_input(text: str, form: str) -> None:
    """A newline, escape or bidi mark in a value, an event or a foreign logger's message cannot start a line."""
    root = logging.getLogger()
    handlers, level = root.handlers, root.level
    stream = io.StringIO()
    try:
        configure_logs("info", form, stream)
        structlog.stdlib.get_logger("a").info("event", value=text)
        structlog.stdlib.get_logger("a").info(text)
        logging.getLogger("foreign").warning("about %s", text)
    finally:
        root.handlers = handlers
        root.setLevel(level)
        structlog.reset_defaults()
    written = stream.getvalue()
    assert len(written.splitlines()) == 3
    assert all(line.isascii() and line.isprintable() for line in written.splitlines())
    assert len(written) < 20_000


def test_traceback_stays_on_its_line(logs: io.StringIO) -> None:
    """An exception is one field of one line."""
    try:
        raise ValueError("a\nb")
    except ValueError:
        structlog.stdlib.get_logger("a").exception("failed")
    (line,) = lines(logs)
    assert "ValueError" in str(line["exception"])


async def test_request_leaves_one_access_line_with_what_is_known(logs: io.StringIO, probe: Probe) -> None:
    """Method, path, status, time, operation; no document, no variable, no token."""
    query = "query Canary($n:String!){hello(name:$n)}"
    response = await probe.post(query, variables={"n": CANARY})
    (line,) = [line for line in lines(logs) if line["event"] == "request"]
    assert line["request_id"] == response.headers["x-request-id"]
    expected = {"method": "POST", "path": "/graphql", "status": 200}
    assert {key: line[key] for key in expected} == expected
    assert (line["operation_name"], line["operation_type"]) == ("Canary", "query")
    assert isinstance(line["duration_ms"], float)
    for secret in (TOKEN, CANARY, "hello"):
        assert secret not in logs.getvalue()


async def test_query_string_is_not_logged(logs: io.StringIO, probe: Probe) -> None:
    """A GET carries document and variables in its address; the log has the path alone."""
    await probe.client.get("/graphql", params={"query": f'{{hello(name:"{CANARY}")}}'}, headers={"X": "1"})
    assert CANARY not in logs.getvalue()
    assert "hello" not in logs.getvalue()


async def test_unknown_exception_is_logged_once_with_its_traceback(logs: io.StringIO, probe: Probe) -> None:
    """The operator finds it by the request id; the document is not in it."""
    response = await probe.post("{ marker: broken }")
    errors = [line for line in lines(logs) if line["level"] == "error"]
    assert len(errors) == 1
    assert errors[0]["request_id"] == response.headers["x-request-id"]
    assert CANARY in str(errors[0]["exception"])
    assert "marker: broken" not in logs.getvalue()


async def test_expected_errors_are_not_logged_as_errors(logs: io.StringIO, probe: Probe) -> None:
    """What callers get wrong cannot fill the log with tracebacks."""
    for query in ("{", "{nothing}", "{refused}"):
        await probe.post(query)
    assert {line["level"] for line in lines(logs)} <= {"info", "debug"}
    codes = [line.get("codes") for line in lines(logs) if line["event"] == "request"]
    assert codes == [["GRAPHQL_PARSE_FAILED"], ["GRAPHQL_VALIDATION_FAILED"], ["BAD_USER_INPUT"]]
