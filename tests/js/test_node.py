"""The tests of the JavaScript SDK, as Node's runner runs them."""

from __future__ import annotations

from pathlib import Path

from .noderun import run_tests

FEWEST = 500
"""Tests that there are at least: a run that finds none of them has failed."""


def test_the_tests_of_the_sdk_pass_in_node(node: str, sdk: Path) -> None:
    run_tests(node, "tests/", cwd=sdk, fewest=FEWEST)
