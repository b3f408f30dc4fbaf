"""Logs: one call, one line, whatever the input; nothing in it that should stay out."""

from __future__ import annotations

import io
import logging
import re
from random import Random
from urllib.parse import quote

import pytest
import structlog

from server.observe.logs import REQUEST_ID, configure_logs
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


async def test_text_lines_have_one_form_of_time_whoever_writes_them(logs: io.StringIO, probe: Probe) -> None:
    """Access lines, our other lines and those of libraries can be sorted together."""
    stream = io.StringIO()
    configure_logs("info", "text", stream)
    await probe.post("{ hello }")
    structlog.stdlib.get_logger("a").info("ours")
    logging.getLogger("foreign").warning("theirs")
    written = stream.getvalue().splitlines()
    assert len(written) == 3
    for line in written:
        assert re.match(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z (info|warning) ", line), line


def hostile_texts(number: int) -> list[str]:
    """Return texts put together by chance, the same ones every time, of what could break or forge a line."""
    chance = Random(4)  # noqa: S311 - the same texts each time
    pieces = [text[:20] for text in HOSTILE] + [
        "\n",
        "\r",
        "\x1b[2J",
        "\u2028",
        "\u2066",
        "\x9b",
        "%0a",
        "\\n",
        "\x00",
        '"',
        "\\",
    ]
    return ["".join(chance.choices(pieces, k=chance.randint(1, 8))) for _ in range(number)]


async def test_thousand_hostile_requests_leave_a_thousand_lines(logs: io.StringIO, probe: Probe) -> None:
    """In the path, the query string, the request id, the token and the body: one line each, and an id of ours."""
    texts = hostile_texts(1_000)
    for text in texts:
        raw = text.encode("utf-8", "surrogatepass")
        headers = [(b"x-request-id", raw.replace(b"\x00", b"") or b"?"), (b"authorization", b"Bearer " + raw)]
        address = f"/graphql/{quote(raw)}?query={quote(raw)}"
        response = await probe.client.post(address, content=raw, headers=headers)
        assert REQUEST_ID.match(response.headers["x-request-id"])
    written = logs.getvalue().splitlines()
    assert all(line.isascii() and line.isprintable() for line in written)
    found = [line for line in lines(logs) if line["logger"] == "rollcall.access"]
    assert [line["event"] for line in found] == ["request"] * len(texts)
    assert {line["logger"] for line in lines(logs)} <= {"rollcall.access", "asyncio"}


@pytest.mark.parametrize(
    ("sent", "is_taken"),
    [
        ("0123abcd", True),
        ("a.b-c_d" * 9, True),
        ("short", False),
        ("a" * 65, False),
        ("0123abcd;x", False),
        ("0123abc\u00e4", False),
        ("", False),
    ],
    ids=["eight", "all characters", "short", "long", "semicolon", "umlaut", "empty"],
)
async def test_request_id_is_taken_over_only_when_it_is_well_formed(
    logs: io.StringIO, probe: Probe, sent: str, is_taken: bool
) -> None:
    """The answer, its errors and the log carry one id: the caller's if it is harmless, ours otherwise."""
    response = await probe.client.post(
        "/graphql", content=b"{", headers=[(b"x-request-id", sent.encode()), (b"content-type", b"application/json")]
    )
    id = response.headers["x-request-id"]
    assert (id == sent.strip()) is is_taken
    assert response.json()["errors"][0]["extensions"]["requestId"] == id
    assert [line["request_id"] for line in lines(logs) if line["event"] == "request"] == [id]


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
