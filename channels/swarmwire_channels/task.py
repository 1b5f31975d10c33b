"""The channel of tasks: from their creation to the end they come to."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, Final, Unpack

from .change import Changes, OnError
from .channel import Channel
from .kinds import TASK
from .pubsub import PublishOptions, Start, SubscribeOptions
from .record import Fault
from .registration import Handler, Registration
from .task_records import (
    TaskAssigned,
    TaskCancelled,
    TaskClosed,
    TaskCompleted,
    TaskCreated,
    TaskError,
    TaskFailed,
    TaskMessage,
    TaskOutcome,
    TaskProgress,
    TaskRecord,
    TaskResumed,
    TaskRetrying,
    TaskStarted,
    TaskStatus,
)
from .topics import build_pattern

__all__ = ["TaskChannel"]

_ENDS: Final = ("completed", "failed", "cancelled")


class TaskChannel(Channel[TaskRecord]):
    """Publishes and watches the events of tasks, and waits for their end.

    Every publishing method takes the options of a publish and returns what it returns; see `Channel.publish` for
    what it raises. A `duration` and a `delay` are in milliseconds.
    """

    kind = TASK

    async def created(
        self,
        task_id: str,
        type: str,
        priority: float | None = None,
        *,
        agent_id: str | None = None,
        metadata: dict[str, Any] | None = None,
        **options: Unpack[PublishOptions],
    ) -> Any:
        """Say that there is a new task."""
        record = TaskCreated(task_id=task_id, type=type, priority=priority, agent_id=agent_id, metadata=metadata)
        return await self.publish(record, **options)

    async def assigned(self, task_id: str, agent_id: str, **options: Unpack[PublishOptions]) -> Any:
        """Say which agent is to do the task."""
        return await self.publish(TaskAssigned(task_id=task_id, agent_id=agent_id), **options)

    async def started(self, task_id: str, agent_id: str | None = None, **options: Unpack[PublishOptions]) -> Any:
        """Say that work on the task has begun."""
        return await self.publish(TaskStarted(task_id=task_id, agent_id=agent_id), **options)

    async def progress(
        self,
        task_id: str,
        progress: float,
        message: str | None = None,
        *,
        status: TaskStatus = "in-progress",
        **options: Unpack[PublishOptions],
    ) -> Any:
        """Say how far the task is, from 0 to 100."""
        record = TaskProgress(task_id=task_id, progress=progress, message=message, status=status)
        return await self.publish(record, **options)

    async def message(
        self,
        task_id: str,
        message: str,
        data: Any = None,
        *,
        sender: str | None = None,
        **options: Unpack[PublishOptions],
    ) -> Any:
        """Say something to the task, or for it; `sender` is only a name to show."""
        record = TaskMessage(task_id=task_id, message=message, data=data, sender=sender)
        return await self.publish(record, **options)

    async def error(self, task_id: str, error: Fault | BaseException | str, **options: Unpack[PublishOptions]) -> Any:
        """Say that something went wrong in the task, which goes on or will be said to have failed."""
        return await self.publish(TaskError(task_id=task_id, error=Fault.of(error)), **options)

    async def retrying(
        self,
        task_id: str,
        attempt: int,
        delay: float | None = None,
        error: Fault | BaseException | str | None = None,
        **options: Unpack[PublishOptions],
    ) -> Any:
        """Say that the task is tried again, for the `attempt`th time from 1."""
        fault = None if error is None else Fault.of(error)
        record = TaskRetrying(task_id=task_id, attempt=attempt, delay=delay, error=fault)
        return await self.publish(record, **options)

    async def completed(
        self,
        task_id: str,
        result: Any = None,
        *,
        duration: float | None = None,
        **options: Unpack[PublishOptions],
    ) -> Any:
        """Say that the task is done."""
        return await self.publish(TaskCompleted(task_id=task_id, result=result, duration=duration), **options)

    async def failed(
        self,
        task_id: str,
        error: Fault | BaseException | str,
        *,
        result: Any = None,
        duration: float | None = None,
        **options: Unpack[PublishOptions],
    ) -> Any:
        """Say that the task has failed for good."""
        record = TaskFailed(task_id=task_id, error=Fault.of(error), result=result, duration=duration)
        return await self.publish(record, **options)

    async def cancelled(
        self,
        task_id: str,
        reason: str | None = None,
        *,
        duration: float | None = None,
        **options: Unpack[PublishOptions],
    ) -> Any:
        """Say that the task was given up."""
        return await self.publish(TaskCancelled(task_id=task_id, reason=reason, duration=duration), **options)

    async def closed(self, task_id: str, reason: str | None = None, **options: Unpack[PublishOptions]) -> Any:
        """Say that the task is put away."""
        return await self.publish(TaskClosed(task_id=task_id, reason=reason), **options)

    async def resumed(self, task_id: str, agent_id: str | None = None, **options: Unpack[PublishOptions]) -> Any:
        """Say that a task that had stopped goes on."""
        return await self.publish(TaskResumed(task_id=task_id, agent_id=agent_id), **options)

    def watch(
        self,
        task_id: str | None = None,
        *,
        events: Collection[str] | None = None,
        on_error: OnError | None = None,
        **options: Unpack[SubscribeOptions],
    ) -> Changes[TaskRecord]:
        """The changes of one task, or of all; of some events, or of all.

        Raises INVALID_TOPIC for an unknown event. What cannot be read goes to `on_error`, see `Changes`.
        """
        return self._watch(task_id, events, None, on_error, options)

    def on(
        self,
        event: str | None,
        handler: Handler,
        *,
        task_id: str | None = None,
        on_error: OnError | None = None,
        **options: Unpack[SubscribeOptions],
    ) -> Registration:
        """Call a handler with every change of an event (None: of all), of one task or of all.

        Calling what is returned ends it; awaiting it returns once it is subscribed. Needs a running event loop.
        """
        return self._on(event, handler, task_id, None, on_error, options)

    async def wait_for_completion(
        self, task_id: str, timeout: float | None = None, *, from_: Start = "latest"
    ) -> TaskOutcome:
        """The end of the task, whether it has come already or is still to come: completed, failed or cancelled.

        `timeout` is in seconds and includes the way to the broker; None waits for ever, and 0 fails at once unless
        the answer is at hand without waiting, which over a network it never is. `from_` is where to look from: for
        a task that had ended and was resumed, pass the cursor of its resumption, so that the former end is not
        taken for the new one.

        Raises:
            TimeoutError: naming the task, if the end was not there in time.
            SwarmwireError: if the client was disconnected first, or INVALID_MESSAGE if the end cannot be read.
        """
        pattern = build_pattern(TASK, task_id)
        change = await self._wait_for(pattern, lambda _: True, _ENDS, f"the end of task {task_id!r}", timeout, from_)
        outcome: TaskOutcome = change.record
        return outcome
