"""One run of Node's own test runner, and what it came to."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

__all__ = ["PATIENCE", "run_tests"]

PATIENCE = 300.0
"""Seconds that Node may take; a machine that is busy otherwise needs some of them."""


def run_tests(node: str, *arguments: str, cwd: Path, fewest: int) -> None:
    """Have Node run tests; fails with what it says of those that failed, and where fewer passed than there are."""
    run = subprocess.run(
        [node, "--test", "--test-reporter=tap", *arguments],
        cwd=cwd,
        env={**os.environ, "PYTHON": sys.executable},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
    assert run.returncode == 0, _failures(run.stdout) + run.stderr
    assert _count("fail", run.stdout) == _count("skipped", run.stdout) == _count("todo", run.stdout) == 0
    assert _count("pass", run.stdout) >= fewest


def _count(what: str, output: str) -> int:
    found = re.search(rf"^# {what} (\d+)$", output, re.MULTILINE)
    assert found is not None, output
    return int(found[1])


def _failures(output: str) -> str:
    """What is said of each test that failed."""
    return "\n".join(re.findall(r"^ *not ok .*\n(?:^ *---$[\s\S]*?^ *\.\.\.$\n?)?", output, re.MULTILINE))
