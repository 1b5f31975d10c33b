"""A daemon of one's own: started, asked, reloaded, watched and stopped by its own commands."""

from __future__ import annotations

from pathlib import Path

from .program import finished, program


async def run(*arguments: object) -> list[str]:
    """What one of its commands prints, when all went well."""
    code, lines = await finished("daemon", *arguments)
    assert code == 0, lines
    return lines


async def test_a_daemon_has_its_own_command_beside_those_of_the_broker(tmp_path: Path) -> None:
    settings = tmp_path / "greeter.toml"
    settings.write_text("log_level = 'info'\n", encoding="utf-8")
    async with program("daemon", "run", SWARMWIRE_CONFIG=str(settings)) as daemon:
        await daemon.line(".*ready to greet.*")
        assert await run("greet", "Ada") == ["Hello, Ada!"]

        status = dict(line.split(maxsplit=1) for line in await run("status"))
        assert (status["status"], status["name"], status["pid"]) == ("running", "greeter", str(daemon.process.pid))
        assert (await run("health"))[0].split() == ["status", "ok"]

        async with program("daemon", "logs", "-f", "-n", "1") as logs:
            await logs.line(".*greeting  who=Ada")
            await run("greet", "Grace")
            await logs.line(".*greeting  who=Grace")
            assert await logs.interrupt() == 0

        settings.write_text("log_level = 'info'\n[limits]\nmax_connections = 5\n", encoding="utf-8")
        reload = await run("reload")
        assert reload[:2] == ["message            1 settings applied", "applied            limits.max_connections"]

        assert await run("stop") == ["Daemon shutdown initiated"]
        assert await daemon.end() == 0
    code, lines = await finished("daemon", "status")
    assert code == 2
    assert "greeter" in lines[0]
    assert "serve" not in lines[0]


async def test_ctrl_c_ends_it_too() -> None:
    async with program("daemon", "run") as daemon:
        await daemon.line(".*ready to greet.*")
        assert await daemon.interrupt() == 0
