"""The page of promises names tests that exist, and leaves no word of the protocol unexplained."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "guarantees.md").read_text(encoding="utf-8")
WORDS = ("accepted", "stored", "stored_lazily", "evicted", "overflow", "epoch", "denied")
NAMED = sorted(set(re.findall(r"`(tests/[\w/]+\.py)::(test_\w+)`", PAGE)))


@cache
def names_in(path: str) -> set[str]:
    tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    return {each.name for each in ast.walk(tree) if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef)}


def test_the_page_names_many_tests() -> None:
    assert len(NAMED) >= 40
    assert PAGE.count("tests/") == len(re.findall(r"`tests/[\w/]+\.py::test_\w+`", PAGE))


@pytest.mark.parametrize(("path", "name"), NAMED)
def test_a_test_that_the_page_names_exists(path: str, name: str) -> None:
    assert name in names_in(path)


@pytest.mark.parametrize("word", WORDS)
def test_the_page_has_a_row_for_every_durability_and_every_reason_of_a_gap(word: str) -> None:
    assert f"| `{word}` |" in PAGE


@pytest.mark.parametrize("page", ["README.md", "docs/architecture.md"])
def test_readers_find_the_page(page: str) -> None:
    assert "guarantees.md" in (ROOT / page).read_text(encoding="utf-8")
