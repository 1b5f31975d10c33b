"""The dashboard's modules without a browser: their own tests in Node, and their types."""

from __future__ import annotations

import subprocess
from pathlib import Path

from ..js.conftest import node, sdk  # noqa: F401 - fixtures
from ..js.noderun import PATIENCE, run_tests
from ..pages import ROOT

HERE = Path(__file__).parent

FEWEST = 100
"""Tests that there are at least: a run that finds none of them has failed."""


def test_the_tests_of_the_dashboards_modules_pass_in_node(node: str) -> None:  # noqa: F811
    files = sorted(str(path) for path in HERE.rglob("*.test.js"))
    run_tests(node, "--test-timeout=120000", *files, cwd=ROOT, fewest=FEWEST)


def test_the_types_of_the_dashboard_are_checked(node: str, sdk: Path) -> None:  # noqa: F811
    project = str(ROOT / "broker" / "dashboard")

    checked = subprocess.run(
        [str(sdk / "node_modules" / ".bin" / "tsc"), "--project", project],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )

    assert checked.returncode == 0, checked.stdout + checked.stderr
