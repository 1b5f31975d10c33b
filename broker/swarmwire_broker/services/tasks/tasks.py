"""The service of tasks: its methods."""

from __future__ import annotations

from typing import Any

import msgspec

from swarmwire_channels import Fault

from ...core.methods import Asked, Method
from ..checks import check_name, check_size
from ..shared import Shared
from .board import Board
from .claiming import Claiming
from .holding import Holding
from .keeping import Keeping
from .orders import Orders
from .params import (
    Claim,
    Complete,
    Fail,
    Held,
    ListTasks,
    Message,
    OneTask,
    Progress,
    Reasoned,
    Submit,
)
from .record import TaskEntry, summary, view
from .states import State

__all__ = ["Tasks"]

_MOST_FAULT = 16 * 1024
"""Bytes of an error that a worker reports."""


class Tasks:
    """Tasks that are submitted, claimed by workers one at a time, and ended once."""

    def __init__(self, shared: Shared) -> None:
        self.board = Board(shared)
        self._holding = Holding(self.board)
        self.orders = Orders(self.board, self._holding)
        self._claiming = Claiming(self.board, self._holding)
        self._keeping = Keeping(self.board)

    def methods(self) -> list[Method]:
        return [
            Method("task.submit", Submit, self._submit),
            Method("task.claim", Claim, self._claim),
            Method("task.renew", Held, self._renew),
            Method("task.progress", Progress, self._progress),
            Method("task.complete", Complete, self._complete),
            Method("task.fail", Fail, self._fail),
            Method("task.release", Held, self._release),
            Method("task.message", Message, self._message),
            Method("task.cancel", Reasoned, self._cancel),
            Method("task.close", Reasoned, self._close),
            Method("task.resume", OneTask, self._resume),
            Method("task.retry", OneTask, self._retry),
            Method("task.status", OneTask, self._status),
            Method("task.list", ListTasks, self._list, looks=True),
            Method("task.wait", OneTask, self._wait),
        ]

    async def start(self) -> None:
        await self.board.load()

    def close(self) -> None:
        self._keeping.close()
        self._holding.close()
        self.board.close()

    def running(self) -> list[TaskEntry]:
        """The tasks that workers hold now."""
        return [entry for _, entry in self.board.ledger.items() if entry.state is State.RUNNING]

    # ---- for workers

    async def _claim(self, asked: Asked, params: Claim) -> dict[str, Any]:
        for place, name in enumerate(params.queues):
            check_name(name, "Queue", f"queues[{place}]")
        if params.worker is not None:
            check_name(params.worker, "Worker", "worker")
        entry = await self._claiming.claim(asked, params)
        return {"task": None if entry is None else self._claimed(entry)}

    def _claimed(self, entry: TaskEntry) -> dict[str, Any]:
        return {**view(entry), "token": entry.token, "lease": entry.lease}

    def _renew(self, asked: Asked, params: Held) -> dict[str, Any]:
        _check_id(params)
        entry = self._holding.renew(asked, params.id, params.token)
        return {"id": entry.id, "token": entry.token, "lease": entry.lease}

    async def _progress(self, asked: Asked, params: Progress) -> dict[str, Any]:
        _check_id(params)
        entry = await self._holding.progress(asked, params.id, params.token, params.progress, params.message)
        return {"id": entry.id, "token": entry.token, "lease": entry.lease}

    async def _complete(self, asked: Asked, params: Complete) -> dict[str, Any]:
        _check_id(params)
        result = bytes(params.result)
        check_size(len(result), self.board.limits.max_task_bytes, "result")
        entry, duplicate = await self._holding.complete(asked, params.id, params.token, result)
        return {"task": summary(entry), "duplicate": duplicate}

    async def _fail(self, asked: Asked, params: Fail) -> dict[str, Any]:
        _check_id(params)
        _check_fault(params.error)
        entry = await self._holding.fail(asked, params.id, params.token, params.error, retry=params.retry)
        return {"task": summary(entry)}

    async def _release(self, asked: Asked, params: Held) -> dict[str, Any]:
        _check_id(params)
        return {"task": summary(await self._holding.release(asked, params.id, params.token))}

    # ---- for everybody else

    async def _submit(self, asked: Asked, params: Submit) -> dict[str, Any]:
        entry, duplicate = await self.orders.submit(params, asked.author)
        return {"task": summary(entry), "duplicate": duplicate}

    async def _message(self, asked: Asked, params: Message) -> dict[str, Any]:
        _check_id(params)
        await self.orders.message(params, asked.author)
        return {"id": params.id}

    async def _cancel(self, asked: Asked, params: Reasoned) -> dict[str, Any]:
        _check_id(params)
        return {"task": summary(await self.orders.cancel(params.id, params.reason, asked.author))}

    async def _close(self, asked: Asked, params: Reasoned) -> dict[str, Any]:
        _check_id(params)
        return {"task": summary(await self.orders.close(params.id, params.reason, asked.author))}

    async def _resume(self, asked: Asked, params: OneTask) -> dict[str, Any]:
        _check_id(params)
        return {"task": summary(await self.orders.resume(params.id, asked.author))}

    async def _retry(self, asked: Asked, params: OneTask) -> dict[str, Any]:
        _check_id(params)
        entry = await self.orders.retry(params.id, asked.author)
        return {"task": summary(entry), "newTaskId": entry.id}

    def _status(self, asked: Asked, params: OneTask) -> dict[str, Any]:
        _check_id(params)
        entry = self.board.find(params.id)
        shown = view(entry)
        if entry.state is State.RUNNING:
            shown["lease_left_ms"] = self._holding.left_ms(entry)
        return {"task": shown}

    async def _list(self, asked: Asked, params: ListTasks) -> dict[str, Any]:
        count, page = await self.orders.find(params)
        return {"count": count, "tasks": [summary(entry) for entry in page]}

    async def _wait(self, asked: Asked, params: OneTask) -> dict[str, Any]:
        _check_id(params)
        return {"task": view(await self._keeping.wait(params.id))}


def _check_id(params: OneTask) -> None:
    check_name(params.id, "Task ID", "id")


def _check_fault(fault: Fault) -> None:
    check_size(len(msgspec.json.encode(fault)), _MOST_FAULT, "error")
