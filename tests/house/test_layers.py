"""Imports point one way: server, then schema, then sync, with the store as the floor (docs/architecture.md)."""

from __future__ import annotations

import pytest

from tests.house.source import PRODUCT, listed, modules

# Folder: what nothing below it may import.
FORBIDDEN = {
    "sync/": ("server", "schema", "strawberry", "graphql", "starlette", "uvicorn", "click", "rich"),
    "schema/": ("server", "starlette", "uvicorn", "httpx", "msal", "click", "rich"),
}
# The floor: all of ours that the store may import.
STORE_MAY_IMPORT = ("sync.errors", "sync.clock", "sync.store")
# Who may import a package, because a rule lives there: one Graph client, one sign-in, one vault, one terminal.
ONLY_IN = {
    "httpx": ("sync/entra/", "sync/alert/", "server/demo/", "server/command/watch.py"),
    "msal": ("sync/entra/signin/token.py",),
    "requests": ("sync/entra/",),
    "cryptography": ("sync/secret/vault.py", "server/simulator/"),
    "trustme": ("server/simulator/",),
    "rich": ("server/command/cli.py", "server/demo/", "server/command/progress.py", "server/command/watch.py"),
}
ENVIRONMENT = ("os.environ", "os.environb", "os.getenv", "os.getenvb")


def belongs(name: str, packages: tuple[str, ...]) -> bool:
    """Tell whether a dotted name is one of the packages, or inside one."""
    return any(name == package or name.startswith(package + ".") for package in packages)


@pytest.mark.parametrize("folder", FORBIDDEN)
def test_layer_imports_nothing_above_it_at_any_time(folder: str) -> None:
    """A lower layer never imports an upper one, nor the upper one's libraries, not even for types."""
    problems = [
        f"{module.path}:{line} imports {name}"
        for module in modules(folder)
        for name, line in module.imported.items()
        if belongs(name, FORBIDDEN[folder])
    ]
    assert not problems, listed(problems)


def test_store_imports_only_errors_and_clock_of_ours() -> None:
    """sync/store knows nothing of Graph, tasks or the inventory."""
    problems = [
        f"{module.path}:{line} imports {name}"
        for module in modules("sync/store/")
        for name, line in module.imported.items()
        if belongs(name, ("sync", "schema", "server")) and not belongs(name, STORE_MAY_IMPORT)
    ]
    assert not problems, listed(problems)


@pytest.mark.parametrize("package", ONLY_IN)
def test_package_is_imported_only_where_its_rules_are_kept(package: str) -> None:
    """Requests to Microsoft, sign-in and sealing have one door each; a second one would skip the rules."""
    problems = [
        f"{module.path}:{line} imports {name}; only {' and '.join(ONLY_IN[package])} may"
        for module in modules(*PRODUCT)
        for name, line in module.imported.items()
        if belongs(name, (package,)) and not module.path.startswith(ONLY_IN[package])
    ]
    assert not problems, listed(problems)


def test_environment_is_read_only_by_settings() -> None:
    """A setting has one door: server/settings/read.py, which knows every name and never echoes a value."""
    problems = [
        f"{module.path}:{line} reads {name}; take it from server/settings/read.py"
        for module in modules(*PRODUCT)
        if module.path != "server/settings/read.py"
        for name, line in module.uses
        if belongs(name, ENVIRONMENT)
    ]
    assert not problems, listed(problems)
