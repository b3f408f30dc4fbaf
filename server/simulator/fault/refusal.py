"""Refusals: statuses with every form of Retry-After, expired states, and the AADSTS codes of sign-in.

Source: learn.microsoft.com/graph/errors, learn.microsoft.com/graph/throttling,
learn.microsoft.com/graph/delta-query-overview
"""

from __future__ import annotations

from datetime import timedelta

import orjson

from server.simulator.fault.fault import fault
from server.simulator.graph.exchange import error_body
from server.simulator.graph.reply import GraphReply
from server.simulator.signin.aadsts import CODES, refusal_body

JSON = "application/json"
RETRY_AFTER = {
    "seconds": "7", "fraction": "2.128", "date": "date+7", "past-date": "date-60", "missing": "", "negative": "-5",
    "nan": "NaN", "infinity": "inf", "exponent": "1e9", "garbage": "soon", "long": "9" * 10_240,
}  # fmt: skip


def refuse(reply: GraphReply, status: int, code: str, message: str, **headers: str) -> None:
    """Replace the answer by a refusal with Graph's error body."""
    request_id = reply.headers.get("request-id", "00000000-0000-0000-0000-000000000000")
    client_request_id = reply.headers.get("client-request-id", request_id)
    at = reply.asked.simulator.clock.now()
    body = error_body(code, message, at=at, request_id=request_id, client_request_id=client_request_id)
    kept = {"request_id": request_id, "client_request_id": client_request_id}
    # Send the tenant's time: a client needs it to read a Retry-After date when its own clock differs.
    kept["date"] = at.strftime("%a, %d %b %Y %H:%M:%S GMT")
    reply.replace(status, orjson.dumps(body), JSON, **kept, **headers)


def _wait(reply: GraphReply, value: str) -> dict[str, str]:
    if not value:
        return {}
    if value.startswith("date"):
        moment = reply.asked.simulator.clock.now() + timedelta(seconds=int(value[4:]))
        value = moment.strftime("%a, %d %b %Y %H:%M:%S GMT")
    return {"retry_after": value}


@fault("G1, G2", RETRY_AFTER)
def throttled(reply: GraphReply, value: str) -> None:
    """429 TooManyRequests with the headers of throttling; the form is that of Retry-After."""
    simulator = reply.asked.simulator
    scope = f"Tenant_Application/ReadWrite/{simulator.secret_app.client_id}/{simulator.tenant_id}"
    refuse(reply, 429, "TooManyRequests", "Too many requests.", **_wait(reply, value), x_ms_throttle_scope=scope,
           x_ms_throttle_information="CPULimitExceeded", x_ms_throttle_limit_percentage="1.8")  # fmt: skip


@fault("G1, G2", RETRY_AFTER)
def unavailable(reply: GraphReply, value: str) -> None:
    """503 serviceNotAvailable; the form is that of Retry-After."""
    refuse(reply, 503, "serviceNotAvailable", "The service is temporarily unavailable.", **_wait(reply, value))


@fault("G1, G2", RETRY_AFTER)
def gateway_timeout(reply: GraphReply, value: str) -> None:
    """504 UnknownError; the form is that of Retry-After."""
    refuse(reply, 504, "UnknownError", "The gateway did not get an answer in time.", **_wait(reply, value))


@fault("G3", ("500", "502"))
def failed(reply: GraphReply, value: str) -> None:
    """500 or 502 UnknownError, as Graph really sends them."""
    refuse(reply, int(value), "UnknownError", "")


REFUSALS = {
    400: ("Request_BadRequest", "The request is malformed."),
    403: ("Authorization_RequestDenied", "Insufficient privileges to complete the operation."),
    404: ("Request_ResourceNotFound", "Resource does not exist."),
    405: ("Request_BadRequest", "Specified HTTP method is not allowed for the request target."),
    501: ("NotImplemented", "The property is not supported."),
}


@fault("G4", [str(status) for status in REFUSALS])
def refused(reply: GraphReply, value: str) -> None:
    """A status that a retry does not change; 403 is a missing permission."""
    refuse(reply, int(value), *REFUSALS[int(value)])


@fault("G5")
def unauthorized(reply: GraphReply, value: str) -> None:
    """401 InvalidAuthenticationToken, also for a valid token."""
    message = "Lifetime validation failed, the token is expired."
    refuse(reply, 401, "InvalidAuthenticationToken", message, www_authenticate='Bearer realm=""')


@fault("G6", [str(number) for number in CODES])
def aadsts(reply: GraphReply, value: str) -> None:
    """The token service refuses with this AADSTS number; use it on the stream token."""
    simulator = reply.asked.simulator
    facts = {"tenant": simulator.tenant_domain, "client": simulator.secret_app.client_id, "user": "somebody"}
    status, body = refusal_body(int(value), facts, at=simulator.clock.now(), trace_id="simulated", correlation_id="-")
    reply.replace(status, orjson.dumps(body), JSON)


@fault("G12", {"with-location": "location", "bare": ""})
def gone(reply: GraphReply, value: str) -> None:
    """The sync state is lost: 410 syncStateNotFound, with or without Location."""
    path = reply.asked.template
    headers = {"location": f"{reply.asked.simulator.origin}{path}?$deltatoken="} if value else {}
    refuse(reply, 410, "syncStateNotFound", "The sync state generation is not found.", **headers)


@fault("G12")
def expired_page_token(reply: GraphReply, value: str) -> None:
    """400 Directory_ExpiredPageToken, as in big tenants after many pages."""
    refuse(reply, 400, "Directory_ExpiredPageToken", "The specified page token value has expired.")


@fault("G12", ("410", "400"))
def resync_required(reply: GraphReply, value: str) -> None:
    """resyncRequired, without Location, as 410 or 400."""
    refuse(reply, int(value), "resyncRequired", "Resync required. Replace any local items with the server's version.")


@fault("G12", ("400", "404"))
def sync_state_not_found(reply: GraphReply, value: str) -> None:
    """syncStateNotFound as the documentation's "40X", without Location."""
    refuse(reply, int(value), "syncStateNotFound", "The sync state generation is not found.")


@fault("G12")
def badly_formed_token(reply: GraphReply, value: str) -> None:
    """400 Badly formed token, as for a truncated link or a link of another version."""
    refuse(reply, 400, "Request_BadRequest", "Badly formed token.")
