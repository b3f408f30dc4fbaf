"""The rows of the fault table: every way in which Graph misbehaves on one page, and what a run must make of it.

The numbers are those of the promises G1 to G14. A row is built anew for each case, for the page it strikes on.
"""

from __future__ import annotations

import gzip
import socket
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import httpx
import orjson

from tests.end_to_end.tiny import ORIGIN, Fault, Place, Serve, Tiny
from tests.sync.entra.transport import Body, Piece, answer

ALWAYS = 1_000_000
Act = Callable[[Tiny, Place, Serve], httpx.Response]

RECOVERS, RESTARTS, PUT_OFF, LATER = "recovers", "restarts", "put off", "equal after the next run"
"""What a run makes of a fault that does not end its stream; else the code of the error that does."""


@dataclass(frozen=True)
class Row:
    """One fault: what happens, how often, how the run ends, and how long must be waited for it at least."""

    name: str
    act: Act
    outcome: str
    times: int = 1
    wait_s: float = 0.0

    def fault(self, tiny: Tiny, page: int) -> Fault:
        """Strike on a page, as often as the row says."""
        struck = 0

        def decide(place: Place, serve: Serve) -> httpx.Response:
            nonlocal struck
            if place.page != page or struck >= self.times:
                return serve()
            struck += 1
            return self.act(tiny, place, serve)

        return decide

    def page(self, position: int) -> int:
        """Return the page that is first, middle or last; links expire where they are stored: before the first page."""
        return 0 if position == 1 and self.outcome is RESTARTS else position


def refuse(status: int, code: str = "x", message: str = "simulated", **headers: str) -> Act:
    """Answer with Graph's error shape."""
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    body = {"error": {"code": code, "message": message}}
    return lambda *_: answer(body, status, sent)


def fail(error: Exception) -> Act:
    """Give no answer."""

    def act(*_: object) -> httpx.Response:
        raise error

    return act


def caused(error: httpx.RequestError, cause: Exception) -> Act:
    """Give no answer, for a reason that lies deeper."""
    error.__cause__ = cause
    return fail(error)


def payload(response: httpx.Response) -> bytes:
    """Return the body that an answer was made of."""
    assert isinstance(response.stream, Body)
    return b"".join(piece for piece in response.stream.pieces if isinstance(piece, bytes))


def body(change: Callable[[bytes], object], *more: Piece, **headers: str) -> Act:
    """Answer with the page's own bytes, changed."""
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    return lambda _, __, serve: answer(change(payload(serve())), 200, sent, *more)


def page(change: Callable[[dict[str, Any]], object]) -> Act:
    """Answer with the page, changed in place or replaced."""

    def act(_: Tiny, __: Place, serve: Serve) -> httpx.Response:
        found = orjson.loads(payload(serve()))
        changed = change(found)
        return answer(found if changed is None else changed)

    return act


def link(url: str) -> Act:
    """Answer with the page, its one link leading elsewhere."""

    def change(found: dict[str, Any]) -> None:
        (name,) = (key for key in found if key.startswith("@odata.") and key.endswith("Link"))
        found[name] = url

    return page(change)


def circle(length: int) -> Act:
    """Answer with pages whose links lead back to the first of `length` others."""

    def act(tiny: Tiny, place: Place, serve: Serve) -> httpx.Response:
        _, _, at = place.url.partition(f"skiptoken={place.page}.")
        following = int(at or 0) % length + 1
        found = tiny.page(place.stream, place.page)
        url = f"{ORIGIN}/v1.0/{place.stream}/delta?$skiptoken={place.page}.{following}"
        return answer({"value": found["value"], "@odata.nextLink": url})

    return act


def empty_first(_: Tiny, place: Place, __: Serve) -> httpx.Response:
    """Answer with an empty page whose link leads to the page."""
    url = f"{ORIGIN}/v1.0/{place.stream}/delta?$skiptoken={place.page}.1"
    return answer({"value": [], "@odata.nextLink": url})


def content(raw: bytes, stored: str | None) -> Act:
    """Let an object of the page have a name that is spelled `raw` in JSON and must be stored as `stored`.

    With nothing for `raw` it comes without a name, and must keep the one it has.
    """

    def act(tiny: Tiny, place: Place, serve: Serve) -> httpx.Response:
        found = orjson.loads(payload(serve()))
        item = found["value"][-1]
        if raw:
            tiny.objects[place.stream][item["id"]]["displayName"] = stored
        item["displayName"] = "@@"
        text = orjson.dumps(found)
        return answer(text.replace(b'"@@"', raw) if raw else text.replace(b',"displayName":"@@"', b""))

    return act


def change_while_listing(tiny: Tiny, place: Place, serve: Serve) -> httpx.Response:
    """Rename what was read already, take one away and add one, in the middle of the round."""
    found = list(tiny.objects[place.stream].values())
    found[0]["displayName"] = "renamed meanwhile"
    letter = place.stream[0]
    tiny.objects[place.stream][f"{letter}9"] = {"id": f"{letter}9", "displayName": "new", "accountEnabled": True}
    if place.stream == "groups":
        tiny.members["g0"].pop()
    return serve()


def _trickle(text: bytes) -> list[Piece]:
    return [piece for byte in text[:40] for piece in (bytes([byte]), 0.004)]


def _slowly(_: Tiny, __: Place, serve: Serve) -> httpx.Response:
    return answer(b"", 200, None, *_trickle(payload(serve())))


WAITS = {"7": 7.0, "2.128": 2.128, "Mon, 23 Nov 2099 00:00:30 GMT": 30.0, "Mon, 23 Nov 2020 04:05:06 GMT": 0.0}
DATE = "Mon, 23 Nov 2099 00:00:00 GMT"
NONSENSE = {"missing": None, "negative": "-5", "NaN": "NaN", "inf": "inf", "words": "soon", "10 kB": "9" * 10_000}
MALFORMED: dict[str, Act] = {
    "truncated": body(lambda text: text[: len(text) // 2]),
    "a list": body(lambda text: b"[" + text + b"]"),
    "no value": page(lambda found: found.pop("value") and None),
    "value is an object": page(lambda found: found | {"value": {}}),
    "item without id": page(lambda found: found["value"][0].pop("id") and None),
    "wrong type": body(lambda text: text, content_type="text/plain"),
    "a portal": body(lambda _: b"<html>Wi-Fi</html>", content_type="text/html"),
    "empty": body(lambda _: b""),
}
ENDLESS: dict[str, Act] = {
    "one byte a second": _slowly,
    "silence after headers": lambda *_: answer(b"", 200, None, 5.0),
    "body without end": body(lambda text: text, *[b" " * 65_536] * 8),
    "1000:1 gzip": lambda *_: answer(gzip.compress(b" " * 4_000_000), 200, {"content-encoding": "gzip"}),
}
ELSEWHERE = (
    "https://evil.test/v1.0/users/delta?$skiptoken=1",
    "http://graph.test/v1.0/users/delta?$skiptoken=1",
    "https://graph.test@evil.test/v1.0/users",
    "https://192.0.2.1/v1.0/users",
)
EXPIRED: dict[str, Act] = {
    "410 with Location": refuse(410, location=f"{ORIGIN}/v1.0/users/delta?$deltatoken="),
    "410 resyncRequired": refuse(410, "resyncRequired"),
    "400 syncStateNotFound": refuse(400, "syncStateNotFound"),
    "404 syncStateNotFound": refuse(404, "SyncStateNotFound"),
    "400 expired page token": refuse(400, "Directory_ExpiredPageToken"),
    "400 badly formed token": refuse(400, "Request_BadRequest", "Badly formed token."),
}
CONTENT: dict[str, tuple[bytes, str | None]] = {
    "missing": (b"", None),
    "null": (b"null", None),
    "a number": (b"7", None),
    "a number beyond 64 bits": (b"36893488147419103232", None),
    "a list": (b'["a"]', None),
    "100 kB": (b'"' + b"x" * 100_000 + b'"', "x" * 100_000),
    "NUL": (rb'"a\u0000b"', "a\ufffdb"),
    "lone surrogate": (rb'"a\ud800b"', "a\ufffdb"),
    "bidi": ('"\u202egnp.exe"'.encode(), "\u202egnp.exe"),
}
UNANSWERED: dict[str, Act] = {
    "refused": fail(httpx.ConnectError("x")),
    "certificate": caused(httpx.ConnectError("x"), ssl.SSLCertVerificationError("x")),
    "no such name": caused(httpx.ConnectError("x"), socket.gaierror("x")),
    "reset before headers": fail(httpx.ReadError("x")),
    "no HTTP": fail(httpx.RemoteProtocolError("x")),
    "silence": fail(httpx.ReadTimeout("x")),
    "reset in the body": lambda _, __, serve: answer(payload(serve())[:20], 200, None, httpx.ReadError("x")),
}


def rows() -> list[Row]:
    """Return the table."""
    return [
        *(
            Row(f"G1 {status} {text}", refuse(status, retry_after=text, date=DATE), RECOVERS, wait_s=s)
            for status, forms in ((429, tuple(WAITS)), (503, ("7", "2.128")), (504, ("7",)))
            for text, s in WAITS.items()
            if text in forms
        ),
        *(
            Row(f"G2 {status} {name}", refuse(status, **({} if text is None else {"retry_after": text})), RECOVERS)
            for status, names in ((429, tuple(NONSENSE)), (503, ("missing",)))
            for name, text in NONSENSE.items()
            if name in names
        ),
        *(
            Row(f"G2 {status} {text}", refuse(status, retry_after=text), PUT_OFF, wait_s=min(float(text), 3_600))
            for status, text in ((429, "301"), (429, "1e9"), (503, "400.5"))
        ),
        *(Row(f"G3 {status} once", refuse(status), RECOVERS) for status in (408, 500, 502)),
        *(Row(f"G3 {name} once", act, RECOVERS) for name, act in UNANSWERED.items()),
        Row("G3 500 lasts", refuse(500), "UNAVAILABLE", ALWAYS),
        Row("G3 refused lasts", UNANSWERED["refused"], "UNAVAILABLE", ALWAYS),
        Row("G3 429 lasts", refuse(429), "THROTTLED", ALWAYS),
        *(Row(f"G4 {status}", refuse(status), "REQUEST_REFUSED", ALWAYS) for status in (400, 404, 405, 501)),
        Row("G4 403", refuse(403, "Authorization_RequestDenied"), "PERMISSION_DENIED", ALWAYS),
        Row("G5 401 once", refuse(401, "InvalidAuthenticationToken"), RECOVERS),
        Row("G5 401 lasts", refuse(401, "InvalidAuthenticationToken"), "AUTH_REJECTED", ALWAYS),
        *(Row(f"G7 {name} once", MALFORMED[name], RECOVERS) for name in ("truncated", "no value")),
        *(Row(f"G7 {name} lasts", act, "BAD_RESPONSE", ALWAYS) for name, act in MALFORMED.items()),
        *(Row(f"G8 {name} once", act, RECOVERS) for name, act in ENDLESS.items()),
        Row("G8 1000:1 gzip lasts", ENDLESS["1000:1 gzip"], "BAD_RESPONSE", ALWAYS),
        *(Row(f"G9 {url}", link(url), "OFF_ORIGIN", ALWAYS) for url in ELSEWHERE),
        *(
            Row(f"G9 {status} elsewhere", refuse(status, location="https://evil.test/"), "OFF_ORIGIN", ALWAYS)
            for status in (301, 308)
        ),
        Row("G9 307 here", refuse(307, location=f"{ORIGIN}/v1.0/users"), "REQUEST_REFUSED", ALWAYS),
        *(Row(f"G10 circle of {length}", circle(length), "BAD_RESPONSE", ALWAYS) for length in (1, 2, 5)),
        Row("G11 empty page", empty_first, RECOVERS),
        Row("G11 no link", page(lambda found: {"value": found["value"]}), "BAD_RESPONSE", ALWAYS),
        Row(
            "G11 both links",
            page(lambda found: found | {f"@odata.{name}Link": f"{ORIGIN}/v1.0/x" for name in ("next", "delta")}),
            "BAD_RESPONSE",
            ALWAYS,
        ),
        *(Row(f"G12 {name}", act, RESTARTS) for name, act in EXPIRED.items()),
        Row("G12 410 lasts", refuse(410), "CURSOR_EXPIRED", ALWAYS),
        *(Row(f"G13 {name}", content(*spelled), RECOVERS, ALWAYS) for name, spelled in CONTENT.items()),
        Row("G13 a number of 400 digits", content(b"9" * 400, None), "BAD_RESPONSE", ALWAYS),
        Row("G14 changes while listing", change_while_listing, LATER),
    ]
