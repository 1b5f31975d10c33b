"""The table of states and commands."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from swarmwire_broker.services.tasks.states import ENDED, TABLE, Command, State, next_state
from swarmwire_protocol.errors import ErrorCode, SwarmwireError


def test_the_table_has_a_row_for_every_command_and_a_column_for_every_state() -> None:
    assert set(TABLE) == set(Command)
    assert {len(row) for row in TABLE.values()} == {len(State)}


@given(st.lists(st.sampled_from(Command)))
def test_no_sequence_of_commands_leaves_an_end(commands: list[Command]) -> None:
    state, ended = State.PENDING, None
    for command in commands:
        try:
            state = next_state(state, command)
        except SwarmwireError:
            continue
        assert ended is None or state is ended
        ended = state if state in ENDED else None


@pytest.mark.parametrize(
    "command", [Command.RENEW, Command.PROGRESS, Command.COMPLETE, Command.FAIL, Command.GIVE_BACK]
)
def test_what_workers_say_counts_only_while_they_hold_the_task(command: Command) -> None:
    for state in set(State) - {State.RUNNING}:
        with pytest.raises(SwarmwireError) as caught:
            next_state(state, command)
        taken_away = state in (State.CANCELLED, State.CLOSED)
        assert caught.value.code is (ErrorCode.CANCELLED if taken_away else ErrorCode.FENCED)
    next_state(State.RUNNING, command)


@pytest.mark.parametrize("state", list(State))
def test_only_a_pending_task_can_be_claimed_and_only_a_closed_one_resumed(state: State) -> None:
    for command, only, leads_to in (
        (Command.CLAIM, State.PENDING, State.RUNNING),
        (Command.RESUME, State.CLOSED, State.PENDING),
    ):
        if state is only:
            assert next_state(state, command) is leads_to
        else:
            with pytest.raises(SwarmwireError) as caught:
                next_state(state, command)
            assert caught.value.code is ErrorCode.CONFLICT
            assert state in caught.value.message


def test_the_page_about_tasks_shows_this_table() -> None:
    page = (Path(__file__).parents[3] / "docs" / "tasks.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `([a-z ]+)` \| (.+) \|$", page, re.MULTILINE)
    shown = {command: tuple(cells.split(" | ")) for command, cells in rows if command in list(Command)}

    assert shown == {command.value: tuple(str(cell) for cell in row) for command, row in TABLE.items()}
    assert f"| command | {' | '.join(State)} |" in page
