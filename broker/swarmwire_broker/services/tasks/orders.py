"""What anybody with the permission may ask about tasks: submit, cancel, put away, try again, speak to, list."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable
from typing import Any, Final

import msgspec
from msgspec import structs

from swarmwire_protocol.errors import ErrorCode, SwarmwireError

from ...core.identity import Author
from ...engines.entry import Draft
from ..checks import check_name, check_size
from . import events as taskevents
from .board import Board
from .holding import Holding
from .params import ListTasks, Message, Submit
from .record import TaskEntry, TaskSpec
from .states import Command, State, next_state

__all__ = ["Orders"]

_TURN: Final = 1_000
"""Tasks looked at in one turn of the loop."""

_AT_ONCE: Final = 200
"""Tasks of a queue that are cancelled at once when it is cleared."""


class Orders:
    """The commands that need no claim.

    `queue_of` names the queue of a project, for tasks that are submitted for one without naming a queue.
    """

    def __init__(self, board: Board, holding: Holding) -> None:
        self._board = board
        self._holding = holding
        self._coming = 0
        self._coming_bytes = 0
        self.queue_of: Callable[[str], str | None] = lambda project: None

    # ---- submit

    async def submit(self, params: Submit, author: Author) -> tuple[TaskEntry, bool]:
        """A new task; or the one that was submitted by this id with the same content before, and True.

        Raises:
            SwarmwireError: what is wrong with it; CONFLICT, where a task of this id is another; LIMIT_EXCEEDED.
        """
        spec = self._spec(params)
        if params.id is not None:
            check_name(params.id, "Task ID", "id")
        id = secrets.token_hex(8) if params.id is None else params.id
        async with self._board.locks.hold(id):
            known = self._board.ledger.get(id)
            if known is not None:
                if _content(known.spec) == _content(spec):
                    return known, True
                sentence = f"Task {id!a:.140} was submitted with other content."
                raise SwarmwireError(ErrorCode.CONFLICT, sentence, field="params.id")
            return await self._add(id, spec, author, None), False

    def _spec(self, params: Submit) -> TaskSpec:
        check_name(params.type, "Task type", "type")
        for name in ("queue", "project", "agent_id"):
            if (value := getattr(params, name)) is not None:
                check_name(value, name.replace("_", " ").capitalize(), name)
        metadata = None if params.metadata is None else msgspec.json.encode(params.metadata)
        most = self._board.limits.max_task_bytes
        payload = bytes(params.payload)
        check_size(len(payload), most, "payload")
        check_size(len(payload) + len(metadata or b""), most, "metadata")
        fields = {name: getattr(params, name) for name in _COPIED}
        queue = params.queue or (params.project and self.queue_of(params.project)) or "default"
        return TaskSpec(**fields, queue=queue, payload=payload, metadata=metadata)

    async def _add(self, id: str, spec: TaskSpec, author: Author, retried_from: str | None) -> TaskEntry:
        board, now = self._board, self._board.now()
        size = len(spec.payload) + len(spec.metadata or b"")
        self._check_room(spec.queue, size)
        entry = TaskEntry(
            id=id,
            spec=spec,
            state=State.PENDING,
            order=board.next_order(),
            created_at=now,
            ready_at=now,
            not_before=now + spec.delay if spec.delay else 0,
            submitted_by=author.sender,
            retried_from=retried_from,
        )
        self._coming += 1
        self._coming_bytes += size
        try:
            await board.write(None, entry, taskevents.created(entry, author))
        finally:
            self._coming -= 1
            self._coming_bytes -= size
        board.stats.note(spec.queue, "submitted", now)
        return entry

    def _check_room(self, queue: str, size: int) -> None:
        board, limits = self._board, self._board.limits
        board.queues.check_room(queue)
        if board.open + self._coming >= limits.max_tasks:
            sentence = f"The broker holds at most {limits.max_tasks} tasks that have not ended."
            raise SwarmwireError(ErrorCode.LIMIT_EXCEEDED, sentence, retry_after_ms=1_000)
        if board.open_bytes + self._coming_bytes + size > limits.max_tasks_bytes:
            sentence = f"The tasks that have not ended hold at most {limits.max_tasks_bytes} bytes together."
            raise SwarmwireError(ErrorCode.LIMIT_EXCEEDED, sentence, field="params.payload", retry_after_ms=1_000)

    async def retry(self, id: str, author: Author) -> TaskEntry:
        """A new task like one that has ended, which stays as it is.

        Raises:
            SwarmwireError: NOT_FOUND; CONFLICT, where it has not ended; LIMIT_EXCEEDED.
        """
        entry = self._board.find(id)
        next_state(entry.state, Command.RETRY)
        new = secrets.token_hex(8)
        async with self._board.locks.hold(new):
            return await self._add(new, structs.replace(entry.spec, delay=0), author, id)

    # ---- cancel, close, resume, message

    async def cancel(self, id: str, reason: str | None, author: Author) -> TaskEntry:
        """End it. Whoever works on it loses it at once. CONFLICT, where it has ended."""
        return await self._command(id, Command.CANCEL, author, taskevents.cancelled, reason=reason)

    async def close(self, id: str, reason: str | None, author: Author) -> TaskEntry:
        """Put it away until it is resumed. Whoever works on it loses it."""
        return await self._command(id, Command.CLOSE, author, taskevents.closed, reason=reason)

    async def resume(self, id: str, author: Author) -> TaskEntry:
        """Let a task that was put away be done."""
        return await self._command(id, Command.RESUME, author, taskevents.resumed, reason=None, not_before=0)

    async def _command(
        self,
        id: str,
        command: Command,
        author: Author,
        events: Callable[[TaskEntry, Author, int], list[Draft]],
        **changes: Any,
    ) -> TaskEntry:
        async with self._board.locks.hold(id):
            old = self._board.find(id)
            state, now = next_state(old.state, command), self._board.now()
            changes["ended_at" if state is State.CANCELLED else "ready_at"] = now
            new = structs.replace(old, state=state, **changes)
            await self._holding.take_away(old, new, events(new, author, now))
            return new

    async def message(self, params: Message, author: Author) -> None:
        """Say something to whoever follows the task. CONFLICT, where it has ended."""
        data = bytes(params.data)
        check_size(len(data), self._board.limits.max_task_bytes, "data")
        async with self._board.locks.hold(params.id):
            entry = self._board.find(params.id)
            next_state(entry.state, Command.MESSAGE)
            events = taskevents.said(entry, author, self._board.now(), params.message, data)
            await self._board.ledger.write({}, events)

    async def clear(self, queue: str, author: Author) -> int:
        """Cancel every pending task of a queue; how many there were."""
        found = [
            id for id, entry in self._board.ledger.items() if entry.spec.queue == queue and entry.state is State.PENDING
        ]
        cleared = 0
        for begin in range(0, len(found), _AT_ONCE):
            part = (self._clear_one(id, author) for id in found[begin : begin + _AT_ONCE])
            cleared += sum(await asyncio.gather(*part))
        return cleared

    async def _clear_one(self, id: str, author: Author) -> bool:
        async with self._board.locks.hold(id):
            old = self._board.ledger.get(id)
            if old is None or old.state is not State.PENDING:
                return False
            now = self._board.now()
            new = structs.replace(old, state=State.CANCELLED, ended_at=now, reason="The queue was cleared.")
            await self._board.write(old, new, taskevents.cancelled(new, author, now))
            return True

    # ---- looking

    async def find(self, wanted: ListTasks) -> tuple[int, list[TaskEntry]]:
        """How many tasks are as wanted, and a page of them, in the order in which they were submitted."""
        if wanted.state is not None and wanted.state not in list(State):
            expected = ", ".join(State)
            sentence = f"Expected a state, one of {expected}; got {wanted.state!a:.40}."
            raise SwarmwireError(ErrorCode.INVALID_MESSAGE, sentence, field="params.state")
        count, page = 0, []
        for place, entry in enumerate([entry for _, entry in self._board.ledger.items()]):
            if place % _TURN == _TURN - 1:
                await asyncio.sleep(0)
            if _is_wanted(entry, wanted):
                if wanted.offset <= count < wanted.offset + wanted.limit:
                    page.append(entry)
                count += 1
        return count, page


_COPIED: Final = (
    "type",
    "priority",
    "delay",
    "max_attempts",
    "backoff",
    "backoff_max",
    "lease",
    "timeout",
    "project",
    "agent_id",
)


def _is_wanted(entry: TaskEntry, wanted: ListTasks) -> bool:
    spec = entry.spec
    return (
        (wanted.state is None or entry.state == wanted.state)
        and (wanted.queue is None or spec.queue == wanted.queue)
        and (wanted.type is None or spec.type == wanted.type)
        and (wanted.project is None or spec.project == wanted.project)
        and (wanted.worker is None or entry.worker == wanted.worker)
    )


def _content(spec: TaskSpec) -> dict[str, Any]:
    """What two submits must have in common to be one, however their JSON is written."""
    content = structs.asdict(spec)
    for name in ("payload", "metadata"):
        if content[name] is not None:
            content[name] = msgspec.json.encode(msgspec.json.decode(content[name]), order="sorted")
    return content
