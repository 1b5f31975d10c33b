"""Workers and their pools, as operators see them. The pools here are clients that answer as a pool does."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Any

import pytest
import pytest_asyncio

from swarmwire_broker.broker import Broker
from swarmwire_broker.services.tasks.pools import MOST_WORKERS
from swarmwire_protocol.codec import encode
from swarmwire_protocol.errors import ErrorCode

from .callers import Caller, until
from .taskrig import Worker, advance, refused, running


@pytest_asyncio.fixture
async def broker(monkeypatch: pytest.MonkeyPatch) -> AsyncGenerator[Broker]:
    async with running(monkeypatch) as broker:
        yield broker


class FakePool(Caller):
    """A client that answers as a member of a pool."""

    def __init__(self, broker: Broker, name: str = "images", member: str = "m1", project: str | None = None) -> None:
        super().__init__(broker)
        self.commands: list[dict[str, Any]] = []
        self.member, self.name, self.project = member, name, project
        self.ids: list[str] = []
        self.answers: Any = None
        self.fails = self.held = False
        self.silent: set[str] = set()

    async def begun(self) -> FakePool:
        await self.call("rpc.register", methods=[f"pool.{self.name}.{self.member}"])
        return self

    def _heard(self, message: dict[str, Any]) -> None:
        if message["type"] != "call":
            super()._heard(message)
            return
        command = message["params"]
        if command["action"] != "status":
            self.commands.append({name: value for name, value in command.items() if value is not None})
        if command["action"] in self.silent:
            return
        data = self.answers if self.answers is not None else self._describe(command)
        self.session.receive(encode({"type": "reply", "id": message["id"], "data": data}))

    def _describe(self, command: dict[str, Any]) -> dict[str, Any]:
        done = 0
        if command["action"] == "scale":
            self.ids = [f"{self.member}-{number}" for number in range(command["count"])]
            done = command["count"]
        elif command["action"] == "restart":
            done = len([id for id in self.ids if command["worker"] in (None, id)])
        if command["action"] in ("hold", "release"):
            self.held = command["action"] == "hold"
        workers = [{"id": id, "state": "running"} for id in self.ids]
        known = {"pool": self.name, "member": self.member, "project": self.project}
        return {**known, "count": len(workers), "running": len(workers), "workers": workers, "done": done} | {
            "failed": self.fails,
            "held": self.held,
        }


async def pool(broker: Broker, name: str = "images", member: str = "m1", project: str | None = None) -> FakePool:
    return await FakePool(broker, name, member, project).begun()


async def worker(broker: Broker, id: str, **metadata: Any) -> Worker:
    found = Worker(broker)
    await found.call("registry.register", name=id, id=id, kind="worker", metadata=metadata)
    return found


# ---- worker.status


async def test_without_workers_all_counts_are_zero(broker: Broker) -> None:
    assert await Caller(broker).call("worker.status") == {
        "total": 0,
        "active": 0,
        "idle": 0,
        "suspect": 0,
        "count": 0,
        "workers": [],
        "pools": [],
    }


async def test_a_worker_that_holds_a_task_is_active_and_the_others_are_idle(broker: Broker) -> None:
    one, _ = await worker(broker, "one", pool="images", pid=7), await worker(broker, "two", pool="images")
    await one.submit()
    task = await one.claim(worker="one")
    status = await Caller(broker).call("worker.status")
    assert (status["total"], status["active"], status["idle"]) == (2, 1, 1)
    assert [(each["id"], each["state"], each["tasks"]) for each in status["workers"]] == [
        ("one", "active", 1),
        ("two", "idle", 0),
    ]
    assert (status["workers"][0]["pool"], status["workers"][0]["pid"]) == ("images", 7)
    await one.complete(task)
    assert (await Caller(broker).call("worker.status"))["active"] == 0


async def test_a_worker_whose_connection_is_lost_counts_no_more_but_is_shown_until_it_is_gone(broker: Broker) -> None:
    one = await worker(broker, "one")
    await one.submit()
    await one.claim(worker="one")
    one.vanish()
    await advance(1)
    status = await Caller(broker).call("worker.status")
    assert (status["total"], status["active"], status["suspect"]) == (0, 0, 1)
    assert [(each["id"], each["state"], each["tasks"]) for each in status["workers"]] == [("one", "suspect", 1)]
    await advance(70)
    assert (await Caller(broker).call("worker.status"))["workers"] == []


async def test_workers_and_pools_are_shown_by_pool_and_by_project(broker: Broker) -> None:
    await worker(broker, "one", pool="images", project="shop")
    await worker(broker, "two", pool="mails")
    await pool(broker, "images", "m1", project="shop")
    await pool(broker, "mails", "m1")
    caller = Caller(broker)
    by_pool: dict[str, Any] = {"pool": "images"}
    for wanted in (by_pool, {"project": "shop"}):
        status = await caller.call("worker.status", **wanted)
        assert [each["id"] for each in status["workers"]] == ["one"]
        assert [each["pool"] for each in status["pools"]] == ["images"]
    assert (await caller.call("worker.status", pool="other"))["total"] == 0


async def test_the_list_of_workers_has_pages(broker: Broker) -> None:
    for number in range(3):
        await worker(broker, f"w{number}")
    status = await Caller(broker).call("worker.status", limit=1, offset=1)
    assert (status["count"], [each["id"] for each in status["workers"]]) == (3, ["w1"])


async def test_a_pool_that_does_not_answer_is_shown_as_unreachable(broker: Broker) -> None:
    (await pool(broker)).silent.add("status")
    answer = Caller(broker).begin("worker.status")
    await advance(6)
    assert (await answer)["pools"] == [{"method": "pool.images.m1", "reachable": False}]


async def test_what_does_not_answer_as_a_pool_does_is_unreachable(broker: Broker) -> None:
    (await pool(broker)).answers = ["nonsense"]
    assert (await Caller(broker).call("worker.status"))["pools"][0]["reachable"] is False


# ---- worker.scale


@pytest.mark.parametrize("count", [-1, 1.5, "3", True, None, MOST_WORKERS + 1])
async def test_what_is_no_count_of_workers_is_refused(broker: Broker, count: Any) -> None:
    asked = await pool(broker)
    sentence = await refused(
        Caller(broker).call("worker.scale", count=count), ErrorCode.INVALID_MESSAGE, "params.count"
    )
    assert sentence.startswith("Invalid worker count")
    assert asked.commands == []


@pytest.mark.parametrize(
    ("params", "field"), [({}, None), ({"pool": "images"}, "params.pool")], ids=["any pool", "a named pool"]
)
@pytest.mark.parametrize("method", ["worker.scale", "worker.restart"])
async def test_without_a_pool_it_is_said_how_to_start_one(
    broker: Broker, method: str, params: dict[str, Any], field: str | None
) -> None:
    params = params | ({"count": 1} if method == "worker.scale" else {})
    sentence = await refused(Caller(broker).call(method, **params), ErrorCode.NOT_FOUND, field)
    assert "`swarmwire worker MODULE --count N`" in sentence


async def test_a_pool_is_scaled_and_the_answer_names_the_workers(broker: Broker) -> None:
    asked = await pool(broker)
    answer = await Caller(broker).call("worker.scale", count=2)
    assert answer == {"pool": "images", "count": 2, "running": 2, "held": False, "workers": ["m1-0", "m1-1"]}
    assert asked.commands == [{"action": "scale", "count": 2}]


async def test_the_workers_of_a_pool_of_several_machines_are_shared_among_them(broker: Broker) -> None:
    members = [await pool(broker, "images", name) for name in ("m1", "m2", "m3")]
    answer = await Caller(broker).call("worker.scale", count=5)
    assert [each.commands[0]["count"] for each in members] == [2, 2, 1]
    assert answer["running"] == 5


async def test_of_several_pools_one_must_be_named(broker: Broker) -> None:
    images, mails = await pool(broker, "images", "m1"), await pool(broker, "mails", "m1")
    sentence = await refused(Caller(broker).call("worker.scale", count=1), ErrorCode.INVALID_MESSAGE, "params.pool")
    assert "'images', 'mails'" in sentence
    await Caller(broker).call("worker.scale", count=1, pool="mails")
    assert (images.commands, len(mails.commands)) == ([], 1)


async def test_the_name_of_a_pool_may_be_any_text(broker: Broker) -> None:
    await pool(broker, "shop%2Eimages", "m1")
    assert (await Caller(broker).call("worker.scale", count=1, pool="shop.images"))["pool"] == "shop.images"


async def test_workers_that_do_not_come_up_are_an_error(broker: Broker) -> None:
    (await pool(broker)).fails = True
    sentence = await refused(Caller(broker).call("worker.scale", count=2), ErrorCode.UNAVAILABLE)
    assert "2 of 2 workers run" in sentence


async def test_a_pool_that_vanishes_while_it_is_scaled_is_told_at_once(broker: Broker) -> None:
    asked = await pool(broker)
    asked.silent.add("scale")
    answer = Caller(broker).begin("worker.scale", count=2)
    await until(lambda: asked.commands != [])
    asked.vanish()
    await refused(answer, ErrorCode.HANDLER_GONE)


# ---- worker.restart


async def test_all_workers_are_restarted(broker: Broker) -> None:
    one, two = await pool(broker, "images", "m1"), await pool(broker, "mails", "m1")
    await Caller(broker).call("worker.scale", count=2, pool="images")
    await Caller(broker).call("worker.scale", count=1, pool="mails")
    assert (await Caller(broker).call("worker.restart"))["restarted"] == 3
    assert one.commands[-1] == two.commands[-1] == {"action": "restart"}


async def test_one_worker_is_restarted_by_the_pool_that_runs_it(broker: Broker) -> None:
    members = [await pool(broker, "images", name) for name in ("m1", "m2")]
    await Caller(broker).call("worker.scale", count=4)
    assert (await Caller(broker).call("worker.restart", worker="m2-1"))["restarted"] == 1
    assert members[1].commands[-1] == {"action": "restart", "worker": "m2-1"}


async def test_a_worker_that_no_pool_runs_is_not_found(broker: Broker) -> None:
    await pool(broker)
    await worker(broker, "alone")
    await refused(Caller(broker).call("worker.restart", worker="alone"), ErrorCode.NOT_FOUND, "params.worker")


async def test_a_restart_whose_new_worker_does_not_come_up_is_an_error(broker: Broker) -> None:
    (await pool(broker)).fails = True
    assert "those it has go on" in await refused(Caller(broker).call("worker.restart"), ErrorCode.UNAVAILABLE)


# ---- projects


async def test_stopping_a_project_holds_its_pools_and_starting_it_releases_them(broker: Broker) -> None:
    own, other = await pool(broker, "images", "m1", project="shop"), await pool(broker, "mails", "m1")
    caller = Caller(broker)
    await caller.call("project.add", id="shop", path="shop")
    for method in ("start", "restart", "stop", "restart", "stop", "start", "remove"):
        await caller.call(f"project.{method}", id="shop")
    actions = ["release", "restart", "hold", "release", "hold", "release", "release"]
    assert [each["action"] for each in own.commands] == actions
    assert other.commands == []


async def test_a_project_is_stopped_although_its_pool_vanishes(broker: Broker) -> None:
    own = await pool(broker, project="shop")
    caller = Caller(broker)
    await caller.call("project.add", id="shop", path="shop")
    await caller.call("project.start", id="shop")
    own.silent.add("hold")
    answer = caller.begin("project.stop", id="shop")
    await until(lambda: own.commands[-1] == {"action": "hold"})
    own.vanish()
    assert (await answer)["project"]["state"] == "stopped"


# ---- events


async def test_workers_that_come_and_go_are_told(broker: Broker) -> None:
    listener = Caller(broker)
    listener.session.receive(b'{"type":"subscribe","id":"s","subscriptions":[{"pattern":"worker.#"}]}')
    (await worker(broker, "one", pool="images")).leave()
    await advance(0)
    assert [(event["topic"], event["data"]["metadata"]["pool"]) for event in listener.events] == [
        ("worker.one.added", "images"),
        ("worker.one.removed", "images"),
    ]
