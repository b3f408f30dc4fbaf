"""The Entra token service: discovery, user realm and the two grants that the product uses, with AADSTS errors.

It never logs a secret. Source: learn.microsoft.com/entra/identity-platform/reference-error-codes
"""

from __future__ import annotations

import hmac
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import orjson
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from server.simulator.signin.aadsts import refusal_body
from server.simulator.signin.credential import Account, App, Registry
from server.simulator.signin.token import GRAPH_RESOURCE, Tokens, base64url, public_keys, sign
from server.simulator.tenant.directory import TenantDirectory
from server.simulator.variant import Variants
from sync.clock import Clock

GRAPH_APP_ID = "00000003-0000-0000-c000-000000000000"
OPENID_SCOPES = frozenset({"openid", "profile", "email", "offline_access"})
NO_STORE = {"Cache-Control": "no-store, no-cache", "Pragma": "no-cache"}


class SignInRefused(Exception):
    """The token service refuses, with an AADSTS number and the facts of its text."""

    def __init__(self, number: int, **facts: str) -> None:
        super().__init__(number)
        self.number = number
        self.facts = facts


class SignIn:
    """The sign-in service of one tenant."""

    def __init__(
        self, registry: Registry, tokens: Tokens, directory: TenantDirectory, clock: Clock, variants: Variants
    ) -> None:
        self.registry = registry
        self.tokens = tokens
        self.origin = ""
        self._variants = variants
        self._directory = directory
        self._tenant_id = directory.population.tenant_id
        self._domain = directory.population.domain
        self._clock = clock
        self._serial = 0

    def routes(self) -> list[Route]:
        """Return the routes under the authority."""
        return [
            Route("/common/discovery/instance", self.discover),
            Route("/common/userrealm/{user}", self.user_realm),
            Route("/common/UserRealm/{user}", self.user_realm),
            Route("/{tenant}/v2.0/.well-known/openid-configuration", self.openid_configuration),
            Route("/{tenant}/discovery/v2.0/keys", self.keys),
            Route("/{tenant}/oauth2/v2.0/token", self.token, methods=["POST"]),
        ]

    async def discover(self, request: Request) -> Response:
        """Answer instance discovery: this host is its own cloud."""
        host = urlsplit(self.origin).netloc
        metadata = {"preferred_network": host, "preferred_cache": host, "aliases": [host]}
        endpoint = f"{self.origin}/{self._tenant_id}/v2.0/.well-known/openid-configuration"
        return JSONResponse({"tenant_discovery_endpoint": endpoint, "api-version": "1.1", "metadata": [metadata]})

    async def user_realm(self, request: Request) -> Response:
        """Answer whether an account signs in here or at a federated identity provider."""
        user: str = request.path_params["user"]
        domain = user.rpartition("@")[2]
        account = self.registry.accounts.get(user.casefold())
        body: dict[str, Any] = {"ver": "1.0", "account_type": "Managed", "domain_name": domain}
        if account is not None and account.federated:
            base = f"https://adfs.{domain}/adfs/services/trust"
            body |= {
                "account_type": "Federated",
                "federation_protocol": "WSTrust",
                "federation_metadata_url": f"{base}/mex",
                "federation_active_auth_url": f"{base}/2005/usernamemixed",
            }
        elif domain.casefold() != self._domain:
            body = {"ver": "1.0", "account_type": "Unknown", "domain_name": domain}
        cloud = {"cloud_instance_name": "microsoftonline.com", "cloud_audience_urn": "urn:federation:MicrosoftOnline"}
        return JSONResponse(body | cloud)

    async def openid_configuration(self, request: Request) -> Response:
        """Answer the OpenID configuration of the tenant."""
        tenant: str = request.path_params["tenant"]
        try:
            self._check_tenant(tenant)
        except SignInRefused as refused:
            return self._refusal(refused, request)
        base = f"{self.origin}/{self._tenant_id}"
        return JSONResponse(
            {
                "token_endpoint": f"{base}/oauth2/v2.0/token",
                "token_endpoint_auth_methods_supported": ["client_secret_post", "private_key_jwt"],
                "jwks_uri": f"{base}/discovery/v2.0/keys",
                "response_types_supported": ["code", "id_token", "code id_token", "id_token token"],
                "scopes_supported": ["openid", "profile", "email", "offline_access"],
                "issuer": f"{base}/v2.0",
                "authorization_endpoint": f"{base}/oauth2/v2.0/authorize",
                "device_authorization_endpoint": f"{base}/oauth2/v2.0/devicecode",
                "tenant_region_scope": "EU",
                "cloud_instance_name": "microsoftonline.com",
                "cloud_graph_host_name": "graph.windows.net",
                "msgraph_host": urlsplit(self.origin).netloc,
            }
        )

    async def keys(self, request: Request) -> Response:
        """Answer the public half of the signing key."""
        return JSONResponse(public_keys())

    async def token(self, request: Request) -> Response:
        """Answer a token request, or an AADSTS error."""
        body = (await request.body()).decode("utf-8", "replace")
        form = dict(parse_qsl(body, keep_blank_values=True))
        try:
            self._check_tenant(request.path_params["tenant"])
            answer = self.grant(form)
        except SignInRefused as refused:
            return self._refusal(refused, request)
        return Response(orjson.dumps(answer), media_type="application/json; charset=utf-8", headers=NO_STORE)

    def grant(self, form: dict[str, str]) -> dict[str, Any]:
        """Return the token response for a form.

        Raises:
            SignInRefused: a check failed; they run in Entra ID's order: request, application, resource, user, consent.
        """
        for field in ("grant_type", "client_id"):
            if not form.get(field):
                raise SignInRefused(90014, field=field)
        kind = form["grant_type"]
        if kind not in ("client_credentials", "password"):
            raise SignInRefused(70003, grant=kind)
        app = self._app(form["client_id"])
        if "client_secret" in form:
            self._check_secret(app, form["client_secret"])
        elif kind == "client_credentials" or not app.public_flows:
            raise SignInRefused(7000218)
        self._check_resource(form.get("scope", ""), kind)
        if self._is_for_server(form["scope"]):
            return self._server_grant(app, kind, form)
        return self._application_grant(app) if kind == "client_credentials" else self._password_grant(app, form)

    def _is_for_server(self, scope: str) -> bool:
        return any(_resource(name) == self.registry.server_id for name in scope.split())

    def _server_grant(self, app: App, kind: str, form: dict[str, str]) -> dict[str, Any]:
        """Issue an access token (version 2.0) for the product's server."""
        account = self._signed_in(form) if kind == "password" else None
        now, lifetime_s = int(self._clock.now().timestamp()), self._variants.token_lifetime_s
        claims: dict[str, Any] = {
            "aud": self.registry.server_id,
            "iss": f"{self.origin}/{self._tenant_id}/v2.0",
            "iat": now,
            "nbf": now,
            "exp": now + lifetime_s,
            "azp": app.client_id,
            "roles": sorted(app.app_roles if account is None else account.app_roles),
            "tid": self._tenant_id,
            "ver": "2.0",
        }
        ids = self._directory.population.ids
        if account is None:
            claims |= {"oid": ids.encode(14, len(app.name)), "idtyp": "app"}
        else:
            claims |= {"oid": ids.encode(11, len(account.username)), "scp": "access_as_user"}
            claims |= {"name": "Sync Service", "preferred_username": account.username}
        answer = {"token_type": "Bearer", "expires_in": lifetime_s, "ext_expires_in": lifetime_s}
        return answer | {"access_token": sign(claims | {"sub": claims["oid"]})}

    def _application_grant(self, app: App) -> dict[str, Any]:
        # Without consent Entra ID still issues a token; it carries no role, and Graph answers 403.
        return self._issue(app, roles=app.roles if app.consented else set(), scopes=set(), user=None)

    def _signed_in(self, form: dict[str, str]) -> Account:
        for field in ("username", "password"):
            if not form.get(field):
                raise SignInRefused(90014, field=field)
        account = self._account(form["username"])
        if not hmac.compare_digest(account.password.encode(), form["password"].encode()):
            raise SignInRefused(50126)
        refusals = {"mfa": 50076, "disabled": 50057, "locked": 50053, "expired": 50055}
        if account.state in refusals:
            raise SignInRefused(refusals[account.state])
        return account

    def _password_grant(self, app: App, form: dict[str, str]) -> dict[str, Any]:
        account = self._signed_in(form)
        if not app.consented:
            raise SignInRefused(65001, client=app.client_id, name=app.name)
        answer = self._issue(app, roles=set(), scopes=app.scopes, user=account.username)
        resource = self.origin if self.origin in form["scope"] else GRAPH_RESOURCE
        answer["scope"] = " ".join(f"{resource}/{name}" for name in sorted(app.scopes))
        uid = self._directory.population.ids.encode(11, len(account.username))
        if "client_info" in form:
            answer["client_info"] = base64url(orjson.dumps({"uid": uid, "utid": self._tenant_id}))
        if "openid" in form["scope"].split():
            now = int(self._clock.now().timestamp())
            claims = {"aud": app.client_id, "iss": f"{self.origin}/{self._tenant_id}/v2.0", "iat": now, "nbf": now}
            claims |= {"exp": now + self._variants.token_lifetime_s, "oid": uid, "sub": uid}
            claims |= {"tid": self._tenant_id, "ver": "2.0"}
            answer["id_token"] = sign(claims | {"preferred_username": account.username, "name": "Sync Service"})
        return answer

    def _issue(self, app: App, *, roles: set[str], scopes: set[str], user: str | None) -> dict[str, Any]:
        lifetime_s = self._variants.token_lifetime_s
        issuer = f"https://sts.windows.net/{self._tenant_id}/"
        token = self.tokens.issue(
            app.client_id, roles=roles, scopes=scopes, user=user, lifetime_s=lifetime_s, issuer=issuer
        )
        answer = {"token_type": "Bearer", "expires_in": lifetime_s, "ext_expires_in": lifetime_s}
        return answer | {"access_token": token}

    def _check_tenant(self, tenant: str) -> None:
        if tenant.casefold() not in (self._tenant_id, self._domain):
            raise SignInRefused(90002, tenant=tenant)

    def _app(self, client_id: str) -> App:
        app = self.registry.apps.get(client_id.lower())
        if app is None:
            raise SignInRefused(700016, client=client_id)
        if app.disabled:
            raise SignInRefused(7000112, client=app.client_id, name=app.name)
        return app

    @staticmethod
    def _check_secret(app: App, secret: str) -> None:
        for known, valid in app.secrets.items():
            if hmac.compare_digest(known.encode(), secret.encode()):
                if not valid:
                    raise SignInRefused(7000222, client=app.client_id)
                return
        raise SignInRefused(7000215, client=app.client_id)

    def _check_resource(self, scope: str, kind: str) -> None:
        wanted = [name for name in scope.split() if name not in OPENID_SCOPES]
        if not wanted:
            raise SignInRefused(90014, field="scope")
        for name in wanted:
            resource = name.rpartition("/")[0]
            if kind == "client_credentials" and not name.endswith("/.default"):
                raise SignInRefused(70011, scope=name)
            if _resource(name) == self.registry.server_id:
                continue
            hosts = (None, urlsplit(self.origin).hostname, "graph.microsoft.com")
            if resource.rstrip("/") != GRAPH_APP_ID and urlsplit(resource).hostname not in hosts:
                raise SignInRefused(500011, resource=resource)

    def _account(self, username: str) -> Account:
        account = self.registry.accounts.get(username.casefold())
        if account is None:
            known = self._directory.find_user(username)
            if known is None:
                raise SignInRefused(50034, user=username)
            # Generated users exist, but have no password.
            raise SignInRefused(50126)
        if account.federated:  # only the federated identity provider, which is not simulated, could check the password
            raise SignInRefused(50126)
        return account

    def _refusal(self, refused: SignInRefused, request: Request) -> Response:
        self._serial += 1
        encode = self._directory.population.ids.encode
        status, body = refusal_body(
            refused.number,
            {"tenant": self._domain} | refused.facts,
            at=self._clock.now(),
            trace_id=encode(12, self._serial),
            correlation_id=request.headers.get("client-request-id") or encode(13, self._serial),
        )
        return JSONResponse(body, status_code=status, headers=NO_STORE)


def _resource(scope: str) -> str:
    """Return a scope's resource: the id in `api://id/.default` and in `id/.default`."""
    return scope.rpartition("/")[0].removeprefix("api://")
