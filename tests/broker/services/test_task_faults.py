"""Tasks on bad days: the clock is set back, the engine fails, a token has leaked."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from swarmwire_broker.core.ports import Verified
from swarmwire_broker.core.settings import Limits
from swarmwire_protocol.errors import ErrorCode
from swarmwire_protocol.messages import Permissions

from .taskrig import DayClock, Worker, advance, refused, running


def set_back(monkeypatch: pytest.MonkeyPatch, seconds: int) -> None:
    """Somebody sets the time of day of the machine."""
    monkeypatch.setattr(DayClock, "start", DayClock.start - seconds * 1000)


async def test_a_delayed_task_is_not_lost_when_the_clock_is_set_back_after_it_became_due(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with running(monkeypatch) as broker:
        worker = Worker(broker)
        task = await worker.submit(delay=5_000)
        await advance(6)
        set_back(monkeypatch, 60)
        assert await worker.claim() is None
        await advance(61)
        claimed = await worker.claim()
        assert claimed is not None
        assert claimed["id"] == task["id"]


async def test_a_clock_set_back_before_a_restart_gives_an_attempt_no_more_than_its_time(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    async with running(monkeypatch, data=str(tmp_path)) as broker:
        worker = Worker(broker)
        task = await worker.submit(timeout=2_000, max_attempts=1, lease=60_000)
        assert (await worker.claim())["id"] == task["id"]
    set_back(monkeypatch, 3_600)
    async with running(monkeypatch, data=str(tmp_path)) as broker:
        await advance(2.5)
        assert (await Worker(broker).begin("task.wait", id=task["id"], timeout=60))["task"]["state"] == "failed"


async def test_long_errors_of_ended_tasks_make_room_as_their_results_do(monkeypatch: pytest.MonkeyPatch) -> None:
    async with running(monkeypatch, limits=Limits(max_tasks_bytes=25_000)) as broker:
        worker = Worker(broker)
        for number in range(6):
            await worker.submit(id=f"t{number}")
            await worker.fail(await worker.claim(), "e" * 9_000, retry=False)
        await advance(1)
        assert [task["id"] for task in (await worker.call("task.list"))["tasks"]] == ["t4", "t5"]


async def test_who_has_somebody_elses_token_is_not_told_that_the_task_was_completed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def authenticate(token: str | None, metadata: dict[str, Any]) -> Verified:
        return Verified(subject=str(token), permissions=Permissions(call=["task.#"]))

    async with running(monkeypatch, authenticate=authenticate) as broker:
        holder, thief = Worker(broker, token="holder"), Worker(broker, token="thief")
        await holder.submit()
        task = await holder.claim()
        await holder.complete(task)
        assert (await holder.complete(task))["duplicate"] is True
        await refused(thief.complete(task), ErrorCode.PERMISSION_DENIED, "params.token")
