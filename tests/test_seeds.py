"""Every promise has a row, every row has tests, and the tests are there and not skipped."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest
from typer.testing import CliRunner

from swarmwire import MemoryBus
from swarmwire_broker.broker import Broker
from swarmwire_broker.cli import app
from swarmwire_broker.config import Config
from swarmwire_broker.core.handlers import RESERVED
from swarmwire_broker.core.settings import Limits

from .promises import ROOT, ROWS, Row

EXPECTED = [line.split()[0] for line in (ROOT / "tests" / "seeds.txt").read_text(encoding="utf-8").splitlines()]

Function = ast.FunctionDef | ast.AsyncFunctionDef


@cache
def module(path: str) -> ast.Module:
    return ast.parse((ROOT / path).read_text(encoding="utf-8"))


@cache
def functions(path: str) -> dict[str, Function]:
    return {each.name: each for each in ast.walk(module(path)) if isinstance(each, Function)}


def dotted(node: ast.AST) -> str:
    """`pytest.mark.skip` of `@pytest.mark.skip` and of `@pytest.mark.skip(reason=...)`."""
    return ast.unparse(node.func if isinstance(node, ast.Call) else node)


def is_set_aside(mark: ast.AST) -> bool:
    """Whether a mark skips always: `skip`, `xfail` without a condition, or `skipif` of something constant."""
    name = dotted(mark).rpartition(".")[2]
    arguments = mark.args if isinstance(mark, ast.Call) else []
    constant = bool(arguments) and isinstance(arguments[0], ast.Constant)
    return name == "skip" or (name == "xfail" and (not arguments or constant)) or (name == "skipif" and constant)


def never_runs(path: str, function: Function) -> bool:
    marks: list[ast.AST] = list(function.decorator_list)
    for statement in module(path).body:
        if isinstance(statement, ast.Assign) and any(ast.unparse(each) == "pytestmark" for each in statement.targets):
            marks += statement.value.elts if isinstance(statement.value, ast.List) else [statement.value]
    first = [each.value for each in function.body if isinstance(each, ast.Expr) and isinstance(each.value, ast.Call)]
    return any(map(is_set_aside, marks)) or any(dotted(call) in ("pytest.skip", "pytest.xfail") for call in first)


def test_the_list_of_promises_names_each_once() -> None:
    assert len(EXPECTED) == len(set(EXPECTED)) >= 190
    assert all(re.fullmatch(r"00[0-4]-\d\.\d-[a-z]+", id) for id in EXPECTED)


def test_every_promise_has_one_row_in_the_order_of_the_list() -> None:
    assert [row.id for row in ROWS] == EXPECTED


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.id)
def test_a_row_says_what_is_promised_what_does_it_and_which_tests_show_it(row: Row) -> None:
    assert row.promise
    assert row.how
    assert row.tests
    for test in row.tests:
        path, _, name = test.partition("::")
        assert (ROOT / path).is_file(), f"there is no {path}"
        assert name in functions(path), f"there is no {test}"
        assert not never_runs(path, functions(path)[name]), f"{test} is always skipped"


def test_what_stands_in_code_marks_of_a_row_is_no_forgotten_test() -> None:
    """A name with a slip in it would not be found as a test, and so not be looked for."""
    text = (ROOT / "docs" / "seeds.md").read_text(encoding="utf-8")
    assert text.count("tests/") == sum(len(row.tests) for row in ROWS)


async def test_the_methods_commands_and_settings_that_the_page_names_exist() -> None:
    text = (ROOT / "docs" / "seeds.md").read_text(encoding="utf-8")
    broker = Broker()
    await broker.start()
    methods = set(broker.hub.calls.methods)
    await broker.stop()
    first = "|".join(RESERVED)
    called = set(re.findall(rf"`((?:{first})\.[a-z]+)(?=[` ])", text)) | set(re.findall(r'call\("(\w+\.\w+)"', text))
    assert len(called) > 40
    async with MemoryBus() as client:
        assert called - methods <= {f"client.{name}" for name in dir(client)}
    limits = set(re.findall(r"`limits\.(\w+)", text))
    assert limits <= set(Limits.__struct_fields__)
    assert set(re.findall(r"`(unix_\w+|log_\w+)`", text)) <= {*Config.__struct_fields__, *Limits.__struct_fields__}
    commands = set(re.findall(r"`swarmwire ([a-z]+(?: [a-z]+)?)", text))
    assert len(commands) > 5
    for command in commands:
        assert CliRunner().invoke(app, [*command.split(), "--help"]).exit_code == 0, command


@pytest.mark.parametrize(
    ("mark", "always"),
    [
        ("pytest.mark.skip", True),
        ("pytest.mark.skip(reason='no')", True),
        ("pytest.mark.xfail", True),
        ("pytest.mark.xfail(reason='no')", True),
        ("pytest.mark.skipif(True, reason='no')", True),
        ("pytest.mark.skipif(sys.platform == 'win32', reason='no')", False),
        ("pytest.mark.xfail(sys.platform == 'win32')", False),
        ("pytest.mark.parametrize('a', [1])", False),
    ],
)
def test_a_mark_that_always_skips_is_known(mark: str, always: bool) -> None:
    assert is_set_aside(ast.parse(mark, mode="eval").body) is always


# ---- The watch over a run

_CONFTEST = """
from tests.promises import Watch

def pytest_configure(config):
    config.pluginmanager.register(Watch(frozenset({"test_it.py::test_named", "test_it.py::test_other"})))
"""

_TESTS = """
import pytest

@pytest.mark.parametrize("way", PARAMETERS)
def test_named(way):
    if way == "skipped":
        pytest.skip("for a reason")

def test_other(): pass

def test_not_named():
    pytest.skip("for a reason")
"""


@pytest.mark.parametrize(
    ("parameters", "selected", "ci", "code"),
    [
        (["skipped"], "test_it.py", "true", 1),
        (["skipped"], "test_it.py", "", 0),
        (["skipped", "run"], "test_it.py", "true", 0),
        (["run"], "test_it.py", "true", 0),
        (["skipped"], "test_it.py::test_other", "true", 0),
    ],
)
def test_in_ci_a_named_test_that_was_skipped_fails_the_run(
    tmp_path: Path, parameters: list[str], selected: str, ci: str, code: int
) -> None:
    (tmp_path / "conftest.py").write_text(_CONFTEST)
    (tmp_path / "test_it.py").write_text(_TESTS.replace("PARAMETERS", repr(parameters)))
    command = (sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", selected)
    environment = {**os.environ, "CI": ci, "PYTHONPATH": str(ROOT)}
    run = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert run.returncode == code, run.stdout
    assert ("test_it.py::test_named\n" in run.stdout.partition("names them")[2]) is (code == 1)
