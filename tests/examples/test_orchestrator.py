"""An orchestrator and its agents, as processes."""

from __future__ import annotations

from pathlib import Path

import pytest

from swarmwire_broker.server import Server

from .program import finished, program


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    """Twelve files, of which the nth has n words."""
    paths = [tmp_path / f"file{number:02}.txt" for number in range(1, 13)]
    for number, path in enumerate(paths, 1):
        path.write_text("word " * number)
    return paths


def counts(lines: list[str]) -> dict[str, int]:
    """The words by file, of which each may stand there once only."""
    found = [line.split() for line in lines if line.endswith(")")]
    assert len({line[1] for line in found}) == len(found)
    return {line[1]: int(line[0]) for line in found}


async def test_agents_bring_back_what_the_orchestrator_asks_them_for(broker: Server, files: list[Path]) -> None:
    code, lines = await finished("orchestrator", "--url", broker.url, "run", *files, "--delay", 0.05)
    assert code == 0
    assert counts(lines) == {path.name: number for number, path in enumerate(files, 1)}
    assert lines[-1].split() == ["78", "in", "12", "files"]
    # An agent that is slow to start may find that the others have left nothing.
    brought = {line.rpartition("(")[2].rstrip(")") for line in lines if line.endswith(")")}
    here = {line.removesuffix(" is here") for line in lines if line.endswith(" is here")}
    assert brought <= here <= {"agent-1", "agent-2", "agent-3"}


async def test_an_agent_is_asked_by_its_id_wherever_it_was_started(broker: Server, files: list[Path]) -> None:
    url = ("--url", broker.url)
    async with (
        program("orchestrator", *url, "agent", "alone"),
        program("orchestrator", *url, "run", "--agents", 0, *files) as running,
    ):
        assert await running.end() == 0
    assert all(line.endswith("(alone)") for line in running.lines if line.endswith(")"))
    assert counts(running.lines) == {path.name: number for number, path in enumerate(files, 1)}


async def test_what_a_killed_agent_had_in_hand_is_done_by_another(broker: Server, files: list[Path]) -> None:
    url = ("--url", broker.url)
    async with (
        program("orchestrator", *url, "run", "--agents", 0, "--delay", 0.2, *files) as running,
        program("orchestrator", *url, "agent", "first") as first,
    ):
        await running.line("first is here")
        async with program("orchestrator", *url, "watch") as watcher:
            await watcher.line("first is busy .*")
            first.kill()
            await running.line("first did not bring back .*")
        async with program("orchestrator", *url, "agent", "second"):
            assert await running.end() == 0
    assert counts(running.lines) == {path.name: number for number, path in enumerate(files, 1)}


async def test_what_agents_do_is_seen_by_whoever_watches(broker: Server, files: list[Path]) -> None:
    url = ("--url", broker.url)
    async with program("orchestrator", *url, "watch") as watcher:
        async with program("orchestrator", *url, "run", "--agents", 1, "--delay", 0.1, *files[:3]) as running:
            await watcher.line("agent-1 is busy .*file..[.]txt")
            await watcher.line("agent-1 is idle")
            assert await running.end() == 0
        assert await watcher.interrupt() == 0
