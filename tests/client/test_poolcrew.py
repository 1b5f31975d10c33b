"""The workers of a pool, where a new one never comes up."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from swarmwire.workers.child import WorkerChild
from swarmwire.workers.crew import PoolCrew
from swarmwire.workers.post import Post

PATIENCE = 30.0


@pytest.fixture
def crew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> PoolCrew:
    """Of a program that hangs while it is imported."""
    (tmp_path / "hanging.py").write_text("import threading\nthreading.Event().wait()\n", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    numbers = iter(range(100))

    def start() -> WorkerChild:
        return WorkerChild.start(Post(target="hanging", id=f"hanging-{next(numbers)}", pool="hanging"))

    return PoolCrew(start, None, 1.0, coming=0.05)


async def test_a_worker_that_hangs_in_its_start_does_not_keep_a_pool_from_the_next_command(crew: PoolCrew) -> None:
    try:
        async with asyncio.timeout(PATIENCE):
            assert await crew.scale(2) is False
            assert await crew.restart(None) == (2, False)
            assert len(crew.describe()) == 2
            assert await crew.scale(0) is True
            assert crew.describe() == []
    finally:
        crew.kill()
        await crew.ended()
