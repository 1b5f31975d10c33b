"""What one Python file holds: its lines, functions, classes and longest function."""

from __future__ import annotations

import ast
import heapq
import warnings
from collections.abc import Iterator

from msgspec import Struct

from .files import Unreadable

__all__ = ["LONGEST", "Findings", "Function", "Survey"]

LONGEST = 10
"""How many of its longest functions a file reports: enough to name the ten longest of all files."""


class Function(Struct, frozen=True):
    """A function: its name with those of what it stands in, its first line, and how many lines it has."""

    name: str
    line: int
    lines: int


class Findings(Struct, frozen=True, omit_defaults=True):
    """What was found in a file. Of functions of equal length the one that stands first is the longer."""

    lines: int
    functions: int
    classes: int
    longest: tuple[Function, ...] = ()
    """The longest functions, the longest first, at most `LONGEST` of them."""


class Survey:
    """The reading of one file, statement by statement, so that it can say how far it is.

    Raises Unreadable for what is not Python.
    """

    def __init__(self, source: str) -> None:
        self.lines = source.count("\n") + (not source.endswith("\n") and source != "")
        self._statements = _parse(source).body
        self._functions: list[Function] = []
        self._classes = 0

    def steps(self) -> Iterator[float]:
        """Visit the statements of the file one by one; yields the percentage of its lines that is behind."""
        for statement in self._statements:
            self._visit(statement)
            yield 100 * (statement.end_lineno or statement.lineno) / max(self.lines, 1)

    def findings(self) -> Findings:
        """What the statements visited so far hold."""
        longest = heapq.nsmallest(LONGEST, self._functions, key=lambda found: (-found.lines, found.line))
        return Findings(self.lines, len(self._functions), self._classes, tuple(longest))

    def _visit(self, statement: ast.stmt) -> None:
        """Look at a statement and all within it, without recursion: code may be nested deeply."""
        todo: list[tuple[ast.AST, str]] = [(statement, "")]
        while todo:
            node, name = todo.pop()
            match node:
                case ast.FunctionDef() | ast.AsyncFunctionDef():
                    name = f"{name}.{node.name}".lstrip(".")
                    lines = (node.end_lineno or node.lineno) - node.lineno + 1
                    self._functions.append(Function(name, node.lineno, lines))
                case ast.ClassDef():
                    name = f"{name}.{node.name}".lstrip(".")
                    self._classes += 1
            todo.extend((child, name) for child in ast.iter_child_nodes(node))


def _parse(source: str) -> ast.Module:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about the code that is read, not about this program
            return ast.parse(source)
    except SyntaxError as error:
        place = f"line {error.lineno}: " if error.lineno else ""
        raise Unreadable(place + error.msg) from error
    except (ValueError, RecursionError, MemoryError) as error:
        raise Unreadable(str(error) or "nested too deeply") from error
