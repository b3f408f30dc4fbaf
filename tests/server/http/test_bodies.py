"""Hostile and malformed bodies: each is refused with 400 in the one error shape, and nothing is executed."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.server.conftest import Probe, touched

QUERY = '"query":"mutation{touch}"'
CANARY = "canary-in-the-body"

BODIES: dict[str, bytes] = {
    "empty": b"",
    "spaces": b" \r\n\t ",
    "null": b"null",
    "true": b"true",
    "zero": b"0",
    "number": b"3.14",
    "string": b'"{hello}"',
    "empty list": b"[]",
    "batch of one": b"[{%b}]" % QUERY.encode(),
    "batch of two": b"[{%b},{%b}]" % (QUERY.encode(), QUERY.encode()),
    "empty object": b"{}",
    "not json": CANARY.encode(),
    "graphql": b"mutation{touch}",
    "form": b"query=mutation{touch}",
    "truncated": b'{"query":"mutation{touch}"',
    "trailing comma": b"{%b,}" % QUERY.encode(),
    "trailing text": b"{%b}x" % QUERY.encode(),
    "two objects": b"{%b}{%b}" % (QUERY.encode(), QUERY.encode()),
    "single quotes": b"{'query':'mutation{touch}'}",
    "comment": b"/* */{%b}" % QUERY.encode(),
    "byte order mark of another encoding": b"\xff\xfe{%b}" % QUERY.encode(),
    "utf-16": json.dumps({"query": "mutation{touch}"}).encode("utf-16"),
    "utf-32": json.dumps({"query": "mutation{touch}"}).encode("utf-32"),
    "invalid utf-8": b'{"query":"mutation{touch}","x":"\xff\xfe"}',
    "overlong utf-8": b'{"query":"mutation{touch}","x":"\xc0\xaf"}',
    "surrogate in utf-8": b'{"query":"mutation{touch}","x":"\xed\xa0\x80"}',
    "lone surrogate escape": b'{"query":"mutation{touch}","x":"\\ud800"}',
    "raw newline in a string": b'{"query":"mutation{touch}\n"}',
    "raw zero byte": b'{"query":"mutation{touch}\x00"}',
    "zero bytes": b"\x00" * 100,
    "gzip magic": b"\x1f\x8b\x08\x00" + b"\x00" * 60,
    "NaN": b'{%b,"variables":{"x":NaN}}' % QUERY.encode(),
    "Infinity": b'{%b,"variables":{"x":Infinity}}' % QUERY.encode(),
    "1e999": b'{%b,"variables":{"x":1e999}}' % QUERY.encode(),
    "10,000 digits": b'{%b,"variables":{"x":%b}}' % (QUERY.encode(), b"9" * 10_000),
    "leading zero": b'{%b,"variables":{"x":01}}' % QUERY.encode(),
    "hexadecimal": b'{%b,"variables":{"x":0x1}}' % QUERY.encode(),
    "50,000 lists": b"[" * 50_000,
    "50,000 closed lists": b"[" * 50_000 + b"]" * 50_000,
    "20,000 objects": b'{"a":' * 20_000 + b"1" + b"}" * 20_000,
    "deep variables": b'{%b,"variables":%b1%b}' % (QUERY.encode(), b'{"a":' * 21, b"}" * 21),
    "wide variables": b'{%b,"variables":{"x":[%b1]}}' % (QUERY.encode(), b"1," * 10_000),
    "query null": b'{"query":null}',
    "query number": b'{"query":1}',
    "query list": b'{"query":["mutation{touch}"]}',
    "query object": b'{"query":{"query":"mutation{touch}"}}',
    "query empty": b'{"query":""}',
    "query spaces": b'{"query":"   "}',
    "operationName number": b'{%b,"operationName":1}' % QUERY.encode(),
    "operationName list": b'{%b,"operationName":[]}' % QUERY.encode(),
    "operationName not a name": b'{%b,"operationName":"a b"}' % QUERY.encode(),
    "operationName too long": b'{%b,"operationName":"%b"}' % (QUERY.encode(), b"a" * 300),
    "variables list": b'{%b,"variables":[]}' % QUERY.encode(),
    "variables string": b'{%b,"variables":"{}"}' % QUERY.encode(),
    "variables number": b'{%b,"variables":0}' % QUERY.encode(),
    "variables false": b'{%b,"variables":false}' % QUERY.encode(),
    "extensions string": b'{%b,"extensions":"x"}' % QUERY.encode(),
    "extensions list": b'{%b,"extensions":[]}' % QUERY.encode(),
}


@pytest.mark.parametrize("name", BODIES)
async def test_body_is_refused_in_the_standard_shape_when_malformed(probe: Probe, name: str) -> None:
    """A malformed body is 400 with one error of the standard shape, and its text does not come back."""
    response = await probe.raw(BODIES[name])
    assert response.status_code == 400
    assert_standard_shape(response.json(), response.headers["x-request-id"])
    assert CANARY not in response.text
    assert not touched


async def test_bodies_are_at_least_forty() -> None:
    """The corpus does not shrink."""
    assert len(BODIES) >= 40


async def test_body_is_refused_before_it_is_read_when_its_length_is_too_large(probe: Probe) -> None:
    """20 MB are refused by Content-Length alone: 413, the connection closes, and the hint names the import."""
    response = await probe.raw(b"x" * 20_000_000)
    assert response.status_code == 413
    assert response.headers["connection"] == "close"
    told = response.json()["errors"][0]["extensions"]
    assert told["limit"] == 256 * 1024 and "rollcall scan import" in told["hint"]


async def test_body_is_accepted_at_the_limit_and_refused_beyond_it(probe: Probe) -> None:
    """The limit holds to the byte, also for a body that does not say its length."""
    limit = 256 * 1024
    text = json.dumps({"query": "{hello}"}).encode()

    async def chunks(size: int) -> AsyncIterator[bytes]:
        yield text
        yield b" " * (size - len(text))

    for size, status in ((limit, 200), (limit + 1, 413)):
        whole = await probe.raw(text.ljust(size))
        streamed = await probe.client.post(
            "/graphql", content=chunks(size), headers={"Content-Type": "application/json"}
        )
        assert (whole.status_code, streamed.status_code) == (status, status)


async def test_variables_are_accepted_at_their_limits(probe: Probe) -> None:
    """20 levels and 10,000 values pass; the corpus holds the bodies one beyond."""
    deep: object = 1
    for _ in range(19):
        deep = {"a": deep}
    for variables in ({"x": deep}, {"x": [1] * 9_999}):
        response = await probe.post("{hello}", variables=variables)
        assert response.json() == {"data": {"hello": "hello world"}}


@pytest.mark.parametrize("length", ["-1", "+5", "1e3", "0x10", "\u0665", "9" * 5_000, "5, 5"])
async def test_body_is_refused_when_content_length_is_not_a_number(probe: Probe, length: str) -> None:
    """A strange Content-Length is 400, never a crash."""
    response = await probe.client.post(
        "/graphql",
        content=b"{}",
        headers=[(b"content-type", b"application/json"), (b"content-length", length.encode())],
    )
    assert response.status_code == 400
    assert_standard_shape(response.json(), response.headers["x-request-id"])


def assert_standard_shape(body: dict[str, Any], request_id: str) -> None:
    """Check that a refused request has exactly the one error shape."""
    assert set(body) == {"errors"}
    (error,) = body["errors"]
    assert set(error) <= {"message", "locations", "path", "extensions"}
    assert {"code", "retryable", "hint", "requestId"} <= set(error["extensions"])
    assert error["extensions"]["requestId"] == request_id
