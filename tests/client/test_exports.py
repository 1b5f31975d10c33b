"""What the package offers, and what it needs."""

from __future__ import annotations

import ast
import importlib
import inspect
import pkgutil
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

import swarmwire
import swarmwire_protocol

MODULES = [f"swarmwire.{found.name}" for found in pkgutil.iter_modules(swarmwire.__path__)]
ALLOWED = {*sys.stdlib_module_names, "msgspec", "orjson", "swarmwire_protocol", "websockets"}
EXTRAS = {"cryptography", "httpx"}
"""What may be imported where it is needed, inside a function, and nowhere else."""


@pytest.mark.parametrize("name", ["swarmwire", *MODULES])
def test_all_lists_names_that_exist_once(name: str) -> None:
    module = importlib.import_module(name)
    assert [each for each in module.__all__ if not hasattr(module, each)] == []
    assert len(set(module.__all__)) == len(module.__all__)


@pytest.mark.parametrize("name", MODULES)
def test_all_lists_every_public_class_and_function(name: str) -> None:
    module = importlib.import_module(name)
    public = {
        each
        for each, value in vars(module).items()
        if not each.startswith("_")
        and (inspect.isclass(value) or inspect.isfunction(value))
        and value.__module__ == name
    }
    assert public - set(module.__all__) == set()


@pytest.mark.parametrize("package", [swarmwire, swarmwire_protocol])
def test_a_client_needs_three_packages_and_no_server(package: object) -> None:
    folder = Path(inspect.getfile(package)).parent  # type: ignore[arg-type]
    found = {(path.name, name) for path in folder.glob("*.py") for name in _imported(path)}
    assert {each for each in found if each[1] not in ALLOWED} == set()


def _imported(path: Path) -> set[str]:
    tree = ast.parse(path.read_text())
    return _names(_at_once(tree)) | (_names(ast.walk(tree)) - EXTRAS)


def _at_once(node: ast.AST) -> Iterator[ast.AST]:
    """What runs when the module is imported."""
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        return
    if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
        return
    yield node
    for child in ast.iter_child_nodes(node):
        yield from _at_once(child)


def _names(nodes: Iterable[ast.AST]) -> set[str]:
    names: set[str] = set()
    for node in nodes:
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level:
            names.add(node.module or "")
    return {name.partition(".")[0] for name in names}
