"""The dashboard's modules without a browser: their own tests in Node, and their types."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

from ..js.conftest import node, sdk  # noqa: F401 - fixtures
from ..pages import ROOT

HERE = Path(__file__).parent
PATIENCE = 300.0
"""Seconds that Node may take; a machine that is busy otherwise needs some of them."""

FEWEST = 100
"""Tests that there are at least: a run that finds none of them has failed."""


def test_the_tests_of_the_dashboards_modules_pass_in_node(node: str) -> None:  # noqa: F811
    files = sorted(str(path) for path in HERE.rglob("*.test.js"))

    run = subprocess.run(
        [node, "--test", "--test-reporter=tap", "--test-timeout=120000", *files],
        cwd=ROOT,
        env={**os.environ, "PYTHON": sys.executable},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )

    assert run.returncode == 0, _failures(run.stdout) + run.stderr
    assert _count("fail", run.stdout) == _count("skipped", run.stdout) == _count("todo", run.stdout) == 0
    assert _count("pass", run.stdout) >= FEWEST


def test_the_types_of_the_dashboard_are_checked(node: str, sdk: Path) -> None:  # noqa: F811
    project = str(ROOT / "broker" / "dashboard")

    checked = subprocess.run(
        [str(sdk / "node_modules" / ".bin" / "tsc"), "--project", project],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )

    assert checked.returncode == 0, checked.stdout + checked.stderr


def _count(what: str, output: str) -> int:
    found = re.search(rf"^# {what} (\d+)$", output, re.MULTILINE)
    assert found is not None, output
    return int(found[1])


def _failures(output: str) -> str:
    """What is said of each test that failed."""
    return "\n".join(re.findall(r"^ *not ok .*\n(?:^ *---$[\s\S]*?^ *\.\.\.$\n?)?", output, re.MULTILINE))
