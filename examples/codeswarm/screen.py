"""What is shown while a run goes on: progress bars on a terminal, plain lines elsewhere."""

from __future__ import annotations

from types import TracebackType
from typing import Protocol, Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TaskProgressColumn, TextColumn
from rich.text import Text

from .board import Board

__all__ = ["LiveScreen", "PlainScreen", "Screen", "open_screen"]


class Screen(Protocol):
    """Somewhere a run can be watched."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def show(self, board: Board, events: int, connection: str) -> None:
        """Show the state of the run, the events seen so far, and how the watcher's own connection is."""
        ...

    def say(self, text: str) -> None:
        """Show one line that stays."""
        ...


def open_screen(console: Console) -> Screen:
    """The screen that fits where the console writes to."""
    return LiveScreen(console) if console.is_terminal else PlainScreen(console)


class LiveScreen:
    """A bar for each worker, with what it does just now, and one for the whole."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._bars: dict[str, TaskID] = {}
        self._progress = Progress(
            TextColumn("{task.fields[who]:>8}"),
            BarColumn(bar_width=24),
            TaskProgressColumn(),
            TextColumn("{task.fields[done]:>11}"),
            TextColumn("{task.fields[what]}", markup=False),
            console=console,
            refresh_per_second=10,
        )

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()

    def show(self, board: Board, events: int, connection: str) -> None:
        workers = sorted(board.workers.values(), key=lambda worker: (len(worker.name), worker.name))
        self._arrange([worker.name for worker in workers])
        for worker in workers:
            what = f"{worker.state} {worker.file}".rstrip()
            self._set(worker.name, worker.progress, 100, f"{worker.done} files", what)
        done = f"{board.finished}/{len(board.tasks)}"
        self._set("total", board.finished, max(len(board.tasks), 1), done, f"{events:,} events, {connection}")

    def say(self, text: str) -> None:
        self._console.print(Text(text))

    def _arrange(self, workers: list[str]) -> None:
        """Have a bar for each worker in this order, and the total below."""
        if list(self._bars) == [*workers, "total"]:
            return
        for bar in self._bars.values():
            self._progress.remove_task(bar)
        self._bars = {who: self._progress.add_task("", who=who, done="", what="") for who in (*workers, "total")}

    def _set(self, who: str, completed: float, total: float, done: str, what: str) -> None:
        self._progress.update(self._bars[who], completed=completed, total=total, done=done, what=what)


class PlainScreen:
    """A line at every tenth of the work, and whatever is said."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._tenth = 0
        self._connection = ""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return

    def show(self, board: Board, events: int, connection: str) -> None:
        tenth = 10 * board.finished // len(board.tasks) if board.planned and board.tasks else 0
        if tenth > self._tenth or connection != self._connection:
            self._tenth, self._connection = tenth, connection
            self.say(f"{board.finished} of {len(board.tasks)} files, {events:,} events, {connection}")

    def say(self, text: str) -> None:
        self._console.print(Text(text))
