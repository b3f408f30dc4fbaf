"""The HTTP client that MSAL uses: sends to the sign-in service only, and follows no redirect.

MSAL posts the secret to the token endpoint that the metadata names; this client checks every address first. MSAL
expects the interface and the exceptions of a `requests` session, so errors are translated, without the request, which
contains the secret. Federated accounts are refused here: MSAL would send their password to the organization's own
federation server.

Source: msal-python.readthedocs.io (http_client), learn.microsoft.com/entra/identity-platform/v2-oauth-ropc
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC
from typing import Any
from urllib.parse import quote

import httpx
import orjson
import requests

from sync.clock import Clock
from sync.entra.cloud import Endpoints, parse_origin, sign_in_origins
from sync.entra.diagnose import aadsts_numbers, sign_in_error
from sync.entra.graph.body import unpack
from sync.entra.graph.retry import parse_http_date, parse_retry_after
from sync.entra.outbound import DIRECT, Outbound
from sync.entra.transport import USER_AGENT, TransportFailure, failure, through_proxy, timeouts, tls_context
from sync.errors import BadInput, BadResponse, EntraError, OffOrigin, SignInFailed, Throttled, Unavailable

ANSWER_BYTES_MAX = 1024 * 1024
"""The largest answer accepted."""

_USER_REALM = "/common/userrealm/"
_METADATA_END = "/.well-known/openid-configuration"
_METADATA_NAMES = ("token_endpoint", "authorization_endpoint")
_TOO_MANY_REQUESTS = 429


@dataclass(frozen=True)
class SignInLimits:
    """Time limits: for a silence of the sign-in service, for the body of one answer, and for a whole sign-in."""

    silence_s: float = 30.0
    body_s: float = 60.0
    sign_in_s: float = 90.0


class AuthorityAnswer:
    """An answer with the attributes that MSAL reads."""

    def __init__(self, status_code: int, text: str, headers: Mapping[str, str]) -> None:
        self.status_code = status_code
        self.text = text
        self.headers = dict(headers)

    def raise_for_status(self) -> None:
        """Raise the error of `requests` for a status of 400 or more."""
        if self.status_code >= 400:
            raise requests.exceptions.HTTPError(f"status {self.status_code}")


class AuthorityClient:
    """A connection to the sign-in service for one sign-in; it blocks, so use it in a worker thread."""

    def __init__(self, endpoints: Endpoints, clock: Clock, limits: SignInLimits, outbound: Outbound = DIRECT) -> None:
        self._endpoints = endpoints
        self._outbound = outbound
        self._clock = clock
        self._limits = limits
        self._allowed = sign_in_origins(endpoints.authority)
        self._home = httpx.URL(endpoints.authority)
        context = tls_context(endpoints.ca_file, outbound)
        self._client = httpx.Client(
            verify=context,
            mounts=through_proxy(httpx.HTTPTransport, outbound, self._allowed, context),
            timeout=timeouts(limits.silence_s),
            follow_redirects=False,
            trust_env=False,
            headers={"Accept-Encoding": "gzip", "User-Agent": USER_AGENT},
        )

    def get(
        self,
        url: str,
        params: Mapping[str, Any] | None = None,
        headers: Mapping[str, Any] | None = None,
        **_: object,
    ) -> AuthorityAnswer:
        """Read metadata or an account's realm.

        Raises:
            EntraError: the address leaves the service, the tenant is refused or the account is federated.
            requests.exceptions.RequestException: no answer.
        """
        target = self._target(url)
        answer = self._send("GET", target, params, headers, None)
        if target.path.endswith(_METADATA_END):
            self._check_metadata(answer)
        elif target.path.startswith(_USER_REALM):
            _refuse_federated(answer)
        return answer

    def post(
        self,
        url: str,
        params: Mapping[str, Any] | None = None,
        data: Mapping[str, Any] | None = None,
        headers: Mapping[str, Any] | None = None,
        **_: object,
    ) -> AuthorityAnswer:
        """Ask for a token.

        Raises:
            EntraError: the address leaves the service, or its answer is not a JSON object.
            requests.exceptions.RequestException: no answer.
        """
        answer = self._send("POST", self._target(url), params, headers, data)
        # MSAL would log a body that is not JSON: refuse it first.
        json_object(answer)
        return answer

    def close(self) -> None:
        """Close the connection."""
        self._client.close()

    def _target(self, url: str) -> httpx.URL:
        """Return the parsed address if it is on the sign-in service; else raise OffOrigin."""
        try:
            target = httpx.URL(_quoted_user(url))
            if target.host == self._home.host and target.port is None:
                # MSAL drops the port when it requests the realm of an account.
                target = target.copy_with(port=self._home.port)
            origin = parse_origin(f"{target.scheme}://{target.netloc.decode('ascii')}")
        except (httpx.InvalidURL, BadInput, UnicodeError):
            origin = ""
        if origin not in self._allowed or target.userinfo:
            raise OffOrigin(
                "The sign-in service named an address on another host; nothing was sent there.",
                hint="Check that the credential's cloud is the tenant's cloud.",
            )
        return target

    def _send(
        self,
        method: str,
        url: httpx.URL,
        params: Mapping[str, Any] | None,
        headers: Mapping[str, Any] | None,
        data: Mapping[str, Any] | None,
    ) -> AuthorityAnswer:
        present = {name: str(value) for name, value in (headers or {}).items() if value is not None}
        request = self._client.build_request(method, url, params=params, headers=present, data=data)
        proxied = self._outbound.proxy_of(str(request.url)) is not None
        lost: Exception
        try:
            response = self._client.send(request, stream=True)
            try:
                answer = self._read(response)
            finally:
                response.close()
        except httpx.TimeoutException as error:
            lost = requests.exceptions.Timeout(failure(error, proxied=proxied))
        except httpx.RequestError as error:
            lost = requests.exceptions.ConnectionError(failure(error, proxied=proxied))
        else:
            self._check_status(answer)
            return answer
        # Raise outside the `except` block: the context would keep the request, which contains the secret.
        raise lost

    def _read(self, response: httpx.Response) -> AuthorityAnswer:
        deadline = self._clock.monotonic() + self._limits.body_s
        body = bytearray()
        for chunk in response.iter_raw():
            body += chunk
            if len(body) > ANSWER_BYTES_MAX:
                raise BadResponse("The sign-in service sent too large an answer.")
            if self._clock.monotonic() > deadline:
                raise Unavailable("The sign-in service took too long to answer.")
        unpacked = unpack(bytes(body), response.headers.get("content-encoding", "").lower(), ANSWER_BYTES_MAX)
        return AuthorityAnswer(response.status_code, unpacked.decode("utf-8", "replace"), response.headers)

    def _check_status(self, answer: AuthorityAnswer) -> None:
        """Raise for answers that do not concern the credential: throttling, server errors, redirects."""
        status = answer.status_code
        if 300 <= status < 400:
            raise OffOrigin("The sign-in service sent a redirect; redirects are not followed.", status=status)
        if status != _TOO_MANY_REQUESTS and status < 500:
            return
        sent = parse_http_date(answer.headers.get("date")) or self._clock.now().astimezone(UTC)
        wait_s = parse_retry_after(answer.headers.get("retry-after"), now=sent)
        facts: dict[str, Any] = {"status": status} | ({} if wait_s is None else {"retry_after_s": wait_s})
        if status == _TOO_MANY_REQUESTS:
            raise Throttled("The sign-in service asked to wait.", **facts)
        raise Unavailable(
            f"The sign-in service answered with server error {status}.",
            hint="If it lasts, see the Microsoft 365 service health.",
            **facts,
        )

    def _check_metadata(self, answer: AuthorityAnswer) -> None:
        """Raise unless the tenant's metadata is valid; MSAL would hide the cause."""
        metadata = json_object(answer)
        if answer.status_code != 200:
            if aadsts_numbers(metadata) or "error" in metadata:
                raise sign_in_error(metadata)
            raise SignInFailed(
                f"The sign-in service does not know the tenant (status {answer.status_code}).",
                hint="Check the tenant id and the cloud of the credential.",
                status=answer.status_code,
            )
        for name in _METADATA_NAMES:
            if not isinstance(metadata.get(name), str):
                raise BadResponse("The sign-in service sent metadata without its endpoints.")
            self._target(metadata[name])


def _quoted_user(url: str) -> str:
    """Quote the user name, which MSAL puts into the address unquoted."""
    before, found, after = url.partition(_USER_REALM)
    if not found:
        return url
    user, mark, query = after.rpartition("?api-version=")
    return f"{before}{found}{quote(user, safe='@')}{mark}{query}" if mark else url


def json_object(answer: AuthorityAnswer) -> dict[str, Any]:
    """Return the JSON object in an answer.

    Raises:
        BadResponse: the answer is not a JSON object.
    """
    try:
        value = orjson.loads(answer.text.encode("utf-8", "replace"))
    except orjson.JSONDecodeError:
        value = None
    if not isinstance(value, dict):
        raise BadResponse(
            "The sign-in service sent an answer that cannot be understood.",
            hint="A proxy between this server and Microsoft may have answered in its place.",
            status=answer.status_code,
        )
    return value


def _refuse_federated(answer: AuthorityAnswer) -> None:
    if answer.status_code != 200:
        return  # MSAL continues without the realm after a 404 and raises for other statuses.
    if str(json_object(answer).get("account_type", "")).lower() == "federated":
        raise SignInFailed(
            "The account belongs to a federated domain; such accounts cannot sign in with a password here.",
            hint="Use a cloud-only account (name@tenant.onmicrosoft.com), or a client-secret credential.",
            account_type="Federated",
        )


def connection_error(error: requests.exceptions.RequestException) -> EntraError:
    """Turn a failed request into Unavailable; its reason is a fixed text."""
    reason = error.args[0] if error.args else None
    why = reason if isinstance(reason, TransportFailure) else TransportFailure("there was no answer")
    return Unavailable(f"The sign-in service could not be reached: {why.reason}.", hint=why.hint, reason=why.reason)
