"""Reads the tree as a person would see it after `git clone`; never imports what it reads."""

from __future__ import annotations

import ast
import functools
import gc
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
PRODUCT = ("server/", "schema/", "sync/")
# Written by Alembic, or by somebody else and kept as it came.
NOT_OURS = ("sync/store/migrations/versions/", "server/graphql/ide/")


@functools.cache
def tracked(*suffixes: str) -> tuple[str, ...]:
    """Return the paths that are, or would be, committed, ending in one of the suffixes; all without any."""
    # The clone may belong to another user, as in a container; reading its list of files is harmless.
    command = ["git", "-c", "safe.directory=*", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    output = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    paths = {path for path in output.split("\0") if path and (ROOT / path).is_file()}
    return tuple(sorted(path for path in paths if not suffixes or path.endswith(suffixes)))


@dataclass(frozen=True)
class Module:
    """One Python file, parsed."""

    path: str
    text: str
    tree: ast.Module

    @property
    def name(self) -> str:
        """Return the dotted name the file is imported by."""
        return self.path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")

    @functools.cached_property
    def imported(self) -> dict[str, int]:
        """Return every module or name imported anywhere in the file, with its line."""
        return {
            target: node.lineno
            for node in ast.walk(self.tree)
            if isinstance(node, (ast.Import, ast.ImportFrom))
            for target in self._targets(node)
        }

    @functools.cached_property
    def aliases(self) -> dict[str, str]:
        """Return what each imported local name stands for."""
        found: dict[str, str] = {}
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Import):
                for alias in node.names:
                    top = alias.name.partition(".")[0]
                    found[alias.asname or top] = alias.name if alias.asname else top
            elif isinstance(node, ast.ImportFrom):
                found |= {(a.asname or a.name): f"{self._origin(node)}.{a.name}" for a in node.names}
        return found

    @functools.cached_property
    def uses(self) -> list[tuple[str, int]]:
        """Return each dotted name that is read, with imports resolved, and its line."""
        read_here = (node for node in ast.walk(self.tree) if isinstance(node, (ast.Attribute, ast.Name)))
        return [(name, node.lineno) for node in read_here if (name := self.dotted(node))]

    def dotted(self, node: ast.expr) -> str | None:
        """Return the full name an expression such as `datetime.now` stands for, if it starts at an import."""
        if isinstance(node, ast.Name):
            return self.aliases.get(node.id)
        if isinstance(node, ast.Attribute) and (start := self.dotted(node.value)):
            return f"{start}.{node.attr}"
        return None

    def functions(self) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
        """Yield every function and method."""
        for node in ast.walk(self.tree):
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
                yield node

    def _targets(self, node: ast.Import | ast.ImportFrom) -> list[str]:
        if isinstance(node, ast.Import):
            return [alias.name for alias in node.names]
        return [f"{self._origin(node)}.{alias.name}" for alias in node.names]

    def _origin(self, node: ast.ImportFrom) -> str:
        """Return the absolute module a `from` import reads."""
        if not node.level:
            return node.module or ""
        here = self.name.split(".")
        package = here if self.path.endswith("__init__.py") else here[:-1]
        return ".".join([*package[: len(package) - node.level + 1], *filter(None, [node.module])])


@functools.cache
def modules(*prefixes: str) -> tuple[Module, ...]:
    """Return our Python files whose path starts with one of the prefixes."""
    paths = [path for path in tracked(".py") if path.startswith(prefixes) and not path.startswith(NOT_OURS)]
    return tuple(map(_module, paths))


@functools.cache
def _module(path: str) -> Module:
    return Module(path, read(path), _tree(path))


def _tree(path: str) -> ast.Module:
    """Parse a file while nothing is collected.

    What another test left behind may log a traceback as it is collected, which parses a line in the middle of this
    file, which CPython 3.11 takes for a mismatch of depths: https://github.com/python/cpython/issues/106905
    """
    gc.disable()
    try:
        return ast.parse(read(path), path)
    finally:
        gc.enable()


@functools.cache
def read(path: str) -> str:
    """Return the text of a file of the tree."""
    return (ROOT / path).read_text(encoding="utf-8")


def listed(problems: list[str]) -> str:
    """Return an assertion message with one problem a line."""
    return "\n" + "\n".join(sorted(problems))
