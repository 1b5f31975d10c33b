"""The table of what other systems promise their users, and a watch over the tests that it names."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

__all__ = ["ROOT", "ROWS", "Row", "Watch"]

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "seeds.md"

_ROW = re.compile(r"^\| (\d{3}-\d\.\d-[a-z]+) \|(.*)\|$", re.MULTILINE)
_TEST = re.compile(r"`(tests/[\w/]+\.py::test_\w+)`")


class Row(NamedTuple):
    """A line of the table: what is promised, what does it here, the tests that show it, what is done differently."""

    id: str
    promise: str
    how: str
    tests: tuple[str, ...]
    differently: str


def _rows() -> Iterator[Row]:
    if not PAGE.is_file():  # where only a part of the project is tested
        return
    for id, rest in _ROW.findall(PAGE.read_text(encoding="utf-8")):
        promise, how, tests, differently = (cell.strip() for cell in re.split(r"(?<!\\)\|", rest))
        yield Row(id, promise, how, tuple(_TEST.findall(tests)), differently)


ROWS: tuple[Row, ...] = tuple(_rows())


class Watch:
    """A plugin of pytest: where CI is true, a run fails in which a test that the table names was only skipped."""

    def __init__(self, named: frozenset[str]) -> None:
        self._named = named
        self._passed: set[str] = set()
        self._skipped: set[str] = set()

    @property
    def missed(self) -> list[str]:
        """The tests that were selected, skipped, and passed with no other parameters."""
        return sorted(self._skipped - self._passed)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        name = report.nodeid.partition("[")[0]
        if name in self._named:
            if report.skipped:
                self._skipped.add(name)
            elif report.when == "call" and report.passed:
                self._passed.add(name)

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        if self.missed and os.environ.get("CI") == "true" and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        if self.missed and os.environ.get("CI") == "true":
            terminalreporter.section("skipped, though docs/seeds.md names them")
            for name in self.missed:
                terminalreporter.line(name)
