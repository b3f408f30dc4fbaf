"""What the documents say is so: their queries, commands, settings, paths and links."""

from __future__ import annotations

import functools
import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from click.testing import CliRunner
from graphql import GraphQLError, GraphQLSchema, build_schema, parse, validate

from server.command.cli import main
from server.command.document import command_document
from sync.errors import BadSearch
from tests.house.source import ROOT, listed, read, tracked

DOCUMENTS = tracked(".md")
FENCE = re.compile(r"^(?P<indent> *)```(?P<language>\w*)[^\n]*\n(?P<body>.*?)^(?P=indent)```", re.MULTILINE | re.DOTALL)
INLINE = re.compile(r"(?<!`)`([^`\n]+)`(?!`)")
LINK = re.compile(r"(?<!!)\[[^\]\n]*\]\((?P<target>[^)\s]+)\)")
SETTING = re.compile(r"\bROLLCALL_[A-Z0-9]+(?:_[A-Z0-9]+)*\b(?!_?\*)")
SHELL = {"sh", "bash", "console", "shell"}


@dataclass(frozen=True)
class Fence:
    """One fenced block of a document."""

    path: str
    line: int
    language: str
    body: str


def fences(*languages: str) -> Iterator[Fence]:
    """Yield the fenced blocks in one of the languages."""
    for path in DOCUMENTS:
        for match in FENCE.finditer(read(path)):
            if match["language"] in languages:
                line = read(path).count("\n", 0, match.start()) + 1
                yield Fence(path, line, match["language"], match["body"])


def commands(program: str) -> Iterator[tuple[str, str]]:
    """Yield (where, command) for each call of a program in a shell block or in inline code."""
    for fence in fences(*SHELL):
        for line in fence.body.replace("\\\n", " ").splitlines():
            yield from ((f"{fence.path}:{fence.line}", part) for part in calls(line, program))
    for path in DOCUMENTS:
        for code in INLINE.findall(FENCE.sub("", read(path))):
            if code.startswith(program + " "):
                yield path, code


def calls(line: str, program: str) -> Iterator[str]:
    """Yield the calls of a program in one line of shell, without prompt, variables and redirections."""
    for part in re.split(r"\|\||&&|[|;&]", line.strip().removeprefix("$ ").partition(" #")[0]):
        words = re.sub(r"^(?:\s*[A-Z_]+=\S*)+", "", part.strip()).strip()
        if re.match(rf"(\S*/)?{program}(\s|$)", words):
            yield re.split(r"\s\d?[<>]", words)[0].partition("/bin/")[2] or words


@functools.cache
def served() -> GraphQLSchema:
    """Return the committed schema; tests/house/test_sdl.py proves that it is the served one."""
    return build_schema(read("schema/schema.graphql"))


def test_graphql_in_the_documents_is_valid() -> None:
    """A query that a reader copies runs: it parses and fits the schema."""
    problems = []
    for fence in fences("graphql"):
        try:
            found = validate(served(), parse(fence.body))
        except GraphQLError as error:
            found = [error]
        problems += [f"{fence.path}:{fence.line} {error.message}" for error in found]
    assert not problems, listed(problems)


def test_command_reference_is_the_one_that_is_generated() -> None:
    """docs/cli.md is what `rollcall commands` prints; write it anew with that command."""
    assert read("docs/cli.md") == command_document(main)


def searches() -> Iterator[tuple[str, str, str]]:
    """Yield (where, noun, text) for each line of each ```search block."""
    for path in DOCUMENTS:
        for match in re.finditer(r"^```search (\w+)\n(.*?)^```", read(path), re.MULTILINE | re.DOTALL):
            noun = match[1].removesuffix("s").capitalize()
            yield from ((path, noun, line) for line in match[2].splitlines() if line)


def test_search_in_the_documents_is_understood() -> None:
    """A search that a reader copies has no mistake; the page about searching shows many."""
    from schema import build_schema as build_ours
    from schema.search import parse_search

    build_ours()
    found, problems = list(searches()), []
    for path, noun, text in found:
        try:
            parse_search(noun, text)
        except BadSearch as error:
            problems.append(f"{path}: {text}: {error.message}")
    assert not problems, listed(problems)
    assert len(found) >= 25


@functools.cache
def help_of(words: tuple[str, ...]) -> str:
    """Return the help text of a `rollcall` command; empty when there is no such command."""
    from server.command.cli import main

    done = CliRunner().invoke(main, [*words, "--help"])
    return done.output if done.exit_code == 0 else ""


def unknown_part(command: str) -> str | None:
    """Return the first word of a `rollcall` command that the command line does not know, or None."""
    words = [word for word in shlex.split(command)[1:] if word not in ("…", "...")]
    path: tuple[str, ...] = ()
    for word in words:
        if word.startswith("-"):
            if not re.search(rf"(?<![\w-]){re.escape(word.partition('=')[0])}(?![\w-])", help_of(path)):
                return word
        elif re.search(r"^Commands:", help_of(path), re.MULTILINE):
            path = (*path, word)
            if not help_of(path):
                return word
    return None


def test_command_in_the_documents_exists_with_its_options() -> None:
    """A `rollcall` command that a reader copies is known to the command line."""
    problems = [
        f"{where}: `{command}`: no {unknown}"
        for where, command in commands("rollcall")
        if (unknown := unknown_part(command))
    ]
    assert not problems, listed(problems)


def test_make_target_in_the_documents_exists() -> None:
    """A `make` command that a reader copies has a target."""
    targets = set(re.findall(r"^([a-z-]+):", read("Makefile"), re.MULTILINE))
    problems = [
        f"{where}: {command}"
        for where, command in commands("make")
        if not {word for word in command.split()[1:] if "=" not in word and not word.startswith("-")} <= targets
    ]
    assert not problems, listed(problems)


def test_settings_of_the_documents_are_the_settings() -> None:
    """Each ROLLCALL_* name in the documents is read, and each one that is read is documented."""
    from server.settings.declared import SETTINGS

    keys = {setting.key for setting in SETTINGS}
    files = {f"{setting.key}_FILE" for setting in SETTINGS if setting.secret}
    documented = {name for path in DOCUMENTS for name in SETTING.findall(read(path))}
    assert documented - keys - files == set()
    assert keys - documented == set()


def anchors(path: str) -> set[str]:
    """Return the anchors that GitHub makes of a document's headings."""
    text = FENCE.sub("", read(path))
    headings = re.findall(r"^#+ +(.+?) *#*$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", re.sub(r"[`*]", "", h)).strip().lower().replace(" ", "-") for h in headings}


def dead(path: str, target: str) -> bool:
    """Tell whether a relative link leads nowhere."""
    if re.match(r"[a-z]+:", target):
        return False
    file, _, anchor = target.partition("#")
    place = (ROOT / path).parent / file if file else ROOT / path
    if not place.resolve().is_relative_to(ROOT) or not place.exists():
        return True
    return bool(anchor) and place.suffix == ".md" and anchor not in anchors(str(place.resolve().relative_to(ROOT)))


def test_link_in_the_documents_leads_somewhere() -> None:
    """Each relative link, and each anchor, is there in the tree."""
    problems = [
        f"{path}: {link['target']}"
        for path in DOCUMENTS
        for link in LINK.finditer(FENCE.sub("", read(path)))
        if dead(path, link["target"])
    ]
    assert not problems, listed(problems)


def test_path_in_the_documents_exists() -> None:
    """A path of the source or a test that a document names is there; a test is named with its function."""
    pattern = re.compile(r"(?:server|schema|sync|tests|docs|bench|requirements)/[\w./-]*\w(?:::\w+)?/?")
    problems = []
    for path in DOCUMENTS:
        for code in INLINE.findall(FENCE.sub("", read(path))):
            if not pattern.fullmatch(code):
                continue
            file, _, function = code.partition("::")
            if not (ROOT / file).exists() or (function and f"def {function}(" not in read(file)):
                problems.append(f"{path}: {code}")
    assert not problems, listed(problems)


@pytest.mark.parametrize("command", ["make demo", "make test"])
def test_readme_shows_the_first_commands(command: str) -> None:
    """A newcomer finds the two commands that prove the product in the README."""
    assert command in read("README.md")


def test_changelog_has_a_place_for_the_next_change() -> None:
    """CHANGELOG.md follows Keep a Changelog: Unreleased first, then versions with dates."""
    headings = re.findall(r"^## (.+)$", read("CHANGELOG.md"), re.MULTILINE)
    assert headings[0] == "[Unreleased]"
    assert all(re.fullmatch(r"\[\d+\.\d+\.\d+\] - \d{4}-\d\d-\d\d", heading) for heading in headings[1:])


def test_decision_record_has_its_parts() -> None:
    """Each record is numbered without a gap and says context, decision, consequences and what was rejected."""
    records = sorted(Path(path).name for path in tracked(".md") if re.match(r"docs/decisions/\d{4}-", path))
    assert [record[:4] for record in records] == [f"{n:04}" for n in range(1, len(records) + 1)]
    parts = ["## Context", "## Decision", "## Consequences", "## Considered and rejected"]
    problems = [record for record in records if not all(part in read(f"docs/decisions/{record}") for part in parts)]
    assert not problems, listed(problems)
