"""The final tables of a run, for people and as JSON."""

from __future__ import annotations

import orjson
from msgspec import Struct, to_builtins
from rich.console import Console
from rich.table import Table
from rich.text import Text

from .board import Board, FileTask, Totals
from .survey import LONGEST, Findings, Function
from .witness import Verdict

__all__ = ["Summary", "as_json", "print_summary"]


class Summary(Struct, frozen=True, kw_only=True):
    """All that is to be said at the end of a run."""

    directory: str
    board: Board
    verdict: Verdict
    reconnects: int
    restarts: int
    seconds: float


def print_summary(summary: Summary, console: Console, rows: int) -> None:
    """Print the `rows` files with the most lines, the longest functions, and what became of the events."""
    board, totals = summary.board, summary.board.totals()
    _show(console, _file_table(board.surveyed(), totals, rows))
    _show(console, _function_table(board.longest_functions(LONGEST)))
    for task in board.failures():
        console.print(Text(f"failed: {task.file}: {task.error}"))
    console.print(Text(_speed(summary, totals)))
    console.print(Text(summary.verdict.sentence()))
    console.print(Text(_incidents(summary)))


def as_json(summary: Summary) -> bytes:
    """The whole result as one JSON document, every file in it."""
    board, verdict = summary.board, summary.verdict
    return orjson.dumps(
        {
            "run": board.run,
            "directory": summary.directory,
            "files": [
                {"file": task.file, "agent": task.agent, **to_builtins(task.findings)} for task in board.surveyed()
            ],
            "failed": [{"file": task.file, "agent": task.agent, "error": task.error} for task in board.failures()],
            "workers": [to_builtins(worker) for worker in board.workers.values()],
            "totals": to_builtins(board.totals()),
            "longest": [{"file": file, **to_builtins(it)} for file, it in board.longest_functions(LONGEST)],
            "events": {"seen": verdict.seen, "log": verdict.logged, "lost": verdict.lost, "ok": verdict.ok},
            "gaps": list(verdict.gaps),
            "reconnects": summary.reconnects,
            "restarts": summary.restarts,
            "seconds": round(summary.seconds, 3),
        },
        option=orjson.OPT_INDENT_2,
    )


def _show(console: Console, table: Table) -> None:
    if table.row_count:
        console.print(table)


def _file_table(tasks: list[FileTask], totals: Totals, rows: int) -> Table:
    left_out = max(len(tasks) - rows, 0)
    table = Table(title="Files" if not left_out else f"The {rows} longest of {len(tasks)} files", show_footer=True)
    table.add_column("file", f"{totals.files} files", overflow="fold")
    table.add_column("lines", f"{totals.lines:,}", justify="right")
    table.add_column("functions", f"{totals.functions:,}", justify="right")
    table.add_column("longest function", f"{totals.classes:,} classes", overflow="fold")
    for task in sorted(tasks, key=_by_lines)[:rows]:
        if found := task.findings:
            table.add_row(Text(task.file), f"{found.lines:,}", str(found.functions), Text(_longest_of(found)))
    return table


def _function_table(functions: list[tuple[str, Function]]) -> Table:
    table = Table(title="The longest functions")
    table.add_column("lines", justify="right")
    table.add_column("function", overflow="fold")
    table.add_column("where", overflow="fold")
    for file, function in functions:
        table.add_row(str(function.lines), Text(function.name), Text(f"{file}:{function.line}"))
    return table


def _by_lines(task: FileTask) -> tuple[int, str]:
    return -(task.findings.lines if task.findings else 0), task.file


def _longest_of(found: Findings) -> str:
    return f"{found.longest[0].name} ({found.longest[0].lines})" if found.longest else ""


def _speed(summary: Summary, totals: Totals) -> str:
    workers = sorted(summary.board.workers.values(), key=lambda worker: (len(worker.name), worker.name))
    per_worker = ", ".join(f"{worker.name} {worker.done}" for worker in workers)
    return f"{totals.files + totals.failed} files in {summary.seconds:.1f} s: {per_worker}"


def _incidents(summary: Summary) -> str:
    gaps = summary.verdict.gaps
    shown = f" ({'; '.join(gaps)})" if gaps else ""
    return f"reconnects {summary.reconnects}, workers restarted {summary.restarts}, gaps {len(gaps)}{shown}"
