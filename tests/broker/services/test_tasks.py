"""Tasks: submitted, claimed, done once."""

from __future__ import annotations

import asyncio
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from swarmwire_broker.core.ports import Verified
from swarmwire_broker.core.settings import Limits
from swarmwire_protocol.errors import ErrorCode, SwarmwireError
from swarmwire_protocol.messages import Permissions

from .callers import a_moment
from .taskrig import Worker, advance, refused, running


async def test_a_task_is_submitted_claimed_and_completed(monkeypatch: pytest.MonkeyPatch) -> None:
    async with running(monkeypatch) as broker:
        boss, worker = Worker(broker), Worker(broker)

        submitted = await boss.submit("resize", payload={"width": 3}, id="t1")
        assert (submitted["state"], submitted["queue"], submitted["attempts"]) == ("pending", "default", 0)

        task = await worker.claim(worker="w1")
        assert (task["id"], task["state"], task["payload"], task["worker"]) == ("t1", "in-progress", {"width": 3}, "w1")
        assert task["attempts"] == 1

        done = await worker.complete(task, {"file": "a.png"})
        assert (done["task"]["state"], done["duplicate"]) == ("completed", False)
        status = await boss.status("t1")
        assert (status["state"], status["result"], status["progress"]) == ("completed", {"file": "a.png"}, 100)
        assert await worker.claim() is None


# ---- submitting


async def test_the_same_id_with_the_same_content_is_the_same_task_even_when_it_has_ended(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with running(monkeypatch) as broker:
        boss = Worker(broker)
        content: dict[str, Any] = {"type": "work", "id": "t1", "priority": 2, "metadata": {"a": 1}}

        first = await boss.call("task.submit", **content, payload={"x": 1, "y": 2})
        again = await boss.call("task.submit", **content, payload={"y": 2, "x": 1})
        assert (first["duplicate"], again["duplicate"], again["task"]["id"]) == (False, True, "t1")

        await boss.complete(await boss.claim())
        ended = await boss.call("task.submit", **content, payload={"x": 1, "y": 2})
        assert (ended["duplicate"], ended["task"]["state"]) == (True, "completed")
        assert await boss.claim() is None


@pytest.mark.parametrize("other", [{"payload": {"x": 1.0}}, {"priority": 1}, {"type": "play"}, {"metadata": {}}])
async def test_the_same_id_with_other_content_is_a_conflict(monkeypatch: pytest.MonkeyPatch, other: Any) -> None:
    async with running(monkeypatch) as broker:
        boss = Worker(broker)
        content: dict[str, Any] = {"type": "work", "id": "t1", "payload": {"x": 1}}
        await boss.call("task.submit", **content)

        await refused(boss.call("task.submit", **{**content, **other}), ErrorCode.CONFLICT, "params.id")


async def test_two_submits_of_one_id_at_once_make_one_task(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    async with running(monkeypatch, data=str(tmp_path)) as broker:
        boss, other = Worker(broker), Worker(broker)
        answers = await asyncio.gather(*(each.call("task.submit", type="work", id="t1") for each in (boss, other)))

        assert sorted(answer["duplicate"] for answer in answers) == [False, True]
        assert (await boss.call("task.list"))["count"] == 1


@pytest.mark.parametrize(
    ("params", "field"),
    [
        ({}, "params.type"),
        ({"type": "a\nb"}, "params.type"),
        ({"type": "x", "id": ""}, "params.id"),
        ({"type": "x", "id": "é" * 65}, "params.id"),
        ({"type": "x", "queue": "q\x00"}, "params.queue"),
        ({"type": "x", "priority": "high"}, "params.priority"),
        ({"type": "x", "max_attempts": 0}, "params.max_attempts"),
        ({"type": "x", "delay": -1}, "params.delay"),
        ({"type": "x", "lease": 10}, "params.lease"),
        ({"type": "x", "metadata": [1]}, "params.metadata"),
    ],
)
async def test_a_wrong_submit_names_the_field(
    monkeypatch: pytest.MonkeyPatch, params: dict[str, Any], field: str
) -> None:
    async with running(monkeypatch) as broker:
        await refused(Worker(broker).call("task.submit", **params), ErrorCode.INVALID_MESSAGE, field)


async def test_a_task_that_is_not_named_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    async with running(monkeypatch) as broker:
        for method in ("task.status", "task.cancel", "task.retry", "task.wait"):
            sentence = await refused(Worker(broker).call(method), ErrorCode.INVALID_MESSAGE, "params.id")
            assert sentence == "Task ID required."
            await refused(Worker(broker).call(method, id="nobody"), ErrorCode.NOT_FOUND, "params.id")


# ---- limits


async def test_one_task_more_than_may_be_open_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    async with running(monkeypatch, limits=Limits(max_tasks=2)) as broker:
        boss = Worker(broker)
        await boss.submit()
        await boss.submit()
        await refused(boss.submit(), ErrorCode.LIMIT_EXCEEDED)

        await boss.complete(await boss.claim())
        await boss.submit()


async def test_submits_at_once_do_not_pass_the_limit_together(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    async with running(monkeypatch, data=str(tmp_path), limits=Limits(max_tasks=2)) as broker:
        boss = Worker(broker)
        answers = await asyncio.gather(*(boss.submit() for _ in range(4)), return_exceptions=True)

        assert sum(isinstance(answer, SwarmwireError) for answer in answers) == 2


async def test_payload_metadata_result_and_data_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    async with running(monkeypatch, limits=Limits(max_task_bytes=100)) as broker:
        boss = Worker(broker)
        large = "x" * 99
        await refused(boss.submit(payload=large), ErrorCode.MESSAGE_TOO_LARGE, "params.payload")
        await refused(boss.submit(metadata={"a": large}), ErrorCode.MESSAGE_TOO_LARGE, "params.metadata")
        await boss.submit(payload="x" * 98, id="t1")
        await refused(
            boss.call("task.message", id="t1", message="m", data=large), ErrorCode.MESSAGE_TOO_LARGE, "params.data"
        )
        task = await boss.claim()
        await refused(boss.complete(task, large), ErrorCode.MESSAGE_TOO_LARGE, "params.result")
        assert await boss.state("t1") == "in-progress"
        await boss.complete(task, "x" * 98)


async def test_the_bytes_of_all_tasks_are_bounded_and_ended_ones_make_room(monkeypatch: pytest.MonkeyPatch) -> None:
    async with running(monkeypatch, limits=Limits(max_tasks_bytes=250)) as broker:
        boss = Worker(broker)
        first = await boss.submit(payload="x" * 98)
        await boss.complete(await boss.claim())
        await boss.submit(payload="x" * 98)
        assert await boss.state(first["id"]) == "completed"
        await boss.submit(payload="x" * 98)
        await refused(boss.submit(payload="x" * 98), ErrorCode.LIMIT_EXCEEDED, "params.payload")

        await boss.complete(await boss.claim())
        await a_moment()
        await refused(boss.status(first["id"]), ErrorCode.NOT_FOUND, "params.id")


async def test_ended_tasks_are_kept_up_to_a_number_and_the_oldest_go(monkeypatch: pytest.MonkeyPatch) -> None:
    async with running(monkeypatch, limits=Limits(max_ended_tasks=2)) as broker:
        boss = Worker(broker)
        ids = [(await boss.submit())["id"] for _ in range(4)]
        for _ in ids:
            await boss.complete(await boss.claim())
        await a_moment()

        assert [task["id"] for task in (await boss.call("task.list"))["tasks"]] == ids[2:]


async def test_ended_tasks_are_kept_for_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    async with running(monkeypatch, limits=Limits(ended_task_age_ms=10_000)) as broker:
        boss = Worker(broker)
        id = (await boss.submit())["id"]
        open_one = (await boss.submit(queue="other"))["id"]
        await boss.complete(await boss.claim())
        await advance(9)
        assert await boss.state(id) == "completed"
        await advance(62)
        await refused(boss.status(id), ErrorCode.NOT_FOUND, "params.id")
        assert await boss.state(open_one) == "pending"


# ---- order


async def test_higher_priority_goes_first_and_equals_in_their_order(monkeypatch: pytest.MonkeyPatch) -> None:
    async with running(monkeypatch) as broker:
        boss = Worker(broker)
        for id, priority in (("a", 0), ("b", 5), ("c", 0), ("d", -1), ("e", 5)):
            await boss.submit(id=id, priority=priority)

        assert [(await boss.claim())["id"] for _ in range(5)] == ["b", "e", "a", "c", "d"]


async def test_a_delayed_task_is_given_to_nobody_before_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    async with running(monkeypatch) as broker:
        boss = Worker(broker)
        await boss.submit(id="late", delay=5_000)
        await boss.submit(id="later", delay=6_000)
        waiting = boss.begin("task.claim", wait=20_000)
        await advance(4.9)
        assert not waiting.done()
        await advance(0.2)
        assert (await waiting)["task"]["id"] == "late"
        assert await boss.claim() is None
        await advance(1)
        assert (await boss.claim())["id"] == "later"


async def test_queues_are_asked_in_the_order_given_and_types_are_filtered(monkeypatch: pytest.MonkeyPatch) -> None:
    async with running(monkeypatch) as broker:
        boss = Worker(broker)
        await boss.submit("a", id="q1-a", queue="q1", priority=9)
        await boss.submit("b", id="q2-b", queue="q2")
        await boss.submit("a", id="q2-a", queue="q2", priority=1)

        assert (await boss.claim("q2", "q1", types=["b"]))["id"] == "q2-b"
        assert await boss.claim("q2", "q1", types=["c"]) is None
        assert (await boss.claim("q2", "q1"))["id"] == "q2-a"
        assert (await boss.claim("q2", "q1", types=["a", "c"]))["id"] == "q1-a"
        assert await boss.claim() is None


async def test_workers_that_wait_are_served_in_the_order_they_came(monkeypatch: pytest.MonkeyPatch) -> None:
    async with running(monkeypatch) as broker:
        boss, first, second, third = (Worker(broker) for _ in range(4))
        one = first.begin("task.claim", wait=10_000, types=["b"])
        two = second.begin("task.claim", wait=10_000)
        three = third.begin("task.claim", wait=10_000, queues=["other", "default"])
        await a_moment()

        await boss.submit("a", id="t1")
        await boss.submit("b", id="t2")
        await boss.submit("a", id="t3")

        assert [(await answer)["task"]["id"] for answer in (one, two, three)] == ["t2", "t1", "t3"]


async def test_load_is_shared_among_workers_that_ask_again_and_again(monkeypatch: pytest.MonkeyPatch) -> None:
    async with running(monkeypatch) as broker:
        boss, workers = Worker(broker), [Worker(broker) for _ in range(3)]
        done: Counter[int] = Counter()

        async def work(number: int) -> None:
            while (task := await workers[number].claim(wait=5_000)) is not None:
                done[number] += 1
                await workers[number].complete(task)

        working = [asyncio.ensure_future(work(number)) for number in range(3)]
        for _ in range(30):
            await boss.submit()
            await a_moment()
        await advance(6)
        await asyncio.gather(*working)

        assert done == {0: 10, 1: 10, 2: 10}


async def test_a_wait_that_finds_nothing_ends_with_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    async with running(monkeypatch) as broker:
        worker = Worker(broker)
        waiting = worker.begin("task.claim", wait=5_000)
        short = worker.begin("task.claim", wait=600_000, timeout=3)
        await advance(2.95)
        assert (await short)["task"] is None
        assert not waiting.done()
        await advance(2.1)
        assert (await waiting)["task"] is None


# ---- who gives up


@pytest.mark.parametrize("durable", [False, True])
async def test_a_claim_that_is_given_up_takes_no_task_along(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, durable: bool
) -> None:
    async with running(monkeypatch, data=str(tmp_path) if durable else None) as broker:
        boss = Worker(broker)
        id = (await boss.submit())["id"]
        for moments in range(12):
            worker = Worker(broker)
            claim = worker.begin("task.claim", wait=5_000)
            for _ in range(moments):
                await asyncio.sleep(0)
            worker.vanish() if moments % 2 else worker.cancel(claim)
            if claim.done() and not claim.exception():
                break  # it was answered before it was given up
            task = await asyncio.wait_for(boss.claim(wait=60_000), 10)
            assert (task["id"], task["attempts"]) == (id, 1), moments
            await boss.about("task.release", task)


async def test_a_worker_that_vanishes_while_it_waits_leaves_the_task_to_the_next(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with running(monkeypatch) as broker:
        boss, first, second = Worker(broker), Worker(broker), Worker(broker)
        first.begin("task.claim", wait=60_000)
        await a_moment()
        waiting = second.begin("task.claim", wait=20_000)
        await a_moment()
        submitting = boss.begin("task.submit", type="work")
        first.vanish()
        assert (await submitting)["task"]["state"] == "pending"

        assert (await waiting)["task"]["attempts"] == 1


# ---- holding a task


async def test_a_lease_that_lapses_gives_the_task_to_the_next_with_a_higher_token(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with running(monkeypatch) as broker:
        boss, dead, next_one = Worker(broker), Worker(broker), Worker(broker)
        await boss.submit(id="t1", lease=10_000)
        held = await dead.claim()
        waiting = next_one.begin("task.claim", wait=25_000)
        dead.vanish()
        await advance(9.9)
        assert not waiting.done()
        await advance(0.2)
        task = (await waiting)["task"]

        assert (task["id"], task["attempts"]) == ("t1", 2)
        assert task["token"] > held["token"]


async def test_a_worker_that_says_bye_gives_its_task_back_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    async with running(monkeypatch) as broker:
        boss, leaving = Worker(broker), Worker(broker)
        await boss.submit(id="t1")
        await leaving.claim()
        leaving.leave()
        await a_moment()

        assert (await boss.claim())["attempts"] == 2


async def test_renewals_and_progress_keep_a_task(monkeypatch: pytest.MonkeyPatch) -> None:
    async with running(monkeypatch) as broker:
        boss, worker = Worker(broker), Worker(broker)
        await boss.submit(id="t1", lease=10_000)
        task = await worker.claim()
        for number in range(6):
            await advance(6)
            if number % 2:
                await worker.about("task.renew", task)
            else:
                await worker.about("task.progress", task, progress=number * 10, message="on")
        assert (await boss.status("t1"))["progress"] == 40

        assert (await worker.complete(task))["task"]["state"] == "completed"


async def test_a_worker_goes_on_by_another_connection_with_its_token(monkeypatch: pytest.MonkeyPatch) -> None:
    async with running(monkeypatch) as broker:
        boss, worker = Worker(broker), Worker(broker, "w" * 32)
        await boss.submit(id="t1", lease=10_000)
        task = await worker.claim()
        worker.vanish()
        await advance(8)
        again = Worker(broker, "w" * 32)
        await again.about("task.renew", task)
        await advance(8)
        assert await boss.state("t1") == "in-progress"
        again.leave()
        await a_moment()
        assert await boss.state("t1") == "pending"


@pytest.mark.parametrize("method", ["task.renew", "task.progress", "task.complete", "task.fail", "task.release"])
async def test_a_stale_token_is_fenced_for_everything(monkeypatch: pytest.MonkeyPatch, method: str) -> None:
    extras: dict[str, dict[str, Any]] = {"task.progress": {"progress": 1}, "task.fail": {"error": {"message": "x"}}}
    more = extras.get(method, {})
    async with running(monkeypatch) as broker:
        boss, slow, quick = Worker(broker), Worker(broker), Worker(broker)
        await boss.submit(id="t1", lease=1_000)
        stale = await slow.claim()
        await advance(1.5)

        await refused(slow.about(method, stale, **more), ErrorCode.FENCED, "params.id")  # nobody has it
        task = await quick.claim()
        await refused(slow.about(method, stale, **more), ErrorCode.FENCED, "params.token")  # another has it
        await quick.complete(task)
        await refused(slow.about(method, stale, **more), ErrorCode.FENCED, "params.token")  # it has ended
        assert (await boss.status("t1"))["attempts"] == 2


async def test_a_completion_that_is_repeated_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    async with running(monkeypatch) as broker:
        worker = Worker(broker)
        await worker.submit(id="t1")
        task = await worker.claim()
        assert (await worker.complete(task, 1))["duplicate"] is False
        assert (await worker.complete(task, 2))["duplicate"] is True
        assert (await worker.status("t1"))["result"] == 1
        await refused(worker.fail(task), ErrorCode.FENCED, "params.id")


async def test_a_released_task_goes_to_the_next_and_no_attempt_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    async with running(monkeypatch) as broker:
        worker = Worker(broker)
        await worker.submit(id="t1", max_attempts=1)
        for _ in range(3):
            await worker.about("task.release", await worker.claim())
        assert (await worker.claim())["attempts"] == 1


async def test_where_clients_log_in_a_token_serves_its_subject_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    async def authenticate(token: str | None, metadata: dict[str, Any]) -> Verified:
        return Verified(subject=str(token), permissions=Permissions(call=["task.#"]))

    async with running(monkeypatch, authenticate=authenticate) as broker:
        anna, bert = Worker(broker, token="anna"), Worker(broker, token="bert")
        await a_moment()
        await anna.submit(id="t1")
        task = await anna.claim()
        assert task["worker"] == "anna"

        await refused(bert.complete(task), ErrorCode.PERMISSION_DENIED, "params.token")
        other = Worker(broker, token="anna")
        await a_moment()
        assert (await other.complete(task))["task"]["state"] == "completed"


# ---- failing


async def test_a_failed_attempt_is_tried_again_later_and_later(monkeypatch: pytest.MonkeyPatch) -> None:
    async with running(monkeypatch) as broker:
        worker = Worker(broker)
        await worker.submit(id="t1", max_attempts=4, backoff=10_000, backoff_max=30_000)
        for most in (10, 20, 30):
            failed = await worker.fail(await worker.claim())
            assert (failed["task"]["state"], failed["task"]["error"]) == ("pending", {"message": "it broke"})
            await advance(most / 2 - 0.1)
            assert await worker.claim() is None
            await advance(most / 2 + 0.2)
        last = await worker.fail(await worker.claim())

        assert (last["task"]["state"], last["task"]["dead"]) == ("failed", True)
        assert (await worker.call("queue.status", queue="default"))["dead"] == 1
        assert (await worker.call("task.list", state="failed"))["tasks"][0]["dead"] is True


async def test_a_failure_without_retry_is_final_and_no_dead_letter(monkeypatch: pytest.MonkeyPatch) -> None:
    async with running(monkeypatch) as broker:
        worker = Worker(broker)
        await worker.submit(id="t1")
        failed = await worker.about(
            "task.fail", await worker.claim(), error={"message": "no", "code": "BAD"}, retry=False
        )
        assert (failed["task"]["state"], failed["task"]["dead"]) == ("failed", False)
        assert failed["task"]["error"] == {"message": "no", "code": "BAD"}


async def test_leases_that_lapse_until_no_attempt_is_left_make_a_dead_letter(monkeypatch: pytest.MonkeyPatch) -> None:
    async with running(monkeypatch) as broker:
        boss = Worker(broker)
        await boss.submit(id="t1", max_attempts=2, lease=1_000)
        for _ in range(2):
            assert await boss.claim() is not None
            await advance(1.1)
        status = await boss.status("t1")

        assert (status["state"], status["dead"], status["attempts"]) == ("failed", True, 2)
        assert status["error"]["code"] == "LEASE_LOST"


async def test_a_timeout_bounds_one_attempt_however_often_it_is_renewed(monkeypatch: pytest.MonkeyPatch) -> None:
    async with running(monkeypatch) as broker:
        worker = Worker(broker)
        await worker.submit(id="t1", timeout=5_000, backoff=0, max_attempts=2)
        for _ in range(2):
            task = await worker.claim()
            await advance(4.9)
            await worker.about("task.renew", task)
            await advance(0.2)
            await refused(worker.complete(task), ErrorCode.FENCED, "params.id")
        status = await worker.status("t1")

        assert (status["state"], status["error"]["code"], status["dead"]) == ("failed", "TIMEOUT", True)


# ---- cancel, close, resume, retry, message, wait


async def test_a_pending_task_that_is_cancelled_is_given_to_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    async with running(monkeypatch) as broker:
        boss = Worker(broker)
        await boss.submit(id="t1")
        await boss.submit(id="t2", delay=5_000)
        for id in ("t1", "t2"):
            cancelled = await boss.call("task.cancel", id=id, reason="no need")
            assert (cancelled["task"]["state"], cancelled["task"]["reason"]) == ("cancelled", "no need")
        await advance(6)
        assert await boss.claim() is None
        await refused(boss.call("task.cancel", id="t1"), ErrorCode.CONFLICT, "params.id")


@pytest.mark.parametrize("method", ["task.cancel", "task.close"])
async def test_a_worker_hears_that_its_task_was_taken_away(monkeypatch: pytest.MonkeyPatch, method: str) -> None:
    async with running(monkeypatch) as broker:
        boss, worker = Worker(broker), Worker(broker)
        await boss.submit(id="t1")
        task = await worker.claim()
        await boss.call(method, id="t1")

        await refused(worker.about("task.renew", task), ErrorCode.CANCELLED, "params.id")
        await refused(worker.about("task.progress", task, progress=1), ErrorCode.CANCELLED, "params.id")
        await refused(worker.complete(task), ErrorCode.CANCELLED, "params.id")
        await advance(60)
        assert (await boss.status("t1"))["state"] == ("cancelled" if method == "task.cancel" else "closed")


async def test_a_task_that_was_put_away_is_done_once_it_is_resumed(monkeypatch: pytest.MonkeyPatch) -> None:
    async with running(monkeypatch) as broker:
        boss, worker = Worker(broker), Worker(broker)
        await boss.submit(id="t1")
        stale = await worker.claim()
        await boss.call("task.close", id="t1", reason="lunch")
        assert await worker.claim() is None

        await boss.call("task.resume", id="t1")
        await refused(worker.complete(stale), ErrorCode.FENCED, "params.id")
        task = await worker.claim()
        assert task["token"] > stale["token"]
        await worker.complete(task)
        await refused(boss.call("task.resume", id="t1"), ErrorCode.CONFLICT, "params.id")


async def test_a_retry_is_a_new_task_and_the_end_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    async with running(monkeypatch) as broker:
        boss = Worker(broker)
        await boss.submit("resize", id="t1", payload=[1], priority=3, max_attempts=1)
        await refused(boss.call("task.retry", id="t1"), ErrorCode.CONFLICT, "params.id")
        await boss.fail(await boss.claim())
        retried = await boss.call("task.retry", id="t1")

        assert retried["newTaskId"] == retried["task"]["id"] != "t1"
        assert retried["task"]["retried_from"] == "t1"
        task = await boss.claim()
        assert (task["id"], task["type"], task["payload"], task["priority"]) == (retried["newTaskId"], "resize", [1], 3)
        assert await boss.state("t1") == "failed"


async def test_anybody_may_speak_to_an_open_task(monkeypatch: pytest.MonkeyPatch) -> None:
    async with running(monkeypatch) as broker:
        boss = Worker(broker)
        await boss.submit(id="t1")
        async with broker.subscribe("task.t1.message") as events:
            await boss.call("task.message", id="t1", message="hurry", data={"by": 5})
            event: Any = await anext(events)
        assert (event.data["message"], event.data["data"], event.sender) == (
            "hurry",
            {"by": 5},
            boss.session.author.sender,
        )
        await boss.complete(await boss.claim())
        await refused(boss.call("task.message", id="t1", message="late"), ErrorCode.CONFLICT, "params.id")


async def test_a_wait_is_answered_by_the_end_whether_it_came_or_comes(monkeypatch: pytest.MonkeyPatch) -> None:
    async with running(monkeypatch) as broker:
        boss, worker = Worker(broker), Worker(broker)
        await boss.submit(id="t1")
        waits = [boss.begin("task.wait", id="t1") for _ in range(3)]
        await a_moment()
        boss.cancel(waits[0])
        await worker.complete(await worker.claim(), 42)

        assert [(await wait)["task"]["result"] for wait in waits[1:]] == [42, 42]
        assert (await boss.call("task.wait", id="t1"))["task"]["state"] == "completed"
        await refused(waits[0], ErrorCode.CANCELLED)


# ---- lists


async def test_tasks_are_listed_by_what_is_asked_in_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    async with running(monkeypatch) as broker:
        boss, worker = Worker(broker), Worker(broker)
        for number in range(5):
            await boss.submit("a" if number % 2 else "b", id=f"t{number}", queue=f"q{number % 2}", project="p")
        await worker.complete(await worker.claim("q0", worker="w"))

        async def ids(**wanted: Any) -> tuple[int, list[str]]:
            answer = await boss.call("task.list", **wanted)
            return answer["count"], [task["id"] for task in answer["tasks"]]

        assert await ids() == (5, ["t0", "t1", "t2", "t3", "t4"])
        assert await ids(limit=2, offset=1) == (5, ["t1", "t2"])
        assert await ids(queue="q1") == (2, ["t1", "t3"])
        assert await ids(type="b", state="pending") == (2, ["t2", "t4"])
        assert await ids(worker="w") == (1, ["t0"])
        assert await ids(project="other") == (0, [])
        assert "payload" not in (await boss.call("task.list"))["tasks"][0]
        await refused(boss.call("task.list", state="lost"), ErrorCode.INVALID_MESSAGE, "params.state")


async def test_where_there_is_no_task_lists_are_empty(monkeypatch: pytest.MonkeyPatch) -> None:
    async with running(monkeypatch) as broker:
        assert await Worker(broker).call("task.list") == {"count": 0, "tasks": []}
        assert await Worker(broker).call("task.claim", queues=["none"]) == {"task": None}
