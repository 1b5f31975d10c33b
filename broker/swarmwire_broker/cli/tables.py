"""Answers for people: tables, facts, sentences, and lines of a log."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from datetime import datetime
from string import Formatter
from typing import Any

from rich.console import Console
from rich.table import Table as Grid
from rich.text import Text

from .commands import Facts, Lines, Sentence, Show, Table, View, field_at
from .console import emit
from .rendering import compact, printable

__all__ = ["cell", "show"]

_NONE = "-"
_WIDE = 10_000
_LEVELS = {"debug": "dim", "info": "", "warning": "yellow", "error": "red", "critical": "bold red"}


def show(view: View, answer: Any) -> None:
    """Print an answer as its command says."""
    match view:
        case Sentence(template):
            emit(printable(_filled(template, answer)))
        case Lines(key):
            for line in answer[key]:
                emit(_log_line(line))
            if missed := answer.get("missed"):
                emit(f"... {missed} lines were missed")
        case Table(key) if isinstance(field_at(answer, key), list):
            _print_table(view, answer)
        case Facts(key) if key is not None and isinstance(field_at(answer, key), dict):
            _print_facts(view, answer[key])
        case Facts():
            _print_facts(view, answer)
        case Table():
            _print_facts(Facts(), answer)


# ---- tables


def _print_table(view: Table, answer: dict[str, Any]) -> None:
    rows = answer[view.key]
    totals = [f"{name} {cell(answer[name])}" for name in view.totals if name in answer]
    if not rows:
        emit(", ".join(totals) if any(answer.get(name) for name in view.totals) else view.nothing)
        return
    grid = Grid(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for number, column in enumerate(view.columns):
        # What a row is called is needed whole; of the others the widest give way, and end in an ellipsis.
        grid.add_column(Text(column.title, no_wrap=True, overflow="ellipsis"), no_wrap=number == 0)
    for row in rows:
        cells = (cell(field_at(row, column.path), column.show) for column in view.columns)
        grid.add_row(*(Text(text, no_wrap=True, overflow="ellipsis") for text in cells))
    _print(grid)
    if totals:
        emit(", ".join(totals))


def _print_facts(view: Facts, answer: Any) -> None:
    shows = dict(view.shows)
    grid = Grid.grid(padding=(0, 2))
    for name, value in _flat(answer):
        grid.add_row(Text(printable(name), "dim"), Text(cell(value, shows.get(name, Show.PLAIN))))
    if grid.row_count:
        _print(grid)


def _flat(value: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """The fields of an object, those within it under dotted names."""
    if not isinstance(value, dict):
        yield prefix or "answer", value
        return
    for name, item in value.items():
        path = f"{prefix}.{name}" if prefix else str(name)
        if isinstance(item, dict) and item:
            yield from _flat(item, path)
        else:
            yield path, item


def _print(grid: Grid) -> None:
    """To a terminal in its width, elsewhere in all that it needs."""
    console = Console(file=sys.stdout, highlight=False)
    if not console.is_terminal:
        console = Console(file=sys.stdout, highlight=False, width=_WIDE)
    with console.capture() as captured:
        console.print(grid)
    for line in captured.get().splitlines():
        emit(line.rstrip())


# ---- cells


def cell(value: Any, how: Show = Show.PLAIN) -> str:
    """A value as people read it; what it holds cannot steer the terminal."""
    if isinstance(value, int | float) and not isinstance(value, bool) and how is not Show.PLAIN:
        return _number(value, how)
    match value:
        case None | [] | {} | "":
            return _NONE
        case bool():
            return "yes" if value else "no"
        case float():
            return f"{value:,.3f}".rstrip("0").rstrip(".")
        case int():
            return str(value)
        case str():
            return printable(value)
        case list() if all(isinstance(item, str) for item in value):
            return printable(", ".join(value))
        case _:
            return printable(compact(value))


def _number(value: float, how: Show) -> str:
    match how:
        case Show.AGO:
            elapsed = time.time() * 1000 - value
            return f"{_span(elapsed)} ago" if elapsed >= 0 else f"in {_span(-elapsed)}"
        case Show.SPAN:
            return _span(value)
        case Show.BYTES:
            return _size(value)
        case _:
            return f"{value:.0f}%"


def _span(ms: float) -> str:
    seconds = ms / 1000
    if seconds < 1:
        return f"{ms:.0f}ms"
    if seconds < 60:
        return f"{seconds:.1f}s"
    minutes, seconds = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes}m{seconds:02}s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours}h{minutes:02}m" if hours < 48 else f"{hours // 24}d{hours % 24:02}h"


def _size(size: float) -> str:
    for unit in ("B", "KiB", "MiB"):
        if size < 1024:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1024
    return f"{size:.1f} GiB"


def _filled(template: str, answer: Any) -> str:
    parts = []
    for literal, path, _, _ in Formatter().parse(template):
        parts += [literal, cell(field_at(answer, path)) if path is not None else ""]
    return "".join(parts)


# ---- logs


def _log_line(line: dict[str, Any]) -> str:
    when = datetime.fromtimestamp(line["ts"] / 1000).strftime("%H:%M:%S.%f")[:-3]
    level = line["level"]
    fields = "".join(f"  {name}={cell(value)}" for name, value in line.get("fields", {}).items())
    words = Text.assemble(
        (when, "dim"),
        "  ",
        (f"{level:<8}", _LEVELS.get(level, "")),
        (printable(line["logger"]), "dim"),
        "  ",
        (printable(line["message"]), ""),
        (printable(fields), "dim"),
    )
    console = Console(file=sys.stdout, highlight=False, soft_wrap=True)
    with console.capture() as captured:
        console.print(words, end="")
    below = (f"    {printable(text)}" for text in line.get("exception", "").splitlines())
    return "\n".join([captured.get(), *below])
