"""The table of the suite says of every transport and every case whether it runs, and if not, why."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from . import test_bytes, test_calls, test_conversation, test_reconnect
from .table import CASES, TESTS, document, ways_of
from .ways import WAYS

MODULES = (test_bytes, test_calls, test_conversation, test_reconnect)
PAGE = Path(__file__).parents[2] / "docs" / "conformance.md"


@pytest.mark.parametrize("case", CASES)
def test_every_case_runs_or_has_a_reason_on_every_transport(case: str) -> None:
    run, without = ways_of(case), CASES[case].without
    assert set(run) | set(without) == set(WAYS)
    assert not set(run) & set(without)
    assert all(len(reason.split()) >= 5 for reason in without.values())


@pytest.mark.parametrize("case", CASES)
def test_every_case_has_a_test_that_runs_over_just_these_transports(case: str) -> None:
    tests = [getattr(module, name) for module in MODULES for name in TESTS.get(case, ()) if hasattr(module, name)]
    assert tests
    for test in tests:
        found = [mark.args[1] for mark in test.pytestmark if mark.name == "parametrize" and mark.args[0] == "way"]
        assert found == [ways_of(case)]


def test_no_test_of_a_transport_is_without_a_case() -> None:
    named = {name for names in TESTS.values() for name in names}
    for path in Path(__file__).parent.glob("test_*.py"):
        for each in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(each, ast.AsyncFunctionDef | ast.FunctionDef) and each.name.startswith("test_"):
                needs_one = {argument.arg for argument in each.args.args} & {"way", "house"}
                assert not needs_one or each.name in named


def test_the_page_shows_the_table() -> None:
    page = PAGE.read_text(encoding="utf-8")
    shown = page.partition("table.py says) -->\n\n")[2].partition("\n\n<!-- transports: end")[0]
    assert shown == document(), f"docs/conformance.md should say:\n{document()}"
