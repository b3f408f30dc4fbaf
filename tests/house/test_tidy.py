"""Lengths, names and calls that would break a rule of the house; each message names what to write instead."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

import pytest

from tests.house.source import PRODUCT, Module, listed, modules, read, tracked

FILE_LINES_MAX = 400
FUNCTION_LINES_MAX = 60
# Longer than the rule, with their length now. The numbers may only go down; nothing may be added.
LONG_FILES: dict[str, int] = {}
LONG_FUNCTIONS: dict[str, int] = {}
SLACK_LINES = 25  # so much may a listed file shrink before its number has to follow

CLOCK = "sync/clock.py"
# Name: what to write instead, and the files in which it stands rightly.
BANNED = {
    "datetime.datetime.now": ("take a Clock and call now()", (CLOCK,)),
    "datetime.datetime.utcnow": ("take a Clock and call now()", ()),
    "datetime.datetime.today": ("take a Clock and call now()", ()),
    "datetime.date.today": ("take a Clock and call now()", ()),
    "time.time": ("take a Clock and call now()", (CLOCK,)),
    "time.monotonic": ("take a Clock and call monotonic()", (CLOCK,)),
    "time.perf_counter": ("take a Clock and call monotonic()", (CLOCK,)),
    "time.sleep": ("take a Clock and await sleep()", ()),
    "asyncio.sleep": ("take a Clock and await sleep()", (CLOCK,)),
    "anyio.sleep": ("take a Clock and await sleep()", ()),
    "random": ("take a Clock and call chance(); for secrets, the module secrets", (CLOCK, "server/simulator/")),
    "asyncio.get_event_loop": ("asyncio.get_running_loop()", ()),
    "ssl.CERT_NONE": ("a CA file: certificates are always checked", ()),
    "ssl._create_unverified_context": ("a CA file: certificates are always checked", ()),
    "pickle": ("JSON: a pickle can run code", ()),
    "logging.exception": ("structlog", ()),
}
BANNED_ARGUMENTS = {
    ("verify", False): "verify=False: pass a CA file",
    ("check_hostname", False): "check_hostname=False: pass a CA file",
    ("follow_redirects", True): "follow_redirects=True: the token would go to whoever Location names",
    ("shell", True): "shell=True: pass a list of arguments",
}
PRINTERS = ("server/command/cli.py", "server/demo/", "server/simulator/command.py")
# The boundaries at which any exception ends, one handler each: whoever asked gets an answer, the rest goes on.
BOUNDARIES = {
    "server/graphql/handler.py": "a request over HTTP",
    "server/graphql/stream/live.py": "a subscription, which shares its connection with others",
    "server/operator/socket.py": "a request of the command line to the running server",
    "sync/runtime.py": "a run",
    "schema/plan/plans.py": "a plan, which the executor takes over from",
}
SQL = re.compile(
    r"\s*(SELECT|INSERT|UPDATE|DELETE|REPLACE|CREATE|DROP|ALTER|WITH|VACUUM|ATTACH|PRAGMA|EXPLAIN|BEGIN)\s"
)
UNFINISHED = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b")  # house: the only line that may say so
VAGUE = re.compile(r"(^|[/_])(utils?|helpers?|common|base|managers?|misc|stuff)(\.py|/|$)")


def test_file_stays_short_enough_to_be_one_noun() -> None:
    """A file over 400 lines is two nouns; the list of older ones only shrinks."""
    lengths = {module.path: module.text.count("\n") for module in modules("")}
    assert_ratchet(
        {p: n for p, n in lengths.items() if n > FILE_LINES_MAX or p in LONG_FILES}, LONG_FILES, FILE_LINES_MAX
    )


def test_function_stays_short_enough_to_read_at_once() -> None:
    """A function over 60 lines does two things; the list of older ones only shrinks."""
    lengths = {
        f"{module.path}::{function.name}": (function.end_lineno or 0) - function.lineno + 1
        for module in modules("")
        for function in module.functions()
    }
    long = {name: n for name, n in lengths.items() if n > FUNCTION_LINES_MAX or name in LONG_FUNCTIONS}
    assert_ratchet(long, LONG_FUNCTIONS, FUNCTION_LINES_MAX)


def assert_ratchet(found: dict[str, int], known: dict[str, int], limit: int) -> None:
    """Fail for a new long thing, for a known one that grew, and for a known one that became shorter."""
    problems = [
        f"{name}: {lines} lines; at most {max(limit, known.get(name, 0))}"
        for name, lines in found.items()
        if lines > max(limit, known.get(name, 0))
    ]
    for name, lines in known.items():
        now = found.get(name, 0)
        if now <= limit:
            problems.append(f"{name}: no longer over {limit} lines; take it off the list")
        elif now < lines - SLACK_LINES:
            problems.append(f"{name}: {now} lines now; lower its number on the list")
    assert not problems, listed(problems)


@pytest.mark.parametrize("name", BANNED)
def test_banned_name_is_used_only_in_its_place(name: str) -> None:
    """Time, chance and unchecked TLS have one place each, so that tests can steer them."""
    instead, places = BANNED[name]
    problems = [
        f"{module.path}:{line} uses {used}; instead: {instead}"
        for module in modules(*PRODUCT)
        if not module.path.startswith(tuple(places))
        for used, line in module.uses
        if used == name or used.startswith(name + ".")
    ]
    assert not problems, listed(problems)


def test_banned_argument_is_passed_nowhere() -> None:
    """Certificates are always checked, redirects never followed, no shell is started."""
    problems = [
        f"{module.path}:{call.lineno} {BANNED_ARGUMENTS[word.arg or '', word.value.value]}"
        for module in modules(*PRODUCT, "bench/")
        for call in ast.walk(module.tree)
        if isinstance(call, ast.Call)
        for word in call.keywords
        if isinstance(word.value, ast.Constant)
        and isinstance(word.value.value, bool)
        and (word.arg, word.value.value) in BANNED_ARGUMENTS
    ]
    assert not problems, listed(problems)


def test_print_is_called_only_by_the_command_line() -> None:
    """Everything else logs: a line on stdout would break `--json` and lose its request id."""
    problems = [
        f"{module.path}:{node.lineno} calls print; instead: a structlog logger, or click.echo in the command line"
        for module in modules(*PRODUCT)
        if not module.path.startswith(PRINTERS)
        for node in ast.walk(module.tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print"
    ]
    assert not problems, listed(problems)


def built_texts(module: Module) -> Iterator[tuple[str, int]]:
    """Yield the fixed beginning of every text put together from values, with its line."""
    for node in ast.walk(module.tree):
        if isinstance(node, ast.JoinedStr) and any(isinstance(part, ast.FormattedValue) for part in node.values):
            yield "".join(str(p.value) if isinstance(p, ast.Constant) else "?" for p in node.values), node.lineno
        if isinstance(node, ast.BinOp) and isinstance(node.op, (ast.Mod, ast.Add)):
            if isinstance(node.left, ast.Constant) and isinstance(node.left.value, str):
                yield node.left.value, node.lineno
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "format":
            if isinstance(node.func.value, ast.Constant):
                yield str(node.func.value.value), node.lineno


def test_sql_is_never_put_together_from_values() -> None:
    """SQL is built by SQLAlchemy with bound parameters; text with values in it is an injection waiting."""
    problems = [
        f"{module.path}:{line} builds SQL from values; instead: SQLAlchemy Core, or bound parameters"
        for module in modules(*PRODUCT)
        for text, line in built_texts(module)
        if SQL.match(text)
    ]
    assert not problems, listed(problems)


def swallowing(module: Module) -> Iterator[int]:
    """Yield the line of each handler that catches everything and does not raise again at its end."""
    for node in ast.walk(module.tree):
        if not isinstance(node, ast.ExceptHandler):
            continue
        caught = node.type.elts if isinstance(node.type, ast.Tuple) else [node.type]
        names = {name.id if isinstance(name, ast.Name) else None for name in caught if name is not None}
        if (node.type is None or names & {"Exception", "BaseException"}) and not isinstance(node.body[-1], ast.Raise):
            yield node.lineno


def test_exception_is_caught_whole_only_at_the_boundaries() -> None:
    """Everywhere else an unknown exception must reach the boundary that reports it; each has one handler."""
    found = {module.path: list(swallowing(module)) for module in modules(*PRODUCT)}
    problems = [
        f"{path}:{line} catches everything; instead: name the exceptions, or raise again"
        for path, lines in found.items()
        for line in lines[1 if path in BOUNDARIES else 0 :]
    ]
    problems += [f"{path}: no longer a boundary; take it off the list" for path in BOUNDARIES if not found.get(path)]
    assert not problems, listed(problems)


def test_comment_never_leaves_work_for_later() -> None:
    """Work to do stands in an issue, not in the source."""
    problems = [
        f"{path}:{number} {line.strip()[:60]}"
        for path in tracked(".py", ".sh", ".toml", ".graphql", "Makefile", ".ci/run")
        for number, line in enumerate(read(path).splitlines(), 1)
        if UNFINISHED.search(line) and "# house:" not in line
    ]
    assert not problems, listed(problems)


def test_file_name_says_what_is_in_it() -> None:
    """A name such as utils says only that nobody looked for one."""
    problems = [f"{path}: name it after its noun" for path in tracked(".py") if VAGUE.search(path)]
    assert not problems, listed(problems)


def test_test_states_its_promise_when_read_alone() -> None:
    """Each test has a docstring that states the promise, and a name that says what happens and when."""
    problems = []
    for module in modules("tests/"):
        for function in module.functions():
            if not function.name.startswith("test_"):
                continue
            if not ast.get_docstring(function):
                problems.append(f"{module.path}:{function.lineno} {function.name} has no docstring")
            if function.name.count("_") < 3:
                problems.append(f"{module.path}:{function.lineno} {function.name}: test_<subject>_<what>_<when>")
    assert not problems, listed(problems)


def test_test_replaces_nothing_inside_the_program() -> None:
    """Fakes stand at three seams (transport, clock, store); patching would test the test."""
    problems = [
        f"{module.path}:{line} imports {name}; instead: pass a fake transport, clock or store"
        for module in modules("tests/")
        for name, line in module.imported.items()
        if name.startswith(("unittest.mock", "mock.", "pytest_mock"))
    ]
    assert not problems, listed(problems)


def test_class_of_the_schema_is_described() -> None:
    """By its docstring, or by the description that callers read, which need not be written twice."""
    problems = [
        f"{module.path}:{node.lineno} {node.name} has neither a docstring nor a description"
        for module in modules("schema/")
        for node in module.tree.body
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_")
        if not ast.get_docstring(node) and not any(map(is_described, node.decorator_list))
    ]
    assert not problems, listed(problems)


def is_described(decorator: ast.expr) -> bool:
    """Tell whether a decorator is given a description."""
    return isinstance(decorator, ast.Call) and any(keyword.arg == "description" for keyword in decorator.keywords)


def test_docstring_of_a_module_is_a_sentence() -> None:
    """The newcomer's way leads over module docstrings: each says what the module does."""
    problems = []
    for module in modules(*PRODUCT, "bench/"):
        text = (ast.get_docstring(module.tree) or "").partition("\n\n")[0].strip()
        if len(text.split()) < 4 or text[-1] not in ".:":
            problems.append(f"{module.path}: begin with a docstring of one sentence")
    assert not problems, listed(problems)
