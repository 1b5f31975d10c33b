"""Processes that are there for others to see."""

from __future__ import annotations

from swarmwire_broker.server import Server

from .program import finished, program


async def test_processes_are_found_by_type_and_by_what_they_can_do(broker: Server) -> None:
    url = ("--url", broker.url)
    async with (
        program("registry", *url, "run", "resizer", "--type", "worker", "--can", "resize", "--can", "crop") as resizer,
        program("registry", *url, "run", "mailer", "--type", "service", "--can", "mail") as mailer,
    ):
        await resizer.line("resizer is here as .*")
        await mailer.line("mailer is here as .*")
        resizers = f"resizer (worker) can resize, crop, pid {resizer.process.pid}"
        mailers = f"mailer (service) can mail, pid {mailer.process.pid}"
        code, lines = await finished("registry", *url, "list")
        assert (code, sorted(lines)) == (0, [mailers, resizers])
        assert await finished("registry", *url, "list", "--can", "resize") == (0, [resizers])
        assert await finished("registry", *url, "list", "--type", "service") == (0, [mailers])
        assert await finished("registry", *url, "list", "--type", "service", "--can", "crop") == (0, [])


async def test_who_comes_and_who_goes_is_seen(broker: Server) -> None:
    url = ("--url", broker.url)
    async with program("registry", *url, "watch") as watcher:
        await watcher.line("watching.*")
        async with program("registry", *url, "run", "resizer", "--type", "worker") as resizer:
            await watcher.line(f"registered: resizer .worker. can nothing, pid {resizer.process.pid}")
            assert await resizer.interrupt() == 0
            await watcher.line("gone: resizer .*")
        assert await finished("registry", *url, "list") == (0, [])


async def test_a_process_that_is_killed_is_gone_too(broker: Server) -> None:
    url = ("--url", broker.url)
    async with program("registry", *url, "watch") as watcher:
        await watcher.line("watching.*")
        async with program("registry", *url, "run", "resizer", "--ttl", 1) as resizer:
            await watcher.line("registered: resizer .*")
            resizer.kill()
            await watcher.line("gone: resizer .*")
        assert await finished("registry", *url, "list") == (0, [])
