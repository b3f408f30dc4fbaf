"""The tree is easy to find one's way in: small folders, no circles, one name for one thing (docs/architecture.md)."""

from __future__ import annotations

import ast
from collections import Counter, defaultdict
from pathlib import PurePath

from tests.house.source import PRODUCT, Module, listed, modules

MODULES_MAX = 15
# Folder → why it holds more.
LARGE_FOLDERS = {"schema/types": "one noun a file"}
# A class of the API and the class of sync that it shows: both are this noun.
SAME_NOUN = {"Match", "Retention", "RunError", "ScanOptions", "Schedule", "Server", "Service"}


def test_folder_holds_few_enough_modules_to_read_its_list() -> None:
    """A folder of more than fifteen modules holds two ideas."""
    sizes = Counter(str(PurePath(module.path).parent) for module in modules(*PRODUCT) if not is_package(module))
    large = {folder for folder, number in sizes.items() if number > MODULES_MAX}
    assert large == set(LARGE_FOLDERS), listed(sorted(large ^ set(LARGE_FOLDERS)))


def test_folder_of_tests_is_named_as_the_folder_that_it_tests() -> None:
    """tests/sync, tests/schema and tests/server mirror the packages: a newcomer finds the tests of a folder at once."""
    known = {str(PurePath(module.path).parent) for module in modules(*PRODUCT)}
    tested = {
        str(PurePath(module.path).parent) for module in modules("tests") if PurePath(module.path).name != "__init__.py"
    }
    mirrored = {
        folder.removeprefix("tests/")
        for folder in tested
        if folder.startswith(tuple(f"tests/{one}" for one in PRODUCT))
    }
    assert len(mirrored) > 15
    assert mirrored <= known, listed(sorted(mirrored - known))


def is_package(module: Module) -> bool:
    """Tell whether a module is the `__init__.py` of a folder."""
    return module.path.endswith("/__init__.py")


def test_no_module_imports_itself_by_a_detour() -> None:
    """Also not for types, nor inside a function: a shared class has a file of its own that both import."""
    known = {module.name: module for module in modules(*PRODUCT)}
    imports = {
        name: {found for target in module.imported if (found := owner(target, known))} for name, module in known.items()
    }
    circles = {name for name in imports if name in reachable(name, imports)}
    assert not circles, listed(sorted(circles))


def owner(target: str, known: dict[str, Module]) -> str | None:
    """Return the module that an imported name is, or is in."""
    if target in known:
        return target
    module = target.rpartition(".")[0]
    return module if module in known else None


def reachable(start: str, imports: dict[str, set[str]]) -> set[str]:
    """Return every module that one imports, directly or not."""
    found: set[str] = set()
    waiting = set(imports[start])
    while waiting:
        name = waiting.pop()
        found.add(name)
        waiting |= imports[name] - found
    return found


def test_public_class_has_a_name_of_its_own() -> None:
    """Two classes of one name would be two things under one word."""
    places: defaultdict[str, list[str]] = defaultdict(list)
    for module in modules(*PRODUCT):
        for node in module.tree.body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                places[node.name].append(module.path)
    shared = {name: paths for name, paths in places.items() if len(paths) > 1}
    problems = [f"{name}: {', '.join(paths)}" for name, paths in shared.items() if name not in SAME_NOUN]
    problems += [f"{name}: no longer shared; take it off the list" for name in SAME_NOUN - set(shared)]
    problems += [f"{name}: {', '.join(paths)}" for name, paths in shared.items() if len(packages(paths)) < len(paths)]
    assert not problems, listed(problems)


def packages(paths: list[str]) -> set[str]:
    """Return the top-level packages of some paths."""
    return {path.partition("/")[0] for path in paths}
