"""Pools in this process, whose workers are processes all the same."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from swarmwire import CallError, Client, ErrorCode, Pool, SwarmwireError, connect
from swarmwire.workers.post import Post
from swarmwire_broker.testing import BrokerFactory

PATIENCE = 30.0


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A module that workers can import from the current directory."""
    text = "from swarmwire import Worker\nworker = Worker()\nworker.task('one')(lambda task: 1)\n"
    (tmp_path / "pooled.py").write_text(text, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return "pooled"


@contextlib.asynccontextmanager
async def running(pool: Pool, client: Client) -> AsyncIterator[asyncio.Task[None]]:
    """The pool from when it can be asked until it has stopped."""
    task = asyncio.create_task(pool.run(client))
    try:
        async with asyncio.timeout(PATIENCE):
            while not (await client.call("rpc.list", {"method": pool.method}))["methods"]:
                assert not task.done()
        yield task
    finally:
        pool.stop(0)
        await asyncio.wait([task])
    task.result()


@pytest.mark.parametrize(
    ("options", "field"),
    [({"count": -1}, "count"), ({"count": 1001}, "count"), ({"count": True}, "count"), ({"count": 1.5}, "count")]
    + [({"name": name}, "name") for name in ("", "a\nb", "ä" * 49)],
)
async def test_what_makes_no_pool_is_refused(options: dict[str, Any], field: str) -> None:
    with pytest.raises(SwarmwireError) as refused:
        Pool("pooled", **options)
    assert (refused.value.code, refused.value.field) == (ErrorCode.INVALID_MESSAGE, field)


async def test_a_pool_follows_a_project_that_was_stopped_while_it_could_not_be_asked(
    broker_factory: BrokerFactory, program: str
) -> None:
    server = await broker_factory()
    async with connect(server.url) as operator, connect(server.url, base_delay=0.2) as client:
        await operator.call("project.add", {"id": "shop", "path": "."})
        await operator.call("project.start", {"id": "shop"})
        pool = Pool(program, project="shop", url=server.url)
        async with running(pool, client):
            assert (pool.held, pool.describe()["running"]) == (False, 1)
            session = client._supervisor._session
            assert session is not None
            session._connection.abort()
            lost = await operator.call("project.stop", {"id": "shop"}, timeout=PATIENCE)
            assert lost["project"]["state"] == "stopped"
            async with asyncio.timeout(PATIENCE):
                while pool.describe()["workers"]:  # noqa: ASYNC110 - its workers are processes
                    await asyncio.sleep(0.02)
            assert pool.held
            await operator.call("project.start", {"id": "shop"}, timeout=PATIENCE)
            assert (pool.held, pool.describe()["running"]) == (False, 1)


async def test_the_end_of_its_client_ends_a_pool_and_its_workers(broker_factory: BrokerFactory, program: str) -> None:
    server = await broker_factory()
    client = await connect(server.url)
    pool = Pool(program, url=server.url)
    async with running(pool, client) as task:
        await client.disconnect()
        await asyncio.wait([task], timeout=PATIENCE)
        assert task.done()
    assert [worker["state"] for worker in pool.describe()["workers"]] == ["ended"]


async def test_a_caller_that_gives_up_does_not_keep_a_pool_from_doing_what_it_was_asked(
    broker_factory: BrokerFactory, program: str
) -> None:
    server = await broker_factory()
    async with connect(server.url) as operator, connect(server.url) as client:
        pool = Pool(program, count=0, url=server.url)
        async with running(pool, client):
            with pytest.raises(SwarmwireError, match="TIMEOUT"):
                await operator.call("worker.scale", {"count": 1}, timeout=0.01)
            async with asyncio.timeout(PATIENCE):
                while pool.describe()["running"] != 1:  # noqa: ASYNC110 - its workers are processes
                    await asyncio.sleep(0.02)


async def test_commands_beyond_so_many_that_wait_are_refused() -> None:
    pool = Pool("pooled", count=0)
    async with asyncio.timeout(PATIENCE):
        asked = [asyncio.create_task(pool.answer({"action": "scale", "count": 0})) for _ in range(101)]
        done = await asyncio.gather(*asked, return_exceptions=True)
    assert [type(each) for each in done] == [dict] * 100 + [CallError]


async def test_a_pool_cannot_be_asked_over_http_and_says_so(broker_factory: BrokerFactory, program: str) -> None:
    server = await broker_factory()
    async with connect(f"http://127.0.0.1:{server.port}") as client:
        with pytest.raises(SwarmwireError, match="Over HTTP"):
            await Pool(program, count=0, url=server.url).run(client)


def test_what_a_worker_is_told_is_shown_without_its_token() -> None:
    post = Post(target="pooled", id="pooled-1", pool="pooled", url="ws://u:secret@h/ws", token="the-secret")
    assert repr(post) == "Post(target='pooled', id='pooled-1', pool='pooled')"
