"""Everything installed is pinned by hash, names no host, and has a written reason."""

from __future__ import annotations

import re
import sys
import tomllib
from collections.abc import Iterator

import pytest

from tests.house.source import PRODUCT, ROOT, listed, modules, read, tracked

LOCKS = [path for path in tracked(".txt") if path.startswith("requirements/")]
PIN = re.compile(r"^(?P<name>[a-z0-9][a-z0-9._-]*)==(?P<version>[^\s;\\]+)", re.MULTILINE)
# Imported as, but brought by: what reaches the program as the surface of a direct dependency.
BROUGHT_BY = {
    "dateutil": "strawberry-graphql",
    "greenlet": "sqlalchemy",
    "websockets": "uvicorn",
}
IMPORTED_AS = {
    "graphql": "graphql-core",
    "jwt": "pyjwt",
    "opentelemetry": "opentelemetry-exporter-otlp-proto-http",
    "strawberry": "strawberry-graphql",
}
# Never imported by name: SQLAlchemy loads it for sqlite+aiosqlite:// addresses.
LOADED_BY_NAME = {"aiosqlite"}


def pins(lock: str) -> dict[str, str]:
    """Return name and version of everything a lock file installs."""
    return {pin["name"]: pin["version"] for pin in PIN.finditer(read(lock))}


def direct() -> dict[str, set[str]]:
    """Return the direct dependencies of the program: {extra or "": names}."""
    project = tomllib.loads(read("pyproject.toml"))["project"]
    groups = {"": project["dependencies"], **project.get("optional-dependencies", {})}
    return {group: {re.split(r"[\[<>=~! ;]", line)[0] for line in lines} for group, lines in groups.items()}


@pytest.mark.parametrize("lock", LOCKS)
def test_lock_file_pins_every_package_by_hash(lock: str) -> None:
    """`pip --require-hashes` installs these bytes and no others, from wherever they come."""
    entries = [entry for entry in re.split(r"\n(?=[a-z0-9])", read(lock)) if PIN.match(entry)]
    assert entries
    problems = [entry.partition("\n")[0] for entry in entries if "--hash=sha256:" not in entry]
    assert not problems, listed(problems)


@pytest.mark.parametrize("lock", LOCKS)
def test_lock_file_names_no_host_or_index(lock: str) -> None:
    """Whoever installs chooses the index; the file only says which bytes are right."""
    options = [line for line in read(lock).splitlines() if line.startswith("-") or "://" in line or " @ " in line]
    assert not options, listed(options)


def test_lock_files_agree_on_every_version() -> None:
    """The files are installed together, so one package has one version (the lock tool stands alone)."""
    seen: dict[str, tuple[str, str]] = {}
    problems = []
    for lock in LOCKS:
        for name, version in pins(lock).items() if lock != "requirements/lock.txt" else ():
            first = seen.setdefault(name, (version, lock))
            if first[0] != version:
                problems.append(f"{name}: {first[0]} in {first[1]}, {version} in {lock}; run: make lock")
    assert not problems, listed(problems)


def test_lock_file_stands_beside_every_list() -> None:
    """Each requirements/*.in has been compiled, so that no set-up installs an open version."""
    missing = [path for path in tracked(".in") if path.replace(".in", ".txt") not in LOCKS]
    assert not missing, listed(missing)


def test_lock_file_holds_every_direct_dependency() -> None:
    """requirements/run.txt was compiled after the last change of pyproject.toml."""
    missing = direct()[""] - set(pins("requirements/run.txt"))
    assert not missing, f"run: make lock ({', '.join(missing)})"


def test_npm_lock_file_names_no_host() -> None:
    """package-lock.json carries integrity hashes and no download address."""
    problems = [path for path in tracked("package-lock.json") if '"resolved"' in read(path)]
    assert not problems, listed(problems)


def test_direct_dependency_has_a_reason_in_the_documents() -> None:
    """docs/dependencies.md has one row for each, and none for one that is gone."""
    documented = set(re.findall(r"^\| `([^`]+)`", read("docs/dependencies.md"), re.MULTILINE))
    assert documented == set().union(*direct().values())


def imports() -> Iterator[tuple[str, str]]:
    """Yield (distribution, where) for every third-party import of the program."""
    for module in modules(*PRODUCT):
        for name, line in module.imported.items():
            top = name.partition(".")[0]
            if top not in sys.stdlib_module_names and f"{top}/" not in PRODUCT:
                yield BROUGHT_BY.get(top) or IMPORTED_AS.get(top, top), f"{module.path}:{line}"


def test_imported_package_is_a_direct_dependency() -> None:
    """What the program imports it also asks for, so that it is there tomorrow."""
    known = set().union(*direct().values())
    problems = [f"{where} imports {name}" for name, where in imports() if name not in known]
    assert not problems, listed(problems)


def test_direct_dependency_is_imported_somewhere() -> None:
    """A package that nothing uses is taken off."""
    unused = set().union(*direct().values()) - {name for name, _ in imports()} - LOADED_BY_NAME
    assert not unused, listed(sorted(unused))


def test_python_versions_of_the_project_and_the_tools_agree() -> None:
    """pyproject.toml, ruff, mypy and the set-up script speak of the same oldest Python."""
    project = tomllib.loads(read("pyproject.toml"))
    assert project["project"]["requires-python"] == ">=3.11"
    assert project["tool"]["ruff"]["target-version"] == "py311"
    assert project["tool"]["mypy"]["python_version"] == "3.11"
    assert "(3, 11)" in (ROOT / "requirements/install").read_text()
