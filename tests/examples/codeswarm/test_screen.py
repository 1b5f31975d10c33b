"""What is shown while a run goes on."""

import io
import re

from examples.codeswarm.board import Board
from examples.codeswarm.screen import LiveScreen, PlainScreen, open_screen
from rich.console import Console

from swarmwire_channels import AgentStarted, AgentStatus, TaskCompleted, TaskCreated, TaskStarted


def console(*, terminal: bool) -> Console:
    return Console(file=io.StringIO(), force_terminal=terminal, width=100, color_system=None)


def written(console: Console) -> str:
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def board_with(files: int) -> Board:
    board = Board("r1")
    for number in range(files):
        board.apply(TaskCreated(task_id=f"r1-{number}", type="survey-file", metadata={"file": f"{number}.py"}))
    board.apply(TaskStarted(task_id="r1"))
    return board


def finish(board: Board, number: int) -> None:
    board.apply(TaskCompleted(task_id=f"r1-{number}", result={"lines": 1, "functions": 0, "classes": 0}))


def test_a_terminal_gets_bars_and_everything_else_gets_lines() -> None:
    assert isinstance(open_screen(console(terminal=True)), LiveScreen)
    assert isinstance(open_screen(console(terminal=False)), PlainScreen)


def test_lines_come_once_a_tenth_and_when_the_connection_changes() -> None:
    paper, board = console(terminal=False), board_with(20)
    with PlainScreen(paper) as screen:
        for number in range(20):
            screen.show(board, number, "connected")
            finish(board, number)
        screen.show(board, 99, "connected")
        screen.show(board, 99, "reconnecting (1)")
    lines = written(paper).splitlines()
    assert len(lines) == 1 + 10 + 1
    assert lines[-2:] == ["20 of 20 files, 99 events, connected", "20 of 20 files, 99 events, reconnecting (1)"]


def test_bars_stand_in_the_order_of_the_workers_with_the_total_below() -> None:
    terminal, board = console(terminal=True), board_with(2)
    with LiveScreen(terminal) as screen:
        for name in ("w10", "w2", "w1"):
            board.apply(AgentStarted(agent_id=f"r1-{name}", metadata={"pid": 1}))
            screen.show(board, 1234, "connected")
        board.apply(AgentStatus(agent_id="r1-w2", status="busy", message="[bold]1.py"))
        finish(board, 0)
        screen.show(board, 1234, "connected")
    text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", written(terminal))
    *_, first, second, third, total = text.rstrip().splitlines()
    assert [line.split()[0] for line in (first, second, third)] == ["w1", "w2", "w10"]
    assert "busy [bold]1.py" in second
    assert "total" in total
    assert "50%" in total
    assert "1/2 1,234 events, connected" in total
