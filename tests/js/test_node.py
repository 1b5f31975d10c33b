"""The tests of the JavaScript SDK, as Node's runner runs them."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

FEWEST = 500
"""Tests that there are at least: a run that finds none of them has failed."""


def test_the_tests_of_the_sdk_pass_in_node(node: str, sdk: Path) -> None:
    run = subprocess.run(
        [node, "--test", "--test-reporter=tap", "tests/"],
        cwd=sdk,
        env={**os.environ, "PYTHON": sys.executable},
        capture_output=True,
        text=True,
        timeout=300,
    )

    assert run.returncode == 0, _failures(run.stdout) + run.stderr
    assert _count("fail", run.stdout) == _count("skipped", run.stdout) == _count("todo", run.stdout) == 0
    assert _count("pass", run.stdout) >= FEWEST


def _count(what: str, output: str) -> int:
    found = re.search(rf"^# {what} (\d+)$", output, re.MULTILINE)
    assert found is not None, output
    return int(found[1])


def _failures(output: str) -> str:
    """What is said of each test that failed."""
    return "\n".join(re.findall(r"^ *not ok .*\n(?:^ *---$[\s\S]*?^ *\.\.\.$\n?)?", output, re.MULTILINE))
