"""The app registrations and accounts of the simulated tenant."""

from __future__ import annotations

from dataclasses import dataclass, field
from hashlib import blake2b

from server.simulator.tenant.population import Population

APPLICATION_PERMISSIONS = frozenset({"Device.Read.All", "Group.Read.All", "User.Read.All"})
PASSWORD_STATES = ("ok", "mfa", "disabled", "locked", "expired")


@dataclass(frozen=True, slots=True)
class AppCredential:
    """A credential for the product: one application, and a secret or an account."""

    client_id: str
    client_secret: str = field(default="", repr=False)
    username: str = ""
    password: str = field(default="", repr=False)


@dataclass(slots=True)
class App:
    """One app registration.

    `roles` are application permissions and `scopes` delegated permissions; both count only while `consented`.
    `app_roles` are its roles in the server's own app registration.
    """

    client_id: str
    name: str
    secrets: dict[str, bool] = field(default_factory=dict, repr=False)  # secret → still valid
    public_flows: bool = False
    roles: set[str] = field(default_factory=set)
    scopes: set[str] = field(default_factory=set)
    app_roles: set[str] = field(default_factory=set)
    consented: bool = True
    disabled: bool = False


@dataclass(slots=True)
class Account:
    """One account for sign-in by password; `state` is one of PASSWORD_STATES, `app_roles` are as in `App`."""

    username: str
    password: str = field(repr=False)
    state: str = "ok"
    federated: bool = False
    app_roles: set[str] = field(default_factory=set)


class Registry:
    """The apps and accounts of one tenant, the same for the same seed."""

    def __init__(self, population: Population) -> None:
        self._seed = population.seed
        encode = population.ids.encode
        secret, password = self._canary("secret"), self._canary("password")
        username = f"sync.service@{population.domain}"
        self.secret_app = AppCredential(encode(10, 0), secret)
        self.password_app = AppCredential(encode(10, 1), username=username, password=password)
        self.expired_secret = self._canary("expired")
        # The server's own app registration: the audience of its callers' tokens.
        self.server_id = encode(10, 2)
        permissions = set(APPLICATION_PERMISSIONS)
        self.apps = {
            app.client_id: app
            for app in (
                App(
                    encode(10, 0),
                    "Rollcall (secret)",
                    {secret: True, self.expired_secret: False},
                    roles=permissions,
                    app_roles={"Rollcall.Viewer"},
                ),
                App(encode(10, 1), "Rollcall (password)", public_flows=True, scopes=set(permissions)),
            )
        }
        self.accounts = {username.casefold(): Account(username, password, app_roles={"Rollcall.User"})}
        for state in PASSWORD_STATES[1:]:
            self._add(Account(f"{state}@{population.domain}", password, state))
        self._add(Account(f"federated@{population.domain}", password, federated=True))

    def _add(self, account: Account) -> None:
        self.accounts[account.username.casefold()] = account

    def _canary(self, purpose: str) -> str:
        # Checks of logs and databases search for the word "canary" to find a leaked secret.
        return f"sim~canary-{blake2b(f'{purpose} {self._seed}'.encode(), digest_size=16).hexdigest()}"

    @property
    def admin_key(self) -> str:
        """Return the bearer token of the admin API."""
        return self._canary("admin")
